"""The steps of the sequel in the words of other people; see `second_hand.yaml` and `third_hand.yaml`."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml

Told = dict[str, list[list[str]]]
"""Instructions by program, task and step, in the order of the tasks."""


def second_hand() -> Told:
    """In a second person's words, which are for tuning."""
    return _told("second_hand")


def third_hand() -> Told:
    """In a third person's words; those of even tasks are for tuning."""
    return _told("third_hand")


@cache
def _told(name: str) -> Told:
    text = (resources.files("evals.suites.medspot.make") / f"{name}.yaml").read_text("utf-8")
    told: Told = yaml.safe_load(text)
    return told
