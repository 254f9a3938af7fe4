"""What controls and people speak of, in English and German, and a little in Spanish, French and Italian.

All lists are our choice. Those of hospitals are of what records, orders and picture archives hold in general; they were
written while the words of two people for the tuning half of the sequel to MedSPOT were at hand.
"""

from __future__ import annotations

from tools.wordlists import load_words

MEANINGS: dict[str, tuple[str, str]] = {
    name: ("|".join(words), "|".join(load_words(__package__, "meanings_said")[name]))
    for name, words in load_words(__package__, "meanings").items()
}
"""For each meaning: words for it on either side, and words that only people use; regular expressions in lower case."""
ACTIONS = frozenset(list(MEANINGS)[: list(MEANINGS).index("medication")])
"""Meanings that say what is done, those before the things."""
CHANGING = frozenset("delete save add edit sign stop start send record confirm anonymize upload".split())
"""Meanings of what changes something."""
LABELS: dict[str, tuple[str, ...]] = dict(load_words(__package__, "labels"))
"""Words on controls that mean the same."""
GO_AHEAD = "what confirms it"
"""Stands for a button that confirms, however it is called; nobody says so."""


def meaning(words: str) -> frozenset[str]:
    """Words on controls that mean the same as some words do, without these."""
    wanted = words.casefold().strip()
    if wanted == GO_AHEAD:
        return frozenset(LABELS["confirm"]) | {"okay", "apply", "anwenden", "übernehmen"}
    same = {
        label
        for intent, labels in LABELS.items()
        if wanted == intent or wanted in labels
        for label in (*labels, intent)
    }
    return frozenset(same) - {wanted}
