"""Tasks as they are played on a page, and how a played task becomes MedSPOT's annotation with screenshots and trees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.suites.medspot.annotation import SUFFIX
from tools.errors import ToolFailed
from tools.gui.actuators.page_tree import read_nodes
from tools.gui.types import Node, Rect

WIDTH_PX, HEIGHT_PX = 1280, 800
SETTLE_MS = 500
"""How long a page may take to come to rest after a click; our choice."""


@dataclass(frozen=True)
class Move:
    """One step.

    Attributes:
        say: the instruction.
        target: a selector of what has to be clicked: of Playwright, or for a desktop program of `desktop`.
        typed: what is then typed into it, which is no step of its own.
    """

    say: str
    target: str
    typed: str = ""


@dataclass(frozen=True)
class Play:
    """A task: where it begins (a page, or the file that a desktop program is started with), what was clicked before the
    first step, and its steps."""

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
            rect = _rect(page, move.target, f"{program}, task {number}, step {place}")
            _rest(page)
            shown = page.screenshot(), read_nodes(session)
            said = save_step(folder, f"{program}/{number:02d}_{place}", move, rect, *shown)
            steps.append({"step_id": place, **said})
            unfolds = page.locator(move.target).evaluate("element => element.tagName") == "SELECT"
            page.locator(move.target).click(timeout=5_000)
            if unfolds:
                # Its open list would lie over what comes next; to choose what is chosen already is no step.
                page.keyboard.press("Escape")
            if move.typed:
                page.keyboard.type(move.typed)
            page.wait_for_timeout(SETTLE_MS)
        tasks.append({"task_overview": play.overview, "steps": steps})
    return save_tasks(folder, program, tasks)


def save_step(folder: Path, stem: str, move: Move, rect: Rect, png: bytes, nodes: Sequence[Node]) -> dict[str, Any]:
    """Write a step's picture and tree under a name; returns the step as it is annotated, but for its number."""
    path = Path(f"{stem}.png")
    for kind in ("images", "trees"):
        (folder / kind / path.parent).mkdir(parents=True, exist_ok=True)
    (folder / "images" / path).write_bytes(png)
    tree = [node.model_dump(mode="json") for node in nodes]
    (folder / "trees" / path.with_suffix(".json")).write_text(json.dumps(tree, ensure_ascii=False), "utf-8")
    shares = (rect.left / WIDTH_PX, rect.top / HEIGHT_PX, rect.width / WIDTH_PX, rect.height / HEIGHT_PX)
    action = {"type": "click", "target": move.target, "bbox": [round(100 * share, 4) for share in shares]}
    return {"image_path": f"images/{path}", "instruction": move.say, "actions": [action]}


def save_tasks(folder: Path, program: str, tasks: Sequence[dict[str, Any]]) -> int:
    """Write a program's annotations; returns how many steps there are."""
    path = folder / f"{program}{SUFFIX}"
    path.write_text(json.dumps({"tasks": tasks}, ensure_ascii=False, indent=1), "utf-8")
    return sum(len(task["steps"]) for task in tasks)


def _rest(page: Any) -> None:
    """Take the mouse and the caret away, which no step is about."""
    page.mouse.move(WIDTH_PX - 3, HEIGHT_PX - 3)
    page.wait_for_timeout(100)


def _rect(page: Any, selector: str, where: str) -> Rect:
    """Where a target stands on the page's picture."""
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
    return Rect(left=box["x"], top=box["y"], right=box["x"] + box["width"], bottom=box["y"] + box["height"])
