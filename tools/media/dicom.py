"""DICOM images as a source: a file, a multi-frame cine, or a folder with a series. Not for diagnosis."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import MediaError
from tools.extras import require
from tools.media.dicom_render import decoding_errors, render
from tools.media.options import MediaOptions
from tools.media.sampling import Events, ReadableSource, Sampler, fit
from tools.media.types import Frame, Gap, SourceInfo

if TYPE_CHECKING:
    import pydicom

DEFAULT_CINE_FPS = 10.0
"""Frame rate assumed for a cine that states none; the source's notes say so."""
DEFAULT_SLICES_FPS = 1.0
"""Slices per second when every frame is requested."""
NOT_FOR_DIAGNOSIS = "not for diagnosis"
HEADER_TAGS = [
    "SOPClassUID",
    "SeriesInstanceUID",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "Rows",
]


@dataclass(frozen=True)
class _Header:
    path: Path
    series: str
    number: int | None
    position_mm: float | None


def open_dicom(path: Path, files: Sequence[Path], options: MediaOptions) -> ReadableSource:
    """Open a DICOM file, or the largest series of a folder in the order of its instance numbers, else its positions.

    The source is named by its modality and a digest of its path: file names often contain patient names.

    Args:
        path: the file or folder.
        files: the DICOM files in it.
        options: sampling and the window of grey values.

    Raises:
        MediaError: if it has no image, or one that cannot be decoded; the message says which, and what to install.
    """
    notes = [NOT_FOR_DIAGNOSIS]
    paths = list(files)
    if path.is_dir():
        paths, more = _largest_series(path, files)
        notes += more
    first = _load(paths[0], path.name)
    times_s, rate_note = _times(first, options) if len(paths) == 1 else ([], "")
    if len(paths) > 1:
        fps = options.fps or DEFAULT_SLICES_FPS
        times_s = [index / fps for index in range(len(paths))]
    if rate_note:
        notes.append(rate_note)
    rgb, window_note = render(first, 0, options)
    if window_note:
        notes.append(window_note)
    if _text(first, "BurnedInAnnotation").upper() == "YES":
        notes.append("the pictures may show patient data (burned-in annotation)")
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = f"DICOM {_text(first, 'Modality') or 'image'} {digest}"
    period_s = times_s[1] - times_s[0] if len(times_s) > 1 else None
    duration_s = times_s[-1] + period_s if period_s else None
    if options.start_s > times_s[-1] + (period_s or 0.0):
        raise MediaError(
            f"invalid start_s={options.start_s!r}: it is after the last image of {name!r} ({times_s[-1]:.1f} s).",
            expected="a start within the recording",
        )
    rgb = fit(rgb, options)
    fps_native = 1 / period_s if period_s else None
    info = SourceInfo(name, "dicom", False, rgb.shape[1], rgb.shape[0], fps_native, duration_s, tuple(notes))
    return ReadableSource(info, functools.partial(_read, paths, times_s, name, options))


def _read(paths: list[Path], times_s: list[float], name: str, options: MediaOptions, closed: threading.Event) -> Events:
    slices = len(paths) > 1
    sampler = Sampler(None if slices or len(times_s) == 1 else options.fps, options.start_s)
    dataset = None if slices else _load(paths[0], name)
    for index, t_s in enumerate(times_s):
        if closed.is_set() or (options.end_s is not None and t_s > options.end_s):
            return
        if not sampler.wants(t_s):
            continue
        sampler.took(t_s)
        try:
            if dataset is None:
                rgb, _ = render(_load(paths[index], f"image {index + 1}"), 0, options)
            else:
                rgb, _ = render(dataset, index, options)
        except MediaError as error:
            end_s = times_s[index + 1] if index + 1 < len(times_s) else None
            yield Gap(name, t_s, end_s, str(error))
        else:
            yield Frame(name, t_s, fit(rgb, options))


def _load(path: Path, called: str) -> pydicom.Dataset:
    """Read an image file. Messages use `called` in place of its name, since names of files may contain a patient's."""
    pydicom = require("pydicom", extra="dicom")

    try:
        dataset = pydicom.dcmread(path, force=True)
        is_image = "Rows" in dataset and any(
            key in dataset for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
        )
        uid = dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID")
        kind = str(getattr(uid, "name", ""))
    except decoding_errors() as error:
        raise MediaError(f"cannot read the DICOM file {called!r}: {error}.") from error
    if is_image:
        return dataset
    if path.name.upper().startswith("DICOMDIR") or kind == "Media Storage Directory Storage":
        raise MediaError(f"cannot show {called!r}: it is an index of DICOM files.", remedy="Name its folder.")
    what = f"a {kind}" if kind else "an unknown DICOM object"
    raise MediaError(f"cannot show {called!r}: it has no image; it is {what}.", expected="a DICOM image")


def _largest_series(folder: Path, files: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the files of the series with the most images, in order, and notes about what was left out."""
    headers: list[_Header] = []
    others = 0
    for path in files:
        header = _header(path)
        if header is None:
            others += 1
        else:
            headers.append(header)
    if not headers:
        raise MediaError(
            f"cannot show {str(folder)!r}: none of its {others} DICOM files is an image.",
            expected="DICOM images",
        )
    series: dict[str, list[_Header]] = {}
    for header in headers:
        series.setdefault(header.series, []).append(header)
    largest = max(series.values(), key=len)
    notes = []
    if len(series) > 1:
        notes.append(
            f"the folder has {len(series)} series; the one with the most images ({len(largest)}) is shown, "
            "name a folder or file of another to see it"
        )
    if others:
        notes.append(f"{others} DICOM files of the folder are not images and were left out")
    return [header.path for header in _in_order(largest)], notes


def _header(path: Path) -> _Header | None:
    pydicom = require("pydicom", extra="dicom")

    try:
        data = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=HEADER_TAGS, force=True)
        if "Rows" not in data:
            return None
        number = data.get("InstanceNumber")
        series = str(data.get("SeriesInstanceUID", ""))
        return _Header(path, series, None if number is None else int(number), _along(data))
    except decoding_errors():
        return None


def _along(data: pydicom.Dataset) -> float | None:
    """Return the position of a slice along the normal of its plane in mm (PS3.3 C.7.6.2.1.1)."""
    import numpy as np

    position, orientation = data.get("ImagePositionPatient"), data.get("ImageOrientationPatient")
    if not position or not orientation or len(position) != 3 or len(orientation) != 6:
        return None
    row, column = np.array(orientation[:3], dtype=float), np.array(orientation[3:], dtype=float)
    return float(np.cross(row, column) @ np.array(position, dtype=float))


def _in_order(headers: list[_Header]) -> list[_Header]:
    numbers = [header.number for header in headers]
    if None not in numbers and len(set(numbers)) == len(numbers):
        return sorted(headers, key=lambda header: header.number or 0)
    if all(header.position_mm is not None for header in headers):
        return sorted(headers, key=lambda header: (header.position_mm or 0.0, header.path.name))
    return headers


def _times(dataset: pydicom.Dataset, options: MediaOptions) -> tuple[list[float], str]:
    """Return the time of each frame in seconds, and a note if the rate is a guess (PS3.3 C.7.6.5, cine module)."""
    try:
        count = max(1, int(dataset.get("NumberOfFrames") or 1))
        steps_ms = list(_numbers(dataset.get("FrameTimeVector")))
        periods_ms = [*_numbers(dataset.get("FrameTime"))]
        rates = [*_numbers(dataset.get("CineRate")), *_numbers(dataset.get("RecommendedDisplayFrameRate"))]
    except decoding_errors() as error:
        raise MediaError(f"cannot read the number of frames or the rate in the DICOM header: {error}.") from error
    if count == 1:
        return [0.0], ""
    if len(steps_ms) == count and all(step > 0 for step in steps_ms[1:]):
        times_s, t_ms = [0.0], 0.0
        for step in steps_ms[1:]:
            t_ms += step
            times_s.append(t_ms / 1000)
        return times_s, ""
    periods_s = [period / 1000 for period in periods_ms if period > 0] + [1 / rate for rate in rates if rate > 0]
    note = "" if periods_s else f"the file states no frame rate; assuming {DEFAULT_CINE_FPS:g} a second"
    period_s = periods_s[0] if periods_s else 1 / DEFAULT_CINE_FPS
    return [index * period_s for index in range(count)], note


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return a text element; "" if it is missing or damaged."""
    try:
        return str(dataset.get(keyword) or "")
    except decoding_errors():
        return ""


def _numbers(value: object) -> Iterator[float]:
    """Yield the numbers of a DICOM value that may be missing, single or multiple."""
    if value is None or value == "":
        return
    if isinstance(value, (str, int, float)):
        yield float(value)
        return
    for item in value:  # type: ignore[attr-defined]
        yield float(item)
