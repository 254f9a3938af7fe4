"""StreamingBench as a suite. The prompts are worded by us; `--prompt FILE` takes others, such as the authors'."""

from __future__ import annotations

from evals.suites.sample import Suite
from evals.suites.streamingbench.dataset import GROUPS, load
from evals.suites.streamingbench.scorer import score

PROMPTS = {
    "choice": (
        "Choose the option that answers the question about the video at this moment. "
        "Write its letter (A, B, C or D) and nothing else.\n\nQuestion: {question}\n{options}\n\nLetter:"
    ),
    "sequence": (
        "{context}Choose the option that answers the question about the video at this moment. "
        "Write its letter (A, B, C or D) and nothing else.\n\nQuestion: {question}\n{options}\n\nLetter:"
    ),
    "wait": (
        "This was asked for: {question}\n"
        'Look at the newest frames. Is this the moment to put out "{output}"? Write yes or no and nothing else.'
    ),
    "speak": "The moment has come. Do what was asked for, and write nothing else: {question}",
}

SUITE = Suite(
    name="streamingbench",
    title="StreamingBench: moments of 900 videos; real-time, omni-source, sequential and proactive questions",
    groups=GROUPS,
    version=1,
    load=load,
    prompts=PROMPTS,
    score=score,
)
