"""What a run has done, one JSON object a line, on the disk before and after every action.

A line `intent` is written before an action and a line `done` after it, and `verified` once the whole run is. If a crash
comes in between, the intent stands alone, and on resuming nobody may believe that the action was not done, nor that it
was. Values of a run and its patient are not kept; the first line holds hashes of both (scrypt, RFC 7914, with a random
salt), so that they cannot be guessed at in bulk, and a run goes on with the same ones only, in whatever mode.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from tools.errors import ConfigError, StoreError
from tools.gui.guard.identity import Patient
from tools.gui.types import Outcome

FINISHED = frozenset({Outcome.VERIFIED, Outcome.COMPLETED_UNVERIFIED})
"""Outcomes after which the next step may be done."""


@dataclass
class Past:
    """What a journal tells.

    Attributes:
        done: steps that were done, by number, with their outcome.
        open: the step whose action may or may not have been done; None if there is none.
    """

    done: dict[int, Outcome] = field(default_factory=dict)
    open: int | None = None


class Journal:
    """Appends to one file; every line is on the disk (fsync) when a method returns.

    Args:
        path: the file; it must not be there yet, unless `resume` is set.
        workflow_sha256: names the workflow with its values; has to be the one of the file that is resumed.
        patient: whom the run is for; has to be the one of the file that is resumed.
        resume: go on with a file.

    Raises:
        ConfigError: if the file is there (without `resume`), is not (with it), or belongs to other work or another
            patient.
        StoreError: if it cannot be read or written, or another process writes it.
    """

    def __init__(
        self, path: Path, workflow_sha256: str, *, patient: Patient | None = None, resume: bool = False
    ) -> None:
        self.path = path
        if path.exists() != resume:
            problem = "is there already" if path.exists() else "is not there"
            raise ConfigError(f"the journal {str(path)!r} {problem}.", remedy="Resume a run by its own journal.")
        self._lock = FileLock(f"{path}.lock", timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            lines = _whole_lines(path) if resume else []
            self._file = open(path, "ab", opener=_owners_only)  # noqa: SIM115
            if resume:
                # A line that a crash tore is as if it had not been written.
                self._file.truncate(sum(len(line) + 1 for line in lines))
        except Timeout as error:
            raise StoreError(f"another process works with the journal {str(path)!r}.") from error
        except OSError as error:
            self._lock.release()
            raise StoreError(f"the journal {str(path)!r} cannot be opened: {error}.") from error
        try:
            self.past = _past(lines, workflow_sha256, patient, path) if lines else Past()
        except BaseException:
            self.close()
            raise
        if not lines:
            salt = secrets.token_hex(16)
            self._write({"kind": "run", "salt": salt, **_bound(salt, workflow_sha256, patient)})
            _sync_folder(path.parent)

    def intent(self, step: int, kind: str) -> None:
        """Say that a step's action is about to be done."""
        self._write({"kind": "intent", "step": step, "action": kind})

    def done(self, step: int, outcome: Outcome) -> None:
        """Say how it ended; an outcome that is not one of `FINISHED` leaves the step open."""
        self._write({"kind": "done", "step": step, "outcome": outcome.value})

    def verified(self) -> None:
        """Say that the whole run was verified, so that nothing is left of it."""
        self._write({"kind": "verified"})

    def close(self) -> None:
        """Close the file and let others go on with it."""
        self._file.close()
        self._lock.release()

    def _write(self, entry: dict[str, Any]) -> None:
        entry["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreError(f"the journal {str(self.path)!r} cannot be written: {error}.") from error


def is_verified(path: Path) -> bool:
    """Whether the run of a journal was verified, so that nothing of it is left. Raises StoreError."""
    try:
        return any(json.loads(line)["kind"] == "verified" for line in _whole_lines(path)[-1:])
    except (ValueError, KeyError, TypeError):
        return False
    except OSError as error:
        raise StoreError(f"the journal {str(path)!r} cannot be read: {error}.") from error


def _bound(salt: str, workflow_sha256: str, patient: Patient | None) -> dict[str, str]:
    """What a run is bound to, in a form that names nobody."""

    def hashed(told: str) -> str:
        return hashlib.scrypt(told.encode(), salt=bytes.fromhex(salt), n=1 << 14, r=8, p=1, dklen=32).hex()

    whom = json.dumps(patient.fields if patient else None, sort_keys=True)
    return {"workflow": hashed(workflow_sha256), "patient": hashed(whom)}


def _past(lines: list[bytes], workflow_sha256: str, patient: Patient | None, path: Path) -> Past:
    past = Past()
    try:
        entries = [json.loads(line) for line in lines]
        if "salt" not in entries[0]:
            raise ConfigError(
                f"the journal {str(path)!r} does not say which patient it is of.",
                remedy="It is of an earlier version: look at what was done, and start anew.",
            )
        now = _bound(entries[0]["salt"], workflow_sha256, patient)
        if not hmac.compare_digest(now["workflow"], entries[0]["workflow"]):
            raise ConfigError(
                f"the journal {str(path)!r} is of another workflow, or of other values.",
                remedy="Give the same file and the same values as before.",
            )
        if not hmac.compare_digest(now["patient"], entries[0]["patient"]):
            raise ConfigError(
                f"the journal {str(path)!r} is of another patient.",
                expected="the --patient it was begun with, letter by letter",
                remedy="For another patient start a run of its own, without --resume.",
            )
        for entry in entries[1:]:
            if entry["kind"] == "verified":
                continue
            step = int(entry["step"])
            if entry["kind"] == "intent":
                past.open = step
            elif Outcome(entry["outcome"]) == Outcome.HALTED_BEFORE_EFFECT:
                past.open = None
            elif Outcome(entry["outcome"]) in FINISHED:
                past.open = None
                past.done[step] = Outcome(entry["outcome"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(f"the journal {str(path)!r} is damaged: {error}.") from error
    return past


def _owners_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _whole_lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
