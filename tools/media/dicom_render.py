"""Rendering of DICOM pixel data as RGB: modality and VOI transforms, MONOCHROME1, palettes (PS3.3 C.11, C.7.6.3)."""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.errors import MediaError
from tools.extras import require
from tools.media.options import MediaOptions

if TYPE_CHECKING:
    import pydicom

CT_WINDOWS_HU = {
    "abdomen": (40.0, 400.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "liver": (60.0, 160.0),
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
}
"""Customary window centres and widths, in Hounsfield units."""


def decoding_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions that pydicom and its plugins raise for damaged, contradictory or missing elements."""
    errors = require("pydicom.errors", extra="dicom")

    return (
        *(OSError, EOFError, ValueError, TypeError, AttributeError, LookupError, RuntimeError, ArithmeticError),
        struct.error,
        errors.BytesLengthException,
    )


def render(dataset: pydicom.Dataset, index: int, options: MediaOptions) -> tuple[np.ndarray, str]:
    """Decode one frame of a DICOM image.

    Returns:
        RGB pixels, shape (height, width, 3), uint8, and a note if the requested window does not apply, else "".

    Raises:
        MediaError: if it cannot be decoded; names the transfer syntax, and the plugin to install if one is missing.
    """
    from pydicom.pixels import apply_color_lut, pixel_array

    try:
        stored = pixel_array(dataset, index=index)
        if dataset.get("PhotometricInterpretation") == "PALETTE COLOR":
            table_bits = int(dataset.RedPaletteColorLookupTableDescriptor[2])
            colours = apply_color_lut(stored, dataset)
            return _to_8_bits(colours, max(table_bits, 8 * colours.dtype.itemsize)), ""
        if stored.ndim == 3:
            return _to_8_bits(stored, int(dataset.BitsStored)), ""
        grey, note = _grey(stored, dataset, index, options)
    except decoding_errors() as error:
        raise _undecodable(dataset, index, error) from error
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        grey = 1 - grey
    eight = (grey * 255).round().astype(np.uint8)
    return np.repeat(eight[:, :, None], 3, axis=2), note


def _grey(stored: np.ndarray, dataset: pydicom.Dataset, index: int, options: MediaOptions) -> tuple[np.ndarray, str]:
    """Return values between 0 (black) and 1 (white), shape (height, width), and a note."""
    from pydicom.pixels import apply_modality_lut, apply_voi

    rescale = _functional_group(dataset, index, "PixelValueTransformationSequence")
    if rescale is not None:
        values = stored * float(rescale.RescaleSlope) + float(rescale.RescaleIntercept)
    else:
        values = np.asarray(apply_modality_lut(stored, dataset), dtype=np.float64)
    if options.dicom_center is not None and options.dicom_width is not None:
        return window(values, options.dicom_center, options.dicom_width), ""
    note = ""
    if options.dicom_window in CT_WINDOWS_HU:
        if dataset.get("Modality") == "CT":
            return window(values, *CT_WINDOWS_HU[options.dicom_window]), ""
        note = f"the window {options.dicom_window!r} is for CT; using the file's own"
    if options.dicom_window != "full":
        if dataset.get("VOILUTSequence"):
            bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
            return np.clip(apply_voi(values.astype(np.int64), dataset) / (2**bits - 1), 0, 1), note
        voi = _functional_group(dataset, index, "FrameVOILUTSequence") or dataset
        centers, widths = _floats(voi.get("WindowCenter")), _floats(voi.get("WindowWidth"))
        if centers and widths and widths[0] > 0:
            return window(values, centers[0], widths[0], str(voi.get("VOILUTFunction") or "LINEAR")), note
    low, high = _full_range(values, stored, dataset)
    return np.clip((values - low) / ((high - low) or 1.0), 0, 1), note


def window(values: np.ndarray, center: float, width: float, function: str = "LINEAR") -> np.ndarray:
    """Apply a window as in PS3.3 C.11.2.1.2 and C.11.2.1.3; the result is between 0 and 1.

    Args:
        values: values after the modality transform.
        center: window centre in their unit.
        width: window width in their unit; greater than 0, for LINEAR at least 1.
        function: LINEAR, LINEAR_EXACT or SIGMOID.
    """
    if function == "SIGMOID":
        # Beyond +-60 the result is 0 or 1 to the last digit; the bound keeps exp from overflowing.
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -60, 60)))
    if function == "LINEAR_EXACT":
        return np.clip((values - center) / width + 0.5, 0, 1)
    if width <= 1:
        return (values > center - 0.5).astype(np.float64)
    return np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def _full_range(values: np.ndarray, stored: np.ndarray, dataset: pydicom.Dataset) -> tuple[float, float]:
    """Return the values for black and white: the range of 8 bits, else the minimum and maximum present."""
    bits = int(dataset.get("BitsStored") or 16)
    if bits <= 8 and not int(dataset.get("PixelRepresentation") or 0) and np.array_equal(values, stored):
        return 0.0, float(2**bits - 1)
    finite = values[np.isfinite(values)]
    padding = dataset.get("PixelPaddingValue")
    if isinstance(padding, int) and np.any(stored != padding):
        finite = values[np.isfinite(values) & (stored != padding)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _functional_group(dataset: pydicom.Dataset, index: int, name: str) -> Any:
    """Return an item of the functional groups of an enhanced object: the frame's, else the shared one, else None."""
    for groups, place in (("PerFrameFunctionalGroupsSequence", index), ("SharedFunctionalGroupsSequence", 0)):
        sequence = dataset.get(groups)
        if sequence and place < len(sequence) and sequence[place].get(name):
            return sequence[place][name][0]
    return None


def _floats(value: object) -> list[float]:
    if value is None or value == "":
        return []
    numbers = [float(item) for item in value] if hasattr(value, "__iter__") else [float(value)]  # type: ignore[arg-type]
    return [number for number in numbers if math.isfinite(number)]


def _to_8_bits(colours: np.ndarray, bits: int) -> np.ndarray:
    """Convert RGB values of `bits` bits, shape (height, width, 3), to 8 bits."""
    if bits == 8 and colours.dtype == np.uint8:
        return np.ascontiguousarray(colours[..., :3])
    return np.ascontiguousarray((colours[..., :3].astype(np.float64) / (2**bits - 1) * 255).round().astype(np.uint8))


def _undecodable(dataset: pydicom.Dataset, index: int, error: Exception) -> MediaError:
    from pydicom.pixels import get_decoder

    syntax = getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", None)
    name = getattr(syntax, "name", "unknown transfer syntax")
    reason = " ".join(str(error).split()).rstrip(".")
    try:
        compressed = bool(getattr(syntax, "is_compressed", False))
    except ValueError:
        compressed = False
    plugins = "Install `pylibjpeg[all]` or `python-gdcm`, or convert the file with `dcmdjpeg` or `gdcmconv --raw`."
    try:
        missing = compressed and not get_decoder(syntax).is_available
    except NotImplementedError:
        missing = True
    if missing:
        return MediaError(f"cannot decode the image: no decoder for {name} is installed.", remedy=plugins)
    return MediaError(
        f"cannot decode frame {index + 1} of the DICOM image ({name}): {reason}.",
        remedy=plugins if compressed else "The file is damaged; fetch it again.",
    )
