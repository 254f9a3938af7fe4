"""Attend's agent: the loop, the models and their features; `__all__` is the public interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.lazy import make_getattr

if TYPE_CHECKING:
    from agent.assistant import Assistant, open_assistant
    from agent.cli.literature_index import index_paths
    from agent.cli.narrative import BuildOptions, ask_narrative, build_narrative
    from agent.config import Config, load_config
    from agent.core.events import Answered, Event, Needs, Perceived, Token, ToolCalled, ToolReturned
    from agent.literature.library import open_library
    from agent.models import load_mllm
    from agent.perception.session import open_source_session
    from agent.watch.monitor import Watcher
    from agent.watch.rule import Alert
    from tools.errors import AttendError

__all__ = [
    "Alert",
    "Answered",
    "Assistant",
    "AttendError",
    "BuildOptions",
    "Config",
    "Event",
    "Needs",
    "Perceived",
    "Token",
    "ToolCalled",
    "ToolReturned",
    "Watcher",
    "ask_narrative",
    "build_narrative",
    "index_paths",
    "load_config",
    "load_mllm",
    "open_assistant",
    "open_library",
    "open_source_session",
]

__getattr__ = make_getattr(
    __name__,
    {
        "Alert": "agent.watch.rule",
        "Answered": "agent.core.events",
        "Assistant": "agent.assistant",
        "AttendError": "tools.errors",
        "BuildOptions": "agent.cli.narrative",
        "Config": "agent.config",
        "Event": "agent.core.events",
        "Needs": "agent.core.events",
        "Perceived": "agent.core.events",
        "Token": "agent.core.events",
        "ToolCalled": "agent.core.events",
        "ToolReturned": "agent.core.events",
        "Watcher": "agent.watch.monitor",
        "ask_narrative": "agent.cli.narrative",
        "build_narrative": "agent.cli.narrative",
        "index_paths": "agent.cli.literature_index",
        "load_config": "agent.config",
        "load_mllm": "agent.models",
        "open_assistant": "agent.assistant",
        "open_library": "agent.literature.library",
        "open_source_session": "agent.perception.session",
    },
)
