"""Objects that the detector names, looked at again by the classifier: what it contradicts is renamed or left out.

The detector knows 80 classes and takes a squirrel for a bird; the classifier knows 1,000 and sees one thing a picture.
It is shown the box with a rim around it. People are left as they are; what its classes lack has to be sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from agent.models.embedded.imagenet import calibrated, concepts
from memory.stream.encoders import FeatureExtractor, to_input
from tools.perception.detect import Detection

RIM = 0.15
"""How much of its size is shown around a box on each side."""
SURE_SCORE = 0.62
"""Detections from this score on are believed, unless the classifier plainly sees another animal."""
UNKNOWN_SCORE = 0.7
"""Detections of what the classifier does not know are believed from this score on; bollards reach 0.63 as hydrants."""
AGREES, CONTRADICTS = 0.03, 0.5
"""The classifier agrees from this probability on, and contradicts where another animal reaches that one."""
MAX_CHECKED = 6
"""Detections that are looked at again in one picture, the surest first; others are believed from `SURE_SCORE` on."""


def checked(tower: FeatureExtractor, rgb: np.ndarray, found: Sequence[Detection]) -> list[Detection]:
    """Return the detections that hold, some under another name, the surest first."""
    kept = []
    looked_at = 0
    for one in found:
        members = _members(one.name)
        if one.name == "person":
            kept.append(one)
        elif not members or looked_at >= MAX_CHECKED:
            kept += [one] if one.score >= (SURE_SCORE if members else UNKNOWN_SCORE) else []
        else:
            looked_at += 1
            name = _second_opinion(_probabilities(tower, rgb, one), one, members)
            kept += [replace(one, name=name)] if name else []
    return kept


def _second_opinion(p: np.ndarray, one: Detection, members: frozenset[int]) -> str | None:
    """The name to keep, or None where both networks are unsure and do not agree."""
    agreed = float(p[list(members)].sum())
    best = int(np.argmax(p))
    animal = "animal" in concepts().kinds[best]
    if _is_animal(one.name) and animal and agreed < AGREES and p[best] >= CONTRADICTS:
        return concepts().everyday(best) or concepts().names[best].lower()
    return one.name if agreed >= AGREES or one.score >= SURE_SCORE else None


def _probabilities(tower: FeatureExtractor, rgb: np.ndarray, one: Detection) -> np.ndarray:
    import torch

    height, width = rgb.shape[:2]
    left, top, right, bottom = one.box
    across, down = RIM * (right - left), RIM * (bottom - top)
    x0, x1 = int(max(0.0, left - across) * width), int(np.ceil(min(1.0, right + across) * width))
    y0, y1 = int(max(0.0, top - down) * height), int(np.ceil(min(1.0, bottom + down) * height))
    with torch.inference_mode():
        logits = tower.features(torch.from_numpy(to_input(rgb[y0:y1, x0:x1]))[None]).logits
        return calibrated(logits.softmax(-1)[0].cpu().numpy())


@cache
def _members(name: str) -> frozenset[int]:
    """The classes of the classifier that a class of the detector covers; empty where it knows none."""
    vocabulary = concepts()
    words = {name, *_ALSO.get(name, ())}
    return frozenset().union(*(vocabulary.members.get(word, frozenset()) for word in words))


def _is_animal(name: str) -> bool:
    return bool(_members(name) & concepts().members["animal"])


_ALSO = {
    "airplane": ("aircraft",),
    "backpack": ("bag",),
    "bicycle": ("mountain bike", "tricycle"),
    "boat": ("ship",),
    "bus": ("minibus", "trolleybus"),
    "car": ("motor vehicle", "minivan"),
    "cell phone": ("cellular telephone", "mobile phone"),
    "couch": ("sofa", "studio couch"),
    "cup": ("coffee mug", "espresso"),
    "dining table": ("table", "desk", "food", "espresso"),
    "handbag": ("bag", "purse"),
    "motorcycle": ("motor scooter", "moped"),
    "potted plant": ("flowerpot", "pot"),
    "sports ball": ("ball",),
    "suitcase": ("bag", "luggage"),
    "tie": ("necktie", "windsor tie", "suit"),
    "truck": ("motor vehicle",),
    "tv": ("television", "monitor", "screen"),
    "vase": ("pot",),
}
"""Phrases of the classifier's vocabulary for classes of the detector, beside the name itself."""
