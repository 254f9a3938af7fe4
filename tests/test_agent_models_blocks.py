"""Pictures in messages, and the changes to messages that servers need."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from agent.models.blocks import (
    count_images,
    decode_image,
    image_block,
    limit_images,
    move_tool_images,
    shrink_images,
    split_content,
    strip_extras,
    text_of,
)
from tests.mllm_conformance import picture
from tools.errors import ModelError


def shown(*pictures: int, t_s: float | None = None) -> HumanMessage:
    return HumanMessage([image_block(picture(shade), t_s=t_s) for shade in pictures])


def tool_result(call_id: str, *content: dict[str, Any]) -> ToolMessage:
    return ToolMessage(list(content), tool_call_id=call_id, name="look")


def test_a_picture_survives_as_a_block() -> None:
    rgb = picture()
    block = image_block(rgb, t_s=5.0, detail="fuzzy", frame_id="ab")
    assert block["extras"] == {"t_s": 5.0, "detail": "fuzzy", "frame_id": "ab"}
    back = decode_image(block)
    assert back.shape == rgb.shape
    assert np.abs(back.astype(int) - rgb).mean() < 4


def test_a_picture_is_scaled_down_in_proportion() -> None:
    block = image_block(np.zeros((300, 600, 3), np.uint8), max_side_px=100)
    assert decode_image(block).shape == (50, 100, 3)


@pytest.mark.parametrize(
    "rgb", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_rgb_picture_is_refused(rgb: np.ndarray) -> None:
    with pytest.raises(ModelError, match="picture of shape"):
        image_block(rgb)


def test_data_urls_are_read_in_both_notations() -> None:
    block = image_block(picture())
    url = f"data:image/jpeg;base64,{block['base64']}"
    expected = decode_image(block)
    for other in ({"type": "image", "url": url}, {"type": "image_url", "image_url": {"url": url}}):
        assert np.array_equal(decode_image(other), expected)
        normal = split_content([other])[0]
        assert (normal["base64"], normal["mime_type"]) == (block["base64"], "image/jpeg")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ({"type": "image", "url": "http://127.0.0.1:9/cat.jpg"}, "never fetched"),
        ({"type": "image"}, "holds no picture"),
        ({"type": "image", "base64": "not base64!"}, "broken"),
        ({"type": "image", "base64": base64.b64encode(b"not a picture").decode()}, "cannot be decoded"),
    ],
)
def test_a_block_without_a_picture_is_refused(block: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        decode_image(block)


def test_a_cut_off_jpeg_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    block = image_block(noise)
    block["base64"] = base64.b64encode(base64.b64decode(block["base64"])[:900]).decode()
    with pytest.raises(ModelError, match="cannot be decoded"):
        decode_image(block)


def test_content_is_split_in_order_and_reasoning_is_left_out() -> None:
    image = image_block(picture())
    content = ["[0:05]", image, {"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "What is it?"}]
    assert [part["type"] for part in split_content(content)] == ["text", "image", "text"]
    assert text_of(HumanMessage(content)) == "[0:05]\nWhat is it?"


def test_tool_pictures_move_behind_their_group_of_results() -> None:
    picture_a, picture_b = image_block(picture(0)), image_block(picture(50))
    messages: list[BaseMessage] = [
        AIMessage("", tool_calls=[{"name": "look", "args": {}, "id": name} for name in ("a", "b")]),
        tool_result("a", {"type": "text", "text": "frame a"}, picture_a),
        tool_result("b", picture_b),
        AIMessage("I see."),
        tool_result("c", {"type": "text", "text": "no picture"}),
    ]
    moved = move_tool_images(messages)
    assert [message.type for message in moved] == ["ai", "tool", "tool", "human", "ai", "tool"]
    assert not count_images(moved[:3])
    assert "frame a" in text_of(moved[1])
    parts = split_content(moved[3].content)
    assert "'a'" in parts[0]["text"]
    assert parts[1]["base64"] == picture_a["base64"]
    assert "'b'" in parts[2]["text"]
    assert parts[3]["base64"] == picture_b["base64"]
    assert count_images(messages) == 2


def test_tool_pictures_at_the_end_move_too() -> None:
    moved = move_tool_images([tool_result("a", image_block(picture()))])
    assert [message.type for message in moved] == ["tool", "human"]
    assert isinstance(moved[0].content, str)


@given(st.lists(st.integers(0, 4), max_size=5), st.integers(0, 6))
def test_the_newest_pictures_stay_within_the_limit(counts: list[int], limit: int) -> None:
    number = iter(range(100))
    block = {"type": "image", "base64": "AAAA", "mime_type": "image/jpeg"}
    messages = [HumanMessage([{**block, "extras": {"t_s": next(number)}} for _ in range(count)]) for count in counts]
    limited = limit_images(messages, limit)
    kept = [
        part["extras"]["t_s"]
        for message in limited
        for part in split_content(message.content)
        if part["type"] == "image"
    ]
    assert kept == list(range(sum(counts)))[max(0, sum(counts) - limit) :]
    told = " ".join(text_of(message) for message in limited)
    assert ("left out" in told) == (sum(counts) > limit)


def test_no_limit_changes_nothing() -> None:
    assert limit_images([shown(1, 2)], None) == [shown(1, 2)]


def test_shrinking_keeps_small_pictures_and_extras() -> None:
    small, large = image_block(picture(), t_s=1.0), image_block(np.zeros((400, 200, 3), np.uint8), t_s=2.0)
    parts = split_content(shrink_images([HumanMessage([small, large])], 100)[0].content)
    assert parts[0] == small
    assert decode_image(parts[1]).shape == (100, 50, 3)
    assert parts[1]["extras"]["t_s"] == 2.0


def test_extras_are_stripped_for_servers() -> None:
    message = shown(1, t_s=3.0)
    assert "extras" not in split_content(strip_extras([message])[0].content)[0]
    assert "extras" in split_content(message.content)[0]
