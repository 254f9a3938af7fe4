"""Model-planned runs: a model proposes one step at a time, and code validates and performs it.

The model sees the screen and names a verb, a target in words, and words to type. It gives no coordinates, runs nothing,
and decides nothing: code finds the target, the guard decides as for workflows, and a person approves. Permissions come
only from the person's request: verbs that it does not name are forbidden, whatever the policy or the screen says, and
only words of the request and values given by a person are typed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.errors import MediaError, ModelError, Stopped, ToolFailed, ToolRetry
from tools.gui.actuators.common import key_names
from tools.gui.actuators.screen_text import shows
from tools.gui.actuators.verify import Expect
from tools.gui.grounding import Ask
from tools.gui.guard.decide import leads_to_a_record
from tools.gui.guard.effect_words import affirms, find_verbs
from tools.gui.guard.guarded import Guard
from tools.gui.guard.policy import Policy
from tools.gui.types import Actuator, Outcome, PressKey, Screen, Target
from tools.gui.workflow.journal import FINISHED
from tools.gui.workflow.placeholders import Veil
from tools.gui.workflow.recorded_target import hidden_target
from tools.gui.workflow.resolve_target import aim
from tools.gui.workflow.run import act
from tools.gui.workflow.run_context import Nobody, Person, Run, RunReport, StepReport, counted, searching, under
from tools.gui.workflow.yaml_format import AIMED, Step, Workflow
from tools.privacy.redact import PhiError

MAX_MISSES = 3
"""Consecutive unusable proposals after which a run ends."""
MAX_REPEATS = 2
"""Maximum number of times the same step may be proposed on the same screen."""
LOOK_S = 4.0
"""Time to wait for a target, or for what a step should show, in seconds."""
Doing = Literal["click", "double_click", "right_click", "type", "press", "scroll", "wait", "finish", "give_up"]


class Proposal(BaseModel):
    """The next step that a model proposes.

    Attributes:
        do: the verb; `finish` means that the request is done, `give_up` that it cannot be.
        target: the target, in words on the screen; for all verbs that need one.
        text: text to type, or to wait for.
        keys: keys to press, such as `enter` or `ctrl+s`.
        notches: of the wheel; positive ones scroll down.
        expect: words that the screen shows after the step.
        why: for people; has no effect.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Doing
    target: str = Field(default="", max_length=300)
    text: str = Field(default="", max_length=2_000)
    keys: str = Field(default="", max_length=40)
    notches: int = Field(default=3, ge=-100, le=100)
    expect: str = Field(default="", max_length=200)
    why: str = Field(default="", max_length=1_000)


class Limits(BaseModel):
    """Limits of a run with a model.

    Attributes:
        steps: number of proposals.
        seconds: of the whole run, including people's time.
        tokens: read and written by the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=30, ge=1, le=500)
    seconds: float = Field(default=600.0, gt=0, le=86_400)
    tokens: int = Field(default=200_000, ge=1)


@dataclass(frozen=True)
class Situation:
    """The input of a model.

    Attributes:
        request: the person's, with values replaced by their names.
        screen: the current screen, not yet redacted.
        veil: hides what the model must not see.
        done: results of its proposals so far, in our words.
        tokens_left: tokens that the run may still use.
    """

    request: str
    screen: Screen
    veil: Veil
    done: tuple[str, ...]
    tokens_left: int


@dataclass(frozen=True)
class Proposed:
    """A model's proposal, and its cost."""

    proposal: Proposal
    calls: int
    tokens: int


Propose = Callable[[Situation], Proposed]
"""Asks a model. Raises ModelError, whose attribute `tokens`, if set, is the number of tokens used."""


@dataclass
class PlannedRun:
    """The result of a request.

    Attributes:
        report: of its steps, and of the final check.
        steps: the performed steps, with names in place of values, for a workflow.
    """

    report: RunReport
    steps: list[Step] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """The number of tokens used by the model."""
        return self.report.tokens


@dataclass
class _Work:
    run: Run
    veil: Veil
    request: str
    propose: Propose
    limits: Limits
    planned: PlannedRun
    on_step: Callable[[StepReport], None]
    began: float = field(default_factory=time.monotonic)
    done: list[str] = field(default_factory=list)
    misses: int = 0
    proposals: int = 0
    seen: Counter[str] = field(default_factory=Counter)


def run_planned(
    request: str,
    actuator: Actuator,
    guard: Guard,
    propose: Propose,
    *,
    ask: Ask | None = None,
    veil: Veil | None = None,
    expect: str = "",
    person: Person | None = None,
    limits: Limits | None = None,
    on_step: Callable[[StepReport], None] = lambda step: None,
) -> PlannedRun:
    """Perform a request with a model's proposals, one action per turn.

    Args:
        request: the person's words.
        actuator: the actuator of the screen.
        guard: the guard; verbs that the request does not name are forbidden besides.
        propose: the model.
        ask: a model that points at targets that a proposal's words do not resolve; None for none. A person approves its
            choice, even if the policy lists it.
        veil: the values of the run; None for none.
        expect: words that the screen has to show at the end, and does not at the start. Without them only the model
            claims that the request is done, and the run ends unverified.
        person: the person to ask; None is nobody.
        limits: limits of the run.
        on_step: called with each step as it ends.
    """
    guard = under(guard, narrowed(guard.policy, request))
    report, limits = RunReport(total=0), limits or Limits()
    asked = counted(ask, report, limits.tokens) if ask else None
    run = Run(actuator, guard, person or Nobody(), asked, None, report, searching(guard))
    work = _Work(run, veil or Veil(), request, propose, limits, PlannedRun(report), on_step)
    try:
        shown = bool(expect) and shows(actuator.screen(), expect)
        while not (ended := _turn(work)):
            pass
        if ended == "finish":
            _conclude(work, expect, shown)
        elif ended != "halted":
            _report(work, StepReport(_number(work), "ask the model", Outcome.HALTED_BEFORE_EFFECT, ended))
    except Stopped as error:
        _report(work, StepReport(_number(work), "ask the model", Outcome.CANCELLED, str(error)))
    except (MediaError, ToolFailed) as error:
        _report(work, StepReport(_number(work), "look", Outcome.HALTED_BEFORE_EFFECT, str(error)))
    return work.planned


def narrowed(policy: Policy, request: str) -> Policy:
    """Forbid the verbs of a policy that the request does not name."""
    named = find_verbs(request, policy.all_words, label=False)
    return policy.model_copy(update={"verbs": {verb: rule for verb, rule in policy.verbs.items() if verb in named}})


def as_workflow(done: PlannedRun, name: str, policy: Policy, start: str, veil: Veil, expect: str = "") -> Workflow:
    """Convert the performed steps to a workflow that is replayed without a model.

    Args:
        done: a completed run.
        name: name of the workflow; values are replaced by their names.
        policy: policy of the replay: that of the run, less the verbs that the request did not name.
        start: the page to open first, "" for none.
        veil: the run's; its values become parameters where they are used.
        expect: words to be shown at the end.

    Returns:
        The workflow; its parameters are the values that its steps use.

    Raises:
        ValueError: if no step was performed.
    """
    steps, hide = list(done.steps), Veil(veil.values).hide
    if not steps:
        raise ValueError("cannot make a workflow: no step was performed")
    if expect:
        steps[-1] = steps[-1].model_copy(update={"expect": Expect(words=hide(expect))})
    title = hide(name)
    # The control that leads to the record is often labelled with the patient's name.
    policy = policy.model_copy(update={"search_labels": tuple(map(hide, policy.search_labels))})
    texts = [title, policy.model_dump_json(), *(step.model_dump_json() for step in steps)]
    return Workflow(
        name=title,
        description="Saved from a run that a model planned.",
        parameters={name: "as it was given" for name in veil.values if any(f"${{{name}}}" in text for text in texts)},
        start=start,
        policy=policy,
        steps=tuple(steps),
    )


def _turn(work: _Work) -> str:
    """Process one proposal: return "" to continue, `finish`, `halted`, or why the run ends here."""
    run, limits = work.run, work.limits
    run.guard.stop.check()
    if work.proposals >= limits.steps:
        return f"the limit of {limits.steps} proposed steps is reached"
    if time.monotonic() - work.began > limits.seconds:
        return f"the limit of {limits.seconds:g} s is reached"
    if work.planned.tokens >= limits.tokens:
        return f"the model has used {work.planned.tokens} tokens; the limit is {limits.tokens}"
    if work.misses >= MAX_MISSES:
        return f"{MAX_MISSES} consecutive proposals were unusable; the last one: {work.done[-1]}"
    screen = run.actuator.screen()
    try:
        request, left = work.veil.hide(work.request), limits.tokens - work.planned.tokens
        answer = work.propose(Situation(request, screen, work.veil, tuple(work.done), left))
    except (ModelError, PhiError) as error:
        work.run.report.tokens += getattr(error, "tokens", 0)
        return f"cannot use the model's answer: {error}"
    work.proposals += 1
    work.run.report.tokens += answer.tokens
    run.report.model_calls += answer.calls
    proposal = answer.proposal
    if proposal.do == "finish":
        return "finish" if work.planned.steps else "the model says that nothing needs to be done"
    if proposal.do == "give_up":
        return f"the model gives up: {proposal.why or 'no reason given'}"
    work.seen[f"{screen.sha256} {proposal.model_dump_json(exclude={'why', 'expect'})}"] += 1
    if max(work.seen.values()) > MAX_REPEATS:
        return f"the same step was proposed {MAX_REPEATS + 1} times on the same screen: {_named(proposal)}"
    try:
        return _try(work, proposal)
    except PhiError as error:
        return f"cannot show the model what it needs: {error}"


def _try(work: _Work, proposal: Proposal) -> str:
    run, number = work.run, _number(work)
    try:
        step = _step(work, proposal)
        screen, target, how, problem = aim(run, step)
    except ValidationError as error:
        return _missed(work, proposal, f"not done: {error.errors()[0]['msg']}")
    except ToolRetry as error:
        # It may quote the instruction, which contains values.
        return _missed(work, proposal, f"not done: {work.veil.hide(str(error))}")
    if problem:
        work.on_step(StepReport(number, _named(proposal), Outcome.HALTED_BEFORE_EFFECT, problem, "planned", target))
        # The reason quotes the screen, which must not reach the model as our own words.
        return _missed(work, proposal, f"not done: {'several places fit it' if how == 'person' else 'nothing fits it'}")
    step = step.model_copy(update={"patient": not _leads_to_the_record(run.guard, step, target)})
    label = target.label if target else ""
    # Keys have no target, and the focused control may be anything.
    grave = proposal.do == "press" or bool(find_verbs(label, run.guard.policy.all_words)) or affirms(label)
    # Without a risky verb, the model's expectation is a guess, and no reason to stop.
    step_report = act(run, number, step, screen, target, "planned", lenient=not grave)
    _report(work, step_report)
    if step_report.outcome not in FINISHED:
        return "halted"
    work.planned.steps.append(_recorded_step(work, proposal, step, step_report))
    work.misses = 0
    seen = ", and what was expected is shown" if step_report.outcome == Outcome.VERIFIED else ""
    missed = ", but what was expected is not shown" if step_report.reason else ""
    work.done.append(f"{_named(proposal)}: done{seen}{missed}")
    return ""


def _recorded_step(work: _Work, proposal: Proposal, step: Step, step_report: StepReport) -> Step:
    """Return a performed step, with its target as found, and names in place of values."""
    hide = Veil(work.veil.values).hide
    verified = step.expect is not None and step_report.outcome == Outcome.VERIFIED
    kept: dict[str, Any] = {
        "name": hide(step.name),
        "keys": hide(step.keys),
        "find": hide(proposal.target),
        "text": hide(proposal.text),
        "expect": Expect(words=hide(proposal.expect)) if verified else None,
        "timeout_s": 10.0,
    }
    if step_report.recorded is not None:
        kept["target"] = hidden_target(step_report.recorded, hide)
    return step.model_copy(update=kept)


def _step(work: _Work, proposal: Proposal) -> Step:
    """Convert a proposal to a step. Raises ToolRetry and ValidationError if it is invalid."""
    show = work.veil.show
    if proposal.do == "type" and not (proposal.text and work.veil.given(proposal.text, work.request)):
        raise ToolRetry("only words of the request, exactly as written, and values by their names, may be typed.")
    step = Step(
        name=_named(proposal),
        find=show(proposal.target) if proposal.do in AIMED else "",
        do=proposal.do,  # type: ignore[arg-type]
        text=show(proposal.text),
        keys=proposal.keys,
        notches=proposal.notches,
        expect=Expect(words=show(proposal.expect)) if proposal.expect.strip() else None,
        timeout_s=LOOK_S,
    )
    try:
        writes = isinstance(action := step.action(None), PressKey) and _writes(action)
    except ToolFailed as error:
        raise ToolRetry(str(error)) from error
    if writes:
        raise ToolRetry(
            f"the keys {proposal.keys!r} write text.",
            expected="keys such as tab, enter or ctrl+s; words go with 'type'",
        )
    return step


def _writes(action: PressKey) -> bool:
    """Return whether keys write text into a field, a character or the clipboard. Raises ToolFailed if unknown."""
    keys = set(key_names(action))
    pastes = ("v" in keys and bool(keys & {"ctrl", "super"})) or keys >= {"shift", "insert"}
    return pastes or (all(len(key) == 1 or key == "space" for key in keys - {"shift"}) and keys != {"shift"})


def _leads_to_the_record(guard: Guard, step: Step, target: Target | None) -> bool:
    """Return whether a step leads to the patient's record, before it is shown, according to the policy."""
    if guard.policy.identity == "none" or guard.patient is None:
        return False
    return leads_to_a_record(guard.policy, step.action(target.point if target else None), target)


def _conclude(work: _Work, expect: str, shown_before: bool) -> None:
    number = _number(work)
    if not expect:
        reason = "only the model says that the request is done"
        step_report = StepReport(number, "finish", Outcome.COMPLETED_UNVERIFIED, reason)
    elif shown_before:
        step_report = StepReport(
            number, "finish", Outcome.COMPLETED_UNVERIFIED, f"{expect!r} was shown from the beginning"
        )
    else:
        ends = time.monotonic() + LOOK_S
        while not (there := shows(work.run.actuator.screen(), expect)) and time.monotonic() < ends:
            work.run.guard.stop.pause(0.3)
        outcome = Outcome.VERIFIED if there else Outcome.RECONCILE
        step_report = StepReport(number, "finish", outcome, "" if there else f"{expect!r} is not shown in the end")
    # Only this check, and none before it, can verify the whole.
    work.planned.report.checked = frozenset({number})
    _report(work, step_report)


def _missed(work: _Work, proposal: Proposal, why: str) -> str:
    work.misses += 1
    work.done.append(f"{_named(proposal)}: {why}")
    return ""


def _report(work: _Work, step_report: StepReport) -> None:
    work.planned.report.steps.append(step_report)
    work.planned.report.total = step_report.number
    work.on_step(step_report)


def _number(work: _Work) -> int:
    return len(work.planned.report.steps) + 1


def _named(proposal: Proposal) -> str:
    """Describe a proposal in words, with names in place of values."""
    what = {"type": f" {proposal.text!r} into", "press": f" {proposal.keys}", "wait": f" for {proposal.text!r}"}
    return f"{proposal.do.replace('_', ' ')}{what.get(proposal.do, '')} {proposal.target}".strip()[:300]
