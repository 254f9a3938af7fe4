"""FREAK's scores: reading letters and verdicts as released and as mended, and the two rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.freak.scorer import (
    LETTERS,
    PERMUTATIONS,
    EmptyReply,
    ItemError,
    PublishedDefect,
    as_published,
    by_group,
    controlled,
    read_letter,
    read_verdict,
    score_choices,
    score_free,
    shown,
    summarise,
    without_thinking,
)

OPTIONS = ["Six.", "Five.", "Four.", "None of these."]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("It must be C", "C"),
        ("Both B. and A.", "A"),
        ("is: B, surely", "B"),
        ("{C} it is", "C"),
        ("b", "D"),
        ("(B)", "D"),
        ("<answer>B</answer> or <answer>C</answer>", "B"),
        ("A. <answer>no idea</answer>", "D"),
    ],
)
def test_letters_are_read_alike_with_and_without_trimming(text: str, letter: str) -> None:
    assert read_letter(text) == read_letter(text, published=True) == letter


@pytest.mark.parametrize("text", ["B\n", "<answer> B </answer>", " B "])
def test_blanks_cost_the_answer_only_as_released(text: str) -> None:
    assert read_letter(text) == "B"
    assert read_letter(text, published=True) == "D"


def test_an_empty_reply_stops_the_released_script_and_is_d_here() -> None:
    assert read_letter("") == read_letter("<answer></answer>") == "D"
    with pytest.raises(EmptyReply):
        read_letter("", published=True)


def test_thinking_is_cut_off_only_where_both_marks_stand() -> None:
    assert without_thinking("<think>B</think> A ") == "A"
    assert without_thinking("B</think>A") == "B</think>A"
    assert without_thinking("[B] A", "[", "]") == "A"


@given(st.permutations(range(3)), st.integers(0, 3))
def test_whoever_sticks_to_one_content_is_scored_by_it(names: list[int], content: int) -> None:
    item = score_choices([LETTERS[order.index(content)] for order in PERMUTATIONS])
    assert (item.accuracy, item.hallucination) == (float(content == 0), float(content == 1))
    lines = shown([OPTIONS[name] for name in names] + OPTIONS[3:], PERMUTATIONS[3])
    assert lines[3] == "D. None of these."


def test_whoever_sticks_to_one_letter_is_right_twice() -> None:
    for letter in "ABC":
        item = score_choices([letter] * 6)
        assert (item.scores.count(1), item.scores.count(-1), item.scores.count(0)) == (2, 2, 2)


def test_the_stray_letter_stands_behind_the_third_option() -> None:
    assert shown(OPTIONS, PERMUTATIONS[1], stray=True) == ["A. Six.", "B. Four.", "C. Five.t", "D. None of these."]


def test_verdicts_are_trimmed_here_but_not_as_released() -> None:
    assert read_verdict("so <judge> Correct\n</judge>") == "correct"
    assert score_free("<judge> correct</judge>").scores == (1,)
    assert score_free("<judge> correct</judge>", published=True).scores == (0,)
    assert score_free("<judge>typical</judge><judge>correct</judge>").hallucination == 1
    assert score_free("correct").scores == (0,)


def test_rates_weigh_items_alike_whatever_their_type() -> None:
    items = [score_choices(list("AABCBC")), score_choices(["A"] * 6), score_free("<judge>typical</judge>")]
    got = summarise(items)
    assert got["total_accuracy"] == pytest.approx((1 + 1 / 3) / 3)
    assert got["total_hallu"] == pytest.approx((1 / 3 + 1) / 3)
    assert (got["fib_accuracy"], got["n_mcq"]) == (0, 2)
    assert summarise([])["total_accuracy"] is None


def test_the_released_defect_replaces_options_by_a_verdict() -> None:
    item = as_published("mcq", "<judge>correct</judge>")
    assert item.scores == (1,)
    with pytest.raises(PublishedDefect):
        summarise([item])
    assert summarise([as_published("fib", "<judge>correct</judge>")])["fib_accuracy"] == 1


def test_an_item_counts_once_in_each_of_its_groups() -> None:
    right, wrong = score_free("<judge>correct</judge>"), score_free("")
    got = by_group([(right, ["shape", "color", "ocr"]), (wrong, ["color"])])
    assert got["Attribute"]["fib_accuracy"] == 0.5
    assert got["OCR"]["n_fib"] == 1
    with pytest.raises(ItemError, match="'taste'"):
        by_group([(right, ["taste"])])


def test_pairs_of_images_give_the_drop() -> None:
    assert controlled([(True, False), (True, True)]) == {"normal": 1, "edited": 0.5, "drop": 0.5}
    with pytest.raises(ItemError):
        controlled([])


def test_items_need_four_options_and_six_replies() -> None:
    with pytest.raises(ItemError, match="3 options"):
        shown(OPTIONS[:3], PERMUTATIONS[0])
    with pytest.raises(ItemError, match="1 replies"):
        score_choices(["A"])
