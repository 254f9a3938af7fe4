"""Runs for tests: scored ones that are made up, seeded, and ones that are killed half-way."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evals.results import RunResults, SampleResult

TASKS = ("read", "time", "memory")
ROOT = Path(__file__).parent.parent

_HALTED = """
import sys, threading
from evals.engine.journal import Journal

most, *arguments = sys.argv[1:]
add, added, adding = Journal.add, [], threading.Lock()

def add_some(journal, transcript):
    with adding:
        written = add(journal, transcript)
        added.append(transcript)
        if len(added) == int(most):
            print("halted", flush=True)
            threading.Event().wait()
    return written

Journal.add = add_some
from evals.cli import app
app(["eval", *arguments])
"""
"""`attend eval`, which does no more once so many lines are in the journal: it waits to be killed."""


def kill_after(lines: int, *arguments: object, **environment: str) -> None:
    """Run `attend eval` in a process that is killed when so many transcripts are in the journal."""
    command = [sys.executable, "-c", _HALTED, *map(str, (lines, *arguments))]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            assert "halted\n" in process.stdout, "the run ended before it was killed"
        finally:
            process.kill()


def sample(id_: str = "a", value: float | None = 1.0, **fields: Any) -> SampleResult:
    failure = "" if value is not None else fields.pop("failure", "parse")
    given = {"suite": "s", "task": "read", "id": id_, "cluster": id_, "value": value, "failure": failure}
    return SampleResult.model_validate(given | fields)


def run_of(samples: Sequence[SampleResult], **manifest: Any) -> RunResults:
    return RunResults(manifest={"suite": "s", "version": 1, "model": "m"} | manifest, samples=tuple(samples))


def made_up(
    seed: int, *, n: int = 120, per_cluster: int = 4, attempts: int = 1, gain: float = 0.0, fails: float = 0.0
) -> RunResults:
    """A run of n samples whose difficulty does not depend on the seed; `gain` makes right answers likelier."""
    world, random = np.random.default_rng(11), np.random.default_rng(seed)
    chances = np.clip(np.repeat(world.beta(3, 2, n // per_cluster + 1), per_cluster)[:n] + gain, 0, 1)
    samples = []
    for number, chance in enumerate(chances):
        for epoch in range(1, attempts + 1):
            right, failed = bool(random.random() < chance), bool(random.random() < fails)
            samples.append(
                sample(
                    f"{number:05}",
                    None if failed else float(right),
                    task=TASKS[number % len(TASKS)],
                    cluster=f"v{number // per_cluster}",
                    epoch=epoch,
                    slices={"age": ("now", "later")[number % 2]},
                    question=f"What is shown at {number} s?",
                    reference="a lamp",
                    prediction="a lamp" if right else "a gate",
                    seconds=1.5,
                    tokens_in=400,
                    tokens_out=20,
                    model_calls=2,
                    frame_ids=("0123abcd" * 8,),
                )
            )
    return run_of(samples, seed=seed, attempts=attempts)
