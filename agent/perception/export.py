"""Export of detections: one JSON line for each look, and a picture with boxes beside each exported one."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import asdict
from zipfile import ZipFile

from memory.store.frames import FrameStore
from memory.stream.detections import Detections
from tools.errors import StoreError
from tools.media import Span
from tools.perception.draw import draw_boxes

DETECTIONS_TOLD = "by an object detector, which errs; boxes: left, top, right, bottom in shares; nobody is identified"
"""What a reader of the files must know of them."""
QUALITY = 90
"""JPEG quality of pictures with boxes."""


def write_detections(
    bundle: ZipFile, detections: Detections, store: FrameStore, frame_ids: Set[str], span: Span | None
) -> None:
    """Write `detections.jsonl`, and `boxes/FRAME_ID.jpg` for each of some frames in which something was detected.

    Raises:
        StoreError: if the detections cannot be read. A picture that is gone is left out.
    """
    import cv2

    lines: list[str] = []
    drawn: set[str] = set()
    for look in detections.looks(span):
        lines.append(f"{json.dumps(asdict(look))}\n")
        if look.frame_id not in frame_ids or look.frame_id in drawn or not look.sightings:
            continue
        try:
            rgb = store.get(look.frame_id)
        except StoreError:  # given way, or forgotten meanwhile
            continue
        drawn.add(look.frame_id)
        boxed = draw_boxes(rgb, [(one.label, one.confidence, one.box) for one in look.sightings])
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(boxed, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        bundle.writestr(f"boxes/{look.frame_id}.jpg", jpeg.tobytes())
    bundle.writestr("detections.jsonl", "".join(lines))
