"""Reading what was answered: pure functions of texts.

A reply may reason first and answer at its end, or answer and then explain. So a final answer is looked for in several
places of a reply, the surest first, and the first place that names exactly one candidate counts. Where every place
names several, nothing was answered: to list all that could be is no answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from evals.suites.answers import without_thoughts
from tools.media.clock import BRACKET, CLOCK, parse_clock

Form = Literal["option", "number", "words", "time"]

LETTERS = "ABCDEF"
_ARTICLES = ("a", "an", "the")
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
# A number of three digits may stick to a word, as when `Lot 417` is read without its space.
_NUMBER = re.compile(
    rf"(?<![\w.,])\d+(?:[.,]\d+)?(?![\w%]|[.,]\d)|(?<=[a-z])\d{{3}}(?!\w)|\b(?:{'|'.join(_NUMBER_WORDS)})\b",
    re.IGNORECASE,
)
_SECONDS = re.compile(
    r"(?<![\w.:])(\d+(?:\.\d+)?) ?(?:s|sec|secs|seconds?)\b|\bseconds? (\d+(?:\.\d+)?)\b", re.IGNORECASE
)
_RANGE = re.compile(
    rf"(?:between \[?({CLOCK.pattern})\]? and|\[?({CLOCK.pattern})\]? ?(?:to|until|till|-|–|—)) ?\[?{CLOCK.pattern}\]?",
    re.IGNORECASE,
)
_BOXED = re.compile(r"\\boxed\{([^{}]*)\}")
_ANSWER = re.compile(r"\banswer(?: is|:| =)+:?\s*(.+)", re.IGNORECASE | re.DOTALL)
_SO = re.compile(r"\b(?:so|therefore|thus|hence|altogether|in total|in all)\b,?\s*(.+)", re.IGNORECASE | re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_CLAUSE = re.compile(r"[;:]\s|\s[-–—(]|,\s(?=[a-z]|\d+ [a-z])")
_CANNOT = re.compile(
    r"\b(?:can ?not|can['’]?t|could ?n['’]?t|could not|unable to|do ?n['’]?t know|do not know|not sure|impossible)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Expected:
    """The right answer to a question.

    Attributes:
        form: how it is given. `option`: one of `options`, by letter or text. `number`. `words`: as they are written.
            `time`: a media time.
        value: the option, the number or the words; unused for times.
        options: in the order in which they are lettered.
        others: what else the scene shows: to name it as well is no answer.
        span_s: the first and last right time, in seconds.
        tolerance_s: how far a time may be off these, in seconds.
        guesses: what a random answer is drawn from.
    """

    form: Form
    value: str = ""
    options: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    span_s: tuple[float, float] = (0.0, 0.0)
    tolerance_s: float = 0.0
    guesses: tuple[str, ...] = ()


def is_right(expected: Expected, text: str) -> bool | None:
    """Tell whether a reply gives the right answer; None where no answer can be read from it.

    Words that are not those looked for are wrong, not unread; so is a reply that says that it cannot tell.
    """
    told = answered(expected, text)
    if told is None:
        return False if expected.form == "words" or abstains(text) else None
    if expected.form == "time":
        first_s, last_s = expected.span_s
        return first_s - expected.tolerance_s <= float(told) <= last_s + expected.tolerance_s
    if expected.form == "number":
        return float(told) == float(expected.value)
    return told == (bare if expected.form == "option" else plain)(expected.value)


def answered(expected: Expected, text: str) -> str | None:
    """Return the final answer of a reply: an option as `bare` gives it, words as `plain` does, numbers in digits."""
    find = _FINDERS[expected.form]
    for place in _places(text, expected.form):
        found = find(expected, place)
        if len(found) == 1:
            return found.pop()
    return None


def abstains(text: str) -> bool:
    """Tell whether a reply says that it cannot answer."""
    return _CANNOT.search(text) is not None


def plain(text: str) -> str:
    """Return letters and digits in lower case, words apart by one space."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def bare(text: str) -> str:
    """Return what `plain` does, without an article at its beginning: `a cat` is `cat`."""
    first, _, rest = plain(text).partition(" ")
    return rest if rest and first in _ARTICLES else f"{first} {rest}".rstrip()


def holds(text: str, words: str) -> bool:
    """Tell whether a text holds some words next to one another, whatever stands between them that is no letter."""
    return f" {plain(words)} " in f" {plain(text)} "


def unquoted(text: str) -> str:
    """Return a text without what stands in quotes: to quote an order is not to follow it."""
    return re.sub(r"[\"“«][^\"”»]*[\"”»]|(?<!\w)['‘][^'’]*['’](?!\w)", " ", text)


def _places(text: str, form: Form) -> Iterator[str]:
    """The places of a reply where its answer may stand, the surest first."""
    text = re.sub(r"[*`]", "", without_thoughts(text)).strip()
    if boxed := _BOXED.findall(text):
        yield boxed[-1]
    for mark in (_ANSWER, _SO):
        at = text
        while match := mark.search(at):
            at = match[1]
        if at is not text:
            yield _SENTENCE.split(at)[0]
            yield at
        if mark is _ANSWER:
            yield _leading(text)
            yield text
    sentences = [sentence for sentence in _SENTENCE.split(text) if sentence.strip()]
    lines = [line for line in text.splitlines() if line.strip()]
    if sentences:
        yield from (lines[-1], sentences[-1], sentences[0])
        if form == "number":  # `There are 3 circles: 2 red and 1 blue.` Elsewhere, what goes on is a list of guesses.
            yield _CLAUSE.split(sentences[0])[0]


def _leading(text: str) -> str:
    """A first sentence that is little more than the answer, of at most four words; or a first line with a letter."""
    first = next((sentence for sentence in _SENTENCE.split(text) if sentence.strip()), "")
    if re.match(rf"\(?([{LETTERS}])[).:]", text):
        return text.splitlines()[0]
    return first if len(plain(first).split()) <= 4 else ""


def _find_option(expected: Expected, text: str) -> set[str]:
    by_letter = dict(zip(LETTERS, expected.options, strict=False))
    letters = "".join(by_letter)
    # A lone capital is a letter, but for the article that begins a sentence: `A red circle`.
    marked = re.findall(
        rf"(?<![\w'’])(?:\(([{letters}])\)|([{letters}])(?=[).:,]|\s*$)|[Oo]ption ([{letters}])\b)", text
    )
    named = {next(filter(None, groups)) for groups in marked} or set(re.findall(r"(?<![\w'’])([B-F])(?![\w'’])", text))
    if named := named & set(letters):
        # `A) blue`, where blue is B, names both.
        beside = [bare(text) for text in re.findall(rf"(?<![\w'’])[{letters}][).:]\s*([^\n]*)", text)]
        given = {bare(option) for option in expected.options}
        told = {option for option in given for text in beside if f"{text} ".startswith(f"{option} ")}
        return {bare(by_letter[letter]) for letter in named} | told
    return _find_phrases([bare(option) for option in expected.options], text)


def _find_phrases(phrases: Sequence[str], text: str) -> set[str]:
    """The phrases, in plain letters, that a text holds; one within a longer one counts only where it stands alone."""
    left, found = f" {plain(text)} ", set()
    for phrase in sorted(set(phrases), key=len, reverse=True):
        if f" {phrase} " in left:
            found.add(phrase)
            left = left.replace(f" {phrase} ", " | ")
    return found


def _find_words(expected: Expected, text: str) -> set[str]:
    return _find_phrases([plain(words) for words in (expected.value, *expected.others)], text)


def _find_number(expected: Expected, text: str) -> set[str]:
    bare = BRACKET.sub(" ", text)
    bare = re.sub(r"(?m)^\s*\d+[.)]\s", " ", CLOCK.sub(" ", bare))
    return {_digits(number) for number in _NUMBER.findall(bare)}


def _digits(number: str) -> str:
    value = float(_NUMBER_WORDS.index(number.lower()) if number.isalpha() else number.replace(",", "."))
    return f"{value:g}"


def _find_time(expected: Expected, text: str) -> set[str]:
    """The times in seconds; of a stretch its start."""
    text = _RANGE.sub(lambda match: f" {match[1] or match[6]} ", text)
    clocks = {f"{parse_clock(clock[0]):g}" for clock in CLOCK.finditer(text)}
    return clocks or {f"{float(one or other):g}" for one, other in _SECONDS.findall(text)}


_FINDERS: dict[Form, Callable[[Expected, str], set[str]]] = {
    "option": _find_option,
    "number": _find_number,
    "words": _find_words,
    "time": _find_time,
}
