"""Registry of the agent's tools, in the order in which the model sees them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel

from tools import ask_user, look, read_text, recall
from tools.base import Seen, Shown
from tools.errors import ConfigError
from tools.plugins import find_plugins, load_plugin


def make_tools(seen: Seen, more: Sequence[BaseTool] = ()) -> tuple[BaseTool, ...]:
    """Build the tools over a memory, followed by `more`, such as `tools.literature.tool.make_literature`'s.

    Plug-ins come last: an entry point of `attend.tools` is a function that takes the memory and returns a tool.

    Raises:
        PluginError: if a plug-in cannot be loaded.
    """
    added = [load_plugin(entry)(seen) for entry in find_plugins("attend.tools").values()]
    stays, tells = "" if seen.plays else f" {ask_user.STAYS}", f" {recall.TELLS}" if seen.tells else ""
    return (
        make_tool(seen, ask_user.ask_user, ask_user.Intervention, ask_user.DESCRIPTION + stays),
        make_tool(seen, look.look, look.LookArgs, look.DESCRIPTION),
        make_tool(seen, read_text.read_text, read_text.ReadTextArgs, read_text.DESCRIPTION),
        make_tool(seen, recall.recall, recall.RecallArgs, recall.DESCRIPTION + tells),
        *more,
        *added,
    )


def make_tool(seen: Seen, run: Callable[..., tuple[str, Shown]], args: type[BaseModel], description: str) -> BaseTool:
    """Build a tool over a memory.

    Args:
        seen: the memory.
        run: takes the memory and the arguments of a call; the tool has its name.
        args: the schema of the arguments.
        description: when to call it, for the model.
    """
    return check_tool(
        StructuredTool.from_function(
            partial(run, seen),
            name=run.__name__,
            description=description,
            args_schema=args,
            response_format="content_and_artifact",
        )
    )


def check_tool(tool: BaseTool) -> BaseTool:
    """Return the tool if its description and schema are complete.

    Raises:
        ConfigError: if the description or an argument's description is empty, or an argument has no type.
    """
    schema = tool.tool_call_schema.model_json_schema()  # type: ignore[union-attr]
    missing = [name for name, entry in schema.get("properties", {}).items() if not entry.get("description")]
    if missing or not tool.description.strip():
        what = f"the arguments {missing}" if missing else "the tool itself"
        raise ConfigError(f"the tool {tool.name!r} lacks a description of {what}.", remedy="Describe it for the model.")
    return tool
