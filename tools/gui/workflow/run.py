"""Doing a workflow: find, check, act, verify, remember; stop at the first thing that is not as it should be.

On the healthy path no model is asked: targets are found as they were recorded. One that is not there any more is looked
for by its instruction, and that step alone counts as repaired. Where two places fit alike, a person chooses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from tools.errors import MediaError, Stopped, ToolFailed, ToolRetry
from tools.gui.act.verify import Check
from tools.gui.act.words import shows
from tools.gui.grounding import Ask, locate
from tools.gui.guard.approval import Approval, ApprovalRequest
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard, Record, guarded
from tools.gui.types import Actuator, Located, Outcome, Screen, Target
from tools.gui.workflow.journal import FINISHED, Journal, Past
from tools.gui.workflow.recorded import find_recorded, record_target
from tools.gui.workflow.steps import AIMED, Recorded, Step, Workflow

POLL_S = 0.3
"""Seconds between two looks for a target that is not there yet; our choice."""
RECORDED_S = 3.0
"""Seconds that a recorded target is waited for before it is looked for by its instruction; our choice."""


class Person(Protocol):
    """Whoever is asked; a run without one stops where it has to ask."""

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """The names of those who approve exactly this; none refuses. `repaired` targets are not those recorded."""

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Which of several places is meant; None does not say."""

    def was_done(self, step: Step) -> bool | None:
        """Whether an action that a crash cut off was done; None does not know."""


class Nobody:
    """A `Person` who is not there."""

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """Nobody approves."""
        return ()

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Nobody chooses."""
        return None

    def was_done(self, step: Step) -> bool | None:
        """Nobody knows."""
        return None


@dataclass(frozen=True)
class StepReport:
    """What became of a step.

    Attributes:
        number: counted from 1.
        name: of the step.
        outcome: how it ended.
        reason: why, where it did not end well.
        how: its target was found as `recorded`, by its `instruction`, `repaired`, or chosen by a `person`; or the step
            was `done before`, or found to be done on resuming (`reconciled`); "" where there is no target.
        target: where; None where there is none.
        record: of the guard; None where it did not come to that.
        recorded: what to record of the target, where that is new.
    """

    number: int
    name: str
    outcome: Outcome
    reason: str = ""
    how: str = ""
    target: Target | None = None
    record: Record | None = None
    recorded: Recorded | None = None


@dataclass
class RunReport:
    """What became of a run.

    Attributes:
        steps: those that were come to, in order.
        total: steps that the workflow has.
        checked: the numbers of those whose effect is checked outside of the screen.
        model_calls: how often a model was asked for a place.
    """

    total: int
    checked: frozenset[int] = frozenset()
    steps: list[StepReport] = field(default_factory=list)
    model_calls: int = 0

    @property
    def outcome(self) -> Outcome:
        """Of the whole: the one that stopped it; verified only if every effect outside was that was to be checked."""
        if self.steps and self.steps[-1].outcome not in FINISHED:
            return self.steps[-1].outcome
        if len({step.number for step in self.steps}) < self.total:
            return Outcome.HALTED_BEFORE_EFFECT
        ended = {step.number: step.outcome for step in self.steps}
        counts = self.checked or {self.total}
        whole = all(ended[number] == Outcome.VERIFIED for number in counts)
        return Outcome.VERIFIED if whole else Outcome.COMPLETED_UNVERIFIED

    @property
    def repaired(self) -> list[int]:
        """Steps whose target was no longer as recorded."""
        return [step.number for step in self.steps if step.how == "repaired"]


@dataclass
class _Run:
    actuator: Actuator
    guard: Guard
    person: Person
    ask: Ask | None
    journal: Journal | None
    report: RunReport
    searching: Guard


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
        ask: a model, asked for a place only where a target is broken and nothing else finds it.
        on_step: is told of each step as it ends.

    Raises:
        StoreError: if the journal cannot be written; nothing more is done then.
    """
    checked = frozenset(number for number, step in enumerate(workflow.steps, 1) if step.effect)
    counted = RunReport(len(workflow.steps), checked)

    def asked(image: np.ndarray, question: str) -> tuple[float, float] | None:
        counted.model_calls += 1
        return ask(image, question) if ask else None

    run = _Run(actuator, guard, person or Nobody(), asked if ask else None, journal, counted, _searching(guard))
    past = journal.past if journal else Past()
    for number, step in enumerate(workflow.steps, 1):
        if (
            past.open == number
            and not step.may_repeat
            and (told := _reconcile(run, number, step, bool(workflow.start)))
        ):
            _tell(run, told, on_step)
            if told.outcome not in FINISHED:
                return counted
            past.done[number] = told.outcome
    begin = next((number for number in range(1, counted.total + 1) if number not in past.done), counted.total + 1)
    for number, step in enumerate(workflow.steps, 1):
        if number in past.done:
            if any(told.number == number for told in counted.steps):
                continue
            # A page that was opened anew has to be led to where the run broke off, by steps that do no harm.
            if not (workflow.start and step.may_repeat and begin <= counted.total and number < begin):
                _tell(run, StepReport(number, step.name, past.done[number], how="done before"), on_step)
                continue
        told = _do(run, number, step)
        _tell(run, told, on_step)
        if told.outcome not in FINISHED:
            break
    return counted


def recorded_workflow(workflow: Workflow, report: RunReport, values: Mapping[str, str]) -> Workflow:
    """A workflow with the targets that a run found, so that the next run replays them.

    Args:
        workflow: as it was loaded, before values were bound.
        report: of a run of it.
        values: of that run; where they stand in a label, their names are recorded in their place.
    """
    found = {step.number: step.recorded for step in report.steps if step.recorded}
    steps = []
    for number, step in enumerate(workflow.steps, 1):
        new = found.get(number)
        if new is not None:
            words = new.words
            for name, value in sorted(values.items(), key=lambda entry: -len(entry[1])):
                words = words.replace(value, f"${{{name}}}")
            # What is named by a value stands somewhere else for the next one.
            step = step.model_copy(
                update={
                    "target": new.model_copy(update={"words": words, **({"place": None} if words != new.words else {})})
                }
            )
        steps.append(step)
    return workflow.model_copy(update={"steps": tuple(steps)})


def _searching(guard: Guard) -> Guard:
    """The rules for steps before a patient's record is open: no identity to check, and no verb allowed."""
    policy = guard.policy.model_copy(update={"identity": "none", "verbs": {}})
    searching = replace(guard, policy=policy)
    searching.lock, searching.acted_at = guard.lock, guard.acted_at
    return searching


def _tell(run: _Run, told: StepReport, on_step: Callable[[StepReport], None]) -> None:
    run.report.steps.append(told)
    on_step(told)


def _reconcile(run: _Run, number: int, step: Step, opened_anew: bool) -> StepReport | None:
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


def _until(run: _Run, step: Step) -> tuple[bool | None, str]:
    """Ask a step's check outside until it holds, at most as long as the step may take."""
    assert step.effect is not None
    ends = time.monotonic() + step.timeout_s
    while True:
        there, why = step.effect.holds()
        if there or time.monotonic() > ends:
            return there, why
        run.guard.stop.pause(POLL_S)


def _do(run: _Run, number: int, step: Step) -> StepReport:
    guard = run.guard if step.patient else run.searching
    try:
        try:
            screen, target, how, problem = _aim(run, step)
        except (MediaError, ToolFailed, ToolRetry) as error:
            return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, str(error))
        if problem:
            return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, problem, how, target)
        if step.effect is not None and not step.may_repeat and step.effect.holds()[0]:
            problem = "its effect is there already, so that nobody could tell whether it was done"
            return StepReport(number, step.name, Outcome.HALTED_BEFORE_EFFECT, problem, how, target)
        action = step.action(target.point if target else None)
        check = Check(run.actuator, screen, step.expect, step.effect, step.timeout_s, guard.stop)
        verify = check if step.expect or step.effect else None
        injects = guard.mode in (Mode.CONFIRM, Mode.AUTO)
        if run.journal and injects:
            run.journal.intent(number, action.kind)
        record = guarded(run.actuator, guard, action, seen=screen, target=target, verify=verify)
        if record.request and (approval := _approved(run, guard, step, record.request, how == "repaired")):
            record = guarded(run.actuator, guard, action, seen=screen, target=target, approval=approval, verify=verify)
        if run.journal and injects:
            run.journal.done(number, record.outcome)
        recorded = None
        if target and how in ("instruction", "repaired", "person") and record.outcome in FINISHED:
            recorded = record_target(screen, target)
    except Stopped as error:
        return StepReport(number, step.name, Outcome.CANCELLED, str(error))
    reason = "" if record.outcome in FINISHED else record.reason
    if record.outcome == Outcome.RECONCILE and check.reason:
        reason = f"{record.reason}: {check.reason}"
    return StepReport(number, step.name, record.outcome, reason, how, target, record, recorded)


def _approved(run: _Run, guard: Guard, step: Step, request: ApprovalRequest, repaired: bool) -> Approval | None:
    approval = None
    for name in run.person.approve(step, request, repaired=repaired):
        approval = guard.desk.approve(request.id, request.nonce, name)
        if approval is not None:
            return approval
    guard.desk.reject(request.id)
    return None


def _aim(run: _Run, step: Step) -> tuple[Screen, Target | None, str, str]:
    """The screen, the target on it, how it was found, and what is wrong, "" if nothing is."""
    screen, target, how = run.actuator.screen(), None, ""
    if step.do in AIMED:
        screen, located, how = _find(run, step)
        target = located.targets[0] if located.targets else None
        if len(located.targets) > 1 and located.abstained:
            target, how = run.person.choose(step, screen, located), "person"
        if target is None:
            return screen, None, how, located.abstained or "it is not on the screen"
    missing = [words for words in step.requires if not shows(screen, words)]
    if missing:
        return screen, target, how, f"the screen has to show {missing[0]!r} before this step, and does not"
    return screen, target, how, ""


def _find(run: _Run, step: Step) -> tuple[Screen, Located, str]:
    """Look for a step's target until it is there: as it was recorded, then by its instruction."""
    begun, ties = time.monotonic(), 0
    located, how = Located(), ""
    while True:
        run.guard.stop.check()
        screen, passed = run.actuator.screen(), time.monotonic() - begun
        if step.target is not None:
            located, how = find_recorded(step.target, screen), "recorded"
        late = passed > min(RECORDED_S, step.timeout_s)
        if step.find and (step.target is None or (late and not located.targets)):
            # A model is asked last, when waiting did not help.
            ask = run.ask if passed > step.timeout_s else None
            how = "repaired" if step.target is not None else "instruction"
            located = locate(step.find, screen, ask=ask)
        if located.targets and not located.abstained:
            return screen, located, how
        ties += bool(located.targets)
        if (located.targets and ties > 1 and (run.ask is None or passed > step.timeout_s)) or (
            passed > step.timeout_s and (late or step.target is None)
        ):
            return screen, located, how
        run.guard.stop.pause(POLL_S)
