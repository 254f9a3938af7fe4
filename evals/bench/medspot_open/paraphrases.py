"""The steps of the sequel in the words of other people, and in other styles; see the files `*.yaml`.

None of them saw the code or one another's words: they saw the screenshots, with the place to click marked.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml

HANDS = ("second", "third", "fourth", "fifth", "sixth")
"""People; each has a file of all tasks of some programs, the fifth and the sixth one of the second collection."""
STYLES = ("annotator", "dictation", "script", "intent", "remarks", "plain", "guide")
"""Styles of telling even tasks, in `styles.yaml`: of a benchmark in varied words, spoken by a radiographer, of a test
script, of steps with their purpose, remarks to a colleague, of a benchmark in plain words, of a user guide."""


@cache
def told_by(hand: str) -> dict[str, list[list[str]]]:
    """Instructions by program, task and step, in the order of the tasks; of odd tasks a style has none.

    Args:
        hand: one of `HANDS` or `STYLES`.
    """
    told: dict[str, list[list[str]]] = _styles()[hand] if hand in STYLES else _read(f"{hand}_hand.yaml")
    return told


@cache
def _styles() -> dict[str, dict[str, list[list[str]]]]:
    styles: dict[str, dict[str, list[list[str]]]] = _read("styles.yaml")
    return styles


def _read(name: str) -> Any:
    return yaml.safe_load((resources.files("evals.bench.medspot_open") / name).read_text("utf-8"))
