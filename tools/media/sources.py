"""`open_source`: open a source from its specification (path, URL, webcam or screen)."""

from __future__ import annotations

import difflib
import logging
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.errors import MediaError
from tools.media.options import MediaOptions
from tools.media.types import Source, mask_credentials

log = logging.getLogger(__name__)

LIVE_SCHEMES = ("rtsp", "rtsps", "http", "https", "udp", "tcp")
DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
ACCEPTED = (
    "a video or picture file, a folder of pictures, a DICOM file or folder, an address "
    f"({', '.join(scheme + '://' for scheme in LIVE_SCHEMES)}), a webcam (0 or webcam:0) "
    "or a screen (screen or screen:1)"
)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_DEVICE = re.compile(r"(?:(webcam|screen):)?(\d+)|screen")


def open_source(spec: str, options: MediaOptions = MediaOptions()) -> Source:  # noqa: B008 (frozen)
    """Open a source of frames.

    Args:
        spec: a path (`~` is expanded), a URL, a webcam (`0`, `webcam:0`) or a screen (`screen`, `screen:1`).
            Write `./0` for a file named `0`.
        options: sampling, timeouts and decoding.

    Raises:
        MediaError: if it is none of these, or cannot be opened; the message gives the reason and the remedy.
    """
    spec = spec.strip()
    if not spec:
        raise MediaError("invalid source '': it is empty.", expected=ACCEPTED)
    log.debug("open the source %s", mask_credentials(spec))
    if device := _DEVICE.fullmatch(spec):
        return _open_device(device[1] or ("screen" if spec == "screen" else "webcam"), int(device[2] or 1), options)
    if spec.partition(":")[0] in ("webcam", "screen"):
        raise MediaError(
            f"invalid source {spec!r}: it has no number after the colon.", expected="such as webcam:0 or screen:1"
        )
    if scheme := _SCHEME.match(spec):
        return _open_address(spec, scheme[1].lower(), options)
    return _open_path(spec, options)


def _open_device(kind: str, number: int, options: MediaOptions) -> Source:
    if kind == "screen":
        from tools.media.screen import open_screen

        return open_screen(number, options)
    from tools.media.live import open_webcam

    return open_webcam(number, options)


def _open_address(address: str, scheme: str, options: MediaOptions) -> Source:
    if scheme == "file":
        return _open_path(unquote(urlsplit(address).path), options)
    if scheme not in LIVE_SCHEMES:
        raise MediaError(f"unknown scheme {scheme!r} in {mask_credentials(address)!r}.", expected=ACCEPTED)
    from tools.media.live import open_stream

    return open_stream(address, options)


def _open_path(spec: str, options: MediaOptions) -> Source:
    try:
        path = Path(spec).expanduser()
        exists = path.exists()
    except (RuntimeError, ValueError, OSError) as error:
        raise MediaError(f"invalid path {spec!r} ({error}).", expected=ACCEPTED) from error
    if not exists:
        raise _missing(spec, path)
    if path.is_dir():
        return _open_folder(path, options)
    if not path.is_file():
        raise MediaError(f"cannot open {spec!r}: it is neither a file nor a folder.", expected=ACCEPTED)
    if _is_dicom(path):
        from tools.media.dicom import open_dicom

        return open_dicom(path, [path], options)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        from tools.media.folder import open_pictures

        return open_pictures([path], path.name, options)
    from tools.media.file import open_file

    return open_file(path, options)


def _open_folder(path: Path, options: MediaOptions) -> Source:
    from tools.media import dicom, folder

    try:
        pictures = [entry for entry in path.iterdir() if entry.suffix.lower() in PICTURE_SUFFIXES and entry.is_file()]
        if pictures:
            return folder.open_pictures(pictures, path.resolve().name, options)
        if files := _find_dicom(path):
            return dicom.open_dicom(path, files, options)
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise MediaError(
            f"cannot read the folder {str(path)!r}: {error.strerror}.", remedy="Check its permissions."
        ) from error
    held = f"it has other files, such as {names[0]!r}" if names else "it is empty"
    raise MediaError(
        f"cannot find pictures in the folder {str(path)!r}; {held}.",
        expected=f"files ending in {', '.join(sorted(PICTURE_SUFFIXES))}, or DICOM images",
        remedy="To watch a video in it, name the video file.",
    )


def _is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM: by its magic bytes after the preamble, or by its suffix if it is not empty."""
    try:
        with path.open("rb") as file:
            head = file.read(132)
    except OSError:
        return False
    return head[128:] == b"DICM" or (path.suffix.lower() in DICOM_SUFFIXES and bool(head))


def _find_dicom(folder: Path) -> list[Path]:
    """Return the DICOM files in a folder and its subfolders, without indexes (DICOMDIR)."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.upper().startswith("DICOMDIR") and _is_dicom(path)
    ]


def _missing(spec: str, path: Path) -> MediaError:
    """Report which part of a path is missing, and similar names that exist."""
    parent = path.parent
    if not parent.is_dir():
        return MediaError(f"{spec!r} does not exist: there is no folder {str(parent)!r}.", expected=ACCEPTED)
    try:
        near = difflib.get_close_matches(path.name, [entry.name for entry in parent.iterdir()], n=1)
    except OSError:
        near = []
    if near:
        return MediaError(f"{spec!r} does not exist.", remedy=f"Did you mean {str(parent / near[0])!r}?")
    return MediaError(
        f"{spec!r} does not exist.", expected=ACCEPTED, remedy="Check the spelling and the current folder."
    )
