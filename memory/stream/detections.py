"""Detections of one source over time, in one SQLite file beside its memory: `Detections`.

A look is one frame that a detector was given. It lasts while the picture stays the same, so that a still scene costs
one row. Looks without detections are stored as well: they tell "nothing there" from "nobody looked".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.media.types import Span
from tools.sqlite import Database

FILE_NAME = "detections.sqlite"
QUOTA_SHARE = 0.05
"""Share of the byte quota of a source's pictures that its detections may take beside them."""
ROW_BYTES = 125
"""Size of a row with its indexes, measured on 120,000 rows."""
MIN_ROWS = 1_000
_BATCH = 2_000
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS looks (t_s REAL PRIMARY KEY, until_s REAL NOT NULL, frame_id TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS looks_by_frame ON looks (frame_id);
CREATE TABLE IF NOT EXISTS detections (
    id INTEGER PRIMARY KEY,
    t_s REAL NOT NULL,
    place INTEGER NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    confidence REAL NOT NULL,
    x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
    track INTEGER
);
CREATE INDEX IF NOT EXISTS detections_by_time ON detections (t_s);
"""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One detected thing in one frame.

    Attributes:
        label: its class, such as `person`.
        confidence: 0 to 1.
        box: left, top, right and bottom in shares of the picture.
        track: number of the track that it belongs to; None while it is not assigned to one.
        kind: what was detected: `thing` for objects and people.
    """

    label: str
    confidence: float
    box: tuple[float, float, float, float]
    track: int | None = None
    kind: str = "thing"

    @property
    def centre(self) -> tuple[float, float]:
        """Horizontal and vertical centre in shares."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True, slots=True)
class Look:
    """One frame that the detector was given.

    Attributes:
        t_s: media time in seconds.
        until_s: media time up to which the picture stayed the same.
        frame_id: sha256 of the pixels.
        sightings: what was detected, the surest first.
    """

    t_s: float
    until_s: float
    frame_id: str
    sightings: tuple[Sighting, ...]


class Detections:
    """Detections of one source, persistent across restarts. Thread-safe; other processes may read and delete.

    Args:
        folder: folder of the memory; the file `detections.sqlite` in it is made if missing.
        source: name of the source, credentials masked.
        quota_bytes: the quota of its pictures, of which detections take `QUOTA_SHARE`; the oldest are removed first.

    Raises:
        StoreError: if the file cannot be opened, is damaged, or was written by a newer version.
    """

    def __init__(self, folder: Path, source: str, quota_bytes: int) -> None:
        self.path = folder / FILE_NAME
        self.source = source
        self.max_rows = max(MIN_ROWS, int(QUOTA_SHARE * quota_bytes / ROW_BYTES))
        self._database = Database(
            self.path,
            "the detections",
            _SCHEMA,
            _SCHEMA_VERSION,
            damaged="Remove the file: only what was detected is lost, not the frames.",
            durable=False,
            secure_delete=True,
        )
        self._rows = self._count()  # at least: counting costs too much for each frame

    def add(self, t_s: float, frame_id: str, sightings: Sequence[Sighting]) -> None:
        """Store a look with what was detected; replaces an earlier one at the same time."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM detections WHERE t_s = ?", (t_s,))
            sql.execute("INSERT OR REPLACE INTO looks VALUES (?, ?, ?)", (t_s, t_s, frame_id))
            sql.executemany(
                "INSERT INTO detections (t_s, place, source, kind, label, confidence, x0, y0, x1, y1, track) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (t_s, place, self.source, one.kind, one.label, one.confidence, *one.box, one.track)
                    for place, one in enumerate(sightings)
                ],
            )
            self._rows += 1 + len(sightings)
            if self._rows > self.max_rows:
                self._evict(sql)
        if self._rows > self.max_rows:
            self._rows = self._count()

    def extend(self, t_s: float, until_s: float) -> None:
        """Record that the picture of a look stayed the same up to a later time."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE looks SET until_s = max(until_s, ?) WHERE t_s = ?", (until_s, t_s))

    def assign(self, t_s: float, tracks: Sequence[int]) -> None:
        """Assign the detections of a look to tracks, in their order."""
        with self._database.transaction() as sql:
            sql.executemany(
                "UPDATE detections SET track = ? WHERE t_s = ? AND place = ?",
                [(track, t_s, place) for place, track in enumerate(tracks)],
            )

    def of_frame(self, frame_id: str, t_s: float | None = None) -> Look | None:
        """Return the look at a frame, nearest to a time if it was shown more than once; None if there is none."""
        rows = self._database.read(
            "SELECT t_s, until_s FROM looks WHERE frame_id = ? ORDER BY abs(t_s - ?) LIMIT 1", (frame_id, t_s or 0.0)
        )
        if not rows:
            return None
        ((at_s, until_s),) = rows
        return Look(at_s, until_s, frame_id, self.at(at_s))

    def during(self, t_s: float) -> Look | None:
        """Return the look whose picture lasted at a time; None if there is none."""
        rows = self._database.read(
            "SELECT t_s, until_s, frame_id FROM looks WHERE t_s <= ? AND until_s >= ? ORDER BY t_s DESC LIMIT 1",
            (t_s, t_s),
        )
        if not rows:
            return None
        ((at_s, until_s, frame_id),) = rows
        return Look(at_s, until_s, frame_id, self.at(at_s))

    def at(self, t_s: float) -> tuple[Sighting, ...]:
        """Return what was detected at the time of a look."""
        rows = self._database.read(
            "SELECT label, confidence, x0, y0, x1, y1, track, kind FROM detections WHERE t_s = ? ORDER BY place", (t_s,)
        )
        return tuple(_sighting(row) for row in rows)

    def looks(self, span: Span | None = None) -> Iterator[Look]:
        """Yield the looks that overlap a span (None: all), oldest first, a batch at a time."""
        start_s, end_s = (span.start_s, span.end_s) if span else (-math.inf, math.inf)
        after_s = -math.inf
        while True:
            rows = self._database.read(
                "SELECT t_s, until_s, frame_id FROM looks WHERE t_s > ? AND until_s >= ? AND t_s <= ? "
                "ORDER BY t_s LIMIT ?",
                (after_s, start_s, end_s, _BATCH),
            )
            if not rows:
                return
            after_s = rows[-1][0]
            found: dict[float, list[Sighting]] = {row[0]: [] for row in rows}
            for t_s, *row in self._database.read(
                "SELECT t_s, label, confidence, x0, y0, x1, y1, track, kind FROM detections "
                "WHERE t_s BETWEEN ? AND ? ORDER BY t_s, place",
                (rows[0][0], after_s),
            ):
                if t_s in found:
                    found[t_s].append(_sighting(row))
            yield from (Look(t_s, until_s, frame_id, tuple(found[t_s])) for t_s, until_s, frame_id in rows)

    def labels(self) -> list[str]:
        """Return every label that was detected, the most frequent first."""
        rows = self._database.read("SELECT label FROM detections GROUP BY label ORDER BY count(*) DESC, label")
        return [label for (label,) in rows]

    def last_track(self) -> int:
        """Return the highest number of a track; 0 where there is none."""
        return int(self._database.read("SELECT coalesce(max(track), 0) FROM detections")[0][0])

    def forget(self, span: Span) -> int:
        """Remove the looks of a span and what was detected in them; return the number of detections removed.

        A look that began before the span and lasted into it ends where the span begins. What remains in unused parts
        of the file goes with `memory.store.secure_delete.wipe`.
        """
        within = (span.start_s, span.end_s)
        with self._database.transaction() as sql:
            gone = sql.execute("DELETE FROM detections WHERE t_s BETWEEN ? AND ?", within).rowcount
            sql.execute("DELETE FROM looks WHERE t_s BETWEEN ? AND ?", within)
            sql.execute(
                "UPDATE looks SET until_s = max(t_s, ?) WHERE t_s < ? AND until_s >= ?",
                (span.start_s, span.start_s, span.start_s),
            )
        return gone

    def __len__(self) -> int:
        return int(self._database.read("SELECT count(*) FROM detections")[0][0])

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._database.close()

    def _count(self) -> int:
        return int(self._database.read("SELECT (SELECT count(*) FROM looks) + (SELECT count(*) FROM detections)")[0][0])

    def _evict(self, sql: Any) -> None:
        """Remove the oldest tenth of the looks, so that it is rarely due."""
        (number,) = sql.execute("SELECT count(*) FROM looks").fetchone()
        (until_s,) = sql.execute("SELECT t_s FROM looks ORDER BY t_s LIMIT 1 OFFSET ?", (number // 10,)).fetchone()
        sql.execute("DELETE FROM detections WHERE t_s <= ?", (until_s,))
        sql.execute("DELETE FROM looks WHERE t_s <= ?", (until_s,))


def _sighting(row: Sequence[Any]) -> Sighting:
    label, confidence, x0, y0, x1, y1, track, kind = row
    return Sighting(label, confidence, (x0, y0, x1, y1), track, kind)
