"""Replacement of exact ages in a text by age bands: `with_age_bands`. Queries tolerate false positives."""

from __future__ import annotations

import re

_ONES = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ANY_TEN, _ANY_ONE = "|".join(_TENS), "|".join(_ONES)
_NUMBER = rf"(?P<n>\d{{1,3}}(?:[.,]\d)?|(?:{_ANY_TEN})(?:[ -](?:{_ANY_ONE}))?|{'|'.join(_TEENS)}|{_ANY_ONE})"
_UNIT = r"(?P<u>years?|yrs?|y|months?|mos?|mths?|weeks?|wks?|days?)"
_AGE = r"(?P<n>1[01]\d|\d{1,2})"
_START = r"(?<![\w./-])"
_AGES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # "46-year-old", "46 years of age", "three weeks old"; "46 yo", "46 y/o"; other languages
        rf"(?<![\d.]){_NUMBER}[ -]*{_UNIT}[ .-]*(?:old(?!er)|of age)",
        rf"{_START}{_NUMBER}[ -]*(?:y\.? ?/? ?o\b\.?|jährig\w*|jahre alt\b|ans\b|años\b)",
        # "46 year man", "46-y male"; not "5-year patient survival"
        rf"{_START}{_NUMBER}[ -]*{_UNIT}[ -]+(?=(?:man|woman|boy|girl|lady|gentleman)\b)",
        rf"{_START}{_NUMBER}[ -]*(?:y|yrs?)\.?[ -]+(?=(?:male|female|patient|m|f)\b)",
        # "aged 46", "age: 46", "age of 46 years"; not a range such as "aged 18-65"
        rf"\bage[ds]?(?: (?:of|is|at|was))?[ :=]{{0,3}}{_NUMBER}(?: ?{_UNIT})?\b(?! ?(?:-|to) ?\d)",
        # "man, 46", "woman (46 years)", "man of 46"
        rf"(?P<kept>\b(?:man|woman|boy|girl|lady|gentleman|male|female))(?: ?[,(] ?| of ){_NUMBER}"
        rf"(?: ?{_UNIT}(?: old)?)?(?:\)|\b)(?! ?(?:mg|kg|g|ml|mm|cm|%|cases|patients))",
        # "46M", "46/F", "46 f with", "M/46"; not "400m", nor the tracers "[18F]FDG" and "Tc 99m"
        rf"{_START}{_AGE}(?:/ ?)?(?P<sex>(?-i:[MF]))(?![\w/\]-]| ?(?:fdg|pet|psma|dopa|naf|fluor|label))",
        rf"{_START}{_AGE}[ /]?(?P<sex>[mf])(?=$|,| with\b| who\b| present| c/o\b| admitted\b| h/o\b)",
        rf"{_START}(?P<sex>[mf]) ?/ ?{_AGE}(?![\w/-])",
    )
)


def with_age_bands(text: str) -> str:
    """Return a plain text with each exact age replaced by its band, such as `adult`."""
    for pattern in _AGES:
        text = pattern.sub(_band, text)
    return re.sub(r"\b([Aa])\s+(?=adult|infant|adolescent|older)", r"\1n ", text)


def _band(found: re.Match[str]) -> str:
    """Return the band of an age: coarser than MeSH's age groups, since a finer one adds little and reveals more."""
    parts = found.groupdict()
    years = _years(parts["n"], (parts.get("u") or "y").lower())
    band = next((name for below, name in _BANDS if years < below), "older adult")
    kept = parts.get("kept") or {"m": "male", "f": "female"}.get((parts.get("sex") or "").lower(), "")
    return f" {band} {kept} "


_BANDS = ((2, "infant"), (13, "child"), (18, "adolescent"), (65, "adult"))


def _years(number: str, unit: str) -> float:
    if number[0].isdigit():
        value = float(number.replace(",", "."))
    else:
        words = number.lower().replace("-", " ").split()
        value = sum(
            10 * (_TENS.index(word) + 2)
            if word in _TENS
            else 10 + _TEENS.index(word)
            if word in _TEENS
            else 1 + _ONES.index(word)
            for word in words
        )
    return value / {"y": 1, "m": 12, "w": 52, "d": 365}[unit[0]]
