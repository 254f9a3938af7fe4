"""A suite of your own; run it with eval_suite.py, or with `attend eval run` and its path.

Its data folder contains questions.jsonl, one question per line: {"id": "1", "question": "...", "answer": "..."}.
"""

from pathlib import Path

from pydantic import BaseModel

from evals import Loaded, Sample, Scored, Suite, Transcript, need_folder, read_json_lines


class Row(BaseModel):
    """A line of the file."""

    id: str
    question: str
    answer: str


def load(data: Path | None, options: object) -> Loaded:
    """Read the questions; invalid lines are reported by number."""
    file = need_folder(data) / "questions.jsonl"
    rows, bad = read_json_lines(file, Row)
    samples = (Sample(row.id, prompt=(row.question,), reference=row.answer) for _, row in rows)
    return Loaded(tuple(samples), bad, files=(file,))


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Score 1 if the reply contains the answer, else 0."""
    return Scored(float(sample.reference.casefold() in transcript.answer.casefold()))


SUITE = Suite("own", "Your own questions", 1, load, score, baselines={"unsure": lambda *_: "yes and no"})
