"""What a run has in hand, the person it asks, and what it reports."""

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
    """Whoever is asked; a run without one stops where it has to ask."""

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """The names of those who approve exactly this; none refuses.

        `repaired` targets are not those recorded, or were proposed by a model: nobody approved them beforehand.
        """

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Which of several places is meant; None does not say."""

    def was_done(self, step: Step) -> bool | None:
        """Whether an action that a crash cut off was done; None does not know."""

    def still_there(self, step: Step) -> bool | None:
        """Whether what a step did before a run broke off is still there, though unsaved; None does not know."""


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

    def still_there(self, step: Step) -> bool | None:
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
        how: its target was found as `recorded`, by its `instruction`, `repaired`, `mended` (a model pointed at it),
            `planned` by a model, or chosen by a `person`; or the step was `done before`, or found to be done on
            resuming (`reconciled`); "" where there is no target.
        target: where; None where there is none.
        record: of the guard; None where it did not come to that.
        recorded: what to record of the target, where that is new.
        there: whether its effect was there already, so that it was not done.
        moved: whether the screen changed after it was aimed at, before anybody was asked or anything was done.
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
    """What became of a run.

    Attributes:
        steps: those that were come to, in order.
        total: steps that the workflow has.
        checked: the numbers of those whose effect is checked outside of the screen.
        model_calls: how often a model was asked.
        tokens: that it took.
    """

    total: int
    checked: frozenset[int] = frozenset()
    steps: list[StepReport] = field(default_factory=list)
    model_calls: int = 0
    tokens: int = 0

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
        return [step.number for step in self.steps if step.how in ("repaired", "mended")]


@dataclass
class Run:
    """What a run has in hand.

    Attributes:
        actuator: hands and eyes.
        guard: the rules.
        person: whoever is asked.
        ask: a model that points at what took the place of a target; None for none.
        journal: remembers what is done; None for none.
        report: as far as it has come.
        searching: the rules for steps before a patient's record is open.
        typed: what the fields of the page were given.
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
    """The same model, whose calls and tokens a report counts; once these reach `most_tokens`, it is asked no more."""

    def asking_it(question: Question) -> Reply:
        if most_tokens is not None and report.tokens >= most_tokens:
            raise ModelError(f"the run has used {report.tokens} tokens; the limit is {most_tokens}.")
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
    """The rules for steps before a patient's record is open: no verb allowed, and see `Guard.searching`."""
    narrow = guard.policy.model_copy(update={"verbs": {}})
    return _shared(guard, replace(guard, policy=narrow, searching=True))


def under(guard: Guard, policy: Policy) -> Guard:
    """The same guard under another policy."""
    return _shared(guard, replace(guard, policy=policy))


def asking(guard: Guard) -> Guard:
    """The same guard, which asks a person before every action that may change something."""
    return _shared(guard, replace(guard, mode=Mode.CONFIRM))


def _shared(guard: Guard, other: Guard) -> Guard:
    # What is counted and locked is of the screen, not of the rules.
    other.lock, other.acted_at = guard.lock, guard.acted_at
    return other
