"""What is written where: a cell of a table by its row and column, and the line at a side of others."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agent.models.embedded.model import Mind
from agent.models.embedded.rules.describe import CANNOT_TELL
from agent.models.embedded.rules.evidence import Fact
from agent.models.embedded.rules.ocr import content_words, lines, readable
from agent.models.embedded.rules.question import Question, side_of
from tools.ocr import Word

_CLOCK, _PRICE = re.compile(r"\d{1,2}[:.]\d{2}"), re.compile(r"\D?\s?\d+[.,]\d\d\s?\D{0,3}")
_ASKS_TIME = re.compile(r"\b(when|(what|which|at what) (time|hour))\b")
_ASKS_PRICE = re.compile(r"\b(price|costs?|how much)\b")
_NAME = re.compile(r"(?<![.?!] )(?<!^)\b[A-Z]\w{2,}")


def cell(mind: Mind, question: Question, facts: Sequence[Fact]) -> str | None:
    """Answer from a table that is shown: the row that the question names, and the column, by its head or its form.

    None where no table bears on the question. Where the column is there, but none of the names that are asked about, it
    says so.
    """
    asked = content_words(question.text)
    for fact in readable(facts):
        table = _rows(lines(mind, fact))
        if sum(len(row) > 1 for row in table) < 2:
            continue
        heads = [word for word in table[0] if content_words(word.text) & asked]
        named = [(row, word) for row in table[1:] for word in row if _names(word, asked)]
        if not named:
            wanted = [name for name in _NAME.findall(question.text) if content_words(name)]
            if heads and wanted:
                return f'{CANNOT_TELL} I read no "{wanted[0]}" among the words{fact.cite}.'
            continue
        row, name = named[0]
        others = [word for word in row if word is not name]
        found = _in_column(question, row, name, heads) if others else None
        if found is not None:
            return f'It says "{found.text}" beside "{name.text}"{fact.cite}.'
        if others and not question.at_large:
            return f'It says "{" ".join(word.text for word in row)}"{fact.cite}.'
    return None


def placed(mind: Mind, question: Question, facts: Sequence[Fact]) -> str | None:
    """Quote the line at the side that the question names, as the upper one of two; None where it names none."""
    side = side_of(question.text)
    if side is None:
        return None
    for fact in readable(facts):
        found = lines(mind, fact)
        if len(found) < 2:
            continue
        by_place = sorted(found, key=lambda word: _middle(word)[0 if side in ("left", "right") else 1])
        return f'It says "{by_place[0 if side in ("left", "top") else -1].text}"{fact.cite}.'
    return None


def _rows(words: Sequence[Word]) -> list[list[Word]]:
    """Words that stand on one height, from left to right; rows from the top."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: _middle(word)[1]):
        same = rows and abs(_middle(rows[-1][0])[1] - _middle(word)[1]) < _height(word) / 2
        if same:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda word: word.box.left) for row in rows]


def _names(word: Word, asked: frozenset[str]) -> bool:
    """Whether all that a cell says is in the question; numbers by themselves name nothing."""
    own = content_words(word.text)
    return bool(own) and own <= asked and any(part.isalpha() and len(part) > 2 for part in own)


def _in_column(question: Question, row: Sequence[Word], name: Word, heads: Sequence[Word]) -> Word | None:
    """The cell below a head that is not the name's own, else the one of the form that is asked for."""
    for head in heads:
        below = min(row, key=lambda word: abs(word.box.left - head.box.left))
        if below is not name:
            return below
    lower = question.text.lower()
    for asks, form in ((_ASKS_TIME, _CLOCK), (_ASKS_PRICE, _PRICE)):
        if asks.search(lower):
            return next((word for word in row if form.fullmatch(word.text.strip())), None)
    return None


def _middle(word: Word) -> tuple[float, float]:
    return (word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2


def _height(word: Word) -> float:
    return word.box.bottom - word.box.top
