"""`attend gui record`: watch a person work a program, and write what was done as a workflow."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.console import make_console, safe
from agent.gui.path_checks import check_new
from tools.errors import ConfigError

if TYPE_CHECKING:
    from tools.gui.guard.kill_switch import Hotkey, KillSwitch
    from tools.gui.recording.events import Watcher
    from tools.gui.recording.recorder import Did
    from tools.gui.types import Actuator

DOUBTFUL = 4
"""The exit code where something could not be recorded, or has to be looked at."""


def record(
    out: Annotated[Path, typer.Argument(help="The workflow to write, a YAML file that is not there yet.")],
    target: Annotated[str, typer.Option(help="An http(s):// address, or 'desktop'.")],
    name: Annotated[str, typer.Option(help="What the workflow is called; else as its file.")] = "",
    window: Annotated[str, typer.Option(help="Only what is done in windows of this title; '*' is anything.")] = "*",
    policy: Annotated[Path | None, typer.Option(help="What the workflow may do: a policy in YAML.")] = None,
    pixels: Annotated[bool, typer.Option("--pixels", help="Look at pixels alone, without accessibility tree.")] = False,
    connect: Annotated[str, typer.Option(help="The DevTools address of a running Chromium to watch.")] = "",
    seconds: Annotated[float, typer.Option(min=1, help="End by itself after so many seconds.")] = math.inf,
    folder: Annotated[Path | None, typer.Option(help="Where `attend stop` leaves its file.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file; else attend.toml is found.")] = None,
) -> None:
    """Watch a person work a program, and write a workflow that `attend gui run` replays without a model.

    End with Ctrl+Alt+Esc, Ctrl+C, `attend stop`, or by closing the window. Nothing that is typed is kept: it becomes a
    parameter, and so does a label in which personal details are found, in the names of steps, too. Detectors miss some:
    the file can be read by its owner only; look at it before it is given away. Exit code 4 where something has to
    be looked at.
    """
    from agent.config import load_config
    from tools.gui.guard.kill_switch import KillSwitch, watching
    from tools.gui.guard.policy import load_policy
    from tools.gui.recording.recorder import as_recording, watch
    from tools.gui.workflow.yaml_format import SUFFIXES, save_workflow

    check_new("", out, SUFFIXES)
    rules = load_policy(policy) if policy else None
    stop = KillSwitch(load_config({"folder": folder}, file=config).folder)
    stop.check()
    console = make_console(stderr=True)
    with _eyes(target, stop, pixels, connect) as (actuator, watcher), watching(stop, actuator.release, _keys(actuator)):
        console.print("Watching. End with Ctrl+Alt+Esc, Ctrl+C, or by closing the window.")
        watched = watch(actuator, watcher, stop, seconds=seconds, windows=window, on_event=_tell)
        start = target if target.startswith("http") else ""
        made = as_recording(watched, name or out.stem.replace("_", " "), start=start, policy=rules)
    save_workflow(made.workflow, out, new=True)
    parameters = ", ".join(made.workflow.parameters) or "none"
    console.print(f"{len(made.workflow.steps)} steps in {safe(str(out))}; parameters: {safe(parameters)}")
    for doubt in made.doubts:
        console.print(f"[yellow]{safe(doubt)}[/]", soft_wrap=True)
    raise typer.Exit(DOUBTFUL if any(doubt.startswith("step ") for doubt in made.doubts) else 0)


@contextlib.contextmanager
def _eyes(target: str, stop: KillSwitch, pixels: bool, connect: str) -> Iterator[tuple[Actuator, Watcher]]:
    with contextlib.ExitStack() as stack:
        if target == "desktop":
            from tools.gui.actuators.desktop import DesktopActuator
            from tools.gui.recording.x11 import XWatcher

            desktop = DesktopActuator(stop, tree=not pixels)
            stack.callback(desktop.close)
            seen = XWatcher()
            stack.callback(seen.close)
            yield desktop, seen
        elif target.startswith("http"):
            from agent.gui.session import check_display
            from tools.gui.actuators.browser import BrowserActuator
            from tools.gui.recording.browser import BrowserWatcher

            if not connect:
                check_display()
            browser = BrowserActuator(target, stop, connect=connect, headless=False, tree=not pixels)
            stack.callback(browser.close)
            heard = BrowserWatcher(browser)
            stack.callback(heard.close)
            yield browser, heard
        else:
            raise ConfigError(f"there is no target {target!r}.", expected="an http(s):// address, or 'desktop'")


def _keys(actuator: Actuator) -> list[Hotkey]:
    from agent.gui.session import watches_display
    from tools.gui.guard.kill_switch import Hotkey

    return [Hotkey()] if watches_display(actuator) else []


def _tell(did: Did) -> None:
    event = did.event
    what = event.keys if event.kind == "key" else event.kind
    at = f" at {did.point.x_px:.0f}, {did.point.y_px:.0f}" if did.point else ""
    make_console(stderr=True).print(f"  {safe(what)}{at}")
