"""Tools of the agent. A leaf package: nothing here imports `agent`, `memory` or `evals`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.lazy import make_getattr

if TYPE_CHECKING:
    from tools.base import Evidence, Seen, SeenFrame, Shown, untrusted
    from tools.errors import AttendError, ConfigError, MediaError, ModelError, StoreError, ToolFailed, ToolRetry
    from tools.gui.actuators.simulated import SimulatedActuator
    from tools.gui.guard.audit import AuditLog
    from tools.gui.guard.decide import Mode
    from tools.gui.guard.guarded import Guard
    from tools.gui.workflow.run import run_workflow
    from tools.gui.workflow.run_context import Nobody
    from tools.gui.workflow.yaml_format import load_workflow
    from tools.literature.export.formats import answer_text
    from tools.literature.support.answer import quote_evidence
    from tools.registry import check_tool, make_tools

__all__ = [
    "AttendError",
    "AuditLog",
    "ConfigError",
    "Evidence",
    "Guard",
    "MediaError",
    "Mode",
    "ModelError",
    "Nobody",
    "Seen",
    "SeenFrame",
    "Shown",
    "SimulatedActuator",
    "StoreError",
    "ToolFailed",
    "ToolRetry",
    "answer_text",
    "check_tool",
    "load_workflow",
    "make_tools",
    "quote_evidence",
    "run_workflow",
    "untrusted",
]

__getattr__ = make_getattr(
    __name__,
    {
        "AttendError": "tools.errors",
        "AuditLog": "tools.gui.guard.audit",
        "ConfigError": "tools.errors",
        "Evidence": "tools.base",
        "Guard": "tools.gui.guard.guarded",
        "MediaError": "tools.errors",
        "Mode": "tools.gui.guard.decide",
        "ModelError": "tools.errors",
        "Nobody": "tools.gui.workflow.run_context",
        "Seen": "tools.base",
        "SeenFrame": "tools.base",
        "Shown": "tools.base",
        "SimulatedActuator": "tools.gui.actuators.simulated",
        "StoreError": "tools.errors",
        "ToolFailed": "tools.errors",
        "ToolRetry": "tools.errors",
        "answer_text": "tools.literature.export.formats",
        "check_tool": "tools.registry",
        "make_tools": "tools.registry",
        "load_workflow": "tools.gui.workflow.yaml_format",
        "quote_evidence": "tools.literature.support.answer",
        "run_workflow": "tools.gui.workflow.run",
        "untrusted": "tools.base",
    },
)
