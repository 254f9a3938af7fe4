"""The benchmarks run and report what the README takes from them; their timings are never asserted."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

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
