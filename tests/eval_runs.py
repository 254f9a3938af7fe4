"""Scored runs made up for tests, seeded: samples share clusters, and differ in how hard they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from evals.results import RunResults, SampleResult

TASKS = ("read", "time", "memory")


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
