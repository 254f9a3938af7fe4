"""`attend memory forget`: what is to go is checked, asked for, removed wherever it is kept, and told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from rich.console import Console

from agent.cli.console import plain, safe
from agent.cli.memory import ALL, check_forgetting, forget_memories, parse_when, raise_failures
from agent.config import Config
from agent.core.checkpoints import count_threads, forget_threads
from agent.narrative.forget import forget_narratives, is_built
from tools.errors import StoreError
from tools.media import Span, format_clock

MOST_NAMED = 5
"""Sources that the question names; our choice."""


def forget(
    config: Config,
    source: str | None,
    before: str | None,
    span: Span | None,
    everything: bool,
    confirm: Callable[[str], object] | None,
    console: Console,
) -> None:
    """Remove memories, what was built of films and stories, and, where really everything goes, the conversations.

    Args:
        config: where they lie.
        source, before, span, everything: see `agent.cli.memory.forget_memories`.
        confirm: asked before anything is removed, and raises where the person does not agree; None: nobody is asked.
        console: told what was removed.

    Raises:
        ConfigError: if what to forget was not said clearly; before anybody is asked.
        StoreError: after the rest was removed, if some of it could not be.
    """
    missing_ok = is_built(config, source)
    names = check_forgetting(config, source, before, span, everything, missing_ok=missing_ok)
    conversations = everything and source is None
    if confirm:
        confirm(f"Forget for good {_what(config, source, before, span, names, conversations)}?")
    told, failures = forget_memories(config, source, before, span, everything, missing_ok=missing_ok)
    lines = [
        f"{name}: {gone.frames} pictures, {gone.moments} moments, {gone.notes} notes and {gone.vectors} vectors removed"
        for name, gone in told
    ]
    try:
        built = forget_narratives(config, source, parse_when(before) if before else None, span)
        lines += [f"{name}: {gone.events} events and {gone.vectors} vectors removed" for name, gone in built]
    except StoreError as error:
        failures.append(error)
    if conversations:
        try:
            removed, kept = forget_threads(config.folder)
            lines += [f"{_count(removed)} removed"] if removed else []
            if kept:
                lines.append(
                    f"{_count(len(kept))} kept that a running process is in: {', '.join(kept)}. "
                    "End it, and forget again."
                )
        except StoreError as error:
            failures.append(error)
    for line in lines:
        console.print(safe(line), highlight=False, soft_wrap=True)
    if not lines and not failures:
        console.print("There was nothing to forget.")
    raise_failures(failures)


def _what(
    config: Config,
    source: str | None,
    before: str | None,
    span: Span | None,
    names: Sequence[str],
    conversations: bool,
) -> str:
    """What will go, in words."""
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    named = f" ({', '.join([*names[:MOST_NAMED], *more])})" if names else ""
    of = f"of {source}" if source is not None else f"of all sources{named}"
    if span is not None:
        until = "on" if span.end_s == ALL.end_s else f"to {format_clock(span.end_s)}"
        return plain(f"what is remembered {of} from {format_clock(span.start_s)} {until}")
    if before is not None:
        when = datetime.fromtimestamp(parse_when(before)).astimezone()
        return plain(f"what was seen before {when:%Y-%m-%d %H:%M:%S} {of}")
    talks = f", and {_count(count_threads(config.folder))}" if conversations else ""
    return plain(f"all that is remembered {of}{talks}")


def _count(number: int) -> str:
    return f"{number} conversation{'s' * (number != 1)}"
