"""The `attend` command: argument parsing only; each command's work is in its own module."""

from __future__ import annotations

import os

# Busy-waiting OpenMP threads make torch about four times slower when both cores of a machine are in use.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import asyncio
import contextlib
import functools
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.audit import audit_app, stop
from agent.cli.console import make_console, safe
from agent.cli.gui import gui_app
from agent.cli.literature import literature_app
from agent.cli.models import models_app
from agent.cli.plugins import ASK, CLINICAL, MEMORY, SET_UP, CommandGroup
from agent.cli.transcribe import transcribe
from tools.errors import AttendError, ConfigError

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, pretty_exceptions_enable=False)
memory_app = typer.Typer(no_args_is_help=True, help="Search, question and delete stored memories.")
app.add_typer(memory_app, name="memory", rich_help_panel=MEMORY)
app.add_typer(literature_app, name="literature", rich_help_panel=CLINICAL)
app.add_typer(gui_app, name="gui", rich_help_panel=CLINICAL)
app.add_typer(audit_app, name="audit", rich_help_panel=CLINICAL)
app.add_typer(models_app, name="models", rich_help_panel=SET_UP)
app.command(rich_help_panel=CLINICAL)(stop)
app.command(rich_help_panel=ASK)(transcribe)

Source = Annotated[
    str,
    typer.Argument(
        help="A video file, picture, folder of pictures, DICOM file or folder, camera number, "
        "rtsp:// or http(s):// address, or 'screen'."
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="embedded, a pulled model, hf:ORG/NAME or a folder, openai:MODEL@URL, scripted:FILE, replay:FILE."
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file (default: attend.toml, if found).")]
Folder = Annotated[Path | None, typer.Option(help="Folder for conversations, frames and notes.")]
Fps = Annotated[float | None, typer.Option(help="Frames to sample per second of video (default 1).")]
Budget = Annotated[int | None, typer.Option(help="Number of frames to keep in memory (default 20).")]
Policy = Annotated[
    str | None, typer.Option(help="Memory policy: curvestream, last, uniform, alternate, motion, curvature, random.")
]
NarrativeSource = Annotated[
    str,
    typer.Argument(
        help="A film (with any subtitles beside it), subtitles, a transcript, a story, or a source already watched."
    ),
]
SourceName = Annotated[str | None, typer.Option("--source", help="Only this source, named as in `attend memory list`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]


def main() -> None:
    """Run the command line; print an `AttendError` on one line, with credentials masked, and exit with code 1."""
    try:
        app()
    except AttendError as error:
        from tools.media.types import mask_credentials  # slow to import

        make_console(stderr=True).print(f"[bold red]error:[/] {safe(mask_credentials(str(error)))}", soft_wrap=True)
        raise SystemExit(1) from None


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"attend {version('attend-agent')}")
        raise typer.Exit


@app.callback()
def attend(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", help="Print log messages on standard error.")] = False,
    log_file: Annotated[Path | None, typer.Option("--log-file", help="Append log messages to this file.")] = None,
) -> None:
    """Chat with an agent that watches video, on this machine."""
    if verbose or log_file:
        from agent.cli.logs import set_up_logging

        set_up_logging(verbose, log_file)


@app.command(rich_help_panel=ASK)
def chat(
    source: Source,
    ask: Annotated[list[str] | None, typer.Option(help="Answer this question and exit; repeatable.")] = None,
    model: Model = None,
    fps: Fps = None,
    budget: Budget = None,
    policy: Policy = None,
    realtime: Annotated[bool, typer.Option(help="Play a file in real time, as if it were live.")] = False,
    loop: Annotated[bool, typer.Option(help="Restart a file when it ends.")] = False,
    until: Annotated[str | None, typer.Option(help="Watch up to this time (m:ss) before the first question.")] = None,
    thread: Annotated[str | None, typer.Option(help="Name of the conversation to resume or start.")] = None,
    record: Annotated[Path | None, typer.Option(help="Record the model's calls, for --model replay:FILE.")] = None,
    web: Annotated[bool, typer.Option(help="Chat on a web page, opened in the browser.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Chat about a video, live or from a file."""
    from agent.cli.chat import ChatOptions
    from agent.cli.chat import chat as run_chat
    from tools.media import parse_clock

    settings = _settings(config, model, folder, {"media.fps": fps, "memory.capacity": budget, "memory.policy": policy})
    if web:
        _refuse_with_web({"--ask": ask, "--json": as_json, "--until": until})
        _serve([source], settings, realtime=realtime, loop=loop, thread=thread, browser=True, cassette=record)
        return
    options = ChatOptions(
        ask=tuple(ask or ()),
        as_json=as_json,
        thread=thread,
        realtime=realtime,
        loop=loop,
        until_s=parse_clock(until) if until else None,
        cassette=record,
    )
    raise typer.Exit(asyncio.run(run_chat(source, settings, options, make_console())))


@app.command(rich_help_panel=ASK)
def serve(
    sources: Annotated[list[str], typer.Argument(help="One or more sources, as for `attend chat`.")],
    host: Annotated[
        str | None, typer.Option(help="Address to listen on (default 127.0.0.1); any other requires a token.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port (default 8765, or the next free one).")] = None,
    model: Model = None,
    fps: Fps = None,
    budget: Budget = None,
    policy: Policy = None,
    loop: Annotated[bool, typer.Option(help="Restart a file when it ends.")] = False,
    thread: Annotated[str | None, typer.Option(help="Name of the conversation to resume or start.")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
) -> None:
    """Watch sources and chat about them on a web page; files play in real time."""
    flags = {"media.fps": fps, "memory.capacity": budget, "memory.policy": policy}
    settings = _settings(config, model, folder, {**flags, "server.host": host, "server.port": port})
    _serve(sources, settings, realtime=True, loop=loop, thread=thread)


@app.command(rich_help_panel=ASK)
def watch(
    source: Source,
    when: Annotated[list[str], typer.Option(help="A condition, such as 'a bicycle appears'; repeatable.")],
    cooldown: Annotated[float | None, typer.Option(help="Minimum seconds between alerts (default 60).")] = None,
    webhook: Annotated[str | None, typer.Option(help="POST each alert as JSON to this http(s) URL.")] = None,
    webhook_picture: Annotated[
        bool, typer.Option("--webhook-picture", help="Include the picture in the webhook.")
    ] = False,
    checks: Annotated[
        int | None, typer.Option("--budget", help="Checks per minute, over all conditions (default 60).")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the first alert; exit code 4 if there is none.")
    ] = False,
    model: Model = None,
    fps: Fps = None,
    policy: Policy = None,
    realtime: Annotated[bool, typer.Option(help="Play a file in real time, as if it were live.")] = False,
    loop: Annotated[bool, typer.Option(help="Restart a file when it ends.")] = False,
    until: Annotated[str | None, typer.Option(help="Watch up to this time (m:ss).")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print an alert when a condition becomes true; exit code 3 if the model cannot judge any of them."""
    from agent.cli.watch import WatchCommandOptions, watch_source
    from tools.media import parse_clock

    flags = {"media.fps": fps, "memory.policy": policy, "watch.cooldown_s": cooldown, "watch.checks_per_minute": checks}
    settings = _settings(config, model, folder, {**flags, "watch.webhook_picture": webhook_picture or None})
    options = WatchCommandOptions(
        when=tuple(when),
        webhook=webhook,
        until_s=parse_clock(until) if until else None,
        realtime=realtime,
        loop=loop,
        once=once,
        as_json=as_json,
    )
    raise typer.Exit(watch_source(source, settings, options, make_console()))


@memory_app.command("show")
def memory_show(
    source: Source,
    png: Annotated[Path, typer.Option(help="Write a plot of the scores and kept frames to this file.")] = Path(
        "memory.png"
    ),
    fps: Fps = None,
    budget: Budget = None,
    policy: Policy = None,
    until: Annotated[str | None, typer.Option(help="Watch up to this time (m:ss).")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Watch a source and show which frames memory keeps, at what detail, and why."""
    from agent.cli.memory_show import show_memory
    from tools.media import parse_clock

    settings = _settings(config, None, folder, {"media.fps": fps, "memory.capacity": budget, "memory.policy": policy})
    show_memory(source, settings, png, parse_clock(until) if until else None, make_console(), as_json)


@memory_app.command("list")
def memory_list(folder: Folder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the sources that have a stream memory or a narrative memory."""
    from agent.cli.memory import list_memories
    from agent.cli.narrative import list_narratives

    settings = _settings(config, None, folder, {})
    list_narratives(settings, make_console(), as_json)
    list_memories(settings, make_console(), as_json)


@memory_app.command("search")
def memory_search(
    words: Annotated[str, typer.Argument(help="Words to search for.")],
    source: SourceName = None,
    limit: Annotated[int, typer.Option(help="Maximum number of results per source.", min=1)] = 10,
    zone: Annotated[str | None, typer.Option(help="Of detected things, only those in this half or zone.")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Search the notes for words, and the detections for the kind of thing that they name, such as person."""
    from agent.cli.memory import search_memories

    search_memories(_settings(config, None, folder, {}), words, source, limit, make_console(), as_json, zone)


@memory_app.command("forget")
def memory_forget(
    source: SourceName = None,
    before: Annotated[
        str | None, typer.Option(help="Forget everything older: an age (24h, 7d), yesterday, or a date and time.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Forget from this time of the source (m:ss).")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Forget up to this time of the source (m:ss).")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Forget everything; without --source, conversations too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
) -> None:
    """Permanently delete pictures, notes and their vectors, also in a process that is watching the source.

    Conversations are deleted only by --all without --source.
    """
    from agent.cli.memory import ALL
    from agent.cli.memory_forget import forget
    from tools.media import Span, parse_clock

    span = None
    if start is not None or end is not None:
        span = Span(parse_clock(start) if start else 0.0, parse_clock(end) if end else ALL.end_s)
    confirm = None if yes else functools.partial(typer.confirm, abort=True)
    forget(_settings(config, None, folder, {}), source, before, span, everything, confirm, make_console())


@memory_app.command("build")
def memory_build(
    source: NarrativeSource,
    model: Model = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Extract events and links by rules, even if the model could.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the planned model calls and changes; write nothing.")
    ] = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Build the narrative memory of a source: events, links between them, and chains."""
    from agent.cli.narrative import BuildOptions, build_narrative

    options = BuildOptions(dry_run=dry_run, rules=rules, as_json=as_json)
    build_narrative(source, _settings(config, model, folder, {}), make_console(), options)


@memory_app.command("ask")
def memory_ask(
    source: NarrativeSource,
    question: Annotated[str, typer.Argument(help="The question.")],
    model: Model = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the narrative memory, citing the moments that support the answer."""
    from agent.cli.narrative import ask_narrative

    ask_narrative(source, question, _settings(config, model, folder, {}), make_console(), as_json=as_json)


@memory_app.command("recall")
def memory_recall(
    source: NarrativeSource,
    question: Annotated[str, typer.Argument(help="The question.")],
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print the events relevant to a question, including distant ones."""
    from agent.cli.narrative import recall_narrative

    recall_narrative(source, question, _settings(config, None, folder, {}), make_console(), as_json=as_json)


@memory_app.command("same")
def memory_same(
    source: NarrativeSource,
    name: Annotated[str, typer.Argument(help="A name or description.")],
    other: Annotated[str, typer.Argument(help="Another name for the same person or thing.")],
    undo: Annotated[bool, typer.Option("--undo", help="Separate the two names again.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
) -> None:
    """Merge two names of the same person or thing, such as "the man in grey" and "the doctor"."""
    from agent.cli.narrative_aliases import same_narrative

    same_narrative(source, name, other, _settings(config, None, folder, {}), make_console(), undo=undo)


@memory_app.command("story")
def memory_story(
    source: Annotated[str, typer.Argument(help="A source with a narrative memory.")],
    html: Annotated[
        Path | None, typer.Option(help="Write the page here (default NAME.story.html in the current folder).")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Also write a PNG here.")] = None,
    as_of: Annotated[int | None, typer.Option(help="Version of the memory (default: the newest).", min=1)] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Draw events, chains and links on a timeline: a self-contained HTML page and, optionally, a PNG."""
    from agent.narrative.story import write_story

    settings = _settings(config, None, folder, {})
    write_story(source, settings, make_console(), html=html, png=png, as_of=as_of, as_json=as_json)


@memory_app.command("reindex")
def memory_reindex(folder: Folder = None, config: ConfigFile = None) -> None:
    """Rebuild the search index of the narrative memory."""
    from agent.cli.narrative import reindex_narrative

    reindex_narrative(_settings(config, None, folder, {}), make_console())


@app.command(rich_help_panel=SET_UP)
def doctor(model: Model = None, folder: Folder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Check the installation and say how to fix problems; exit code 1 if a check fails."""
    from agent.cli.doctor import run_checks, show_checks

    checks = run_checks(_settings(config, model, folder, {}))
    show_checks(checks, make_console(), as_json)
    raise typer.Exit(1 if any(check.status == "failed" for check in checks) else 0)


@app.command(rich_help_panel=SET_UP)
def setup(
    extras: Annotated[list[str] | None, typer.Argument(help="Extras to install; `attend doctor` lists them.")] = None,
) -> None:
    """Install the weights of the embedded model, and the packages of extras, into this environment."""
    from agent.cli.setup import install

    install(extras or ())


def _serve(sources: list[str], settings: Any, **options: Any) -> None:
    from agent.server.serve import ServeOptions
    from agent.server.serve import serve as run_server

    # After shutting down, the server re-raises the signal that stopped it; Ctrl-C is the normal way to stop.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_server(sources, settings, ServeOptions(**options), make_console()))


def _refuse_with_web(flags: dict[str, Any]) -> None:
    for flag, value in flags.items():
        if value:
            raise ConfigError(
                f"cannot combine {flag} with --web: it needs the terminal.", remedy="Leave one of them out."
            )


def _settings(config: Path | None, model: str | None, folder: Path | None, flags: dict[str, Any]) -> Any:
    from agent.config import load_config

    return load_config({"model": model, "folder": folder, **flags}, file=config)
