"""Execution of workflows: find, check, act, verify, record; stop at the first deviation.

Without deviations no model is used: targets are found as recorded. A target that is missing is found by its
instruction, and only that step counts as repaired. If two places match equally, a person chooses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from tools.errors import MediaError, Stopped, ToolFailed, ToolRetry
from tools.gui.actuators.verify import Check
from tools.gui.grounding import Ask
from tools.gui.guard.approval import Approval, ApprovalRequest
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard, guarded
from tools.gui.guard.identity import Patient
from tools.gui.types import UNSURE, Actuator, Outcome, Screen, Target
from tools.gui.workflow.journal import FINISHED, Journal, Past
from tools.gui.workflow.placeholders import Veil, values_of
from tools.gui.workflow.recorded_target import hidden_target, record_target
from tools.gui.workflow.resolve_target import POLL_S, aim, beside, is_as_written, missing, tells_more
from tools.gui.workflow.run_context import Nobody, Person, Run, RunReport, StepReport, asking, counted, searching
from tools.gui.workflow.yaml_format import Step, Workflow
from tools.privacy.redact import Redactor

AIMS = 3
"""Maximum number of attempts to aim a step on a screen that does not settle."""


def run_workflow(
    workflow: Workflow,
    actuator: Actuator,
    guard: Guard,
    *,
    person: Person | None = None,
    journal: Journal | None = None,
    ask: Ask | None = None,
    on_step: Callable[[StepReport], None] = lambda step: None,
) -> RunReport:
    """Run a workflow whose values are bound, from the end of its journal.

    Args:
        workflow: with its values. If it names a page to `start` from, that page is already open.
        actuator: the actuator of the screen.
        guard: the guard; its policy is the workflow's.
        person: the person to ask; None is nobody.
        journal: stores progress; None for runs that need not be resumed.
        ask: a model that points at a replacement of a target that nothing else finds; a person approves its choice.
        on_step: called with each step as it ends.

    Raises:
        StoreError: if the journal cannot be written; nothing more is done then.
    """
    checked = frozenset(number for number, step in enumerate(workflow.steps, 1) if step.effect)
    report = RunReport(len(workflow.steps), checked)
    asked = counted(ask, report) if ask else None
    run = Run(actuator, guard, person or Nobody(), asked, journal, report, searching(guard))
    past = journal.past if journal else Past()
    for number, step in enumerate(workflow.steps, 1):
        if (
            past.open == number
            and not step.may_repeat
            and (ended := _reconcile(run, number, step, bool(workflow.start)))
        ):
            _report(run, ended, on_step)
            if ended.outcome not in FINISHED:
                return report
            past.done[number] = ended.outcome
    begin = next((number for number in range(1, report.total + 1) if number not in past.done), report.total + 1)
    # Steps with a confirmed external effect are kept; later ones may be in a form that is gone by now.
    kept = max((n for n, outcome in past.done.items() if outcome == Outcome.VERIFIED and n in checked), default=0)
    for number, step in enumerate(workflow.steps, 1):
        if number in past.done:
            if any(ended.number == number for ended in report.steps):
                continue
            before = begin <= report.total and number < begin
            # Harmless steps have to lead a newly opened page to where the run stopped.
            again = before and bool(workflow.start) and step.may_repeat
            if before and number > kept and not again:
                ended = _still_there(run, number, step, past.done[number])
            elif again:
                ended = _do(run, number, step)
            else:
                ended = StepReport(number, step.name, past.done[number], how="done before")
        else:
            ended = _do(run, number, step)
        _report(run, ended, on_step)
        if ended.outcome not in FINISHED:
            break
    return report


def recorded_workflow(
    workflow: Workflow, report: RunReport, values: Mapping[str, str], patient: Patient | None = None
) -> Workflow:
    """Add the targets that a run found to a workflow, so that the next run replays them.

    Args:
        workflow: as loaded, before values were bound.
        report: of a run of it.
        values: of that run; in labels, their names are recorded instead.
        patient: the patient; name, birth date and id become parameters, too.

    Returns:
        The workflow. A step whose label has further personal details stays unchanged, without its found target.
    """
    values = {**values_of("", values, patient), **values}
    hide, redactor = Veil(values).hide, Redactor(known=list(patient.fields.values()) if patient else ())
    found = {step.number: hidden_target(step.recorded, hide) for step in report.steps if step.recorded}
    kept = {
        number: target
        for number, target in found.items()
        if redactor.label(target.words) == target.words and not tells_more(workflow.steps[number - 1].find)
    }
    steps = [
        step.model_copy(update={"target": kept[number]}) if number in kept else step
        for number, step in enumerate(workflow.steps, 1)
    ]
    words = " ".join(target.words for target in kept.values())
    new = {name: "as it was given" for name in values if f"${{{name}}}" in words}
    return workflow.model_copy(update={"steps": tuple(steps), "parameters": {**new, **workflow.parameters}})


def _report(run: Run, ended: StepReport, on_step: Callable[[StepReport], None]) -> None:
    run.report.steps.append(ended)
    on_step(ended)


def _reconcile(run: Run, number: int, step: Step, opened_anew: bool) -> StepReport | None:
    """Return whether the action at which a run stopped was performed; None if it was not, and may be performed now."""
    reason = "the run was interrupted at it, and no external check shows whether it was done"
    done: bool | None = None
    try:
        if step.effect is not None:
            done, why = _until(run, step)
            reason = f"the run was interrupted at it: {why}" if why else reason
        elif step.expect is not None and step.expect.is_seen and not opened_anew:
            screen = run.actuator.screen()
            shown, _ = step.expect.holds(screen, screen)
            done = True if shown else None
        if done is None:
            done = run.person.was_done(step)
    except Stopped as error:
        return StepReport(number, step.name, Outcome.CANCELLED, str(error))
    if done is None:
        return StepReport(number, step.name, Outcome.RECONCILE, reason)
    outcome = Outcome.VERIFIED if done else Outcome.HALTED_BEFORE_EFFECT
    if run.journal:
        run.journal.done(number, outcome)
    run.guard.audit.append("reconciled", {"step": step.name, "done": done})
    return StepReport(number, step.name, outcome, how="reconciled") if done else None


def _still_there(run: Run, number: int, step: Step, outcome: Outcome) -> StepReport:
    """Check on resuming whether the result of a step is still there, if no external effect confirms it.

    Typed text is typed again, which replaces the field's text. A step that cannot be repeated must be visible, or be
    confirmed by a person, before anything later is written.
    """
    if step.do == "type":
        ended = _do(run, number, step)
        unseen = ended.record is None or ended.record.rule in ("", "eyes")  # not refused by a rule or a person
        if ended.outcome == Outcome.HALTED_BEFORE_EFFECT and unseen:
            reason = f"the text typed before the interruption may be gone, and cannot be checked: {ended.reason}"
            return replace(ended, outcome=Outcome.RECONCILE, reason=reason)
        return ended
    before = StepReport(number, step.name, outcome, how="done before")
    if step.may_repeat:
        return before
    if step.expect is not None and step.expect.is_seen and outcome == Outcome.VERIFIED:
        try:
            screen = run.actuator.screen()
            if step.expect.holds(screen, screen)[0]:
                return before
        except (MediaError, ToolFailed) as error:
            return StepReport(number, step.name, Outcome.RECONCILE, str(error))
    try:
        there = run.person.still_there(step)
    except Stopped as error:
        return StepReport(number, step.name, Outcome.CANCELLED, str(error))
    if there:
        run.guard.audit.append("reconciled", {"step": step.name, "done": True})
        return before
    reason = "it was done before the interruption, and nothing shows whether its result is still there"
    return StepReport(number, step.name, Outcome.RECONCILE, reason)


def _until(run: Run, step: Step) -> tuple[bool | None, str]:
    """Poll a step's external check until it is true, at most as long as the step may take."""
    assert step.effect is not None
    ends = time.monotonic() + step.timeout_s
    while True:
        there, why = step.effect.holds()
        if there or time.monotonic() > ends:
            return there, why
        run.guard.stop.pause(POLL_S)


def _do(run: Run, number: int, step: Step) -> StepReport:
    """Perform a step; aim again if the screen was still changing, and nobody was asked yet."""
    ended = _once(run, number, step)
    for _ in range(AIMS - 1):
        if not ended.moved:
            break
        ended = _once(run, number, step)
    return ended


def _once(run: Run, number: int, step: Step) -> StepReport:
    try:
        screen, target, how, problem = aim(run, step)
    except Stopped as error:
        return StepReport(number, step.name, Outcome.CANCELLED, str(error))
    except (MediaError, ToolFailed, ToolRetry) as error:
        # A signal that stops the work may also close the program on the screen.
        outcome = Outcome.CANCELLED if run.guard.stop.by else Outcome.HALTED_BEFORE_EFFECT
        return StepReport(number, step.name, outcome, str(error))
    if not problem and step.do != "type":
        problem = run.typed.problem(screen)
    if problem:
        return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, problem, how, target)
    ended = act(run, number, step, screen, target, how)
    if step.do == "type" and ended.outcome in FINISHED:
        run.typed.note(screen, target, step.text)
    return ended


def act(
    run: Run, number: int, step: Step, screen: Screen, target: Target | None, how: str, *, lenient: bool = False
) -> StepReport:
    """Perform a step on its target under the guard, and verify its effect.

    Args:
        run: the current run.
        number, step: the step.
        screen: the screen on which the target was found.
        target: the target; None for steps that need none.
        how: how the target was found; see `StepReport`.
        lenient: whether the step's expectation is a guess: if it fails, the effect is unknown, and nobody need look.
    """
    guard = run.guard if step.patient else run.searching
    if target is not None and target.layer in UNSURE and guard.mode == Mode.AUTO:
        # A person approves an uncertain target, even if its label is listed.
        guard = asking(guard)
    try:
        if step.effect is not None and not step.may_repeat and step.effect.holds()[0]:
            problem = "its effect is already there, so it could not be verified"
            return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, problem, how, target, there=True)
        action = step.action(target.point if target else None)
        check = Check(
            run.actuator,
            screen,
            step.expect,
            step.effect,
            step.timeout_s,
            guard.stop,
            action.kind not in ("wait", "read"),
        )
        verify = _verify(run, step, check, lenient)
        injects = guard.mode in (Mode.CONFIRM, Mode.AUTO)
        if run.journal and injects:
            run.journal.intent(number, action.kind)
        still = beside(screen, target) if target else None
        do = partial(guarded, run.actuator, guard, action, seen=screen, target=target, verify=verify, still=still)
        record = do()
        moved = record.rule in ("unchanged", "rescreen")
        as_written = target is None or how != "instruction" or is_as_written(step, target)
        unforeseen = how in ("repaired", "place", "mended", "planned") or not as_written
        if record.request:
            approval, refused = _approved(run, guard, number, step, record.request, unforeseen)
            if approval:
                record = do(approval=approval)
            elif refused:
                record = replace(record, reason=refused)
        if run.journal and injects:
            run.journal.done(number, record.outcome)
        recorded = None
        if target and how not in ("", "recorded") and record.outcome in FINISHED:
            recorded = record_target(screen, target)
    except Stopped as error:
        return StepReport(number, step.name, Outcome.CANCELLED, str(error))
    reason = "" if record.outcome in FINISHED else record.reason
    if check.reason and (record.outcome == Outcome.RECONCILE or lenient):
        reason = f"{record.reason}: {check.reason}".removeprefix(": ")
    return StepReport(number, step.name, record.outcome, reason, how, target, record, recorded, moved)


def _verify(run: Run, step: Step, check: Check, lenient: bool) -> Callable[[Screen], bool | None] | None:
    """Return the check of the screen after a step: its expectation, and text typed before; None for nothing."""
    expected = step.expect is not None or step.effect is not None
    if step.do == "type" or step.effect is not None or not run.typed.texts:
        return (lambda after: (check(after) or None) if lenient else check(after)) if expected else None

    def look(after: Screen) -> bool | None:
        if lost := run.typed.problem(after):
            check.reason = lost
            return False
        return ((check(after) or None) if lenient else check(after)) if expected else None

    return look


def _approved(
    run: Run, guard: Guard, number: int, step: Step, request: ApprovalRequest, repaired: bool
) -> tuple[Approval | None, str]:
    """Return the people's approval, or why it is invalid. Raises Stopped if one of them stopped the work."""
    refused = ""
    try:
        for name in run.person.approve(step, request, repaired=repaired):
            approval = guard.desk.approve(request.id, request.nonce, name)
            if approval is not None:
                # Approval takes a while, during which another record may be opened.
                refused = missing(step, run.actuator.screen())
                if not refused:
                    return approval, ""
                break
    except ToolFailed as error:
        # An invalid name is an answer, not a crash: nothing was done.
        refused = str(error)
        guard.audit.append("refused", {"request": request.id, "step": step.name, "halted_for": refused})
    except Stopped as error:
        guard.desk.reject(request.id)
        guard.audit.append("refused", {"request": request.id, "step": step.name, "halted_for": str(error)})
        if run.journal:  # Nothing was done yet.
            run.journal.done(number, Outcome.HALTED_BEFORE_EFFECT)
        raise
    guard.desk.reject(request.id)
    return None, refused
