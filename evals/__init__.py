"""Suites and benchmarks, the engine that runs them, and comparison of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.lazy import make_getattr

if TYPE_CHECKING:
    from evals.engine.data import need_folder, read_json_lines
    from evals.engine.prepare import RunOptions
    from evals.engine.run import run_suite
    from evals.engine.suite import Loaded, Sample, Scored, Suite, Transcript
    from evals.results import load_results
    from evals.stats.compare import compare
    from evals.suites import load_suite

__all__ = [
    "Loaded",
    "RunOptions",
    "Sample",
    "Scored",
    "Suite",
    "Transcript",
    "compare",
    "load_results",
    "load_suite",
    "need_folder",
    "read_json_lines",
    "run_suite",
]

__getattr__ = make_getattr(
    __name__,
    {
        "Loaded": "evals.engine.suite",
        "RunOptions": "evals.engine.prepare",
        "Sample": "evals.engine.suite",
        "Scored": "evals.engine.suite",
        "Suite": "evals.engine.suite",
        "Transcript": "evals.engine.suite",
        "compare": "evals.stats.compare",
        "load_results": "evals.results",
        "load_suite": "evals.suites",
        "need_folder": "evals.engine.data",
        "read_json_lines": "evals.engine.data",
        "run_suite": "evals.engine.run",
    },
)
