"""How often a GUI instruction is found on its screen, on the open sequel to MedSPOT: by layer, on both halves.

    python -m evals.bench.grounding [--data FOLDER] [--half report] [--misses] [--json FILE]

Without --data, the sequel is made anew (`python -m evals.suites.medspot.make`); that needs chromium and Orthanc.
Even task numbers of each program are for tuning, odd ones for reporting. Both halves have one author, who also wrote
the code: they tell how much works of what was not tuned on, not how strangers speak. The ways:

- `strings`: the line of text that is most alike to a stretch of the instruction: what reading alone does;
- `words`: the layers of pixels without icons;
- `pixels`: all layers that need no accessibility tree and no model;
- `tree`: with the accessibility tree.

A step is hit if the point lies in the box. Step hit: over all steps, each asked on its own. TCA: share of tasks whose
steps are all hit. An answer that leaves the choice to a person, or finds nothing, is a miss, and counted beside it.
Times are processor time of this process, so that other work on the machine changes them little.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from PIL import Image

from evals.suites.medspot.annotation import SUFFIX
from evals.suites.medspot.canonical import run_canonical, summarise
from evals.suites.medspot.scorer import Step, Target, pixel_box, touches
from tools.gui.grounding import LAYERS, PIXELS, locate
from tools.gui.grounding.matching import likeness
from tools.gui.grounding.reading import read_lines
from tools.gui.types import Located, Node, Point, Screen

HALVES = ("tune", "report")
FRESH_EVERY = 4
"""Every so many steps a screen is read anew, which takes long."""
BARS = {("pixels", "step_hit"): 0.80, ("pixels", "tca"): 0.65, ("tree", "step_hit"): 0.98}
"""What the report half has to reach."""


@dataclass(frozen=True)
class Asked:
    """A step with its screen."""

    program: str
    task: int
    step: Step
    screen: Screen

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self.screen.rgb.shape[1], self.screen.rgb.shape[0]


def main() -> None:
    """Measure, print, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a folder made by evals.suites.medspot.make")
    parser.add_argument("--half", choices=HALVES, help="only this half")
    parser.add_argument("--misses", action="store_true", help="list the steps that were missed")
    parser.add_argument("--json", type=Path, default=Path("docs/grounding.json"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="attend-sequel-") as made:
        folder = arguments.data
        if folder is None:
            from evals.suites.medspot.make.__main__ import make

            folder = Path(made)
            make(folder)
        halves = (arguments.half,) if arguments.half else HALVES
        report = {half: measure(list(read_half(folder, half)), arguments.misses) for half in halves}
    _print(report)
    if not arguments.half:
        machine = {"processors": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
        arguments.json.write_text(json.dumps({"machine": machine, **report}, indent=1) + "\n", "utf-8")


def read_half(folder: Path, half: str) -> Iterator[Asked]:
    """The steps of a half's tasks, in order."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        program = path.name.removesuffix(SUFFIX)
        for number, task in enumerate(json.loads(path.read_text("utf-8"))["tasks"]):
            if number % 2 != HALVES.index(half):
                continue
            for step in task["steps"]:
                with Image.open(folder / step["image_path"]) as picture:
                    rgb = np.asarray(picture.convert("RGB"))
                tree = folder / step["image_path"].replace("images/", "trees/", 1).replace(".png", ".json")
                nodes = tuple(Node.model_validate(node) for node in json.loads(tree.read_text("utf-8")))
                targets = tuple(Target(action["type"], tuple(action["bbox"])) for action in step["actions"])
                yield Asked(program, number, Step(targets, step["instruction"]), Screen(rgb=rgb, nodes=nodes))


def measure(steps: list[Asked], misses: bool = False) -> dict[str, Any]:
    """Figures of every way over some steps, in all and by program; reading and answering are timed apart."""
    fresh_s, again_s = [], []
    for asked in steps[::FRESH_EVERY]:
        # The lowest bit of each pixel changes what is remembered of lines and screens, not what is read.
        other = Screen(rgb=asked.screen.rgb ^ 1)
        start_s = time.process_time()
        _found(str(asked.step.instruction), other, layers=PIXELS)
        fresh_s.append(time.process_time() - start_s)
    found: dict[str, Any] = {}
    for name, way in WAYS.items():
        points: list[Point | None] = []
        for asked in steps:
            start_s = time.process_time()
            points.append(way(str(asked.step.instruction), asked.screen))
            if name == "pixels":
                start_s = time.process_time()
                way(str(asked.step.instruction), asked.screen)
                again_s.append(time.process_time() - start_s)
        found[name] = _figures(steps, points)
        programs = sorted({asked.program for asked in steps})
        found[name]["programs"] = {program: _figures(*_only(steps, points, program)) for program in programs}
        if misses:
            _list_misses(name, steps, points)
    found["cpu_s"] = {"fresh": _times(fresh_s), "known": _times(again_s)}
    return found


def _times(seconds: list[float]) -> dict[str, float]:
    return {"screens": len(seconds), "median": round(median(seconds), 4), "most": round(max(seconds), 4)}


def _only(steps: list[Asked], points: list[Point | None], program: str) -> tuple[list[Asked], list[Point | None]]:
    kept = [(asked, point) for asked, point in zip(steps, points, strict=True) if asked.program == program]
    return [asked for asked, _ in kept], [point for _, point in kept]


def _figures(steps: list[Asked], points: list[Point | None]) -> dict[str, Any]:
    hits = [_hit(asked, point) for asked, point in zip(steps, points, strict=True)]
    tasks: dict[tuple[str, int], list[int]] = {}
    for place, asked in enumerate(steps):
        tasks.setdefault((asked.program, asked.task), []).append(place)
    outcomes = [
        run_canonical(
            [steps[place].step for place in places],
            steps[places[0]].size,
            [(point.x_px, point.y_px) if (point := points[place]) else None for place in places],
        )
        for places in tasks.values()
    ]
    summary = summarise(outcomes)
    return {
        "steps": len(steps),
        "step_hit": fmean(hits),
        "no_answer": sum(point is None for point in points),
        "wrong": sum(point is not None and not hit for point, hit in zip(points, hits, strict=True)),
        **{name: summary[name] for name in ("tasks", "tca", "s1a", "shr_reached", "wps")},
    }


def _hit(asked: Asked, point: Point | None) -> bool:
    boxes = [pixel_box(target.bbox, asked.size) for target in asked.step.actions if target.bbox]
    return point is not None and any(touches((point.x_px, point.y_px), box, (0, 0)) for box in boxes)


def _strings(instruction: str, screen: Screen) -> Point | None:
    """The line that is most alike to a stretch of the instruction; long ones first where several are the same."""
    words = instruction.replace('"', " ").replace("'", " ").split()
    best: tuple[float, Point | None] = (0.6, None)
    for line in read_lines(screen.rgb):
        length = len(line.words)
        for start in range(max(0, len(words) - length) + 1):
            alike = likeness(" ".join(words[start : start + length]), line.text) + 0.01 * len(line.text)
            if alike > best[0]:
                best = alike, line.rect.center
    return best[1]


def _found(instruction: str, screen: Screen, **options: Any) -> Point | None:
    found: Located = locate(instruction, screen, **options)
    return None if found.abstained or not found.targets else found.targets[0].point


WAYS: dict[str, Callable[[str, Screen], Point | None]] = {
    "strings": _strings,
    "words": partial(_found, layers=frozenset({"words"})),
    "pixels": partial(_found, layers=PIXELS),
    "tree": _found,
}


def _list_misses(name: str, steps: list[Asked], points: list[Point | None]) -> None:
    for asked, point in zip(steps, points, strict=True):
        if name == "strings" or _hit(asked, point):
            continue
        said = locate(str(asked.step.instruction), asked.screen, layers=LAYERS if name == "tree" else PIXELS)
        box = pixel_box(asked.step.actions[0].bbox or (0, 0, 0, 0), asked.size)
        spot = f"({point.x_px:.0f}, {point.y_px:.0f})" if point else "none"
        print(
            f"{name} {asked.program} {asked.task}: {asked.step.instruction}\n    {spot} for "
            f"{[round(edge) for edge in box]}  {[target.label[:40] for target in said.targets[:3]]} "
            f"{said.abstained[:160]}"
        )


def _print(report: dict[str, dict[str, Any]]) -> None:
    for half, found in report.items():
        print(f"{half}: {found['pixels']['steps']} steps in {found['pixels']['tasks']} tasks")
        print(f"  {'':<24}{'step hit':>10}{'TCA':>8}{'S1A':>8}{'WPS':>8}{'no answer':>11}{'wrong':>7}")
        for name in WAYS:
            for program, row in {"": found[name], **found[name]["programs"]}.items():
                cells = f"{row['step_hit']:>10.3f}{row['tca']:>8.3f}{row['s1a']:>8.3f}{row['wps']:>8.3f}"
                label = f"  {program}" if program else name
                print(f"  {label:<24}{cells}{row['no_answer']:>11}{row['wrong']:>7}")
        for name, times in found["cpu_s"].items():
            print(
                f"  pixels, a screen that is {name}: {times['median']:.3f} s of processor time (median of "
                f"{times['screens']}), most {times['most']:.3f} s"
            )
    if "report" in report:
        for (name, figure), bar in BARS.items():
            got = report["report"][name][figure]
            print(f"{name} {figure}: {got:.3f}, bar {bar:.2f}, {'reached' if got >= bar else 'MISSED'}")


if __name__ == "__main__":
    main()
