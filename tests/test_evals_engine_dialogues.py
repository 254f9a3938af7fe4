"""What the engine gives to suites with a dialogue of their own: tools, players for baselines, files that must exist."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agent.config import load_config
from agent.models.blocks import decode_image
from evals.engine.data import DataError
from evals.engine.media import picture_block
from evals.engine.prepare import RunOptions
from evals.engine.run import Run, run_suite, score_run
from evals.engine.suite import Picture, Sample
from tools.errors import ModelError

SUITE = """
from pydantic import BaseModel

from evals.engine.suite import Loaded, Message, Sample, Scored, Suite, Tool


class Count(BaseModel):
    number: int


COUNT = Tool("count", "Counts to a number.", Count)


def load(data, options):
    pictures = (data / "a.png",)
    return Loaded((Sample(id="one", prompt=("Count to three.",), pictures=pictures, reference="3"),))


async def talk(sample, respond, rng):
    reply = await respond([Message("user", sample.prompt)], tools=[COUNT])
    again = await respond([Message("user", sample.prompt), Message("assistant", (reply or "-",))])
    return {"counted": [call.args.number for call in reply.calls], "again": again, "drawn": rng.randrange(10)}


def score(sample, transcript):
    return Scored(value=float(transcript.outcome["counted"] == [3] or transcript.outcome["again"] == "3"))


SUITE = Suite(
    name="counting",
    title="Counting",
    version=1,
    load=load,
    score=score,
    solve=talk,
    baselines={"patient": lambda sample, rng: lambda messages: sample.reference if len(messages) > 1 else "what?"},
)
"""


def run(tmp_path: Path, spec: str, out: str = "run", **options: Any) -> Run:
    name = tmp_path / "counting.py"
    name.write_text(SUITE, "utf-8")
    config = load_config({"take_notes": False}, environment={})
    return run_suite(str(name), spec, tmp_path, config, RunOptions(**options), tmp_path / out, lambda done, of: None)


def script(tmp_path: Path, turns: Sequence[Mapping[str, Any]], **abilities: bool) -> str:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"turns": turns, **({"abilities": abilities} if abilities else {})}), "utf-8")
    return f"scripted:{path}"


def transcript(made: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.folder / "transcripts.jsonl").read_text("utf-8"))
    return found


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 20), "red").save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_a_dialogue_is_told_of_the_calls_of_tools_that_it_offers(tmp_path: Path, picture: Path) -> None:
    made = run(tmp_path, script(tmp_path, [{"tool": "count", "args": {"number": 3}}, {"say": "done"}]))
    assert made.results.samples[0].value == 1.0
    kept = transcript(made)
    assert kept["tools"] == [{"name": "count", "args": {"number": 3}, "ok": True, "text": ""}]
    assert (kept["answers"], kept["outcome"]["again"]) == (["", "done"], "done")
    assert score_run(made.folder).results.samples[0].value == 1.0


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ({"tool": "count", "args": {"number": "many"}}, "do not fit"),
        ({"tool": "add", "args": {"number": 3}}, "There is no tool 'add'"),
    ],
)
def test_a_call_that_does_not_fit_is_written_down_and_is_none(
    tmp_path: Path, picture: Path, call: dict[str, Any], problem: str
) -> None:
    made = run(tmp_path, script(tmp_path, [call, {"say": "done"}]))
    [use] = transcript(made)["tools"]
    assert not use["ok"]
    assert problem in use["text"]
    assert transcript(made)["outcome"]["counted"] == []


def test_a_model_without_tools_cannot_be_offered_any(tmp_path: Path, picture: Path) -> None:
    made = run(tmp_path, script(tmp_path, [{"say": "3"}, {"say": "3"}], images=True, tool_calls=False))
    assert made.results.samples[0].failure == "model"
    assert "does not support tool calls" in transcript(made)["problem"]


def test_a_baseline_may_play_a_dialogue(tmp_path: Path, picture: Path) -> None:
    made = run(tmp_path, "baseline:patient")
    assert transcript(made)["answers"] == ["what?", "3"]
    assert made.results.samples[0].value == 1.0
    again = run(tmp_path, script(tmp_path, [{"say": "what?"}, {"say": "3"}]), out="model")
    assert transcript(again)["outcome"] == transcript(made)["outcome"]


def test_files_that_a_dialogue_may_show_must_exist(tmp_path: Path, picture: Path) -> None:
    blind = script(tmp_path, [{"say": "3"}, {"say": "3"}], images=False, tool_calls=True)
    with pytest.raises(ModelError, match="does not accept images"):
        run(tmp_path, blind)
    picture.unlink()
    with pytest.raises(DataError, match=r"a\.png' of sample 'one' does not exist"):
        run(tmp_path, "baseline:patient")
    made = run(tmp_path, "baseline:patient", skip_bad=True)
    assert [(one.id, one.failure) for one in made.results.samples] == [("one", "data")]


def test_a_picture_is_scaled_by_its_shorter_side(picture: Path) -> None:
    def size(shown: Picture) -> tuple[int, ...]:
        return decode_image(picture_block(shown, Sample(id="a"))).shape[:2]

    assert size(Picture(picture, short_edge_px=10)) == (10, 20)
    assert size(Picture(picture, crop_px=(0, 0, 10, 20), short_edge_px=30)) == (60, 30)
