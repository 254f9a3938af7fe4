"""What a question is after, by a small trained classifier over its sentence vector.

Sentence vectors are those of the bundled MiniLM; `agent.models.embedded.train.intents` trained the weights on some 450
questions. Wordings that nobody listed are understood by their likeness to those.
"""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from agent.models.sentence_encoder import embed_questions


class Intent(NamedTuple):
    """The likeliest intent of a question with its probability."""

    name: str
    p: float


@lru_cache(maxsize=256)
def intent_of(question: str) -> Intent:
    """Return what a question is after, one of the keys of `train/questions.yaml`; about 0.1 s."""
    weight, bias, names = _weights()
    scores = embed_questions([question.strip().lower()])[0] @ weight + bias
    shares = np.exp(scores - scores.max())
    best = int(np.argmax(shares))
    return Intent(names[best], float(shares[best] / shares.sum()))


@cache
def _weights() -> tuple[np.ndarray, np.ndarray, list[str]]:
    with (files(__package__) / "intents.npz").open("rb") as file, np.load(file) as data:
        return (
            data["weight"].astype(np.float32),
            data["bias"].astype(np.float32),
            [str(name) for name in data["intents"]],
        )
