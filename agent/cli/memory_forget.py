"""`attend memory forget`: check, confirm and delete memories, and report what was deleted."""

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

MAX_LISTED = 5
"""Maximum number of sources to list in the confirmation."""


def forget(
    config: Config,
    source: str | None,
    before: str | None,
    span: Span | None,
    everything: bool,
    confirm: Callable[[str], object] | None,
    console: Console,
) -> None:
    """Delete stream memories and narrative memories, and, if everything is deleted, the conversations.

    Args:
        config: the folder.
        source, before, span, everything: see `agent.cli.memory.forget_memories`.
        confirm: called before anything is deleted; raises if the person declines. None skips the confirmation.
        console: for the summary.

    Raises:
        ConfigError: before the confirmation, if it is not clear what to delete.
        StoreError: after deleting the rest, if something could not be deleted.
    """
    missing_ok = is_built(config, source)
    names = check_forgetting(config, source, before, span, everything, missing_ok=missing_ok)
    conversations = everything and source is None
    if confirm:
        confirm(f"Permanently delete {_describe_scope(config, source, before, span, names, conversations)}?")
    removed_by_source, failures = forget_memories(config, source, before, span, everything, missing_ok=missing_ok)
    lines = [
        f"{name}: {gone.frames} pictures, {gone.moments} moments, {gone.notes} notes and {gone.vectors} vectors removed"
        for name, gone in removed_by_source
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
                    f"{_count(len(kept))} kept, in use by a running process: {', '.join(kept)}. "
                    "End the process and run this again."
                )
        except StoreError as error:
            failures.append(error)
    for line in lines:
        console.print(safe(line), highlight=False, soft_wrap=True)
    if not lines and not failures:
        console.print("Nothing to forget.")
    raise_failures(failures)


def _describe_scope(
    config: Config,
    source: str | None,
    before: str | None,
    span: Span | None,
    names: Sequence[str],
    conversations: bool,
) -> str:
    """Describe what will be deleted."""
    more = [f"{len(names) - MAX_LISTED} more"] if len(names) > MAX_LISTED else []
    named = f" ({', '.join([*names[:MAX_LISTED], *more])})" if names else ""
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
