"""Fusion of rankings (`rrf`) and diversification of a ranking (`mmr`)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

RRF_K = 60
"""The constant of reciprocal rank fusion, as in Cormack, Clarke and Büttcher, SIGIR 2009, section 2. Toolkits differ:
MedRAG's takes 100, which lets lower ranks count for more."""
MMR_LAMBDA = 0.7
"""Weight of relevance against similarity in `mmr`; our choice. With 1, the order is unchanged."""


def rrf(
    rankings: Mapping[str, Sequence[str]], weights: Mapping[str, float] | None = None, k: int = RRF_K
) -> list[tuple[str, float]]:
    """Fuse rankings: the score of an id is the sum, over those that name it, of weight / (k + rank), ranks from 1.

    Args:
        rankings: ids by the name of their channel, best first; a repeated id counts at its best rank.
        weights: of the channels; others weigh 1.
        k: the constant; see `RRF_K`.

    Returns:
        (id, score), best first; ties by id, so that the order is deterministic.
    """
    scores: dict[str, list[float]] = {}
    for channel, ids in rankings.items():
        weight = (weights or {}).get(channel, 1.0)
        for rank, id_ in enumerate(dict.fromkeys(ids), start=1):
            scores.setdefault(id_, []).append(weight / (k + rank))
    # An exact sum: the order of the channels must not decide a tie.
    fused = [(id_, math.fsum(parts)) for id_, parts in scores.items()]
    return sorted(fused, key=lambda pair: (-pair[1], pair[0]))


def mmr(
    relevance: Sequence[float], words: Sequence[Sequence[str]], limit: int, lambda_: float = MMR_LAMBDA
) -> list[int]:
    """Select relevant items that are unlike those already selected: maximal marginal relevance.

    Carbonell and Goldstein, SIGIR 1998: each next item maximises lambda * relevance - (1 - lambda) * similarity to the
    most similar selected one. Relevance is scaled to 0..1 here, and similarity is the cosine of word counts.

    Args:
        relevance: of each candidate, the higher the better.
        words: of each candidate.
        limit: maximum number of selected items.
        lambda_: see `MMR_LAMBDA`.

    Returns:
        Indices of the selected items, in order of selection; ties by index.
    """
    counts = [Counter(each) for each in words]
    lengths = [math.sqrt(sum(number**2 for number in count.values())) for count in counts]
    low, high = min(relevance, default=0.0), max(relevance, default=0.0)
    scaled = [(value - low) / (high - low) if high > low else 1.0 for value in relevance]
    likest = [0.0] * len(counts)
    left = list(range(len(counts)))
    chosen: list[int] = []
    while left and len(chosen) < limit:
        best = max(left, key=lambda place: (lambda_ * scaled[place] - (1 - lambda_) * likest[place], -place))
        left.remove(best)
        chosen.append(best)
        for place in left:
            shared = sum(number * counts[best][word] for word, number in counts[place].items())
            if shared:
                likest[place] = max(likest[place], shared / (lengths[best] * lengths[place]))
    return chosen
