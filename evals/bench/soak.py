"""Soak test of memory with eight hours of video: growth and slowdown.

    python -m evals.bench.soak [--hours 8] [--pictures DIR] [--clips DIR] [--json FILE] [--png FILE]

Feeds a synthetic stream at one frame a second (see `evals.bench.streams.stream`), with real frames among its scenes and
still stretches of up to seventy minutes, as fast as memory accepts it, through capture, recorder, encoder, the three
tiers, the frame store on disk and the annotator, as `attend` composes them. Time is compressed, and every key moment is
annotated, which is more than in real time. The table of notes is full from the start. Every five minutes of the stream,
measures the process's memory, the bytes on disk, the time to push a frame, and the time to choose frames for a question
about the past. Times are processor time of the thread, which excludes other work of the machine and the annotator's.

Computes the slope of each per hour (Sen 1968), with its 95% interval from a block bootstrap: of times once the key
moments and the stored pictures are full, of memory once every budget is (the log of decisions, with 20,000 frames, is
the last). Before that, networks and libraries grow to the largest picture they have met. Prints each requirement and
whether it is met; a frame or a note that could not be stored ends the run with an error.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil

from agent.config import Config, load_config
from agent.perception.annotator import NoteTaker
from agent.perception.source_memory import SourceMemory, open_source_memory
from evals.bench.streams.scenes import HEIGHT_PX, WIDTH_PX, gather_scenes
from evals.bench.streams.stream import WORDS, Stream
from memory.stream.bounds import bounds
from memory.stream.encoders import HEAD_DIM
from memory.stream.memory import LOG_LENGTH, StreamMemory
from memory.stream.notes import MAX_ROWS
from memory.stream.policies import Decision
from memory.stream.recall import window
from memory.stream.recorder import Recorder
from tools.errors import StoreError
from tools.media import Capture, Frame, SourceInfo

QUESTIONS = (
    "What was there 20 minutes ago?",
    "What did the sign say earlier, was it HARBOUR?",
    "What was shown at 0:30?",
)
FLAT = {"rss_mb": 0.01, "push_ms": 0.03, "choose_ms": 0.05}
"""Maximum significant growth of each per hour, as a share of its mean."""
BLOCK, DRAWS = 4, 1_000
"""Block size of the bootstrap in samples, and number of draws."""
FULL_SHARE = 0.98
"""Share of the maximum bytes on disk from which pictures count as full."""


@dataclass(frozen=True)
class Sample:
    """A measurement at a media time; times are medians of the pushes since the last one, and of the questions."""

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
        """Do nothing: no resource is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def main() -> None:
    """Run, print, and write the requested files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=8.0, help="length of the stream")
    parser.add_argument("--frames", type=int, help="length in frames instead, one a second")
    parser.add_argument("--every", type=int, default=300, help="frames between two measurements")
    parser.add_argument("--notes", type=int, default=MAX_ROWS, help="number of initial notes")
    parser.add_argument("--pictures", type=Path, help="a folder of ImageNet-like pictures to show")
    parser.add_argument("--clips", type=Path, help="a folder of videos to show frames of")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--png", type=Path)
    arguments = parser.parse_args()
    frames = arguments.frames or round(arguments.hours * 3600)
    results = run(frames, arguments.every, arguments.notes, arguments.pictures, arguments.clips)
    print(table(results))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")
    if arguments.png:
        draw(results["samples"], results["bound"], arguments.png)


def run(frames: int, every: int, notes: int, pictures: Path | None = None, clips: Path | None = None) -> dict[str, Any]:
    """Feed a stream of `frames` seconds through memory, and return samples, slopes and bounds as plain data.

    Raises:
        StoreError: if a frame or a note could not be stored.
    """
    stream = Stream(7, frames, gather_scenes(pictures, clips), still_s=(600, 4_200))
    source = Playing(stream)
    with tempfile.TemporaryDirectory() as folder:
        config = load_config({"folder": folder}, environment={})
        remembered, memory = open_source_memory(stream.name, source.info, config)
        for number in range(notes):
            remembered.notes.add(number * 1e-6, f"{number:064x}", "label", f"{WORDS['dev'][number % 96]} {number}")
        remembered.notes.index()
        taker = NoteTaker(remembered.notes, memory.pixels, memory.moments)
        samples: list[Sample] = []
        pushed_s: list[float] = []
        push = memory.push

        def timed(frame: Frame) -> Decision:
            started = time.thread_time()
            decision = push(frame)
            pushed_s.append(time.thread_time() - started)
            return decision

        memory.push = timed  # type: ignore[method-assign]
        caretaker = remembered.caretaker()

        def on_turn() -> None:
            caretaker()
            seen = memory.stats.seen
            if seen and seen % every == 0 and (not samples or round(samples[-1].hours * 3600) != seen):
                samples.append(_sample(config, remembered, memory, pushed_s, seen))
                pushed_s.clear()
                _say(f"{seen / 3600:.2f} h, {samples[-1].rss_mb:.0f} MiB, {samples[-1].push_ms:.0f} ms a frame")

        def on_kept(frame: Frame, decision: Decision) -> None:
            taker.submit(frame.t_s, frame.id, decision.surprise)

        try:
            with Recorder(Capture(source), memory, on_kept, on_turn=on_turn) as recorder:
                while not recorder.drain(1.0):
                    pass
                taker.drain(600.0)
                for error in (*recorder.take_errors(), taker.error):
                    if error is not None:
                        raise error
            stats = memory.stats
        finally:
            taker.close()
            remembered.close()
    if stats.lost or stats.seen != frames:
        raise StoreError(f"of {frames} frames {stats.seen} were seen, and {stats.lost} could not be stored.")
    limit = bounds(config.memory, HEAD_DIM, WIDTH_PX, HEIGHT_PX, config.quota_mb << 20)
    bound = {"process_mb": limit.process / 2**20, "disk_mb": limit.disk / 2**20}
    return judge(samples, frames, bound)


def judge(samples: Sequence[Sample], frames: int, bound: Mapping[str, float]) -> dict[str, Any]:
    """Return samples, slopes, and requirements, as plain data."""
    full_hours = min(LOG_LENGTH / 3600, 0.4 * samples[-1].hours if frames < LOG_LENGTH else math.inf)
    settled = [sample for sample in samples if sample.hours >= full_hours]
    moments, disk_mb = max(sample.key_moments for sample in samples), max(sample.disk_mb for sample in samples)
    moments_hours = next(sample.hours for sample in samples if sample.key_moments == moments)
    pictures_hours = next(sample.hours for sample in samples if sample.disk_mb >= FULL_SHARE * disk_mb)
    chosen_from = [sample for sample in samples if sample.hours >= max(moments_hours, pictures_hours)]
    flat = {"rss_mb": settled, "push_ms": chosen_from, "choose_ms": chosen_from}
    results: dict[str, Any] = {
        "frames": frames,
        "hours": frames / 3600,
        "settled_from_hours": full_hours,
        "chosen_from_full_from_hours": chosen_from[0].hours,
        "samples": [asdict(sample) for sample in samples],
        "slopes": {name: slope(part, name) for name, part in flat.items()},
        "means": {name: statistics.mean(getattr(sample, name) for sample in part) for name, part in flat.items()},
        "rss_mb_growth": max(sample.rss_mb for sample in settled) - settled[0].rss_mb,
        "disk_mb_most": disk_mb,
        "bound": dict(bound),
    }
    return {**results, "must_hold": [{"holds": holds, "what": text} for holds, text in must_hold(results)]}


def must_hold(results: Mapping[str, Any]) -> list[tuple[bool, str]]:
    """Return the requirements, and whether each is met."""
    lines = []
    for name, share in FLAT.items():
        found, mean = results["slopes"][name], results["means"][name]
        text = f"{name}: {found['per_hour']:+.3f} an hour ({found['low']:+.3f} to {found['high']:+.3f}) at a mean of "
        lines.append((found["high"] < share * mean, f"{text}{mean:.1f}, to grow by surely less than {share:.0%}"))
    bound = results["bound"]
    for name, value, limit in (
        ("memory since every budget was full", results["rss_mb_growth"], bound["process_mb"]),
        ("disk", results["disk_mb_most"], bound["disk_mb"]),
    ):
        lines.append((value <= limit, f"{name}: {value:.0f} MiB, at most the bound of {limit:.0f} MiB"))
    return lines


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _sample(
    config: Config, remembered: SourceMemory, memory: StreamMemory, pushed_s: Sequence[float], seen: int
) -> Sample:
    chosen = []
    for question in QUESTIONS:
        before = time.thread_time()
        window(memory, remembered.notes, question)
        chosen.append(time.thread_time() - before)
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
    """Return the slope of a measure per hour, the median over all pairs of samples (Sen 1968), which is robust to
    single slow samples, with the 95% interval of a block bootstrap of residuals.

    Successive samples are correlated, so formulas for independent ones would make it too narrow.
    """
    hours = np.array([sample.hours for sample in samples])
    values = np.array([getattr(sample, name) for sample in samples], float)
    if len(samples) < 2 * BLOCK:
        return {"per_hour": math.nan, "low": math.nan, "high": math.nan}
    early, late = np.triu_indices(len(samples), 1)
    apart = hours[late] - hours[early]

    def between(found: np.ndarray) -> float:
        return float(np.median((found[late] - found[early]) / apart))

    steep = between(values)
    line = steep * (hours - hours.mean())
    residual = values - line
    starts = np.random.default_rng(0).integers(0, len(samples) - BLOCK + 1, (DRAWS, math.ceil(len(samples) / BLOCK)))
    drawn = (starts[..., None] + np.arange(BLOCK)).reshape(DRAWS, -1)[:, : len(samples)]
    low, high = np.quantile([between(line + residual[draw]) for draw in drawn], (0.025, 0.975))
    return {"per_hour": steep, "low": float(low), "high": float(high)}


def table(results: dict) -> str:
    """Format the samples of each hour, and the slopes, as text in columns."""
    lines = [f"{'hour':>6}{'RSS MiB':>10}{'disk MiB':>10}{'push ms':>10}{'choose ms':>11}{'key':>6}{'notes':>8}"]
    lines += [
        f"{sample['hours']:>6.2f}{sample['rss_mb']:>10.0f}{sample['disk_mb']:>10.0f}{sample['push_ms']:>10.1f}"
        f"{sample['choose_ms']:>11.1f}{sample['key_moments']:>6}{sample['notes']:>8}"
        for sample in results["samples"][:: max(1, len(results["samples"]) // 16)]
    ]
    lines.append(
        f"Must hold; times from {results['chosen_from_full_from_hours']:.1f} hours on, when key moments and pictures "
        f"are full, memory from {results['settled_from_hours']:.1f} hours on, when every budget is:"
    )
    lines += [f"{'holds' if line['holds'] else 'FAILS':<7}{line['what']}" for line in results["must_hold"]]
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
        ("processor time, ms", (("push_ms", "to push a frame"), ("choose_ms", "to choose frames for a question"))),
    )
    for axes, (title, lines) in zip(figure.subplots(1, 2), panels, strict=True):
        for colour, (name, label) in zip(("#1f6fb2", "#e08a1e"), lines, strict=True):
            axes.plot(hours, [sample[name] for sample in samples], color=colour, label=label, linewidth=1.8)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("hours of the stream")
        if lines[-1][0] == "disk_mb":
            axes.axhline(bound["disk_mb"], color="#888888", linestyle="--", linewidth=1.2, label="bound of disk")
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color="#e6e9ed")
        axes.legend(frameon=False)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path)


if __name__ == "__main__":
    main()
