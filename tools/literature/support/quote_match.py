"""Matching of quotes: whether, where, and in which sentence a document contains a quote: `find_quote`. Uses no model.

Two texts match if they differ only in white space, letter case and Unicode forms (NFKC). Nothing else is allowed: no
missing word, no ellipsis, no other order. A quote begins and ends at boundaries of words and numbers: "effective" does
not match in "ineffective", "inferior" not in "non-inferior", 5 not in 2.5, in -5, in < 5 or in 10⁵.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from tools.literature.types import Document

LEAST_WORDS = 4
"""Minimum number of words of a quote, unless it is a whole sentence: fewer support nothing."""
_END = re.compile(r"[.!?]+[)\]\"'’”]*(?=\s|$)|\n\s*\n")
_SHORT = re.compile(
    r"\b(?:vs|cf|al|e\.g|i\.e|fig|figs|ref|refs|eq|dr|prof|mr|mrs|st|approx|ca|resp|incl|spp|subsp|dept|univ|vol|pp)$",
    re.IGNORECASE,
)
_MENTION = re.compile(
    r"\b(?P<kind>doi|local)(?:\s*[:#]\s*|\s+|(?=\d))(?P<id>[^\s\[\]{}<>,;\"'“”]+)"
    r"|(?:\bpmcid\s*[:#]?\s*|\b)(?P<pmc>PMC\d+)\b|\bpmcid\s*[:#]?\s*(?P<pmcid>\d+)\b"
    r"|(?:\bhttps?://(?:dx\.)?doi\.org/|\b)(?P<doi>10\.\d{4,9}/[^\s\[\]{}<>,;\"'“”]+)"
    r"|\bepmc\s*:\s*(?P<epmc>[A-Z]{3}/[A-Z0-9.-]*[A-Z0-9])"
    r"|(?:\bhttps?://|\b)(?:[\w-]+\.)*ncbi\.nlm\.nih\.gov/(?:pubmed/)?(?:\?term=)?(?P<pubmed>\d{1,8})\b"
    r"|(?:\bhttps?://|\b)(?:www\.)?europepmc\.org/(?:article|abstract)/(?P<europe>[A-Z]{3}/[A-Z0-9-]+)",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"\b(?:(?:pmid|pubmed[ -]?(?:id(?:entifier)?|no\.?|number))(?P<many>s?)|pubmed(?=\s*[:#]|\s+\d{6}))\s*[:#]?\s*"
    r"(?P<first>\d{1,8})\b(?P<rest>(?:\s*(?:[,;/&]|,?\s*\b(?:and|or)\b)\s*\d{1,8}\b)*)",
    re.IGNORECASE,
)
"""PubMed ids in prose, single or several; after a single "PMID" only long numbers continue, as "2021" is a year."""
_LONG_NUMBER = 6
_WORD = re.compile(  # with the signs of a word or a number: hyphens, points, signs, exponents, per cent
    r"(?:[<>≤≥±]=?\s?)?(?:(?<!\w)[-−+](?=[.·]?\d))?(?:(?<!\w)[.·](?=\d))?\w+"
    r"(?:(?:[-‐‑‒–−/'’^⁻⁺]+|(?<=\d)[.,·:](?=\d)|(?<=\d)\s?×\s?(?=\d)|(?<=[^\W\d_])\.(?=[^\W\d_]))\w+)*(?:[%‰°]|[-+⁻⁺](?!\w))?"
)
_AFTER = ".:!?*_"
_UNSAFE = re.compile(r"[^\x21-\x7e]|[\[\]{}<>,;\"'%]|[.:!?*_)]\Z")
LONGEST_ID = 160
"""Maximum length of a cited id: a DOI seldom has more than 60 characters."""


class Span(BaseModel):
    """A part of a document: characters `start` to `end` of the text of its section number `section`, from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    section: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Normal:
    """A normalised text, with the first and last original character of each of its characters."""

    text: str
    first: Sequence[int]
    last: Sequence[int]


def find_quote(quote: str, document: Document) -> Span | None:
    """Return the first place of a quote in a document; None if it does not occur, or is too short to support anything.

    A quote lies in one section; the title does not count, since it supports nothing.
    """
    wanted = _normal(quote).text
    if not any(map(str.isalnum, wanted)):
        return None
    for number, section in enumerate(document.sections):
        held = _normal(section.text)
        at = held.text.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            if _is_whole(held.text, at, end):
                span = Span(section=number, start=held.first[at], end=held.last[end - 1] + 1)
                if len(wanted.split()) >= LEAST_WORDS or _is_sentence(section.text, span):
                    return span
            at = held.text.find(wanted, at + 1)
    return None


def quoted(span: Span, document: Document) -> str:
    """Return the words of a span, in the document's spelling."""
    return document.sections[span.section].text[span.start : span.end]


def sentence_of(span: Span, document: Document) -> Span:
    """Return the whole sentence, or sentences, around a span."""
    overlapping = [
        (start, end)
        for start, end in sentences(document.sections[span.section].text)
        if start < span.end and end > span.start
    ]
    start, end = (overlapping[0][0], overlapping[-1][1]) if overlapping else (span.start, span.end)
    return Span(section=span.section, start=min(start, span.start), end=max(end, span.end))


def sentences(text: str) -> list[tuple[int, int]]:
    """Return start and end of each sentence of a text, without surrounding white space, in order."""
    found: list[tuple[int, int]] = []
    start = 0
    for end in (*_ends(text), len(text)):
        first = start + len(text[start:end]) - len(text[start:end].lstrip())
        last = start + len(text[start:end].rstrip())
        if last > first:
            found.append((first, last))
        start = end
    return found


def _ends(text: str) -> Iterator[int]:
    for match in _END.finditer(text):
        if match[0].isspace():
            yield match.end()
            continue
        after = text[match.end() :].lstrip()[:1]
        # "vs. placebo": no sentence begins with a lower-case letter.
        if after.islower() or (match[0] == "." and _SHORT.search(text[max(0, match.start() - 12) : match.start()])):
            continue
        yield match.end()


def _is_sentence(text: str, span: Span) -> bool:
    inside = [(start, end) for start, end in sentences(text) if start < span.end and end > span.start]
    if not inside:
        return False
    missing = text[inside[0][0] : span.start] + text[span.end : inside[-1][1]]
    return not any(map(str.isalnum, missing))


def _is_whole(text: str, start: int, end: int) -> bool:
    """Return whether a part begins and ends at boundaries of words and numbers."""
    return not any(word.start() < edge < word.end() for word in _WORD.finditer(text) for edge in (start, end))


@lru_cache(maxsize=256)  # the sections of shown documents are searched for every quote
def _normal(text: str) -> _Normal:
    """Return a text in lower case and NFKC, with single spaces and none at its ends."""
    parts: list[str] = []
    first: list[int] = []
    last: list[int] = []
    start, raised = 0, False
    while start < len(text):
        end = start + 1
        while end < len(text) and _joins(text[end]):
            end += 1
        if raised := _is_raised(text[start]) and (raised or text[start - 1 : start].isnumeric()):
            folded = text[start:end]  # 10⁵ is not 105, and 2½ not 21/2
        else:
            folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text[start:end]).casefold())
        for sign in folded:
            if not sign.isspace():
                parts.append(sign)
            elif parts and parts[-1] != " ":
                parts.append(" ")
            else:
                continue
            first.append(start)
            last.append(end - 1)
        start = end
    if parts and parts[-1] == " ":
        parts, first, last = parts[:-1], first[:-1], last[:-1]
    return _Normal("".join(parts), array("I", first), array("I", last))  # compact, since they are cached


@dataclass(frozen=True, slots=True)
class Mention:
    """A reference to a document in a text: its place, from `start` to `end`, and its id."""

    id: str
    start: int
    end: int


def mentions(text: str) -> list[Mention]:
    """Return the references to documents in a text, in any usual form, such as `[pmid:1]`, `PMIDs 1 and 2`, `PMC1`,
    `epmc:PPR/PPR1` and URLs of PubMed, Europe PMC and doi.org."""
    found: list[Mention] = []
    for mention in sorted([*_numbered(text), *_named(text)], key=lambda one: (one.start, -one.end)):
        if not found or mention.start >= found[-1].end:
            found.append(mention)
    return found


def _numbered(text: str) -> Iterator[Mention]:
    for match in _NUMBERED.finditer(text):
        yield Mention(f"pmid:{match['first']}", match.start(), match.end("first"))
        for number in re.finditer(r"\d+", match["rest"]):
            if match["many"] or len(number[0]) >= _LONG_NUMBER:
                at = match.start("rest")
                yield Mention(f"pmid:{number[0]}", at + number.start(), at + number.end())


def _named(text: str) -> Iterator[Mention]:
    for match in _MENTION.finditer(text):
        if match["pmc"] or match["pmcid"]:
            yield Mention(f"pmcid:{(match['pmc'] or 'PMC' + match['pmcid']).upper()}", match.start(), match.end())
        elif match["pubmed"]:
            yield Mention(f"pmid:{match['pubmed']}", match.start(), match.end())
        elif own := match["epmc"] or match["europe"]:
            source, _, id_ = own.upper().partition("/")
            known = match["europe"] and source == "MED"
            yield Mention(f"pmid:{id_}" if known else f"epmc:{source}/{id_}", match.start(), match.end())
        else:
            kind, written = (match["kind"] or "doi").casefold(), match["id"] or match["doi"]
            id_ = written.rstrip(_AFTER)
            while id_.endswith(")") and id_.count(")") > id_.count("("):  # some DOIs have their own brackets
                id_ = id_[:-1].rstrip(_AFTER)
            # "the doi of a paper" and "local 5-FU" are not references.
            names = id_.startswith("10.") if kind == "doi" else bool(re.match(r"local:\S", match[0], re.I))
            if id_ and names:
                yield Mention(f"{kind}:{id_}", match.start(), match.end() - (len(written) - len(id_)))


def cite_id(id_: str) -> str:
    """Return an id in its citable form: files choose ids freely, so characters that could end a citation, or begin
    something else, are percent-encoded. Ordinary ids stay unchanged."""
    escaped = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace")), id_)
    if len(escaped) > LONGEST_ID:
        return f"{escaped[: LONGEST_ID - 17]}~{hashlib.sha256(id_.encode('utf-8', 'replace')).hexdigest()[:16]}"
    return escaped


def same_id(id_: str, cited: str) -> bool:
    """Return whether an id is the cited one; letter case is ignored."""
    wanted = cited.strip().removeprefix("[").removesuffix("]").casefold()
    return wanted in (id_.casefold(), cite_id(id_).casefold())


def _joins(sign: str) -> bool:
    """Return whether a character belongs to the one before it, such as an accent, or a part of a Korean syllable."""
    return unicodedata.category(sign)[0] == "M" or "\u1160" <= sign <= "\u11ff"


def _is_raised(sign: str) -> bool:
    """Return whether a character is an exponent, an index or a fraction."""
    return unicodedata.decomposition(sign).split(" ", 1)[0] in ("<super>", "<sub>", "<fraction>")
