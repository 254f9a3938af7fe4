"""Events, names and links by rules: through their public functions, on small texts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.narrative.causal_order import illegal
from memory.narrative.ingest.cues import Cue
from memory.narrative.ingest.extract_rules import (
    MOST_RESUMED,
    MentionIndex,
    count_heads,
    entities_of,
    extract,
    kind_of,
    link,
    mentions,
    sentences,
)
from memory.narrative.ingest.segments import tile
from memory.narrative.types import MAX_SUMMARY_WORDS, Segment


def scene(number: int, caption: str, dialogue: str = "") -> Segment:
    return Segment(source="tale", number=number, start_s=number, end_s=number + 1, caption=caption, dialogue=dialogue)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A man came in. He hid the letter well.", ["A man came in.", "He hid the letter well."]),
        ("Mr. Hill met Dr. Reed at noon. They went home together.",
         ["Mr. Hill met Dr. Reed at noon.", "They went home together."]),
        ('"Where are you?" cried his wife. Nobody answered her at all.',
         ['"Where are you?" cried his wife.', "Nobody answered her at all."]),
        ("No! The house burns down. Help!", ["No! The house burns down. Help!"]),
        ("the words have no end", ["the words have no end"]),
        ("", []),
    ],
)  # fmt: skip
def test_a_sentence_is_an_event_and_scraps_join_it(text: str, expected: list[str]) -> None:
    assert [sentence.text for sentence in sentences(scene(0, text))] == expected


words = st.lists(
    st.sampled_from(["the", "king", "ran", "and", "fell.", "so,", "he", "“Oh!”", "A", "fire", "\n"]), max_size=120
)


@given(words, words)
def test_no_word_is_lost_or_told_twice(caption: list[str], dialogue: list[str]) -> None:
    segment = scene(3, " ".join(caption), " ".join(dialogue))
    told = list(sentences(segment))
    assert " ".join(sentence.text for sentence in told).split() == [*segment.caption.split(), *segment.dialogue.split()]
    assert all(len(sentence.text.split()) <= MAX_SUMMARY_WORDS for sentence in told)
    events = extract([segment])
    assert [event.start_s for event in events] == sorted(event.start_s for event in events)
    for field in ("caption", "dialogue"):
        summaries = [event.summary for event in events if event.spans[0].field == field]
        assert summaries == [sentence.text for sentence in told if sentence.field == field]
    for event in events:
        (span,) = event.spans
        assert " ".join(getattr(segment, span.field)[span.start : span.end].split()) == event.summary
        assert segment.start_s <= event.start_s <= event.end_s <= segment.end_s
        assert event.segment_ids == (segment.id,)
    by_id = {event.id: event for event in events}
    for one in link(events):
        assert illegal(by_id[one.src], by_id[one.dst], one.type) is None


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(1, 40), st.sampled_from(["Go.", "The king ran away.", "so it\nis"]))
    )
)
def test_what_is_said_has_the_times_of_its_cues(timed: list[tuple[int, int, str]]) -> None:
    cues = [Cue(start, start + lasts, text) for start, lasts, text in timed]
    segments = tile(cues, source="tale", duration_s=140.0)
    for one in extract(segments, {}, cues):
        (segment,) = [segment for segment in segments if (segment.id,) == one.segment_ids]
        assert segment.start_s <= one.start_s <= one.end_s <= segment.end_s
        said = [cue for cue in cues if segment.start_s <= cue.start_s < segment.end_s]
        assert one.start_s in {cue.start_s for cue in said}
        assert one.end_s in {min(cue.end_s, segment.end_s) for cue in said}


def test_short_sentences_are_one_event_only_if_they_follow_at_once() -> None:
    def told(*cues: Cue) -> list[tuple[float, float, str]]:
        segments = tile(cues, source="tale", duration_s=60.0)
        return [(one.start_s, one.end_s, one.summary) for one in extract(segments, {}, cues)]

    assert told(Cue(10, 11, "He knocked."), Cue(20, 21, "He knocked.")) == [
        (10, 11, "He knocked."),
        (20, 21, "He knocked."),
    ]
    assert told(Cue(10, 11, "Wait!"), Cue(11.2, 12, "He knocked.")) == [(10, 12, "Wait! He knocked.")]
    assert told(Cue(10, 11, "No! He knocked.")) == [(10, 11, "No! He knocked.")]
    assert told(Cue(1, 9, "A long song."), Cue(2, 3, "Wait!"), Cue(9.5, 10, "Go on.")) == [
        (1, 10, "A long song. Wait! Go on.")
    ]
    three = (Cue(1, 2, "The man ran away."), Cue(2.5, 3, "Stop!"), Cue(9, 10, "He fell into the river."))
    assert told(*three) == [(1, 3, "The man ran away. Stop!"), (9, 10, "He fell into the river.")]
    sections = [Cue(0, 1, "He knocked.\nHe waited.", clock="sections")]
    assert [one.summary for one in extract(tile(sections, source="tale"), {}, sections)] == ["He knocked. He waited."]


def test_names_and_nouns_are_told() -> None:
    text = "The old king gave his silver ring to Anna Reed, and the king slept."
    told = [scene(0, text), scene(1, "The ring shone.")]
    heads = count_heads(told)
    assert mentions(text, heads) == ("king", "ring", "Anna Reed")
    assert mentions("Then She slept. However, it rained.", heads) == ()
    assert mentions("Snow fell on Anna's roof.", heads) == ("Anna",)
    assert [kind_of(name) for name in ("king", "ring", "Anna Reed")] == ["person", "object", "person"]
    event, _ = extract(told)
    assert event.actors == ("king", "Anna Reed")
    assert event.objects == ("ring",)
    assert [entity.name for entity in entities_of([event, event])] == ["king", "Anna Reed", "ring"]


def test_what_comes_up_again_is_linked_to_where_it_was_last() -> None:
    events = extract(
        [
            scene(0, "A man hides the letter in a desk."),
            scene(1, "The sun shines over a field."),
            scene(2, "The rain falls on the field."),
            scene(5, "A boy finds the letter in the sand."),
        ]
    )
    links = link(events)
    assert [(one.src, one.dst) for one in links if one.type == "next"] == [(a.id, b.id) for a, b in pairwise(events)]
    (again,) = [one for one in links if one.type == "resumes"]
    assert (again.src, again.dst, again.why) == (events[0].id, events[3].id, "both name 'letter'")
    assert again.segment_ids == (*events[0].segment_ids, *events[3].segment_ids)


def test_a_cause_that_is_named_is_a_link() -> None:
    events = extract([scene(0, "The fire burns down the desk. Therefore nothing is left of it.")])
    assert [(one.type, one.src == events[0].id) for one in link(events)] == [("next", True), ("causes", True)]


def test_a_cause_is_what_was_told_before_in_the_same_field() -> None:
    cues = [Cue(0, 5, "The fire burns down the desk."), Cue(20, 25, "So nothing is left of it.")]
    seen = [(8.0, "", "a man runs to the river"), (9.0, "", "rain falls on the field")]
    segments = tile(cues, seen, source="tale", duration_s=30.0)
    events = extract(segments, {}, cues)
    assert [event.spans[0].field for event in events] == ["caption", "dialogue", "caption", "dialogue"]
    (cause,) = [one for one in link(events) if one.type == "causes"]
    assert (cause.src, cause.dst) == (events[1].id, events[3].id)
    named = MentionIndex()
    assert [*link(events[:3], named), *link(events[3:], named, events[2])] == link(events)


def test_no_cause_is_named_that_comes_later_in_the_story() -> None:
    burns, left = extract([scene(0, "The fire burns down the desk. So nothing is left of it.")])
    flashback = left.model_copy(update={"story_s": -1.0})
    assert [one.type for one in link([burns, flashback])] == ["next"]


def test_links_cost_the_same_however_much_came_before() -> None:
    named = MentionIndex()
    many = extract(
        [scene(n, f"The fox {n % 7} meets a crow, a hen, an ox and the pig of Farm{n % 50} there.") for n in range(400)]
    )
    links = link(many, named)
    of = [sum(one.dst == event.id and one.type == "resumes" for one in links) for event in many]
    assert max(of) <= MOST_RESUMED


def test_links_in_parts_are_those_of_the_whole() -> None:
    events = extract([scene(n, f"The fox {n} meets Mole{n % 4} at the river bank.") for n in range(12)])
    named = MentionIndex()
    parts = [*link(events[:5], named), *link(events[5:], named, events[4])]
    assert parts == link(events)
