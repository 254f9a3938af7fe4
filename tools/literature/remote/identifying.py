"""What tells who a patient is and is no name: exact ages and dates, hospitals, beds, and numbers that may be records'.

This comes on top of `tools.gui.guard.phi`, for clinical questions that go to a public server. The rules know shapes and
labels; they are our choice, on the side of taking out too much, since a query bears the loss of a word.
"""

from __future__ import annotations

import re
import unicodedata

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

_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|févr(?:ier)?|mar(?:ch|s|zo)?|märz|apr(?:il)?|avril|abril|mai|mayo"
    r"|june?|junio?|juin|july?|julio?|juillet|aug(?:ust)?|août|agosto|sept?(?:ember|embre)?|septiembre"
    r"|o[ck]t(?:ober|obre|ubre)?|nov(?:ember|embre|iembre)?|de[cz](?:ember)?|décembre|diciembre|enero|febrero)\.?"
)
_YEAR = r"(?:19|20)\d\d"
_DATES = (
    re.compile(rf"(?i){_START}\d{{1,2}}(?:st|nd|rd|th|\.)?[ -]?(?:of |de )?{_MONTH}(?!\w)(?:,?[ -]?'?\d{{2,4}}\b)?"),
    re.compile(rf"(?i)(?<!\w){_MONTH} ?\d{{1,2}}(?:st|nd|rd|th)?(?![\w.])(?:,? ?\d{{4}}\b)?"),
    re.compile(rf"(?i)(?<!\w)(?:{_MONTH}|may),?(?: of)?[ -]?'?{_YEAR}\b"),
    # "may" is a month where it looks like one
    re.compile(
        rf"(?i){_START}\d{{1,2}}(?:st|nd|rd|th) (?:of )?may\b|\bmay \d{{1,2}}(?:(?:st|nd|rd|th)\b|,? {_YEAR}\b)"
    ),
    re.compile(rf"{_START}\d{{1,2}} May\b|\bMay \d{{1,2}}(?![\w.]| ?(?:mg|g|ml|%|hours|days|weeks|months|years))"),
    re.compile(rf"(?<![\w/.-])(?:0?[1-9]|1[0-2])/{_YEAR}(?![\w/-])|(?<![\w/.-]){_YEAR}[-/](?:0[1-9]|1[0-2])(?!\d)"),
    re.compile(r"(?i)\b(?:born|dob|date of birth)(?: (?:in|on|the))?[ :=]{0,3}(?:\d{1,2}[./-])*\d{2,4}\b"),
)

_HOUSE = (
    r"(?:Hospitals?|Clinics?|(?:Medical|Health|Cancer) Cent(?:er|re)|Infirmary|Polyclinic|Hospice|Sanatorium"
    r"|Health System|NHS(?: Foundation)? Trust|Klinik|(?:Universitäts)?[Kk]linikum|Krankenhaus|Spital)"
)
_FOREIGN_HOUSE = r"(?:Clínica|Hôpital|Clinique|Ospedale|Policlinico|CHU|Charité)"
_NO_HOUSE = (  # "hospital-acquired", "Hospital Units", the Hospital Anxiety and Depression Scale
    r"(?![ -](?i:acquired|re-?admi|mortality|stay|admi|discharge|anxiety|infection|length|onset|based|cost|outbreak"
    r"|volume|care|survival|medicine|setting|type|bed|charge|record|unit|service|staff|department))"
)
_JOINT = r"(?:of|the|and|for|de|del|di|du|la|le|les|der|den|für|rechts|&)"
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w.'’-]*"
_ANY_KIND = r"(?:academic|tertiary|large|small|urban|rural|public|private|local|pa?ediatric|single|teaching)\b"
_NAMES = rf"{_CAPITAL}(?:,? (?:{_JOINT} )*{_CAPITAL})*"
_WORD = r"(?!(?:with|and|or|who|the|for|in|on|by|after|during|patients?|an?|of)\b)[\w.'’-]+"
_PLACES = (
    re.compile(rf"(?<![\w-]){_NAMES} (?:{_JOINT} )*{_HOUSE}\b{_NO_HOUSE}(?:,? (?:{_JOINT} )*{_NAMES})?"),
    re.compile(rf"\b(?:{_HOUSE}{_NO_HOUSE}|{_FOREIGN_HOUSE}) (?:{_JOINT} )*{_NAMES}"),
    re.compile(rf"(?i)\b(?:at|from)(?: the)?(?: {_WORD}){{1,4}} {_HOUSE}\b{_NO_HOUSE}"),
    re.compile(rf"(?i)\b(?:st|saint)\.? [\w'’-]+(?: [\w'’-]+){{0,2}} {_HOUSE}\b"),
    re.compile(
        rf"(?i)\b(?!{_ANY_KIND}){_WORD} (?:general|memorial|regional|county|district|university|children['’]?s)"
        rf" {_HOUSE}\b{_NO_HOUSE}"
    ),
    re.compile(r"\b\d{1,5}\w? [A-Z][\w'’-]+(?: [A-Z][\w'’-]+)? (?:Street|Road|Avenue|Lane|Drive|St|Rd|Ave)\b\.?"),
    re.compile(r"(?i)\b(?:bed|room|ward)(?: (?:no|number))?\.? ?#? ?\d+\w?\b"),
)

_TOWN = (
    r"(?!(?:Patients|Children|Adults|Women|Men|Cases|Participants|Individuals|People|Births|Units)\b)"
    r"[A-ZÄÖÜ][a-zäöüß]+"
)
_POSTCODES = (
    # of the United Kingdom (the letters behind the figure are never C, I, K, M, O, V), the United States, Germany
    re.compile(r"(?<![\w-])[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}(?![\w-])"),
    re.compile(r"(?<![\w.-])\d{5}-\d{4}(?![\w-])|(?<!\w)[A-Z]{2},? \d{5}(?![\w.,]\d|\w)"),
    re.compile(
        r"(?i)(?<!\w)(?:zip(?: ?code)?|post(?:al)? ?code|PLZ|Postleitzahl)[ :]{1,2}(?=\w*\d)[\w-]{3,8}"
        r"(?: \d[A-Z]{2})?(?!\w)"
    ),
    re.compile(rf"(?<![\w.-])(?:D-)?\d{{5}} {_TOWN}(?:[ -][A-ZÄÖÜ][a-zäöüß]+)?(?!\w)"),
)

_NUMBERS = (
    re.compile(r"\S*@\S*"),
    re.compile(r"(?<![\w.])\d{6,}(?!\w|\.\d)"),
    re.compile(r"(?<![\w.-])\d{2,4}(?:[ -]\d{2,4}){2,}(?![\w-])"),
)

_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))


def plain(text: str) -> str:
    """A text in the one spelling that the rules know: no wide letters, invisible signs, or odd dashes and blanks."""
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    text = "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text
                   if unicodedata.category(sign) not in ("Cf", "Co", "Cn", "Cs"))  # fmt: skip
    return " ".join(text.split())


def with_age_bands(text: str) -> str:
    """A plain text with each exact age replaced by its band, such as `adult`."""
    for pattern in _AGES:
        text = pattern.sub(_band, text)
    return re.sub(r"\b([Aa])\s+(?=adult|infant|adolescent|older)", r"\1n ", text)


def without_places_dates_and_numbers(text: str) -> str:
    """A plain text without names of hospitals, beds, exact dates, addresses, postcodes, and bare numbers of six
    digits or more."""
    for pattern in (*_PLACES, *_POSTCODES, *_DATES, *_NUMBERS):
        text = pattern.sub(" ", text)
    return text


def _band(found: re.Match[str]) -> str:
    """The band of an age: coarser than MeSH's age groups, since a query gains little by more, and tells less."""
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
