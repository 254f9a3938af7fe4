"""Plug-ins: what other distributions add to Attend by entry points of their packaging metadata.

`attend.tools` adds tools to the agent, `attend.models` kinds of model strings, `attend.suites` evaluation suites, and
`attend.commands` commands of `attend`. Nothing is imported before it is used.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any, Literal

from tools.errors import AttendError

Group = Literal["attend.tools", "attend.models", "attend.suites", "attend.commands"]
Plugins = Mapping[str, importlib.metadata.EntryPoint]


class PluginError(AttendError):
    """A plug-in cannot be loaded, or is not what its group takes."""


def find_plugins(group: Group) -> Plugins:
    """Return the entry points of a group by name, in the order of their names.

    Raises:
        PluginError: if two distributions give one name.
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
    """Import what an entry point names.

    Args:
        entry: one of `find_plugins`.
        kind: the type that it must have; None takes anything that can be called.

    Raises:
        PluginError: if it cannot be imported or is of another type; names the distribution.
    """
    try:
        loaded = entry.load()
    except Exception as error:  # it is anybody's code
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
