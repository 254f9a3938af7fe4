"""`Archive`: key moments on disk, so that they survive the process; those that gave way stay as the long tier.

One SQLite file in WAL mode, the truth of what is remembered; pictures lie beside it in the frame store. A moment is
written after its picture, so that a row never names a picture that was not there.
"""

from __future__ import annotations

import math
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np

from memory.stream.frame_ref import FrameRef
from memory.stream.keyframes import SKETCH_SHAPE, KeyMoment
from memory.stream.wall_clock import WallTimes
from tools.errors import StoreError
from tools.media.types import Gap, Span

FILE_NAME = "memory.sqlite"
PAST_ROWS = 20_000
"""Moments held that gave way to others, oldest first to leave: about 5 MB. Our choice."""
GAP_ROWS = 20_000
"""Gaps held, newest kept: a camera that flaps leaves one every few seconds. Our choice."""
_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS moments (
    t_s REAL PRIMARY KEY, wall_s REAL, frame_id TEXT NOT NULL, source TEXT NOT NULL,
    width_px INTEGER NOT NULL, height_px INTEGER NOT NULL, score REAL,
    feature BLOB, sketch BLOB,
    start_s REAL NOT NULL, end_s REAL NOT NULL, frames INTEGER NOT NULL, scene INTEGER NOT NULL,
    pinned INTEGER NOT NULL, past INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS gaps (start_s REAL PRIMARY KEY, end_s REAL, reason TEXT NOT NULL, source TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS forgotten (id INTEGER PRIMARY KEY, start_s REAL NOT NULL, end_s REAL NOT NULL, token TEXT);
CREATE TABLE IF NOT EXISTS clock (name TEXT PRIMARY KEY, value REAL NOT NULL);
CREATE TABLE IF NOT EXISTS encoder (name TEXT NOT NULL, dim INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class PastMoment:
    """A moment of the long tier: its place in time; the picture is there while the quota allows."""

    kept: FrameRef
    start_s: float
    end_s: float
    scene: int


def is_damaged(error: StoreError) -> bool:
    """Whether an error says that a file of SQLite is none, or none any more."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)


class Archive:
    """The moments of one place. Safe to use from several threads; other processes may read and forget.

    Args:
        folder: where `memory.sqlite` lies; both are made if missing.

    Raises:
        StoreError: if the file cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        # Who asks to forget; process numbers would not do: in two containers both are number 1.
        self._token = secrets.token_hex(8)
        self._lock = Lock()
        with self._failures("opened"):
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self.path, check_same_thread=False, timeout=10)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise
        self._version = self._data_version()
        self._forgotten = self._last_forgotten()

    def save(self, moment: KeyMoment) -> None:
        """Write a moment, or write it anew. Raises StoreError if the file cannot be written."""
        kept = moment.kept
        row = (
            kept.t_s, kept.wall_s, kept.frame_id, kept.source, kept.width_px, kept.height_px, kept.score,
            moment.feature.astype(np.float16).tobytes(), moment.sketch.tobytes(),
            moment.start_s, moment.end_s, moment.frames, moment.scene, int(moment.pinned), 0,
        )  # fmt: skip
        with self._failures("written"), self._lock, self._database:
            self._database.execute(f"INSERT OR REPLACE INTO moments VALUES ({', '.join('?' * len(row))})", row)

    def drop(self, times_s: Iterable[float]) -> None:
        """Let moments give way: they become part of the long tier, without their arrays; the oldest of it leave."""
        with self._failures("written"), self._lock, self._database:
            self._database.executemany(
                "UPDATE moments SET past = 1, feature = NULL, sketch = NULL WHERE t_s = ?", [(t,) for t in times_s]
            )
            self._database.execute(
                "DELETE FROM moments WHERE past AND t_s <= "
                "(SELECT t_s FROM moments WHERE past ORDER BY t_s DESC LIMIT 1 OFFSET ?)",
                (PAST_ROWS,),
            )

    def key_moments(self) -> list[KeyMoment]:
        """The middle tier as it was last written, oldest first."""
        with self._failures("read"), self._lock:
            rows = self._database.execute("SELECT * FROM moments WHERE NOT past ORDER BY t_s").fetchall()
        return [
            KeyMoment(
                _kept(row),
                np.frombuffer(row[7], np.float16).astype(np.float32),
                np.frombuffer(row[8], np.uint8).reshape(SKETCH_SHAPE),
                start_s=row[9],
                end_s=row[10],
                frames=row[11],
                scene=row[12],
                pinned=bool(row[13]),
            )
            for row in rows
        ]

    def past(self, span: Span | None = None) -> list[PastMoment]:
        """The long tier in a span (None: all), oldest first."""
        start_s, end_s = (span.start_s, span.end_s) if span else (0.0, math.inf)
        with self._failures("read"), self._lock:
            rows = self._database.execute(
                "SELECT * FROM moments WHERE past AND end_s >= ? AND start_s <= ? ORDER BY t_s", (start_s, end_s)
            ).fetchall()
        return [PastMoment(_kept(row), row[9], row[10], row[12]) for row in rows]

    def push_gap(self, gap: Gap) -> None:
        """Write down a stretch that was not seen; the same gap with an end replaces the one without."""
        with self._failures("written"), self._lock, self._database:
            self._database.execute(
                "INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?)", (gap.start_s, gap.end_s, gap.reason, gap.source)
            )
            self._database.execute(
                "DELETE FROM gaps WHERE start_s <= (SELECT start_s FROM gaps ORDER BY start_s DESC LIMIT 1 OFFSET ?)",
                (GAP_ROWS,),
            )

    def gaps(self) -> list[Gap]:
        """All gaps, oldest first."""
        with self._failures("read"), self._lock:
            rows = self._database.execute("SELECT source, start_s, end_s, reason FROM gaps ORDER BY start_s").fetchall()
        return [Gap(*row) for row in rows]

    def clock(self, name: str) -> float | None:
        """A time of the timeline: `last_s`, how far it goes; `last_wall_s`, its Unix time; `epoch_wall_s`, of 0 s."""
        with self._failures("read"), self._lock:
            row = self._database.execute("SELECT value FROM clock WHERE name = ?", (name,)).fetchone()
        return None if row is None else float(row[0])

    def set_clock(self, **times: float | None) -> None:
        """Write times of the timeline (see `clock`), all or none; those that are None stay."""
        rows = [(name, value) for name, value in times.items() if value is not None]
        with self._failures("written"), self._lock, self._database:
            self._database.executemany("INSERT OR REPLACE INTO clock VALUES (?, ?)", rows)

    def wall_times(self) -> WallTimes:
        """When the moments of all tiers were there, by the clock on the wall."""
        with self._failures("read"), self._lock:
            rows = self._database.execute("SELECT t_s, wall_s FROM moments WHERE wall_s IS NOT NULL").fetchall()
        begun_s, last_s, last_wall_s = (self.clock(name) for name in ("epoch_wall_s", "last_s", "last_wall_s"))
        if begun_s is not None:
            rows.insert(0, (0.0, begun_s))
        if last_s is not None and last_wall_s is not None:
            rows.append((last_s, last_wall_s))
        return WallTimes(rows)

    def encoder(self) -> tuple[str, int] | None:
        """Name and length of vectors of the encoder that the features of key moments are of; None where not written."""
        with self._failures("read"), self._lock:
            return self._database.execute("SELECT name, dim FROM encoder").fetchone()

    def set_encoder(self, name: str, dim: int) -> None:
        """Write which encoder the features of key moments are of from now on."""
        with self._failures("written"), self._lock, self._database:
            self._database.execute("DELETE FROM encoder")
            self._database.execute("INSERT INTO encoder VALUES (?, ?)", (name, dim))

    def forget(self, span: Span) -> set[str]:
        """Strike out the moments of a span, tell other processes to do so, and return the frames that are gone.

        What is left of them in unused parts of the file goes with `memory.store.secure_delete.wipe`.
        """
        with self._failures("written"), self._lock, self._database:
            found = self._database.execute(
                "DELETE FROM moments WHERE t_s BETWEEN ? AND ? RETURNING frame_id", (span.start_s, span.end_s)
            ).fetchall()
            self._database.execute(
                "UPDATE moments SET end_s = max(t_s, ?) WHERE t_s < ? AND end_s > ?", (span.start_s,) * 3
            )
            self._database.execute(
                "UPDATE moments SET start_s = min(t_s, ?) WHERE t_s > ? AND start_s < ?", (span.end_s,) * 3
            )
            (number,) = self._database.execute(
                "INSERT INTO forgotten (start_s, end_s, token) VALUES (?, ?, ?) RETURNING id",
                (span.start_s, span.end_s, self._token),
            ).fetchone()
            self._database.execute("DELETE FROM forgotten WHERE id <= ?", (number - 1000,))
        return {frame_id for (frame_id,) in found}

    def told_to_forget(self) -> list[Span]:
        """Spans that others have forgotten since the last call; costs microseconds where there are none."""
        with self._failures("read"), self._lock:
            version = self._data_version()
            if version == self._version:
                return []
            rows = self._database.execute(
                "SELECT id, start_s, end_s, token FROM forgotten WHERE id > ? ORDER BY id", (self._forgotten,)
            ).fetchall()
            if rows:
                self._forgotten = rows[-1][0]
            self._version = version  # last of all: where reading fails, it is done again
        return [Span(start_s, end_s) for _, start_s, end_s, token in rows if token != self._token]

    def frame_ids(self) -> set[str]:
        """The frames that moments of any tier name."""
        with self._failures("read"), self._lock:
            return {frame_id for (frame_id,) in self._database.execute("SELECT frame_id FROM moments")}

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            self._database.close()

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.execute("PRAGMA secure_delete=ON")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > _SCHEMA_VERSION:
            raise StoreError(
                f"{str(self.path)!r} has format {version}, which is newer than {_SCHEMA_VERSION}.",
                remedy="Update attend-agent, or choose another folder.",
            )
        if version < _SCHEMA_VERSION:
            self._database.execute("BEGIN IMMEDIATE")  # others may open the same old file at the same time
            with self._database:
                self._make_schema()

    def _make_schema(self) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        for statement in _SCHEMA.split(";"):
            self._database.execute(statement)
        if version == 1:
            self._database.execute("ALTER TABLE forgotten ADD COLUMN token TEXT")
        self._database.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")

    def _data_version(self) -> int:
        return int(self._database.execute("PRAGMA data_version").fetchone()[0])

    def _last_forgotten(self) -> int:
        return int(self._database.execute("SELECT coalesce(max(id), 0) FROM forgotten").fetchone()[0])

    @contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            full = "full" in str(error)
            raise StoreError(
                f"the memory {str(self.path)!r} cannot be {what}: {error}.",
                remedy="Free some disk space." if full else "Check the disk and the permissions of the folder.",
            ) from error


def _kept(row: Sequence[object]) -> FrameRef:
    t_s, wall_s, frame_id, source, width_px, height_px, score = row[:7]
    return FrameRef(frame_id, source, t_s, width_px, height_px, "clear", score, wall_s)  # type: ignore[arg-type]
