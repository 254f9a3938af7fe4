"""Content-addressed store of frames as PNG files in a folder: `FrameStore`.

A picture is one PNG file named after its frame id (sha256 of the pixels), so equal pictures are stored once, and
reading verifies the content. The modification time of a file is its age. Several processes may share a folder: every
file appears atomically and never changes.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from threading import RLock

import numpy as np

from tools.errors import StoreError
from tools.media.types import Frame, frame_id

_FRAME_ID = re.compile(r"[0-9a-f]{64}")
MOST_PICTURES = 30_000
"""Maximum number of pictures, however small: a few thousand more than a memory refers to."""
_TEMPORARY = ".*.tmp"
_ABANDONED_S = 600.0
"""Age from which a temporary file counts as abandoned. Its writer cannot be identified: it may live in another
container."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}


class NoRoomError(StoreError):
    """Pinned pictures leave no room for another one."""


class FrameStore:
    """A folder of pictures under a byte quota that evicts the oldest. Thread-safe.

    Also limited to `MOST_PICTURES`.

    Args:
        folder: folder of the pictures; made if missing. Leftovers of killed writers are removed after a while.
        quota_bytes: maximum size of all pictures on disk.

    Raises:
        StoreError: if the folder cannot be made or read, or the quota is not positive.
    """

    def __init__(self, folder: str | Path, quota_bytes: int) -> None:
        if quota_bytes <= 0:
            raise StoreError(f"invalid quota of {quota_bytes!r} bytes.", expected="a positive number of bytes")
        self.folder = Path(folder)
        self.quota_bytes = quota_bytes
        self._lock = RLock()
        self._pins: Counter[str] = Counter()
        self._sizes: dict[str, int] = {}  # oldest first; the folder may contain more, see _read_folder
        self._used = 0
        self._last_ns = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.remove_leftovers(_ABANDONED_S)
            self._read_folder()
        except OSError as error:
            raise self._failure("open", error) from error

    def put(self, frame: Frame) -> str:
        """Store the pixels of `frame` losslessly and return its id; an existing picture becomes the newest.

        Once this returns, the picture survives the death of the process. Evicts older pictures that are not pinned, as
        the quota requires.

        Raises:
            NoRoomError: if pinned pictures leave no room for it.
            StoreError: if the picture alone exceeds the quota, or the folder cannot be written (full disk,
                permissions).
        """
        import cv2

        path = self._path(frame.id)
        try:
            with self._lock:
                if self._renew(path):
                    return frame.id
            # OpenCV's defaults: with an explicit compression level it chooses filters that take twice the time.
            done, png = cv2.imencode(".png", cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR))
            if not done:
                raise StoreError(f"cannot encode a frame of {frame.width_px} x {frame.height_px} pixels as PNG.")
            with self._lock:
                self._make_room(png.nbytes, frame)
                self._write(path, png)
                self._sizes[frame.id] = png.nbytes
                self._used += png.nbytes
        except OSError as error:
            raise self._failure("write", error) from error
        return frame.id

    def get(self, frame_id_: str) -> np.ndarray:
        """Return the pixels of a frame, RGB uint8 of shape (height, width, 3), read-only.

        Raises:
            StoreError: if the frame is missing, or its file is damaged; a damaged file is removed.
        """
        import cv2

        path = self._path(frame_id_)
        try:
            png = np.fromfile(path, dtype=np.uint8)
        except FileNotFoundError as error:
            raise StoreError(
                f"the frame {frame_id_!r} is not in {str(self.folder)!r}.",
                remedy=f"It was never stored, or was evicted: the quota is {self.quota_bytes:,} bytes.",
            ) from error
        except OSError as error:
            raise self._failure("read", error) from error
        bgr = cv2.imdecode(png, cv2.IMREAD_COLOR) if png.size else None
        rgb = None if bgr is None else cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        if rgb is None or frame_id(rgb) != frame_id_:
            self.remove([frame_id_])
            raise StoreError(
                f"removed the damaged file {str(path)!r}: its pixels do not match its name.",
                remedy="Check the disk; other frames are not affected.",
            )
        rgb.flags.writeable = False
        return rgb

    def has(self, frame_id_: str) -> bool:
        """Return whether the frame is in the folder now; another process may remove it at any time."""
        return self._path(frame_id_).exists()

    def ids(self) -> list[str]:
        """Return the ids of all frames in the folder, oldest first."""
        with self._lock:
            self._read_folder()
            return list(self._sizes)

    def __len__(self) -> int:
        return len(self.ids())

    @property
    def bytes_used(self) -> int:
        """Size of the pictures on disk, in bytes."""
        with self._lock:
            self._read_folder()
            return self._used

    def pin(self, frame_id_: str) -> None:
        """Protect a frame from eviction by this process. Pins are counted: each needs its own `unpin`."""
        with self._lock:
            self._pins[frame_id_] += 1

    def unpin(self, frame_id_: str) -> None:
        """Undo one `pin`. A frame without pins may be evicted; it is not removed at once."""
        with self._lock:
            if self._pins[frame_id_] <= 1:
                del self._pins[frame_id_]
            else:
                self._pins[frame_id_] -= 1

    @property
    def pinned_bytes(self) -> int:
        """Size of the pinned pictures, in bytes."""
        with self._lock:
            return sum(self._sizes.get(frame_id_, 0) for frame_id_ in self._pins)

    def remove(self, ids: Iterable[str]) -> None:
        """Remove frames, pinned or not; unknown ids are ignored."""
        with self._lock:
            for frame_id_ in ids:
                try:
                    self._path(frame_id_).unlink(missing_ok=True)
                except OSError as error:
                    raise self._failure("remove from", error) from error
                self._used -= self._sizes.pop(frame_id_, 0)

    def remove_leftovers(self, age_s: float = 0.0) -> None:
        """Remove unfinished files of killed writers older than `age_s`; pass 0 only while nobody writes."""
        for path in self.folder.glob(_TEMPORARY):
            try:
                if time.time() - path.stat().st_mtime >= age_s:
                    path.unlink()
            except FileNotFoundError:  # finished, or removed by another process
                continue
            except OSError as error:
                raise self._failure("remove from", error) from error

    def _path(self, frame_id_: str) -> Path:
        if not _FRAME_ID.fullmatch(frame_id_):  # also prevents foreign text from naming other files
            raise StoreError(f"{frame_id_!r} is not a frame id.", expected="64 hexadecimal digits")
        return self.folder / f"{frame_id_}.png"

    def _make_room(self, size: int, frame: Frame) -> None:
        if size > self.quota_bytes:
            raise StoreError(
                f"one frame of {frame.width_px} x {frame.height_px} pixels takes {size:,} bytes, "
                f"more than the quota of {self.quota_bytes:,}.",
                remedy="Raise the quota of the frame store.",
            )
        if self._fits(size):
            return
        self._read_folder()  # count what other processes wrote and removed
        for frame_id_ in [known for known in self._sizes if known not in self._pins]:
            if self._fits(size):
                return
            self.remove([frame_id_])
        if not self._fits(size):
            raise NoRoomError(
                f"cannot store {size:,} bytes: the {len(self._sizes)} frames in use take {self._used:,} of "
                f"the quota of {self.quota_bytes:,}.",
                remedy="Raise the quota of the frame store, or lower the capacity of the memory.",
            )

    def _fits(self, size: int) -> bool:
        return self._used + size <= self.quota_bytes and len(self._sizes) < MOST_PICTURES

    def _write(self, path: Path, png: np.ndarray) -> None:
        temporary = self.folder / f".{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as file:
                file.write(png.data)
                file.flush()
                os.fsync(file.fileno())
            self._set_age(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _renew(self, path: Path) -> bool:
        try:
            self._set_age(path)
            size = path.stat().st_size
        except FileNotFoundError:  # missing, or just removed by another process
            return False
        self._used += size - self._sizes.pop(path.stem, 0)
        self._sizes[path.stem] = size
        return True

    def _set_age(self, path: Path) -> None:
        # The kernel's timestamps are milliseconds apart, too coarse to order frames written in a burst.
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        os.utime(path, ns=(self._last_ns, self._last_ns))

    def _read_folder(self) -> None:
        found = []
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if entry.name.endswith(".png") and _FRAME_ID.fullmatch(entry.name[:-4]):
                    try:
                        status = entry.stat()
                    except FileNotFoundError:  # just removed by another process
                        continue
                    found.append((status.st_mtime_ns, entry.name[:-4], status.st_size))
        found.sort()
        self._sizes = {frame_id_: size for _, frame_id_, size in found}
        self._used = sum(self._sizes.values())
        if found:
            self._last_ns = max(self._last_ns, found[-1][0])  # new frames are the newest even if the clock was set back

    def _failure(self, verb: str, error: OSError) -> StoreError:
        if error.errno in _FULL:
            remedy = "The disk is full: free some space, or choose another folder with more."
        elif error.errno in _DENIED:
            remedy = "Choose a writable folder, or correct its permissions."
        else:
            remedy = "Choose another folder."
        return StoreError(
            f"cannot {verb} the frame store {str(self.folder)!r}: {error.strerror or error}.", remedy=remedy
        )
