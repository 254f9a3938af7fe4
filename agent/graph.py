"""The loop: perceive -> think -> act -> perceive ... -> answer.

perceive  drains new frames into memory and puts references to the kept ones into the state
think     asks the model, which answers or calls a tool
act       runs one tool; `ask_user` stops here at an interrupt until the person has replied
answer    checks every cited time against what was shown; once, the model is asked to mend what does not exist
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_stream_writer
from langgraph.errors import GraphBubbleUp
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import ValidationError

from agent.citations import check_citations, repair_hint
from agent.config import Limits
from agent.events import Perceived, Revising, ToolCalled, ToolReturned
from agent.mllm.blocks import text_of
from agent.mllm.protocol import MLLM
from agent.prompt import build_prompt
from agent.state import State, Turn, begins_turn, hint, new_turn
from tools.base import Evidence, SeenFrame, Shown
from tools.errors import AttendError, ToolRetry

log = logging.getLogger(__name__)


class Perception(Protocol):
    """What the loop needs of its eyes; `agent.eyes.Eyes` is one."""

    def perceive(self) -> list[SeenFrame]:
        """Drain what was captured into memory; the frames to show now, oldest first, the newest last."""

    @property
    def dropped(self) -> int:
        """Frames that capture replaced before memory could take them."""

    def shown(self, frame: SeenFrame) -> np.ndarray:
        """The pixels of a frame in its detail, (height, width, 3) uint8 RGB. Raises StoreError if they are gone."""

    def noted(self, frames: Sequence[SeenFrame]) -> list[Evidence]:
        """What was noted about frames, for models without images."""


def build_graph(
    model: MLLM,
    eyes: Perception,
    tools: Sequence[BaseTool],
    limits: Limits,
    checkpointer: BaseCheckpointSaver[str] | None = None,
) -> CompiledStateGraph[State]:
    """Build the loop. Without a checkpointer `ask_user` cannot wait, and nothing survives the process."""
    by_name = {tool.name: tool for tool in tools}
    abilities = model.abilities
    with_tools = model.bind_tools(list(tools)) if abilities.tool_calls and tools else model

    async def perceive(state: State) -> State:
        frames = (await asyncio.to_thread(eyes.perceive))[-limits.frames :] if limits.frames else []
        newest_s = frames[-1].t_s if frames else None
        get_stream_writer()(Perceived(frames=len(frames), newest_s=newest_s, dropped=eyes.dropped))
        window = [frame.model_dump() for frame in frames]
        if begins_turn(state.get("messages", [])):
            return State(window=window, turn=new_turn(), evidence=[], answer=None)
        return State(window=window)

    async def think(state: State) -> State:
        turn, started = state["turn"], time.monotonic()
        exhausted = _exhausted(turn, limits)
        prompt = await asyncio.to_thread(build_prompt, state, abilities, eyes.shown, eyes.noted, limits.history)
        if exhausted:
            prompt.append(hint(f"The limit of {exhausted} is reached. Answer now with what you have."))
        try:
            async with asyncio.timeout(None if exhausted else limits.seconds - turn["seconds"]):
                reply = await (model if exhausted else with_tools).ainvoke(prompt)
        except TimeoutError:
            reply = AIMessage(f"I could not answer within {limits.seconds:g} seconds.")
        usage = reply.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
        used: Turn = {
            **turn,
            "steps": turn["steps"] + 1,
            "seconds": turn["seconds"] + time.monotonic() - started,
            "tokens_in": turn["tokens_in"] + usage["input_tokens"],
            "tokens_out": turn["tokens_out"] + usage["output_tokens"],
        }
        return State(messages=[reply], turn=used)

    async def act(state: State) -> State:
        turn, started = state["turn"], time.monotonic()
        call, *others = _last_reply(state).tool_calls
        write = get_stream_writer()
        write(ToolCalled(name=call["name"], args=call["args"]))
        result = await _run_tool(by_name, call, max(1.0, limits.seconds - turn["seconds"]))
        write(ToolReturned(name=call["name"], ok=result.status == "success", text=text_of(result)))
        refused = [
            ToolMessage("Not run: one tool a step. Call it again if it is still needed.", tool_call_id=other["id"])
            for other in others
        ]
        brought = Shown.model_validate(result.artifact or {})
        result.artifact = brought.model_dump()
        evidence = [*state["evidence"], *brought.model_dump()["evidence"]]
        used: Turn = {**turn, "seconds": turn["seconds"] + time.monotonic() - started}
        return State(messages=[result, *refused], evidence=evidence, turn=used)

    async def answer(state: State) -> State:
        reply, turn = _last_reply(state), state["turn"]
        window = [SeenFrame.model_validate(frame) for frame in state["window"]]
        evidence = [Evidence.model_validate(entry) for entry in state["evidence"]]
        checked = check_citations(text_of(reply), window, evidence)
        if checked.unverified and not turn["repaired"] and not _exhausted(turn, limits):
            reason = repair_hint(checked, window)
            get_stream_writer()(Revising(reason=reason))
            return State(messages=[hint(reason)], turn={**turn, "repaired": True})
        final = reply.model_copy(update={"content": checked.text, "tool_calls": []})
        return State(messages=[final], answer=checked.model_dump())

    def after_think(state: State) -> Literal["act", "answer"]:
        wants_tool = bool(_last_reply(state).tool_calls) and state["turn"]["steps"] < limits.steps
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


def _last_reply(state: State) -> AIMessage:
    return next(message for message in reversed(state["messages"]) if isinstance(message, AIMessage))


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
