"""What the agent can do. A leaf: nothing here imports `agent`, `memory` or `evals`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.lazy import make_getattr

if TYPE_CHECKING:
    from tools.base import Evidence, Seen, SeenFrame, Shown, check_tool, untrusted
    from tools.errors import AttendError, ConfigError, MediaError, ModelError, StoreError, ToolFailed, ToolRetry
    from tools.registry import make_tools

__all__ = [
    "AttendError",
    "ConfigError",
    "Evidence",
    "MediaError",
    "ModelError",
    "Seen",
    "SeenFrame",
    "Shown",
    "StoreError",
    "ToolFailed",
    "ToolRetry",
    "check_tool",
    "make_tools",
    "untrusted",
]

__getattr__ = make_getattr(
    __name__,
    {
        "AttendError": "tools.errors",
        "ConfigError": "tools.errors",
        "Evidence": "tools.base",
        "MediaError": "tools.errors",
        "ModelError": "tools.errors",
        "Seen": "tools.base",
        "SeenFrame": "tools.base",
        "Shown": "tools.base",
        "StoreError": "tools.errors",
        "ToolFailed": "tools.errors",
        "ToolRetry": "tools.errors",
        "check_tool": "tools.base",
        "make_tools": "tools.registry",
        "untrusted": "tools.base",
    },
)
