"""ProactiveBench's environments and judge, by the rules in its README; the episodes were worked out by hand."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.suites.proactivebench import environments as env
from evals.suites.proactivebench.matching import match, robust
from evals.suites.proactivebench.records import (
    CIT,
    COCO,
    DATASETS,
    INC,
    MVPN,
    QD,
    ROD,
    VSOD,
    Action,
    EntryError,
    FieldError,
    OptionError,
    Record,
    UnknownEnvironment,
)
from evals.suites.proactivebench.scorer import (
    UnknownDataset,
    is_kept,
    judge_answers,
    kept_ids,
    parse_judgement,
    play,
    rates,
    sample_open_ended_answers,
    statistics,
)

SIZES = {ROD: 88, VSOD: 42, MVPN: 2591, INC: 1095, QD: 2105, CIT: 396, COCO: 1240}
"""How many samples of each data set take part (paper, table of the data sets)."""

OPTIONS = {
    ROD: ["Move the blocks to the left.", "Move the blocks to the right."],
    VSOD: ["Rewind the video.", "Wait for the occlusion to disappear."],
    MVPN: ["Rotate the object."],
    INC: ["Denoise the image.", "Deblur the image."],
    QD: ["Add details."],
    CIT: ["Rewind the video.", "Wait for the object to appear."],
    COCO: ["Move the camera to the left.", "Move the camera up."],
}
TEMPLATES = {MVPN: "{informative}/{image}.png", INC: "{level}.png", COCO: "a.png"}


def record(dataset: str, **changes: Any) -> Record:
    fields: dict[str, Any] = {
        "id": 1,
        "image_template": TEMPLATES.get(dataset, "s{image}.png"),
        "first_image": 5 if dataset == INC else 0,
        "num_images": 1 if dataset == COCO else 5,
        "reference_image": 1,
        "prompt": "What is it?",
        "options": [*OPTIONS[dataset], "I cannot tell."],
        "categories": ["Cat.", "Dog."],
        "answer": "Dog.",
        "valid_images": [0, 3, 1, 4, 2] if dataset == MVPN else [],
        "quality_answer": "Deblur the image." if dataset == INC else None,
    }
    if dataset == CIT:
        fields |= {"step_size": 2, "max_steps": 4}
    if dataset == COCO:
        crop = {"top": 50, "left": 60, "height": 100, "width": 200}
        fields |= {"direction": "up_left", "granularity": 2, "horizontal_step": 10, "vertical_step": 5, "crop": crop}
    return Record.model_validate(fields | changes)


def episode(dataset: str, *answers: str, **changes: Any) -> tuple[env.Environment, env.State, list[env.Observation]]:
    environment, state = env.start(dataset, record(dataset, **changes))
    seen = [env.observe(environment, state)]
    for text in answers:
        state = env.answer(environment, state, text)
        seen.append(env.observe(environment, state))
    return environment, state, seen


@pytest.mark.parametrize(
    ("dataset", "answers", "images"),
    [
        (ROD, ["A", "B", "B", "Dog."], ["s0.png", "s4.png", "s0.png", "s1.png"]),
        (VSOD, ["A", "B", "E"], ["s0000.png", "s0004.png", "s0000.png"]),
        (MVPN, ["A", "A", "D"], ["0/0000.png", "0/0003.png", "0/0001.png"]),
        (INC, ["B", "B", "e"], ["5.png", "4.png", "3.png"]),
        (QD, ["Add details.", "A", "D. Dog."], ["s0000.png", "s0001.png", "s0002.png"]),
        # At the start there is no rewinding, at the end no waiting: the letters move.
        (CIT, ["A", "A", "E"], ["s0.png", "s2.png", "s0.png"]),
    ],
)
def test_the_right_suggestions_lead_to_a_right_answer(dataset: str, answers: list[str], images: list[str]) -> None:
    environment, state, seen = episode(dataset, *answers)
    if dataset == CIT:
        assert seen[0].options[0] == "Wait for the object to appear."
        assert len(seen[1].options) == 5
        assert not state.correct
        return
    assert [s.image for s in seen][: len(images)] == images
    assert state.correct
    assert state.stopped
    assert statistics(environment, state)["num_turns"] == len(answers)


def test_a_video_is_wound_within_its_ends() -> None:
    _, state, seen = episode(CIT, "A", "B", "A", "E")
    assert [s.image for s in seen[:4]] == ["s0.png", "s2.png", "s4.png", "s2.png"]
    assert seen[2].options[:2] == ("Rewind the video.", "I cannot tell.")
    assert state.correct
    assert "frame of a video" in seen[0].prompt


def test_the_crop_grows_until_an_axis_is_exhausted() -> None:
    environment, state, seen = episode(COCO, "A", "A", "C")
    assert [s.crop for s in seen[:3]] == [(50, 45, 200, 100), (40, 45, 200, 100), (40, 40, 200, 100)]
    assert [len(s.options) for s in seen[:3]] == [5, 4, 3]
    assert state.correct
    assert environment.max_steps == 4
    zoom = {"direction": "zoom", "options": ["Move farther from the object.", "I cannot tell."]}
    _, _, seen = episode(COCO, "A", **zoom)
    assert [s.crop for s in seen] == [(50, 45, 270, 155), (40, 40, 280, 160)]


def test_naming_what_is_hidden_at_once_is_a_guess() -> None:
    _, state, _ = episode(ROD, "Dog.")
    assert [turn.category for turn in state.turns] == ["wrong"]
    assert not state.correct


@pytest.mark.parametrize("dataset", [MVPN, INC, QD])
def test_the_last_image_leaves_only_the_answer(dataset: str) -> None:
    suggestion = "B" if dataset == INC else "A"
    environment, state, _ = episode(dataset, *[suggestion] * 5)
    assert [turn.option for turn in state.turns] == ["correct"] * 4 + ["wrong"]
    assert statistics(environment, state)["max_steps"]
    assert rates([(state.correct, len(state.turns))]).psr == 4  # type: ignore[union-attr]


def test_the_last_step_is_recorded_but_not_taken() -> None:
    environment, state, _ = episode(ROD, *["A"] * 5)
    assert statistics(environment, state)["action_history"] == [1] * 5
    assert (state.image, state.stopped) == (1, True)
    with pytest.raises(EntryError, match="over"):
        env.answer(environment, state, "A")


def test_the_damaged_frame_is_replaced_by_the_one_beyond() -> None:
    path = "natural_bluebl_greenr-banana-s{image}.png"
    _, _, seen = episode(ROD, "A", image_template=path, first_image=2, num_images=9)
    assert seen[0].image.endswith("s2.png")
    _, _, seen = episode(ROD, "A", image_template=path, first_image=7, num_images=9)
    assert seen[1].image.endswith("s5.png")
    _, _, seen = episode(ROD, "B", image_template=path, first_image=5, num_images=9)
    assert seen[1].image.endswith("s7.png")


def test_the_reference_shows_what_suffices_and_no_suggestions() -> None:
    environment, state = env.start(ROD, record(ROD), reference=True)
    seen = env.observe(environment, state, hint=True)
    assert (seen.image, seen.options) == ("s1.png", ("Cat.", "Dog."))
    assert seen.question == env.ROD_REFERENCE_QUESTION
    assert seen.prompt.endswith(env.HINTS[ROD])
    assert env.answer(environment, state, "B").correct
    environment, state = env.start(MVPN, record(MVPN), reference=True)
    assert env.observe(environment, state).image == "1/0001.png"


def test_at_random_any_suggestion_may_do_anything() -> None:
    environment, state = env.start(INC, record(INC, quality_answer="Nothing."), random=True)
    seen = {env.answer(environment, state, "A", Random(seed)).turns[0].action for seed in range(30)}
    assert len(seen) > 4
    environment, state = env.start(CIT, record(CIT), random=True)
    ends = {env.answer(environment, state, "A", Random(seed)).stopped for seed in range(20)}
    assert ends == {True, False}
    with pytest.raises(OptionError):
        env.start(INC, record(INC, quality_answer="Nothing."))


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(EntryError, match="'Cow"):
        env.start(QD, record(QD, answer="Cow."))
    with pytest.raises(FieldError, match="step_size"):
        env.start(CIT, record(CIT, step_size=None))
    with pytest.raises(UnknownEnvironment, match="'VQA'"):
        env.start("VQA", record(QD))
    with pytest.raises(OptionError, match="names 2 actions"):
        episode(QD, "A", options=["Add details to the sketch.", "I cannot tell."])
    with pytest.raises(EntryError, match="invalid template"):
        episode(QD, image_template="{frame}.png")


@pytest.mark.parametrize("text", ["Dog.", "DOG .", "x A. dog.", "B", "b", " B ", "B\n", "B. what else"])
def test_the_package_accepts(text: str) -> None:
    assert match(text, ["Dog."], ["Cat.", "Dog."], 0) == ("correct", "Dog.")


@pytest.mark.parametrize("text", ["Dog", "(B)", "B)", "**B**", "Option B", "Answer: B", "", "IT IS A DOG."])
def test_the_package_misses_but_a_person_does_not(text: str) -> None:
    assert match(text, ["Dog."], ["Cat.", "Dog."], 0) == ("mismatch", "")
    readable = text not in ("", "IT IS A DOG.")
    assert (robust(text, ["Cat.", "Dog."]) == "B") is readable


def test_the_quirks_of_the_package_are_kept() -> None:
    assert match("B. Cat.", ["Dog."], ["Cat.", "Dog."], 0) == ("wrong", "Cat.")
    # A category that ends in a capital and a full stop reads as empty, as does a bare label.
    assert match("C.", ["Vitamin A."], ["Cat.", "Vitamin A."], 0) == ("correct", "Vitamin A.")
    assert match("C", ["Cat."], ["Cat.", "Dog."], 2) == ("correct", "Cat.")


def test_a_person_reads_the_words_before_the_letter() -> None:
    options = ["Cat.", "Dog.", "A cat and a dog."]
    for text, meant in (
        ("The answer is B. Cat", "A"),
        ("Answer: dog", "B"),
        ("C) Cow", "C"),
        ("*Best choice: c*", "C"),
    ):
        assert robust(text, options) == meant
    assert robust("E", options) == "E"
    assert robust("A dog, or a cat", options) == "A dog, or a cat"


def test_lenient_reading_wins_where_the_package_misses() -> None:
    replies = ["(A)", "Answer: Dog"]
    assert not play(QD, record(QD), replies.__getitem__).correct
    assert play(QD, record(QD), replies.__getitem__, lenient=True).correct


@given(st.sampled_from(sorted(DATASETS)), st.lists(st.text(max_size=30) | st.sampled_from("ABCDEabc"), max_size=8))
def test_any_answers_end_within_the_steps_allowed(dataset: str, answers: list[str]) -> None:
    environment, state = env.start(dataset, record(dataset))
    for text in answers:
        if state.stopped:
            break
        state = env.answer(environment, state, text)
    assert len(state.turns) <= environment.max_steps
    assert state.stopped or all(turn.action is not Action.STOP for turn in state.turns)
    assert not state.correct or state.turns[-1].category == "correct"


@given(st.sampled_from(sorted(DATASETS)), st.integers(0, 10))
def test_each_option_as_shown_is_read_alike_by_both(dataset: str, pick: int) -> None:
    environment, state = env.start(dataset, record(dataset))
    options = env.observe(environment, state).options
    text = options[pick % len(options)]
    lenient = env.answer(environment, state, robust(text, options)).turns[0]
    exact = env.answer(environment, state, text).turns[0]
    assert (lenient.option, lenient.category, lenient.action) == (exact.option, exact.category, exact.action)


@pytest.mark.parametrize(("dataset", "size"), SIZES.items())
def test_as_many_samples_take_part_as_the_paper_counts(dataset: str, size: int) -> None:
    assert len(kept_ids(dataset)) == size
    assert not is_kept(dataset, max(kept_ids(dataset)), False)
    assert not is_kept(dataset, -1)


def test_the_judge_is_given_suggestions_and_class() -> None:
    assert sample_open_ended_answers(ROD, record(ROD)) == "Move the blocks, Move the camera."
    assert judge_answers(sample_open_ended_answers(INC, record(INC))) == ["Deblur the image", "Dog"]
    found = judge_answers(sample_open_ended_answers(CIT, record(CIT)))
    assert found == ["Wait for the object to appear", "Rewind the video", "Dog"]
    assert judge_answers(sample_open_ended_answers(VSOD, record(VSOD)))[3:] == ["Dog"]


@pytest.mark.parametrize(
    ("reply", "bits"), [("0,1", (0, 1, 1)), ("[1 , 0]", (1, 0, 1)), ("1,1\nsure to 10", (0, 0, 0)), ("1", (0, 0, 0))]
)
def test_the_last_run_of_bits_counts(reply: str, bits: tuple[int, ...]) -> None:
    got = parse_judgement("Deblur the image, Dog.", reply, "IN-C")
    assert (got.proactive_suggestion, got.category_prediction, got.aggregate) == bits


def test_the_judge_wants_the_acronym() -> None:
    with pytest.raises(UnknownDataset, match="'ImageNet-C'"):
        parse_judgement("Deblur the image, Dog.", "1,0", INC)


def test_rates_are_over_all_samples() -> None:
    assert rates([]) is None
    got = rates([(True, 3), (False, 1)])
    assert (got.n, got.acc, got.psr) == (2, 50, 1)  # type: ignore[union-attr]
