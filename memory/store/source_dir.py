"""Where the memory of one source lies on disk: `claim_place`.

    FOLDER/memory/SOURCE-xxxxxxxx/
        lock, owner     held by the process that watches the source
        visit           held, beside the lock, by one that only lists or forgets
        source          its name, credentials masked
        frames/         pictures, see memory.store.frames
        memory.sqlite   key moments, what was forgotten, the clock of the timeline
        notes.sqlite    what is known in words
        vectors/        Chroma's index of the notes, which can always be made anew

One process writes to a place. A second process that watches the same source gets a place of its own beside it; one that
comes while somebody visits waits until they have left.
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
"""Processes that may watch one source with one folder at the same time; our choice."""
VISIT_S = 5.0
"""How long visitors, who are quick, are waited for; our choice."""
_NAME_LENGTH = 48
_POLL_S = 0.05
_REMOVED = ".removed-"
_VANISHED = (FileNotFoundError, FileExistsError)  # the second where a folder goes while it is being made


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
    _visit: FileLock | None = field(default=None, repr=False)
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
            if path.name in ("lock", "visit", "owner", "source", "frames"):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        if recording:
            (self.folder / RECORDING).touch()

    def set_aside(self, *names: str) -> None:
        """Put `.damaged` behind the names of files of SQLite, so that new ones can be begun.

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
        """Remove what was set aside: nobody can tell what is in it. Raises StoreError if it cannot be removed."""
        for path in self.folder.glob(f"*{DAMAGED}*"):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _failure(path, error) from error

    def remove(self) -> None:
        """Remove the place as a whole; only for one that is `alone`, and to be released afterwards.

        Raises:
            StoreError: if something of it is left.
        """
        # In one step, or another process could lock a new file in a folder that is half gone.
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
        """Let other processes claim the place. May be called twice."""
        self._lock.release()
        if self._visit is not None:
            self._visit.release()


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
        try:
            lock = _claim(path, name)
        except OSError as error:
            raise _unopened(path, error) from error
        if lock is not None:
            return Place(path, lock, second=number > 1)
    raise StoreError(
        f"{MOST_WATCHERS} processes already watch {name!r} with the folder {str(folder)!r}.",
        remedy="Close some of them, or choose another folder with --folder.",
    )


def places(folder: Path) -> Iterator[Path]:
    """The places in a folder, in the order of their names."""
    if (folder / PLACES).is_dir():
        found = [path for path in (folder / PLACES).iterdir() if not path.name.startswith(_REMOVED)]
        yield from sorted(path for path in found if (path / "source").exists())


def finish_removing(folder: Path) -> None:
    """Remove what is left of places whose removal was cut off.

    Raises:
        StoreError: if something of them cannot be removed.
    """
    for path in (folder / PLACES).glob(f"{_REMOVED}*"):
        _remove_tree(path)


def source_of(path: Path) -> str:
    """The name of the source whose memory a place holds; the folder's own where it cannot be read."""
    try:
        return (path / "source").read_text("utf-8") or path.name
    except (OSError, UnicodeDecodeError):
        return path.name


def watched_wall_s(path: Path) -> float:
    """Unix time at which somebody last began to watch into a place. Raises StoreError if that cannot be told."""
    try:
        return (path / "owner").stat().st_mtime
    except OSError as error:
        raise _unopened(path, error) from error


def is_recording(path: Path) -> bool:
    """Whether the source of a place can be watched again from its beginning."""
    return (path / RECORDING).exists()


def visit_place(path: Path, wait_s: float = VISIT_S) -> Place:
    """Open a place that exists, claimed if nobody watches into it (see `Place.alone`).

    Args:
        path: the place.
        wait_s: how long other visitors are waited for; one that stays longer counts as one who watches.

    Raises:
        StoreError: if the place is gone, or may not be opened.
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
        return Place(path, lock, alone=False)
    except OSError as error:
        raise _unopened(path, error) from error
    place = Place(path, lock, visit)
    if not (path / "source").exists():  # removed just now; locking made the folder anew
        place.remove()
        place.release()
        raise StoreError(f"the memory {str(path)!r} has been removed.")
    return place


def glance_at_place(path: Path) -> Place:
    """Open a place to read from it, whoever watches into it meanwhile; nobody is kept out."""
    return Place(path, _lock(path / "lock"), alone=False)


def tidy_places(folder: Path, limit_bytes: int) -> None:
    """Remove the memories of recordings that were watched longest ago, until all of them take at most `limit_bytes`.

    Those in use, and those of live sources, which nobody can watch again, are left alone.
    """
    with suppress(StoreError):  # tried again, and told, by `attend memory forget`
        finish_removing(folder)
    with ExitStack() as held:  # from sizing to removing, so that none is claimed in between
        found: list[tuple[float, int, Place]] = []
        for path in places(folder):
            if is_recording(path):
                with suppress(StoreError):  # another process has removed it just now, or it may not be opened
                    place = visit_place(path, wait_s=0.0)
                    held.callback(place.release)
                    if place.alone and is_recording(path):  # still: it may have been begun anew meanwhile
                        found.append(((path / RECORDING).stat().st_mtime, sum(map(_size, path.rglob("*"))), place))
        total = sum(size for _, size, _ in found)
        for _, size, place in sorted(found, key=lambda entry: entry[0]):
            if total <= limit_bytes:
                return
            with suppress(StoreError):
                place.remove()
                total -= size


def in_use_by(path: Path) -> int | None:
    """The number of the process that watches into a place, or None; 0 where it cannot be told."""
    place = visit_place(path)
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
        except FileNotFoundError:  # another process removes the same
            continue
        except OSError as error:
            raise _failure(path, error) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except FileNotFoundError:  # SQLite's helper files come and go
        return 0


def _claim(path: Path, name: str) -> FileLock | None:
    """Lock a place for one who watches, made if missing; None where another does. Visitors are waited for."""
    lock = _lock(path / "lock")
    give_up_s = time.monotonic() + VISIT_S
    visited = True  # so that a visitor who leaves between the two looks is no watcher
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
            # A visitor may have removed it just now.
            if not isinstance(error, _VANISHED) or time.monotonic() > give_up_s:
                raise
        else:
            return lock
        time.sleep(_POLL_S if visited else 0.0)


def _is_visited(path: Path) -> bool:
    try:
        with _lock(path / "visit").acquire(timeout=0):
            return False
    except (Timeout, *_VANISHED):  # or the visitor has removed the place meanwhile
        return True


def _lock(path: Path) -> FileLock:
    return FileLock(path, thread_local=False)  # the thread that lets go is often another one


def _failure(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the memory {str(path)!r} cannot be removed: {error}.",
        remedy="Check the permissions of the folder, and remove it by hand.",
    )


def _unopened(path: Path, error: OSError) -> StoreError:
    return StoreError(
        f"the memory {str(path)!r} cannot be opened: {error}.",
        remedy="Choose a folder that this user may write and whose disk is not full, with --folder.",
    )
