"""Solvers that ask a model one sample: as a plain prompt, through the agent's loop, at times of a video, or in a
dialogue.

Independent of inspect-ai: how to call a model (`Generate`) and trace a tool call (`Trace`) are parameters, so that a
benchmark can run the same attempts without it.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.tool import ToolCall
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.errors import GraphRecursionError
from pydantic import ValidationError

from agent.assistant import Assistant, open_assistant
from agent.config import Config, known_settings
from agent.core.events import Answered, Needs, ToolCalled, ToolReturned
from agent.models.blocks import text_of
from agent.models.protocol import MLLM
from agent.models.scripted import Scripted
from evals.engine.data import DataError
from evals.engine.instrumented import CallTotals, Generate, InstrumentedModel
from evals.engine.media import picture_block
from evals.engine.stream import watch_and_ask
from evals.engine.suite import (
    Call,
    Dialogue,
    DialogueBaseline,
    Message,
    Part,
    Reply,
    Sample,
    Suite,
    Tool,
    ToolUse,
    Transcript,
)
from evals.judge import JudgeOutage
from evals.results import Failure
from tools.ask_user import NEEDS_NEW_FRAME
from tools.errors import AttendError, MediaError, ModelError

NO_LIMIT_S = 86_400.0
"""The agent's own time limit of a question would include waiting for other samples; see `Settings.limit_s`."""

CANNOT_HELP = "I cannot help with that."
CANNOT_SHOW = "I cannot show anything else."


class Trace(Protocol):
    """Receives the tool calls of an attempt."""

    def span(self, name: str) -> AbstractAsyncContextManager[None]:
        """Open a span for one tool call."""

    def note(self, data: Mapping[str, Any]) -> None:
        """Record arguments or a result within the open span."""


class NullTrace:
    """A trace that records nothing, for attempts outside a run."""

    @asynccontextmanager
    async def span(self, name: str) -> AsyncIterator[None]:
        """Open nothing."""
        yield

    def note(self, data: Mapping[str, Any]) -> None:
        """Record nothing."""


@dataclass(frozen=True)
class Settings:
    """Settings shared by all attempts of a run.

    Attributes:
        config: settings of the agent and of the model.
        seed: of the run.
        limit_s: time limit of an attempt, in seconds; None is no limit.
        blind: whether to hide pictures and sources from the model, to measure what the words alone give away.
    """

    config: Config
    seed: int = 0
    limit_s: float | None = None
    blind: bool = False


@dataclass
class _AttemptState:
    """The state of an attempt so far; it survives a failure."""

    answers: list[str] = field(default_factory=list)
    tools: list[ToolUse] = field(default_factory=list)
    outcome: dict[str, Any] = field(default_factory=dict)


async def attempt(
    suite: Suite, sample: Sample, epoch: int, model: MLLM, generate: Generate, trace: Trace, settings: Settings
) -> Transcript:
    """Ask a sample once. The transcript records failures of the model or the data, and exceeded limits.

    Raises:
        AttendError: if the machine fails, such as a full disk; the run cannot continue.
    """
    started, account, course = time.monotonic(), CallTotals(), _AttemptState()
    seed = attempt_seed(settings.seed, sample, epoch)
    fresh = model.for_sample(sample.id) if isinstance(model, Scripted) else model.reseeded(seed)
    observed = InstrumentedModel.over(fresh, generate, account)
    failure: Failure = ""
    problem = ""
    try:
        async with asyncio.timeout(settings.limit_s):
            await _put(suite, sample, observed, trace, settings, Random(seed), course)
    except ModelError as error:
        failure, problem = "model", str(error)
    except JudgeOutage as error:
        failure, problem = "judge", str(error)
    except (DataError, MediaError) as error:
        failure, problem = "data", str(error)
    except (TimeoutError, GraphRecursionError) as error:
        failure = "limit"
        problem = f"it took longer than {settings.limit_s} s." if isinstance(error, TimeoutError) else str(error)
    except _Unhelped as error:
        failure, problem = "tool", str(error)
    return Transcript(
        task=sample.task or suite.name,
        id=sample.id,
        epoch=epoch,
        answers=tuple(course.answers),
        tools=tuple(course.tools),
        outcome=course.outcome,
        failure=failure,
        problem=problem,
        frame_ids=tuple(account.frame_ids),
        seconds=round(time.monotonic() - started, 3),
        tokens_in=account.tokens_in,
        tokens_out=account.tokens_out,
        model_calls=account.calls,
    )


async def play(suite: Suite, sample: Sample, epoch: int, player: DialogueBaseline, seed: int) -> Transcript:
    """Ask a baseline in place of the model, in a suite with a dialogue; reads no picture."""
    assert not isinstance(suite.solve, str)
    course, problem = _AttemptState(), ""
    failure: Failure = ""

    async def respond(
        messages: Sequence[Message], *, max_tokens: int | None = None, tools: Sequence[Tool] = ()
    ) -> Reply:
        said = player(messages)
        course.answers.append(str(said))
        return said if isinstance(said, Reply) else Reply(said)

    try:
        course.outcome = dict(await suite.solve(sample, respond, Random(attempt_seed(seed, sample, epoch))))
    except JudgeOutage as error:
        failure, problem = "judge", str(error)
    except (DataError, MediaError) as error:
        failure, problem = "data", str(error)
    return Transcript(
        task=sample.task or suite.name,
        id=sample.id,
        epoch=epoch,
        answers=tuple(course.answers),
        outcome=course.outcome,
        failure=failure,
        problem=problem,
    )


def attempt_seed(seed: int, sample: Sample, epoch: int) -> int:
    """Return a seed for one attempt, below 2^32, that depends only on the run's seed and the attempt's identity."""
    named = "\0".join((str(seed), sample.task, sample.id, str(epoch)))
    return int.from_bytes(hashlib.sha256(named.encode()).digest()[:4], "big")


async def _put(
    suite: Suite,
    sample: Sample,
    model: InstrumentedModel,
    trace: Trace,
    settings: Settings,
    rng: Random,
    course: _AttemptState,
) -> None:
    if suite.solve == "agent" and not settings.blind:
        await _put_to_agent(sample, model, trace, settings.config, course)
    elif suite.solve == "stream":
        own = _with_settings(settings.config, sample.settings, sample)
        await watch_and_ask(sample, model, own, course.answers, course.outcome, blind=settings.blind)
    elif suite.solve == "model" or suite.solve == "agent":
        parts = sample.prompt or ("\n".join(sample.questions),)
        if settings.blind:
            parts = tuple(part for part in parts if isinstance(part, str))
        messages = [Message("system", (sample.system,))] if sample.system else []
        await _respond(sample, model, course, [*messages, Message("user", parts)], sample.max_tokens)
    else:
        dialogue = suite.blind if settings.blind and suite.blind is not None else suite.solve
        course.outcome = dict(await _talk(dialogue, sample, model, rng, course))


def _talk(
    dialogue: Dialogue, sample: Sample, model: InstrumentedModel, rng: Random, course: _AttemptState
) -> Awaitable[Mapping[str, Any]]:
    async def respond(
        messages: Sequence[Message], *, max_tokens: int | None = None, tools: Sequence[Tool] = ()
    ) -> Reply:
        return await _respond(sample, model, course, messages, max_tokens or sample.max_tokens, tools)

    return dialogue(sample, respond, rng)


async def _respond(
    sample: Sample,
    model: InstrumentedModel,
    course: _AttemptState,
    messages: Sequence[Message],
    max_tokens: int | None,
    tools: Sequence[Tool] = (),
) -> Reply:
    prompt = (
        await asyncio.to_thread(_as_prompt, messages, sample)
        if _has_pictures(messages)
        else _as_prompt(messages, sample)
    )
    settings: dict[str, Any] = {} if max_tokens is None else {"max_tokens": max_tokens}
    if tools:
        if not model.abilities.tool_calls:
            raise ModelError(
                f"the model {model.spec!r} does not support tool calls.", remedy="Choose a model that can."
            )
        settings |= {"tools": [_definition(tool) for tool in tools], "tool_choice": "auto"}
    reply = await model.ask(prompt, settings)
    course.answers.append(text_of(reply))
    return Reply(
        course.answers[-1], [call for call in (_call(made, tools, course) for made in reply.tool_calls) if call]
    )


def _definition(tool: Tool) -> dict[str, Any]:
    form = convert_to_openai_tool(tool.args)["function"]["parameters"]
    return {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": form}}


def _call(made: ToolCall, tools: Sequence[Tool], course: _AttemptState) -> Call | None:
    """Check a call of an offered tool and record it; None if it is invalid."""
    tool = next((tool for tool in tools if tool.name == made["name"]), None)
    problem, args = "", None
    if tool is None:
        problem = f"There is no tool {made['name']!r}."
    else:
        try:
            args = tool.args.model_validate(made["args"])
        except ValidationError as error:
            problem = f"The arguments do not fit: {error.errors()[0]['msg']}."
    course.tools.append(ToolUse(name=made["name"], args=made["args"], ok=args is not None, text=problem))
    return Call(made["name"], args) if args is not None else None


def _has_pictures(messages: Sequence[Message]) -> bool:
    return any(not isinstance(part, str) for message in messages for part in message.parts)


def _as_prompt(messages: Sequence[Message], sample: Sample) -> list[BaseMessage]:
    forms = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return [forms[message.role](content=_content(message.parts, sample)) for message in messages]


def _content(parts: Sequence[Part], sample: Sample) -> Any:
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    return [{"type": "text", "text": part} if isinstance(part, str) else picture_block(part, sample) for part in parts]


async def _put_to_agent(
    sample: Sample, model: InstrumentedModel, trace: Trace, config: Config, course: _AttemptState
) -> None:
    replies = iter(sample.replies)
    course.outcome = {"citations": [], "unverified": []}
    with tempfile.TemporaryDirectory(prefix="attend-eval-", ignore_cleanup_errors=True) as folder:
        own = _with_settings(config, {**sample.settings, "folder": Path(folder), "limits.seconds": NO_LIMIT_S}, sample)
        opened = open_assistant(sample.source, own, thread="evaluation", realtime=sample.live, model=model)
        async with opened as assistant:
            await assistant.watch()
            for question in sample.questions:
                answered = await _ask(assistant, question, replies, trace, course)
                course.answers.append(answered.answer.text)
                course.outcome["citations"].append([citation.t_s for citation in answered.answer.citations])
                course.outcome["unverified"].append(list(answered.answer.unverified))


async def _ask(assistant: Assistant, question: str, replies: Any, trace: Trace, course: _AttemptState) -> Answered:
    events: AsyncIterator[Any] = assistant.ask(question)
    async with AsyncExitStack() as stack:
        called: ToolCalled | None = None
        while True:
            async for event in events:
                if isinstance(event, ToolCalled) and called is None:
                    called = event
                    await stack.enter_async_context(trace.span(event.name))
                    trace.note({"args": event.args})
                elif isinstance(event, ToolReturned) and called is not None:
                    use = ToolUse(name=event.name, args=called.args, ok=event.ok, text=event.text)
                    course.tools.append(use)
                    trace.note({"ok": event.ok, "text": event.text, "frames": [f.frame_id for f in event.frames]})
                    await stack.aclose()
                    called = None
            if isinstance(event, Answered):
                return event
            assert isinstance(event, Needs)
            reply = _reply(event, replies)
            if reply is None:
                if called is not None:
                    course.tools.append(ToolUse(name=called.name, args=called.args, ok=False, text="(no reply)"))
                await assistant.give_up()
                raise _Unhelped(f"the agent asked {event.request.request!r}, to which the sample has no reply.")
            trace.note({"reply": reply})
            events = assistant.reply(reply)


def _reply(needs: Needs, replies: Any) -> str | None:
    """Return the person's reply, or None if the agent's choices exclude it."""
    if needs.problem:
        return None
    given = next(replies, None)
    if given is not None:
        holding = [choice for choice in needs.request.choices if str(given).casefold() in choice.casefold()]
        return holding[0] if len(holding) == 1 else str(given)
    if needs.request.kind == "choose":
        return None
    return CANNOT_SHOW if needs.request.kind in NEEDS_NEW_FRAME else CANNOT_HELP


def _with_settings(config: Config, settings: Mapping[str, Any], sample: Sample) -> Config:
    held, known = config.model_dump(), known_settings()
    try:
        for dotted, value in settings.items():
            if dotted not in known:
                raise DataError(
                    f"sample {sample.id!r} sets the unknown setting {dotted!r}.", file=sample.file, line=sample.line
                )
            *path, name = dotted.split(".")
            place = held
            for part in path:
                place = place[part]
            place[name] = value
        return Config.model_validate(held)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problem = f"sample {sample.id!r} sets {where} to {first['input']!r}: {first['msg']}."
        raise DataError(problem, file=sample.file, line=sample.line) from error


class _Unhelped(AttendError):
    """The agent asked the person for something that the sample has no answer to."""
