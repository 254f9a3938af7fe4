"""Output of a GUI run: unmasked on a terminal, else without personal details."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.cli.console import make_console, safe
from tools.gui.guard.audit import AuditLog
from tools.gui.workflow.placeholders import Veil
from tools.gui.workflow.run_context import StepReport
from tools.media.types import mask_credentials

MIN_HIDDEN_CHARS = 3
"""Minimum length of values to hide; shorter ones, such as numbers, also occur inside other words."""


@dataclass(frozen=True)
class Reporter:
    """Prints the progress of a run.

    Attributes:
        as_json: print JSON.
        audit: redacts output that may be stored.
        values: values of the run, by name; replaced by their names there.
    """

    as_json: bool
    audit: AuditLog
    values: Mapping[str, str]

    def text(self, text: str, *, label: bool = False) -> str:
        """Redact a text as the audit file would, unless the output is a terminal."""
        text = mask_credentials(text)
        if not self.as_json and sys.stdout.isatty():
            return text
        hidden = Veil({name: value for name, value in self.values.items() if len(value) >= MIN_HIDDEN_CHARS}).hide(text)
        return self.audit.redacted(hidden, label=label)

    def step(self, step: StepReport) -> None:
        """Print the outcome of a step."""
        name, reason = self.text(step.name, label=True), self.text(step.reason)
        if self.as_json:
            print(json.dumps(_as_json(step, name, reason)), flush=True)
            return
        colour = {"verified": "green", "completed_unverified": "yellow"}.get(step.outcome.value, "bold red")
        pointed = ", a model pointed at it" if step.target and step.target.layer == "model" else ""
        how = f"  ({step.how}{pointed})" if step.how else ""
        outcome = step.outcome.value.replace("_", " ")
        make_console().print(
            f"{step.number:3}  [{colour}]{outcome}[/]  {safe(name)}{safe(how)}{safe(f'  {reason}'.rstrip())}",
            soft_wrap=True,
        )


def _as_json(step: StepReport, name: str, reason: str) -> dict[str, Any]:
    return {
        "step": step.number,
        "name": name,
        "outcome": step.outcome.value,
        "how": step.how,
        "reason": reason,
        "approved_by": list(step.record.approved_by) if step.record else [],
        "point": step.target.point.model_dump() if step.target else None,
        "layer": step.target.layer if step.target else "",
    }
