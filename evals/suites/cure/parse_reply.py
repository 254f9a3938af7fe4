"""Parser of replies: five ranked diagnoses, or the letter of an option, each with the papers that it cites.

An unreadable reply is reported as such, and never becomes an answer: no letter is taken from prose such as "A severe
infection", and no default replaces a missing one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from agent.models.structured import read_json
from evals.suites.answers import without_thoughts
from evals.suites.cure.names import words

RANKED = 5
"""Number of diagnoses of an open-ended answer, as in DiagnosisArena, the same group's earlier benchmark."""
_MARKS = re.compile(r"[*_`]+")
_GIVES_UP = re.compile(r"\W*(?:i\s+)?abstain\W*", re.IGNORECASE)
_ALONE = re.compile(r"(?:option\s+)?[\[(]?([A-E])[\])]?[.:]?", re.IGNORECASE)
_LEADING = re.compile(r"^[ \t]*(?:[\[(]([A-E])[\])]|([A-E])(?=[.):]|[ \t]+[-–—]\s))", re.MULTILINE)
_STATED = re.compile(r"\b(?i:answer|option|choice)\b(?i:\s+is|\s+would\s+be)?\s*[:=]?\s*[\[(]?([A-E])(?![\w'’-])")
_MORE = re.compile(r"\s*[\])]*\s*(?:,\s*)?(?i:or|and|nor|/)\b")
_GOES_ON = re.compile(r"(?i:because|since|as|for|which|given)\b")
_LINE = re.compile(r"^\s*(\d+)[.)]\s+(.*\S)\s*$", re.MULTILINE)
_CITED = re.compile(r"\s*\[(\d+(?:\s*,\s*\d+)*)\]")

Paper = Annotated[int | str, Field(union_mode="left_to_right")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Unreadable(ValueError):
    """A reply without a readable answer; says why."""


class Named(BaseModel):
    """A diagnosis, and the papers that are said to support it, by number or id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Text
    papers: tuple[Paper, ...] = ()


class Ranked(BaseModel):
    """The form of an open-ended answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    diagnoses: tuple[Named, ...] = Field(min_length=RANKED, max_length=RANKED)
    why: str = ""


class Chosen(BaseModel):
    """The form of a choice."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    choice: Text
    papers: tuple[Paper, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class ParsedReply:
    """The content of a reply.

    Attributes:
        diagnoses: five, the likeliest first; one for a choice; none if the model abstains.
        choice: the letter of the option.
        why: in its words.
    """

    diagnoses: tuple[Named, ...] = ()
    choice: str | None = None
    why: str = ""

    @property
    def abstained(self) -> bool:
        """Whether the model explicitly named nothing."""
        return not self.diagnoses


def read_ranked(reply: str) -> ParsedReply:
    """Parse five diagnoses: a JSON object (see `Ranked`), or lines numbered 1 to 5 with papers as `[1, 2]`.

    Raises:
        Unreadable: if there are not exactly five, two are the same, or it is neither.
    """
    text = _plain(reply)
    if "{" not in text:
        if _GIVES_UP.fullmatch(text):
            return ParsedReply()
        said = Ranked(diagnoses=_numbered(text))
    else:
        held = _object(text)
        if held.get("abstain") is True:
            return ParsedReply(why=str(held.get("why", "")))
        said = _checked(Ranked, held)
    known = [words(one.name) for one in said.diagnoses]
    if len(set(known)) < RANKED or () in known:
        raise Unreadable("two of the diagnoses are the same, or one has no words")
    return ParsedReply(said.diagnoses, why=said.why)


def _numbered(text: str) -> tuple[Named, ...]:
    lines = _LINE.findall(text)
    if [number for number, _ in lines] != [str(number) for number in range(1, RANKED + 1)]:
        raise Unreadable(f"there are {len(lines)} numbered lines, not {RANKED} from 1 on")
    named = []
    for _, line in lines:
        papers = [int(number) for cited in _CITED.findall(line) for number in cited.split(",")]
        name = _CITED.sub("", line).strip().rstrip(".;,")
        if not words(name):
            raise Unreadable("a numbered line names nothing")
        named.append(Named(name=name, papers=tuple(papers)))
    return tuple(named)


def read_choice(reply: str, options: Mapping[str, str]) -> ParsedReply:
    """Parse the choice of an option: a JSON object (see `Chosen`), or an unambiguous letter.

    Raises:
        Unreadable: if it chooses none, or several.
    """
    text = _plain(reply)
    if "{" in text:
        said = _checked(Chosen, _object(text))
        if _GIVES_UP.fullmatch(said.choice):
            return ParsedReply(why=said.why)
        letter = letter_of(said.choice, options)
        return ParsedReply((Named(name=options[letter], papers=said.papers),), letter, said.why)
    if _GIVES_UP.fullmatch(text):
        return ParsedReply()
    letter = letter_of(text, options)
    papers = [int(number) for cited in _CITED.findall(text) for number in cited.split(",")]
    return ParsedReply((Named(name=options[letter], papers=tuple(papers)),), letter)


def letter_of(text: str, options: Mapping[str, str]) -> str:
    """Return the letter of the option that a text names: an isolated letter, one marked at the beginning of a line or
    called the answer; or the option's words, by themselves.

    Raises:
        Unreadable: if there is none, or several, for example if all options are repeated.
    """
    if alone := _ALONE.fullmatch(text):
        return _known({alone[1].upper()}, options)
    found = {one or other for one, other in _LEADING.findall(text)}
    stated = [match for match in _STATED.finditer(text) if not _is_prose(text[match.end() :], match[1], options)]
    found |= {match[1] for match in stated}
    if found:
        several = any(_MORE.match(text[match.end() :]) for match in stated)
        return _known(found if not several else set(), options)
    said = words(_CITED.sub("", text))
    return _known({letter for letter, option in options.items() if words(option) == said}, options)


def _is_prose(rest: str, letter: str, options: Mapping[str, str]) -> bool:
    """Return whether a letter continues in words other than its option's, like the article in "the answer is A
    severe"."""
    rest = rest.lstrip(")] \t")
    if not rest[:1].isalnum() or _GOES_ON.match(rest) or _MORE.match(" " + rest):
        return False
    option = words(options.get(letter, ""))
    return not option or words(rest)[: len(option)] != option


def _known(letters: set[str], options: Mapping[str, str]) -> str:
    if len(letters) != 1 or not letters <= options.keys():
        raise Unreadable(f"it chooses none of the options {', '.join(options)}, or several")
    return letters.pop()


def _plain(reply: str) -> str:
    return _MARKS.sub("", without_thoughts(reply)).strip()


def _object(text: str) -> dict[str, Any]:
    try:
        return read_json(text)
    except ValueError as error:
        raise Unreadable(str(error)) from error


def _checked(form: type[Any], held: Mapping[str, Any]) -> Any:
    try:
        return form.model_validate(held)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Unreadable(f"{where or 'the object'}: {first['msg']}") from error


def cited_ids(papers: Sequence[int | str], numbers: Mapping[int, str]) -> tuple[tuple[str, ...], int]:
    """Return the ids of cited papers that were shown, each once, and the number of citations of papers never shown.

    Args:
        papers: numbers, or ids such as `pmid:1` or `1`.
        numbers: the ids of the shown papers, by their numbers.
    """
    named = {name: id_ for id_ in numbers.values() for name in (id_, id_.partition(":")[2])}
    named |= {str(number): id_ for number, id_ in numbers.items()}
    found = [named.get(str(paper).strip().strip("[]").casefold()) for paper in papers]
    return tuple(dict.fromkeys(id_ for id_ in found if id_ is not None)), found.count(None)
