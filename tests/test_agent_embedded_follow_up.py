"""Questions that lean on the one before."""

import pytest

from agent.models.embedded.rules.question import in_full


@pytest.mark.parametrize(
    ("before", "question", "full"),
    [
        ("What do you see at 0:03?", "And at 0:10?", "What do you see at 0:10?"),
        ("What was shown 20 seconds ago?", "And now?", "What was shown now?"),
        ("What do you see?", "And 20 seconds ago?", "What do you see 20 seconds ago?"),
        ("Which word is on the upper sign?", "And on the other one?", "Which word is on the lower sign?"),
        ("Which word is on the left sign?", "What about the right one?", "Which word is on the right sign?"),
        ("Do you see a dog?", "What about the cat?", "Do you see a cat?"),
        ("Do you see a dog?", "Where is it?", "Where is the dog?"),
        ("When does the dog appear?", "And what colour is it?", "And what colour is the dog?"),
    ],
)
def test_it_is_written_in_full(before: str, question: str, full: str) -> None:
    assert in_full(question, [("user", "Hello"), ("user", before), ("assistant", "...")]) == full


@pytest.mark.parametrize(
    ("before", "question"),
    [
        ("", "And at 0:10?"),
        ("Do you see a dog and a cat?", "Where is it?"),
        ("What do you see?", "Where is it?"),
        ("Do you see a dog?", "Is it blurry?"),
        ("Do you see a dog?", "And what happens then?"),
        ("What does the sign say?", "And on the other one?"),
    ],
)
def test_others_stay_as_they_are(before: str, question: str) -> None:
    assert in_full(question, [("user", before)] if before else []) == question
