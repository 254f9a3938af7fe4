"""OVO-Bench as a suite: see README.md."""

from __future__ import annotations

from evals.engine.suite import Suite
from evals.suites.moments import figures, oracle, random_choice, scorer
from evals.suites.ovobench.dataset import Options, load
from evals.suites.ovobench.prompts import PROMPTS
from evals.suites.ovobench.scorer import score

SUITE = Suite(
    name="ovobench",
    title="OVO-Bench: moments of 644 videos; backward, real-time and forward questions",
    version=1,
    load=load,
    score=scorer(score),
    solve="stream",
    prompts=PROMPTS,
    options=Options,
    baselines={
        "oracle": oracle,
        "random": random_choice(
            {"choice": "ABCD", "count": "0123456789", "step": ("Yes", "No"), "enough": ("Yes", "No")}
        ),
    },
    figures=figures(score),
)
