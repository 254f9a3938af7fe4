"""Overhead of the evaluation engine, with a scripted model that answers at once.

    python -m evals.bench.engine [--sizes 1000 3000 10000] [--agents 200] [--in-flight 8] [--json]

- `prompts`: runs of samples with one prompt each: wall clock and processor time, total and per sample, and peak
  resident memory of the process. Linear time shows as constant milliseconds per sample.
- `agent`: attempts of the whole loop on a small drawn picture, each with two model calls and one tool call, in a bare
  loop that writes one JSON line per attempt, and in the engine. The difference is the engine's overhead.

Each measurement runs in its own process; it includes setting up a run, but not loading libraries.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

BAR_MS, BAR_MB = 50.0, 500.0
"""Limits of an agent sample's processor time, and of the memory of 10,000 samples."""
SUITE_FILE = """
from evals.bench.engine import make_suite

SUITE = make_suite({kind!r}, {count}, {picture!r})
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", nargs=2, metavar=("WHAT", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        what, count = arguments.measure
        print(json.dumps(measure(what, int(count), arguments.in_flight)))
        return
    prompts = {size: _in_process("prompts", size, arguments.in_flight) for size in arguments.sizes}
    agents = {what: _in_process(what, arguments.agents, arguments.in_flight) for what in ("bare", "agent")}
    cost_ms = agents["agent"]["cpu_ms"] - agents["bare"]["cpu_ms"]
    ratio = agents["agent"]["cpu_ms"] / agents["bare"]["cpu_ms"]
    if arguments.json:
        print(json.dumps({"prompts": prompts, **agents, "cost_ms": cost_ms, "ratio": ratio}, indent=1))
        return
    print(f"{'samples':>10}{'wall, s':>10}{'cpu, s':>10}{'wall, ms each':>15}{'cpu, ms each':>14}{'peak, MB':>10}")
    for size, found in prompts.items():
        cells = (found["wall_s"], found["cpu_s"], found["wall_ms"], found["cpu_ms"], found["peak_mb"])
        print(
            f"{size:>10}"
            + "".join(f"{cell:>{width}.1f}" for cell, width in zip(cells, (10, 10, 15, 14, 10), strict=True))
        )
    print(f"\n{'agent, ms of processor time each':<40}{'bare':>8}{'engine':>9}{'cost':>8}{'ratio':>8}")
    bare, engine = agents["bare"]["cpu_ms"], agents["agent"]["cpu_ms"]
    print(f"{arguments.agents:<40}{bare:>8.1f}{engine:>9.1f}{cost_ms:>8.1f}{ratio:>8.2f}")
    peak_mb = max(found["peak_mb"] for found in prompts.values())
    print(f"\nbars: {cost_ms:.1f} of {BAR_MS:g} ms, {peak_mb:.0f} of {BAR_MB:g} MB")


def _in_process(what: str, count: int, in_flight: int) -> dict[str, float]:
    command = [sys.executable, "-m", "evals.bench.engine", "--in-flight", str(in_flight), "--measure", what, str(count)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
    if run.returncode:
        raise SystemExit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def measure(what: str, count: int, in_flight: int) -> dict[str, float]:
    """Measure `prompts`, `agent` or `bare` in this process; times in seconds and milliseconds, memory in MB."""
    import inspect_ai  # noqa: F401  # excludes its loading from the measurement

    from agent.config import load_config
    from evals.engine.prepare import RunOptions, prepare
    from evals.engine.run import run_suite

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kind = "model" if what == "prompts" else "agent"
        _draw(folder / "picture.png")
        suite = folder / "suite.py"
        suite.write_text(SUITE_FILE.format(kind=kind, count=count, picture=str(folder / "picture.png")), "utf-8")
        script = folder / "script.json"
        script.write_text(json.dumps({"turns": _turns(kind)}), "utf-8")
        flags = {"memory.policy": "last", "take_notes": False, "folder": folder / "home"}
        config = load_config(flags, environment={})
        options = RunOptions(in_flight=in_flight)
        wall, cpu = time.perf_counter(), time.process_time()
        if what == "bare":
            prepared = prepare(str(suite), None, options)
            asyncio.run(_bare(prepared, f"scripted:{script}", config, in_flight, folder / "bare.jsonl"))
        else:
            run_suite(str(suite), f"scripted:{script}", None, config, options, folder / "run", lambda done, of: None)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    return {
        "wall_s": wall,
        "cpu_s": cpu,
        "wall_ms": 1000 * wall / count,
        "cpu_ms": 1000 * cpu / count,
        "peak_mb": peak,
    }


async def _bare(prepared: Any, spec: str, config: Any, in_flight: int, path: Path) -> None:
    """Run the same concurrent attempts as in the engine, without anything around them but a line of JSON each."""
    from agent.models import load_mllm
    from evals.engine.instrumented import generate_directly
    from evals.engine.solver import NullTrace, Settings, attempt

    model, settings = load_mllm(spec), Settings(config)
    waiting = iter(prepared.samples)

    async def work(write: Callable[[str], object]) -> None:
        for sample in waiting:
            made = await attempt(prepared.suite, sample, 1, model, generate_directly, NullTrace(), settings)
            scored = prepared.suite.score(sample, made)
            write(json.dumps({"transcript": made.model_dump(mode="json"), "value": scored.value}) + "\n")

    with path.open("w", encoding="utf-8") as file:
        workers: list[Awaitable[None]] = [work(file.write) for _ in range(in_flight)]
        await asyncio.gather(*workers)


def make_suite(kind: Any, count: int, picture: str) -> Any:
    """Build a suite of `count` samples, right by construction, for the file that a measurement writes."""
    from evals.engine.suite import Loaded, Sample, Scored, Suite

    samples = tuple(
        Sample(
            id=f"s{number}",
            cluster=f"c{number % 100}",
            prompt=(f"Question {number}: which letter is it, A or B? Answer with the letter only.",),
            source=picture if kind == "agent" else "",
            questions=("Which colour is there?",),
            reference="A",
        )
        for number in range(count)
    )
    return Suite(
        name=f"bench-{kind}",
        title="Questions of a bench",
        version=1,
        load=lambda data, options: Loaded(samples),
        score=lambda sample, transcript: Scored(value=float(sample.reference in transcript.answer)),
        solve=kind,
    )


def _turns(kind: str) -> list[dict[str, Any]]:
    say = {"say": "A"}
    return [say] if kind == "model" else [{"tool": "recall", "args": {"query": "colour"}}, say]


def _draw(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (160, 120), (200, 30, 30)).save(path)


if __name__ == "__main__":
    main()
