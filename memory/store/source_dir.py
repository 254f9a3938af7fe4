"""Directory of one source's memory, with its locks: `claim_source_dir`.

    FOLDER/memory/SOURCE-xxxxxxxx/
      lock, owner     held by the process that watches the source
      visit           held, with the lock, by a process that only lists or deletes
      source          its name, credentials masked
      frames/         pictures, see memory.store.frames
      memory.sqlite   key moments, deleted spans, the clock of the timeline
      notes.sqlite    what is known in words
      detections.sqlite  detected objects and people, with boxes and times
      speech.sqlite   what was said; only where somebody spoke
      vectors/        Chroma's index of the notes, which can always be rebuilt

One process writes to a directory. A second process that watches the same source gets a directory of its own beside it;
one that comes during a visit waits for its end.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from tools.errors import StoreError

PLACES = "memory"
RECORDING = "recording"
DAMAGED = ".damaged"
MOST_WATCHERS = 16
"""Maximum number of processes that watch one source with one folder at the same time."""
VISIT_S = 5.0
"""How long to wait for visitors, which are quick."""
_NAME_LENGTH = 48
_POLL_S = 0.05
_REMOVED = ".removed-"
_VANISHED = (FileNotFoundError, FileExistsError)  # the second if a folder disappears while it is being made


@dataclass(frozen=True)
class SourceDir:
    """The directory of one memory.

    Attributes:
        folder: its path.
        alone: whether this process holds the lock; otherwise another process is watching.
        second: whether another process has the first directory of the source.
    """

    folder: Path
    _lock: FileLock = field(repr=False)
    _visit: FileLock | None = field(default=None, repr=False)
    alone: bool = True
    second: bool = False

    @property
    def frames(self) -> Path:
        return self.folder / "frames"

    def clear(self, *, recording: bool = False) -> None:
        """Remove everything but the pictures, for example before watching a recording again: the same pictures return.

        Args:
            recording: mark the directory as removable, since its source can be watched again.
        """
        for path in self.folder.iterdir():
            if path.name in ("lock", "visit", "owner", "source", "frames"):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if recording:
            (self.folder / RECORDING).touch()

    def set_aside(self, *names: str) -> None:
        """Rename SQLite files with the suffix `.damaged`, so that new ones can be created.

        Raises:
            StoreError: if one cannot be renamed.
        """
        try:
            for name in names:
                for tail in ("", "-wal", "-shm"):
                    with suppress(FileNotFoundError):
                        (self.folder / f"{name}{tail}").replace(self.folder / f"{name}{DAMAGED}{tail}")
        except OSError as error:
            raise _unopened(self.folder, error) from error

    def drop_damaged(self) -> None:
        """Remove the files set aside, whose content is unknown. Raises StoreError if one cannot be removed."""
        for path in self.folder.glob(f"*{DAMAGED}*"):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _failure(path, error) from error

    def remove(self) -> None:
        """Remove the whole directory; requires `alone`, and a release afterwards.

        Raises:
            StoreError: if something of it remains.
        """
        # In one step: otherwise another process could lock a new file in a folder that is half removed.
        removed = self.folder.with_name(f"{_REMOVED}{secrets.token_hex(8)}")
        try:
            self.folder.rename(removed)
        except OSError as error:
            raise _failure(self.folder, error) from error
        _remove_tree(removed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let other processes claim the directory. Idempotent."""
        self._lock.release()
        if self._visit is not None:
            self._visit.release()


def claim_source_dir(folder: Path, name: str, identity: str) -> SourceDir:
    """Claim the directory of a source, made if missing, or the next free one beside it.

    Args:
        folder: the folder of all memories.
        name: display name of the source, credentials masked; part of the directory's name.
        identity: distinguishes sources with the same name.

    Raises:
        StoreError: if the folder cannot be written, or too many processes watch the source.
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[-_NAME_LENGTH:] or "source"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:8]
    for number in range(1, MOST_WATCHERS + 1):
        path = folder / PLACES / (f"{plain}-{digest}" + (f"~{number}" if number > 1 else ""))
        try:
            lock = _claim(path, name)
        except OSError as error:
            raise _unopened(path, error) from error
        if lock is not None:
            return SourceDir(path, lock, second=number > 1)
    raise StoreError(
        f"cannot watch {name!r} with the folder {str(folder)!r}: {MOST_WATCHERS} processes already do.",
        remedy="Close some of them, or choose another folder with --folder.",
    )


def source_dirs(folder: Path) -> Iterator[Path]:
    """Yield the source directories in a folder, sorted by name."""
    if (folder / PLACES).is_dir():
        found = [path for path in (folder / PLACES).iterdir() if not path.name.startswith(_REMOVED)]
        yield from sorted(path for path in found if (path / "source").exists())


def finish_removing(folder: Path) -> None:
    """Remove the rest of directories whose removal was interrupted.

    Raises:
        StoreError: if something cannot be removed.
    """
    for path in (folder / PLACES).glob(f"{_REMOVED}*"):
        _remove_tree(path)


def source_of(path: Path) -> str:
    """Return the name of the source of a directory; the directory's own name if it cannot be read."""
    try:
        return (path / "source").read_text("utf-8") or path.name
    except (OSError, UnicodeDecodeError):
        return path.name


def watched_wall_s(path: Path) -> float:
    """Return the Unix time when a process last began to watch. Raises StoreError if it is unknown."""
    try:
        return (path / "owner").stat().st_mtime
    except OSError as error:
        raise _unopened(path, error) from error


def is_recording(path: Path) -> bool:
    """Return whether the source of a directory can be watched again from its beginning."""
    return (path / RECORDING).exists()


def visit_source_dir(path: Path, wait_s: float = VISIT_S) -> SourceDir:
    """Open an existing directory, and claim it if nobody watches (see `SourceDir.alone`).

    Args:
        path: the directory.
        wait_s: how long to wait for other visitors; one that stays longer counts as a watcher.

    Raises:
        StoreError: if the directory is gone, or cannot be opened.
    """
    lock, visit = _lock(path / "lock"), _lock(path / "visit")
    try:
        visit.acquire(timeout=wait_s)
        try:
            lock.acquire(timeout=0)
        except (Timeout, OSError):
            visit.release()
            raise
    except Timeout:
        return SourceDir(path, lock, alone=False)
    except OSError as error:
        raise _unopened(path, error) from error
    place = SourceDir(path, lock, visit)
    if not (path / "source").exists():  # removed just now; locking recreated the folder
        place.remove()
        place.release()
        raise StoreError(f"cannot open the memory {str(path)!r}: it has been removed.")
    return place


def read_source_dir(path: Path) -> SourceDir:
    """Open a directory for reading, even while others watch; locks nobody out."""
    return SourceDir(path, _lock(path / "lock"), alone=False)


def tidy_source_dirs(folder: Path, limit_bytes: int) -> None:
    """Remove the memories of the least recently watched recordings until all take at most `limit_bytes`.

    Skips memories in use, and those of live sources, which cannot be watched again.
    """
    with suppress(StoreError):  # `attend memory forget` tries again and reports it
        finish_removing(folder)
    with ExitStack() as held:  # held from sizing to removal, so that none is claimed in between
        found: list[tuple[float, int, SourceDir]] = []
        for path in source_dirs(folder):
            if is_recording(path):
                with suppress(StoreError):  # just removed by another process, or not accessible
                    place = visit_source_dir(path, wait_s=0.0)
                    held.callback(place.release)
                    if place.alone and is_recording(path):  # again: it may have been started over in the meantime
                        found.append(((path / RECORDING).stat().st_mtime, sum(map(_size, path.rglob("*"))), place))
        total = sum(size for _, size, _ in found)
        for _, size, place in sorted(found, key=lambda entry: entry[0]):
            if total <= limit_bytes:
                return
            with suppress(StoreError):
                place.remove()
                total -= size


def in_use_by(path: Path) -> int | None:
    """Return the id of the process that watches, or None; 0 if unknown."""
    place = visit_source_dir(path)
    place.release()
    if place.alone:
        return None
    try:
        return int((path / "owner").read_text())
    except (OSError, ValueError):
        return 0


def _remove_tree(path: Path) -> None:
    while path.exists():
        try:
            shutil.rmtree(path)
        except FileNotFoundError:  # another process is removing the same
            continue
        except OSError as error:
            raise _failure(path, error) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # SQLite's helper files come and go
        return 0


def _claim(path: Path, name: str) -> FileLock | None:
    """Lock a directory for watching, made if missing; None if another process watches. Waits for visitors."""
    lock = _lock(path / "lock")
    give_up_s = time.monotonic() + VISIT_S
    visited = True  # so that a visitor who leaves between the two checks is not taken for a watcher
    while True:
        try:
            path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
            (path / "owner").write_text(f"{os.getpid()}\n")
            (path / "source").write_text(name, "utf-8")
        except Timeout:
            if not visited or time.monotonic() > give_up_s:
                return None
            visited = _is_visited(path)
        except OSError as error:
            lock.release()
            # A visitor may have just removed it.
            if not isinstance(error, _VANISHED) or time.monotonic() > give_up_s:
                raise
        else:
            return lock
        time.sleep(_POLL_S if visited else 0.0)


def _is_visited(path: Path) -> bool:
    try:
        with _lock(path / "visit").acquire(timeout=0):
            return False
    except (Timeout, *_VANISHED):  # or the visitor has removed it in the meantime
        return True


def _lock(path: Path) -> FileLock:
    return FileLock(path, thread_local=False)  # another thread often releases it


def _failure(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot remove the memory {str(path)!r}: {error}.",
        remedy="Check the permissions of the folder, and remove it manually.",
    )


def _unopened(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"cannot open the memory {str(path)!r}: {error}.",
        remedy="Choose a folder that is writable and whose disk is not full, with --folder.",
    )
