"""What all downloads share: progress, free space, and the record of each checked file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.models.catalogue import Entry
from agent.models.store import StoredFile
from tools.errors import AttendError

MARGIN_BYTES = 64 << 20
"""Space that is left free."""


class PullError(AttendError):
    """A model cannot be downloaded, checked or stored; what was downloaded before stays for the next attempt."""


class Progress(Protocol):
    """Receives the steps of a download."""

    def begin(self, step: str, total_bytes: int) -> None:
        """Begin a step of a known size."""

    def advance(self, count: int) -> None:
        """Add bytes to the current step; negative if they must be fetched again."""


class Quiet:
    """Shows nothing."""

    def begin(self, step: str, total_bytes: int) -> None:
        """Ignore the step."""

    def advance(self, count: int) -> None:
        """Ignore the bytes."""


@dataclass(frozen=True)
class Pulled:
    """Files in the staging folder, all checked, and where they came from."""

    files: dict[str, StoredFile]
    source: str
    licence: str


Fetch = Callable[[Entry, Path, Progress], Pulled]
"""Downloads the files of an entry into a staging folder that may hold what an earlier attempt left."""


def check_space(folder: Path, needed_bytes: int) -> None:
    """Check that a folder has room for more files.

    Raises:
        PullError: if it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed_bytes + MARGIN_BYTES:
        raise PullError(
            f"not enough space in {str(folder)!r}: {_size(needed_bytes)} are needed, and {_size(free)} are free.",
            remedy="Free some, or choose another disk with --dir.",
        )


def disk_full(error: OSError) -> PullError:
    """Return the error for a disk that became full in the middle of a download."""
    where = f" at {error.filename!r}" if error.filename else ""
    return PullError(
        f"the disk is full{where}.", remedy="Free some space and run the command again: it continues where it was."
    )


def hash_mismatch(name: str, expected: str, found: str, remedy: str) -> PullError:
    """Return the error for a file with another SHA-256 than the expected one."""
    return PullError(f"the SHA-256 of {name!r} is {found} instead of {expected}.", remedy=remedy)


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**8 else f"{count / 1e6:.1f} MB"
