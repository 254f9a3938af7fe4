"""What every model backend must do. `CHECKS` is run on each of them by test_agent_models_conformance.py."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel, Field

from agent.models import MLLM
from agent.models.blocks import image_block
from tools.errors import ModelError

Kind = Literal["text", "long", "tool", "sampled"]
AFTER_STOP = 12
"""Tokens that may still come after a stop: those already decoded ahead, and those held back to find tool calls."""


@dataclass(frozen=True)
class Backend:
    """A backend under test.

    Attributes:
        make: gives a model that will answer with text, a long text (over 100 tokens where that can be asked for), a
            call of the tool `Zoom`, or (`sampled`) with temperature and a seed. Models that answer freely ignore it.
        produced: how many tokens a model has generated so far, where that can be known.
    """

    make: Callable[[Kind], MLLM]
    produced: Callable[[MLLM], int] | None = None


class Zoom(BaseModel):
    """Look closer at a part of the picture."""

    side: Literal["left", "right"] = Field(description="which half")
    times: int = Field(ge=1, le=9, description="how much larger")


def picture(shade: int = 0) -> np.ndarray:
    """Return a small picture, shape (48, 64, 3): a bright square on a dark ground."""
    rgb = np.full((48, 64, 3), 30 + shade, np.uint8)
    rgb[12:36, 20:44] = (220, 60, 40)
    return rgb


def ask(text: str = "What is this?", *images: dict[str, Any]) -> list[BaseMessage]:
    return [SystemMessage("Answer in one sentence."), HumanMessage([*images, {"type": "text", "text": text}])]


def tool_exchange() -> list[BaseMessage]:
    """Return a question, a tool call and its result, which holds a picture."""
    call = {"name": "Zoom", "args": {"side": "left", "times": 2}, "id": "call_1", "type": "tool_call"}
    result = [{"type": "text", "text": "The left half, twice as large."}, image_block(picture(), t_s=5.0)]
    return [
        HumanMessage("What stands on the left?"),
        AIMessage("", tool_calls=[call]),
        ToolMessage(result, tool_call_id="call_1", name="Zoom"),
    ]


def check_invoke_and_stream_agree(backend: Backend) -> None:
    whole = backend.make("text").invoke(ask())
    chunks = list(backend.make("text").stream(ask()))
    assert whole.text
    assert "".join(chunk.text for chunk in chunks) == whole.text


def check_usage_is_reported(backend: Backend) -> None:
    message = backend.make("text").invoke(ask())
    last = list(backend.make("text").stream(ask()))[-1]
    for usage in (message.usage_metadata, last.usage_metadata):
        assert usage is not None
        assert usage["input_tokens"] > 0
        assert usage["output_tokens"] > 0
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert message.usage_metadata == last.usage_metadata


async def check_async_stream_and_invoke_agree(backend: Backend) -> None:
    streamed = "".join([chunk.text async for chunk in backend.make("text").astream(ask())])
    whole = await backend.make("text").ainvoke(ask())
    assert streamed == whole.text == backend.make("text").invoke(ask()).text


async def check_cancelling_the_task_stops_generation(backend: Backend) -> None:
    model = backend.make("long")
    before = backend.produced(model) if backend.produced else 0
    started = asyncio.Event()
    streamed = 0

    async def consume() -> None:
        nonlocal streamed
        async for _ in model.astream(ask()):
            streamed += 1
            if streamed == 3:
                started.set()
                # Wait here for the cancellation: what is generated from now on was not asked for.
                await asyncio.sleep(30)

    task = asyncio.create_task(consume())
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=120)
    waiting.cancel()
    if task.done():
        assert streamed < 3, task.exception()  # a short answer of a model that cannot be told how long to speak
        return
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()
    await asyncio.to_thread(_assert_stopped, backend, model, before + 3)


def check_closing_the_iterator_stops_generation(backend: Backend) -> None:
    model = backend.make("long")
    before = backend.produced(model) if backend.produced else 0
    stream = model.stream(ask())
    next(stream)
    stream.close()
    _assert_stopped(backend, model, before + 1)


def _assert_stopped(backend: Backend, model: MLLM, expected: int) -> None:
    if backend.produced is None:
        return
    before, now = -1, backend.produced(model)
    deadline = time.monotonic() + 10
    while before != now and time.monotonic() < deadline:
        time.sleep(0.15)
        before, now = now, backend.produced(model)
    assert expected <= now <= expected + AFTER_STOP


def check_images_are_taken_or_refused(backend: Backend) -> None:
    clear = image_block(picture(), t_s=5.0, detail="clear", frame_id="ab" * 32)
    fuzzy = image_block(picture(40), t_s=7.5, detail="fuzzy", max_side_px=32)
    several: list[BaseMessage] = [
        HumanMessage(
            [
                {"type": "text", "text": "[0:05]"},
                clear,
                {"type": "text", "text": "[0:07.5]"},
                fuzzy,
                {"type": "text", "text": "What changed?"},
            ]
        )
    ]
    for messages in (ask("What is this?", clear), several, tool_exchange()):
        model = backend.make("text")
        if model.abilities.images:
            assert isinstance(model.invoke(messages), AIMessage)
        else:
            with pytest.raises(ModelError, match="picture"):
                model.invoke(messages)


def check_more_images_than_the_limit_are_left_out(backend: Backend) -> None:
    model = backend.make("text")
    if model.abilities.images and model.abilities.max_images is not None:
        shown = [image_block(picture(shade), t_s=float(shade)) for shade in range(model.abilities.max_images + 1)]
        assert isinstance(model.invoke(ask("What changed?", *shown)), AIMessage)


def check_tool_calls_have_valid_arguments(backend: Backend) -> None:
    for choice in ("any", "Zoom"):
        model = backend.make("tool")
        if not model.abilities.tool_calls:
            with pytest.raises(ModelError, match="tools"):
                model.bind_tools([Zoom])
            return
        message = model.bind_tools([Zoom], tool_choice=choice).invoke(ask("Zoom in.", image_block(picture())))
        assert isinstance(message, AIMessage)
        assert [call["name"] for call in message.tool_calls] == ["Zoom"]
        assert message.tool_calls[0]["id"]
        Zoom.model_validate(message.tool_calls[0]["args"])
    streamed = None
    for chunk in backend.make("tool").bind_tools([Zoom], tool_choice="any").stream(ask("Zoom in.")):
        streamed = chunk if streamed is None else streamed + chunk  # type: ignore[operator]
    assert streamed is not None
    Zoom.model_validate(streamed.tool_calls[0]["args"])


def check_a_tool_choice_outside_the_tools_is_refused(backend: Backend) -> None:
    with pytest.raises(ModelError):
        backend.make("tool").bind_tools([Zoom], tool_choice="Pan")


def check_an_empty_message_list_is_refused(backend: Backend) -> None:
    with pytest.raises(ModelError, match="message"):
        backend.make("text").invoke([])


def check_an_unknown_block_is_refused(backend: Backend) -> None:
    video = {"type": "video", "base64": "AAAA", "mime_type": "video/mp4"}
    with pytest.raises(ModelError, match="video"):
        backend.make("text").invoke([HumanMessage([video])])


async def check_an_unknown_block_is_refused_in_async_streams(backend: Backend) -> None:
    with pytest.raises(ModelError, match="hologram"):
        _ = [chunk async for chunk in backend.make("text").astream([HumanMessage([{"type": "hologram"}])])]


def check_web_addresses_are_never_fetched(backend: Backend) -> None:
    block = {"type": "image", "url": "http://127.0.0.1:9/cat.jpg"}
    with pytest.raises(ModelError):
        backend.make("text").invoke([HumanMessage([block])])


def check_max_tokens_is_respected(backend: Backend) -> None:
    message = backend.make("long").invoke(ask(), max_tokens=4)
    assert message.usage_metadata is not None
    assert 0 < message.usage_metadata["output_tokens"] <= 4


def check_a_seed_repeats_the_answer(backend: Backend) -> None:
    texts = {backend.make("sampled").invoke(ask()).text for _ in range(2)}
    assert len(texts) == 1


def check_abilities_are_stated(backend: Backend) -> None:
    model = backend.make("text")
    assert model.spec
    assert "clear" in model.abilities.details
    assert model.abilities == backend.make("text").abilities


def check_pictures_are_embedded_as_declared(backend: Backend) -> None:
    model = backend.make("text")
    rgb = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    if not model.abilities.embeddings:
        with pytest.raises(ModelError, match="embeds no pictures"):
            model.embed_image(rgb)
        return
    vector = model.embed_image(rgb)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-3)
    assert np.array_equal(vector, model.embed_image(rgb))


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]
