"""`attend watch`: alerts for conditions that become true on a source."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from agent.cli.console import safe
from agent.config import Config
from agent.models import MLLM, load_mllm
from agent.perception.session import SourceSession, open_source_session
from agent.watch.detected import parse_condition
from agent.watch.monitor import Alert, Watcher, WatchStatus
from agent.watch.rule import check_condition
from agent.watch.speech import Spoken, spoken_condition
from agent.watch.webhooks import check_webhook, leaves_machine, shown_address
from tools.errors import ConfigError, MediaError
from tools.media import format_clock
from tools.media.health import TroubleKind
from tools.media.types import mask_credentials
from tools.perception.zones import parse_zone

EXIT_OK, EXIT_CANNOT_JUDGE, EXIT_NO_ALERT = 0, 3, 4

POLL_S = 0.2
"""Seconds between checks of the source and the watches."""


class Watching(BaseModel):
    """First line of `--json`: the source, the conditions, and what leaves the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["watching"] = "watching"
    source: str
    live: bool
    model: str
    local: bool
    leaves: tuple[str, ...]
    watches: tuple[WatchStatus, ...]


class TroubleLine(BaseModel):
    """A line of `--json` for a problem that does not end watching.

    Attributes:
        about: the `picture` of a live source, the `source` (including its memory), or a `watch`.
        text: the problem, in words.
        over: whether it is over; for the picture only.
        t_s: the media time, in seconds.
        watch_id: the watch concerned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["trouble"] = "trouble"
    about: Literal["picture", "source", "watch"]
    text: str
    over: bool = False
    t_s: float | None = None
    watch_id: str | None = None


class Ended(BaseModel):
    """Last line of `--json`: why watching ended, and the state of each watch."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["ended"] = "ended"
    reason: str
    watches: tuple[WatchStatus, ...]


@dataclass(frozen=True)
class WatchCommandOptions:
    """Options of `attend watch`.

    Attributes:
        when: the conditions.
        webhook: URL to post alerts to.
        until_s: media time in seconds at which watching ends (for a live source that was watched before, counted from
            now); None: when the source ends.
        realtime: play a file in real time.
        loop: restart a file when it ends.
        once: end after the first alert.
        as_json: print JSON, one object per line.
    """

    when: tuple[str, ...]
    webhook: str | None = None
    until_s: float | None = None
    realtime: bool = False
    loop: bool = False
    once: bool = False
    as_json: bool = False


def watch_source(source: str, config: Config, options: WatchCommandOptions, console: Console) -> int:
    """Watch until the source ends, `until_s`, the first alert with `once`, or Ctrl-C; return the exit code.

    The exit code is 0; 3 if the model cannot judge any of the conditions; 4 if `once` is set and no alert was raised.

    Raises:
        AttendError: if a setting is invalid, the source or the model cannot be opened, or a live source fails.
    """
    if not options.when:
        raise ConfigError("no condition to watch for.", remedy="Add --when 'a bicycle appears'.")
    conditions = [check_condition(condition) for condition in options.when]
    if options.webhook:
        check_webhook(options.webhook)
    alerts: queue.SimpleQueue[Alert] = queue.SimpleQueue()
    with ExitStack() as stack:
        with console.status("Opening ..."):
            model = load_mllm(config.model, config.mllm)
            model.preflight()
            session = open_source_session(
                source,
                _settings(source, config, options, model, conditions),
                realtime=options.realtime,
                loop=options.loop,
            )
        stack.callback(session.close)
        watcher = stack.enter_context(Watcher(model, session, config.watch, alerts.put))
        for condition in conditions:
            watcher.add(condition, webhook=options.webhook)
        screen = Screen(console, options.as_json)
        fired = 0
        try:
            screen.opened(session, model, watcher.statuses(), options.webhook)
            if all(status.state == "cannot judge" for status in watcher.statuses()):
                return _finish(screen, watcher, options, "the model cannot judge any of the conditions", 0)
            reason, fired = _wait(session, watcher, alerts, options, screen)
        except KeyboardInterrupt:
            reason = "stopped"
        code = _finish(screen, watcher, options, reason, fired)
        if reason == "the source ended" and session.info.live:
            raise MediaError(
                f"{session.source!r} ended: {session.status.summary()}.", remedy="Check that the source is running."
            )
    return code


class Screen:
    """Prints text for a person, or JSON lines."""

    def __init__(self, console: Console, as_json: bool) -> None:
        self.console, self.as_json = console, as_json
        self._reported: dict[str, str] = {}
        self._picture: TroubleKind | None = None
        self._errors: frozenset[str] = frozenset()

    def opened(self, session: SourceSession, model: MLLM, statuses: Sequence[WatchStatus], webhook: str | None) -> None:
        local = model.abilities.local
        leaves = [] if local else [f"frames and words go to the model's server, {model.spec}"]
        if webhook and leaves_machine(webhook):
            leaves.append(f"alerts go to {shown_address(webhook)}")
        if self.as_json:
            self._json(
                Watching(
                    source=session.source,
                    live=session.info.live,
                    model=model.spec,
                    local=local,
                    leaves=tuple(leaves),
                    watches=tuple(statuses),
                )
            )
            return
        where = f"[bold red]{safe('; '.join(leaves))}[/]" if leaves else "nothing leaves this machine"
        self.console.print(f"[bold]{safe(session.source)}[/]  model [bold]{safe(model.spec)}[/]: {where}")
        for note in session.info.notes:
            self.console.print(f"[yellow]{safe(note)}[/]")
        for status in statuses:
            self.console.print(f"watching for: [bold]{safe(status.watch.condition)}[/]")
        self.troubles(statuses)

    def alert(self, alert: Alert) -> None:
        if self.as_json:
            self._json(alert)
            return
        self.console.print(
            f"[bold green]{format_clock(alert.t_s)}[/] [bold]{safe(alert.condition)}[/]: {safe(alert.text)}"
        )
        frames = ", ".join(f"{format_clock(frame.t_s)} ({frame.frame_id[:8]})" for frame in alert.frames)
        self.console.print(f"[dim]shown: {frames}[/]")

    def troubles(self, statuses: Sequence[WatchStatus]) -> None:
        """Report once each watch that is not judged, that fails, or whose webhook fails."""
        for status in statuses:
            trouble = status.reason if status.state in ("cannot judge", "over budget") else ""
            if not trouble and (status.failed or status.undelivered):
                trouble = f"{status.failed} checks failed, {status.undelivered} alerts undelivered. {status.reason}"
            if trouble and trouble != self._reported.get(status.watch.id):
                self._report(TroubleLine(about="watch", text=trouble, watch_id=status.watch.id), status.watch.condition)
            self._reported[status.watch.id] = trouble

    def source(self, session: SourceSession) -> None:
        """Report once each problem of the source and its memory, and when the picture is good again."""
        now_s, problem = session.memory.stats.newest_s, session.status.problem
        kind = problem.kind if problem else None
        if kind != self._picture and (problem or not session.finished):  # a source that has ended is not "good again"
            text = mask_credentials(problem.text) if problem else "the picture is good again"
            self._report(TroubleLine(about="picture", text=text, over=problem is None, t_s=now_s), session.source)
        errors = frozenset(map(mask_credentials, session.status.troubles()))
        for text in sorted(errors - self._errors):
            self._report(TroubleLine(about="source", text=text, t_s=now_s), session.source)
        self._picture, self._errors = kind, errors

    def ended(self, reason: str, statuses: Sequence[WatchStatus]) -> None:
        if self.as_json:
            self._json(Ended(reason=reason, watches=tuple(statuses)))
            return
        self.troubles(statuses)
        self.console.print(f"[dim]{reason}[/]")
        for status in statuses:
            parts = [f"{status.fired} alert{'s' * (status.fired != 1)}", f"{status.checked} checked"]
            more = {"skipped": status.skipped, "failed": status.failed, "undelivered": status.undelivered}
            parts += [f"{number} {name}" for name, number in more.items() if number]
            self.console.print(f"[dim]{safe(status.watch.condition)}: {', '.join(parts)}[/]")

    def _report(self, trouble: TroubleLine, name: str) -> None:
        if self.as_json:
            self._json(trouble)
        else:
            colour = "green" if trouble.over else "yellow"
            self.console.print(f"[{colour}]{safe(name)}: {safe(trouble.text)}[/]")

    def _json(self, record: BaseModel) -> None:
        print(record.model_dump_json(), flush=True)


def _settings(
    source: str, config: Config, options: WatchCommandOptions, model: MLLM, conditions: Sequence[str]
) -> Config:
    """Return the settings of a watch. Notes of a recording are taken only for models without images, since it can be
    watched again; those of a live source are always taken, for searches. A recording is listened to only for a
    condition about speech, and is not read beyond `until_s`. Things are detected for a condition that detections
    decide, unless the setting says no.
    """
    recording = Path(source).expanduser().exists()
    changes: dict[str, Any] = {"take_notes": config.take_notes and not (recording and model.abilities.images)}
    if recording and not any(isinstance(spoken_condition(condition), Spoken) for condition in conditions):
        changes["hearing"] = config.hearing.model_copy(update={"enabled": False})
    zones = [parse_zone(text) for text in config.perception.zones]
    if config.perception.detect is None and any(parse_condition(condition, zones) for condition in conditions):
        changes["perception"] = config.perception.model_copy(update={"detect": True})
    if options.until_s and not options.realtime and recording:
        return config.model_copy(
            update={**changes, "media": config.media.model_copy(update={"end_s": options.until_s})}
        )
    return config.model_copy(update=changes)


def _wait(
    session: SourceSession,
    watcher: Watcher,
    alerts: queue.SimpleQueue[Alert],
    options: WatchCommandOptions,
    screen: Screen,
) -> tuple[str, int]:
    """Show alerts as they come; return why watching ended, and the number of alerts."""
    fired = 0
    session.watch(0.0)
    while True:
        # Check for the end before taking alerts, so that none raised before the end is missed.
        reason = _end_reason(session, watcher, options)
        while (alert := _take(alerts, 0.0 if reason else POLL_S)) is not None:
            fired += 1
            screen.alert(alert)
            if options.once:
                return "the condition came true", fired
        screen.source(session)
        screen.troubles(watcher.statuses())
        if reason:
            return reason, fired


def _end_reason(session: SourceSession, watcher: Watcher, options: WatchCommandOptions) -> str:
    newest_s, begun_s = session.memory.stats.newest_s, session.source_memory.offset_s
    if options.until_s is not None and session.plays and newest_s is not None and newest_s >= begun_s + options.until_s:
        return f"watched until {format_clock(options.until_s)}"
    return "the source ended" if session.finished and watcher.finish(POLL_S) else ""


def _take(alerts: queue.SimpleQueue[Alert], timeout_s: float) -> Alert | None:
    try:
        return alerts.get(timeout=timeout_s) if timeout_s else alerts.get_nowait()
    except queue.Empty:
        return None


def _finish(screen: Screen, watcher: Watcher, options: WatchCommandOptions, reason: str, fired: int) -> int:
    """Close the watcher, print the state of each watch, and return the exit code."""
    watcher.close()
    statuses = watcher.statuses()
    screen.ended(reason, statuses)
    if not any(status.judged or status.failed for status in statuses) and all(
        status.state == "cannot judge" for status in statuses
    ):
        return EXIT_CANNOT_JUDGE
    return EXIT_NO_ALERT if options.once and not fired else EXIT_OK
