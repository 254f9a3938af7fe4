"""Wordings of questions for development; results use those of `wordings_test`."""

from __future__ import annotations

WORDINGS: dict[str, tuple[str, ...]] = {
    "word now": ("What does the sign say now?", "Which word is shown right now?"),
    "scene now": ("What do you see now?", "What is in the picture now?"),
    "word ago": ("Which word was shown {ago}?", "What did the sign say {ago}?"),
    "word at": ("What did the sign say at {clock}?", "Which word was shown at {clock}?"),
    "scene ago": ("What was on screen {ago}?", "What did you see {ago}?"),
    "scene at": ("What was on screen at {clock}?", "What did you see at {clock}?"),
    "word before word": ("Which word was shown before the word {word}?", "What word came before {word}?"),
    "word after word": ("Which word was shown after the word {word}?", "What word came after {word}?"),
    "word before scene": ("Which word was shown before the {name} picture?",),
    "word after scene": ("Which word was shown after the {name} picture?",),
    "word on scene": ("What word was on the sign earlier, the one with the {name} picture?",),
    "times": ("How many times was the word {word} shown?",),
}
