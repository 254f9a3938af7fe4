"""`SourceMemory`: all tiers of memory of one source, on disk too, and what people may do with them.

A `SourceSession` watches into one; the command line opens one that nobody watches.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Literal, TypeVar

from agent.config import Config
from agent.perception.annotator import embed_texts
from agent.perception.export import DETECTIONS_TOLD, write_detections
from agent.perception.timeline import CurvePoint, Forgotten, Moment, Timeline
from memory.store.frames import FrameStore
from memory.store.secure_delete import wipe
from memory.store.source_dir import DAMAGED, SourceDir, claim_source_dir, tidy_source_dirs
from memory.stream.archive import FILE_NAME as ARCHIVE_FILE
from memory.stream.archive import Archive
from memory.stream.detections import FILE_NAME as DETECTIONS_FILE
from memory.stream.detections import Detections
from memory.stream.encoders import Encoder, load_encoder
from memory.stream.keyframes import KeyMoment
from memory.stream.memory import StreamMemory
from memory.stream.notes import FILE_NAME as NOTES_FILE
from memory.stream.notes import Notes
from memory.stream.policies import Decision, make_policy
from memory.stream.queue import FrameRef
from memory.stream.speech import FILE_NAME as SPEECH_FILE
from memory.stream.speech import Speech
from tools.errors import AttendError, StoreError
from tools.media import Gap, SourceInfo, Span
from tools.sqlite import is_damaged

Opened = TypeVar("Opened")

MOST_MOMENTS = 2_000
"""Moments of the long tier that a timeline lists, the newest of them; our choice."""

CLOCK_EVERY_S = 10.0
"""How often it is written down how far a live source was watched; our choice: what a kill may lose of the clock."""
CLOCK_JUMP_S = 2.0
"""What the clock on the wall moves on beside media time before that is written down too, as after a suspend."""


@dataclass(frozen=True)
class SourceMemory:
    """What is remembered of one source, in memory and on disk.

    Attributes:
        session: the timeline that media times belong to: one watching of a recording; a live source has one for good.
        memory: None where this process does not watch.
        epoch_wall_s: Unix time of media time 0 of a live source; None for a recording.
        offset_s: media time in seconds at which this watching began.
        troubles: what was found damaged when it was opened.
        on_forget: told of each span that is forgotten, whoever asked for it, by those who hold frames of their own.
    """

    place: SourceDir
    store: FrameStore
    archive: Archive
    notes: Notes
    speech: Speech
    detections: Detections
    session: str
    memory: StreamMemory | None = None
    epoch_wall_s: float | None = None
    offset_s: float = 0.0
    troubles: tuple[AttendError, ...] = ()
    on_forget: list[Callable[[Span], object]] = field(default_factory=list, repr=False)
    _owed: list[Span] = field(default_factory=list, repr=False)
    _heeding: Lock = field(default_factory=Lock, repr=False)

    def timeline(self, points: int = 600) -> Timeline:
        """Return the moments of all tiers, the score curve thinned to at most `points` frames, and the gaps."""
        if self.memory:
            self.heed()
        found: dict[float, Moment] = {}
        for past in self.archive.past()[-MOST_MOMENTS:]:
            found[past.kept.t_s] = _moment(past.kept, "past", scene=past.scene)
        keys = self.memory.moments.all() if self.memory and self.memory.moments else self.archive.key_moments()
        for key in keys:
            found[key.t_s] = _moment(key.kept, "key", pinned=key.pinned, scene=key.scene)
        for kept in self.memory.snapshot() if self.memory else []:
            known = found.get(kept.t_s)
            changed = {"tier": "recent", "detail": kept.state, "score": kept.score}
            found[kept.t_s] = known.model_copy(update=changed) if known else _moment(kept, "recent")
        shown, words = {moment.frame_id for moment in found.values()}, defaultdict[str, list[str]](list)
        for note in self.notes.each():
            if note.frame_id in shown:
                words[note.frame_id].append(note.text)
        log = self.memory.log if self.memory else []
        gaps = self.memory.gaps if self.memory else self.archive.gaps()
        times = [*found, *(gap.start_s for gap in gaps), *(decision.t_s for decision in log[:1])]
        newest_s = self.memory.stats.newest_s if self.memory else self.archive.clock("last_s")
        return Timeline(
            moments=[
                found[t_s].model_copy(update={"note": "; ".join(words[found[t_s].frame_id])}) for t_s in sorted(found)
            ],
            curve=[_point(decision) for decision in _thin(log, points)],
            gaps=[(gap.start_s, gap.end_s, gap.reason) for gap in gaps],
            begin_s=min(times, default=0.0),
            now_s=newest_s,
        )

    def forget(self, span: Span) -> Forgotten:
        """Remove pictures, vectors and rows of a span, and every stored picture that nothing remembered names any more.

        What an answer already says stays in the conversation, in words.

        Raises:
            StoreError: if a file cannot be written or removed; forgetting again goes on with what is left.
        """
        stored = set(self.store.ids())  # a picture that comes from here on may be named a moment later
        moments = len(self.memory.forget(span)) if self.memory else 0
        for drop in self.on_forget:
            drop(span)
        self.place.drop_damaged()
        struck_ids = self.archive.forget(span)
        struck = len(struck_ids)
        notes, vectors = self.notes.forget(span)
        spoken = self.speech.forget(span)
        self.detections.forget(span)
        used = self.archive.frame_ids() | self.notes.frame_ids()
        if self.memory:
            used |= {kept.frame_id for kept in self.memory.remembered()}
            used |= {kept.frame_id for kept in self.memory.snapshot()}
        if self.place.alone:  # else the memory of the process that watches names pictures too
            struck_ids = stored
            if self.memory is None:  # and nobody writes
                # Even where there was no note: a forgetting that was cut off may have left its vectors.
                self.notes.drop_index()
                self.store.remove_leftovers()
        self.store.remove([frame_id for frame_id in struck_ids if frame_id not in used])
        wipe(self.archive.path)
        wipe(self.notes.path)
        wipe(self.detections.path)
        if self.speech.path.exists():
            wipe(self.speech.path)
        return Forgotten(
            frames=len(stored - set(self.store.ids())),
            notes=notes + spoken,
            vectors=vectors,
            moments=max(moments, struck),
        )

    def pin(self, t_s: float, pinned: bool) -> Moment:
        """Keep the moment nearest to a time for good, or let it give way again.

        Raises:
            StoreError: if nothing is remembered near it.
        """
        if self.memory is None:
            raise AttendError("a moment can be pinned only while its source is watched.")
        kept = self.memory.pin(t_s, pinned)
        return _moment(kept, "key", pinned=pinned)

    def export(self, path: Path, span: Span | None = None) -> Path:
        """Write the remembered pictures, moments, notes, speech and detections of a span (None: all) into a zip file.

        Pictures with detections are written once more with boxes, as JPEG. Nobody is identified.

        Raises:
            StoreError: if the file cannot be written; a part of it is removed.
        """
        timeline = self.timeline(points=0)
        moments = [moment for moment in timeline.moments if span is None or moment.t_s in span]
        notes = self.notes.between(span)
        manifest = {
            "source": self.notes.source,
            "moments": len(moments),
            "notes": len(notes),
            "gaps": timeline.gaps,
            "detections": DETECTIONS_TOLD,
            "written": datetime.now().astimezone().isoformat(timespec="seconds"),
            "times": "t_s: media time in seconds; wall_s: Unix time in seconds",
        }
        try:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as bundle:
                for frame_id in dict.fromkeys(moment.frame_id for moment in moments):
                    if self.store.has(frame_id):
                        bundle.write(self.store.folder / f"{frame_id}.png", f"frames/{frame_id}.png")
                bundle.writestr("moments.jsonl", "".join(f"{moment.model_dump_json()}\n" for moment in moments))
                rows = [{"t_s": n.t_s, "frame_id": n.frame_id, "kind": n.kind, "text": n.text} for n in notes]
                bundle.writestr("notes.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
                write_detections(bundle, self.detections, self.store, {moment.frame_id for moment in moments}, span)
                if spoken := self.speech.between(span):
                    rows = [{"start_s": s.start_s, "end_s": s.end_s, "text": s.text} for s in spoken]
                    bundle.writestr("speech.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
                bundle.writestr("manifest.json", json.dumps(manifest, indent=2))
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StoreError(f"the export {str(path)!r} cannot be written: {error}.") from error
        return path

    def heed(self) -> None:
        """Forget what other processes have forgotten since the last call; microseconds where there is nothing."""
        with self._heeding:
            self._owed.extend(self.archive.told_to_forget())
            while self._owed:
                self.forget(self._owed[0])  # where this fails, it is owed until it does not
                self._owed.pop(0)

    def clock_epoch_s(self) -> float | None:
        """Unix time of media time 0 by the machine's clock as it is set now; it may have been set since the beginning.

        What was seen before the clock was set has then other times of the day than it had, all by the present clock.
        """
        newest = self.memory.newest() if self.memory and self.epoch_wall_s is not None else None
        if newest is None or newest.wall_s is None:
            return self.epoch_wall_s
        return newest.wall_s - newest.t_s

    def caretaker(self) -> Callable[[], None]:
        """What to call now and then while the source is watched: it heeds what others forget, and keeps the clock."""
        written_s, shift_s = -CLOCK_EVERY_S, 0.0

        def look_after() -> None:
            nonlocal written_s, shift_s
            self.heed()
            stats = self.memory.stats if self.memory else None
            if stats is None or stats.newest_s is None:
                return
            shifted_s = shift_s if stats.newest_wall_s is None else stats.newest_wall_s - stats.newest_s
            if stats.newest_s - written_s >= CLOCK_EVERY_S or abs(shifted_s - shift_s) > CLOCK_JUMP_S:
                # Also where writing fails, so that it is not tried and told of at each turn.
                written_s, shift_s = stats.newest_s, shifted_s
                self.archive.set_clock(last_s=stats.newest_s, last_wall_s=stats.newest_wall_s)

        return look_after

    def close(self) -> None:
        """Forget what others asked for lately, write how far the source was watched, and let others claim the place."""
        stats = self.memory.stats if self.memory else None
        with suppress(StoreError):  # their rows are gone already; a picture that cannot be removed keeps nothing open
            if self.memory:
                self.heed()
        with suppress(StoreError):  # it was written lately, and the rest must be closed whatever the disk says
            if stats is not None and stats.newest_s is not None:
                self.archive.set_clock(last_s=stats.newest_s, last_wall_s=stats.newest_wall_s)
        self.detections.close()
        self.notes.close()
        self.speech.close()
        self.archive.close()
        self.place.release()


def open_source_memory(spec: str, info: SourceInfo, config: Config) -> tuple[SourceMemory, StreamMemory]:
    """Open the memory of a source that is going to be watched: a live one's goes on, a recording's begins anew.

    Raises:
        ModelError, StoreError: if the encoder or the folder cannot be opened.
    """
    with ExitStack() as stack:
        place = claim_source_dir(config.folder, info.name, _identity(spec, info))
        stack.callback(place.release)
        if not info.live:
            # A recording is watched from its beginning: what was known of its end must not be told before.
            place.clear(recording=True)
        tidy_source_dirs(config.folder, config.quota_mb << 20)
        troubles: list[AttendError] = []
        # Without the times in the archive nobody can tell when notes were taken.
        archive = _open(lambda: Archive(place.folder), place, troubles, ARCHIVE_FILE, NOTES_FILE, SPEECH_FILE)
        stack.callback(archive.close)
        encoder = load_encoder(config.memory.encoder) if make_policy(config.memory).needs_feature else None
        store = FrameStore(place.frames, config.quota_mb << 20)
        memory = StreamMemory(config.memory, encoder, store, archive)
        epoch_wall_s, offset_s = _resume(archive, memory, info) if info.live else (None, 0.0)
        since = epoch_wall_s if epoch_wall_s is not None else time.time()
        session = f"{info.name} {datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M:%S.%f}"
        notes = _open(lambda: Notes(place.folder, info.name, embed_texts), place, troubles, NOTES_FILE)
        stack.callback(notes.close)
        speech = _open(lambda: Speech(place.folder), place, troubles, SPEECH_FILE)
        stack.callback(speech.close)
        detections = _open(
            lambda: Detections(place.folder, info.name, config.quota_mb << 20), place, troubles, DETECTIONS_FILE
        )
        stack.pop_all()
    remembered = SourceMemory(
        place,
        store,
        archive,
        notes,
        speech,
        detections,
        session,
        memory,
        epoch_wall_s,
        offset_s,
        troubles=tuple(troubles),
    )
    return remembered, memory


def _open(make: Callable[[], Opened], place: SourceDir, troubles: list[AttendError], *names: str) -> Opened:
    """Open the first of some files of a memory; where it is damaged, all of them are set aside and begun anew."""
    try:
        return make()
    except StoreError as error:
        if not is_damaged(error):
            raise
        place.set_aside(*names)
        path = str(place.folder / names[0])
        troubles.append(
            StoreError(
                f"{path!r} was damaged and is begun anew: what was remembered before is lost.",
                remedy=f"The damaged file was kept as {path + DAMAGED!r}; to forget anything removes it.",
            )
        )
        return make()


def _identity(spec: str, info: SourceInfo) -> str:
    """What tells a source from others of its name: for a file its path, size and age, else its masked address."""
    path = Path(spec).expanduser()
    if info.live or not path.exists():
        return info.name
    status = path.stat()
    return f"{path.resolve()} {status.st_size} {status.st_mtime_ns}"


def _resume(archive: Archive, memory: StreamMemory, info: SourceInfo) -> tuple[float, float]:
    """Go on with the timeline of a live source: Unix time of its beginning, and the media time of now, in seconds."""
    now_wall_s = time.time()
    epoch_wall_s, last_s = archive.clock("epoch_wall_s"), archive.clock("last_s")
    moments = archive.key_moments()
    held: list[KeyMoment] = []
    if memory.moments is not None and memory.encoder is not None:
        held = _comparable(archive, memory.store, memory.encoder, moments)
    if epoch_wall_s is None or not (moments or last_s):
        archive.set_clock(epoch_wall_s=now_wall_s)
        return now_wall_s, 0.0
    last_s = max(last_s or 0.0, *(moment.end_s for moment in moments), 0.0)
    # A clock that was set back must not make time run backwards.
    offset_s = max(now_wall_s - epoch_wall_s, last_s + 1.0)
    memory.restore(held, archive.gaps(), last_s)
    memory.push_gap(Gap(info.name, last_s, offset_s, "nobody was watching"))
    return epoch_wall_s, offset_s


def _comparable(archive: Archive, store: FrameStore, encoder: Encoder, moments: Sequence[KeyMoment]) -> list[KeyMoment]:
    """The key moments that new frames can be compared with; others join the long tier.

    Features of another encoder mean nothing to this one. What a person has pinned is encoded anew.
    """
    now = (encoder.name, encoder.dim)
    same = (archive.encoder() or (encoder.name, len(moments[0].feature) if moments else encoder.dim)) == now
    held = [moment for moment in moments if (same or moment.pinned) and store.has(moment.kept.frame_id)]
    archive.drop([moment.t_s for moment in moments if moment not in held])
    if not same:
        for moment in held:
            moment.feature = encoder.embed(store.get(moment.kept.frame_id))
            archive.save(moment)
    archive.set_encoder(*now)
    return held


def _moment(
    kept: FrameRef,
    tier: Literal["recent", "key", "past"],
    pinned: bool = False,
    scene: int | None = None,
) -> Moment:
    return Moment(
        t_s=kept.t_s,
        wall_s=kept.wall_s,
        frame_id=kept.frame_id,
        detail=kept.state,
        tier=tier,
        score=kept.score,
        pinned=pinned,
        scene=scene,
    )


def _point(decision: Decision) -> CurvePoint:
    return CurvePoint(
        t_s=decision.t_s, score=decision.CS, keep_from=decision.g1, clear_from=decision.g2, state=decision.state
    )


def _thin(log: Sequence[Decision], points: int) -> list[Decision]:
    """At most `points` decisions: of each stretch the one with the highest score, so that peaks stay."""
    if len(log) <= points:
        return list(log)
    edges = [round(step * len(log) / points) for step in range(points + 1)] if points else []
    stretches = [log[start:end] for start, end in pairwise(edges) if end > start]
    return [max(stretch, key=lambda decision: decision.CS or 0.0) for stretch in stretches]
