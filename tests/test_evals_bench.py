"""The benchmarks run and report what the README takes from them; their timings are never asserted."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

from evals.bench.pictures import draw_results
from tests.fixtures.scenes import write_scenes

ROOT = Path(__file__).parent.parent


def bench(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", *map(str, arguments), "--json"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=200)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_chat_bench_compares_with_keeping_every_frame(tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "clip.mp4", [("red", 2), ("blue", 2)])
    script = tmp_path / "script.json"
    script.write_text(json.dumps([{"say": "Blue."}] * 4))
    report = bench("evals.bench.chat", clip, "--model", f"scripted:{script}", "--watch-s", 2)
    assert set(report["figures"]) == {"curvestream", "every frame"}
    ours = report["figures"]["curvestream"]
    assert ours["memory, MiB"] > 0
    assert ours["first answer, s"] > 0


def test_the_policy_bench_covers_every_policy() -> None:
    report = bench("evals.bench.policy", "--features", 2_000, "--dim", 16)
    text = json.dumps(report)
    assert all(
        name in text for name in ("curvestream", "last", "uniform", "alternate", "motion", "curvature", "random")
    )


def test_far_questions_about_a_film_of_ten_minutes_cite_the_right_moments(tmp_path: Path) -> None:
    """End to end with the embedded model: joined, watched, captioned, built and asked."""
    (tmp_path / "clips").mkdir()
    write_scenes(tmp_path / "clips" / "clip.mp4", [("red", 2), ("blue", 2)])
    figures = tmp_path / "film.json"
    command = [sys.executable, "-m", "evals.bench.narrative_film", "--clips", tmp_path / "clips", "--json", figures]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, timeout=500)
    assert run.returncode == 0, run.stderr
    report = json.loads(figures.read_text())
    assert report["film_s"] >= 600
    assert report["table"]["cited"]["Far"]["n"] >= 9
    assert report["table"]["cited"]["Far"]["share"] == 1.0
    assert report["table"]["cited"]["all"]["share"] >= 0.9
    assert report["refused"] == {"n": 4, "right": 4}


def test_a_question_about_a_clip_goes_through_at_most_90_files(tmp_path: Path) -> None:
    clip = write_scenes(tmp_path / "clip.mp4", [("red", 2), ("blue", 2), ("green", 2)])
    question = "When does the picture change?"
    command = [sys.executable, "-m", "evals.bench.walk", "chat", clip, "--ask", question, "--folder", tmp_path / "kept"]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=ROOT, timeout=500)
    assert run.returncode == 0, run.stderr
    assert "The picture changes at [0:02] and [0:04]." in run.stdout
    files = re.findall(r"^ +\d+  (\w+/\S+\.py)$", run.stdout, flags=re.MULTILINE)
    assert {"agent/cli/chat.py", "agent/core/graph.py", "agent/models/embedded/rules/answer.py"} <= set(files)
    assert len(files) <= 90, files


def test_plots_are_redrawn_from_what_the_benches_printed(tmp_path: Path) -> None:
    for name in ("soak", "stream", "literature"):
        shutil.copy(ROOT / "docs" / f"{name}.json", tmp_path)
    draw_results(tmp_path)
    for name in ("soak", "stream", "literature"):
        with Image.open(tmp_path / f"{name}.png") as drawn, Image.open(ROOT / "docs" / f"{name}.png") as shown:
            assert drawn.size == shown.size
