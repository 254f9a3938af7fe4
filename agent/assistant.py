"""Assistant: one source, a model and the loop between them, for the command line, the server and programs.

async with open_assistant("street.mp4", load_config()) as assistant:
    await assistant.watch()
    async for event in assistant.ask("When does the cyclist appear?"):
        print(event)
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command
from langsmith import tracing_context

from agent.config import Config, searchable_literature
from agent.core.checkpoints import FILE_NAME, failure, holding, open_threads, prune
from agent.core.citations import Answer
from agent.core.events import Answered, Event, Needs, Token
from agent.core.graph import build_graph
from agent.core.state import State, final_answer, split_turns
from agent.literature.citations import LiteratureCitations
from agent.models import load_mllm
from agent.models.cassette import record
from agent.models.protocol import MLLM, Finding
from agent.perception.session import SourceSession, open_source_session
from agent.perception.when_seen import make_when_seen
from tools.ask_user import NEEDS_NEW_FRAME, Intervention, Reply
from tools.errors import AttendError
from tools.registry import make_tools

SUPERSTEPS_A_STEP = 3
"""LangGraph's recursion limit counts supersteps: perceive, think, and act or answer."""


@dataclass(frozen=True)
class Assistant:
    """A conversation about one source; use `open_assistant` to create it.

    Attributes:
        model: the model that answers.
        session: capture and memory of the source.
        thread: name of the conversation; a later process resumes it by this name.
        findings: limitations of the model's server and of the literature, each with a remedy.
    """

    model: MLLM
    session: SourceSession
    thread: str
    findings: tuple[Finding, ...]
    _graph: CompiledStateGraph[State]
    _saver: AsyncSqliteSaver
    _recursion_limit: int

    async def watch(self, until_s: float | None = None, progress: Callable[[float], None] | None = None) -> None:
        """Wait until the source was watched up to a media time in seconds.

        Args:
            until_s: media time to wait for; None: the end of the source, which live sources do not have.
            progress: called now and then with the media time reached.

        Raises:
            MediaError: if the source fails before its first frame.
        """
        await asyncio.to_thread(self.session.watch, until_s, progress)

    def ask(self, question: str) -> AsyncIterator[Event]:
        """Ask a question; the stream ends with `Answered`, or with `Needs` if input from the person is needed.

        If the stream is cancelled, closed or fails, the question is closed and the next can be asked. Only a process
        that dies leaves a run for `resume`.

        Raises:
            AttendError: if the question is empty; the conversation stays as it was.
            ModelError: if the model fails.
        """
        if not question.strip():
            raise AttendError("the question is empty.", expected="some text")
        return self._run({"messages": [HumanMessage(question)]})

    def reply(self, text: str) -> AsyncIterator[Event]:
        """Reply to the pending request (see `Needs`) and resume the run."""
        return self._run(Command(resume=Reply(text=text).model_dump()))

    def resume(self) -> AsyncIterator[Event]:
        """Resume a run that was interrupted by a crash or a stop."""
        return self._run(None)

    async def give_up(self) -> None:
        """Close the question that waits for a person, without an answer."""
        await self._end_turn("(stopped)")

    async def pending(self) -> Needs | bool:
        """Return the pending request to the person, True for an interrupted run, or False."""
        snapshot = await self._graph.aget_state(self._thread_config())
        return _needs(snapshot.interrupts) or bool(snapshot.next)

    async def history(self) -> list[BaseMessage]:
        """Return the questions and answers so far, oldest first."""
        values = (await self._graph.aget_state(self._thread_config())).values
        turns = split_turns(values.get("messages", []))
        return [message for turn in turns for message in (turn[0], final_answer(turn)) if message]

    async def earlier_source(self) -> str | None:
        """Return the source that this conversation was about before, if it is another one."""
        values = (await self._graph.aget_state(self._thread_config())).values
        source = values.get("source")
        return source if source != self.session.source else None

    def _thread_config(self) -> Any:
        return {"configurable": {"thread_id": self.thread}, "recursion_limit": self._recursion_limit}

    async def _run(self, payload: Any) -> AsyncIterator[Event]:
        ended = False
        try:
            # Traces would send frames and text to a server, so disable them whatever the environment says.
            with tracing_context(enabled=False), self.model.precedence.person():
                async for event in self._events(payload):
                    ended = isinstance(event, Needs | Answered)
                    yield event
        except (asyncio.CancelledError, GeneratorExit):
            if not ended:
                await asyncio.shield(self._end_turn("(stopped)"))
            raise
        except AttendError as error:
            await self._end_turn(f"(failed: {error.problem})")
            raise
        except sqlite3.Error as error:
            await self._end_turn("(failed: the conversation could not be written)")
            raise failure("written", error) from error

    async def _end_turn(self, text: str) -> None:
        """Close the current question, so that no run is left to resume."""
        ended = Answer(text=text)
        update = {"messages": [AIMessage(text)], "answer": ended.model_dump()}
        # If even this cannot be written, the question remains as an interrupted run.
        with contextlib.suppress(sqlite3.Error):
            await self._graph.aupdate_state(self._thread_config(), update, as_node="answer")

    async def _events(self, payload: Any) -> AsyncIterator[Event]:
        started = time.monotonic()
        first_token_s: float | None = None
        config = self._thread_config()
        # Each superstep is stored before the next starts, so that a killed process loses at most the current one.
        stream: AsyncIterator[Any] = self._graph.astream(
            payload, config, stream_mode=["messages", "custom"], durability="sync"
        )
        async for mode, part in stream:
            if mode == "custom":
                yield part
                continue
            message, origin = part
            if isinstance(message, AIMessage) and message.text and origin.get("langgraph_node") == "think":
                if first_token_s is None:
                    first_token_s = time.monotonic() - started
                yield Token(text=message.text)
        snapshot = await self._graph.aget_state(config)
        if needs := _needs(snapshot.interrupts):
            yield needs
            return
        await prune(self._saver, self.thread)
        turn = snapshot.values["turn"]
        yield Answered(
            answer=Answer.model_validate(snapshot.values["answer"]),
            steps=turn["steps"],
            tokens_in=turn["tokens_in"],
            tokens_out=turn["tokens_out"],
            seconds=time.monotonic() - started,
            first_token_s=first_token_s,
        )


def _needs(interrupts: tuple[Any, ...]) -> Needs | None:
    if not interrupts:
        return None
    value = dict(interrupts[0].value)
    problem = value.pop("problem", "")
    request = Intervention.model_validate(value)
    return Needs(request=request, new_frame=request.kind in NEEDS_NEW_FRAME, problem=problem)


@asynccontextmanager
async def open_assistant(
    source: str,
    config: Config,
    *,
    thread: str | None = None,
    realtime: bool = False,
    loop: bool = False,
    model: MLLM | None = None,
    cassette: Path | None = None,
    view_fps: float | None = None,
) -> AsyncIterator[Assistant]:
    """Open a source, a model and a conversation, and start watching.

    Args:
        source: see `tools.media.open_source`.
        config: the settings.
        thread: name of the conversation to resume or start; None starts one with a random name.
        realtime: play a file in real time, as if it were live.
        loop: restart a file when it ends.
        model: a model to use instead of the configured one.
        cassette: file to record the model's calls to, for `replay:FILE`.
        view_fps: pictures per second for `SourceSession.live_frame`; None uses the frames sampled for memory.

    Raises:
        MediaError, ModelError, StoreError: if the source, the model or the folder cannot be opened.
    """
    thread = thread or uuid.uuid4().hex[:8]
    async with holding(config.folder, thread), open_threads(config.folder / FILE_NAME) as saver:
        opened = functools.partial(open_source_session, source, config, realtime=realtime, loop=loop, view_fps=view_fps)
        session = await asyncio.to_thread(opened)
        try:
            mllm = await asyncio.to_thread(load_mllm, config.model, config.mllm) if model is None else model
            # The prompt depends on the abilities of the model's server, so run the preflight before building the loop.
            findings = await asyncio.to_thread(mllm.preflight)
            if cassette:
                mllm = record(mllm, cassette)
            with _literature(config) as (literature, lacking):
                tools = make_tools(session.view, [*_detections(session), *literature])
                graph = build_graph(mllm, session.view, tools, config.limits, saver, LiteratureCitations())
                recursion_limit = SUPERSTEPS_A_STEP * (config.limits.steps + 2)
                yield Assistant(mllm, session, thread, (*findings, *lacking), graph, saver, recursion_limit)
        finally:
            await asyncio.to_thread(session.close)


def _detections(session: SourceSession) -> list[BaseTool]:
    """Return the tool over what is detected, where anything is."""
    if session.observer is None:
        return []
    return [make_when_seen(session.observer.detections, session.zones)]


def _literature(config: Config) -> AbstractContextManager[tuple[tuple[BaseTool, ...], tuple[Finding, ...]]]:
    """Open the literature tool with its findings; do not even import it if there is nothing to search."""
    if not searchable_literature(config):
        return contextlib.nullcontext(((), ()))
    from agent.literature.chat_tool import literature_tools

    return literature_tools(config)
