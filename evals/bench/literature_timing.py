"""Latency percentiles and peak memory, shared by the parts of `evals.bench.literature`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

WARM, PASSES = 20, 3
"""Number of warm-up questions, and of passes over all questions; reports the median of the passes."""


def percentiles(ask: Callable[[str], object], questions: Sequence[str], passes: int = PASSES) -> dict[str, float]:
    """Return median and 95th percentile over the questions, of wall time and of the processor with all threads, in ms.

    Processor time is not affected by waiting for other work of the machine.
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
    """Return the peak memory of this process, in MB; on Linux without that of its parent."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))) / 1e3
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)
