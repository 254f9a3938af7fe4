"""Plug-ins: extensions that other distributions add to Attend through entry points.

`attend.tools` adds tools to the agent, `attend.models` adds kinds of model strings, `attend.suites` evaluation suites,
and `attend.commands` commands of `attend`. Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any, Literal

from tools.errors import AttendError

Group = Literal["attend.tools", "attend.models", "attend.suites", "attend.commands"]
Plugins = Mapping[str, importlib.metadata.EntryPoint]


class PluginError(AttendError):
    """A plug-in cannot be loaded, or has the wrong type for its group."""


def find_plugins(group: Group) -> Plugins:
    """Return the entry points of a group by name, sorted by name.

    Raises:
        PluginError: if two distributions define the same name.
    """
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for entry in sorted(importlib.metadata.entry_points(group=group), key=lambda entry: entry.name):
        if entry.name in found:
            raise PluginError(
                f"both {_distribution(found[entry.name])} and {_distribution(entry)} add {entry.name!r} to {group}.",
                remedy="Uninstall one of them.",
            )
        found[entry.name] = entry
    return found


def load_plugin(entry: importlib.metadata.EntryPoint, kind: type | None = None) -> Any:
    """Import the object that an entry point names.

    Args:
        entry: one of `find_plugins`.
        kind: the type it must have; None accepts any callable.

    Raises:
        PluginError: if it cannot be imported or is of another type; names the distribution.
    """
    try:
        loaded = entry.load()
    except Exception as error:  # it runs third-party code
        raise _broken(entry, f"{type(error).__name__}: {error}") from error
    if isinstance(loaded, kind) if kind else callable(loaded):
        return loaded
    raise _broken(entry, f"{entry.value} is a {type(loaded).__name__}, not a {kind.__name__ if kind else 'function'}")


def _broken(entry: importlib.metadata.EntryPoint, why: str) -> PluginError:
    name = _distribution(entry)
    return PluginError(
        f"cannot load {entry.name!r} of {entry.group} from the distribution {name}: {why}.",
        remedy=f"Update or uninstall {name}.",
    )


def _distribution(entry: importlib.metadata.EntryPoint) -> str:
    return repr(entry.dist.name) if entry.dist else entry.module
