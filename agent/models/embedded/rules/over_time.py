"""Questions about a whole recording that its detections answer: when something was in a half, and how many in all.

The frames of a prompt are a few of many; the tool `when_seen` searches all that were looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.models.embedded.request import Request
from agent.models.embedded.rules.qualifiers import qualifiers
from agent.models.embedded.rules.question import Question
from agent.models.embedded.rules.things import PEOPLE, Target, counted, find_targets, listed, number_word

TOOL = "when_seen"
"""`agent.perception.when_seen.NAME`."""
MOST_STRETCHES = 4
_HALF = re.compile(r"\b(left|right|top|bottom)\b")
_IN_ALL = re.compile(r"\b(in all|in total|altogether|overall|in the whole (video|recording|clip|film))\b")
_STRETCH = re.compile(r"(\[[\d:.]+\]) to (\[[\d:.]+\]): at most")
_TOTAL = re.compile(r": (\d+) in all, at most (\d+) at once")


def seen_call(
    question: Question, request: Request, tools: Sequence[dict[str, Any]], choice: str
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return a call of `when_seen` where its answer is asked for; None for other questions, and after a result."""
    tool = next((tool["function"] for tool in tools if tool["function"]["name"] == TOOL), None)
    target = _target(question)
    if tool is None or choice != "auto" or request.results or target is None:
        return None
    half = _HALF.search(question.text.lower())
    return tool, {"label": target.word, **({"zone": half[1]} if half else {})}


def seen_answer(question: Question, results: Sequence[tuple[str, str]]) -> str | None:
    """Answer from what `when_seen` returned; None where it was not called, or refused."""
    text = next((text for name, text in reversed(results) if name == TOOL), "")
    target = _target(question)
    if not text or target is None:
        return None
    name = PEOPLE if target.is_people else target.word
    half = _HALF.search(question.text.lower())
    where = f" in the {half[1]} half" if half else ""
    if "not detected" in text:
        return f"I saw no {name}{where} in what was looked at."
    stretches, total = _STRETCH.findall(text), _TOTAL.search(text)
    if question.kind == "when" and stretches:
        spans = [f"from {start} to {end}" for start, end in stretches[:MOST_STRETCHES]]
        more = len(stretches) - MOST_STRETCHES
        rest = f", and {'once' if more == 1 else f'{more} times'} more" if more > 0 else ""
        return f"I saw {counted(1, name)}{where} {listed(spans)}{rest}."
    if question.kind == "count" and total and stretches:
        most = f", at most {number_word(int(total[2]))} at once" if total[2] != total[1] else ""
        return f"In all I count {counted(int(total[1]), name, one=True)}{where}{most} {stretches[0][0]}."
    return None


def _target(question: Question) -> Target | None:
    """The one thing that is asked about over the whole recording; None where it is another question."""
    lower = question.text.lower()
    when = question.kind == "when" and _HALF.search(lower)
    if not (when or (question.kind == "count" and _IN_ALL.search(lower))):
        return None
    targets = [target for target in find_targets(question.text) if target.classes]
    if len(targets) != 1 or qualifiers(question.text, targets[0]).unknown:
        return None
    return targets[0]
