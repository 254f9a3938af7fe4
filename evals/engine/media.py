"""Pictures of prompts, which logs and results reference by the sha256 of the picture that the model sees."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from langchain_core.messages import BaseMessage

from agent.models.blocks import Block, image_sha256, split_content
from evals.engine.data import DataError
from evals.engine.suite import Picture, Sample

_MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}

Shelf = dict[str, Block]
"""The pictures of one attempt by content hash, to resolve references in logged messages."""


def content_hash(block: Block) -> str:
    """Return the sha256 of the encoded picture in an image block."""
    return image_sha256(block)


def shelve(block: Block, shelf: Shelf) -> dict[str, Any]:
    """Put an image block on the shelf and return a reference to it: its hash and the frame's metadata."""
    sha256 = content_hash(block)
    shelf[sha256] = block
    return {"picture": sha256, **block.get("extras", {})}


def shown_ids(messages: Iterable[BaseMessage]) -> list[str]:
    """Return the ids of the pictures of some messages in order: a frame's id if there is one, else the picture's
    hash."""
    parts = (part for message in messages for part in split_content(message.content) if part["type"] == "image")
    return [part.get("extras", {}).get("frame_id") or content_hash(part) for part in parts]


def picture_block(picture: Picture, sample: Sample) -> Block:
    """Return a suite's picture as an image block; uncropped files are passed on unchanged.

    Raises:
        DataError: if the file cannot be read, or has no picture; names the sample's place in the data.
    """
    from PIL import Image

    try:
        encoded = picture.encoded if picture.path is None else picture.path.read_bytes()
        assert encoded is not None
        with Image.open(io.BytesIO(encoded)) as image:
            mime_type = _MIME_TYPES.get(image.format or "")
            if (picture.crop_px, picture.short_edge_px) != (None, None) or mime_type is None:
                encoded, mime_type = _as_png(image, picture), "image/png"
            else:
                image.verify()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        shown = str(picture.path) if picture.path else "a drawn picture"
        raise DataError(
            f"cannot show the picture {shown!r} of sample {sample.id!r}: {error}.",
            file=sample.file,
            line=sample.line,
            field="image",
        ) from error
    block: Block = {"type": "image", "base64": base64.b64encode(encoded).decode(), "mime_type": mime_type}
    return block if picture.t_s is None else {**block, "extras": {"t_s": picture.t_s}}


def missing_files(samples: Iterable[Sample]) -> list[tuple[Sample, DataError]]:
    """Return the samples whose pictures or source are missing, with the error; decoding waits until they are shown."""
    found: dict[Path, bool] = {}

    def exists(path: Path) -> bool:
        if path not in found:
            found[path] = path.exists()
        return found[path]

    bad = []
    for sample in samples:
        pictures = [part.path for part in sample.prompt if isinstance(part, Picture) and part.path is not None]
        pictures += sample.pictures
        source = [Path(sample.source)] if sample.source and "://" not in sample.source else []
        for field, paths in (("image", pictures), ("source", source)):
            gone = next((path for path in paths if not exists(path)), None)
            if gone is not None:
                problem = f"the file {str(gone)!r} of sample {sample.id!r} does not exist."
                bad.append((sample, DataError(problem, file=sample.file, line=sample.line, field=field)))
                break
    return bad


def _as_png(image: Any, picture: Picture) -> bytes:
    from PIL import Image

    if picture.crop_px is not None:
        left, top, right, bottom = picture.crop_px
        box = (
            max(0, round(left)),
            max(0, round(top)),
            min(image.width, round(right)),
            min(image.height, round(bottom)),
        )
        if box[0] >= box[2] or box[1] >= box[3]:
            raise ValueError(f"the part {picture.crop_px} lies outside its {image.width} x {image.height} pixels")
        image = image.crop(box)
    if picture.short_edge_px is not None:
        scale = picture.short_edge_px / min(image.size)
        sides = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        image = image.convert("RGB").resize(sides, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()
