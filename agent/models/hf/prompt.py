"""Turn messages into the prompt of an `hf:` model, with the model's own chat template."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.models.blocks import decode_image, split_content, text_of
from tools.errors import ModelError

_MARKUP = re.compile(r"[<\[]\S+[>\]]")


def supports_tools(processor: Any) -> bool:
    """Return whether the chat template has a place for tools."""
    template = processor.chat_template
    # Some models name several templates; transformers itself takes the one called `tool_use` for tools.
    texts = template.values() if isinstance(template, dict) else [template]
    return any(re.search(r"\btools\b", text) for text in texts)


def render(
    processor: Any, messages: Sequence[BaseMessage], tools: list[dict[str, Any]] | None
) -> tuple[str, list[np.ndarray]]:
    """Return the prompt and its pictures, in order.

    Args:
        processor: the model's processor.
        messages: checked messages; pictures only in user messages.
        tools: OpenAI tool definitions, or None.

    Raises:
        ModelError: if the chat template refuses the conversation, or a picture cannot be decoded.
    """
    from jinja2 import TemplateError

    control = _control_tokens(processor)
    images: list[np.ndarray] = []
    turns: list[dict[str, Any]] = []
    for message in messages if supports_tools(processor) else [_without_tools(message) for message in messages]:
        turn = _turn(message, control, images)
        # Templates that want user and assistant to alternate refuse two user messages in a row.
        if turns and turn["role"] == turns[-1]["role"] == "user":
            turns[-1]["content"] += turn["content"]
        else:
            turns.append(turn)
    try:
        prompt = processor.apply_chat_template(turns, tools=tools or None, add_generation_prompt=True, tokenize=False)
    except (TemplateError, TypeError, KeyError, ValueError) as error:
        roles = ", ".join(turn["role"] for turn in turns)
        raise ModelError(
            f"the model's chat template refuses a conversation of {roles}: {error}.",
            remedy="Choose a model whose template takes system messages and tools.",
        ) from error
    return prompt, images


def _without_tools(message: BaseMessage) -> BaseMessage:
    """Tell a tool call or its result in plain words, for a chat template that would drop or garble them."""
    if isinstance(message, ToolMessage):
        return HumanMessage(f"Result of the tool {message.name or message.tool_call_id}: {text_of(message)}")
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = [f"(I call the tool {call['name']} with {json.dumps(call['args'])}.)" for call in message.tool_calls]
        return AIMessage("\n".join(filter(None, [text_of(message), *calls])))
    return message


def _turn(message: BaseMessage, control: re.Pattern[str], images: list[np.ndarray]) -> dict[str, Any]:
    if isinstance(message, ToolMessage):
        turn = {"role": "tool", "content": _defused(text_of(message), control), "tool_call_id": message.tool_call_id}
        return {**turn, "name": message.name} if message.name else turn
    content: list[dict[str, str]] = []
    for part in split_content(message.content):
        if part["type"] == "image":
            images.append(decode_image(part))
            content.append({"type": "image"})
        else:
            content.append({"type": "text", "text": _defused(part["text"], control)})
    if isinstance(message, AIMessage):
        calls = [
            {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["args"]}}
            for call in message.tool_calls
        ]
        return {"role": "assistant", "content": content, **({"tool_calls": calls} if calls else {})}
    return {"role": "system" if isinstance(message, SystemMessage) else "user", "content": content}


def _control_tokens(processor: Any) -> re.Pattern[str]:
    """Return a pattern of the texts that the tokenizer reads as control tokens, picture places among them."""
    tokenizer = processor.tokenizer
    tokens = {str(token) for token in tokenizer.all_special_tokens}
    tokens |= {str(token) for token in tokenizer.added_tokens_decoder.values()}
    tokens |= {str(getattr(processor, name)) for name in ("image_token", "video_token") if hasattr(processor, name)}
    return re.compile("|".join(re.escape(token) for token in sorted(tokens, key=len)[::-1] if _MARKUP.fullmatch(token)))


def _defused(text: str, control: re.Pattern[str]) -> str:
    """Break control tokens in a text, which would open turns, forge tool calls or claim a picture, with a space."""
    return control.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text) if control.pattern else text
