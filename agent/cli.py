"""The command `attend`: verbs only; what they do lives elsewhere."""

from __future__ import annotations

import os

# OpenMP threads that spin while they wait slow torch down about four times on a machine with two busy cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.terminal import make_console, safe
from tools.errors import AttendError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
memory_app = typer.Typer(no_args_is_help=True, help="What the memory keeps.")
app.add_typer(memory_app, name="memory")

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
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def main() -> None:
    """Run the command line; known errors are shown in one line, with exit code 1."""
    try:
        app()
    except AttendError as error:
        make_console(stderr=True).print(f"[bold red]error:[/] {safe(str(error))}", soft_wrap=True)
        raise SystemExit(1) from None


@app.callback()
def attend() -> None:
    """Chat with an agent that watches video, on this machine."""


@app.command()
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
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Talk about a video, live or from a file."""
    from agent.chat import ChatOptions
    from agent.chat import chat as run_chat
    from tools.media import parse_clock

    settings = _settings(config, model, folder, {"media.fps": fps, "memory.capacity": budget, "memory.policy": policy})
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
    from agent.show import show_memory
    from tools.media import parse_clock

    settings = _settings(config, None, folder, {"media.fps": fps, "memory.capacity": budget, "memory.policy": policy})
    show_memory(source, settings, png, parse_clock(until) if until else None, make_console(), as_json)


@app.command()
def doctor(model: Model = None, folder: Folder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Check that everything needed is there, and say how to mend what is not; exit code 1 if something fails."""
    from agent.doctor import run_checks, show_checks

    checks = run_checks(_settings(config, model, folder, {}))
    show_checks(checks, make_console(), as_json)
    raise typer.Exit(1 if any(check.status == "failed" for check in checks) else 0)


@app.command()
def models(as_json: Json = False) -> None:
    """List the ways to name a model, and what each can do here."""
    from agent.doctor import show_models

    show_models(make_console(), as_json)


def _settings(config: Path | None, model: str | None, folder: Path | None, flags: dict[str, Any]) -> Any:
    from agent.config import load_config

    return load_config({"model": model, "folder": folder, **flags}, file=config)
