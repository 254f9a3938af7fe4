"""Monitor: judges watch conditions as memory takes in the video, and raises an alert when one becomes true.

with Watcher(model, session, config.watch, print) as watcher:
    watcher.add("a bicycle appears")

Conditions about numbers of things and about zones are decided by code, from what is detected (see
`agent.watch.detected`); the model judges the others. One worker thread, separate from capture, judges one watch at one
moment at a time. The watch that has waited longest comes first, and nothing is judged while a person's question is
being answered.
"""

from __future__ import annotations

import functools
import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from agent.core.citations import Answer
from agent.models.blocks import image_block
from agent.models.protocol import MLLM
from agent.perception.session import SourceSession
from agent.watch.detected import DetectedWatch, Finding, parse_condition
from agent.watch.evaluator import Judgement, judge
from agent.watch.options import WatchOptions
from agent.watch.rule import Alert, Watch, WatchState, WatchStatus, check_condition
from agent.watch.speech import Spoken, judge_speech, refusal, spoken_condition
from agent.watch.trigger import Moment, open_moments
from agent.watch.webhooks import Webhooks, check_webhook
from memory.stream.detections import Look
from tools.base import SeenFrame
from tools.errors import AttendError, ConfigError, StoreError
from tools.media import format_clock
from tools.perception.motion import Change

__all__ = ["Alert", "Watch", "WatchStatus", "Watcher"]

log = logging.getLogger(__name__)

POLL_S = 0.1
"""Seconds between checks for a moment to judge."""

CLOSE_S = 10.0
"""Seconds that closing waits for a check that cannot be cancelled."""

MINUTE_S = 60.0
NOT_DETECTED = "Nothing is detected in this source, which the condition needs. Set perception.detect = true."
PICTURE_SIDE_PX = 1280
"""Maximum longer side of a picture sent to a webhook."""


class Watcher:
    """Judges the watches of one source in its own thread.

    An alert is raised when a condition becomes true, and again only after it was judged false and the cooldown is over.
    If a condition becomes true again within the cooldown and is still true afterwards, the alert is raised then. An
    event, such as a change, can repeat at once: then only the cooldown separates two alerts.

    Args:
        model: the model; it may be shared with conversations, whose questions take precedence.
        session: the source.
        options: budget and defaults.
        on_alert: called with each alert in the worker thread; must be fast.
    """

    def __init__(
        self, model: MLLM, session: SourceSession, options: WatchOptions, on_alert: Callable[[Alert], None]
    ) -> None:
        self._model, self._session, self._options, self._on_alert = model, session, options, on_alert
        self._moments = open_moments(session, options.frames)
        self._found: deque[tuple[WatchState, Look, Finding]] = deque()
        self._stops: dict[str, Callable[[], None]] = {}
        self._webhooks = Webhooks(options)
        self._changed = threading.Condition()
        self._states: dict[str, WatchState] = {}
        self._spent: deque[tuple[float, int, int]] = deque()  # media time, calls, tokens
        self._closed = self._ended = self._settled = False
        self._thread = threading.Thread(target=self._run, name="attend-watches", daemon=True)
        self._thread.start()

    def add(self, condition: str, cooldown_s: float | None = None, webhook: str | None = None) -> WatchStatus:
        """Add a watch. If the model can never judge the condition, the status says so at once, and why.

        Raises:
            ConfigError: if the condition is empty or too long, it names an unknown zone, the cooldown is negative, or
                the webhook is not an http(s) URL.
        """
        words = check_condition(condition)
        cooldown_s = self._options.cooldown_s if cooldown_s is None else cooldown_s
        if not 0 <= cooldown_s < float("inf"):
            raise ConfigError(f"invalid cooldown {cooldown_s!r}.", expected="0 or more seconds")
        if webhook is not None:
            check_webhook(webhook)
        watch = Watch(id=uuid.uuid4().hex[:8], condition=words, cooldown_s=cooldown_s, webhook=webhook)
        spoken = spoken_condition(words)
        decided = None if spoken else parse_condition(words, self._session.zones)
        if decided:
            refused = "" if self._session.observer else NOT_DETECTED
        elif spoken is None:
            refused = self._model.unjudgeable(words)
        else:
            refused = refusal(spoken, self._session)
        detected = DetectedWatch(decided) if decided else None
        state = WatchState(watch, refused, self._options.heartbeat_s, detected)
        if isinstance(spoken, Spoken):
            state.spoken = spoken
            state.heard_s = (self._session.memory.stats.newest_s or -1.0) if self._session.plays else -1.0
        with self._changed:
            self._states[watch.id] = state
            self._settled = False
            self._changed.notify_all()
        if state.detected and self._session.observer:
            self._stops[watch.id] = self._session.observer.listen(functools.partial(self._on_look, state))
        return self._status(state)

    def remove(self, watch_id: str) -> None:
        """Remove a watch.

        Raises:
            ConfigError: if the watch is unknown.
        """
        with self._changed:
            if self._states.pop(watch_id, None) is None:
                known = ", ".join(self._states) or "none"
                raise ConfigError(f"unknown watch {watch_id!r}.", expected=f"one of: {known}")
        if stop := self._stops.pop(watch_id, None):
            stop()

    def statuses(self) -> list[WatchStatus]:
        """Return the status of each watch, in the order in which they were added."""
        with self._changed:
            states = list(self._states.values())
        return [self._status(state) for state in states]

    def finish(self, timeout_s: float) -> bool:
        """After the end of the source, judge its last frame too; return False on timeout."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._closed or self._settled, timeout_s)

    def close(self) -> None:
        """Stop judging, and give pending webhooks time for one attempt. Idempotent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        for stop in list(self._stops.values()):
            stop()
        self._stops.clear()
        self._moments.close()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_S)
        self._webhooks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closed:
            with self._changed:
                ended = self._ended
            if self._take_found() or not self._model.precedence.wait_for_people(POLL_S):
                continue
            if not self._step(ended):
                observer = self._session.observer
                looked = not observer or not observer.waiting()  # before the look at what was found
                with self._changed:
                    settled = looked and not self._found and not self._awaits_speech()
                    self._settled = self._ended and ended and settled
                    self._changed.notify_all()
                    self._changed.wait(POLL_S)

    def _awaits_speech(self) -> bool:
        """Whether a watch for speech has to wait for the transcript."""
        return not self._session.hearing.finished and any(state.spoken for state in self._states.values())

    def _listen(self) -> bool:
        """Judge what was said since the last call; return whether something was."""
        with self._changed:
            states = [state for state in self._states.values() if state.spoken]
        heard = False
        for state in states:
            state.refusal = refusal(state.spoken, self._session)
            for line in self._session.hearing.speech.newest(state.heard_s):
                heard = True
                judgement = judge_speech(state.spoken, line, self._session) if state.spoken else None
                with self._changed:
                    state.heard_s = line.start_s
                    due = judgement is not None and state.enter(judgement, self._options)
                if judgement is not None and due and state.watch.id in self._states:
                    self._raise_alert(state, judgement)
        return heard

    def _step(self, ended: bool) -> bool:
        """Judge one watch at the earliest moment; of several watches, the one that has waited longest."""
        if self._listen():
            return True
        with self._changed:
            states = [one for one in self._states.values() if not (one.refusal or one.spoken or one.detected)]
        waiting: list[tuple[float, float, Moment, WatchState]] = []
        for state in states:
            moment = self._moments.next(state.looked_s, state.pause_s)
            moment = moment or (self._moments.last(state.looked_s) if ended else None)
            if moment:
                waiting.append((moment.t_s, -1.0 if state.last_s is None else state.last_s, moment, state))
        if not waiting:
            return False
        _, _, moment, state = min(waiting, key=lambda entry: entry[:2])
        with self._changed:
            state.looked_s = moment.t_s
            state.skipped += moment.missed
            state.over_budget = self._over_budget(moment.t_s)
            state.skipped += state.over_budget
        if not state.over_budget:
            self._check(state, moment)
        return True

    def _over_budget(self, t_s: float) -> bool:
        while self._spent and self._spent[0][0] <= t_s - MINUTE_S:
            self._spent.popleft()
        calls, tokens = (sum(entry[place] for entry in self._spent) for place in (1, 2))
        return calls >= self._options.checks_per_minute or tokens >= self._options.tokens_per_minute

    def _check(self, state: WatchState, moment: Moment) -> None:
        """Judge a watch at a moment; failures are counted and reported in its status."""
        judgement: Judgement | None = None
        problem = ""
        try:
            frames = self._moments.frames(moment)
            if frames:
                judgement = judge(
                    self._model,
                    state.watch.condition,
                    frames,
                    state.last_s,
                    self._session.view.shown,
                    self._session.view.noted,
                    self._options.max_tokens,
                    lambda: self._closed,
                    self._session.view.detected,
                )
        except AttendError as error:
            problem = str(error)
        except Exception as error:
            # A thread has no caller, and the model may be a plug-in: report any error in the status.
            log.exception("unhandled error in a watch")
            problem = f"The check failed ({type(error).__name__}: {error})."
        if self._closed:
            return
        with self._changed:
            if problem:
                state.failed += 1
                state.reason = problem
                # The model may have been called: count it, so that a server that is down is not called endlessly.
                self._spent.append((moment.t_s, 1, 0))
                return
            if judgement is None:
                state.skipped += 1
                state.reason = "Nothing to show the model: the picture is not stored, or has no notes yet."
                return
            self._spent.append((moment.t_s, judgement.calls, judgement.tokens))
            due = state.enter(judgement, self._options) and state.watch.id in self._states
        if due:
            self._raise_alert(state, judgement)

    def _on_look(self, state: WatchState, look: Look, change: Change | None) -> None:
        """Decide a condition at a look, in the observer's thread."""
        assert state.detected is not None
        if found := state.detected.see(look, change):
            with self._changed:
                self._found.append((state, look, found))
                self._changed.notify_all()

    def _take_found(self) -> bool:
        """Enter what was decided about one look; return False if nothing is waiting."""
        with self._changed:
            if not self._found or self._closed:
                return False
            state, look, found = self._found.popleft()
            seen = SeenFrame(frame_id=look.frame_id, t_s=look.t_s, source=self._session.source)
            judgement = Judgement(
                outcome="yes" if found.true else "no",
                answer=Answer(text=found.text),
                t_s=look.t_s,
                frames=(seen,),
                calls=0,
                tokens=0,
                happened=found.happened,
            )
            due = state.enter(judgement, self._options) and state.watch.id in self._states
        if due:
            kept = self._session.view.near(look.t_s) or seen  # the frame itself may not have been kept
            self._raise_alert(state, judgement.model_copy(update={"frames": (kept,)}))
        return True

    def _raise_alert(self, state: WatchState, judgement: Judgement) -> None:
        """Raise an alert: send it to the webhook and the callback."""
        watch = state.watch
        alert = Alert(
            watch_id=watch.id,
            condition=watch.condition,
            t_s=judgement.t_s,
            wall_s=self._wall_s(judgement.t_s),
            text=judgement.answer.text,
            frames=list(judgement.frames),
            unverified=judgement.answer.unverified,
        )
        if watch.webhook:
            try:
                self._webhooks.send(watch.id, watch.webhook, self._body(alert))
            except (AttendError, OSError, OverflowError, RuntimeError, ValueError) as error:
                # For example a clock far off, a picture that cannot be encoded, or no free thread: report the failure
                # without ending the watch or skipping the callback.
                log.exception("cannot send an alert")
                self._webhooks.give_up(watch.id, f"cannot serialise the alert ({type(error).__name__}: {error})")
        try:
            self._on_alert(alert)
        except Exception:
            # The callback is the caller's code: its failure must not end the watch.
            log.exception("the alert callback failed")

    def _wall_s(self, t_s: float) -> float | None:
        newest = self._session.live_frame()
        return None if newest is None or newest.wall_s is None else newest.wall_s - (newest.t_s - t_s)

    def _body(self, alert: Alert) -> dict[str, Any]:
        """Return the body of a webhook request."""
        wall_s = alert.wall_s
        body: dict[str, Any] = {
            "type": "alert",
            "watch_id": alert.watch_id,
            "condition": alert.condition,
            "text": alert.text,
            "source": self._session.source,
            "t_s": alert.t_s,
            "time": format_clock(alert.t_s),
            "wall_time": None if wall_s is None else datetime.fromtimestamp(wall_s, UTC).isoformat(),
            "frame_ids": [frame.frame_id for frame in alert.frames],
        }
        if self._options.webhook_picture:
            body["picture"] = self._picture(alert.frames[-1])
        return body

    def _picture(self, frame: SeenFrame) -> dict[str, str] | None:
        try:
            block = image_block(self._session.view.picture(frame.frame_id), max_side_px=PICTURE_SIDE_PX)
        except StoreError:
            return None
        return {"frame_id": frame.frame_id, "mime_type": block["mime_type"], "base64": block["base64"]}

    def _status(self, state: WatchState) -> WatchStatus:
        delivered, undelivered, problem = self._webhooks.counts(state.watch.id)
        with self._changed:
            name, reason = state.now(self._session.memory.stats.newest_s or 0.0, self._options)
            return WatchStatus(
                watch=state.watch,
                state=name,
                reason=f"{reason} The webhook failed: {problem}.".strip() if problem else reason,
                checked=state.checked,
                judged=state.judged,
                fired=state.fired,
                skipped=state.skipped,
                failed=state.failed,
                last_s=state.last_s,
                delivered=delivered,
                undelivered=undelivered,
            )
