"""Rules of support: `left_out` finds context that changes the meaning of a quote, `denies` finds claims that say the
opposite of their quotes.

"Aspirin reduces mortality" occurs, word for word, in "The hypothesis that aspirin reduces mortality was rejected". Code
cannot read, but the words that invert a sentence, leave it open or state an aim are few, and the whole sentence is
searched for them. In the clause of the quote, they make it support no finding; farther away, a caution is enough. The
lists are for English, and our choice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tools.literature.retrieval.questions import stems
from tools.literature.support.quote_match import Span, quoted, sentence_of
from tools.literature.support.stance import plainly, stance
from tools.literature.types import Document
from tools.wordlists import load_words

_LISTS = load_words(__package__, "framing")

SAME, ALIKE = 0.6, 0.3
"""Minimum share of a clause's words in another that is about the same, or perhaps about the same; our choice."""
_SUPPOSED = r"(?<!support the )(?<!supports the )(?<!supported the )(?<!confirm the )(?<!confirmed the )hypothes\w+"
AIM = re.compile(
    rf"^\W*(?:\w+:\s*)?(?:in order )?to (?:determine|evaluate|assess|investigate|examine|explore|compare|test|study|"
    r"analy[sz]e|identify|find out|clarify|establish)\b|\b(?:aims?|objectives?|purpose|goal) (?:of|was|were|is|are)\b|"
    rf"\b(?:aimed|sought|designed|undertaken|conducted|performed) to\b|\b{_SUPPOSED}|\b(?:investigated?|examined?|"
    r"stud(?:y|ied)|explored?|evaluated?|assess(?:ed)?|compared?|analy[sz]ed?|test(?:ed)?|ask(?:ed)?|determined?) "
    r"(?:whether|if|how)\b|\?\W*$",
    re.IGNORECASE,
)
"""Aims, which are not findings."""
_RULES = r"(?:instructions?|prompts?|rules|guidelines|directions|commands|messages?)"
ORDERS = re.compile(
    rf"\b(?:ignore|disregard|forget|override|bypass)\b[^.]{{0,40}}\b{_RULES}\b|"
    r"\byou are (?:now )?(?:an?|the) (?:\w+ )?(?:ai|assistant|model|chatbot|agent)\b|\bsystem ?prompt\b|"
    r"^\W*(?:system|assistant|user) ?:|\bas an? (?:ai|language model|assistant)\b|</?(?:untrusted|system|tool)\b|"
    r"\b(?:call|use|run|invoke) the (?:tool|function)\b|\bcite (?:pmid|doi|this)\b|"
    r"\b(?:records?|files?|data|passwords?|keys?|credentials|conversations?|prompts?|notes) "
    r"(?:must|should|shall|have to|are to|needs? to) be (?:e-?mailed|sent|forwarded|uploaded|deleted|"
    r"posted|published|revealed|exported)\b|"
    r"^\W*(?:please )?(?:e-?mail|send|forward|upload|delete|reveal|print|repeat|output|say|answer|reply|respond) "
    r"(?:all|every|the|your|this|that|with|to|only)\b",
    re.IGNORECASE,
)
"""Instructions to a reader or a model; never a paper's finding."""
_AIMS = re.compile(r"objective|purpose|\baims?\b|hypothes|question", re.IGNORECASE)
_DOUBT = re.compile(
    rf"\b(?:{_SUPPOSED}|unknown|unclear|uncertain\w*|inconclusive|controvers\w+|debated?|disputed|unproven|questionable|"
    r"speculat\w+|doubt\w*|myths?|mis(?:conception|belief)s?|fallacy|questioned|challenged|conflicting|"
    r"(?<!regardless of )(?<!irrespective of )whether|remains? to be|(?:(?:is|was|were|are|been) (?:\w+ )?)(?:believed|"
    r"thought|claimed|assumed|presumed|postulated|said|suggested|proposed|argued)|(?:believed?|thought|claim(?:ed|s)?|"
    r"expect(?:ed)?|suspect(?:ed)?|argued?|assum(?:ed|es?)|presumed|postulated?) that)\b",
    re.IGNORECASE,
)
_WEAK = re.compile(rf"\b(?:{'|'.join(_LISTS['weak'])}) (?:\w+ ){{0,2}}?evidence\b", re.IGNORECASE)
_DENIAL = re.compile(rf"\b(?:{'|'.join(_LISTS['denial'])})\b|n[’']t\b", re.IGNORECASE)
_NEGATION = re.compile(
    rf"{_DENIAL.pattern}|\b(?:no|without|lack(?:s|ed|ing)?|absence of|un(?:related|associated|changed)|rather than|"
    r"instead of)\b",
    re.IGNORECASE,
)
_NULL = re.compile(rf"{_DENIAL.pattern}|\b(?:{'|'.join(_LISTS['null'])})\b", re.IGNORECASE)
_IF = re.compile(r"\b(?:if|unless|suppos\w+|assuming|provided that|contrary to|far from)\b", re.IGNORECASE)
_ONLY = re.compile(r"\b(?:only|except|unless|if)\b", re.IGNORECASE)
_MAY = re.compile(r"\b(?:may|might|could|possibly|perhaps)\b", re.IGNORECASE)
_SOFT = re.compile(rf"{_MAY.pattern}|\b(?:can|suggest\w*|appear\w*|seem\w*|potential\w*|likely|probabl\w+)\b", re.I)
_CLAUSE = re.compile(r";|,?\s+(?:but|whereas|while|however|although|though)\b", re.IGNORECASE)
_GOES_ON = re.compile(rf"[;,]|\s(?:{'|'.join(_LISTS['goes on'])})\b", re.IGNORECASE)
_GRANTED = re.compile(r"\s*(?:although|though|while|despite|whereas)\b[^,]*,", re.IGNORECASE)
_PART = re.compile(
    r"[,;:]|\b(?:but|whereas|while|however|although|though|and)\b|\bwith(?= no\b)|(?=\bwithout\b)", re.IGNORECASE
)
_UP = stems("increase increased higher greater rise rose raise raised elevate elevated more")
_DOWN = stems("decrease decreased reduce reduced reduction lower fall fell decline declined less fewer cut")


def left_out(claim: str, span: Span, document: Document) -> tuple[str, str]:
    """Return what the sentence of a quote says and a claim omits: a reason against its support, or a caution.

    Args:
        claim: the claim that cites the quote.
        span: of the quote in the document.
        document: the quoted document.

    Returns:
        Two texts, at least one of them empty; both if nothing is wrong.
    """
    whole = sentence_of(span, document)
    section = document.sections[span.section]
    before, after = section.text[whole.start : span.start], section.text[span.end : whole.end]
    granted = _GRANTED.match(before)
    lead = _CLAUSE.split(before[granted.end() :] if granted else before)[-1]
    tail, *rest = _GOES_ON.split(after, maxsplit=1)
    quote = quoted(span, document)
    if ORDERS.search(section.text[whole.start : whole.end]):
        return "gives instructions to its reader, which are not a finding", ""
    is_open = bool(_DOUBT.search(claim) or AIM.search(claim))
    if found := _NEGATION.search(plainly(lead)) or _IF.search(lead) or _DENIAL.search(plainly(tail)):
        return f"leaves out {_told(found)}", ""
    if not is_open:
        weak = None if _NULL.search(claim) else _WEAK.search(lead) or _WEAK.search(quote) or _WEAK.search(tail)
        if found := _DOUBT.search(lead) or _DOUBT.search(tail):
            return f"leaves out {_told(found)}", ""
        if found := _DOUBT.search(quote) or weak:
            return f"leaves open what the claim states: {_told(found)}", ""
        if AIM.search(lead) or AIM.search(quote) or _AIMS.search(section.label):
            return "is of an aim or a question, not of a finding", ""
    found = _MAY.search(f"{lead} {quote} {tail}")
    if found and not (is_open or _SOFT.search(claim)):
        return "", f"says {_told(found)}, and the claim does not"
    if _ONLY.search(tail) or any(_NEGATION.search(part) or _DOUBT.search(part) for part in (tail, *rest)):
        return "", f"goes on: “{' '.join(after.split())[:200]}”"
    return "", ""


def denies(claim: str, sentences: Sequence[str]) -> tuple[bool, bool]:
    """Return whether a claim says the opposite of the sentences it cites, and whether it possibly does.

    Each clause of the claim is compared with the clause that shares most words with it. The two are opposite if only
    one is negated, or if what rises in one falls in the other. "No difference" and "similar" both count as negations.
    """
    held = [part for sentence in sentences for part in _parts(sentence)]
    surely = perhaps = False
    for words, negated in _parts(claim):
        if len(words) < 2:
            continue
        agree = against = 0.0
        for others, other in held:
            same = negated == other and not _turned(words, others)
            share = len(_level(words) & _level(others)) / len(_level(words)) if _level(words) else 0.0
            agree, against = (max(agree, share), against) if same else (agree, max(against, share))
        if against > agree:
            surely, perhaps = surely or against >= SAME, perhaps or against >= ALIKE
    return surely, perhaps


def _parts(text: str) -> list[tuple[frozenset[str], bool]]:
    """Return the clauses of a text: words, and whether they are negated; one without a verb joins the previous."""
    found: list[tuple[frozenset[str], bool]] = []
    negated = False
    for part in _PART.split(re.sub(r"\bnon-?(?=inferior)", "not ", plainly(text))):
        if not stems(part):
            continue
        if _NULL.search(part):
            negated = True
        elif stance(part) != "unclear":
            negated = False
        found.append((stems(part), negated))
        if part.lstrip()[:7].casefold() == "without":
            negated = False
    return found


def _turned(words: frozenset[str], others: frozenset[str]) -> bool:
    ways = [(bool(one & _UP), bool(one & _DOWN)) for one in (words, others)]
    return sorted(ways) == [(False, True), (True, False)]


def _level(words: frozenset[str]) -> frozenset[str]:
    """Remove words for up and down, so that an opposite shares as many words as an agreement."""
    return words - _UP - _DOWN


def _told(found: re.Match[str]) -> str:
    return repr(" ".join(found[0].split()))
