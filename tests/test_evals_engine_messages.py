"""Messages between LangChain and inspect-ai: nothing is lost on the way through a log, and no picture enters it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai.model import ChatMessage
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import TypeAdapter

from evals.engine.messages import to_chat, to_definitions, to_messages, to_output, to_reply, to_tools
from tests.mllm_conformance import Zoom

TEXTS = st.text(max_size=20)
EXTRAS = st.dictionaries(st.sampled_from(["hint", "watch"]), st.one_of(st.booleans(), TEXTS), max_size=2)
IMAGE = {
    "type": "image",
    "base64": "iVBORw0KGgo=",
    "mime_type": "image/png",
    "extras": {"t_s": 1.5, "detail": "fuzzy", "frame_id": "ab"},
}
PARTS = st.lists(
    st.one_of(TEXTS.map(lambda text: {"type": "text", "text": text}), st.just(IMAGE)), min_size=1, max_size=3
)
CONTENT = st.one_of(TEXTS, PARTS)
CALLS = st.lists(
    st.builds(
        lambda name, args, id_: {"name": name, "args": args, "id": id_, "type": "tool_call"},
        st.sampled_from(["look", "recall"]),
        st.dictionaries(TEXTS, st.one_of(st.integers(-9, 9), st.booleans(), TEXTS, st.none()), max_size=2),
        st.one_of(st.none(), st.text(min_size=1, max_size=5)),
    ),
    max_size=2,
)
MESSAGES = st.lists(
    st.one_of(
        st.builds(SystemMessage, content=TEXTS),
        st.builds(HumanMessage, content=CONTENT, additional_kwargs=EXTRAS),
        st.builds(AIMessage, content=TEXTS, tool_calls=CALLS),
        st.builds(
            ToolMessage,
            content=CONTENT,
            tool_call_id=TEXTS,
            name=st.one_of(st.none(), st.sampled_from(["look"])),
            status=st.sampled_from(["success", "error"]),
        ),
    ),
    min_size=1,
    max_size=4,
)


@given(MESSAGES)
@settings(max_examples=100)
def test_messages_come_through_the_log_format_unchanged(messages: list[BaseMessage]) -> None:
    shelf: dict[str, Any] = {}
    chat = to_chat(messages, shelf)
    written = TypeAdapter(list[ChatMessage]).dump_json(chat)
    assert b"iVBORw0KGgo" not in written
    assert to_messages(TypeAdapter(list[ChatMessage]).validate_json(written), shelf) == messages


def test_replies_come_through_the_log_format_unchanged() -> None:
    reply = AIMessage(
        content="Let me see.",
        additional_kwargs={"reasoning_content": "It was red."},
        tool_calls=[{"name": "look", "args": {"t_s": 1.0}, "id": "c1", "type": "tool_call"}],
        invalid_tool_calls=[
            {"name": "recall", "args": "{broken", "id": "c2", "error": "no JSON", "type": "invalid_tool_call"}
        ],
        usage_metadata={"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
    )
    assert to_reply(to_output(reply, "m")) == reply


def test_tools_come_through_unchanged() -> None:
    definition = convert_to_openai_tool(Zoom)
    assert to_definitions(to_tools([definition])) == [definition]
