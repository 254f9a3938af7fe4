"""Patient identity: before every write, two independent readings of the banner must match the expected patient.

Nothing is guessed. Texts are compared after normalising Unicode (NFKC), case and whitespace, and digits and letters
have to be equal: an O in place of a 0, or an l in place of a 1, halts like any other difference, though the reason says
that it may be a recognition error.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from tools.gui.guard.banner import names_another, plain, stands_alone, whole, without_other_numbers
from tools.gui.types import Rect, Screen, region_hash

Reader = Callable[[Screen, Rect], str]
"""Reads the text within a rectangle of a screen; "" if there is none."""
READINGS = 2
"""Number of readings that have to agree."""
KEPT_READINGS = 8
"""Size of the cache of banner readings, by their pixels."""
_LABELS = {
    "id": (
        "mrn",
        "patient id",
        "pat id",
        "patientid",
        "pid",
        "id",
        "nhs",
        "nhc",
        "ipp",
        "patientennummer",
        "patient number",
        "patient no",
        "pat no",
        "patnr",
        "pat nr",
        "pat-nr",
        "pat.-nr",
    ),
    "birth date": ("dob", "date of birth", "birth date", "born", "geb", "geburtsdatum", "fecha de nacimiento", "né le"),
}
_CONFUSED = str.maketrans("0o1li|5s8b2z", "oolllissbbzz".replace("i", "l"))
_VALUE = r"[^\w]{0,4}([\w][\w./-]*)"


class Patient(BaseModel):
    """The expected patient, written as the banner writes it.

    Attributes:
        name: such as "Doe, John" or "Doe^John".
        birth_date: such as "1980-01-02".
        id: the medical record number.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    name: str = Field(min_length=1, repr=False)
    birth_date: str = Field(min_length=1, repr=False)
    id: str = Field(min_length=1, repr=False)

    @property
    def fields(self) -> dict[str, str]:
        """Return the three fields by their common names."""
        return {"name": self.name, "birth date": self.birth_date, "id": self.id}

    @property
    def masked(self) -> str:
        """All three fields, in a form that may be logged."""
        return ", ".join(f"{name} {mask(value)}" for name, value in self.fields.items())


@dataclass(frozen=True)
class Identity:
    """Whether the banner names the expected patient.

    Attributes:
        holds: whether it does.
        reason: why not, with the expected and seen values, masked; "" if it does.
    """

    holds: bool
    reason: str = ""


def check_identity(screen: Screen, banner: Rect, expected: Patient, readers: Sequence[Reader] = ()) -> Identity:
    """Compare the banner of a screen with the expected patient.

    Args:
        screen: the current screen.
        banner: region of the patient banner.
        expected: the patient, as the banner writes it.
        readers: two or more; none uses the accessibility tree and OCR, or OCR at two scales if there is no tree.

    Raises:
        ToolFailed: if OCR is needed and RapidOCR is missing.
    """
    chosen = list(readers) or default_readers(screen, banner)
    if len(chosen) < READINGS:
        return Identity(False, f"the banner was read {len(chosen)} time(s); {READINGS} readings have to agree")
    for number, reader in enumerate(chosen, 1):
        text = reader(screen, banner)
        seen = plain(text)
        if not seen:
            return Identity(False, f"reading {number} of the banner found no text; expected {expected.masked}")
        for name, value in expected.fields.items():
            if problem := _differs(name, plain(value), seen):
                return Identity(False, f"reading {number} of the banner: {problem}")
        if problem := _another(expected, text):
            return Identity(False, f"reading {number} of the banner: {problem}")
    return Identity(True)


def default_readers(screen: Screen, banner: Rect) -> list[Reader]:
    """Return the accessibility tree and OCR as readers; OCR at two scales if there is no tree.

    While a dialog is open, browsers omit everything behind it from the tree; the banner is then in the pixels only.
    """
    asks = any(node.role in ("dialog", "alertdialog") for node in screen.nodes or ())
    if screen.nodes is not None and (read_tree(screen, banner) or not asks):
        return [read_tree, read_pixels]
    return [read_pixels, read_pixels_enlarged]


def read_tree(screen: Screen, rect: Rect) -> str:
    """Return the names and values of the nodes within a rectangle, in the tree's order."""
    texts: list[str] = []
    for node in screen.nodes or ():
        inside = node.rect.overlap(rect).area
        if inside and inside >= 0.5 * node.rect.area:
            texts += [text for text in (node.name, node.value) if text and text not in texts[-2:]]
    return " ".join(texts)


def read_pixels(screen: Screen, rect: Rect) -> str:
    """Return the words in the pixels, by OCR."""
    return _read(screen.crop(rect), 1)


def read_pixels_enlarged(screen: Screen, rect: Rect) -> str:
    """Return the words in the pixels, by OCR of the part enlarged twice."""
    return _read(screen.crop(rect), 2)


def mask(text: str) -> str:
    """Hide the letters and digits of a value, except the first letter of a word and the last digit of a number."""

    def hide(found: re.Match[str]) -> str:
        word = found[0]
        if word.isdigit():
            return "•" * (len(word) - 1) + word[-1] if len(word) > 2 else "•" * len(word)
        return word[0] + "•" * (len(word) - 1)

    return re.sub(r"[^\W_]+", hide, text)


def _differs(name: str, expected: str, seen: str) -> str:
    """Return what is wrong with a field of a reading; "" if nothing is."""
    if others := [value for value in _labelled(name, seen) if not (expected + " ").startswith(value + " ")]:
        close = _confused(others[0]) == _confused(expected)
        return f"{name} {_compared(expected, others[0])}{_HINT if close else ''}"
    if not _holds(expected, seen):
        close = _holds(_confused(expected), _confused(seen))
        hint = _HINT if close else _CUT if re.search(r"…|\.{2}", seen) else ""
        return f"{name} {_compared(expected, seen[:120])}{hint}"
    return ""


def _compared(expected: str, seen: str) -> str:
    """Return the expected and seen values, masked, with a note if they differ only in hidden characters."""
    alike = "; they differ in the hidden characters" if mask(expected) in mask(seen) else ""
    return f"expected {mask(expected)}, seen {mask(seen)}{alike}"


def _holds(expected: str, seen: str) -> bool:
    """Return whether a text contains a value as a whole, not as part of a longer word, name or number."""
    return whole(expected).search(seen) is not None


def _another(expected: Patient, text: str) -> str:
    """Return why a banner with the three values may be somebody else's; "" if nothing indicates it."""
    birth_date, number, name = plain(expected.birth_date), plain(expected.id), plain(expected.name)
    if not stands_alone(plain(text), birth_date, number):
        return f"id expected {mask(number)}, which appears only in a date, a telephone number or the like"
    what, words = names_another(text, birth_date, number, name)
    if not what:
        return ""
    told = f"it shows {what} ({mask(words)}) beside {expected.masked}"
    return f"{told}; a person has to look, or the policy's banner has to be smaller"


def _labelled(name: str, seen: str) -> list[str]:
    """Return the values after a label of this field, each of which has to be the expected one."""
    labels = "|".join(re.escape(plain(label)) for label in sorted(_LABELS.get(name, ()), key=len, reverse=True))
    if not labels:
        return []
    return [
        value.rstrip("./-")
        for value in re.findall(rf"(?<!\w)(?:{labels}){_VALUE}", without_other_numbers(seen))
        if re.search(r"\d", value)
    ]


def _confused(text: str) -> str:
    return text.translate(_CONFUSED)


_CUT = "; something is cut off on the screen: make the window larger, or zoom out"
_HINT = "; they differ only in easily confused characters, so a person has to look"


_lock = threading.Lock()
_seen: OrderedDict[tuple[str, int], str] = OrderedDict()


def _read(rgb: np.ndarray, factor: int) -> str:
    """Return the words of an enlarged picture; cached, since an action is checked before and after a person is asked,
    on the same pixels."""
    if rgb.size == 0:
        return ""
    name = region_hash(rgb), factor
    with _lock:
        if name in _seen:
            _seen.move_to_end(name)
            return _seen[name]
    words = _recognise(rgb, factor)
    with _lock:
        _seen[name] = words
        while len(_seen) > KEPT_READINGS:
            _seen.popitem(last=False)
    return words


def _recognise(rgb: np.ndarray, factor: int) -> str:
    import cv2

    from tools.ocr import read_words

    if factor != 1:
        rgb = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    height, width = rgb.shape[:2]
    return " ".join(word.text for word in read_words(rgb, max_side_px=max(height, width), min_side_px=min(height, 480)))
