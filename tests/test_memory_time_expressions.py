"""What a question says about time."""

from __future__ import annotations

from datetime import datetime

import pytest

from memory.stream.time_expressions import content_words, parse_time_expression
from tools.media.types import Span

NOW_S = 9000.0


@pytest.mark.parametrize(
    ("question", "middle_s"),
    [
        ("Which word was shown 20 seconds ago?", 8980),
        ("What was on screen two and a half hours ago?", 0),
        ("what was there half an hour ago", 7200),
        ("An hour and a half ago, what did you see?", 3600),
        ("twenty-five minutes ago", 7500),
        ("thirty five seconds ago", 8965),
        ("What did it say 45 mins ago?", 6300),
        ("a quarter of an hour ago", 8100),
        ("a couple of minutes back", 8880),
        ("What did the sign say at 12:30?", 750),
        ("at 1:02:30", 3750),
        ("What was there around 12:30?", 750),
    ],
)
def test_a_named_moment_is_a_span_around_it(question: str, middle_s: float) -> None:
    hint = parse_time_expression(question, NOW_S)
    assert hint.kind == "span"
    assert hint.span is not None
    assert hint.span.start_s <= middle_s <= hint.span.end_s
    assert hint.span.end_s - hint.span.start_s <= max(60.0, 0.2 * (NOW_S - middle_s))


@pytest.mark.parametrize(
    ("question", "span"),
    [
        ("What happened in the last ten minutes?", Span(8400, 9000)),
        ("Who came by during the past hour?", Span(5400, 9000)),
        ("What was shown between 9:00 and 9:30?", Span(540, 570)),
        ("What has happened since 10:00?", Span(600, 9000)),
    ],
)
def test_a_named_stretch_is_that_stretch(question: str, span: Span) -> None:
    assert parse_time_expression(question, NOW_S).span == span


@pytest.mark.parametrize(
    "question", ["What does the sign say now?", "Is there a dog?", "What do you see?", "What happened just now?"]
)
def test_the_present_needs_no_past(question: str) -> None:
    assert parse_time_expression(question, NOW_S).kind == "present"


@pytest.mark.parametrize(
    ("question", "kind", "edge"),
    [
        ("What came before the harbour picture?", "before", "harbour"),
        ("Which word was shown after the word LAMP?", "after", "LAMP"),
        ("Where are my keys?", "past", ""),
        ("When did the red car arrive?", "past", ""),
        ("Have you seen a bicycle earlier?", "past", ""),
        ("What did you see before that?", "past", ""),
    ],
)
def test_other_questions_are_about_the_past(question: str, kind: str, edge: str) -> None:
    hint = parse_time_expression(question, NOW_S)
    assert (hint.kind, hint.edge) == (kind, edge)


@pytest.mark.parametrize(
    ("question", "unwatched"),
    [
        ("What was there 5 minutes ago?", "5 minutes ago"),
        ("What was there three hours back?", "three hours back"),
        ("Who came by two days ago?", "two days ago"),
        ("What was there a minute ago?", ""),
        ("What was there 110 seconds ago?", ""),  # people round
        ("What was shown in the last hour?", ""),
        ("What did you see at 0:30?", ""),
    ],
)
def test_a_moment_before_the_beginning_was_not_watched(question: str, unwatched: str) -> None:
    hint = parse_time_expression(question, 100.0)
    assert (hint.kind, hint.unwatched) == ("span", unwatched)


def test_how_many_times_counts() -> None:
    hint = parse_time_expression("How many times was the word LAMP shown?", NOW_S)
    assert (hint.kind, hint.words, hint.counts) == ("past", "LAMP", True)


def test_times_and_idle_words_are_no_words_to_search_for() -> None:
    assert content_words("What did the red sign say at 12:30, twenty minutes ago?") == "red"


def test_a_live_source_reads_times_of_the_day_where_it_was_watched() -> None:
    began = datetime(2026, 3, 1, 8, 0).astimezone().timestamp()
    three_hours_s = 3 * 3600.0
    for question, t_s in (("What was there at 10:32?", 9120), ("at 9 am", 3600), ("at 10:05:30", 7530)):
        hint = parse_time_expression(question, three_hours_s, began)
        assert hint.span is not None
        assert t_s in hint.span
    assert parse_time_expression("at 3 pm", three_hours_s, began).span is None  # not yet
    assert parse_time_expression("at 7:50", three_hours_s, began).span == Span(468, 472)  # before it began: media time
    night_s = 16 * 3600.0
    assert parse_time_expression("at 9 pm", night_s, began).span == Span(13 * 3600 - 2, 13 * 3600 + 2)
