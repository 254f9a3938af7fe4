"""Answer extraction from replies, as pure functions of texts.

A reply may reason first and answer at its end, or answer and then explain. So a final answer is searched in several
places of a reply, the most reliable first, and the first place that names exactly one candidate counts. If every place
names several, there is no answer: listing all candidates is not an answer.
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
# A number of three digits may be attached to a word, as when `Lot 417` is read without its space.
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
        form: its form. `option`: one of `options`, by letter or text. `number`. `words`: as they are written. `time`: a
            media time.
        value: the option, the number or the words; unused for times.
        options: in the order of their letters.
        others: other things in the scene: naming them as well is not an answer.
        span_s: the first and last right time, in seconds.
        tolerance_s: accepted deviation from these times, in seconds.
        guesses: the pool of random answers.
    """

    form: Form
    value: str = ""
    options: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    span_s: tuple[float, float] = (0.0, 0.0)
    tolerance_s: float = 0.0
    guesses: tuple[str, ...] = ()


def is_right(expected: Expected, text: str) -> bool | None:
    """Return whether a reply gives the right answer; None if it contains no readable answer.

    Other words are wrong, not unread; so is a reply that says that it cannot tell.
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
    """Return the final answer of a reply: an option as `bare` returns it, words as `plain` does, numbers in digits."""
    find = _FINDERS[expected.form]
    for place in _places(text, expected.form):
        found = find(expected, place)
        if len(found) == 1:
            return found.pop()
    return None


def abstains(text: str) -> bool:
    """Return whether a reply says that it cannot answer."""
    return _CANNOT.search(text) is not None


def plain(text: str) -> str:
    """Return letters and digits in lower case, words separated by one space."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def bare(text: str) -> str:
    """Return what `plain` does, without a leading article: `a cat` is `cat`."""
    first, _, rest = plain(text).partition(" ")
    return rest if rest and first in _ARTICLES else f"{first} {rest}".rstrip()


def holds(text: str, words: str) -> bool:
    """Return whether a text contains some words in sequence, whatever non-letters are between them."""
    return f" {plain(words)} " in f" {plain(text)} "


def unquoted(text: str) -> str:
    """Return a text without its quotations: quoting an order is not following it."""
    return re.sub(r"[\"“«][^\"”»]*[\"”»]|(?<!\w)['‘][^'’]*['’](?!\w)", " ", text)


def _places(text: str, form: Form) -> Iterator[str]:
    """Yield the places of a reply that may contain its answer, the most reliable first."""
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
        # `There are 3 circles: 2 red and 1 blue.` Elsewhere, what follows a colon is a list of guesses.
        if form == "number":
            yield _CLAUSE.split(sentences[0])[0]


def _leading(text: str) -> str:
    """Return a first sentence that is little more than the answer, of at most four words; or a first line with a
    letter."""
    first = next((sentence for sentence in _SENTENCE.split(text) if sentence.strip()), "")
    if re.match(rf"\(?([{LETTERS}])[).:]", text):
        return text.splitlines()[0]
    return first if len(plain(first).split()) <= 4 else ""


def _find_option(expected: Expected, text: str) -> set[str]:
    by_letter = dict(zip(LETTERS, expected.options, strict=False))
    letters = "".join(by_letter)
    # An isolated capital is a letter, except for the article that begins a sentence: `A red circle`.
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
    """Return the phrases, in plain letters, that a text contains; one within a longer one counts only by itself."""
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
    """Return the times in seconds; of a range its start."""
    text = _RANGE.sub(lambda match: f" {match[1] or match[6]} ", text)
    clocks = {f"{parse_clock(clock[0]):g}" for clock in CLOCK.finditer(text)}
    return clocks or {f"{float(one or other):g}" for one, other in _SECONDS.findall(text)}


_FINDERS: dict[Form, Callable[[Expected, str], set[str]]] = {
    "option": _find_option,
    "number": _find_number,
    "words": _find_words,
    "time": _find_time,
}
