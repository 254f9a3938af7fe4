"""Pattern detectors of personal details: one table of kinds, from which each caller selects.

`SCREEN` is what is removed from screens before they reach the disk or a remote model. `QUERY` is what is removed from
queries to public servers besides: it has too many false positives for a screen, but a query tolerates a lost word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SCREEN = frozenset("EMAIL DICOM_NAME UID MRN NAME SSN INSURANCE DATE PHONE NUMBER".split())
QUERY = frozenset("PLACE POSTCODE PART_OF_DATE ADDRESS_OR_NUMBER".split())


@dataclass(frozen=True)
class Finding:
    """A personal detail: its place in a text, and its kind, such as `MRN`."""

    start: int
    end: int
    kind: str


# A page controls much of the searched text: repetition is bounded, so that a long text does not take minutes.
_MONTH_LIKE = (
    r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|ene|abr|ago|dic"
    r"|janv|févr|avr|juin|juil|août|déc)"
)
_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|févr(?:ier)?|mar(?:ch|s|zo)?|märz|apr(?:il)?|avril|abril|mai|mayo"
    r"|june?|junio?|juin|july?|julio?|juillet|aug(?:ust)?|août|agosto|sept?(?:ember|embre)?|septiembre"
    r"|o[ck]t(?:ober|obre|ubre)?|nov(?:ember|embre|iembre)?|de[cz](?:ember)?|décembre|diciembre|enero|febrero)\.?"
)
_YEAR = r"(?:19|20)\d\d"
_START = r"(?<![\w./-])"
_NAME = r"[^\W\d_][\w'’.-]{0,60}"
TITLE = r"Mr|Mrs|Ms|Miss|Dr|Prof|Herrn?|Frau|Sra?|Mme|Mlle|Monsieur|Madame"
_HOSPITAL = (
    r"(?:Hospitals?|Clinics?|(?:Medical|Health|Cancer) Cent(?:er|re)|Infirmary|Polyclinic|Hospice|Sanatorium"
    r"|Health System|NHS(?: Foundation)? Trust|Klinik|(?:Universitäts)?[Kk]linikum|Krankenhaus|Spital)"
)
_FOREIGN_HOSPITAL = r"(?:Clínica|Hôpital|Clinique|Ospedale|Policlinico|CHU|Charité)"
_NOT_HOSPITAL = (  # "hospital-acquired", "Hospital Units", the Hospital Anxiety and Depression Scale
    r"(?![ -](?i:acquired|re-?admi|mortality|stay|admi|discharge|anxiety|infection|length|onset|based|cost|outbreak"
    r"|volume|care|survival|medicine|setting|type|bed|charge|record|unit|service|staff|department))"
)
_JOINT = r"(?:of|the|and|for|de|del|di|du|la|le|les|der|den|für|rechts|&)"
_CAPITAL = r"[A-ZÀ-ÖØ-Þ][\w.'’-]*"
_ANY_KIND = r"(?:academic|tertiary|large|small|urban|rural|public|private|local|pa?ediatric|single|teaching)\b"
_NAMES = rf"{_CAPITAL}(?:,? (?:{_JOINT} )*{_CAPITAL})*"
_WORD = r"(?!(?:with|and|or|who|the|for|in|on|by|after|during|patients?|an?|of)\b)[\w.'’-]+"
_TOWN = (
    r"(?!(?:Patients|Children|Adults|Women|Men|Cases|Participants|Individuals|People|Births|Units)\b)"
    r"[A-ZÄÖÜ][a-zäöüß]+"
)
_DETECTORS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("EMAIL", re.compile(r"[\w.+-]{1,64}\s?@\s?[\w-]+(?:\.[\w-]+)+")),
    ("DICOM_NAME", re.compile(rf"\b{_NAME}(?: {_NAME})?\s?\^\s?{_NAME}(?:[ ^]\s?{_NAME}){{0,3}}")),
    ("UID", re.compile(r"\b[0-2](?:\.(?:0|[1-9]\d*)){5,}\b")),
    (
        "MRN",
        re.compile(
            r"(?i)(?<!\w)(?:mrn|m\.r\.n\.?|medical record(?: number| no\.?| #)?|"
            r"patient[ _-]?(?:id|number|no\.?|nr\.?)|"
            r"pat[. ]?id|pid|nhs(?: number| no\.?)?|nhc|ipp|accession(?: number| no\.?| #)?|"
            r"fall(?:nummer|nr\.?)|patientennummer|"
            r"historia cl[ií]nica|case (?:number|no\.?)|id)"
            r"\s{0,3}[:#=№.-]{0,2}\s{0,3}(?P<v>(?=[\w/-]*\d)\w[\w/-]{2,})"
        ),
    ),
    (
        "NAME",
        re.compile(
            r"(?:(?i:patient(?:in)?(?: name)?|name|nom|nombre|nachname|vorname|surname|first name|last name|paciente)"
            rf"\s{{0,2}}[:=]\s{{0,3}})(?P<v>{_NAME}(?:,? {_NAME}){{0,3}})"
        ),
    ),
    (
        "NAME",
        re.compile(
            rf"\b(?:{TITLE})\b\.? "
            r"(?P<v>[A-ZÀ-ÖØ-Þ][\w'’-]+(?: [A-ZÀ-ÖØ-Þ][\w'’-]+){0,2})"
        ),
    ),
    ("NAME", re.compile(r"\b[A-ZÀ-ÖØ-Þ]{2}[A-ZÀ-ÖØ-Þ'’-]+, ?[A-ZÀ-ÖØ-Þ][\w'’-]+(?: [A-ZÀ-ÖØ-Þ]\b\.?)?")),
    ("SSN", re.compile(r"(?<![\w-])\d{3}[- ]\d{2}[- ]\d{4}(?![\w-])")),
    ("SSN", re.compile(r"(?<!\w)[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d[\dAB] ?\d{3} ?\d{3}(?: ?\d{2})?(?!\w)")),
    ("INSURANCE", re.compile(r"(?<!\w)[A-Z]\d{9}(?!\w)")),
    ("DATE", re.compile(r"(?<!\d)(?:18|19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])(?!\d)")),
    (
        "DATE",
        re.compile(r"(?<!\d)(?:0?[1-9]|[12]\d|3[01])[-/.](?:0?[1-9]|[12]\d|3[01])[-/.](?:(?:18|19|20)\d\d|\d\d)(?!\d)"),
    ),
    ("DATE", re.compile(r"(?<!\d)(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)")),
    (
        "DATE",
        re.compile(
            rf"(?i)(?<!\w)(?:\d{{1,2}}(?:st|nd|rd|th|\.)?[ -]{_MONTH_LIKE}[^\W\d]*\.?,?[ -]?\d{{2,4}}"
            rf"|{_MONTH_LIKE}[^\W\d]*\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})(?!\w)"
        ),
    ),
    ("PHONE", re.compile(r"(?<![\w.])(?:\+|00)\d{1,3}[ ./()-]{0,2}(?:\d[ ./()-]{0,2}){6,12}\d(?![\w])")),
    ("PHONE", re.compile(r"(?<![\w.])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)")),
    ("PHONE", re.compile(r"(?<![\w.])0\d{2,5}[ /-]\d{3,9}(?:[ -]\d{1,5}){0,3}(?!\w)")),
    (
        "PHONE",
        re.compile(
            r"(?i)(?<!\w)(?:tel|phone|mobile|fax|telefon|téléphone|teléfono|cell)[^\w\n]{0,4}"
            r"(?P<v>[+(]?\d[\d ()./-]{4,}\d)"
        ),
    ),
    ("NUMBER", re.compile(r"(?<![\w.,])\d{7,}(?![\w]|[.,]\d)")),
    (
        "PLACE",
        re.compile(rf"(?<![\w-]){_NAMES} (?:{_JOINT} )*{_HOSPITAL}\b{_NOT_HOSPITAL}(?:,? (?:{_JOINT} )*{_NAMES})?"),
    ),
    ("PLACE", re.compile(rf"\b(?:{_HOSPITAL}{_NOT_HOSPITAL}|{_FOREIGN_HOSPITAL}) (?:{_JOINT} )*{_NAMES}")),
    ("PLACE", re.compile(rf"(?i)\b(?:at|from)(?: the)?(?: {_WORD}){{1,4}} {_HOSPITAL}\b{_NOT_HOSPITAL}")),
    ("PLACE", re.compile(rf"(?i)\b(?:st|saint)\.? [\w'’-]+(?: [\w'’-]+){{0,2}} {_HOSPITAL}\b")),
    (
        "PLACE",
        re.compile(
            rf"(?i)\b(?!{_ANY_KIND}){_WORD} (?:general|memorial|regional|county|district|university|children['’]?s)"
            rf" {_HOSPITAL}\b{_NOT_HOSPITAL}"
        ),
    ),
    (
        "PLACE",
        re.compile(r"\b\d{1,5}\w? [A-Z][\w'’-]+(?: [A-Z][\w'’-]+)? (?:Street|Road|Avenue|Lane|Drive|St|Rd|Ave)\b\.?"),
    ),
    ("PLACE", re.compile(r"(?i)\b(?:bed|room|ward)(?: (?:no|number))?\.? ?#? ?\d+\w?\b")),
    # United Kingdom (the letters after the digit are never C, I, K, M, O, V), United States, Germany
    ("POSTCODE", re.compile(r"(?<![\w-])[A-Z]{1,2}\d[A-Z\d]? ?\d[ABD-HJLNP-UW-Z]{2}(?![\w-])")),
    ("POSTCODE", re.compile(r"(?<![\w.-])\d{5}-\d{4}(?![\w-])|(?<!\w)[A-Z]{2},? \d{5}(?![\w.,]\d|\w)")),
    (
        "POSTCODE",
        re.compile(
            r"(?i)(?<!\w)(?:zip(?: ?code)?|post(?:al)? ?code|PLZ|Postleitzahl)[ :]{1,2}(?=\w*\d)[\w-]{3,8}"
            r"(?: \d[A-Z]{2})?(?!\w)"
        ),
    ),
    ("POSTCODE", re.compile(rf"(?<![\w.-])(?:D-)?\d{{5}} {_TOWN}(?:[ -][A-ZÄÖÜ][a-zäöüß]+)?(?!\w)")),
    (
        "PART_OF_DATE",
        re.compile(
            rf"(?i){_START}\d{{1,2}}(?:st|nd|rd|th|\.)?[ -]?(?:of |de )?{_MONTH}(?!\w)(?:,?[ -]?'?\d{{2,4}}\b)?"
        ),
    ),
    ("PART_OF_DATE", re.compile(rf"(?i)(?<!\w){_MONTH} ?\d{{1,2}}(?:st|nd|rd|th)?(?![\w.])(?:,? ?\d{{4}}\b)?")),
    ("PART_OF_DATE", re.compile(rf"(?i)(?<!\w)(?:{_MONTH}|may),?(?: of)?[ -]?'?{_YEAR}\b")),
    # "may" counts as a month only in the form of a date
    (
        "PART_OF_DATE",
        re.compile(
            rf"(?i){_START}\d{{1,2}}(?:st|nd|rd|th) (?:of )?may\b|\bmay \d{{1,2}}(?:(?:st|nd|rd|th)\b|,? {_YEAR}\b)"
        ),
    ),
    (
        "PART_OF_DATE",
        re.compile(rf"{_START}\d{{1,2}} May\b|\bMay \d{{1,2}}(?![\w.]| ?(?:mg|g|ml|%|hours|days|weeks|months|years))"),
    ),
    (
        "PART_OF_DATE",
        re.compile(rf"(?<![\w/.-])(?:0?[1-9]|1[0-2])/{_YEAR}(?![\w/-])|(?<![\w/.-]){_YEAR}[-/](?:0[1-9]|1[0-2])(?!\d)"),
    ),
    (
        "PART_OF_DATE",
        re.compile(r"(?i)\b(?:born|dob|date of birth)(?: (?:in|on|the))?[ :=]{0,3}(?:\d{1,2}[./-])*\d{2,4}\b"),
    ),
    ("ADDRESS_OR_NUMBER", re.compile(r"\S*@\S*")),
    ("ADDRESS_OR_NUMBER", re.compile(r"(?<![\w.])\d{6,}(?!\w|\.\d)")),
    ("ADDRESS_OR_NUMBER", re.compile(r"(?<![\w.-])\d{2,4}(?:[ -]\d{2,4}){2,}(?![\w-])")),
)
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−", "-"))


def plain(text: str) -> str:
    """Normalise a text to the spelling the rules know: no wide letters, invisible signs, odd dashes or blanks."""
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    text = "".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in text
                   if unicodedata.category(sign) not in ("Cf", "Co", "Cn", "Cs"))  # fmt: skip
    return " ".join(text.split())


def found_in(text: str, kinds: frozenset[str] = SCREEN) -> Iterator[Finding]:
    """Yield the details of these kinds, by detector; they may overlap (see `merged`)."""
    for kind, pattern in _DETECTORS:
        if kind in kinds:
            group = "v" if "v" in pattern.groupindex else 0
            yield from (Finding(*found.span(group), kind) for found in pattern.finditer(text))


def without(text: str, kinds: frozenset[str] = QUERY) -> str:
    """Remove the details of these kinds from a plain text, one detector after another."""
    for kind, pattern in _DETECTORS:
        if kind in kinds:
            text = pattern.sub(" ", text)
    return text


def merged(found: Sequence[Finding]) -> list[Finding]:
    """Sort findings and merge those that overlap; the first one's kind applies."""
    merged: list[Finding] = []
    for finding in sorted(found, key=lambda one: (one.start, -one.end)):
        if merged and finding.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Finding(last.start, max(last.end, finding.end), last.kind)
        else:
            merged.append(finding)
    return merged


def replaced(text: str, findings: Sequence[Finding]) -> str:
    pieces, at = [], 0
    for finding in findings:
        pieces += [text[at : finding.start], f"[{finding.kind}]"]
        at = finding.end
    return "".join([*pieces, text[at:]])
