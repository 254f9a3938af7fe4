"""How long questions take, and how much memory a process held: shared by the parts of `evals.bench.literature`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

WARM, PASSES = 20, 3
"""Questions that are asked before, and how often all are asked; the median of the passes is stated. Our choice."""


def percentiles(ask: Callable[[str], object], questions: Sequence[str], passes: int = PASSES) -> dict[str, float]:
    """Median and 95th percentile over the questions, of the wall and of the processor with all threads, in ms.

    The second is not lengthened by waiting for other work of the machine.
    """
    for question in questions[:WARM]:
        ask(question)
    found = []
    for _ in range(passes):
        times = []
        for question in questions:
            wall, cpu = time.perf_counter(), time.process_time()
            ask(question)
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        found.append(1_000 * np.percentile(times, [50, 95], axis=0))  # (2, wall and processor)
    (wall_50, cpu_50), (wall_95, cpu_95) = np.median(found, axis=0).tolist()
    return {"p50_ms": wall_50, "p95_ms": wall_95, "cpu_p50_ms": cpu_50, "cpu_p95_ms": cpu_95}


def most_mb() -> float:
    """The most memory that this process held, in MB; on Linux without what its parent had."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) / 1e3
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)
