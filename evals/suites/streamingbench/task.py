"""StreamingBench as a suite: see README.md."""

from __future__ import annotations

from evals.engine.suite import Suite
from evals.suites.moments import figures, oracle, random_choice, scorer
from evals.suites.streamingbench.dataset import Options, load
from evals.suites.streamingbench.prompts import PROMPTS
from evals.suites.streamingbench.scorer import score

SUITE = Suite(
    name="streamingbench",
    title="StreamingBench: moments of 900 videos; real-time, omni-source, sequential and proactive questions",
    version=1,
    load=load,
    score=scorer(score),
    solve="stream",
    prompts=PROMPTS,
    options=Options,
    baselines={"oracle": oracle, "random": random_choice({"choice": "ABCD", "sequence": "ABCD"})},
    figures=figures(score),
)
