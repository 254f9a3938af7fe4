"""The steps of the sequel in the words of other people; see `second_hand.yaml`, `third_hand.yaml`, `fourth_hand.yaml`.

None of them saw the code or one another's words: they saw the screenshots, with the place to click marked.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml

HANDS = ("second", "third", "fourth")


@cache
def told_by(hand: str) -> dict[str, list[list[str]]]:
    """Instructions by program, task and step, in the order of the tasks.

    Args:
        hand: one of `HANDS`.
    """
    text = (resources.files("evals.suites.medspot.make") / f"{hand}_hand.yaml").read_text("utf-8")
    told: dict[str, list[list[str]]] = yaml.safe_load(text)
    return told
