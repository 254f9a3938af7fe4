"""Key moments on disk, so that they survive the process, and the queue of pending writes: `Archive`, `WriteQueue`.

Moments that gave way stay as the long tier.

One SQLite file in WAL mode, the truth of what is remembered; pictures lie beside it in the frame store. A moment is
written after its picture, so that a row never names a picture that was not there.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock

import numpy as np

from memory.stream.keyframes import SKETCH_SHAPE, KeyMoment, Ledger, PastLike
from memory.stream.queue import FrameRef
from memory.stream.wall_clock import WallTimes
from tools.media.types import Gap, Span
from tools.sqlite import Database

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
        self._lock = Lock()  # of `_version` and `_forgotten`
        self._database = Database(
            self.path,
            "the memory",
            _SCHEMA,
            _SCHEMA_VERSION,
            damaged="Move the file away: the memory is then begun anew.",
            durable=False,
            secure_delete=True,
            upgrades={1: "ALTER TABLE forgotten ADD COLUMN token TEXT"},
        )
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
        with self._database.transaction() as sql:
            sql.execute(f"INSERT OR REPLACE INTO moments VALUES ({', '.join('?' * len(row))})", row)

    def drop(self, times_s: Iterable[float]) -> None:
        """Let moments give way: they become part of the long tier, without their arrays; the oldest of it leave."""
        with self._database.transaction() as sql:
            sql.executemany(
                "UPDATE moments SET past = 1, feature = NULL, sketch = NULL WHERE t_s = ?", [(t,) for t in times_s]
            )
            sql.execute(
                "DELETE FROM moments WHERE past AND t_s <= "
                "(SELECT t_s FROM moments WHERE past ORDER BY t_s DESC LIMIT 1 OFFSET ?)",
                (PAST_ROWS,),
            )

    def key_moments(self) -> list[KeyMoment]:
        """The middle tier as it was last written, oldest first."""
        rows = self._database.read("SELECT * FROM moments WHERE NOT past ORDER BY t_s")
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
        """Return the long tier in a span (None: all), oldest first."""
        start_s, end_s = (span.start_s, span.end_s) if span else (0.0, math.inf)
        rows = self._database.read(
            "SELECT * FROM moments WHERE past AND end_s >= ? AND start_s <= ? ORDER BY t_s", (start_s, end_s)
        )
        return [PastMoment(_kept(row), row[9], row[10], row[12]) for row in rows]

    def push_gap(self, gap: Gap) -> None:
        """Write down a stretch that was not seen; the same gap with an end replaces the one without."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO gaps VALUES (?, ?, ?, ?)", (gap.start_s, gap.end_s, gap.reason, gap.source)
            )
            sql.execute(
                "DELETE FROM gaps WHERE start_s <= (SELECT start_s FROM gaps ORDER BY start_s DESC LIMIT 1 OFFSET ?)",
                (GAP_ROWS,),
            )

    def gaps(self) -> list[Gap]:
        """All gaps, oldest first."""
        rows = self._database.read("SELECT source, start_s, end_s, reason FROM gaps ORDER BY start_s")
        return [Gap(*row) for row in rows]

    def clock(self, name: str) -> float | None:
        """A time of the timeline: `last_s`, how far it goes; `last_wall_s`, its Unix time; `epoch_wall_s`, of 0 s."""
        rows = self._database.read("SELECT value FROM clock WHERE name = ?", (name,))
        return float(rows[0][0]) if rows else None

    def set_clock(self, **times: float | None) -> None:
        """Write times of the timeline (see `clock`), all or none; those that are None stay."""
        rows = [(name, value) for name, value in times.items() if value is not None]
        with self._database.transaction() as sql:
            sql.executemany("INSERT OR REPLACE INTO clock VALUES (?, ?)", rows)

    def wall_times(self) -> WallTimes:
        """When the moments of all tiers were there, by the clock on the wall."""
        rows = self._database.read("SELECT t_s, wall_s FROM moments WHERE wall_s IS NOT NULL")
        begun_s, last_s, last_wall_s = (self.clock(name) for name in ("epoch_wall_s", "last_s", "last_wall_s"))
        if begun_s is not None:
            rows.insert(0, (0.0, begun_s))
        if last_s is not None and last_wall_s is not None:
            rows.append((last_s, last_wall_s))
        return WallTimes(rows)

    def encoder(self) -> tuple[str, int] | None:
        """Name and length of vectors of the encoder that the features of key moments are of; None where not written."""
        rows = self._database.read("SELECT name, dim FROM encoder")
        return (str(rows[0][0]), int(rows[0][1])) if rows else None

    def set_encoder(self, name: str, dim: int) -> None:
        """Write which encoder the features of key moments are of from now on."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM encoder")
            sql.execute("INSERT INTO encoder VALUES (?, ?)", (name, dim))

    def forget(self, span: Span) -> set[str]:
        """Strike out the moments of a span, tell other processes to do so, and return the frames that are gone.

        What is left of them in unused parts of the file goes with `memory.store.secure_delete.wipe`.
        """
        with self._database.transaction() as sql:
            found = sql.execute(
                "DELETE FROM moments WHERE t_s BETWEEN ? AND ? RETURNING frame_id", (span.start_s, span.end_s)
            ).fetchall()
            sql.execute("UPDATE moments SET end_s = max(t_s, ?) WHERE t_s < ? AND end_s > ?", (span.start_s,) * 3)
            sql.execute("UPDATE moments SET start_s = min(t_s, ?) WHERE t_s > ? AND start_s < ?", (span.end_s,) * 3)
            (number,) = sql.execute(
                "INSERT INTO forgotten (start_s, end_s, token) VALUES (?, ?, ?) RETURNING id",
                (span.start_s, span.end_s, self._token),
            ).fetchone()
            sql.execute("DELETE FROM forgotten WHERE id <= ?", (number - 1000,))
        return {frame_id for (frame_id,) in found}

    def told_to_forget(self) -> list[Span]:
        """Spans that others have forgotten since the last call; costs microseconds where there are none."""
        with self._lock:
            version = self._data_version()
            if version == self._version:
                return []
            rows = self._database.read(
                "SELECT id, start_s, end_s, token FROM forgotten WHERE id > ? ORDER BY id", (self._forgotten,)
            )
            if rows:
                self._forgotten = rows[-1][0]
            self._version = version  # last of all: where reading fails, it is done again
        return [Span(start_s, end_s) for _, start_s, end_s, token in rows if token != self._token]

    def frame_ids(self) -> set[str]:
        """The frames that moments of any tier name."""
        return {frame_id for (frame_id,) in self._database.read("SELECT frame_id FROM moments")}

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._database.close()

    def _data_version(self) -> int:
        return int(self._database.read("PRAGMA data_version")[0][0])

    def _last_forgotten(self) -> int:
        return int(self._database.read("SELECT coalesce(max(id), 0) FROM forgotten")[0][0])


def _kept(row: Sequence[object]) -> FrameRef:
    t_s, wall_s, frame_id, source, width_px, height_px, score = row[:7]
    return FrameRef(frame_id, source, t_s, width_px, height_px, "clear", score, wall_s)  # type: ignore[arg-type]


MOST_WAITING = 2_000
"""Changes that wait for a writable disk, about 30 MB; the oldest are dropped."""


class WriteQueue:
    """A ledger that accepts changes at once and writes them in order on `write`. Thread-safe.

    Args:
        ledger: the destination; None never writes.
    """

    def __init__(self, ledger: Ledger | None) -> None:
        self._ledger = ledger
        self._lock = RLock()
        self._waiting: dict[tuple[str, float], Callable[[Ledger], None]] = {}

    def save(self, moment: KeyMoment) -> None:
        """Queue a moment, to be written in its state at that time."""
        self._add("save", moment.t_s, lambda ledger: ledger.save(moment))

    def drop(self, times_s: Iterable[float]) -> None:
        """Queue the move of the moments at these times to the long tier."""
        for t_s in times_s:
            self._add("drop", t_s, lambda ledger, t_s=t_s: ledger.drop([t_s]))  # type: ignore[misc]

    def push_gap(self, gap: Gap) -> None:
        """Queue a stretch that was not seen."""
        self._add("gap", gap.start_s, lambda ledger: ledger.push_gap(gap))

    def past(self, span: Span | None = None) -> Sequence[PastLike]:
        """Return the long tier in a span (None: all), oldest first."""
        return self._ledger.past(span) if self._ledger else []

    def write(self) -> None:
        """Write pending changes. Raises StoreError if that fails; the next call retries the rest."""
        if self._ledger is None:
            return
        with self._lock:
            for key, change in list(self._waiting.items()):
                change(self._ledger)
                del self._waiting[key]

    def _add(self, what: str, t_s: float, change: Callable[[Ledger], None]) -> None:
        if self._ledger is None:
            return
        with self._lock:
            self._waiting.pop((what, t_s), None)  # a repeated change moves behind those in between
            self._waiting[what, t_s] = change
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[next(iter(self._waiting))]
