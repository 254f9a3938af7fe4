"""The command `attend`: verbs only; what they do lives elsewhere."""

from __future__ import annotations

import os

# OpenMP threads that spin while they wait slow torch down about four times on a machine with two busy cores.
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
from agent.cli.plugins import ASK, CLINICAL, MEMORY, SET_UP, CommandGroup
from tools.errors import AttendError, ConfigError

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, pretty_exceptions_enable=False)
memory_app = typer.Typer(no_args_is_help=True, help="What the memory keeps.")
app.add_typer(memory_app, name="memory", rich_help_panel=MEMORY)
app.add_typer(literature_app, name="literature", rich_help_panel=CLINICAL)
app.add_typer(gui_app, name="gui", rich_help_panel=CLINICAL)
app.add_typer(audit_app, name="audit", rich_help_panel=CLINICAL)
app.command(rich_help_panel=CLINICAL)(stop)

Source = Annotated[
    str,
    typer.Argument(
        help="A video file, picture, folder of pictures, DICOM file or folder, camera number, "
        "rtsp:// or http(s):// address, or 'screen'."
    ),
]
Model = Annotated[
    str | None, typer.Option(help="embedded, hf:ORG/NAME or a folder, openai:MODEL@URL, scripted:FILE, replay:FILE.")
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A settings file; else attend.toml is looked for.")]
Folder = Annotated[Path | None, typer.Option(help="Where conversations, frames and notes are kept.")]
Fps = Annotated[float | None, typer.Option(help="Frames looked at per second of video (default 1).")]
Budget = Annotated[int | None, typer.Option(help="Frames that the memory keeps (default 20).")]
Policy = Annotated[
    str | None, typer.Option(help="Memory policy: curvestream, last, uniform, alternate, motion, curvature, random.")
]
Told = Annotated[
    str,
    typer.Argument(
        help="A film (subtitles beside it are read), subtitles, a transcript, a story, or a watched source."
    ),
]
SourceName = Annotated[str | None, typer.Option("--source", help="Only this source, by its name in the list.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def main() -> None:
    """Run the command line; known errors are shown in one line, with credentials masked, and exit code 1."""
    try:
        app()
    except AttendError as error:
        from tools.media.types import mask_credentials  # It takes a while.

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
    verbose: Annotated[bool, typer.Option("--verbose", help="Print what the modules log on standard error.")] = False,
    log_file: Annotated[Path | None, typer.Option("--log-file", help="Append what the modules log to a file.")] = None,
) -> None:
    """Chat with an agent that watches video, on this machine."""
    if verbose or log_file:
        from agent.cli.logs import set_up_logging

        set_up_logging(verbose, log_file)


@app.command(rich_help_panel=ASK)
def chat(
    source: Source,
    ask: Annotated[list[str] | None, typer.Option(help="Answer this question and leave; may be repeated.")] = None,
    model: Model = None,
    fps: Fps = None,
    budget: Budget = None,
    policy: Policy = None,
    realtime: Annotated[bool, typer.Option(help="Play a file at its own speed, as if it were live.")] = False,
    loop: Annotated[bool, typer.Option(help="Begin a file again at its end.")] = False,
    until: Annotated[
        str | None, typer.Option(help="Watch up to this time, as m:ss, before the first question.")
    ] = None,
    thread: Annotated[str | None, typer.Option(help="The conversation to resume or begin, by name.")] = None,
    record: Annotated[Path | None, typer.Option(help="Record the model's traffic, for --model replay:FILE.")] = None,
    web: Annotated[bool, typer.Option(help="Talk on a web page, which a browser is opened for.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Talk about a video, live or from a file."""
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
    sources: Annotated[list[str], typer.Argument(help="One or several; each is what `attend chat` takes.")],
    host: Annotated[
        str | None, typer.Option(help="The address to listen on (default 127.0.0.1); others ask for a token.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="The port (default 8765, or the next that is free).")] = None,
    model: Model = None,
    fps: Fps = None,
    budget: Budget = None,
    policy: Policy = None,
    loop: Annotated[bool, typer.Option(help="Begin a file again at its end.")] = False,
    thread: Annotated[str | None, typer.Option(help="The conversation to resume or begin, by name.")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
) -> None:
    """Watch sources and talk about them on a web page; files play at their own speed."""
    flags = {"media.fps": fps, "memory.capacity": budget, "memory.policy": policy}
    settings = _settings(config, model, folder, {**flags, "server.host": host, "server.port": port})
    _serve(sources, settings, realtime=True, loop=loop, thread=thread)


@app.command(rich_help_panel=ASK)
def watch(
    source: Source,
    when: Annotated[list[str], typer.Option(help="A condition, such as 'a bicycle appears'; may be repeated.")],
    cooldown: Annotated[float | None, typer.Option(help="Seconds from an alert to the next (default 60).")] = None,
    webhook: Annotated[str | None, typer.Option(help="Post each alert as JSON to this http(s) address.")] = None,
    webhook_picture: Annotated[bool, typer.Option("--webhook-picture", help="Send the picture along.")] = False,
    checks: Annotated[
        int | None, typer.Option("--budget", help="Checks a minute, over all conditions (default 60).")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Leave after the first alert; exit code 4 if none came.")
    ] = False,
    model: Model = None,
    fps: Fps = None,
    policy: Policy = None,
    realtime: Annotated[bool, typer.Option(help="Play a file at its own speed, as if it were live.")] = False,
    loop: Annotated[bool, typer.Option(help="Begin a file again at its end.")] = False,
    until: Annotated[str | None, typer.Option(help="Watch up to this time, as m:ss.")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell when a condition comes true; exit code 3 if the model can judge none of them."""
    from agent.cli.watch import WatchingOptions, watch_source
    from tools.media import parse_clock

    flags = {"media.fps": fps, "memory.policy": policy, "watch.cooldown_s": cooldown, "watch.checks_per_minute": checks}
    settings = _settings(config, model, folder, {**flags, "watch.webhook_picture": webhook_picture or None})
    options = WatchingOptions(
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
    png: Annotated[Path, typer.Option(help="Where to draw the score curve and the kept frames.")] = Path("memory.png"),
    fps: Fps = None,
    budget: Budget = None,
    policy: Policy = None,
    until: Annotated[str | None, typer.Option(help="Watch up to this time, as m:ss.")] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Watch a source and show what is kept of it, in which detail and why."""
    from agent.cli.memory_show import show_memory
    from tools.media import parse_clock

    settings = _settings(config, None, folder, {"media.fps": fps, "memory.capacity": budget, "memory.policy": policy})
    show_memory(source, settings, png, parse_clock(until) if until else None, make_console(), as_json)


@memory_app.command("list")
def memory_list(folder: Folder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """List the sources of which something is remembered, and those of which something is told."""
    from agent.cli.memory import list_memories
    from agent.cli.narrative import list_narratives

    settings = _settings(config, None, folder, {})
    list_narratives(settings, make_console(), as_json)
    list_memories(settings, make_console(), as_json)


@memory_app.command("search")
def memory_search(
    words: Annotated[str, typer.Argument(help="What was seen, read or noted.")],
    source: SourceName = None,
    limit: Annotated[int, typer.Option(help="Findings a source.", min=1)] = 10,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Search what was noted, by words."""
    from agent.cli.memory import search_memories

    search_memories(_settings(config, None, folder, {}), words, source, limit, make_console(), as_json)


@memory_app.command("forget")
def memory_forget(
    source: SourceName = None,
    before: Annotated[
        str | None, typer.Option(help="Forget what is older: an age (24h, 7d), yesterday, or a date and time.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Forget from this time of the source on, as m:ss.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="Forget up to this time of the source, as m:ss.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Forget everything; without --source, the conversations too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
) -> None:
    """Remove pictures, notes and their vectors for good; a process that watches the source forgets too.

    Conversations are kept, unless all of everything is forgotten: --all without --source.
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
    source: Told,
    model: Model = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="Find events and links by rules, whatever the model is.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be asked and written.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Build the narrative memory of what is told and shown: events, what links them, and chains."""
    from agent.cli.narrative import BuildOptions, build_narrative

    options = BuildOptions(dry_run=dry_run, rules=rules, as_json=as_json)
    build_narrative(source, _settings(config, model, folder, {}), make_console(), options)


@memory_app.command("ask")
def memory_ask(
    source: Told,
    question: Annotated[str, typer.Argument(help="What is asked.")],
    model: Model = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Answer a question from what was built, with the moments that the answer rests on."""
    from agent.cli.narrative import ask_narrative

    ask_narrative(source, question, _settings(config, model, folder, {}), make_console(), as_json=as_json)


@memory_app.command("recall")
def memory_recall(
    source: Told,
    question: Annotated[str, typer.Argument(help="What is asked.")],
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print the events that a question rests on, also where they lie far apart."""
    from agent.cli.narrative import recall_narrative

    recall_narrative(source, question, _settings(config, None, folder, {}), make_console(), as_json=as_json)


@memory_app.command("same")
def memory_same(
    source: Told,
    name: Annotated[str, typer.Argument(help="A name or description.")],
    other: Annotated[str, typer.Argument(help="Another one of the same.")],
    undo: Annotated[bool, typer.Option("--undo", help="They are two, after all.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
) -> None:
    """Say that two names of a source stand for the same, such as "the man in grey" and "the doctor"."""
    from agent.cli.narrative_aliases import same_narrative

    same_narrative(source, name, other, _settings(config, None, folder, {}), make_console(), undo=undo)


@memory_app.command("story")
def memory_story(
    source: Annotated[str, typer.Argument(help="What was built.")],
    html: Annotated[
        Path | None, typer.Option(help="Where the page is written (default NAME.story.html, in this folder).")
    ] = None,
    png: Annotated[Path | None, typer.Option(help="Draw a PNG here, too.")] = None,
    as_of: Annotated[int | None, typer.Option(help="The version of the memory (default: the newest).", min=1)] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Draw events, chains and links on a time line: one page that needs nothing else, and a PNG."""
    from agent.narrative.story import write_story

    settings = _settings(config, None, folder, {})
    write_story(source, settings, make_console(), html=html, png=png, as_of=as_of, as_json=as_json)


@memory_app.command("reindex")
def memory_reindex(folder: Folder = None, config: ConfigFile = None) -> None:
    """Make the index of the narrative memory anew; it can always be."""
    from agent.cli.narrative import reindex_narrative

    reindex_narrative(_settings(config, None, folder, {}), make_console())


@app.command(rich_help_panel=SET_UP)
def doctor(model: Model = None, folder: Folder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Check that everything needed is there, and say how to mend what is not; exit code 1 if something fails."""
    from agent.cli.doctor import run_checks, show_checks

    checks = run_checks(_settings(config, model, folder, {}))
    show_checks(checks, make_console(), as_json)
    raise typer.Exit(1 if any(check.status == "failed" for check in checks) else 0)


@app.command(rich_help_panel=SET_UP)
def setup(
    extras: Annotated[
        list[str] | None, typer.Argument(help="Extras to install as well; `attend doctor` lists them.")
    ] = None,
) -> None:
    """Install the weights of the embedded model, and packages of extras, into this environment."""
    from agent.cli.setup import install

    install(extras or ())


@app.command(rich_help_panel=SET_UP)
def models(as_json: Json = False) -> None:
    """List the ways to name a model, and what each can do here."""
    from agent.cli.doctor import show_models

    show_models(make_console(), as_json)


def _serve(sources: list[str], settings: Any, **options: Any) -> None:
    from agent.server.serve import ServeOptions
    from agent.server.serve import serve as run_server

    # Once all is closed the server raises the signal again that ended it: Ctrl-C is how it is meant to end.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run_server(sources, settings, ServeOptions(**options), make_console()))


def _refuse_with_web(flags: dict[str, Any]) -> None:
    for flag, value in flags.items():
        if value:
            raise ConfigError(
                f"{flag} is for the terminal and does not go with --web.", remedy="Leave one of them out."
            )


def _settings(config: Path | None, model: str | None, folder: Path | None, flags: dict[str, Any]) -> Any:
    from agent.config import load_config

    return load_config({"model": model, "folder": folder, **flags}, file=config)
