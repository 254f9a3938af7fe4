"""Placeholders for the values of a run: a model works with `${patient_name}` without learning who that is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tools.errors import ToolRetry
from tools.gui.guard.identity import Patient
from tools.privacy.redact import Redactor

_NAMED = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Veil:
    """Replaces values by their names, and names by their values.

    Attributes:
        values: by name; empty ones are left out.
        redactor: removes other personal details from what a model sees; None if it may see them.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    redactor: Redactor | None = None

    def hide(self, text: str) -> str:
        """Replace every value in a text by its name. Raises PhiError with a strict redactor."""
        hidden = self._named(text)
        return self.redactor.text(hidden) if self.redactor else hidden

    def picture(self, rgb: np.ndarray) -> np.ndarray:
        """Redact a picture (height, width, 3), if there is a redactor. Raises PhiError."""
        if self.redactor is None:
            return rgb
        return self.redactor.knowing([value for value in self.values.values() if value]).image(rgb)

    def show(self, text: str) -> str:
        """Replace every name in a text by its value. Raises ToolRetry if a name has no value."""
        for name in _NAMED.findall(text):
            if not self.values.get(name):
                raise ToolRetry(f"unknown value {name!r}.", expected=f"one of {', '.join(self.values) or 'none'}")
        return _NAMED.sub(lambda found: self.values[found[1]], text)

    def given(self, text: str, request: str) -> bool:
        """Return whether a text consists of values and words of the request; blanks and commas may separate them."""
        pieces = (piece.strip(", ") for piece in _NAMED.sub("\0", text).split("\0"))
        return all(re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", request) for piece in pieces if piece)

    def _named(self, text: str) -> str:
        values = {value: name for name, value in reversed(list(self.values.items())) if value}
        if not values:
            return text
        longest = "|".join(re.escape(value) for value in sorted(values, key=len, reverse=True))
        folded = {value.casefold(): name for value, name in values.items()}

        def name(found: re.Match[str]) -> str:
            return f"${{{folded[found[0].casefold()]}}}" if found[0].casefold() in folded else found[0]

        # Names stay unchanged.
        pieces = re.split(r"(\$\{\w+\})", text)
        pattern = re.compile(rf"(?<!\w)(?:{longest})(?!\w)", re.IGNORECASE)
        return "".join(piece if _NAMED.fullmatch(piece) else pattern.sub(name, piece) for piece in pieces)


def values_of(request: str, given: Mapping[str, str], patient: Patient | None = None) -> dict[str, str]:
    """Return the values of a run: those given, the patient's, and the personal details that its request names."""
    values = dict(given)
    if patient is not None:
        values |= {f"patient_{name.replace(' ', '_')}": value for name, value in patient.fields.items()}
    for detail in details_of(Veil(values).hide(request), Redactor()):
        values[f"detail_{len(values) + 1}"] = detail
    return values


def details_of(text: str, redactor: Redactor) -> list[str]:
    """Return the personal details in a text, each once, except behind names. Raises PhiError."""
    details = []
    for finding in redactor.find(text):
        detail = text[finding.start : finding.end].strip()
        # A name in DICOM form is found with the words around it.
        detail = next((word.strip(",;:.\"'()") for word in detail.split() if "^" in word), detail)
        if not _NAMED.search(detail):
            details.append(detail)
    return list(dict.fromkeys(details))
