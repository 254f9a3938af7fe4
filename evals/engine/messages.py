"""Lossless conversion of LangChain's messages to inspect-ai's and back; pictures become references, see
`evals.engine.media`.

Imported only where a run begins: inspect-ai takes a second to load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    Content,
    ContentData,
    ContentReasoning,
    ContentText,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.tool import ToolCall, ToolCallError, ToolInfo
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata

from agent.models.blocks import Block, split_content, text_of
from evals.engine.media import Shelf, shelve

_KEPT = "additional_kwargs"
_REASONING = "reasoning_content"
_UNREADABLE = "unreadable"


def to_chat(messages: Sequence[BaseMessage], shelf: Shelf) -> list[ChatMessage]:
    """Convert messages to inspect-ai's form, and put their pictures on the shelf.

    Raises:
        ModelError: if a message has a block that is neither text nor image.
    """
    return [_to_chat(message, shelf) for message in messages]


def to_messages(chat: Sequence[ChatMessage], shelf: Shelf) -> list[BaseMessage]:
    """Convert messages from `to_chat` back to LangChain's form, with the pictures from the shelf."""
    return [_to_message(message, shelf) for message in chat]


def to_output(reply: AIMessage, model: str) -> ModelOutput:
    """Convert a model's reply to inspect-ai's form."""
    text, reasoning = text_of(reply), reply.additional_kwargs.get(_REASONING)
    content: str | list[Content] = (
        [ContentReasoning(reasoning=reasoning), ContentText(text=text)] if reasoning else text
    )
    calls = [ToolCall(call["id"] or "", call["name"], call["args"]) for call in reply.tool_calls]
    calls += [
        ToolCall(
            call["id"] or "",
            call["name"] or "",
            {_UNREADABLE: call["args"] or ""},
            parse_error=call["error"] or "its arguments are not JSON",
        )
        for call in reply.invalid_tool_calls
    ]
    usage = reply.usage_metadata
    return ModelOutput(
        model=model,
        choices=[
            ChatCompletionChoice(
                message=ChatMessageAssistant(content=content, tool_calls=calls or None, model=model),
                stop_reason="tool_calls" if calls else "stop",
            )
        ],
        usage=None
        if usage is None
        else ModelUsage(
            input_tokens=usage["input_tokens"],
            output_tokens=usage["output_tokens"],
            total_tokens=usage["total_tokens"],
        ),
    )


def to_reply(output: ModelOutput) -> AIMessage:
    """Convert a reply from `to_output` back to LangChain's form."""
    message, usage = output.message, output.usage
    calls = message.tool_calls or []
    reasoning = [part.reasoning for part in message.content_list if isinstance(part, ContentReasoning)]
    return AIMessage(
        content=message.text,
        additional_kwargs={_REASONING: reasoning[0]} if reasoning else {},
        tool_calls=[
            {"name": call.function, "args": call.arguments, "id": call.id or None, "type": "tool_call"}
            for call in calls
            if call.parse_error is None
        ],
        invalid_tool_calls=[
            {
                "name": call.function,
                "args": call.arguments[_UNREADABLE],
                "id": call.id or None,
                "error": call.parse_error,
                "type": "invalid_tool_call",
            }
            for call in calls
            if call.parse_error is not None
        ],
        usage_metadata=None
        if usage is None
        else UsageMetadata(
            input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
        ),
    )


def to_tools(definitions: Sequence[Mapping[str, Any]]) -> list[ToolInfo]:
    """Convert OpenAI tool definitions to inspect-ai's; `options` carries them whole, since its schema covers less."""
    return [
        ToolInfo(
            name=definition["function"]["name"],
            description=definition["function"].get("description", ""),
            options={"definition": definition},
        )
        for definition in definitions
    ]


def to_definitions(tools: Sequence[ToolInfo]) -> list[dict[str, Any]]:
    """Return the OpenAI tool definitions that were passed to `to_tools`."""
    return [(tool.options or {})["definition"] for tool in tools]


def _to_chat(message: BaseMessage, shelf: Shelf) -> ChatMessage:
    content = message.content if isinstance(message.content, str) else _to_content(message, shelf)
    metadata = {_KEPT: message.additional_kwargs} if message.additional_kwargs else None
    if isinstance(message, AIMessage):
        calls = [ToolCall(call["id"] or "", call["name"], call["args"]) for call in message.tool_calls]
        return ChatMessageAssistant(content=content, metadata=metadata, tool_calls=calls or None)
    if isinstance(message, ToolMessage):
        error = ToolCallError("unknown", message.text) if message.status == "error" else None
        return ChatMessageTool(
            content=content,
            metadata=metadata,
            tool_call_id=message.tool_call_id,
            function=message.name,
            error=error,
        )
    form = ChatMessageSystem if isinstance(message, SystemMessage) else ChatMessageUser
    return form(content=content, metadata=metadata)


def _to_content(message: BaseMessage, shelf: Shelf) -> list[Content]:
    return [
        ContentData(data=shelve(part, shelf)) if part["type"] == "image" else ContentText(text=part["text"])
        for part in split_content(message.content)
    ]


def _to_message(message: ChatMessage, shelf: Shelf) -> BaseMessage:
    content: Any = message.content if isinstance(message.content, str) else _to_blocks(message.content, shelf)
    kept = (message.metadata or {}).get(_KEPT, {})
    if isinstance(message, ChatMessageAssistant):
        calls = [
            {"name": call.function, "args": call.arguments, "id": call.id or None, "type": "tool_call"}
            for call in message.tool_calls or []
        ]
        return AIMessage(content=content, additional_kwargs=kept, tool_calls=calls)
    if isinstance(message, ChatMessageTool):
        return ToolMessage(
            content=content,
            additional_kwargs=kept,
            tool_call_id=message.tool_call_id or "",
            name=message.function,
            status="error" if message.error else "success",
        )
    form = SystemMessage if isinstance(message, ChatMessageSystem) else HumanMessage
    return form(content=content, additional_kwargs=kept)


def _to_blocks(content: Sequence[Content], shelf: Shelf) -> list[Block]:
    return [
        shelf[str(part.data["picture"])] if isinstance(part, ContentData) else {"type": "text", "text": part.text}
        for part in content
        if isinstance(part, ContentData | ContentText)
    ]
