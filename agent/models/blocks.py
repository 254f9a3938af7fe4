"""Message content: pictures as blocks, and the changes to messages that some backends need.

An image block is langchain-core's `{"type": "image", "base64": ..., "mime_type": ...}`, here with `extras` that may
hold `t_s`, `detail` and `frame_id`. No function of this module changes its arguments.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from tools.errors import ModelError

if TYPE_CHECKING:
    from agent.models.protocol import Abilities

Detail = Literal["clear", "fuzzy", "glance"]
"""How much of a frame a model is shown: all of it, a reduced form, or the least that the backend can express."""
Block = dict[str, Any]
# Blocks of a model's own earlier turns that are not shown to it again; its tool calls stand in `AIMessage.tool_calls`.
_NOT_SHOWN = frozenset({"reasoning", "thinking", "tool_call", "tool_call_chunk", "tool_use", "function_call"})


def image_block(
    rgb: np.ndarray,
    *,
    t_s: float | None = None,
    detail: Detail = "clear",
    frame_id: str | None = None,
    max_side_px: int | None = None,
    quality: int = 92,
) -> Block:
    """Return a picture as an image block (JPEG, base64).

    Args:
        rgb: pixels, shape (height, width, 3), uint8.
        t_s: media time in seconds, kept in `extras`.
        detail: how much of it a model should be shown, kept in `extras`; the pixels are not reduced here.
        frame_id: the frame's sha256, kept in `extras`.
        max_side_px: the picture is scaled down, in proportion, so that its longer side is at most this.
        quality: JPEG quality, 1 to 100.

    Raises:
        ModelError: if the pixels are not RGB bytes.
    """
    from PIL import Image

    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise ModelError(
            f"a picture of shape {rgb.shape} and type {rgb.dtype} cannot be shown to a model.",
            expected="RGB pixels of shape (height, width, 3) and type uint8",
        )
    picture = Image.fromarray(rgb)
    if max_side_px is not None:
        picture.thumbnail((max_side_px, max_side_px))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    extras = {"t_s": t_s, "detail": detail, "frame_id": frame_id}
    return {
        "type": "image",
        "base64": base64.b64encode(buffer.getvalue()).decode(),
        "mime_type": "image/jpeg",
        "extras": {name: value for name, value in extras.items() if value is not None},
    }


def image_bytes(block: Block) -> bytes:
    """Return the encoded file inside an image block.

    Accepts `base64`, a data URL under `url`, and OpenAI's `{"type": "image_url", "image_url": {"url": data URL}}`.

    Raises:
        ModelError: if there are no valid bytes; web addresses are refused, never fetched.
    """
    data = block.get("base64")
    if data is None:
        holder = block.get("image_url", block.get("url"))
        url = holder.get("url") if isinstance(holder, dict) else holder
        header, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
        if not (comma and header.startswith("data:") and header.endswith(";base64")):
            shown = url[:60] if isinstance(url, str) else sorted(block)
            raise ModelError(
                f"an image block holds no picture, but {shown!r}.",
                expected="`base64` with `mime_type`, or a `data:image/...;base64,` URL",
                remedy="Download the picture and pass its bytes; addresses are never fetched.",
            )
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise ModelError(f"the base64 of an image block is broken: {error}.", expected="base64 text") from error


def image_sha256(block: Block) -> str:
    """Return the sha256 of the encoded file inside an image block. Raises as `image_bytes`."""
    return hashlib.sha256(image_bytes(block)).hexdigest()


def decode_image(block: Block) -> np.ndarray:
    """Return the pixels of an image block: RGB, shape (height, width, 3), uint8.

    Raises:
        ModelError: if the block holds no picture, or one that cannot be decoded. Nothing is fetched from the network.
    """
    from PIL import Image

    encoded = image_bytes(block)
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            return np.array(picture.convert("RGB"))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ModelError(
            f"the {len(encoded)} bytes of an image block cannot be decoded: {error}.",
            expected="a whole JPEG, PNG or WebP picture",
        ) from error


def split_content(content: str | Sequence[str | Block]) -> list[Block]:
    """Return the text and image blocks of a message's content, in order; texts are `{"type": "text", "text": ...}`.

    Image blocks come back in langchain-core's form with `extras`. A model's own reasoning and tool-call blocks are left
    out.

    Raises:
        ModelError: on any other block, such as audio.
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    parts: list[Block] = []
    for block in content:
        if isinstance(block, str):
            parts.append({"type": "text", "text": block})
            continue
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "text" and isinstance(block.get("text"), str):
            parts.append({"type": "text", "text": block["text"]})
        elif kind in ("image", "image_url"):
            parts.append(_normal_image(block))
        elif kind not in _NOT_SHOWN:
            raise ModelError(
                f"a message holds a block of type {kind!r}.",
                expected="text and image blocks",
                remedy="Turn a video into frames, and sound into text, before they are shown to a model.",
            )
    return parts


def checked_messages(messages: Sequence[BaseMessage], abilities: Abilities) -> list[BaseMessage]:
    """Return the messages with their content split into text and image blocks (a plain text stays a plain text).

    Raises:
        ModelError: if there are none, one holds a block that is neither text nor image, or there are images and the
            model takes none.
    """
    if not messages:
        raise ModelError("a model was called with no messages.", expected="at least one message")
    checked = _map_images(messages, lambda image: image)
    if not abilities.images and (shown := count_images(checked)):
        raise ModelError(
            f"{_count(shown, 'picture')} cannot be shown to a model without vision.",
            remedy="Choose a model that takes images.",
        )
    return checked


def text_of(message: BaseMessage) -> str:
    """Return the texts of a message, one a line, without its images."""
    return "\n".join(part["text"] for part in split_content(message.content) if part["type"] == "text")


def count_images(messages: Sequence[BaseMessage]) -> int:
    """Return how many image blocks the messages hold."""
    return sum(part["type"] == "image" for message in messages for part in split_content(message.content))


def move_tool_images(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Move images out of tool messages, which several servers refuse, into a user message after that group of results.

    The moved images follow a text that names the tool call they belong to; the tool message keeps its text and says
    that its picture follows.

    Raises:
        ModelError: if a message holds a block that is neither text nor image.
    """
    moved: list[BaseMessage] = []
    waiting: list[str | Block] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            parts = split_content(message.content)
            images = [part for part in parts if part["type"] == "image"]
            if images:
                name = (
                    f"{message.name!r}, call {message.tool_call_id!r}" if message.name else repr(message.tool_call_id)
                )
                waiting += [{"type": "text", "text": f"Picture from the tool call {name}:"}, *images]
                texts = [part["text"] for part in parts if part["type"] == "text"]
                texts.append(f"({_count(len(images), 'picture')} in the next user message.)")
                message = message.model_copy(update={"content": "\n".join(texts)})
        elif waiting:
            moved.append(HumanMessage(content=waiting))
            waiting = []
        moved.append(message)
    if waiting:
        moved.append(HumanMessage(content=waiting))
    return moved


def strip_extras(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages with `extras` removed from their image blocks, for servers that refuse unknown keys."""
    return _map_images(messages, lambda image: {key: value for key, value in image.items() if key != "extras"})


def shrink_images(messages: Sequence[BaseMessage], max_side_px: int | None) -> list[BaseMessage]:
    """Return the messages with every picture scaled down to a longer side of at most `max_side_px` pixels.

    Raises:
        ModelError: if an image block holds no picture.
    """
    if max_side_px is None:
        return list(messages)

    def shrink(image: Block) -> Block:
        from PIL import Image

        rgb = decode_image(image)
        if max(rgb.shape[:2]) <= max_side_px:
            return image
        scale = max_side_px / max(rgb.shape[:2])
        size = (max(1, math.floor(rgb.shape[1] * scale)), max(1, math.floor(rgb.shape[0] * scale)))
        smaller = image_block(np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)))
        return {**image, "base64": smaller["base64"], "mime_type": smaller["mime_type"]}

    return _map_images(messages, shrink)


def limit_images(messages: Sequence[BaseMessage], max_images: int | None) -> list[BaseMessage]:
    """Drop the oldest images beyond `max_images` (None: no limit); a text in their place says how many are left out."""
    excess = 0 if max_images is None else max(0, count_images(messages) - max_images)
    limited: list[BaseMessage] = []
    for message in messages:
        parts = split_content(message.content)
        drop = min(excess, sum(part["type"] == "image" for part in parts))
        if not drop:
            limited.append(message)
            continue
        excess -= drop
        note = f"({_count(drop, 'older picture')} left out here: this model takes at most {max_images} at once.)"
        kept: list[str | Block] = []
        seen = 0
        for part in parts:
            seen += part["type"] == "image"
            if part["type"] == "image" and seen <= drop:
                if seen == 1:
                    kept.append({"type": "text", "text": note})
            else:
                kept.append(part)
        limited.append(message.model_copy(update={"content": kept}))
    return limited


def _map_images(messages: Sequence[BaseMessage], change: Callable[[Block], Block]) -> list[BaseMessage]:
    return [
        message
        if isinstance(message.content, str)
        else message.model_copy(
            update={
                "content": [
                    change(part) if part["type"] == "image" else part for part in split_content(message.content)
                ]
            }
        )
        for message in messages
    ]


def _normal_image(block: Block) -> Block:
    if isinstance(block.get("base64"), str):
        return block
    encoded = base64.b64encode(image_bytes(block)).decode()
    holder = block.get("image_url", block.get("url"))
    url = str(holder.get("url") if isinstance(holder, dict) else holder)
    mime_type = url.partition(":")[2].partition(";")[0] or "image/jpeg"
    normal: Block = {"type": "image", "base64": encoded, "mime_type": mime_type}
    return {**normal, "extras": block["extras"]} if "extras" in block else normal


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
