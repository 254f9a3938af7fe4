"""`guarded`, the only way to act: it checks everything, looks at the screen again, acts, and records.

Nothing else that works for a person calls `Actuator.perform`; two benches do, on a simulated desk or an empty display
(`evals.bench.gui_stop` and, to show that its instructions are effective, `evals.bench.redteam`). A halted action is
returned as a `Record`, since a refusal is an answer that the loop has to handle, not a crash.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from tools.errors import AttendError, MediaError, Stopped, StoreError, ToolFailed
from tools.gui.guard.approval import Approval, ApprovalDesk, ApprovalRequest, bound_hash
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.decide import (
    Decision,
    Mode,
    Verdict,
    decide,
    is_write,
    leads_to_a_record,
    turns_unseen,
)
from tools.gui.guard.identity import Patient, Reader, check_identity
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.guard.labels import Line, around, focused, read_lines
from tools.gui.guard.policy import Policy
from tools.gui.guard.record import Record, told_action
from tools.gui.guard.windows import banner_of
from tools.gui.types import (
    Action,
    Actuator,
    Outcome,
    Point,
    PressKey,
    Rect,
    Screen,
    Target,
    TypeText,
    points_of,
    region_hash,
)

MINUTE_S = 60.0


@dataclass
class Guard:
    """The rules of one session on one screen, and their state.

    Attributes:
        policy: what is allowed.
        audit: the audit log.
        mode: degree of autonomy.
        patient: the patient, redacted in the log; required if the policy asks for identity.
        stop: the kill switch; the actuator needs the same one.
        desk: receives people's approvals.
        readers: readers of the banner; none uses the default ones of `check_identity`.
        read_lines: reads the words around an action's points.
        about: the actor, for the log: such as the model with its digest, and the hash of the prompt.
        clock: monotonic clock in seconds.
        searching: whether no record need be open yet: actions that the policy lists as leading to one then need no
            check of identity.
    """

    policy: Policy
    audit: AuditLog
    mode: Mode = Mode.SUGGEST
    patient: Patient | None = None
    stop: KillSwitch = field(default_factory=KillSwitch)
    desk: ApprovalDesk = None  # type: ignore[assignment]
    readers: tuple[Reader, ...] = ()
    read_lines: Callable[[np.ndarray], list[Line]] = read_lines
    about: Mapping[str, str] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    searching: bool = False

    def __post_init__(self) -> None:
        if self.desk is None:
            self.desk = ApprovalDesk(self.policy.approval_s, self.policy.approvers, self.clock)
        if self.patient:
            self.audit.know(list(self.patient.fields.values()))
        self.lock = threading.Lock()
        self.acted_at: deque[float] = deque()
        self._read: tuple[str, list[Line]] = ("", [])

    def banner(self, screen: Screen) -> Rect | None:
        """Return the region of the patient banner on a screen, in pixels."""
        return self.policy.banner_on(screen)

    def lines_around(self, screen: Screen, action: Action) -> list[Line]:
        """Return the words around an action's points, in pixels of the screen. Raises ToolFailed."""
        lines: list[Line] = []
        if turns_unseen(action, screen):
            return lines
        for point in _points(screen, action):
            rect = around(point).overlap(screen.rect)
            part = screen.crop(rect)
            if part.size == 0:
                continue
            name = region_hash(part)
            if self._read[0] != name:
                self._read = (name, self.read_lines(part))
            left, top = int(rect.left), int(rect.top)
            lines += [Line(line.text, _moved(line.rect, left, top)) for line in self._read[1]]
        return lines


@runtime_checkable
class _Aiming(Protocol):
    """An actuator that ensures that an action reaches the control with the target's label."""

    aimed_at: str


@dataclass
class _Step:
    """One action during its checks."""

    actuator: Actuator
    guard: Guard
    action: Action
    seen: Screen
    now: Screen
    target: Target | None
    approval: Approval | None
    still: Callable[[Screen], str] | None = None
    decision: Decision = field(default_factory=lambda: Decision(verdict=Verdict.ALLOWED))
    lines: tuple[Line, ...] = ()
    request: ApprovalRequest | None = None
    approved_by: tuple[str, ...] = ()
    patient_checked: bool = False

    @property
    def injects(self) -> bool:
        return self.action.kind not in ("wait", "read")

    def bound(self, screen: Screen) -> str:
        return bound_hash(screen, self.action, self.target, self.guard.banner(screen), self.lines)


def guarded(
    actuator: Actuator,
    guard: Guard,
    action: Action,
    *,
    seen: Screen,
    target: Target | None = None,
    approval: Approval | None = None,
    verify: Callable[[Screen], bool | None] | None = None,
    still: Callable[[Screen], str] | None = None,
) -> Record:
    """Perform an action if every check passes, and record it either way.

    Args:
        actuator: the actuator of the screen.
        guard: the rules of the session.
        action: in pixels of `seen`.
        seen: the screen on which the action was planned; if its surroundings changed since, nothing is done.
        target: target of the action.
        approval: a person's approval of exactly this action, if one was requested before.
        verify: checks on the screen afterwards whether the effect is there; None if it cannot tell.
        still: checks the screen at the last moment: returns what speaks against the target being the intended one.

    Returns:
        The record. If a person has to be asked, `decision.verdict` is `needs_approval` and `request` is set; show it,
        let the guard's desk `approve` it, and call again with the approval.
    """
    with guard.lock:
        step = _Step(actuator, guard, action, seen, seen, target, approval, still)
        if isinstance(action, TypeText):
            # Later quotations of it, such as a screen that shows it, are recorded without it.
            guard.audit.know([action.text])
        try:
            step.now = actuator.screen()
            # The kill switch is checked first and, since reading takes time, once more at the end.
            for name in (*CHECKS, "stop"):
                if name in CHECKS and (problem := CHECKS[name](step)):
                    return _halted(step, name, problem)
            guard.audit.append("act", _told(step))
        except Stopped as error:
            return _halted(step, "stop", str(error), Outcome.CANCELLED)
        except StoreError as error:
            return Record(Outcome.HALTED_BEFORE_EFFECT, action, target, step.decision, "audit", str(error))
        except (ToolFailed, MediaError) as error:
            # A signal that stops the work may also close the program on the screen.
            outcome = Outcome.CANCELLED if guard.stop.by else Outcome.HALTED_BEFORE_EFFECT
            return _halted(step, "eyes", str(error), outcome)
        if step.injects:
            guard.acted_at.append(guard.clock())
        return _perform(step, verify)


def _stop(step: _Step) -> str:
    step.guard.stop.check()
    return ""


def _decision(step: _Step) -> str:
    guard = step.guard
    step.decision = decide(guard.mode, guard.policy, step.action, step.target, step.now)
    # Reading the pixels takes long, and can only make a decision stricter.
    if step.decision.verdict != Verdict.REFUSED and is_write(step.action, step.now, guard.policy):
        step.lines = tuple(guard.lines_around(step.now, step.action))
        step.decision = decide(guard.mode, guard.policy, step.action, step.target, step.now, step.lines)
    return step.decision.reason if step.decision.verdict == Verdict.REFUSED else ""


def _unchanged(step: _Step) -> str:
    if not step.injects or step.bound(step.seen) == step.bound(step.now):
        return ""
    return "the screen changed since the action was planned"


def _rate(step: _Step) -> str:
    guard, limit = step.guard, step.guard.policy.actions_per_minute
    while guard.acted_at and guard.clock() - guard.acted_at[0] >= MINUTE_S:
        guard.acted_at.popleft()
    if not step.injects or len(guard.acted_at) < limit:
        return ""
    return f"the policy's limit of {limit} actions per minute is reached"


def _identity(step: _Step) -> str:
    guard = step.guard
    if guard.policy.identity == "none" or not is_write(step.action, step.now, guard.policy):
        return ""
    banner = guard.banner(step.now)
    if guard.patient is None or banner is None:
        return "the policy requires a patient, and none is set"
    if guard.searching and leads_to_a_record(guard.policy, step.action, step.target):
        return ""  # a list of patients looks like a banner, and names others
    inside, problem = banner_of(step.now, banner, list(points_of(step.action)))
    if inside is None:
        return problem
    checked = check_identity(step.now, inside, guard.patient, guard.readers)
    step.patient_checked = checked.holds
    return checked.reason


def _approval(step: _Step) -> str:
    guard = step.guard
    if step.decision.verdict != Verdict.NEEDS_APPROVAL:
        return ""
    banner = guard.banner(step.now)
    if step.approval is None:
        step.request = guard.desk.ask(
            step.now,
            step.action,
            step.target,
            step.decision,
            lines=step.lines,
            banner=banner,
            patient=_whom(step),
        )
        return f"needs approval: {step.decision.reason}"
    problem = guard.desk.redeem(step.approval, step.decision, step.now, step.action, step.target, banner, step.lines)
    step.approved_by = () if problem else step.approval.people
    return problem


def _rescreen(step: _Step) -> str:
    if not step.injects:
        return ""
    again = step.actuator.screen()
    if step.bound(again) != step.bound(step.now):
        return "the screen changed while the action was checked"
    return step.still(again) if step.still else ""


CHECKS: dict[str, Callable[[_Step], str]] = {
    "stop": _stop,
    "decision": _decision,
    "unchanged": _unchanged,
    "rate": _rate,
    "identity": _identity,
    "approval": _approval,
    "rescreen": _rescreen,
}
"""The checks of an action, in order; each returns why it halts, or ""."""


def _perform(step: _Step, verify: Callable[[Screen], bool | None] | None) -> Record:
    """Act, check the effect, and record the end; an interrupted action needs a person to look."""
    text, reason, acted = "", "", False
    outcome = Outcome.COMPLETED_UNVERIFIED
    after: Screen | None = None
    try:
        if isinstance(step.actuator, _Aiming):
            # A target found by name is pressed under that name only.
            step.actuator.aimed_at = step.target.label if step.target else ""
        text = step.actuator.perform(step.action)
        acted = step.injects
        after = step.actuator.screen(tree=verify is not None or step.patient_checked)
        if problem := _another_patient(step, after):
            outcome, reason = Outcome.RECONCILE, problem
        elif verify is not None and (agrees := verify(after)) is not None:
            outcome = Outcome.VERIFIED if agrees else Outcome.RECONCILE
            reason = "" if agrees else "the intended effect is missing"
    except Stopped as error:
        outcome, reason = Outcome.CANCELLED, str(error)
    except ToolFailed as error:
        # A failed action does nothing; checking the effect of a performed one may fail as well.
        outcome, reason = Outcome.RECONCILE if acted else Outcome.HALTED_BEFORE_EFFECT, str(error)
    except AttendError as error:
        # Read-only actions leave nothing open when the work is stopped.
        outcome = Outcome.CANCELLED if step.guard.stop.by and not step.injects else Outcome.RECONCILE
        reason = str(error)
    except BaseException as error:
        step.actuator.release()
        _record(step, Outcome.RECONCILE, "", f"interrupted by {type(error).__name__}", None)
        raise
    if outcome in (Outcome.CANCELLED, Outcome.RECONCILE):
        step.actuator.release()
    return _record(step, outcome, text, reason, after)


def _another_patient(step: _Step, after: Screen) -> str:
    """Return what the banner says if another patient was opened while a text was typed."""
    banner = step.guard.banner(after)
    if not (step.patient_checked and isinstance(step.action, TypeText)) or step.guard.patient is None or banner is None:
        return ""
    inside, problem = banner_of(after, banner, list(points_of(step.action)))
    if inside is None:
        return problem
    checked = check_identity(after, inside, step.guard.patient, step.guard.readers)
    return "" if checked.holds else f"the patient changed while typing: {checked.reason}"


def _record(step: _Step, outcome: Outcome, text: str, reason: str, after: Screen | None) -> Record:
    after_sha256 = after.sha256 if after else ""
    try:
        entry = step.guard.audit.append(
            "outcome", {"outcome": outcome.value, "reason": reason, "after_sha256": after_sha256}
        )
    except StoreError as error:
        # It was done without a record: nothing more is done until a person has looked.
        step.guard.stop.set("a failed write to the audit log")
        outcome, reason, entry = Outcome.RECONCILE, f"performed but not recorded: {error}", ""
    return Record(
        outcome,
        step.action,
        step.target,
        step.decision,
        reason=reason,
        text=text,
        approved_by=step.approved_by,
        before_sha256=step.now.sha256,
        after_sha256=after_sha256,
        entry=entry,
    )


def _halted(step: _Step, rule: str, reason: str, outcome: Outcome = Outcome.HALTED_BEFORE_EFFECT) -> Record:
    kind = "asked" if step.request else "halted"
    told = {**_told(step), "outcome": outcome.value, "check": rule, "halted_for": reason}
    try:
        entry = step.guard.audit.append(kind, told)
    except StoreError as error:
        entry, reason = "", f"{reason} (not recorded: {error})"
    return Record(
        outcome,
        step.action,
        step.target,
        step.decision,
        rule,
        reason,
        request=step.request,
        before_sha256=step.now.sha256,
        entry=entry,
    )


def _told(step: _Step) -> dict[str, Any]:
    guard = step.guard
    return {
        "about": dict(guard.about),
        "actuator": step.actuator.name,
        "policy": guard.policy.name,
        "mode": guard.mode.value,
        "action": told_action(step.action),
        "target": step.target.model_dump(mode="json") if step.target else None,
        "verdict": step.decision.verdict.value,
        "rule": step.decision.rule,
        "reason": step.decision.reason,
        "request": step.request.id if step.request else (step.approval.request_id if step.approval else ""),
        "approved_by": list(step.approved_by),
        "patient": guard.patient.masked if guard.patient else "",
        "patient_checked": step.patient_checked,
        "window": step.now.window,
        "url": step.now.url,
        "screen_sha256": step.now.sha256,
        "region_sha256": step.bound(step.now),
    }


def _whom(step: _Step) -> str:
    """Return the patient, masked, with a note if the screen was not compared."""
    if step.guard.patient is None:
        return ""
    return step.guard.patient.masked if step.patient_checked else f"not checked ({step.guard.patient.masked})"


def _points(screen: Screen, action: Action) -> list[Point]:
    control = focused(screen) if isinstance(action, PressKey) else None
    return [control.rect.center] if control else list(points_of(action))


def _moved(rect: Rect, left: float, top: float) -> Rect:
    return Rect(left=rect.left + left, top=rect.top + top, right=rect.right + left, bottom=rect.bottom + top)
