"""Quantities: `figures` finds numbers with their units, `lacking` those of a claim that its quotes lack."""

from __future__ import annotations

import re

_UNITS = {
    "%": ("percent", "per cent", "percentage", "pct"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "kg": ("kilogram", "kilograms"),
    "µg": ("μg", "ug", "mcg", "microgram", "micrograms"),
    "ng": ("nanogram", "nanograms"),
    "ml": ("millilitre", "millilitres", "milliliter", "milliliters", "cc"),
    "l": ("litre", "litres", "liter", "liters"),
    "dl": ("decilitre", "deciliter"),
    "mm": ("millimetre", "millimetres", "millimeter", "millimeters"),
    "cm": ("centimetre", "centimetres", "centimeter", "centimeters"),
    "mmhg": ("mm hg",),
    "mmol": (), "mol": (), "µmol": ("μmol", "umol"), "nmol": (), "meq": (), "gy": (), "hz": (), "kda": (), "kcal": (),
    "iu": ("i.u.", "units", "unit", "u"),
    "second": ("seconds", "sec", "s"),
    "minute": ("minutes", "min", "mins"),
    "hour": ("hours", "hr", "hrs", "h"),
    "day": ("days", "d"),
    "week": ("weeks", "wk", "wks"),
    "month": ("months", "mo"),
    "year": ("years", "yr", "yrs", "y"),
    "fold": ("times",),
}  # fmt: skip
_NAMES = {name: unit for unit, names in _UNITS.items() for name in (unit, *names)}
_WORDS = {word: str(number) for number, word in enumerate(
    "one two three four five six seven eight nine ten eleven twelve".split(), start=1)}  # fmt: skip
_UNIT = "|".join(re.escape(name) for name in sorted(_NAMES, key=len, reverse=True))
_NUMBER = r"(?:\d+(?:[.,·]\d+)*|(?<!\d)[.·]\d+)"
# Digits after a letter or its hyphen are a name, such as T2 and IL-6; so are those before a hyphen and no unit: 5-HT.
_FIGURE = re.compile(
    rf"(?<![\w.,·])(?<![^\W\d_][-‐‑])(?P<number>{_NUMBER})"
    rf"(?:\s*[-‐‑]?\s*(?P<unit>{_UNIT})(?![^\W\d_])(?:\s?(?:/|per)\s?(?P<per>{_UNIT})(?![^\W\d_]))?)?"
    r"(?![^\W_]|[-‐‑][^\W\d_]|[.,·]\d)",
    re.IGNORECASE,
)
_SPELT = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)
_NAMED = re.compile(r"(?P<word>[^\W\d_]{3,})[ -](?P<number>\d+)(?![\w.,·%]*[\d%])", re.IGNORECASE)
_NO_NAMES = frozenset(
    "the and for with from than over under about above below least most only all per was were are had has have within "
    "after before between during every each age aged".split()
)


def figures(text: str) -> set[tuple[str, str]]:
    """Return each number of a text, without thousands separators and trailing zeros, with its normalised unit, or "".
    Signs are ignored: a claim that something fell by 12% may quote -12%."""
    found = set()
    for match in _FIGURE.finditer(text):
        unit = "/".join(_NAMES[" ".join(match[part].split()).casefold()] for part in ("unit", "per") if match[part])
        found.add((_plain(match["number"]), unit))
    return found


def lacking(claim: str, evidence: str, question: str = "") -> list[str]:
    """Return the numbers of a claim that its evidence lacks, or has only with other units; in order.

    Args:
        claim: the claim.
        evidence: the text it rests on; small numbers may be spelt out there.
        question: its numbers are allowed only as a part of a name that it has, such as `type 2`.
    """
    known = figures(_SPELT.sub(lambda word: _WORDS[word[0].casefold()], evidence)) | figures(evidence)
    named = {match[0].casefold() for match in _NAMED.finditer(question) if _is_name(match)}
    rest = _NAMED.sub(lambda match: " " if match[0].casefold() in named and _is_name(match) else match[0], claim)
    return sorted(
        number + unit.rjust(len(unit) + (unit not in "%")) for number, unit in figures(rest)
        if not any(number == other and (not unit or not same or _agree(unit, same)) for other, same in known)
    )  # fmt: skip


def _is_name(match: re.Match[str]) -> bool:
    """Return whether a word and a number are a name, such as `stage 3`, and not a measure, as in `mortality 50%`."""
    measure = _FIGURE.match(match.string, match.start("number"))
    return match["word"].casefold() not in _NO_NAMES and not (measure and measure["unit"])


def _agree(unit: str, other: str) -> bool:
    """Return whether two units agree as far as both go: mg and mg/kg do."""
    return unit == other or unit.startswith(f"{other}/") or other.startswith(f"{unit}/")


def _plain(number: str) -> str:
    plain = re.sub(r",(?=\d{3}\b)", "", number.replace("·", ".")).replace(",", ".")
    plain = f"0{plain}" if plain.startswith(".") else plain
    return plain.rstrip("0").rstrip(".") if plain.count(".") == 1 else plain
