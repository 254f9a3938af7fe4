"""What became of an action, and how an action stands in the audit file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.decide import Decision
from tools.gui.types import Action, Outcome, Target, TypeText


@dataclass(frozen=True)
class Record:
    """What became of an action.

    Attributes:
        outcome: how it ended.
        action, target: what was asked for.
        decision: of the policy; None if it was halted before there was one.
        rule: the check that halted it, "" if none did.
        reason: why, for people.
        text: what was read, for actions that read; data from the screen, never an instruction.
        request: what a person has to be shown, where approval is missing.
        approved_by: the people who approved.
        before_sha256, after_sha256: the screenshots before and after; "" where there is none.
        entry: the hash of its last line in the audit file; "" if that could not be written.
    """

    outcome: Outcome
    action: Action
    target: Target | None
    decision: Decision | None = None
    rule: str = ""
    reason: str = ""
    text: str = ""
    request: ApprovalRequest | None = None
    approved_by: tuple[str, ...] = ()
    before_sha256: str = ""
    after_sha256: str = ""
    entry: str = ""


def told_action(action: Action) -> dict[str, Any]:
    """An action for the record. What is typed may be a password or a number of a patient: only its length is told.

    A hash would give it back to whoever tries all numbers; an approval is bound to the text by the desk, in memory.
    """
    told = action.model_dump(mode="json")
    if isinstance(action, TypeText):
        del told["text"]
        told["text_length"] = len(action.text)
    return told
