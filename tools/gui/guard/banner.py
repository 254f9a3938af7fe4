"""Detection of a second patient in a banner, or of the expected values in another role.

A banner has more than three fields. Values labelled as something else (a case, a ward, a telephone, an admission, a
doctor) name no second patient; unlabelled values in the form of a birth date, of the ID or of a name do. In doubt, the
banner counts as naming two, so that a person has to look. Not detected: a second name without a comma or caret, and
without a date or number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date

Span = tuple[int, int]

NEAR_DIGITS = 5
"""From this many digits on, a number that is one digit longer or shorter also has the form of the ID."""
LONG_DIGITS = 4
"""Minimum digits of a number that may not precede the ID without a label."""
UNIT_DIGITS = 3
"""Maximum digits of a number that a following unit or sex makes a measure or an age."""

_MARKS = str.maketrans({**dict.fromkeys("’‘ʼ´`′＇", "'"), **dict.fromkeys("‐‑−﹣－", "-")})
_MONTHS = (
    "jan ene",
    "feb fév fev",
    "mar mär mrz",
    "apr avr abr",
    "may mai mag mei",
    "jun juin giu",
    "jul juil lug",
    "aug août ago aoû",
    "sep set",
    "oct okt ott",
    "nov",
    "dec dez déc dic",
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_MONTH = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_DATE = re.compile(
    rf"""(?<![\w.])(?:[^\W\d_]{{5,10}},)?(?:
      (?P<y1>\d{{4}})[-/.](?P<m1>\d\d?)[-/.](?P<d1>\d\d?)
    | (?P<a>\d\d?)[-/.]\s?(?P<b>\d\d?)[-/.]\s?(?P<y2>\d{{4}})
    | (?P<a3>\d\d)[-/.](?P<b3>\d\d)[-/.](?P<y3>\d\d)
    | (?P<d4>\d\d?)(?:st|nd|rd|th|\.)?[ -]?(?:de[ ])?(?P<m4>{_MONTH})[^\W\d_]*[.,]?[ -]?(?:de[ ])?
      (?P<y4>\d{{4}}|(?<=-)\d\d)
    | (?P<m5>{_MONTH})[^\W\d_]*\.?[ ](?P<d5>\d\d?)(?:st|nd|rd|th)?,?[ ]?(?P<y5>\d{{4}})
    )(?![\w]|[-/.]\d)""",
    re.VERBOSE,
)
_COMPACT = re.compile(r"(?<![\w.\-/])(?P<y>(?:18|19|20)\d\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])(?![\w\-/])")

# Values after one of these are not birth dates or patient numbers.
_DATED = (
    r"admi\w*|adm|aufn\w*|aufgenommen|eintritt\w*|ingres\w*|entr[ée]e|hospitali[sz]\w*|opname\w*|ricover\w*"
    r"|enc|discharged?|entl\w*|austritt\w*|sortie|alta|visit\w*|besuch\w*|encounter\w*|appointment|termin|seen|study\w*"
    r"|series\w*|exam\w*|untersuchung\w*|today|heute|hoy|aujourd'hui|now|printed|gedruckt|updated|stand|since|seit"
    r"|until|bis|from|vom|surgery|op|collected|reviewed|expires|valid|gültig|acquisition\w*|content\w*"
)
_CASED = (
    r"case|cases?id|fall|fallnr|fallnummer|fall-nr|encounter\w*|enc|visit\w*|csn|fin|har|account|acct|konto|accession\w*"
    r"|aufnahmenummer|episode|episodio|séjour|iep"
)
_PLACED = (
    r"ward|station|unit|bed|bett|room|rm|zimmer|zi|cama|lit|chambre|habitación|floor|insurance|ins|policy"
    r"|versicherung\w*|vers\.-nr|kasse|kvnr|order|auftrag\w*|request|req|zip|plz|age|alter|edad|weight|wt|height|ht"
    r"|gewicht|größe|bmi"
)
_CALLED = r"tel|phone|telefon\w*|téléphone|teléfono|mobil\w*|cell|fax|pager|ext"
_NUMBERED = r"(?:\W{0,3}(?:no|nr|num|number|nummer|n°|nº|id|#))?\W{0,4}"
_DATED_BEFORE = re.compile(
    rf"(?<!\w)(?:{_DATED})(?:\W{{0,3}}(?:date|datum|day|on|am|le|el|il|op|the|time|fecha|tag|reviewed|der|den))*\W{{0,4}}$"
)
_CASE_VALUE = re.compile(rf"(?<![\w-])(?:{_CASED}){_NUMBERED}(?P<v>(?=[\w./-]*\d)\w[\w./-]*)")
_PLACE_VALUE = re.compile(
    rf"(?<![\w-])(?:(?:{_PLACED}){_NUMBERED}(?P<v>(?=[\w./-]*\d)\w[\w./-]*)"
    rf"|(?:{_CALLED})[^\w+(]{{0,4}}(?P<w>[+(]{{0,2}}\d[\d./()-]*(?: [\d/()-]{{1,6}}(?!\w))*))"
)
_UNIT_AFTER = re.compile(
    r"\s?(?:y|yr|yrs|yo|years?|j|jahre?|a|ans?|años?|mo|mths?|months?|monate?|d|days?|tage?|w|weeks?|m|f|w|kg|g|lbs?|cm"
    r"|mm|in|ml|l|mg|%|°c?|bpm|mmhg|new|alerts?)(?!\w)"
)

_WORD = r"A[Aa'-]*"
_NAME_COMMA = re.compile(
    rf"(?<![Aa\d'^-])(?:(?:a{{1,3}} ){{0,2}}{_WORD} )?(?P<family>{_WORD}),(?P<given>{_WORD})(?![\w'^]|\.? ?:)"
)
_NAME_CARET = re.compile(r"(?<![Aa\d'.-])[Aa][Aa'.-]*\^[Aa][Aa'.-]*")
# Lists and staff; values after them are not patient names.
_LISTED = re.compile(
    r"(?<!\w)(?:allerg\w*|alerg\w*|cave|intoleran\w*|diagnos\w*|dx|problems?|meds|medications?|medikation|diet|precautions?"
    r"|isolation|language|address|adresse|anschrift|dirección|hospital|klinik|clinic|institution\w*|department|abteilung"
    r"|ward|station|unit|location|dr|prof|attending|provider|pcp|physicians?|performing\w*|doctor|nurse|resident"
    r"|consultant|surgeon|gp|arzt|ärztin|oberarzt|hausarzt|behandler|médecin|médico|medico|huisarts|referr\w*"
    r"|user|logged in as|signed in as|angemeldet|benutzer|author|nok|next of kin|contact|mother|father|guardian|spouse"
    r"|mutter|vater|madre|padre|mère|père|insurance|payer|kasse|versicherung|status|religion|sprache)(?!\w)"
    r"(?:[.:(\s]|\bphysician\b|\bname\b)*"
)
_LIST = re.compile(r"[\w'.-]+(?: [\w'.-]+){0,3}(?:,[\w'.-]+(?: (?!\d)[\w'.-]+)?)*")
_NO_NAMES = frozenset(
    """
    md rn do np pa phd dds msc bsc facs dr prof mr mrs ms herr frau female male woman man m f w d x weiblich männlich
    divers mujer hombre femme homme divorced single married verheiratet ledig inpatient outpatient mrn id pid dob born
    geb geboren sex gender geschlecht age alter edad name patient ward station bed room bett zimmer admitted admission
    aufnahme tel phone visit case fall allergies allergien height weight status code full insurance kasse
    """.split()
)
"""Words beside a comma that are not names."""
_NOT_THIS_ONE = re.compile(
    r"(?:(?<!\w)(?:mother|father|mom|mum|dad|parent|guardian|spouse|husband|wife|sibling|sister|brother|twin|contact|nok"
    r"|next of kin|mutter|vater|ehefrau|ehemann|madre|padre|mère|père|moeder|vader)(?:'s)?(?: name)?\s?[:=(]\s?"
    r"|(?<!\w)(?:recent\w*|previous\w*|last\w*|prior|formerly|next|zuletzt|vorige\w*|nächste\w*|anterior|récent\w*"
    r"|précédent\w*)(?: patients?| patientin| paciente)?\s?[:=(]\s?"
    r"|(?<!\w)(?:mother|baby|son|daughter|child|twin|boy|girl|sohn|tochter|kind) (?:of|von) "
    r"|(?<!\w)(?:not|nicht|no es|n'est pas) )$"
)


def plain(text: str) -> str:
    """Normalise a text to NFKC, lower case and single spaces, without spaces beside commas and carets.

    All apostrophes are equal, and so are all hyphens, since keyboards do not distinguish them.
    """
    return _even(text).casefold()


def names_another(text: str, birth_date: str, number: str, name: str) -> tuple[str, str]:
    """Return what in a banner is, or may be, somebody else's: its form, and its words; "" twice if nothing is.

    Args:
        text: the banner as read.
        birth_date: expected, in the form of `plain`.
        number: the expected ID, in the form of `plain`.
        name: expected, in the form of `plain`.
    """
    seen = plain(text)
    for found in _dates(seen, birth_date):
        if not _DATED_BEFORE.search(seen[: found.start()]):
            return "a second date that is not labelled", found[0]
    left = _blanked(_without_dates(seen, birth_date), (*_values(_CASE_VALUE, seen), *_values(_PLACE_VALUE, seen)))
    own = [found.span() for found in _number(number).finditer(left)]
    others = _blanked(left, own)
    if form := _form(number):
        for found in form.finditer(others):
            if len(found[0]) > UNIT_DIGITS or not _UNIT_AFTER.match(others, found.end()):
                return "a second number of the ID's form", found[0]
    first = re.search(rf"(?<![\w.\-/])\w*\d{{{LONG_DIGITS},}}\w*(?![\w\-/]|\.\w)", others[: own[0][0]] if own else "")
    if first:
        return "a number before the ID", first[0]
    named = [found.span() for found in whole(name).finditer(seen)]
    if named and (before := _NOT_THIS_ONE.search(seen[: named[0][0]])):
        return "words before the name that speak of somebody else", before[0].strip()
    shape = _blanked(_shape(text), [found.span() for found in _DATE.finditer(seen)])
    hidden = [*named, *_lists(seen)]
    for pattern in (_NAME_CARET,) if "^" in name else (_NAME_COMMA, _NAME_CARET):
        for found in pattern.finditer(shape):
            parts = [seen[slice(*found.span(part))] for part in pattern.groupindex]
            abroad = found[0].endswith(",AA") and "a" in found[0]  # a degree, or a state
            if abroad or not _NO_NAMES.isdisjoint(parts):
                continue
            if not any(_overlap(found.span(), span) for span in hidden):
                return "a second name", seen[slice(*found.span())]
    return "", ""


def stands_alone(text: str, birth_date: str, number: str) -> bool:
    """Return whether the ID appears in a `plain` banner outside of dates, telephone numbers and places."""
    left = _blanked(_without_dates(text, birth_date), _values(_PLACE_VALUE, text))
    return _number(number).search(left) is not None


def without_other_numbers(text: str) -> str:
    """Remove cases, telephone numbers and places from a `plain` banner, so that "Case ID" is not an ID."""
    found = [one.span() for pattern in (_CASE_VALUE, _PLACE_VALUE) for one in pattern.finditer(text)]
    return _blanked(text, found)


def whole(value: str) -> re.Pattern[str]:
    """Return a pattern that finds a value as a whole, not as part of a longer word, name or number."""
    return re.compile(rf"(?<![\w^.\-]){re.escape(value)}(?![\w^\-]|\.\w)")


def _number(value: str) -> re.Pattern[str]:
    """Like `whole`, but also not as part of a number with a slash, such as 12/2024."""
    before, after = r"(?<!\d/)" if value[:1].isdigit() else "", r"(?!/\d)" if value[-1:].isdigit() else ""
    return re.compile(f"{before}{whole(value).pattern}{after}")


def _even(text: str) -> str:
    marked = re.sub(r"(?<=[^\W\d_])–(?=[^\W\d_])", "-", text.translate(_MARKS))
    even = " ".join(unicodedata.normalize("NFKC", marked).split())
    return re.sub(r"\s*([,^])\s*", r"\1", even)


def _shape(text: str) -> str:
    """Return the shape of a text, as long as `plain`'s: A for capitals, a for other letters, all else unchanged."""
    return "".join(
        ("A" if mark.isupper() or mark.istitle() else "a" if mark.isalpha() else mark) * len(mark.casefold())
        for mark in _even(text)
    )


def _dates(seen: str, birth_date: str) -> Iterator[re.Match[str]]:
    """Yield the dates other than the expected one, in whatever form it is written."""
    expected = [found.span() for found in whole(birth_date).finditer(seen)]
    compact = _COMPACT.fullmatch(birth_date)
    days = {day for found in _matches(birth_date, bool(compact)) for day in _days(found)}
    for found in _matches(seen, bool(compact)):
        if _days(found) and not _days(found) & days and not any(_overlap(found.span(), span) for span in expected):
            yield found


def _matches(text: str, compact: bool) -> Iterator[re.Match[str]]:
    yield from _DATE.finditer(text)
    if compact:
        yield from _COMPACT.finditer(text)


def _days(found: re.Match[str]) -> frozenset[date]:
    """Return the days that a date may mean."""
    part = {name[0]: value for name, value in found.groupdict().items() if value}
    if "m" in part:
        orders = [(part["y"], str(_MONTH_OF.get(part["m"], part["m"])), part["d"])]
    else:
        first, second, year = part["a"], part["b"], part["y"]
        orders = [(year, second, first), (year, first, second), *([(first, second, year)] if len(year) == 2 else [])]
    return frozenset(day for order in orders for day in _valid(*order))


def _valid(year: str, month: str, day: str) -> Iterator[date]:
    for full in (year,) if len(year) == 4 else (f"19{year}", f"20{year}"):
        try:
            yield date(int(full), int(month), int(day))
        except ValueError:
            continue


def _without_dates(seen: str, birth_date: str) -> str:
    spans = [found.span() for found in _matches(seen, _COMPACT.fullmatch(birth_date) is not None)]
    return _blanked(seen, [*spans, *(found.span() for found in whole(birth_date).finditer(seen))])


def _form(number: str) -> re.Pattern[str] | None:
    """Return a pattern for the form of an ID; None for one without digits, whose form any word has."""
    if not any(mark.isdigit() for mark in number):
        return None
    form = "".join(r"\d" if mark.isdigit() else r"[^\W\d_]" if mark.isalpha() else re.escape(mark) for mark in number)
    if number.isdigit() and len(number) >= NEAR_DIGITS:
        form = rf"\d{{{len(number) - 1},{len(number) + 1}}}"
    return re.compile(rf"(?<![\w.\-/]){form}(?![\w\-/]|[.,]\d|\.\w)")


def _values(pattern: re.Pattern[str], text: str) -> list[Span]:
    return [found.span(found.lastgroup or 0) for found in pattern.finditer(text)]


def _lists(seen: str) -> Iterator[Span]:
    """Yield the spans of lists and staff; one may begin within another."""
    for label in _LISTED.finditer(seen):
        if found := _LIST.match(seen, label.end()):
            yield found.span()


def _blanked(text: str, spans: Iterable[Span]) -> str:
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]
