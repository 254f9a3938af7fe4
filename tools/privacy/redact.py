"""Redaction of personal details in texts and pictures, before they reach a remote model or the disk.

Our own detectors find what has a shape or a label: record numbers, dates, DICOM names, names after a title or a label,
telephone numbers, e-mail addresses, social security and insurance numbers, DICOM UIDs, and details that a caller names
as known (the patient of the session). Presidio, if installed with a language model, finds more, such as names in prose.
Both miss known details. This lowers a risk; it makes neither a text anonymous, nor a program compliant with any law.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from tools.errors import AttendError
from tools.ocr import Word
from tools.privacy import presidio
from tools.privacy.detect import Finding, found_in, merged, replaced

Strictness = Literal["on", "strict"]
"""`on` uses Presidio if it is installed; `strict` requires it."""
MIN_SCORE = 0.4
"""Minimum score of a finding of Presidio; our choice, in favour of false positives."""
PAD_PX = 2
"""Pixels blackened around a box of words, since the recogniser crops close."""


class PhiError(AttendError):
    """The requested strictness of redaction is not possible; nothing may leave or be stored."""


# Forms of a row or a link in a list of people; in prose they would have far too many false positives.
_CAPITAL = r"[^\W\d_a-zß-öø-ÿ][\w'’.-]{0,40}"
_PARTICLE = r"(?:van|von|vom|zu|zur|den|der|de|del|della|da|di|du|la|le|al|el|bin|ben|ter|ten)"
_PERSON = rf"(?:{_PARTICLE} ){{0,2}}{_CAPITAL}(?: (?:{_PARTICLE} ){{0,2}}{_CAPITAL}){{0,4}}"
_BETWEEN = " \t\n,;:.()[]#|/-–"
_NO_NAMES = frozenset("mrn pid id nhs nhc ipp patient patientin geb dob born".split())
_LABEL_NUMBER = re.compile(r"(?<![\w.,])(?:[A-Z]{1,4}-?)?\d{4,}(?!\w|[.,]\d)")
_LABEL_NAME = re.compile(rf"(?<!\w){_PERSON} ?, ?{_PERSON}")
_LABEL_WORDS = re.compile(rf"(?<!\w){_PERSON}")


class Redactor:
    """Removes personal details from texts and pictures.

    Args:
        strictness: `on`, or `strict`, which requires Presidio and OCR.
        known: details of this session, such as the patient's name, birth date and number; they, and each name in them,
            are always found, in any letter case.

    Raises:
        PhiError: with `strict`, if Presidio or its language model is missing.
    """

    def __init__(self, strictness: Strictness = "on", known: Sequence[str] = ()) -> None:
        self.strictness, self.known = strictness, tuple(known)
        parts = {
            part for text in known for part in (text.strip(), *re.split(r"[\s,^]+", text)) if len(part.strip()) > 2
        }
        longest_first = sorted(map(re.escape, parts), key=len, reverse=True)
        self._known = re.compile(rf"(?i)(?<!\w)(?:{'|'.join(longest_first)})(?!\w)") if parts else None
        self._analyzer = presidio.analyzer()
        if strictness == "strict" and isinstance(self._analyzer, str):
            raise PhiError(
                f"cannot redact with strictness 'strict': {self._analyzer}.",
                remedy="Run: attend setup privacy, and install a spaCy model such as en_core_web_lg; or use 'on' and "
                "know its limits.",
            )

    def knowing(self, known: Sequence[str]) -> Redactor:
        """Return a redactor that also knows these known details."""
        return Redactor(self.strictness, (*self.known, *known))

    def find(self, text: str) -> list[Finding]:
        """Return the personal details of a text, in order and without overlap. Raises PhiError with `strict`."""
        return merged([*found_in(text), *self._known_in(text), *self._presidio(text)])

    def text(self, text: str) -> str:
        """Replace each detail of a text by its kind in brackets. Raises PhiError with `strict`."""
        return replaced(text, self.find(text))

    def label(self, text: str) -> str:
        """Redact a label or a title more strictly than prose, such as a row in a list of people.

        Also replaces numbers of four or more digits, and the form of a name: "Doe, Jane", and capitalised words beside
        a number or a date. A name alone, as in "Jane Doe", looks like "Place Order", and is left to Presidio and the
        known details.

        Raises:
            PhiError: with `strict`.
        """
        found = self.find(text)
        numbers = [Finding(*one.span(), "NUMBER") for one in _LABEL_NUMBER.finditer(text)]
        names = [Finding(*one.span(), "NAME") for one in _LABEL_NAME.finditer(text)]
        beside = [*numbers, *(one for one in found if one.kind in ("DATE", "MRN", "NUMBER", "INSURANCE", "SSN"))]
        ends = {len(text[: one.start].rstrip(_BETWEEN)) for one in beside}
        starts = {len(text) - len(text[one.end :].lstrip(_BETWEEN)) for one in beside}
        for one in _LABEL_WORDS.finditer(text) if beside else ():
            near = one.start() in starts or one.start() + len(one[0].rstrip(_BETWEEN)) in ends
            if (near or " " in one[0]) and one[0].casefold() not in _NO_NAMES:
                names.append(Finding(*one.span(), "NAME"))
        return replaced(text, merged([*found, *numbers, *names]))

    def image(self, rgb: np.ndarray, words: Sequence[Word] | None = None) -> np.ndarray:
        """Return a copy of a picture with the lines that contain details blackened.

        A label and its value are often separate lines, so all lines are searched as one text.

        Args:
            rgb: (height, width, 3), uint8.
            words: the lines of text in it; None reads them by OCR.

        Raises:
            PhiError: with `strict`, or if OCR fails.
        """
        lines = self._read(rgb) if words is None else list(words)
        starts, joined = [], ""
        for line in lines:
            starts.append(len(joined))
            joined += line.text + "\n"
        findings = self.find(joined)
        height, width = rgb.shape[:2]
        clean = rgb.copy()
        for line, start in zip(lines, starts, strict=True):
            if any(one.start < start + len(line.text) and one.end > start for one in findings):
                left, right = int(line.box.left * width) - PAD_PX, int(np.ceil(line.box.right * width)) + PAD_PX
                top, bottom = int(line.box.top * height) - PAD_PX, int(np.ceil(line.box.bottom * height)) + PAD_PX
                clean[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 0
        return clean

    def _known_in(self, text: str) -> Iterator[Finding]:
        for found in self._known.finditer(text) if self._known else ():
            yield Finding(*found.span(), "KNOWN")

    def _presidio(self, text: str) -> Iterator[Finding]:
        if isinstance(self._analyzer, str) or not text.strip():
            return
        # Failures propagate: a text that could not be searched must go nowhere.
        results = self._analyzer.analyze(text=text, language="en", score_threshold=MIN_SCORE)
        for result in results:
            yield Finding(result.start, result.end, result.entity_type)

    @staticmethod
    def _read(rgb: np.ndarray) -> list[Word]:
        from tools.ocr import read_words

        try:
            return read_words(rgb, max_side_px=max(rgb.shape[:2]))
        except AttendError as error:
            raise PhiError(f"cannot read the words of the picture: {error}", remedy="Nothing was released.") from error


def redact_text(text: str, strictness: Strictness = "on", known: Sequence[str] = ()) -> str:
    """Replace personal details by their kind in brackets. Raises PhiError with `strict`."""
    return Redactor(strictness, known).text(text)


def redact_image(
    rgb: np.ndarray, words: Sequence[Word] | None = None, strictness: Strictness = "on", known: Sequence[str] = ()
) -> np.ndarray:
    """Return a picture with personal details blackened; see `Redactor.image`. Raises PhiError with `strict`."""
    return Redactor(strictness, known).image(rgb, words)
