"""Tasks as they are played on a page, and how a played task becomes MedSPOT's annotation with screenshots and trees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.suites.medspot.annotation import SUFFIX
from tools.errors import ToolFailed
from tools.gui.page_nodes import read_nodes

WIDTH_PX, HEIGHT_PX = 1280, 800
SETTLE_MS = 500
"""How long a page may take to come to rest after a click; our choice."""


@dataclass(frozen=True)
class Move:
    """One step.

    Attributes:
        say: the instruction.
        target: a Playwright selector of what has to be clicked.
        typed: what is then typed into it, which is no step of its own.
    """

    say: str
    target: str
    typed: str = ""


@dataclass(frozen=True)
class Play:
    """A task: where it begins, what was clicked before the first step, and its steps."""

    overview: str
    url: str
    moves: tuple[Move, ...]
    before: tuple[str, ...] = ()


def record(page: Any, program: str, plays: Sequence[Play], folder: Path) -> int:
    """Play tasks, and write `PROGRAM_Annotation.json`, `images/` and `trees/`.

    Args:
        page: of Playwright, `WIDTH_PX` by `HEIGHT_PX`.
        program: the name that the files bear.
        plays: the tasks.
        folder: where they are written.

    Returns:
        How many steps there are.

    Raises:
        ToolFailed: if a target is missing on the page, hidden or not unique; the message names task and step.
    """
    for name in ("images", "trees"):
        (folder / name / program).mkdir(parents=True, exist_ok=True)
    session = page.context.new_cdp_session(page)
    tasks = []
    for number, play in enumerate(plays):
        page.goto("about:blank")
        page.goto(play.url, wait_until="networkidle")
        for selector in play.before:
            page.locator(selector).click(timeout=5_000)
            page.wait_for_timeout(SETTLE_MS)
        page.wait_for_timeout(SETTLE_MS)
        steps = []
        for place, move in enumerate(play.moves, start=1):
            stem = f"{program}/{number:02d}_{place}"
            box = _box(page, move.target, f"{program}, task {number}, step {place}")
            _rest(page)
            page.screenshot(path=folder / "images" / f"{stem}.png")
            nodes = [node.model_dump(mode="json") for node in read_nodes(session)]
            (folder / "trees" / f"{stem}.json").write_text(json.dumps(nodes, ensure_ascii=False), "utf-8")
            action = {"type": "click", "target": move.target, "bbox": box}
            steps.append(
                {"step_id": place, "image_path": f"images/{stem}.png", "instruction": move.say, "actions": [action]}
            )
            unfolds = page.locator(move.target).evaluate("element => element.tagName") == "SELECT"
            page.locator(move.target).click(timeout=5_000)
            if unfolds:
                # Its open list would lie over what comes next; to choose what is chosen already is no step.
                page.keyboard.press("Escape")
            if move.typed:
                page.keyboard.type(move.typed)
            page.wait_for_timeout(SETTLE_MS)
        tasks.append({"task_overview": play.overview, "steps": steps})
    path = folder / f"{program}{SUFFIX}"
    path.write_text(json.dumps({"tasks": tasks}, ensure_ascii=False, indent=1), "utf-8")
    return sum(len(task["steps"]) for task in tasks)


def _rest(page: Any) -> None:
    """Take the mouse and the caret away, which no step is about."""
    page.mouse.move(WIDTH_PX - 3, HEIGHT_PX - 3)
    page.wait_for_timeout(100)


def _box(page: Any, selector: str, where: str) -> list[float]:
    """Where a target stands: left, top, width, height in percent of the page's picture."""
    found = page.locator(selector)
    if found.count() != 1:
        raise ToolFailed(f"{where}: the selector {selector!r} fits {found.count()} elements.", expected="one element")
    # Scrolling is no step of a task: the screenshot shows the page where it has been done.
    found.scroll_into_view_if_needed(timeout=5_000)
    page.wait_for_timeout(100)
    # What lies under something else cannot be pointed at.
    found.click(trial=True, timeout=5_000)
    box = found.bounding_box()
    if box is None or box["y"] < -1 or box["y"] + box["height"] > HEIGHT_PX + 1 or box["width"] <= 0:
        raise ToolFailed(f"{where}: {selector!r} is not shown in full: {box}.", expected="an element within the page")
    percent = (box["x"] / WIDTH_PX, box["y"] / HEIGHT_PX, box["width"] / WIDTH_PX, box["height"] / HEIGHT_PX)
    return [round(100 * share, 4) for share in percent]
