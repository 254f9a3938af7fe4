"""Stance of a concluding sentence on a yes-no question, by its words: `stance`.

A rule of few words, for answers without a language model: more often right than wrong, and "unclear" in doubt. It shows
that documents may disagree; it decides nothing.
"""

from __future__ import annotations

import re
from typing import Literal

from tools.wordlists import load_words

_LISTS = load_words(__package__, "stance")

Stance = Literal["yes", "no", "unclear"]

_NO = re.compile(rf"\b(?:{'|'.join(_LISTS['no'])})", re.IGNORECASE)
_YES = re.compile(
    r"\b(?:(?:is|are|was|were|be|been|being|significantly|strongly|independently|positively|inversely|closely) "
    r"(?:\w+ ){0,2}?(?:associated|related|correlated|linked|effective|safe|useful|feasible|superior|reliable|valid|"
    r"accurate|beneficial|predictive|necessary|recommended|justified|important|higher|lower|better|worse|increased|"
    r"decreased|reduced|improved|common|possible)|"
    r"(?:increase|decrease|reduce|improve|prevent|predict|affect|influence|enhance|promote|cause|contribute|support|"
    r"confirm|demonstrate|lead|result|correlate|play|allow|provide|offer|protect|impair|facilitate|benefit|"
    r"differ)(?:s|ed|d)?\b|"
    r"(?:associat|correlat)ion (?:\w+ ){0,1}?(?:between|of|with)|"
    r"(?:a|an) (?:\w+[ -]){0,3}?(?:predictor|risk factor|alternative|tool|marker|method|option|role|benefit|effect|"
    r"impact|cause|increase|reduction)|should be|evidence (?:that|for|of)|can be)",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(
    r"\bnot (?:only|just|merely|(?:un|in)(?:common|usual|likely|safe|frequent|reasonable|effective))\b|"
    r"\bnot least\b|\bno doubt\b",
    re.IGNORECASE,
)
_NO_WORSE = re.compile(r"\b(?:not |non-?)inferior(?:ity)?\b", re.IGNORECASE)
_OPEN = re.compile(rf"\b(?:{'|'.join(_LISTS['open'])})\b", re.IGNORECASE)


def stance(sentence: str) -> Stance:
    """Return `yes` for a sentence that reports a finding, `no` for one that reports none, else `unclear`."""
    main = _NO_WORSE.sub(" ", plainly(_after_concession(sentence)))
    denied, stated, left_open = _NO.search(main), _YES.search(main), _OPEN.search(main)
    if left_open and not (denied or stated):
        return "unclear"
    if denied:
        return "no"
    return "yes" if stated and not left_open else "unclear"


def plainly(sentence: str) -> str:
    """Remove words that only look like a negation, as in "not only" and "not uncommon"."""
    return _NO_DENIAL.sub(" ", sentence)


def _after_concession(sentence: str) -> str:
    """Return a sentence without its concession: B of "Although A, B", but both of "A, but B"."""
    granted = re.match(r"\s*(?:although|though|while|despite|even though|whereas)\b[^,]*,\s*(?=\S)", sentence, re.I)
    return sentence[granted.end() :] if granted else sentence


_WAYS = {
    "up": r"increas\w+|rais\w+|elevat\w+|higher|greater|more|rise[sn]?|rose|promot\w+|enhanc\w+",
    "down": r"reduc\w+|decreas\w+|lower\w*|declin\w+|fewer|less|fell|falls?|prevent\w*|protect\w*|diminish\w*",
    "better": r"improv\w+|benefi\w+|better|help\w*|reliev\w+",
    "worse": r"worsen\w*|worse|aggravat\w+|exacerbat\w+|deteriorat\w+|harm\w*|impair\w*",
}
_TURNED = {"up": "down", "down": "up", "better": "worse", "worse": "better"}
_PARTS = re.compile(r"[,;:]|\b(?:but|whereas|while|however|although|though|and)\b", re.IGNORECASE)


def stance_to(question: str, sentence: str, says: Stance) -> Stance:
    """Return the stance of a sentence with a yes or no of its own to the direction of a question.

    "X increased bleeding" reports a finding, and is a no to "Does X reduce bleeding?". Whether less of
    something is better, code does not know: a question for better or worse and a sentence with more or less is unclear.
    """
    asked = _ways(question)
    if says == "unclear" or len(asked) != 1:
        return says
    words = _words(question)
    closest = max(
        _PARTS.split(_after_concession(sentence)), key=lambda part: len(words & _words(part)) if _ways(part) else -1
    )
    (way,), held = asked, _ways(closest)
    if way in held or not held:
        return says
    if _TURNED[way] in held:
        return "no" if says == "yes" else "unclear"
    # Less of a disease is often better, so "improve" agrees with "reduce" and with "prevent".
    return "unclear" if way == "worse" or "worse" in held else says


def _ways(text: str) -> frozenset[str]:
    return frozenset(way for way, words in _WAYS.items() if re.search(rf"\b(?:{words})\b", text, re.IGNORECASE))


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[^\W_]{4,}", text.casefold()))
