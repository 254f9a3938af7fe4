"""The loop: perceive -> think -> act -> perceive ... -> answer.

perceive  drains new frames into memory and puts references to the kept ones into the state
think     asks the model, which answers or calls a tool
act       runs one tool; `ask_user` stops here at an interrupt until the person has replied
answer    checks every cited time against what was shown; once, the model is asked to mend what is wrong; says so where
          the newest picture is not of now
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Literal, Protocol, cast

from langchain_core.messages import AIMessage, BaseMessage, RemoveMessage, ToolMessage, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_stream_writer
from langgraph.errors import GraphBubbleUp
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import ValidationError

from agent.config import Limits
from agent.core.citations import DocumentChecker, check_citations, closing_note, repair_hint
from agent.core.events import Perceived, Revising, Token, ToolCalled, ToolReturned
from agent.core.prompt import Shows, build_prompt
from agent.core.state import State, Turn, begins_turn, hint, last_reply, new_turn, split_turns
from agent.models.blocks import text_of
from agent.models.protocol import MLLM
from tools.base import Evidence, Heard, SeenFrame, Shown
from tools.errors import AttendError, ToolRetry
from tools.media import Gap

log = logging.getLogger(__name__)

LAST_ANSWER = 0.25
"""When the seconds of a question are used up, its last answer may still take this share of them; our choice."""

GAPS_TOLD = 5
"""The newest gaps that a model is told of; our choice."""

NO_ANSWER = "I have no answer to that."


class Perception(Shows, Protocol):
    """The frames that the loop reasons over; `agent.perception.view.SourceView` is one."""

    def perceive(self, question: str | None = None) -> list[SeenFrame]:
        """Drain what was captured into memory; the frames to show for a question, oldest first, the newest last."""

    @property
    def source(self) -> str:
        """What is watched, for people."""

    @property
    def session(self) -> str:
        """When this watching began; media times of different sessions have nothing to do with each other."""

    @property
    def dropped(self) -> int:
        """Frames that capture replaced before memory could take them."""

    def gaps(self) -> list[Gap]:
        """Stretches of the source that could not be read, oldest first."""

    def heard(self, question: str | None, frames: Sequence[SeenFrame]) -> Heard:
        """Texts about what is heard, each with its place among the frames, and the utterances as evidence."""


def build_graph(
    model: MLLM,
    view: Perception,
    tools: Sequence[BaseTool],
    limits: Limits,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    documents: DocumentChecker | None = None,
) -> CompiledStateGraph[State]:
    """Build the loop. Without a checkpointer `ask_user` cannot wait, and nothing survives the process."""
    by_name = {tool.name: tool for tool in tools}
    abilities = model.abilities
    with_tools = model.bind_tools(list(tools)) if abilities.tool_calls and tools else model

    async def perceive(state: State) -> State:
        turns = split_turns(state.get("messages", []))
        question = turns[-1][0].text if turns else None
        frames = (await asyncio.to_thread(view.perceive, question))[-limits.frames :] if limits.frames else []
        newest_s = frames[-1].t_s if frames else None
        texts, spoken = await asyncio.to_thread(view.heard, question, frames)
        get_stream_writer()(Perceived(frames=len(frames), newest_s=newest_s, dropped=view.dropped))
        window = [frame.model_dump() for frame in frames]
        found = view.gaps()[-GAPS_TOLD:]
        gaps = sorted([*((gap.start_s, f"(no picture from {gap.text})") for gap in found), *texts])
        stale = found[-1].reason if found and found[-1].end_s is None else ""
        update = State(window=window, gaps=gaps, stale=stale, source=view.source, session=view.session)
        if begins_turn(state.get("messages", [])):
            evidence = [entry.model_dump() for entry in spoken]
            update.update(State(turn=new_turn(), evidence=evidence, answer=None))
        elif state["session"] != view.session:
            update.update(State(evidence=[]))
        return update

    async def think(state: State) -> State:
        turn, started = state["turn"], time.monotonic()
        exhausted = _exhausted(turn, limits)
        prompt, shown = await asyncio.to_thread(
            build_prompt, state, abilities, view.shown, view.noted, limits.history, view.detected
        )
        if exhausted:
            prompt.append(hint(f"The limit of {exhausted} is reached. Answer now with what you have."))
        left_s = max(limits.seconds - turn["seconds"], LAST_ANSWER * limits.seconds)
        reply = await _within(left_s, model if exhausted else with_tools, prompt)
        usage = reply.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
        used: Turn = {
            **turn,
            "steps": turn["steps"] + 1,
            "seconds": turn["seconds"] + time.monotonic() - started,
            "tokens_in": turn["tokens_in"] + usage["input_tokens"],
            "tokens_out": turn["tokens_out"] + usage["output_tokens"],
        }
        return State(messages=[reply], turn=used, shown=[frame.model_dump() for frame in shown])

    async def act(state: State) -> State:
        turn, started = state["turn"], time.monotonic()
        call, *others = last_reply(state).tool_calls
        write = get_stream_writer()
        write(ToolCalled(name=call["name"], args=call["args"]))
        result = await _run_tool(by_name, call, max(1.0, limits.seconds - turn["seconds"]))
        refused = [
            ToolMessage("Not run: one tool a step. Call it again if it is still needed.", tool_call_id=other["id"])
            for other in others
        ]
        brought = Shown.model_validate(result.artifact or {})
        text, frames = text_of(result), tuple(brought.frames)
        write(ToolReturned(name=call["name"], ok=result.status == "success", text=text, frames=frames))
        result.artifact = brought.model_dump()
        evidence = [*state["evidence"], *brought.model_dump()["evidence"]]
        used: Turn = {**turn, "seconds": turn["seconds"] + time.monotonic() - started}
        return State(messages=[result, *refused], evidence=evidence, turn=used)

    async def answer(state: State) -> State:
        reply, turn = last_reply(state), state["turn"]
        shown = [SeenFrame.model_validate(frame) for frame in state["shown"]]
        evidence = [Evidence.model_validate(entry) for entry in state["evidence"]]
        called = {message.name or "" for message in state["messages"] if isinstance(message, ToolMessage)}
        checked = check_citations(text_of(reply).strip() or NO_ANSWER, shown, evidence, documents, called)
        wrong = repair_hint(checked, shown, evidence) or _unusable(reply)
        if wrong and not turn["repaired"] and not _exhausted(turn, limits):
            get_stream_writer()(Revising(reason=wrong))
            mended: list[Any] = [RemoveMessage(id=reply.id or ""), hint(wrong)]
            return State(messages=mended, turn={**turn, "repaired": True})
        notice = documents.notice() if documents and checked.documents else ""
        if note := closing_note(checked, state.get("stale", ""), notice):
            get_stream_writer()(Token(text=note))
            checked = checked.model_copy(update={"text": checked.text + note})
        final = reply.model_copy(update={"content": checked.text, "tool_calls": []})
        return State(messages=[final], answer=checked.model_dump())

    def after_think(state: State) -> Literal["act", "answer"]:
        wants_tool = bool(last_reply(state).tool_calls) and state["turn"]["steps"] < limits.steps
        return "act" if wants_tool else "answer"

    def after_answer(state: State) -> Literal["think", "__end__"]:
        return "think" if state["answer"] is None else "__end__"

    graph = StateGraph(State)
    graph.add_node("perceive", perceive)
    graph.add_node("think", think)
    graph.add_node("act", act)
    graph.add_node("answer", answer)
    graph.add_edge(START, "perceive")
    graph.add_edge("perceive", "think")
    graph.add_conditional_edges("think", after_think)
    graph.add_edge("act", "perceive")
    graph.add_conditional_edges("answer", after_answer)
    return graph.compile(checkpointer=checkpointer, name="attend")


async def _within(timeout_s: float, model: Runnable[Any, Any], prompt: list[BaseMessage]) -> AIMessage:
    """Ask the model; an answer that takes too long is cut off, and what there is of it counts."""
    whole: Any = None
    pieces = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in model.astream(prompt):
                whole, pieces = chunk if whole is None else whole + chunk, pieces + 1
    except TimeoutError:
        text = f"{text_of(whole)} (cut off after {timeout_s:.0f} seconds)" if whole and text_of(whole) else ""
        usage = UsageMetadata(input_tokens=0, output_tokens=pieces, total_tokens=pieces)
        return AIMessage(text or f"I could not answer within {timeout_s:.0f} seconds.", usage_metadata=usage)
    return cast(AIMessage, message_chunk_to_message(whole))


def _unusable(reply: AIMessage) -> str:
    """Tell the model why its reply is no answer, or ""."""
    if broken := reply.invalid_tool_calls:
        return (
            f"The call of {broken[0]['name']!r} could not be read: {broken[0]['error'] or 'its arguments are no JSON'}."
        )
    return "" if text_of(reply).strip() else "You gave no answer. Answer in words, or call a tool."


def _exhausted(turn: Turn, limits: Limits) -> str:
    """The limit that leaves room for one last answer without tools, in words, or ""."""
    if turn["steps"] >= limits.steps - 1:
        return f"{limits.steps} steps"
    if turn["seconds"] >= limits.seconds:
        return f"{limits.seconds:g} seconds"
    if turn["tokens_in"] + turn["tokens_out"] >= limits.tokens:
        return f"{limits.tokens} tokens"
    return ""


async def _run_tool(by_name: dict[str, BaseTool], call: Any, timeout_s: float) -> ToolMessage:
    """Run one tool call; whatever goes wrong comes back as a result that the model can read."""

    def failed(text: str) -> ToolMessage:
        return ToolMessage(text, tool_call_id=call["id"], name=call["name"], status="error")

    log.debug("call the tool %s", call["name"])
    tool = by_name.get(call["name"])
    if tool is None:
        return failed(f"There is no tool {call['name']!r}. The tools are: {', '.join(by_name)}.")
    try:
        async with asyncio.timeout(timeout_s):
            return await tool.ainvoke({**call, "type": "tool_call"})
    except GraphBubbleUp:
        raise
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'arguments'}: {p['msg']}" for p in error.errors())
        return failed(f"The arguments do not fit: {problems}. Mend them and call again.")
    except ToolRetry as error:
        return failed(f"{error} You may call again.")
    except AttendError as error:
        return failed(f"The tool failed: {error} Go on without it.")
    except TimeoutError:
        return failed(f"The tool took longer than {timeout_s:.0f} seconds. Go on without it.")
    except Exception as error:
        log.exception("tool %s failed", call["name"])
        return failed(f"The tool broke down ({type(error).__name__}: {error}). Go on without it.")
