"""Commands of `attend` that other distributions add; each is imported when it is run or shown in the help."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from tools.plugins import PluginError, find_plugins, load_plugin

ASK, MEMORY, CLINICAL, SET_UP = PANELS = ("Ask and watch", "Memory", "Clinical work", "Set up")
"""Panels of `attend --help`, in their order; `eval` and other plug-ins name their own."""

_ANY_ARGUMENTS = {"allow_extra_args": True, "ignore_unknown_options": True}


class CommandGroup(TyperGroup):
    """The commands of the application, then those of the entry points `attend.commands`, each a `typer.Typer`."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, those of plug-ins last."""
        own = super().list_commands(ctx)
        own.sort(key=lambda name: PANELS.index(self.commands[name].rich_help_panel))  # type: ignore[attr-defined]
        return own + [name for name in find_plugins("attend.commands") if name not in own]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; a plug-in that cannot be loaded becomes one that says why when it is run."""
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
        panel = found.rich_help_panel  # a placeholder where none was named
        command.rich_help_panel = panel if isinstance(panel, str) else "Plug-ins"  # type: ignore[attr-defined]
        return command


def _failing(error: PluginError) -> typer.Typer:
    app = typer.Typer(add_completion=False)

    @app.command(help=f"Does not work: {error.problem}", context_settings=_ANY_ARGUMENTS)
    def fail() -> None:
        raise error

    return app
