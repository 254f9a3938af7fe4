"""State of a run, the person it asks, and its reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from tools.errors import ModelError
from tools.gui.grounding import Ask, Question, Reply
from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard
from tools.gui.guard.policy import Policy
from tools.gui.guard.record import Record
from tools.gui.types import Actuator, Located, Outcome, Screen, Target
from tools.gui.workflow.journal import FINISHED, Journal
from tools.gui.workflow.typed_values import Typed
from tools.gui.workflow.yaml_format import Recorded, Step


class Person(Protocol):
    """The person to ask; a run without one stops where it has to ask."""

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """Return the names of those who approve exactly this; none refuses.

        `repaired` targets differ from the recorded ones, or were proposed by a model: nobody approved them beforehand.
        """

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Return which of several places is meant; None is no answer."""

    def was_done(self, step: Step) -> bool | None:
        """Return whether an action interrupted by a crash was performed; None if unknown."""

    def still_there(self, step: Step) -> bool | None:
        """Return whether the unsaved result of a step before an interruption is still there; None if unknown."""


class Nobody:
    """A `Person` who is absent."""

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """Approve nothing."""
        return ()

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Choose nothing."""
        return None

    def was_done(self, step: Step) -> bool | None:
        """Return None."""
        return None

    def still_there(self, step: Step) -> bool | None:
        """Return None."""
        return None


@dataclass(frozen=True)
class StepReport:
    """The result of a step.

    Attributes:
        number: counted from 1.
        name: name of the step.
        outcome: how it ended.
        reason: why, if it did not end well.
        how: how its target was found: `recorded`, by its `instruction`, `repaired`, `mended` (a model pointed at it),
            `planned` by a model, or chosen by a `person`; or the step was `done before`, or found to be done on
            resuming (`reconciled`); "" if there is no target.
        target: the target; None if there is none.
        record: the guard's record; None if it was not reached.
        recorded: what to record of the target, if that is new.
        there: whether its effect was already there, so that it was not performed.
        moved: whether the screen changed after aiming, before anybody was asked or anything was done.
    """

    number: int
    name: str
    outcome: Outcome
    reason: str = ""
    how: str = ""
    target: Target | None = None
    record: Record | None = None
    recorded: Recorded | None = None
    moved: bool = False
    there: bool = False


@dataclass
class RunReport:
    """The result of a run.

    Attributes:
        steps: the steps reached, in order.
        total: number of steps of the workflow.
        checked: numbers of the steps with an external check.
        model_calls: number of calls of a model.
        tokens: tokens used by the model.
    """

    total: int
    checked: frozenset[int] = frozenset()
    steps: list[StepReport] = field(default_factory=list)
    model_calls: int = 0
    tokens: int = 0

    @property
    def outcome(self) -> Outcome:
        """The outcome of the whole: the one that stopped it; verified only if every external check succeeded."""
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
        return [step.number for step in self.steps if step.how in ("repaired", "mended")]


@dataclass
class Run:
    """The state of a run.

    Attributes:
        actuator: the actuator of the screen.
        guard: the guard.
        person: the person to ask.
        ask: a model that points at a replacement of a target; None for none.
        journal: stores progress; None for none.
        report: the report so far.
        searching: the guard for steps before a patient's record is open.
        typed: what was typed into the fields of the page.
    """

    actuator: Actuator
    guard: Guard
    person: Person
    ask: Ask | None
    journal: Journal | None
    report: RunReport
    searching: Guard
    typed: Typed = field(default_factory=Typed)


def counted(ask: Ask, report: RunReport, most_tokens: int | None = None) -> Ask:
    """Wrap a model to count its calls and tokens in a report; at `most_tokens`, it is no longer called."""

    def asking_it(question: Question) -> Reply:
        if most_tokens is not None and report.tokens >= most_tokens:
            raise ModelError(
                f"cannot ask the model: the run has used {report.tokens} tokens; the limit is {most_tokens}."
            )
        try:
            reply = ask(question)
        except ModelError as error:
            report.model_calls += 1
            report.tokens += getattr(error, "tokens", 0)
            raise
        report.model_calls += reply.calls
        report.tokens += reply.tokens
        return reply

    return asking_it


def searching(guard: Guard) -> Guard:
    """Return the guard for steps before a patient's record is open: no verb allowed, and see `Guard.searching`."""
    narrow = guard.policy.model_copy(update={"verbs": {}})
    return _shared(guard, replace(guard, policy=narrow, searching=True))


def under(guard: Guard, policy: Policy) -> Guard:
    """Return the same guard with another policy."""
    return _shared(guard, replace(guard, policy=policy))


def asking(guard: Guard) -> Guard:
    """Return the same guard, which asks a person before every action that may change something."""
    return _shared(guard, replace(guard, mode=Mode.CONFIRM))


def _shared(guard: Guard, other: Guard) -> Guard:
    # Counters and locks belong to the screen, not to the rules.
    other.lock, other.acted_at = guard.lock, guard.acted_at
    return other
