"""Where the memory of one source lies on disk: `claim_place`.

    FOLDER/memory/SOURCE-xxxxxxxx/
        lock, owner     held by the process that watches the source
        source          its name, credentials masked
        frames/         pictures, see memory.frames
        memory.sqlite   key moments, what was forgotten, the clock of the timeline
        notes.sqlite    what is known in words
        vectors/        Chroma's index of the two, which can always be made anew

One process writes to a place. A second process that watches the same source gets a place of its own beside it.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from tools.errors import StoreError

PLACES = "memory"
RECORDING = "recording"
MOST_WATCHERS = 16
"""Processes that may watch one source with one folder at the same time; our choice."""
_NAME_LENGTH = 48


@dataclass(frozen=True)
class Place:
    """The folder of one memory.

    Attributes:
        folder: where it is.
        alone: whether this process has it claimed; else another watches into it.
        second: whether another process has the first place of the source, so that this one is beside it.
    """

    folder: Path
    _lock: FileLock = field(repr=False)
    alone: bool = True
    second: bool = False

    @property
    def frames(self) -> Path:
        return self.folder / "frames"

    def clear(self, *, recording: bool = False) -> None:
        """Remove everything but the pictures, as before a recording is watched anew: the same pictures come again.

        Args:
            recording: mark the place as one that may be removed as a whole, since its source can be watched again.
        """
        for path in self.folder.iterdir():
            if path.name in ("lock", "owner", "source", "frames"):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if recording:
            (self.folder / RECORDING).touch()

    def release(self) -> None:
        """Let other processes claim the place. May be called twice."""
        self._lock.release()


def claim_place(folder: Path, name: str, identity: str) -> Place:
    """Claim the place of a source, made if missing, or the next free one beside it.

    Args:
        folder: the folder of all memories.
        name: what the source is called, credentials masked; it shows in the folder's name.
        identity: what tells the source from others of the same name.

    Raises:
        StoreError: if the folder cannot be written, or too many processes watch the source.
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[-_NAME_LENGTH:] or "source"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    for number in range(1, MOST_WATCHERS + 1):
        path = folder / PLACES / (f"{plain}-{digest}" + (f"~{number}" if number > 1 else ""))
        lock = FileLock(path / "lock")
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            (path / "owner").write_text(f"{os.getpid()}\n")
            (path / "source").write_text(name, "utf-8")
        except Timeout:
            continue
        except OSError as error:
            raise StoreError(
                f"the memory {str(path)!r} cannot be opened: {error}.",
                remedy="Choose a folder that this user may write and whose disk is not full, with --folder.",
            ) from error
        return Place(path, lock, second=number > 1)
    raise StoreError(
        f"{MOST_WATCHERS} processes already watch {name!r} with the folder {str(folder)!r}.",
        remedy="Close some of them, or choose another folder with --folder.",
    )


def places(folder: Path) -> Iterator[Path]:
    """The places in a folder, in the order of their names."""
    if (folder / PLACES).is_dir():
        yield from sorted(path for path in (folder / PLACES).iterdir() if (path / "source").exists())


def source_of(path: Path) -> str:
    """The name of the source whose memory a place holds."""
    return (path / "source").read_text("utf-8")


def is_recording(path: Path) -> bool:
    """Whether the source of a place can be watched again from its beginning."""
    return (path / RECORDING).exists()


def visit_place(path: Path) -> Place:
    """Open a place that exists, claimed if nobody else has it (see `Place.alone`)."""
    lock = FileLock(path / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return Place(path, lock, alone=False)
    return Place(path, lock)


def tidy_places(folder: Path, limit_bytes: int) -> None:
    """Remove the memories of recordings that were watched longest ago, until all of them take at most `limit_bytes`.

    Those in use, and those of live sources, which nobody can watch again, are left alone.
    """
    sizes = {
        path: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        for path in places(folder)
        if is_recording(path) and in_use_by(path) is None
    }
    total = sum(sizes.values())
    for path in sorted(sizes, key=lambda path: (path / RECORDING).stat().st_mtime):
        if total <= limit_bytes:
            return
        shutil.rmtree(path, ignore_errors=True)
        total -= sizes[path]


def in_use_by(path: Path) -> int | None:
    """The number of the process that has a place claimed, or None; 0 where it cannot be told."""
    lock = FileLock(path / "lock")
    try:
        with lock.acquire(timeout=0):
            return None
    except Timeout:
        try:
            return int((path / "owner").read_text())
        except (OSError, ValueError):
            return 0
