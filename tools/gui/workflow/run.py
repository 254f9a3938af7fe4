"""Doing a workflow: find, check, act, verify, remember; stop at the first thing that is not as it should be.

On the healthy path no model is asked: targets are found as they were recorded. One that is not there any more is looked
for by its instruction, and that step alone counts as repaired. Where two places fit alike, a person chooses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from tools.errors import MediaError, Stopped, ToolFailed, ToolRetry
from tools.gui.act.verify import Check
from tools.gui.grounding import Ask
from tools.gui.guard.approval import Approval, ApprovalRequest
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard, guarded
from tools.gui.types import Actuator, Outcome, Screen, Target
from tools.gui.workflow.aim import POLL_S, aim
from tools.gui.workflow.journal import FINISHED, Journal, Past
from tools.gui.workflow.recorded import hidden_target, record_target
from tools.gui.workflow.running import Nobody, Person, Run, RunReport, StepReport, asking, counted, searching
from tools.gui.workflow.steps import Step, Workflow
from tools.gui.workflow.veil import Veil

FROM_A_MODEL = ("mended", "planned")
"""How targets were found that a model chose or named, and nobody before."""
AIMS = 3
"""How often a step is aimed at on a screen that does not come to rest; our choice."""


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
    """Do a workflow whose values are bound, from where its journal ends.

    Args:
        workflow: with its values. Where it names a page to `start` from, that page is open already.
        actuator: hands and eyes.
        guard: the rules; its policy is the workflow's.
        person: whoever is asked; None is nobody.
        journal: remembers what is done; None for runs that need not be resumed.
        ask: a model, asked to point at what took a target's place where nothing else finds it; a person approves what
            it chooses.
        on_step: is told of each step as it ends.

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
            and (told := _reconcile(run, number, step, bool(workflow.start)))
        ):
            _tell(run, told, on_step)
            if told.outcome not in FINISHED:
                return report
            past.done[number] = told.outcome
    begin = next((number for number in range(1, report.total + 1) if number not in past.done), report.total + 1)
    # What an effect outside confirms is kept; what came after it may stand in a form that is gone by now.
    kept = max((n for n, outcome in past.done.items() if outcome == Outcome.VERIFIED and n in checked), default=0)
    for number, step in enumerate(workflow.steps, 1):
        if number in past.done:
            if any(told.number == number for told in report.steps):
                continue
            before = begin <= report.total and number < begin
            # A page that was opened anew has to be led to where the run broke off, by steps that do no harm.
            again = before and bool(workflow.start) and step.may_repeat
            if before and number > kept and not again:
                told = _still_there(run, number, step, past.done[number])
            elif again:
                told = _do(run, number, step)
            else:
                told = StepReport(number, step.name, past.done[number], how="done before")
        else:
            told = _do(run, number, step)
        _tell(run, told, on_step)
        if told.outcome not in FINISHED:
            break
    return report


def recorded_workflow(workflow: Workflow, report: RunReport, values: Mapping[str, str]) -> Workflow:
    """A workflow with the targets that a run found, so that the next run replays them.

    Args:
        workflow: as it was loaded, before values were bound.
        report: of a run of it.
        values: of that run; where they stand in a label, their names are recorded in their place.
    """
    found = {step.number: step.recorded for step in report.steps if step.recorded}
    steps, hide = [], Veil(values).hide
    for number, step in enumerate(workflow.steps, 1):
        new = found.get(number)
        if new is not None:
            step = step.model_copy(update={"target": hidden_target(new, hide)})
        steps.append(step)
    return workflow.model_copy(update={"steps": tuple(steps)})


def _tell(run: Run, told: StepReport, on_step: Callable[[StepReport], None]) -> None:
    run.report.steps.append(told)
    on_step(told)


def _reconcile(run: Run, number: int, step: Step, opened_anew: bool) -> StepReport | None:
    """Whether the action that a crash cut off was done; None if it was not, and may be done now."""
    reason = "a crash cut it off, and no check outside says whether it was done"
    done: bool | None = None
    if step.effect is not None:
        done, why = _until(run, step)
        reason = f"a crash cut it off: {why}" if why else reason
    elif step.expect is not None and not opened_anew:
        screen = run.actuator.screen()
        shown, _ = step.expect.holds(screen, screen)
        done = True if shown else None
    if done is None:
        done = run.person.was_done(step)
    if done is None:
        return StepReport(number, step.name, Outcome.RECONCILE, reason)
    outcome = Outcome.VERIFIED if done else Outcome.HALTED_BEFORE_EFFECT
    if run.journal:
        run.journal.done(number, outcome)
    run.guard.audit.append("reconciled", {"step": step.name, "done": done})
    return StepReport(number, step.name, outcome, how="reconciled") if done else None


def _still_there(run: Run, number: int, step: Step, outcome: Outcome) -> StepReport:
    """Whether what a step did is still there on resuming, where no effect outside confirms it.

    What was typed is typed again, which replaces what the field holds. What cannot be done twice has to be shown still,
    or be known to a person, before anything later is written.
    """
    if step.do == "type":
        told = _do(run, number, step)
        unseen = told.record is None or told.record.rule in ("", "eyes")  # not refused by a rule or a person
        if told.outcome == Outcome.HALTED_BEFORE_EFFECT and unseen:
            reason = f"what was typed before the run broke off may be gone, and cannot be looked at: {told.reason}"
            return replace(told, outcome=Outcome.RECONCILE, reason=reason)
        return told
    before = StepReport(number, step.name, outcome, how="done before")
    if step.may_repeat:
        return before
    if step.expect is not None and outcome == Outcome.VERIFIED:
        try:
            screen = run.actuator.screen()
            if step.expect.holds(screen, screen)[0]:
                return before
        except (MediaError, ToolFailed) as error:
            return StepReport(number, step.name, Outcome.RECONCILE, str(error))
    if run.person.still_there(step):
        run.guard.audit.append("reconciled", {"step": step.name, "done": True})
        return before
    reason = "it was done before the run broke off, and nothing tells whether what it did is still there"
    return StepReport(number, step.name, Outcome.RECONCILE, reason)


def _until(run: Run, step: Step) -> tuple[bool | None, str]:
    """Ask a step's check outside until it holds, at most as long as the step may take."""
    assert step.effect is not None
    ends = time.monotonic() + step.timeout_s
    while True:
        there, why = step.effect.holds()
        if there or time.monotonic() > ends:
            return there, why
        run.guard.stop.pause(POLL_S)


def _do(run: Run, number: int, step: Step) -> StepReport:
    """Do a step; where the screen was still changing when it was aimed at, and nobody was asked yet, aim again."""
    told = _once(run, number, step)
    for _ in range(AIMS - 1):
        if not told.moved:
            break
        told = _once(run, number, step)
    return told


def _once(run: Run, number: int, step: Step) -> StepReport:
    try:
        screen, target, how, problem = aim(run, step)
    except Stopped as error:
        return StepReport(number, step.name, Outcome.CANCELLED, str(error))
    except (MediaError, ToolFailed, ToolRetry) as error:
        return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, str(error))
    if problem:
        return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, problem, how, target)
    return act(run, number, step, screen, target, how)


def act(
    run: Run, number: int, step: Step, screen: Screen, target: Target | None, how: str, *, lenient: bool = False
) -> StepReport:
    """Do a step on its target under the guard, and check what came of it.

    Args:
        run: what is in hand.
        number, step: which.
        screen: as it was when the target was found.
        target: where; None for steps that need none.
        how: the target was found; see `StepReport`.
        lenient: what the step expects is a guess: where it is not shown, nothing could tell, and nobody need look.
    """
    guard = run.guard if step.patient else run.searching
    if target is not None and target.layer == "model" and guard.mode == Mode.AUTO:
        # What a model chose is looked at by a person, also where its label is listed.
        guard = asking(guard)
    try:
        if step.effect is not None and not step.may_repeat and step.effect.holds()[0]:
            problem = "its effect is there already, so that nobody could tell whether it was done"
            return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, problem, how, target)
        action = step.action(target.point if target else None)
        check = Check(run.actuator, screen, step.expect, step.effect, step.timeout_s, guard.stop)
        verify = None
        if step.expect or step.effect:
            verify = (lambda after: check(after) or None) if lenient else check
        injects = guard.mode in (Mode.CONFIRM, Mode.AUTO)
        if run.journal and injects:
            run.journal.intent(number, action.kind)
        record = guarded(run.actuator, guard, action, seen=screen, target=target, verify=verify)
        moved = record.rule in ("unchanged", "rescreen")
        unforeseen = how == "repaired" or how in FROM_A_MODEL
        if record.request:
            approval, refused = _approved(run, guard, step, record.request, unforeseen)
            if approval:
                record = guarded(
                    run.actuator, guard, action, seen=screen, target=target, approval=approval, verify=verify
                )
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


def _approved(
    run: Run, guard: Guard, step: Step, request: ApprovalRequest, repaired: bool
) -> tuple[Approval | None, str]:
    """What people approved, or why their word does not count."""
    refused = ""
    try:
        for name in run.person.approve(step, request, repaired=repaired):
            approval = guard.desk.approve(request.id, request.nonce, name)
            if approval is not None:
                return approval, ""
    except ToolFailed as error:
        # A name that does not count is an answer, not a crash: nothing was done.
        refused = str(error)
        guard.audit.append("refused", {"request": request.id, "step": step.name, "halted_for": refused})
    guard.desk.reject(request.id)
    return None, refused
