"""Append-only audit log of requests, decisions and actions: one JSON object per line, each chained to the one before.

Every line contains the sha256 of the line before it (`prev`) and of itself (`hash`), so that edits, removals and
reordering within the file are detected. A chain alone cannot detect that lines were cut off at the end, or that the
whole file was rewritten. For these, note the number of lines and the last hash elsewhere, and pass them to `verify`.
Texts are redacted before they are written; screenshots are identified by their hash and not stored. Of addresses the
server is stored, and of the rest, which may name a study, only a keyed hash (HMAC-SHA256), which shows only whether it
was the same; the key is beside the file, readable by its owner only.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from filelock import FileLock, Timeout

from tools.errors import StoreError
from tools.privacy.redact import Redactor

GENESIS = "0" * 64
"""The previous hash of the first line."""
_READ_BYTES = 1 << 16
_KEPT = frozenset({"prev", "hash", "n", "at", "kind"})
_LABELS = frozenset({"label", "window", "step", "words"})
"""Fields that quote the screen: a row or a title often names a person."""
_QUOTED = re.compile(r"'[^'\n]+'|\"[^\"\n]+\"")
"""Quoted labels in our own sentences."""
_ADDRESS = re.compile(r"https?://[^\s'\"<>]+", re.IGNORECASE)
_LETTERS = str.maketrans("0123456789", "ghijklmnop")
"""Hashes are written without digits, which redaction would take for personal numbers."""


@dataclass(frozen=True)
class Checked:
    """The result of verification.

    Attributes:
        entries: number of valid lines from the start.
        head: the hash of the last of these; `GENESIS` if there is none.
        problem: what is wrong with the next line, "" if nothing is.
        line: its number, counted from 1; 0 if nothing is wrong.
    """

    entries: int
    head: str
    problem: str = ""
    line: int = 0

    @property
    def holds(self) -> bool:
        """Whether the whole file is valid."""
        return not self.problem


class AuditLog:
    """Appends to a file; every line is on disk (fsync) when `append` returns.

    A last line torn by a crash is cut off, and the cut is recorded. Only one log at a time may write to a file.

    Args:
        path: the file; created with its folder if missing.
        redactor: redacts every text, and labels, titles and quotes more strictly; None uses one with our own detectors.
        clock: clock for the time of an entry.

    Raises:
        StoreError: if the file cannot be opened, another process writes to it, or its end is invalid.
    """

    def __init__(
        self,
        path: Path,
        redactor: Redactor | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.path, self._redactor, self._clock = path, redactor or Redactor(), clock
        self._thread_lock = threading.Lock()
        self._entries, self.head = 0, GENESIS
        self._lock = FileLock(f"{path}.lock", timeout=0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise StoreError(
                f"cannot open the audit file {str(path)!r}: another process writes to it.",
                remedy="Name another file, or end that process.",
            ) from error
        except OSError as error:
            raise StoreError(f"cannot open the audit file {str(path)!r}: {error}.") from error
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise

    def append(self, kind: str, told: Mapping[str, Any]) -> str:
        """Write an entry and return its hash. Raises StoreError; the recorded action must not be performed then.

        Also raises if the file was removed, replaced, truncated or written by others since the last entry.
        """
        with self._thread_lock:
            if self._file.closed:
                raise StoreError(
                    f"cannot write the audit file {str(self.path)!r}: it is closed.", remedy="Open it again."
                )
            entry: dict[str, Any] = {
                **{key: self._clean(value, key) for key, value in told.items() if key not in _KEPT},
                "n": self._entries + 1,
                "at": self._clock().isoformat(timespec="milliseconds"),
                "kind": kind,
                "prev": self.head,
            }
            entry["hash"] = entry_hash(entry)
            line = _canonical(entry) + b"\n"
            self._see_that_it_is_there()
            try:
                self._file.write(line)
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                # The content of the file is now unknown; reopening repairs it.
                self._file.close()
                raise StoreError(f"cannot write the audit file {str(self.path)!r}: {error}.") from error
            self._bytes += len(line)
            self._entries, self.head = self._entries + 1, entry["hash"]
            return self.head

    def know(self, details: Sequence[str]) -> None:
        """Redact these details from now on as well, such as the name and number of the session's patient."""
        with self._thread_lock:
            self._redactor = self._redactor.knowing(details)

    def redacted(self, text: str, *, label: bool = False) -> str:
        """Redact a text as in this file, for other storage; more strictly if it is a label or a title."""
        return str(self._clean(text, "label" if label else ""))

    def close(self) -> None:
        """Close the file and release its lock."""
        with self._thread_lock:
            self._file.close()
            self._lock.release()

    def _see_that_it_is_there(self) -> None:
        """Raise StoreError if the open file is no longer at its path, or others have written to it."""
        try:
            named, opened = self.path.stat(), os.fstat(self._file.fileno())
        except OSError as error:
            raise StoreError(
                f"cannot find the audit file {str(self.path)!r}: {error}.",
                remedy="Find out who removed it; then start again.",
            ) from error
        if not os.path.samestat(named, opened):
            raise StoreError(
                f"cannot use the audit file {str(self.path)!r}: it was replaced.",
                remedy="Find out who replaced it; then start again.",
            )
        if opened.st_size != self._bytes:
            raise StoreError(
                f"cannot use the audit file {str(self.path)!r}: {opened.st_size} bytes instead of {self._bytes}.",
                remedy=f"Look at it with: attend audit verify {self.path}. Write to another file meanwhile.",
            )

    def _clean(self, value: Any, key: str = "") -> Any:
        """Redact every text in a value; fields with hashes are kept, since they reveal nothing."""
        if isinstance(value, str):
            if _is_hash(value):
                return value
            value = _ADDRESS.sub(self._address, value)
            if key in _LABELS:
                return self._redactor.label(value)
            return self._redactor.text(_QUOTED.sub(self._quoted, value))
        if isinstance(value, Mapping):
            return {str(key): self._clean(entry, str(key)) for key, entry in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(entry, key) for entry in value]
        return value

    def _address(self, found: re.Match[str]) -> str:
        """Keep the server of an address, and replace the rest by a keyed hash."""
        address = found[0].rstrip(".,;:!?)")
        try:
            parts = urlsplit(address)
            server = f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
        except ValueError:  # not an address
            return found[0]
        rest = address[len(f"{parts.scheme}://{parts.netloc}") :]
        if rest in ("", "/"):
            return f"{server}{rest}{found[0][len(address) :]}"
        told = hmac.digest(self._key, rest.encode("utf-8", "surrogatepass"), "sha256").hex()[:16]
        return f"{server}/{told.translate(_LETTERS)}{found[0][len(address) :]}"

    def _quoted(self, found: re.Match[str]) -> str:
        # The number in an address is a port, not personal.
        label = found[0][1:-1]
        return found[0] if "://" in label else f"{found[0][0]}{self._redactor.label(label)}{found[0][-1]}"

    def _open(self) -> None:
        new = not self.path.exists()
        try:
            self._key = _key(self.path.with_name(self.path.name + ".key"))
            self._file = open(self.path, "ab", opener=_owners_only)  # noqa: SIM115
            if new:
                folder = os.open(self.path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
            torn = _torn_end(self.path)
            if torn:
                self._file.truncate(self.path.stat().st_size - len(torn))
                os.fsync(self._file.fileno())
        except OSError as error:
            raise StoreError(f"cannot open the audit file {str(self.path)!r}: {error}.") from error
        last = _last_line(self.path)
        self._bytes = os.fstat(self._file.fileno()).st_size
        if last:
            entry = _parse(last)
            if isinstance(entry, str):
                self._file.close()
                raise StoreError(
                    f"invalid last line in the audit file {str(self.path)!r}: {entry}.",
                    remedy=f"Look at it with: attend audit verify {self.path}. Write to another file meanwhile.",
                )
            self._entries, self.head = entry["n"], entry["hash"]
        if torn:
            digest = hashlib.sha256(torn).hexdigest()
            self.append(
                "healed",
                {"reason": "the last line was torn and has been cut off", "bytes": len(torn), "sha256": digest},
            )


def verify(path: Path, *, entries: int | None = None, head: str | None = None) -> Checked:
    """Verify a file from its first line to its last.

    Args:
        path: the file; it may be in use.
        entries: the number of lines noted elsewhere; fewer are a problem.
        head: the hash noted elsewhere; it has to be that of the line `entries`, else of the last line.

    Raises:
        StoreError: if the file cannot be read.
    """
    number, before = 0, GENESIS
    noted = ""
    for line in _lines(path):
        entry = _parse(line)
        problem = entry if isinstance(entry, str) else ""
        if not isinstance(entry, str):
            if entry["prev"] != before:
                problem = "it does not follow the line before it: one was changed, removed or moved"
            elif entry["n"] != number + 1:
                problem = f"it is numbered {entry['n']}"
        if problem:
            return Checked(number, before, problem, number + 1)
        number, before = number + 1, entry["hash"]  # type: ignore[index]
        noted = before if number == (entries or number) else noted
    if entries is not None and number < entries:
        return Checked(number, before, f"{entries - number} lines are missing at the end", number + 1)
    if head is not None and noted != head:
        return Checked(number, before, "the hash differs from the noted one: the file was rewritten", number)
    return Checked(number, before)


def verify_kept(path: Path, *, entries: int | None = None, head: str | None = None) -> Checked:
    """Verify a file that must have entries: like `verify`, but an empty file proves nothing and is invalid.

    Raises:
        StoreError: if the file cannot be read.
    """
    checked = verify(path, entries=entries, head=head)
    if checked.entries or checked.problem:
        return checked
    return replace(checked, problem="the file has no entries", line=1)


def read_entries(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a file, oldest first; stops before the first invalid line. Raises StoreError."""
    for line in _lines(path):
        entry = _parse(line)
        if isinstance(entry, str):
            return
        yield entry


def entry_hash(entry: Mapping[str, Any]) -> str:
    """Return the sha256 of an entry without its own hash, in canonical form: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(_canonical({key: value for key, value in entry.items() if key != "hash"})).hexdigest()


def _canonical(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "backslashreplace"
    )


def _parse(line: bytes) -> dict[str, Any] | str:
    """Return an entry if its own hash is valid, else what is wrong with the line."""
    if not line.endswith(b"\n"):
        return "it is torn"
    try:
        entry = json.loads(line, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return "it is not JSON"
    if not isinstance(entry, dict) or not isinstance(entry.get("n"), int) or not isinstance(entry.get("prev"), str):
        return "it is not an entry"
    try:
        holds = entry.get("hash") == entry_hash(entry) and _canonical(entry) + b"\n" == line
    except ValueError:  # a number without end
        holds = False
    return entry if holds else "its text does not match its hash"


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _key(path: Path) -> bytes:
    """Return the key beside an audit file, created if missing. Raises OSError."""
    try:
        with open(path, "xb", opener=_owners_only) as file:
            file.write(secrets.token_hex(32).encode())
    except FileExistsError:
        pass
    key = path.read_bytes()
    if len(key) != 64:
        raise OSError(f"invalid key {str(path)!r}; move it away, and a new one is created")
    return key


def _owners_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            yield from file
    except OSError as error:
        raise StoreError(f"cannot read the audit file {str(path)!r}: {error}.") from error


def _torn_end(path: Path) -> bytes:
    """Return what follows the last line break."""
    tail = b""
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at and b"\n" not in tail:
            at = max(0, at - _READ_BYTES)
            file.seek(at)
            tail = file.read()
    return tail.rpartition(b"\n")[2]


def _last_line(path: Path) -> bytes:
    """Return the last whole line of a file that ends in a line break; empty if there is none."""
    tail = b""
    with path.open("rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at and tail.count(b"\n") < 2:
            at = max(0, at - _READ_BYTES)
            file.seek(at)
            tail = file.read()
    return tail[tail.rstrip(b"\n").rfind(b"\n") + 1 :]


def _is_hash(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
