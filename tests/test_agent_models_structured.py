"""Checked JSON from a model: what is read of its words, the one repair, and failures that are told apart."""

from __future__ import annotations

import json
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from agent.models.blocks import text_of
from agent.models.scripted import Scripted, Turn
from agent.models.structured import MalformedAnswer, ask_json, read_json
from tools.errors import ModelError


class Mark(BaseModel):
    score: int = Field(ge=0, le=5)
    why: str = ""
    tone: Literal["warm", "cold"] = "warm"


class Heard(Scripted):
    """A scripted model that keeps what it was asked."""

    asked: list[list[str]] = Field(default_factory=list)

    def _stream(self, messages, stop=None, run_manager=None, **kwargs):  # type: ignore[no-untyped-def]
        self.asked.append([text_of(message) for message in messages])
        yield from super()._stream(messages, stop, run_manager, **kwargs)


def model(*answers: str) -> Heard:
    return Heard(turns=[Turn(say=answer) for answer in answers])


@pytest.mark.parametrize(
    "answer",
    [
        '{"score": 4, "why": "close"}',
        '```json\n{"score": 4, "why": "close"}\n```',
        'I would say {"score": 4, "why": "close"}, all in all.',
        'Braces {like these} are no JSON, but {"score": 4, "why": "close"} is.',
        '{\n  "score": 4,\n  "why": "close",\n  "more": {"of": ["no", "use"]}\n}',
    ],
)
def test_the_object_is_found_among_other_words(answer: str) -> None:
    found = ask_json(model(answer), "Rate it.", Mark)
    assert (found.value.score, found.value.why, found.calls) == (4, "close", 1)
    assert found.text == answer
    assert found.tokens_in == 2
    assert found.tokens_out > 0


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("Four out of five.", "there are 0 JSON objects"),
        ('{"score": 4, "why": "it bre', "does not end"),
        ('{"verdict": {"score": 4}, "why": "cut', "does not end"),
        ('{"score": 1} or {"score": 5}', "there are 2 JSON objects"),
        ('{"score": 1, "score": 5}', "a name stands twice"),
        ('{"score": NaN}', "NaN is no JSON"),
        ('{"score": 9}', "score: Input should be less than or equal to 5"),
        ('{"why": "no score"}', "score: Field required"),
        ('{"score": 3, "tone": "hot"}', "tone: Input should be 'warm' or 'cold'"),
        ("[4]", "there are 0 JSON objects"),
        ('{"a":' * 50_000 + "1" + "}" * 50_000, "recursion"),
    ],
)
def test_one_repair_is_asked_for_and_told_what_was_wrong(bad: str, told: str) -> None:
    asked = model(bad, '{"score": 2}')
    found = ask_json(asked, "Rate it.", Mark)
    assert (found.value.score, found.calls) == (2, 2)
    assert asked.asked[0] == ["Rate it."]
    assert asked.asked[1][:2] == ["Rate it.", bad]
    assert told in asked.asked[1][2]
    assert found.tokens_in == sum(len(text.split()) for call in asked.asked for text in call)


def test_a_second_bad_answer_is_a_typed_failure_that_shows_both() -> None:
    with pytest.raises(MalformedAnswer, match=r"twice answered.*Five\?.*with score, why, tone") as caught:
        ask_json(model("Four.", "Five?", '{"score": 1}'), "Rate it.", Mark)
    assert caught.value.answers == ("Four.", "Five?")
    assert isinstance(caught.value, ModelError)


def test_an_outage_is_no_malformed_answer() -> None:
    for answers in ((), ("Four.",)):  # at once, and at the repair
        with pytest.raises(ModelError, match="has no answer for call") as caught:
            ask_json(model(*answers), "Rate it.", Mark)
        assert not isinstance(caught.value, MalformedAnswer)


def test_half_a_character_is_replaced_so_that_the_answer_can_be_stored() -> None:
    found = ask_json(model('{"score": 1, "why": "\\ud83d end"}'), "Rate it.", Mark)
    assert found.value.why == "� end"
    found.text.encode("utf-8")


def test_a_long_answer_is_cut_at_the_most_tokens_and_not_taken_for_whole() -> None:
    whole = '{"score": 1, "why": "one two three four"}'
    assert ask_json(model(whole), "Rate it.", Mark, max_tokens=20).value.score == 1
    with pytest.raises(MalformedAnswer, match="does not end"):
        ask_json(model(whole, whole), "Rate it.", Mark, max_tokens=4)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text("ab{}\"\\ '\n", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz{", min_size=1, max_size=3), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.text("xyz", max_size=3), json_values), st.text("no braces\n:", max_size=20))
def test_any_object_is_read_whatever_stands_around_it(held: dict, around: str) -> None:
    assert read_json(around + json.dumps(held) + around) == held
    assert read_json(f"{around}```json\n{json.dumps(held, indent=2)}\n```{around}") == held


@given(st.text('{}" ab:1,', max_size=40))
def test_any_text_is_one_object_or_refused(text: str) -> None:
    try:
        read = read_json(text)
    except ValueError as error:
        read = {"refused": str(error)}
        assert "JSON object" in read["refused"]
    assert isinstance(read, dict)
