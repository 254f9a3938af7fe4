"""A request done with a model that proposes one step at a time: what it may say, and what code makes of it.

The model sees the screen and names a verb, a target in words, and words to type. It gives no coordinates, runs nothing,
and decides nothing: code finds the target, the guard decides as it does for workflows, and a person approves. What may
be done comes from the person's request alone: verbs that it does not name are forbidden, whatever the policy says and
whatever stands on the screen, and only words of the request and values that a person gave are typed.
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

MOST_MISSES = 3
"""Proposals in a row that could not be used, after which a run ends; our choice."""
MOST_ALIKE = 2
"""Times that the same step may be proposed on the same screen; our choice."""
LOOK_S = 4.0
"""Seconds that a target, or what a step is to show, is waited for; our choice."""
Doing = Literal["click", "double_click", "right_click", "type", "press", "scroll", "wait", "finish", "give_up"]


class Proposal(BaseModel):
    """What a model proposes next.

    Attributes:
        do: the verb; `finish` says that the request is done, `give_up` that it cannot be.
        target: where, in words that stand on the screen; for all verbs that aim at something.
        text: to type, or to wait for.
        keys: to press, such as `enter` or `ctrl+s`.
        notches: of the wheel; positive ones go down.
        expect: words that the screen shows once the step is done.
        why: for people; nothing follows from it.
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
    """Where a run with a model ends at the latest; all values are our choice.

    Attributes:
        steps: proposals.
        seconds: of the whole run, people's time included.
        tokens: read and written by the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=30, ge=1, le=500)
    seconds: float = Field(default=600.0, gt=0, le=86_400)
    tokens: int = Field(default=200_000, ge=1)


@dataclass(frozen=True)
class Situation:
    """What a model is asked about.

    Attributes:
        request: the person's, with values behind their names.
        screen: as it is; not redacted yet.
        veil: hides what the model is not to see.
        done: what became of its proposals so far, in words of ours.
        tokens_left: that the run may still take.
    """

    request: str
    screen: Screen
    veil: Veil
    done: tuple[str, ...]
    tokens_left: int


@dataclass(frozen=True)
class Proposed:
    """A model's proposal, and what it cost."""

    proposal: Proposal
    calls: int
    tokens: int


Propose = Callable[[Situation], Proposed]
"""Asks a model. Raises ModelError; a `tokens` attribute of the error says what was used up."""


@dataclass
class PlannedRun:
    """What became of a request.

    Attributes:
        report: of its steps, and of the check at the end.
        steps: those that were done, with the names of values, to be kept as a workflow.
    """

    report: RunReport
    steps: list[Step] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Those that the model took."""
        return self.report.tokens


@dataclass
class _Work:
    run: Run
    veil: Veil
    request: str
    propose: Propose
    limits: Limits
    told: PlannedRun
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
    """Do a request with a model's proposals, one action a turn.

    Args:
        request: the person's words.
        actuator: hands and eyes.
        guard: the rules; verbs that the request does not name are forbidden on top.
        propose: the model.
        ask: a model, asked to point at what a proposal's words do not lead to; None for none. A person approves what
            it chooses, also where the policy lists it.
        veil: the values of the run; None for none.
        expect: words that the screen has to show in the end, and does not in the beginning. Without them nobody but
            the model says that the request is done, and the run ends unverified.
        person: whoever is asked; None is nobody.
        limits: where it ends at the latest.
        on_step: is told of each step as it ends.
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
            _tell(work, StepReport(_number(work), "ask the model", Outcome.HALTED_BEFORE_EFFECT, ended))
    except Stopped as error:
        _tell(work, StepReport(_number(work), "ask the model", Outcome.CANCELLED, str(error)))
    except (MediaError, ToolFailed) as error:
        _tell(work, StepReport(_number(work), "look", Outcome.HALTED_BEFORE_EFFECT, str(error)))
    return work.told


def narrowed(policy: Policy, request: str) -> Policy:
    """A policy that allows no verb which the request does not name."""
    named = find_verbs(request, policy.all_words, label=False)
    return policy.model_copy(update={"verbs": {verb: rule for verb, rule in policy.verbs.items() if verb in named}})


def as_workflow(done: PlannedRun, name: str, policy: Policy, start: str, veil: Veil, expect: str = "") -> Workflow:
    """The steps that were done, as a workflow that is replayed without a model.

    Args:
        done: a run that came to its end.
        name: what the workflow is called; values are put behind their names.
        policy: what the replay may do: that of the run, less the verbs that the request did not name.
        start: the page to open first, "" for none.
        veil: the run's; its values become parameters where they are used.
        expect: words to be shown in the end.

    Returns:
        The workflow; values that its steps use are its parameters.

    Raises:
        ValueError: if no step was done.
    """
    steps, hide = list(done.steps), Veil(veil.values).hide
    if not steps:
        raise ValueError("no step was done, so that there is nothing to keep")
    if expect:
        steps[-1] = steps[-1].model_copy(update={"expect": Expect(words=hide(expect))})
    title = hide(name)
    # What leads to the record is often called by the patient's name.
    policy = policy.model_copy(update={"search_labels": tuple(map(hide, policy.search_labels))})
    texts = [title, policy.model_dump_json(), *(step.model_dump_json() for step in steps)]
    return Workflow(
        name=title,
        description="Kept from a run that a model planned.",
        parameters={name: "as it was given" for name in veil.values if any(f"${{{name}}}" in text for text in texts)},
        start=start,
        policy=policy,
        steps=tuple(steps),
    )


def _turn(work: _Work) -> str:
    """One proposal, and what comes of it: "" to go on, `finish`, `halted`, or why the run ends here."""
    run, limits = work.run, work.limits
    run.guard.stop.check()
    if work.proposals >= limits.steps:
        return f"{limits.steps} steps were proposed, which is the limit"
    if time.monotonic() - work.began > limits.seconds:
        return f"{limits.seconds:g} s are over, which is the limit"
    if work.told.tokens >= limits.tokens:
        return f"the model has used {work.told.tokens} tokens; the limit is {limits.tokens}"
    if work.misses >= MOST_MISSES:
        return f"{MOST_MISSES} proposals in a row could not be used; the last one: {work.done[-1]}"
    screen = run.actuator.screen()
    try:
        request, left = work.veil.hide(work.request), limits.tokens - work.told.tokens
        answer = work.propose(Situation(request, screen, work.veil, tuple(work.done), left))
    except (ModelError, PhiError) as error:
        work.run.report.tokens += getattr(error, "tokens", 0)
        return f"the model's answer cannot be used: {error}"
    work.proposals += 1
    work.run.report.tokens += answer.tokens
    run.report.model_calls += answer.calls
    proposal = answer.proposal
    if proposal.do == "finish":
        return "finish" if work.told.steps else "the model says that nothing has to be done"
    if proposal.do == "give_up":
        return f"the model gives up: {proposal.why or 'it does not say why'}"
    work.seen[f"{screen.sha256} {proposal.model_dump_json(exclude={'why', 'expect'})}"] += 1
    if max(work.seen.values()) > MOST_ALIKE:
        return f"the same step was proposed {MOST_ALIKE + 1} times on the same screen: {_named(proposal)}"
    try:
        return _try(work, proposal)
    except PhiError as error:
        return f"what the model may be told cannot be told: {error}"


def _try(work: _Work, proposal: Proposal) -> str:
    run, number = work.run, _number(work)
    try:
        step = _step(work, proposal)
        screen, target, how, problem = aim(run, step)
    except ValidationError as error:
        return _missed(work, proposal, f"not done: {error.errors()[0]['msg']}")
    except ToolRetry as error:
        # It may quote the instruction, in which values stand.
        return _missed(work, proposal, f"not done: {work.veil.hide(str(error))}")
    if problem:
        work.on_step(StepReport(number, _named(proposal), Outcome.HALTED_BEFORE_EFFECT, problem, "planned", target))
        # The reason quotes the screen, which has no say in what a model is told in our name.
        return _missed(work, proposal, f"not done: {'several places fit it' if how == 'person' else 'nothing fits it'}")
    step = step.model_copy(update={"patient": not _leads_to_the_record(run.guard, step, target)})
    label = target.label if target else ""
    # Keys have no target, and what has the focus may be anything.
    grave = proposal.do == "press" or bool(find_verbs(label, run.guard.policy.all_words)) or affirms(label)
    # Where nothing grave is at hand, what the model expects to be shown is its guess, and no reason to stop.
    told = act(run, number, step, screen, target, "planned", lenient=not grave)
    _tell(work, told)
    if told.outcome not in FINISHED:
        return "halted"
    work.told.steps.append(_kept(work, proposal, step, told))
    work.misses = 0
    seen = ", and what was expected is shown" if told.outcome == Outcome.VERIFIED else ""
    missed = ", but what was expected is not shown" if told.reason else ""
    work.done.append(f"{_named(proposal)}: done{seen}{missed}")
    return ""


def _kept(work: _Work, proposal: Proposal, step: Step, told: StepReport) -> Step:
    """A step that was done, with its target as it was found, and the names of values in their place."""
    hide = Veil(work.veil.values).hide
    verified = step.expect is not None and told.outcome == Outcome.VERIFIED
    kept: dict[str, Any] = {
        "name": hide(step.name),
        "keys": hide(step.keys),
        "find": hide(proposal.target),
        "text": hide(proposal.text),
        "expect": Expect(words=hide(proposal.expect)) if verified else None,
        "timeout_s": 10.0,
    }
    if told.recorded is not None:
        kept["target"] = hidden_target(told.recorded, hide)
    return step.model_copy(update=kept)


def _step(work: _Work, proposal: Proposal) -> Step:
    """The step that a proposal means. Raises ToolRetry and ValidationError where it means none."""
    show = work.veil.show
    if proposal.do == "type" and not (proposal.text and work.veil.given(proposal.text, work.request)):
        raise ToolRetry("only words of the request, as they stand there, and values by their names, may be typed.")
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
    """Whether keys write text into a field, be it a character or what was copied. Raises ToolFailed if unknown."""
    keys = set(key_names(action))
    pastes = ("v" in keys and bool(keys & {"ctrl", "super"})) or keys >= {"shift", "insert"}
    return pastes or (all(len(key) == 1 or key == "space" for key in keys - {"shift"}) and keys != {"shift"})


def _leads_to_the_record(guard: Guard, step: Step, target: Target | None) -> bool:
    """Whether a step goes where the patient is not shown yet, by the word of the policy."""
    if guard.policy.identity == "none" or guard.patient is None:
        return False
    return leads_to_a_record(guard.policy, step.action(target.point if target else None), target)


def _conclude(work: _Work, expect: str, shown_before: bool) -> None:
    number = _number(work)
    if not expect:
        reason = "only the model says that the request is done"
        told = StepReport(number, "finish", Outcome.COMPLETED_UNVERIFIED, reason)
    elif shown_before:
        told = StepReport(number, "finish", Outcome.COMPLETED_UNVERIFIED, f"{expect!r} was shown from the beginning")
    else:
        ends = time.monotonic() + LOOK_S
        while not (there := shows(work.run.actuator.screen(), expect)) and time.monotonic() < ends:
            work.run.guard.stop.pause(0.3)
        outcome = Outcome.VERIFIED if there else Outcome.RECONCILE
        told = StepReport(number, "finish", outcome, "" if there else f"{expect!r} is not shown in the end")
    # This check, and nothing before it, can verify the whole.
    work.told.report.checked = frozenset({number})
    _tell(work, told)


def _missed(work: _Work, proposal: Proposal, why: str) -> str:
    work.misses += 1
    work.done.append(f"{_named(proposal)}: {why}")
    return ""


def _tell(work: _Work, told: StepReport) -> None:
    work.told.report.steps.append(told)
    work.told.report.total = told.number
    work.on_step(told)


def _number(work: _Work) -> int:
    return len(work.told.report.steps) + 1


def _named(proposal: Proposal) -> str:
    """A proposal in words; values stand behind their names."""
    what = {"type": f" {proposal.text!r} into", "press": f" {proposal.keys}", "wait": f" for {proposal.text!r}"}
    return f"{proposal.do.replace('_', ' ')}{what.get(proposal.do, '')} {proposal.target}".strip()[:300]
