"""How often a GUI instruction is found on its screen, on the open sequel to MedSPOT: by layer.

    python -m evals.bench.grounding [--data FOLDER] [--set report] [--misses] [--model embedded] [--json FILE]
    python -m evals.bench.grounding --times [--data FOLDER] [--json FILE]

Without --data, the sequel is made anew (`python -m evals.bench.medspot_open`); that needs chromium and Orthanc.
All of the first collection was tuned on: `tune` in the first authors' words, `second_hand`, `third_hand` and
`fourth_hand` in those of other people, and seven styles of telling even tasks (`plain_tune`, `script_tune` ...), of
which only hits are counted (`styles`). The second collection was written by people who had not read the code, of
screens and controls that the first one leaves out. Its even task numbers are for tuning (`tune_new`), its odd ones for
reporting (`report`). So it is with the words of a fifth person, who saw its screens alone (`fifth_tune`, `fifth_hand`),
and of a sixth one, whose words were written last (`sixth_tune`, `sixth_hand`).
The ways:

- `strings`: the line of text that is most alike to a stretch of the instruction: what reading alone does;
- `words`: the layers of pixels without icons;
- `pixels`: all layers that need no accessibility tree and no model;
- `tree`: with the accessibility tree;
- `model`: a model alone, asked as the suite `medspot` asks one; only of `report`, since it takes long.

A step is hit if the point lies in the box. Step hit: over all steps, each asked on its own. TCA: share of tasks whose
steps are all hit. An answer that leaves the choice to a person, or finds nothing, is a miss, and counted beside it.
How far `pixels` is ahead of `strings` and `model` has 95% intervals over tasks (`evals.stats.paired`).
Each instruction is also asked on a screen of another program, where most have nothing to find: `elsewhere` counts the
answers there.
`--times` measures only how long `locate` takes, by the clock and in processor time; figures that are there stay.
Screens are 1280 by 800 pixels: `fresh` ones were never seen, `known` ones are unchanged since they were read.
"""

from __future__ import annotations

import argparse
import json
import math
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
from langchain_core.messages import HumanMessage
from PIL import Image

from agent.models import load_mllm
from agent.models.blocks import image_block, text_of
from agent.models.protocol import MLLM
from evals.bench.medspot_open.paraphrases import STYLES, told_by
from evals.stats.paired import paired_difference
from evals.suites.medspot.annotation import SUFFIX
from evals.suites.medspot.canonical import run_canonical, summarise
from evals.suites.medspot.dialogue import FORMS, INSTRUCTION, REQUEST, read_click
from evals.suites.medspot.scorer import Step, Target, pixel_box, touches
from tools.gui.grounding import LAYERS, PIXELS, locate
from tools.gui.grounding.label_match import likeness
from tools.gui.grounding.vision.ocr import read_lines
from tools.gui.types import Layer, Located, Node, Point, Screen

SETS: dict[str, tuple[str, str, int | None]] = {
    "tune": ("first", "", None),
    "tune_new": ("second", "", 0),
    "report": ("second", "", 1),
    **{f"{hand}_hand": ("first", hand, None) for hand in ("second", "third", "fourth")},
    "fifth_tune": ("second", "fifth", 0),
    "fifth_hand": ("second", "fifth", 1),
    "sixth_tune": ("second", "sixth", 0),
    "sixth_hand": ("second", "sixth", 1),
    **{f"{style}_tune": ("first", style, 0) for style in STYLES},
}
"""The collection of each set, whose words it has, "" for the author's, and whether its tasks have even numbers (0), odd
ones (1), or any."""
MEASURED = tuple(name for name, (_, hand, _) in SETS.items() if hand not in STYLES)
"""The sets that are measured in full; of styles there are fewer figures, in `styles`."""
SAME_PROGRAM = 4
"""Programs whose names begin with the same letters are one in two languages, or parts of one."""
TIMED_EVERY = 4
"""Every so many steps of the tuning half are timed."""
WARM_UPS = 2
"""Screens that are read before times count, while models are loaded."""
BARS_S = {"fresh": 1.5, "known": 0.3}
"""Seconds by the clock that the slowest twentieth of the screens may take, on two cores, in pixels."""
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
    parser.add_argument("--data", type=Path, help="a folder made by evals.bench.medspot_open")
    parser.add_argument("--set", choices=SETS, help="only these steps; nothing is written")
    parser.add_argument("--misses", action="store_true", help="list the steps that were missed")
    parser.add_argument("--times", action="store_true", help="measure only how long it takes")
    parser.add_argument("--json", type=Path, default=Path("docs/grounding.json"))
    parser.add_argument("--model", default="embedded", help="the rival that is asked alone")
    arguments = parser.parse_args()
    rival = None if arguments.set or arguments.times else load_mllm(arguments.model)
    with tempfile.TemporaryDirectory(prefix="attend-sequel-") as made:
        folder = arguments.data
        if folder is None:
            from evals.bench.medspot_open.__main__ import make

            folder = Path(made)
            make(folder)
        times = None if arguments.set else time_screens(list(read_set(folder, "tune")))
        chosen = () if arguments.times else (arguments.set,) if arguments.set else MEASURED
        report = {
            name: measure(list(read_set(folder, name)), arguments.misses, rival if name == "report" else None)
            for name in chosen
        }
        styles = {"styles": measure_styles(folder)} if chosen == MEASURED else {}
    _print(report)
    for style, ways in styles.get("styles", {}).items():
        print(f"style {style}:", *(f"{way} {row['step_hit']:.3f}, wrong {row['wrong']};" for way, row in ways.items()))
    if times is None:
        return
    _print_times(times)
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    kept = json.loads(arguments.json.read_text("utf-8")) if arguments.times and arguments.json.exists() else {}
    told = {
        **kept,
        **({} if arguments.times else {"machine": machine}),
        **report,
        **styles,
        "times": {**times, **machine},
    }
    arguments.json.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def read_set(folder: Path, name: str) -> Iterator[Asked]:
    """The steps of a set's tasks, in order; of programs that its author has words for."""
    collection, hand, half = SETS[name]
    folder = folder / collection
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        program = path.name.removesuffix(SUFFIX)
        if hand and program not in told_by(hand):
            continue
        for number, task in enumerate(json.loads(path.read_text("utf-8"))["tasks"]):
            if half is not None and number % 2 != half:
                continue
            for place, step in enumerate(task["steps"]):
                with Image.open(folder / step["image_path"]) as picture:
                    rgb = np.asarray(picture.convert("RGB"))
                tree = folder / step["image_path"].replace("images/", "trees/", 1).replace(".png", ".json")
                nodes = tuple(Node.model_validate(node) for node in json.loads(tree.read_text("utf-8")))
                targets = tuple(Target(action["type"], tuple(action["bbox"])) for action in step["actions"])
                said = told_by(hand)[program][number][place] if hand else step["instruction"]
                yield Asked(program, number, Step(targets, said), Screen(rgb=rgb, nodes=nodes))


def time_screens(steps: list[Asked]) -> dict[str, dict[str, float]]:
    """How long `locate` takes on some steps by pixels, on screens never seen and on known ones, and with the tree."""
    times: dict[str, list[tuple[float, float]]] = {"fresh": [], "known": [], "tree": []}
    timed = [*steps[:WARM_UPS], *steps[::TIMED_EVERY]]
    for place, asked in enumerate(timed):
        # The lowest bits of each pixel change what is remembered of lines and screens, not what is read. Each screen
        # has its own, since several steps begin on the same one.
        bits = np.array([(place + 1) >> shift & 3 for shift in (0, 2, 4)], np.uint8)
        other = Screen(rgb=asked.screen.rgb ^ bits)
        said = str(asked.step.instruction)
        for name, screen, layers in (
            ("fresh", other, PIXELS),
            ("known", other, PIXELS),
            ("tree", asked.screen, LAYERS),
        ):
            start_s, cpu_s = time.perf_counter(), time.process_time()
            locate(said, screen, layers=layers)
            if place >= WARM_UPS:
                times[name].append((time.perf_counter() - start_s, time.process_time() - cpu_s))
    return {name: _times(seconds) for name, seconds in times.items()}


def measure(steps: list[Asked], misses: bool = False, rival: MLLM | None = None) -> dict[str, Any]:
    """Figures of every way over some steps, in all and by program; with a rival's, and how far ours is ahead of it."""
    ways = WAYS | ({} if rival is None else {"model": partial(_pointed, rival)})
    # All ways of a step in turn, since what was read of a screen is remembered for the last ones.
    answers = [{name: way(str(asked.step.instruction), asked.screen) for name, way in ways.items()} for asked in steps]
    found: dict[str, Any] = {}
    for name in ways:
        points = [answer[name] for answer in answers]
        found[name] = _figures(steps, points)
        programs = sorted({asked.program for asked in steps})
        found[name]["programs"] = {program: _figures(*_only(steps, points, program)) for program in programs}
        if misses:
            _list_misses(name, steps, points)
    hits = {name: [hit(asked, answer[name]) for asked, answer in zip(steps, answers, strict=True)] for name in ways}
    found["elsewhere"] = _elsewhere(steps)
    found["ahead"] = {name: _ahead(steps, hits["pixels"], hits[name]) for name in ("strings", "model") if name in ways}
    return found


def measure_styles(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """The share of steps that are hit, and how many are wrong, by style and way."""
    found = {style: {way: {"steps": 0, "hits": 0, "wrong": 0} for way in ("pixels", "tree")} for style in STYLES}
    # All styles of a step in turn, since what was read of a screen is remembered for the last ones.
    for steps in zip(*(read_set(folder, f"{style}_tune") for style in STYLES), strict=True):
        for style, asked in zip(STYLES, steps, strict=True):
            for way, counts in found[style].items():
                point = WAYS[way](str(asked.step.instruction), asked.screen)
                counts["steps"] += 1
                counts["hits"] += hit(asked, point)
                counts["wrong"] += point is not None and not hit(asked, point)
    return {
        style: {way: {**counts, "step_hit": counts["hits"] / counts["steps"]} for way, counts in ways.items()}
        for style, ways in found.items()
    }


def _elsewhere(steps: list[Asked]) -> dict[str, float]:
    """How many instructions are answered on a screen of another program, by way; a few controls are on several."""
    screens: dict[str, list[Screen]] = {}
    for asked in steps:
        screens.setdefault(asked.program[:SAME_PROGRAM], []).append(asked.screen)
    families = sorted(screens)
    if len(families) < 2:
        return {}
    answered = dict.fromkeys(("pixels", "tree"), 0)
    # By screen, since what was read of one is remembered for the last ones.
    pairs = []
    for place, asked in enumerate(steps):
        other = screens[families[(families.index(asked.program[:SAME_PROGRAM]) + 1) % len(families)]]
        pairs.append((place % len(other), str(asked.step.instruction), other[place % len(other)]))
    for _, instruction, screen in sorted(pairs, key=lambda pair: pair[0]):
        for name in answered:
            answered[name] += WAYS[name](instruction, screen) is not None
    return {"of": len(steps), **answered}


def _ahead(steps: list[Asked], ours: list[bool], rival: list[bool]) -> dict[str, dict[str, float]]:
    """How far ours is ahead, in steps and in whole tasks, with the 95% interval over tasks."""
    tasks = [(asked.program, asked.task) for asked in steps]
    whole, other = [
        {task: all(hit for hit, its in zip(hits, tasks, strict=True) if its == task) for task in tasks}
        for hits in (ours, rival)
    ]
    by_step = paired_difference(dict(enumerate(ours)), dict(enumerate(rival)), dict(enumerate(tasks)))
    by_task = paired_difference(whole, other, {task: task for task in tasks})
    return {
        name: {"mean": round(found.mean, 4), "low": round(found.low, 4), "high": round(found.high, 4)}
        for name, found in (("step_hit", by_step), ("tca", by_task))
    }


def _times(seconds: list[tuple[float, float]]) -> dict[str, float]:
    wall_s, cpu_s = [sorted(each) for each in zip(*seconds, strict=True)]
    figures = {"wall_s_median": median(wall_s), "wall_s_p95": wall_s[math.ceil(0.95 * len(wall_s)) - 1]}
    figures |= {"cpu_s_median": median(cpu_s), "cpu_s_most": cpu_s[-1]}
    return {"screens": len(wall_s), **{name: round(each, 4) for name, each in figures.items()}}


def _only(steps: list[Asked], points: list[Point | None], program: str) -> tuple[list[Asked], list[Point | None]]:
    kept = [(asked, point) for asked, point in zip(steps, points, strict=True) if asked.program == program]
    return [asked for asked, _ in kept], [point for _, point in kept]


def _figures(steps: list[Asked], points: list[Point | None]) -> dict[str, Any]:
    hits = [hit(asked, point) for asked, point in zip(steps, points, strict=True)]
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


def hit(asked: Asked, point: Point | None) -> bool:
    """Whether a point lies in a box of a step."""
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


def _pointed(model: MLLM, instruction: str, screen: Screen) -> Point | None:
    """Where a model clicks that sees the screenshot and is told no more than the suite tells one."""
    height, width = screen.rgb.shape[:2]
    asked = f"{REQUEST.format(width=width, height=height, form=FORMS['click, pixels'])}{INSTRUCTION} {instruction}"
    said = model.invoke([HumanMessage([image_block(screen.rgb), {"type": "text", "text": asked}])])
    place = read_click(text_of(said), (width, height))
    return None if place is None else Point(x_px=place[0], y_px=place[1])


def _found(instruction: str, screen: Screen, **options: Any) -> Point | None:
    found: Located = locate(instruction, screen, **options)
    return None if found.abstained or not found.targets else found.targets[0].point


LAYERS_OF: dict[str, frozenset[Layer]] = {
    "words": frozenset({"words"}),
    "pixels": PIXELS,
    "tree": LAYERS,
}
WAYS: dict[str, Callable[[str, Screen], Point | None]] = {
    "strings": _strings,
    **{name: partial(_found, layers=layers) for name, layers in LAYERS_OF.items()},
}


def _list_misses(name: str, steps: list[Asked], points: list[Point | None]) -> None:
    for asked, point in zip(steps, points, strict=True):
        if name == "strings" or hit(asked, point):
            continue
        said = locate(str(asked.step.instruction), asked.screen, layers=LAYERS_OF.get(name, PIXELS))
        box = pixel_box(asked.step.actions[0].bbox or (0, 0, 0, 0), asked.size)
        spot = f"({point.x_px:.0f}, {point.y_px:.0f})" if point else "none"
        print(
            f"{name} {asked.program} {asked.task}: {asked.step.instruction}\n    {spot} for "
            f"{[round(edge) for edge in box]}  {[target.label[:40] for target in said.targets[:3]]} "
            f"{said.abstained[:160]}"
        )


def _print_times(times: dict[str, dict[str, float]]) -> None:
    for name, found in times.items():
        bar = f", bar {BARS_S[name]} s" if name in BARS_S else ""
        missed = " MISSED" if found["wall_s_p95"] > BARS_S.get(name, math.inf) else ""
        print(
            f"{name}: {found['wall_s_median']:.3f} s by the clock (median of {found['screens']}), "
            f"{found['wall_s_p95']:.3f} s for 95 %{bar}{missed}; {found['cpu_s_median']:.3f} s of processor time"
        )


def _print(report: dict[str, dict[str, Any]]) -> None:
    for half, found in report.items():
        print(f"{half}: {found['pixels']['steps']} steps in {found['pixels']['tasks']} tasks")
        print(f"  {'':<24}{'step hit':>10}{'TCA':>8}{'S1A':>8}{'WPS':>8}{'no answer':>11}{'wrong':>7}")
        for name in (name for name in (*WAYS, "model") if name in found):
            for program, row in {"": found[name], **found[name]["programs"]}.items():
                cells = f"{row['step_hit']:>10.3f}{row['tca']:>8.3f}{row['s1a']:>8.3f}{row['wps']:>8.3f}"
                label = f"  {program}" if program else name
                print(f"  {label:<24}{cells}{row['no_answer']:>11}{row['wrong']:>7}")
        if found["elsewhere"]:
            print(f"  answered on a screen of another program: {found['elsewhere']}")
        for name, figures in found["ahead"].items():
            for figure, by in figures.items():
                print(f"  pixels ahead of {name}, {figure}: {by['mean']:+.3f} ({by['low']:+.3f} to {by['high']:+.3f})")
    if "report" in report:
        for (name, figure), bar in BARS.items():
            got = report["report"][name][figure]
            print(f"{name} {figure}: {got:.3f}, bar {bar:.2f}, {'reached' if got >= bar else 'MISSED'}")


if __name__ == "__main__":
    main()
