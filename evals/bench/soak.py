"""Eight hours of video through the whole of memory: does anything grow, or slow down?

    python -m evals.bench.soak [--hours 8] [--pictures DIR] [--clips DIR] [--json FILE] [--png FILE]

A synthetic stream at one frame a second (see `evals.bench.streams.stream`) with real frames among its scenes goes, as
fast as memory takes it, through capture, recorder, encoder, the three tiers, the frame store on disk and the note
taker, as `attend` composes them. Frames of still scenes repeat bit for bit now and then; they are encoded once, and the
time to push counts only frames that were encoded. Time is compressed: the note taker, which rests as it does where time
plays, sees fewer frames an hour than it would live. Every ten minutes of the stream it measures the process's memory,
the bytes on disk, the time to push a frame, and the time to choose frames for a question about the past. Once the
budgets are full, the slope of each is printed an hour, with its 95% interval.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import psutil

from agent.config import Config, load_config
from agent.notes import NoteTaker
from agent.remembered import Remembered, open_remembered
from evals.bench.streams.scenes import HEIGHT_PX, WIDTH_PX, gather_scenes
from evals.bench.streams.stream import Stream
from memory.stream.bounds import bounds
from memory.stream.memory import StreamMemory
from memory.stream.policy import Decision
from memory.stream.recall import window
from memory.stream.recorder import Recorder
from tools.media import Capture, Frame, SourceInfo

QUESTIONS = (
    "What was there 20 minutes ago?",
    "What did the sign say earlier, was it HARBOUR?",
    "What was shown at 0:30?",
)
REPEATS, PUSHES = 64, 200
"""Features held for frames that come again; times of pushes held."""
SETTLED_SHARE = 0.4
"""The share of the run after which slopes are taken: the quota of disk and the budgets are full by then."""


@dataclass(frozen=True)
class Sample:
    """A measurement at a media time; times are medians of the last `PUSHES` pushes, and of the questions."""

    hours: float
    rss_mb: float
    disk_mb: float
    push_ms: float
    choose_ms: float
    key_moments: int
    notes: int


@dataclass
class Playing:
    """A stream as a source."""

    stream: Stream
    info: SourceInfo = field(init=False)

    def __post_init__(self) -> None:
        self.info = SourceInfo(self.stream.name, "video", False, WIDTH_PX, HEIGHT_PX, fps=1.0)

    def __iter__(self) -> Iterator[Frame]:
        return self.stream.frames()

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def main() -> None:
    """Run, print, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0, help="length of the stream")
    parser.add_argument("--frames", type=int, help="length in frames instead, one a second")
    parser.add_argument("--every", type=int, default=600, help="frames between two measurements")
    parser.add_argument("--pictures", type=Path, help="a folder of ImageNet-like pictures to show")
    parser.add_argument("--clips", type=Path, help="a folder of videos to show frames of")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    arguments = parser.parse_args()
    results = run(
        arguments.frames or round(arguments.hours * 3600), arguments.every, arguments.pictures, arguments.clips
    )
    print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.png:
        draw(results["samples"], results["bound"], arguments.png)


def run(frames: int, every: int, pictures: Path | None = None, clips: Path | None = None) -> dict:
    """Play a stream of `frames` seconds through memory, and return samples, slopes and bounds as plain data."""
    stream = Stream(7, frames, gather_scenes(pictures, clips))
    source = Playing(stream)
    with tempfile.TemporaryDirectory() as folder:
        config = load_config({"folder": folder}, environment={})
        remembered, memory = open_remembered(stream.name, source.info, config)
        taker = NoteTaker(remembered.notes, memory.moments, plays=True)
        samples: list[Sample] = []
        pushed_s: deque[float] = deque(maxlen=PUSHES)
        assert memory.encoder is not None
        push, embed = memory.push, memory.encoder.embed
        known: dict[bytes, np.ndarray] = {}
        encoded = [False]

        def embed_once(rgb: np.ndarray) -> np.ndarray:
            key = hashlib.sha256(rgb.data).digest()
            encoded[0] = key not in known
            feature = known.pop(key) if key in known else embed(rgb)
            known[key] = feature
            if len(known) > REPEATS:
                known.pop(next(iter(known)))
            return feature

        def timed(frame: Frame) -> Decision:
            started = time.perf_counter()
            decision = push(frame)
            if encoded[0]:
                pushed_s.append(time.perf_counter() - started)
            return decision

        memory.push = timed  # type: ignore[method-assign]
        memory.encoder.embed = embed_once  # type: ignore[method-assign]

        def on_kept(frame: Frame, decision: Decision) -> None:
            taker.submit(frame)

        caretaker = remembered.caretaker()

        def on_turn() -> None:
            caretaker()
            seen = memory.stats.seen
            if seen and seen % every == 0 and (not samples or round(samples[-1].hours * 3600) != seen):
                samples.append(_sample(config, remembered, memory, pushed_s, seen))
                _say(f"{seen / 3600:.2f} h, {samples[-1].rss_mb:.0f} MiB, {samples[-1].push_ms:.0f} ms a frame")

        try:
            with Recorder(Capture(source), memory, on_kept, on_turn=on_turn) as recorder:
                while not recorder.drain(1.0):
                    pass
        finally:
            taker.close()
            remembered.close()
    settled = [sample for sample in samples if sample.hours >= SETTLED_SHARE * samples[-1].hours]
    bound = bounds(config.memory, 1280, WIDTH_PX, HEIGHT_PX, config.quota_mb << 20)
    return {
        "frames": frames,
        "hours": frames / 3600,
        "samples": [asdict(sample) for sample in samples],
        "slopes": {name: slope(settled, name) for name in ("rss_mb", "disk_mb", "push_ms", "choose_ms")},
        "growth": {
            name: getattr(settled[-1], name) / getattr(settled[0], name)
            for name in ("rss_mb", "disk_mb", "push_ms", "choose_ms")
        },
        "rss_mb_most": max(sample.rss_mb for sample in samples),
        "push_ms_median": statistics.median(sample.push_ms for sample in samples),
        "choose_ms_median": statistics.median(sample.choose_ms for sample in samples),
        "bound": {"process_mb": bound.process / 2**20, "disk_mb": bound.disk / 2**20},
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _sample(
    config: Config, remembered: Remembered, memory: StreamMemory, pushed_s: Iterable[float], seen: int
) -> Sample:
    chosen = []
    for question in QUESTIONS:
        before = time.perf_counter()
        window(memory, remembered.notes, question)
        chosen.append(time.perf_counter() - before)
    place = remembered.place.folder
    return Sample(
        hours=seen / 3600,
        rss_mb=psutil.Process().memory_info().rss / 2**20,
        disk_mb=sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / 2**20,
        push_ms=1e3 * statistics.median(pushed_s),
        choose_ms=1e3 * statistics.median(chosen),
        key_moments=len(memory.moments or ()),
        notes=len(remembered.notes),
    )


def slope(samples: Sequence[Sample], name: str) -> dict[str, float]:
    """Return the slope of a measure an hour by least squares, with its 95% interval (Student's t)."""
    from scipy.stats import t as student

    hours = np.array([sample.hours for sample in samples])
    values = np.array([getattr(sample, name) for sample in samples], float)
    if len(samples) < 3:
        return {"per_hour": float("nan"), "low": float("nan"), "high": float("nan")}
    centred = hours - hours.mean()
    steep = float(centred @ values / (centred @ centred))
    residual = values - values.mean() - steep * centred
    error = float(np.sqrt(residual @ residual / (len(samples) - 2) / (centred @ centred)))
    reach = float(student.ppf(0.975, len(samples) - 2)) * error
    return {"per_hour": steep, "low": steep - reach, "high": steep + reach}


def table(results: dict) -> str:
    """Return the samples of each hour, and the slopes, as text in columns."""
    lines = [f"{'hour':>6}{'RSS MiB':>10}{'disk MiB':>10}{'push ms':>10}{'choose ms':>11}{'key':>6}{'notes':>8}"]
    lines += [
        f"{sample['hours']:>6.2f}{sample['rss_mb']:>10.0f}{sample['disk_mb']:>10.0f}{sample['push_ms']:>10.1f}"
        f"{sample['choose_ms']:>11.1f}{sample['key_moments']:>6}{sample['notes']:>8}"
        for sample in results["samples"][:: max(1, len(results["samples"]) // 16)]
    ]
    lines.append("slope an hour, once the budgets are full (95% interval):")
    lines += [
        f"  {name:<10}{found['per_hour']:>9.3f}  ({found['low']:.3f} to {found['high']:.3f})"
        for name, found in results["slopes"].items()
    ]
    return "\n".join(lines)


def draw(samples: Sequence[dict], bound: dict[str, float], path: Path) -> None:
    """Write a PNG: memory and disk, and the times, over the hours of the stream."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    hours = [sample["hours"] for sample in samples]
    panels = (
        ("memory of the process and disk, MiB", (("rss_mb", "memory"), ("disk_mb", "disk"))),
        ("time, ms", (("push_ms", "to push a frame"), ("choose_ms", "to choose frames for a question"))),
    )
    for axes, (title, lines) in zip(figure.subplots(1, 2), panels, strict=True):
        for colour, (name, label) in zip(("#1f6fb2", "#e08a1e"), lines, strict=True):
            axes.plot(hours, [sample[name] for sample in samples], color=colour, label=label, linewidth=1.8)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("hours of the stream")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="#e6e9ed")
        axes.legend(frameon=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
