"""Held-out wordings of questions for reporting; not to be looked at while tuning the memory."""

from __future__ import annotations

WORDINGS: dict[str, tuple[str, ...]] = {
    "word now": ("What is written on the sign at the moment?", "Can you read me the current word?"),
    "scene now": ("What is the camera looking at right now?", "What's shown at the moment?"),
    "word ago": ("{ago} there was a word on the screen, what was it?", "Do you remember the word from {ago}?"),
    "word at": (
        "There was a sign at {clock}. What was written on it?",
        "Tell me the word that was visible at {clock}.",
    ),
    "scene ago": ("What could be seen {ago}?", "What was the camera showing {ago}?"),
    "scene at": ("What could be seen at {clock}?", "What was the camera showing at {clock}?"),
    "word before word": ("Just before {word} appeared, which word was there?", "Which word preceded {word}?"),
    "word after word": ("After {word} was gone, which word was next?", "Which word followed {word}?"),
    "word before scene": ("What did the last sign say before the {name} appeared?",),
    "word after scene": ("What did the next sign say after the {name} was gone?",),
    "word on scene": ("When the {name} was shown, a word appeared. Which one?",),
    "times": ("How often did the word {word} appear?",),
}
