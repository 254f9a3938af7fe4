"""Memory of one stream, pushed frame by frame and read at any time: `StreamMemory`."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from memory.store.frames import FrameStore, NoRoomError
from memory.stream.archive import WriteQueue
from memory.stream.encoders import Encoder
from memory.stream.keyframes import KeyMoment, KeyMoments, Ledger
from memory.stream.options import StreamOptions
from memory.stream.policies import Decision, make_policy
from memory.stream.queue import FrameRef, Queue, by_time
from tools.errors import ConfigError, MediaError, ModelError, StoreError
from tools.media.types import Frame, Gap, Span

LOG_LENGTH = 20_000
"""Decisions stored for drawing the score curve, the newest: 5.5 hours at one frame per second."""
GAPS_LENGTH = 1_000
"""Maximum number of gaps stored, the newest."""
PINNED_SHARE = 0.75
"""Share of the store's quota for frames in memory; above it, key moments are evicted, and when there are no more,
queued frames."""
PIN_NEAR_S = 1.0
"""Maximum distance of a remembered frame from the moment that a person pins."""


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts since the memory began; `kept_now` and `tokens_now` refer to the queue, `encode_s` is time spent encoding.

    `newest_s` and `newest_wall_s` are the media time and the Unix time of the newest frame; `lost` counts the frames
    that should have been kept but could not be stored.
    """

    seen: int
    clear: int
    fuzzy: int
    discarded: int
    gaps: int
    kept_now: int
    tokens_now: int
    newest_s: float | None
    encode_s: float
    lost: int = 0
    newest_wall_s: float | None = None

    @property
    def keep_rate(self) -> float:
        """Share of all frames seen that were kept on arrival."""
        return (self.clear + self.fuzzy) / self.seen if self.seen else 0.0


class StreamMemory:
    """A bounded queue of kept frames of a stream, and the newest frame.

    One thread pushes while others take snapshots. Pixels of kept frames go to the store at native resolution; a fuzzy
    frame is shrunk only for display, so that the query frame can still be shown clear, and a tool can look closer.
    Queued frames are pinned in the store.

    Args:
        options: the policy and its settings.
        encoder: maps frames to features; None only for policies that need none.
        store: the store of pixels.
        ledger: where key moments are written; None keeps them in the process only.

    Raises:
        ConfigError: if the policy needs an encoder and there is none.
    """

    def __init__(
        self, options: StreamOptions, encoder: Encoder | None, store: FrameStore, ledger: Ledger | None = None
    ) -> None:
        self.options, self.store = options, store
        self._policy = make_policy(options)
        if encoder is None and self._policy.needs_feature:
            raise ConfigError(
                f"missing encoder for the policy {options.policy!r}, which scores features.",
                remedy="Pass load_encoder(options.encoder), or choose the policy last, uniform, alternate or random.",
            )
        self.encoder = encoder
        self._journal = WriteQueue(ledger)
        self.moments: KeyMoments | None = None
        if options.tiers and self._policy.needs_feature:
            self.moments = KeyMoments(
                options.moments, options.scene_change, options.moment_step, options.moment_local_step, self._journal
            )
        self._writing = Lock()  # one writer at a time; held while encoding and storing
        self._lock = Lock()  # guards everything below; held only briefly
        self._queue = Queue(options, self._policy, store)
        self._newest: Frame | None = None
        self._newest_score: float | None = None
        self._newest_s = -math.inf
        self._newest_wall_s: float | None = None
        self._gaps: deque[Gap] = deque(maxlen=GAPS_LENGTH)
        self._gap_count = 0
        self._log: deque[Decision] = deque(maxlen=LOG_LENGTH)
        self._counts = {"clear": 0, "fuzzy": 0, "discard": 0}
        self._encode_s = 0.0
        self._lost = 0

    def push(self, frame: Frame) -> Decision:
        """Process the next frame of the stream and return the decision about it.

        Raises:
            MediaError: if the frame is not later than the one before.
            ModelError: if the encoder fails or returns no unit vector; the frame is then skipped.
            StoreError: if the frame should be kept but cannot be stored; it is then the newest frame, but not kept.
                Also if a key moment cannot be written, which the next push retries.
        """
        with self._writing:
            if frame.t_s <= self._newest_s:
                raise MediaError(
                    f"a frame at {frame.t_s!r} s came after one at {self._newest_s!r} s.",
                    expected="times that increase along a stream",
                    remedy="Create a new memory for a new stream.",
                )
            started = time.perf_counter()
            feature = self._embed(frame) if self._policy.needs_feature else np.empty(0, np.float32)
            encode_s = time.perf_counter() - started
            decision = self._policy.decide(feature, frame.t_s)
            with self._lock:
                self._newest, self._newest_score, self._newest_s = frame, decision.CS, frame.t_s
                self._newest_wall_s = frame.wall_s
                self._log.append(decision)
                self._counts[decision.state] += 1
                self._encode_s += encode_s
            if decision.state != "discard":
                self._put(frame)
                with self._lock:
                    self._queue.add(FrameRef.of(frame, decision.state, decision.CS), self._newest_s)
            if moment := self._offer(frame, feature, decision):
                decision = replace(decision, key=True, surprise=moment.surprise)
                with self._lock:
                    self._log[-1] = decision
            self._journal.write()
            return decision

    def push_gap(self, gap: Gap) -> None:
        """Record a stretch that could not be read. A gap with an end replaces the same gap without one."""
        with self._lock:
            last = self._gaps[-1] if self._gaps else None
            if last and (last.source, last.start_s, last.end_s) == (gap.source, gap.start_s, None):
                self._gaps[-1] = gap
            else:
                self._gaps.append(gap)
                self._gap_count += 1
        self._journal.push_gap(gap)
        self._journal.write()

    def snapshot(self, t_q: float | None = None) -> list[FrameRef]:
        """Return the frames to show for a question asked at `t_q` (None: now), oldest first. Does not change the queue.

        The last item is the query frame: the newest frame up to `t_q`, always clear. Returns at most `options.capacity`
        items within `options.token_budget`, dropping the oldest.

        Nothing later than `t_q` has any influence. If later frames have already arrived, returns the queue as it was at
        `t_q`; if the frame at `t_q` itself was discarded, the last kept one before it is the query frame. The list is
        empty if nothing was seen up to `t_q`.

        Raises:
            StoreError: if the query frame cannot be stored.
        """
        with self._lock:
            newest, score = self._newest, self._newest_score
            if t_q is None or t_q >= self._newest_s:
                items = self._queue.items()
            else:
                newest, items = None, self._queue.items_at(t_q)
        if newest is not None and not (items and items[-1].t_s == newest.t_s):
            self.store.put(newest)
            items.append(FrameRef.of(newest, "clear", score))
        elif items:
            items[-1] = replace(items[-1], state="clear")
        items = items[-self.options.capacity :]
        while self._queue.over_budget(items):
            items.pop(0)
        return items

    def newest(self) -> FrameRef | None:
        """Return the newest frame, clear, with its pixels stored; None before the first."""
        return next(reversed(self.snapshot()), None)

    def remembered(self, span: Span | None = None) -> list[FrameRef]:
        """Return every kept frame of a span (None: all) whose pixels are still stored, oldest first.

        This reaches beyond the queue: key moments, and up to `HISTORY_LENGTH` frames that have left the queue.
        """
        with self._lock:
            items = self._queue.known()
        items += [moment.kept for moment in self.moments.all()] if self.moments else []
        items = by_time([kept for kept in items if span is None or kept.t_s in span])
        return [kept for kept in items if self.store.has(kept.frame_id)]

    def past(self, span: Span, middle_s: float | None = None) -> Iterator[FrameRef]:
        """Yield the moments of the long tier in a span whose pixels are still stored.

        Args:
            span: matches stretches that overlap it.
            middle_s: a media time; yields those nearest to it first. None: the oldest first.
        """
        moments = [moment.kept for moment in self._journal.past(span)]
        if middle_s is not None:
            moments.sort(key=lambda kept: abs(kept.t_s - middle_s))
        return (kept for kept in moments if self.store.has(kept.frame_id))  # lazily, only as many as the caller takes

    def pixels(self, frame_id: str) -> np.ndarray:
        """Return a frame as captured, RGB uint8 (height, width, 3), in either state.

        Raises:
            StoreError: if the frame was evicted, or its file is damaged.
        """
        newest = self._newest
        return newest.rgb if newest is not None and newest.id == frame_id else self.store.get(frame_id)

    def image(self, kept: FrameRef) -> np.ndarray:
        """Return the pixels to show, RGB uint8: clear ones bit-equal to the frame, fuzzy ones blur_px x blur_px.

        Raises:
            StoreError: if the frame was evicted, or its file is damaged.
        """
        rgb = self.pixels(kept.frame_id)
        return rgb if kept.state == "clear" else self.blurred(rgb)

    def blurred(self, rgb: np.ndarray) -> np.ndarray:
        """Return a picture at the resolution of a fuzzy frame: blur_px x blur_px (CurveStream's TRANSITION_SIZE)."""
        import cv2

        side = self.options.blur_px
        how = cv2.INTER_AREA if min(rgb.shape[:2]) >= side else cv2.INTER_LINEAR
        return cv2.resize(rgb, (side, side), interpolation=how)

    def keep_query(self, kept: FrameRef) -> None:
        """Keep the frame that a question was asked about, clear, if `options.persist_query` is set."""
        if not self.options.persist_query:
            return
        with self._writing, self._lock:
            self._queue.add(replace(kept, state="clear"), self._newest_s)

    def restore(self, moments: Sequence[KeyMoment], gaps: Sequence[Gap], last_s: float) -> None:
        """Load what an earlier process remembered; frames must come after `last_s`, in seconds.

        Evicts moments beyond the current budget or quota.

        Raises:
            StoreError: if the evictions cannot be written.
        """
        with self._writing:
            if self.moments is not None:
                self.moments.restore(moments)
                for moment in self.moments.all():
                    self.store.pin(moment.kept.frame_id)
                self._make_room()
            self._gaps.extend(gaps)
            self._newest_s = last_s
            self._journal.write()

    def pin(self, t_s: float, pinned: bool = True) -> FrameRef:
        """Pin the remembered frame nearest to a time, as a key moment; or unpin it.

        Raises:
            StoreError: if no frame is remembered within a second of `t_s`, or there are no key moments.
        """
        if self.moments is None:
            raise StoreError("cannot pin: this memory has no key moments.", remedy="Set memory.tiers = true.")
        if not (near := self.remembered(Span(max(0.0, t_s - PIN_NEAR_S), t_s + PIN_NEAR_S))):
            raise StoreError(f"no frame is remembered near {t_s:.1f} s.", remedy="Pin a moment of the timeline.")
        kept = min(near, key=lambda kept: abs(kept.t_s - t_s))
        held = [moment for moment in self.moments.all(Span(kept.t_s, kept.t_s)) if moment.t_s == kept.t_s]
        if held:
            self.moments.pin(held[0], pinned)
        elif pinned:
            rgb = self.pixels(kept.frame_id)
            feature = self._embed(Frame(kept.source, kept.t_s, rgb))
            self.store.pin(kept.frame_id)
            self.moments.add_pinned(kept, feature, rgb)
        self._journal.write()
        return kept

    def forget(self, span: Span) -> list[str]:
        """Remove every frame of a span, including the newest and pinned ones, and return the ids whose pixels were
        removed.

        Pixels shared with a moment outside the span stay. Removes decisions of the span from the log.

        Raises:
            StoreError: if a picture cannot be removed; the frame is then out of memory, but its file remains.
        """
        with self._writing:
            with self._lock:
                known = self._queue.forget(span)
                self._log = deque((d for d in self._log if d.t_s not in span), maxlen=LOG_LENGTH)
                if self._newest is not None and self._newest.t_s in span:
                    known.add(self._newest.id)
                    self._newest = None
                staying = {kept.frame_id for kept in self._queue.known()}
                staying |= {self._newest.id} if self._newest is not None else set()
            gone = self.moments.forget(span) if self.moments else []
            for moment in gone:
                self.store.unpin(moment.kept.frame_id)
                known.add(moment.kept.frame_id)
            staying |= {moment.kept.frame_id for moment in self.moments.all()} if self.moments else set()
            removed = sorted(known - staying)
            self.store.remove(removed)
            self._journal.write()
            return removed

    @property
    def gaps(self) -> list[Gap]:
        """The last `GAPS_LENGTH` gaps, oldest first."""
        with self._lock:
            return list(self._gaps)

    @property
    def log(self) -> list[Decision]:
        """The last `LOG_LENGTH` decisions, oldest first."""
        with self._lock:
            return list(self._log)

    @property
    def stats(self) -> Stats:
        """Counts so far."""
        with self._lock:
            clear, fuzzy, discarded = self._counts["clear"], self._counts["fuzzy"], self._counts["discard"]
            return Stats(
                seen=clear + fuzzy + discarded,
                clear=clear,
                fuzzy=fuzzy,
                discarded=discarded,
                gaps=self._gap_count,
                kept_now=len(self._queue),
                tokens_now=self._queue.tokens(self._queue.items()),
                newest_s=self._newest_s if clear + fuzzy + discarded else None,
                encode_s=self._encode_s,
                lost=self._lost,
                newest_wall_s=self._newest_wall_s,
            )

    def _offer(self, frame: Frame, feature: np.ndarray, decision: Decision) -> KeyMoment | None:
        """Offer a frame to the key moments; return the one that it became."""
        if self.moments is None:
            return None
        kept = FrameRef.of(frame, "clear", decision.CS)
        gone = self.moments.offer(kept, feature, frame.rgb, keep=lambda: self._put(frame))
        if gone is None:
            return None
        self.store.pin(frame.id)
        for moment in gone:
            self.store.unpin(moment.kept.frame_id)
        return self.moments.newest

    def _put(self, frame: Frame) -> None:
        """Store a frame, evicting others for it: pinned pictures that fill the quota would cost all future frames."""
        self._make_room()
        while True:
            try:
                self.store.put(frame)
                return
            except StoreError as error:
                if isinstance(error, NoRoomError) and self._evict_one():
                    continue
                with self._lock:
                    self._lost += 1
                raise

    def _make_room(self) -> None:
        """Unpin the least important frames until the pinned ones fit their share of the quota."""
        while self.store.pinned_bytes > PINNED_SHARE * self.store.quota_bytes and self._evict_one():
            pass

    def _evict_one(self) -> bool:
        """Evict a key moment, or if there is none, a frame of the queue; False if there is neither."""
        gone = self.moments.evict_one() if self.moments is not None else None
        if gone is not None:
            self.store.unpin(gone.kept.frame_id)
            return True
        with self._lock:
            return self._queue.evict_one(self._newest_s)

    def _embed(self, frame: Frame) -> np.ndarray:
        assert self.encoder is not None  # checked in the constructor
        feature = self.encoder.embed(frame.rgb)
        norm = float(np.linalg.norm(feature))
        if feature.shape != (self.encoder.dim,) or not abs(norm - 1) < 1e-3:  # also catches NaN
            raise ModelError(
                f"the encoder {self.encoder.name!r} returned a feature of shape {feature.shape} and length {norm:.4g} "
                f"for the frame at {frame.t_s!r} s.",
                expected=f"shape ({self.encoder.dim},) and length 1",
            )
        return feature
