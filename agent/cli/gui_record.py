"""`attend gui record`: record a person's actions in a program as a workflow."""

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

NEEDS_REVIEW = 4
"""Exit code if something could not be recorded or needs review."""


def record(
    out: Annotated[Path, typer.Argument(help="Workflow file to write (a new YAML file).")],
    target: Annotated[str, typer.Option(help="An http(s):// URL, or 'desktop'.")],
    name: Annotated[str, typer.Option(help="Name of the workflow (default: the file name).")] = "",
    window: Annotated[str, typer.Option(help="Record only windows with this title; '*' matches anything.")] = "*",
    policy: Annotated[Path | None, typer.Option(help="Policy (YAML) of what the workflow may do.")] = None,
    pixels: Annotated[bool, typer.Option("--pixels", help="Use pixels only, without the accessibility tree.")] = False,
    connect: Annotated[str, typer.Option(help="DevTools address of a running Chromium to record.")] = "",
    seconds: Annotated[float, typer.Option(min=1, help="Stop after this many seconds.")] = math.inf,
    folder: Annotated[Path | None, typer.Option(help="Folder in which `attend stop` writes its file.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file (default: attend.toml, if found).")
    ] = None,
) -> None:
    """Record a person's actions as a workflow that `attend gui run` replays without a model.

    Stop with Ctrl+Alt+Esc, Ctrl+C, `attend stop`, or by closing the window. Typed text is not stored: it becomes a
    parameter, and so do labels in which personal details are detected, also in step names. Detection is incomplete:
    only the owner can read the file; review it before sharing. Exit code 4 if something needs review.
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
    with (
        _open_watcher(target, stop, pixels, connect) as (actuator, watcher),
        watching(stop, actuator.release, _stop_keys(actuator)),
    ):
        console.print("Recording. Stop with Ctrl+Alt+Esc, Ctrl+C, or by closing the window.")
        watched = watch(actuator, watcher, stop, seconds=seconds, windows=window, on_event=_print_event)
        start = target if target.startswith("http") else ""
        made = as_recording(watched, name or out.stem.replace("_", " "), start=start, policy=rules)
    save_workflow(made.workflow, out, new=True)
    parameters = ", ".join(made.workflow.parameters) or "none"
    console.print(f"{len(made.workflow.steps)} steps in {safe(str(out))}; parameters: {safe(parameters)}")
    for doubt in made.doubts:
        console.print(f"[yellow]{safe(doubt)}[/]", soft_wrap=True)
    raise typer.Exit(NEEDS_REVIEW if any(doubt.startswith("step ") for doubt in made.doubts) else 0)


@contextlib.contextmanager
def _open_watcher(target: str, stop: KillSwitch, pixels: bool, connect: str) -> Iterator[tuple[Actuator, Watcher]]:
    with contextlib.ExitStack() as stack:
        if target == "desktop":
            from tools.gui.actuators.desktop import DesktopActuator
            from tools.gui.recording.x11 import XWatcher

            desktop = DesktopActuator(stop, tree=not pixels)
            stack.callback(desktop.close)
            x_watcher = XWatcher()
            stack.callback(x_watcher.close)
            yield desktop, x_watcher
        elif target.startswith("http"):
            from agent.gui.session import check_display
            from tools.gui.actuators.browser import BrowserActuator
            from tools.gui.recording.browser import BrowserWatcher

            if not connect:
                check_display()
            browser = BrowserActuator(target, stop, connect=connect, headless=False, tree=not pixels)
            stack.callback(browser.close)
            browser_watcher = BrowserWatcher(browser)
            stack.callback(browser_watcher.close)
            yield browser, browser_watcher
        else:
            raise ConfigError(f"unknown target {target!r}.", expected="an http(s):// URL, or 'desktop'")


def _stop_keys(actuator: Actuator) -> list[Hotkey]:
    from agent.gui.session import watches_display
    from tools.gui.guard.kill_switch import Hotkey

    return [Hotkey()] if watches_display(actuator) else []


def _print_event(did: Did) -> None:
    event = did.event
    what = event.keys if event.kind == "key" else event.kind
    at = f" at {did.point.x_px:.0f}, {did.point.y_px:.0f}" if did.point else ""
    make_console(stderr=True).print(f"  {safe(what)}{at}")
