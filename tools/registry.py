"""The tools of the agent, in the order in which a model is told of them."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.tools import BaseTool

from tools.ask_user import make_ask_user
from tools.base import Seen
from tools.look import make_look
from tools.read_text import make_read_text
from tools.recall import make_recall


def make_tools(seen: Seen, more: Sequence[BaseTool] = ()) -> tuple[BaseTool, ...]:
    """Build the tools over a memory, with others behind them, such as `tools.literature.tool.make_literature`'s."""
    return make_ask_user(seen), make_look(seen), make_read_text(seen), make_recall(seen), *more
