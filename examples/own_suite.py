"""A suite of one's own, which eval_suite.py runs, and `attend eval run` by its path.

Its data folder holds questions.jsonl, a line each: {"id": "1", "question": "...", "answer": "..."}.
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
    """Read the questions; broken lines are reported with their number."""
    file = need_folder(data) / "questions.jsonl"
    rows, bad = read_json_lines(file, Row)
    samples = (Sample(row.id, prompt=(row.question,), reference=row.answer) for _, row in rows)
    return Loaded(tuple(samples), bad, files=(file,))


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Right where the reply holds the answer."""
    return Scored(float(sample.reference.casefold() in transcript.answer.casefold()))


SUITE = Suite("own", "Questions of one's own", 1, load, score, baselines={"unsure": lambda *_: "yes and no"})
