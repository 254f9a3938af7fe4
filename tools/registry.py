"""Registry of the agent's tools, in the order in which the model sees them."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.tools import BaseTool

from tools.ask_user import make_ask_user
from tools.base import Seen
from tools.look import make_look
from tools.plugins import find_plugins, load_plugin
from tools.read_text import make_read_text
from tools.recall import make_recall


def make_tools(seen: Seen, more: Sequence[BaseTool] = ()) -> tuple[BaseTool, ...]:
    """Build the tools over a memory, followed by `more`, such as `tools.literature.tool.make_literature`'s.

    Plug-ins come last: an entry point of `attend.tools` is a function that takes the memory and returns a tool.

    Raises:
        PluginError: if a plug-in cannot be loaded.
    """
    added = [load_plugin(entry)(seen) for entry in find_plugins("attend.tools").values()]
    return make_ask_user(seen), make_look(seen), make_read_text(seen), make_recall(seen), *more, *added
