"""Raw model text taken apart into what is said, thought and called."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.models.answer_parser import AnswerParser, Part

LOOK = {
    "type": "function",
    "function": {
        "name": "look",
        "parameters": {
            "type": "object",
            "properties": {"t_s": {"type": "number"}, "note": {"type": "string"}, "fine": {"type": "boolean"}},
        },
    },
}
CALL = '{"name": "look", "arguments": {"t_s": 5}}'
XML_CALL = (
    "<tool_call>\n<function=look>\n<parameter=t_s>\n5\n</parameter>\n<parameter=note>\n12\n</parameter>\n</function>\n"
    "</tool_call>"
)


def parse(raw: str, *, cuts: tuple[int, ...] = (), tools: bool = True, thinking: bool = False) -> list[Part]:
    parser = AnswerParser([LOOK] if tools else [], thinking=thinking)
    ends = [*sorted(cuts), len(raw)]
    parts: list[Part] = []
    for start, end in zip([0, *ends], ends, strict=False):
        parts += parser.feed(raw[start:end])
    parts += parser.end()
    merged: list[Part] = []
    for part in parts:
        if merged and part.kind != "call" and merged[-1].kind == part.kind:
            merged[-1] = Part(part.kind, merged[-1].text + part.text)
        else:
            merged.append(part)
    return merged


@pytest.mark.parametrize(
    ("raw", "said", "arguments"),
    [
        (f"I look.<tool_call>\n{CALL}\n</tool_call>", "I look.", [{"t_s": 5}]),
        (f"<tool_call>{CALL}</tool_call><tool_call>{CALL}</tool_call>", "", [{"t_s": 5}, {"t_s": 5}]),
        (f"<tool_call>{CALL}", "", [{"t_s": 5}]),
        (XML_CALL, "", [{"t_s": 5, "note": "12"}]),
        (CALL, "", [{"t_s": 5}]),
        ('{"name": "look", "parameters": {"fine": true}}', "", [{"fine": True}]),
        (f"[TOOL_CALLS] [{CALL}]", "", [{"t_s": 5}]),
    ],
)
def test_calls_are_found_in_the_common_forms(raw: str, said: str, arguments: list[dict[str, object]]) -> None:
    parts = parse(raw)
    assert "".join(part.text for part in parts if part.kind == "text") == said
    calls = [part for part in parts if part.kind == "call"]
    assert [json.loads(call.text) for call in calls] == arguments
    assert {call.name for call in calls} == {"look"}


@pytest.mark.parametrize(
    "raw",
    [
        "<tool_call>not json</tool_call>",
        '<tool_call>{"arguments": {}}</tool_call>',
        '{"name": "unknown", "arguments": {}}',
        '{"a": 1}',
        "[0:05] A cyclist.",
        "1 < 2 and <b>bold</b>",
    ],
)
def test_what_is_no_call_stays_text(raw: str) -> None:
    assert parse(raw) == [Part("text", raw)]


def test_json_is_an_answer_where_no_tool_is_bound() -> None:
    assert parse(CALL, tools=False) == [Part("text", CALL)]


def test_thoughts_are_kept_apart() -> None:
    assert parse("<think>red?</think>\n\nA car.") == [Part("reasoning", "red?"), Part("text", "A car.")]
    assert parse("red?</think>A car.", thinking=True) == [Part("reasoning", "red?"), Part("text", "A car.")]
    assert parse("<think>cut off") == [Part("reasoning", "cut off")]


def test_text_streams_before_the_answer_is_over() -> None:
    parser = AnswerParser([LOOK])
    assert list(parser.feed("A cyclist <")) == [Part("text", "A cyclist ")]
    assert list(parser.feed("3")) == [Part("text", "<3")]


@given(
    st.sampled_from([f"Hm.<think>a<b</think> So: <tool_call>{CALL}</tool_call> done", XML_CALL, CALL, "a <thi nk> b"]),
    st.lists(st.integers(0, 200), max_size=12),
)
def test_pieces_do_not_change_the_parts(raw: str, cuts: list[int]) -> None:
    assert parse(raw, cuts=tuple(min(cut, len(raw)) for cut in cuts)) == parse(raw)


@given(st.text(alphabet='<>/{}[] \nthink:"é', max_size=40).filter(lambda text: "<think>" not in text))
def test_nothing_is_lost(text: str) -> None:
    assert "".join(part.text for part in parse(text)) == text.lstrip()
