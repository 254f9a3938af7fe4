"""The steps of the sequel in other words, by another hand than the first instructions; see `second_hand.yaml`."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml


@cache
def second_hand() -> dict[str, list[list[str]]]:
    """Instructions by program, task and step, in the order of the tasks."""
    text = (resources.files("evals.suites.medspot.make") / "second_hand.yaml").read_text("utf-8")
    told: dict[str, list[list[str]]] = yaml.safe_load(text)
    return told
