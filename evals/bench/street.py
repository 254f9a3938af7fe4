"""How well the default model answers ordinary questions about real clips and pictures.

    python -m evals.bench.street --media FOLDER [--questions tune|held|fresh] [--model SPEC] [--answers FILE]
                                 [--json FILE]

`street_set/README.md` says which packages carry the media and how to get them. The questions were written by people who
had seen the media and nothing else. Those of `tune.yaml` were looked at while rules were written. Those of `held.yaml`,
and those of `fresh.yaml`, which another person wrote later, are about other clips and pictures and were not. An answer
is right where it has one of the expected stems and none of the wrong ones; an answer that says it cannot tell counts as
neither, except where that is the right one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import yaml

from agent import Answered, Needs, load_config, open_assistant
from tools.media.clock import cited_times

Grade = Literal["right", "wrong", "abstained", "other"]
"""`other`: an answer with neither an expected stem nor a wrong one; it is counted with the wrong ones."""
_STAMP = re.compile(r"\[?\b\d+:\d\d(?::\d\d)?\b\]?")
_ABSTAINS = re.compile(r"\b(can't|cannot|can not|couldn't) (tell|say|see|read|recogni[sz]e|identify|make out|answer)\b|"
                       r"\bonly (understand|answer)|\bnot sure\b|\bi don't know\b")  # fmt: skip


@dataclass(frozen=True)
class Graded:
    """A question with its answer: what was asked of which source, and how the answer was graded."""

    id: int
    source: str
    kind: str
    question: str
    truth: str
    answer: str
    grade: Grade
    seconds: float


def main() -> None:
    """Ask, grade, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, required=True, help="folder of the clips and pictures")
    parser.add_argument("--questions", choices=("tune", "held", "fresh"), default="held", help="which of the sets")
    parser.add_argument("--model", help="the default is the embedded model")
    parser.add_argument("--source", help="only questions about this file")
    parser.add_argument("--answers", type=Path, help="write each answer with its grade here, as JSON lines")
    parser.add_argument("--json", type=Path, help="write the counts here")
    given = parser.parse_args()
    questions = yaml.safe_load((files("evals.bench") / "street_set" / f"{given.questions}.yaml").read_text("utf-8"))
    if given.source:
        questions = [question for question in questions if question["source"] == given.source]
        if not questions:
            parser.error(f"no question of the set {given.questions!r} is about {given.source!r}")
    graded = asyncio.run(ask_all(questions, given.media, given.model))
    report(graded)
    if given.answers:
        given.answers.write_text("".join(f"{json.dumps(asdict(one), ensure_ascii=False)}\n" for one in graded), "utf-8")
    if given.json:
        given.json.write_text(json.dumps(rates(graded), indent=1) + "\n", "utf-8")


async def ask_all(questions: list[dict[str, Any]], media: Path, model: str | None) -> list[Graded]:
    """Ask each question in a conversation of its own; a source is opened once."""
    by_source: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for question in questions:
        by_source[question["source"]].append(question)
    graded = []
    for source, asked in by_source.items():
        with tempfile.TemporaryDirectory() as folder:
            config = load_config({"model": model, "folder": folder})
            async with open_assistant(str(media / source), config) as assistant:
                await assistant.watch()
                for question in asked:
                    began = time.monotonic()
                    text = ""
                    fresh = replace(assistant, thread=f"question-{question['id']}")
                    async for event in fresh.ask(question["question"]):
                        if isinstance(event, Answered):
                            text = event.answer.text
                        elif isinstance(event, Needs):
                            text = event.request.request
                    seconds = round(time.monotonic() - began, 2)
                    fields = {name: question[name] for name in ("id", "source", "kind", "question", "truth")}
                    graded.append(Graded(**fields, answer=text, grade=grade(question, text), seconds=seconds))
    return graded


def grade(question: dict[str, Any], answer: str) -> Grade:
    """Grade an answer by the question's `right` and `wrong` stems, and its `times`."""
    text = answer.lower().replace("’", "'")
    plain = _STAMP.sub(" ", text)
    if any(_contains(plain, entry) for entry in question.get("wrong", [])):
        return "wrong"
    right = any(_contains(plain, entry) or _contains(text, entry) for entry in question["right"])
    abstained = bool(_ABSTAINS.search(plain)) or not plain.strip()
    if abstained and not right:
        return "abstained"
    if windows := question.get("times"):
        if abstained:
            return "abstained"
        cited = cited_times(answer)
        if cited:
            return "right" if any(start_s <= cited[0] <= end_s for start_s, end_s in windows) else "wrong"
        right = False
    if right:
        return "right"
    return "other"


def _contains(text: str, entry: str) -> bool:
    """Whether a text contains an entry: parts joined by `&`, each where a word begins; `^yes`, `^no` at its start."""
    for part in map(str.strip, entry.split("&")):
        if part.startswith("^"):
            if not re.match(rf"\W*(i (think|believe) )?{re.escape(part[1:])}\b", text):
                return False
        elif part.isascii():
            if not re.search(rf"(?<!\w){re.escape(part)}", text):
                return False
        elif part not in text:
            return False
    return True


def rates(graded: list[Graded]) -> dict[str, dict[str, float]]:
    """Return, by kind and over all, how many were asked, and the shares of right, wrong and abstaining answers."""
    by_kind: dict[str, Counter[str]] = defaultdict(Counter)
    for one in graded:
        for kind in (one.kind, "all"):
            by_kind[kind][one.grade] += 1
    return {kind: _shares(by_kind[kind]) for kind in sorted(by_kind)}


def _shares(found: Counter[str]) -> dict[str, float]:
    n = found.total()
    wrong = found["wrong"] + found["other"]
    return {"n": n, "right": found["right"] / n, "wrong": wrong / n, "none": found["abstained"] / n}


def report(graded: list[Graded]) -> None:
    """Print the grades by kind as shares."""
    print(f"{'kind':12} {'n':>4} {'right':>6} {'wrong':>6} {'none':>6}")
    for kind, found in rates(graded).items():
        print(f"{kind:12} {found['n']:4} {found['right']:6.2f} {found['wrong']:6.2f} {found['none']:6.2f}")
    print(f"slowest answer {max((one.seconds for one in graded), default=0.0):.1f} s")


if __name__ == "__main__":
    main()
