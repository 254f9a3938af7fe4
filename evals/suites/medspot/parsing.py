"""Parsers of click points from replies, as in each of MedSPOT's sixteen scripts (evaluate_*.py, 2820ce6).

Numbers are unsigned: a minus sign is ignored, so "(-5,10)" is (5, 10). The first matching pattern wins.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tools.errors import AttendError

Point = tuple[float, float]
Size = tuple[int, int]

_N = r"\s*([\d.]+)\s*"
_PAIR = rf"\({_N},{_N}\)"
_SQUARE = rf"\[{_N},{_N}\]"
_NAMED = r"x\s*=\s*([\d.]+)\s*,\s*y\s*=\s*([\d.]+)"
_DOUBLE_PAIR = rf"\[\[{_N},{_N}\]\]"
_DOUBLE_BOX = rf"\[\[{_N},{_N},{_N},{_N}\]\]"
_THINKING = re.compile(r"<think>.*?</think>", re.DOTALL)
_TAG = re.compile(r"<.*?>", re.DOTALL)

QWEN_FACTOR = 28
QWEN_PIXELS = (256 * QWEN_FACTOR**2, 1280 * QWEN_FACTOR**2)
QWEN_LONGEST = 200
"""Maximum ratio of the sides in Qwen2-VL's image processor."""


class NumberError(AttendError, ValueError):
    """A pattern matched a malformed number, such as 1.2.3, where the authors' scripts stop."""


@dataclass(frozen=True)
class Reading:
    """A script's parser: what it cuts out first, its patterns, and how two numbers become a point of its space.

    Patterns of four numbers are boxes in thousandths, of which the centre counts.
    """

    patterns: tuple[re.Pattern[str], ...]
    scale: Callable[[float, float, Size], Point | None]
    cut: tuple[re.Pattern[str], ...] = ()


def read_point(script: str, text: str, size: Size) -> Point | None:
    """Return the point that a script reads in a reply, in pixels or as shares of the image, or None.

    Args:
        script: the file name, such as `evaluate_gpt5.py`; not GUI-Actor's and SeeClick's, whose models return points.
        text: the reply.
        size: width and height of the image in pixels.

    Raises:
        NumberError: if the script's pattern matches a malformed number.
    """
    reading = READINGS[script]
    if not isinstance(text, str):
        raise NumberError(f"{text!r} is not a text.", expected="a model's reply")
    for unwanted in reading.cut:
        text = unwanted.sub("", text)
    for pattern in reading.patterns:
        if found := pattern.search(text):
            try:
                x, y, *corner = (float(number) for number in found.groups())
            except ValueError as error:
                raise NumberError(f"{found[0]!r} has no numbers.") from error
            if corner:
                right, bottom = corner
                return _clamp((x / 1000.0 + right / 1000.0) / 2.0, (y / 1000.0 + bottom / 1000.0) / 2.0)
            return reading.scale(x, y, size)
    return None


def click_text(script: str, point: Point, size: Size) -> str:
    """Return the reply from which a script reads a point in pixels; GUI-Actor's and SeeClick's scripts read none.

    Clamps points outside the image to its nearest edge if the script cannot read them: none reads a minus sign.
    """
    (x, y), (width, height) = (max(0.0, point[0]), max(0.0, point[1])), size
    unit = UNITS.get(script, "pixels")
    if unit != "pixels":
        x, y = _clamp(x / width, y / height)
        x, y = (x * 1000, y * 1000) if unit == "thousandths" else (x, y)
    form = "CLICK(point=[[{:.9f},{:.9f}]])" if script == COGAGENT else "({:.9f},{:.9f})"
    return form.format(x, y)


def read_points(script: str, output: Any) -> list[list[float]]:
    """Return the points of GUI-Actor or SeeClick, as shares of the image; empty if there is none.

    SeeClick returns a point, or `{"box": corners}` in thousandths; anything else is no prediction.

    Raises:
        NumberError: if GUI-Actor's output is not a list of points.
    """
    if script == GUI_ACTOR:
        try:
            return [[float(x), float(y)] for x, y in output]
        except (TypeError, ValueError) as error:
            raise NumberError(f"{output!r} is not a list of points.", expected="[[x, y], ...]") from error
    try:
        if isinstance(output, dict):
            (left, top), (right, bottom) = output["box"]
            output = [(left + right) / 2 / 1000, (top + bottom) / 2 / 1000]
        x, y = output
        return [[*_clamp(x + 0.0, y + 0.0)]]
    except (TypeError, ValueError, KeyError):
        return []


def qwen_resized(size: Size) -> Size:
    """Return the width and height to which Qwen2-VL's processor scales an image before its model sees it.

    Both become multiples of 28, with 256 to 1,280 patches of 28 by 28 in total.

    Raises:
        NumberError: if one side is more than 200 times the other.
    """
    width, height = size
    if max(size) > QWEN_LONGEST * min(size):
        raise NumberError(f"an image of {width} by {height} pixels is too narrow.")
    fitted = [max(QWEN_FACTOR, round(side / QWEN_FACTOR) * QWEN_FACTOR) for side in size]
    fewest, most = QWEN_PIXELS
    if fitted[0] * fitted[1] > most:
        ratio = math.sqrt(height * width / most)
        fitted = [max(QWEN_FACTOR, math.floor(side / ratio / QWEN_FACTOR) * QWEN_FACTOR) for side in size]
    elif fitted[0] * fitted[1] < fewest:
        ratio = math.sqrt(fewest / (height * width))
        fitted = [math.ceil(side * ratio / QWEN_FACTOR) * QWEN_FACTOR for side in size]
    return fitted[0], fitted[1]


def _clamp(x: float, y: float) -> Point:
    return min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)


def _pixels(x: float, y: float, size: Size) -> Point:
    return x, y


def _pixels_inside(x: float, y: float, size: Size) -> Point | None:
    return (x, y) if 0 <= x <= size[0] and 0 <= y <= size[1] else None


def _thousandths_to_pixels(x: float, y: float, size: Size) -> Point:
    return x / 1000.0 * size[0], y / 1000.0 * size[1]


def _fraction_or_pixels(x: float, y: float, size: Size) -> Point:
    return (x * size[0], y * size[1]) if x <= 1 and y <= 1 else (x, y)


def _guessed_unit(x: float, y: float, size: Size) -> Point:
    """Convert like Llama's script, which takes small numbers for fractions or percents and so misreads pixels in the
    top left."""
    if (x <= 1 and y <= 1) or x > 100 or y > 100:
        return _fraction_or_pixels(x, y, size)
    return x / 100.0 * size[0], y / 100.0 * size[1]


def _share(x: float, y: float, size: Size) -> Point:
    return _clamp(x / size[0], y / size[1])


def _share_if_large(x: float, y: float, size: Size) -> Point:
    return _share(x, y, size) if x > 1.0 or y > 1.0 else _clamp(x, y)


def _share_of_resized(x: float, y: float, size: Size) -> Point:
    return _share_if_large(x, y, qwen_resized(size)) if x > 1.0 or y > 1.0 else _clamp(x, y)


def _thousandths(x: float, y: float, size: Size) -> Point:
    return _clamp(x / 1000.0, y / 1000.0)


def _compiled(*patterns: str, flags: int = 0) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, flags) for pattern in patterns)


GUI_ACTOR, SEECLICK, COGAGENT = "evaluate_gui_actor.py", "evaluate_seeclick.py", "evaluate_cogagent.py"
UNITS = {
    "evaluate_qwen3vl0.py": "thousandths",
    "evaluate_osatlas.py": "thousandths",
    COGAGENT: "thousandths",
    "evaluate_deepseek.py": "shares",
    "evaluate_uground.py": "shares",
    "evaluate_Aguvis.py": "shares",
    "evaluate_llama.py": "shares",
    "evaluate_tars.py": "shares",
}
"""The unambiguous unit of a script's numbers, if it is not pixels; several scripts guess it by the size."""

_ANY_CASE = _compiled(_PAIR, _NAMED, flags=re.IGNORECASE)
_EXACT_CASE = _compiled(_PAIR, _NAMED)
_GPT = Reading(
    _compiled(
        _PAIR,
        _SQUARE,
        r"x\s*=\s*([\d.]+)\s*[,;]?\s*y\s*=\s*([\d.]+)",
        r"x\s*:\s*([\d.]+)\s*[,;]?\s*y\s*:\s*([\d.]+)",
        r"(?:at|click|point|coord(?:inate)?s?)\s*[:\-]?\s*([\d.]+)\s*[,\s]\s*([\d.]+)",
        r"(?<!\d)(\d{1,5})\s*[,\s]\s*(\d{1,5})(?!\d)",
        flags=re.IGNORECASE,
    ),
    _pixels_inside,
)
READINGS = {
    "evaluate_gpt4omini.py": _GPT,
    "evaluate_gpt5.py": _GPT,
    "evaluate_qwen3vl0.py": Reading(_EXACT_CASE, _thousandths_to_pixels, (_THINKING,)),
    "evaluate_gemma3_27B.py": Reading(_EXACT_CASE, _pixels, (_TAG,)),
    "evaluate_llama.py": Reading(_EXACT_CASE, _guessed_unit, (_TAG,)),
    "evaluate_qwen2_5vl.py": Reading(_ANY_CASE, _pixels, (_THINKING,)),
    "evaluate_qwen2vl.py": Reading(_ANY_CASE, _share, (_THINKING, _TAG)),
    "evaluate_mistral.py": Reading(_EXACT_CASE, _share, (_TAG,)),
    "evaluate_deepseek.py": Reading(_EXACT_CASE, _share_if_large, (_TAG,)),
    "evaluate_uground.py": Reading(_ANY_CASE, _share_if_large, (_THINKING,)),
    "evaluate_Aguvis.py": Reading(
        _compiled(
            rf"pyautogui\.click\s*\(\s*{_NAMED}\s*\)",
            rf"pyautogui\.click\s*{_PAIR}",
            _PAIR,
            _NAMED,
            flags=re.IGNORECASE,
        ),
        _share_of_resized,
        (_THINKING,),
    ),
    COGAGENT: Reading(
        (
            re.compile(rf"CLICK\s*\(.*?box\s*=\s*{_DOUBLE_BOX}", re.IGNORECASE | re.DOTALL),
            re.compile(rf"CLICK\s*\(.*?point\s*=\s*{_DOUBLE_PAIR}", re.IGNORECASE | re.DOTALL),
            re.compile(_DOUBLE_BOX),
        ),
        _thousandths,
    ),
    "evaluate_osatlas.py": Reading(_compiled(_DOUBLE_PAIR, _DOUBLE_BOX, _PAIR), _thousandths, (_THINKING,)),
    "evaluate_tars.py": Reading(
        _compiled(rf"CLICK\s*{_PAIR}", rf"\[{_N},\s*([\d.]+)\s*(?:,[\d.\s,]+)?\]", _PAIR, _NAMED), _fraction_or_pixels
    ),
}
"""The fourteen scripts that read text."""
