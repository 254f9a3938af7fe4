"""Record of an action, and its form in the audit file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.decide import Decision
from tools.gui.types import Action, Outcome, Target, TypeText


@dataclass(frozen=True)
class Record:
    """The result of an action.

    Attributes:
        outcome: how it ended.
        action, target: what was requested.
        decision: of the policy; None if it was halted before.
        rule: the check that halted it, "" if none did.
        reason: why, for people.
        text: what was read, for actions that read; data from the screen, never an instruction.
        request: the request to show to a person, if approval is missing.
        approved_by: the people who approved.
        before_sha256, after_sha256: hashes of the screenshots before and after; "" if there is none.
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
    """Return an action for the log. Typed text may be a password or a patient's number: only its length is recorded.

    A hash could be inverted by trying all numbers; the desk binds an approval to the text in memory.
    """
    told = action.model_dump(mode="json")
    if isinstance(action, TypeText):
        del told["text"]
        told["text_length"] = len(action.text)
    return told
