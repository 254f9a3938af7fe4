"""Plug-in commands of `attend`, imported when they are run or shown in the help."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from tools.plugins import PluginError, find_plugins, load_plugin

ASK, MEMORY, CLINICAL, SET_UP = PANELS = ("Ask and watch", "Memory", "Clinical work", "Set up")
"""Panels of `attend --help`, in order; plug-ins such as `eval` name their own."""

_ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}


class CommandGroup(TyperGroup):
    """Commands of the application, then those of the `attend.commands` entry points, each a `typer.Typer`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the command names, plug-ins last."""
        own = super().list_commands(ctx)
        own.sort(key=lambda name: PANELS.index(self.commands[name].rich_help_panel))  # type: ignore[attr-defined]
        return own + [name for name in find_plugins("attend.commands") if name not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; for a plug-in that cannot be loaded, one that reports why when it is run."""
        own = super().get_command(ctx, cmd_name)
        entry = None if own else find_plugins("attend.commands").get(cmd_name)
        if entry is None:
            return own
        try:
            found = load_plugin(entry, typer.Typer)
        except PluginError as error:
            found = _failing(error)
        command = typer.main.get_command(found)
        command.name = cmd_name
        panel = found.rich_help_panel  # a placeholder object if the plug-in names none
        command.rich_help_panel = panel if isinstance(panel, str) else "Plug-ins"  # type: ignore[attr-defined]
        return command


def _failing(error: PluginError) -> typer.Typer:
    app = typer.Typer(add_completion=False)

    @app.command(help=f"Cannot be loaded: {error.problem}", context_settings=_ANY_ARGUMENTS)
    def fail() -> None:
        raise error

    return app
