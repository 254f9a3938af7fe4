"""Journal of a run: one JSON object per line, on disk before and after every action.

A line `intent` is written before an action and a line `done` after it, and `verified` after a verified run. After
a crash in between, the intent has no `done`, and resuming must assume neither that the action was performed, nor that
it was not. Values and patient are not stored; the first line has hashes of both (scrypt, RFC 7914, with a random salt),
which resist bulk guessing, and a run resumes only with the same ones, in any mode.
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
"""Outcomes after which the next step may run."""


@dataclass
class Past:
    """The progress stored in a journal.

    Attributes:
        done: completed steps, by number, with their outcome.
        open: the step whose action may or may not have been performed; None if there is none.
    """

    done: dict[int, Outcome] = field(default_factory=dict)
    open: int | None = None


class Journal:
    """Appends to a file; every line is on disk (fsync) when a method returns.

    Args:
        path: the file; it must not exist yet, unless `resume` is set.
        workflow_sha256: hash of the workflow with its values; must be that of the resumed file.
        patient: the patient of the run; must be that of the resumed file.
        resume: continue a file.

    Raises:
        ConfigError: if the file exists (without `resume`), is missing (with it), or belongs to another workflow or
            patient.
        StoreError: if it cannot be read or written, or another process writes to it.
    """

    def __init__(
        self, path: Path, workflow_sha256: str, *, patient: Patient | None = None, resume: bool = False
    ) -> None:
        self.path = path
        if path.exists() != resume:
            problem = "already exists" if path.exists() else "does not exist"
            raise ConfigError(f"the journal {str(path)!r} {problem}.", remedy="Resume a run by its own journal.")
        self._lock = FileLock(f"{path}.lock", timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
            lines = _whole_lines(path) if resume else []
            self._file = open(path, "ab", opener=_owners_only)  # noqa: SIM115
            if resume:
                # A line torn by a crash counts as not written.
                self._file.truncate(sum(len(line) + 1 for line in lines))
        except Timeout as error:
            raise StoreError(f"cannot open the journal {str(path)!r}: another process uses it.") from error
        except OSError as error:
            self._lock.release()
            raise StoreError(f"cannot open the journal {str(path)!r}: {error}.") from error
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
        """Record that a step's action is about to be performed."""
        self._write({"kind": "intent", "step": step, "action": kind})

    def done(self, step: int, outcome: Outcome) -> None:
        """Record how it ended; an outcome outside `FINISHED` leaves the step open."""
        self._write({"kind": "done", "step": step, "outcome": outcome.value})

    def verified(self) -> None:
        """Record that the whole run was verified, so that nothing is left to do."""
        self._write({"kind": "verified"})

    def close(self) -> None:
        """Close the file and release its lock."""
        self._file.close()
        self._lock.release()

    def _write(self, entry: dict[str, Any]) -> None:
        entry["at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        try:
            self._file.write(json.dumps(entry).encode() + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreError(f"cannot write the journal {str(self.path)!r}: {error}.") from error


def is_verified(path: Path) -> bool:
    """Return whether the run of a journal was verified. Raises StoreError."""
    try:
        return any(json.loads(line)["kind"] == "verified" for line in _whole_lines(path)[-1:])
    except (ValueError, KeyError, TypeError):
        return False
    except OSError as error:
        raise StoreError(f"cannot read the journal {str(path)!r}: {error}.") from error


def _bound(salt: str, workflow_sha256: str, patient: Patient | None) -> dict[str, str]:
    """Return what a run is bound to, in anonymous form."""

    def hashed(text: str) -> str:
        return hashlib.scrypt(text.encode(), salt=bytes.fromhex(salt), n=1 << 14, r=8, p=1, dklen=32).hex()

    whom = json.dumps(patient.fields if patient else None, sort_keys=True)
    return {"workflow": hashed(workflow_sha256), "patient": hashed(whom)}


def _past(lines: list[bytes], workflow_sha256: str, patient: Patient | None, path: Path) -> Past:
    past = Past()
    try:
        entries = [json.loads(line) for line in lines]
        if "salt" not in entries[0]:
            raise ConfigError(
                f"cannot resume the journal {str(path)!r}: it does not identify the patient.",
                remedy="It is from an earlier version: check what was done, and start again.",
            )
        now = _bound(entries[0]["salt"], workflow_sha256, patient)
        if not hmac.compare_digest(now["workflow"], entries[0]["workflow"]):
            raise ConfigError(
                f"cannot resume the journal {str(path)!r}: it belongs to another workflow or other values.",
                remedy="Use the same file and the same values as before.",
            )
        if not hmac.compare_digest(now["patient"], entries[0]["patient"]):
            raise ConfigError(
                f"cannot resume the journal {str(path)!r}: it belongs to another patient.",
                expected="the same --patient as at its start, letter by letter",
                remedy="For another patient start a new run, without --resume.",
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
        raise StoreError(f"cannot read the journal {str(path)!r}: damaged: {error}.") from error
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
