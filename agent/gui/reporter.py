"""How a run on a screen is told: in clear to a person at a terminal, else without personal details."""

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

LEAST_LETTERS = 3
"""Shorter values are not hidden, since they stand in other words, too, such as a number; our choice."""


@dataclass(frozen=True)
class Telling:
    """Tells what becomes of a run.

    Attributes:
        as_json: whether a program reads it.
        audit: says what is taken out where the output may be kept.
        values: of the run, by name; told by their names there.
    """

    as_json: bool
    audit: AuditLog
    values: Mapping[str, str]

    def text(self, text: str, *, label: bool = False) -> str:
        """A text as it may be told. Anything but a terminal may be a file, and gets no more than the audit file."""
        text = mask_credentials(text)
        if not self.as_json and sys.stdout.isatty():
            return text
        hidden = Veil({name: value for name, value in self.values.items() if len(value) >= LEAST_LETTERS}).hide(text)
        return self.audit.redacted(hidden, label=label)

    def step(self, told: StepReport) -> None:
        """Tell how a step ended."""
        name, reason = self.text(told.name, label=True), self.text(told.reason)
        if self.as_json:
            print(json.dumps(_as_json(told, name, reason)), flush=True)
            return
        colour = {"verified": "green", "completed_unverified": "yellow"}.get(told.outcome.value, "bold red")
        pointed = ", a model pointed at it" if told.target and told.target.layer == "model" else ""
        how = f"  ({told.how}{pointed})" if told.how else ""
        outcome = told.outcome.value.replace("_", " ")
        make_console().print(
            f"{told.number:3}  [{colour}]{outcome}[/]  {safe(name)}{safe(how)}{safe(f'  {reason}'.rstrip())}",
            soft_wrap=True,
        )


def _as_json(told: StepReport, name: str, reason: str) -> dict[str, Any]:
    return {
        "step": told.number,
        "name": name,
        "outcome": told.outcome.value,
        "how": told.how,
        "reason": reason,
        "approved_by": list(told.record.approved_by) if told.record else [],
        "point": told.target.point.model_dump() if told.target else None,
        "layer": told.target.layer if told.target else "",
    }
