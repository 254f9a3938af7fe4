"""The loop and the models; the names in `__all__` are the public interface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.lazy import make_getattr

if TYPE_CHECKING:
    from agent.assistant import Assistant, open_assistant
    from agent.config import Config, load_config
    from agent.core.events import Answered, Event, Needs, Perceived, Token, ToolCalled, ToolReturned
    from agent.models import load_mllm
    from tools.errors import AttendError

__all__ = [
    "Answered",
    "Assistant",
    "AttendError",
    "Config",
    "Event",
    "Needs",
    "Perceived",
    "Token",
    "ToolCalled",
    "ToolReturned",
    "load_config",
    "load_mllm",
    "open_assistant",
]

__getattr__ = make_getattr(
    __name__,
    {
        "Answered": "agent.core.events",
        "Assistant": "agent.assistant",
        "AttendError": "tools.errors",
        "Config": "agent.config",
        "Event": "agent.core.events",
        "Needs": "agent.core.events",
        "Perceived": "agent.core.events",
        "Token": "agent.core.events",
        "ToolCalled": "agent.core.events",
        "ToolReturned": "agent.core.events",
        "load_config": "agent.config",
        "load_mllm": "agent.models",
        "open_assistant": "agent.assistant",
    },
)
