"""What the embedded model says of what people do: over frames with a moving person, and where none decides."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from agent.models.blocks import image_block
from agent.models.embedded.request import Shown
from agent.models.embedded.rules.evidence import gather
from agent.models.embedded.rules.visual.action import asked_kind
from agent.models.embedded.rules.watch import Condition, take_condition, verdict
from agent.models.protocol import MLLM
from evals.bench.vision import picture
from tests.test_agent_embedded import answer, described, message, model  # noqa: F401 - a fixture
from tests.test_tools_perception_actions import body


def crossing(step_s: float, count: int, left: int = 20, by: int = 55) -> list[tuple[float, np.ndarray]]:
    """A portrait that is moved across a plain picture."""
    portrait = np.asarray(Image.fromarray(picture("astronaut")).resize((240, 240)))
    frames = []
    for number in range(count):
        rgb = np.full((360, 640, 3), 150, np.uint8)
        rgb[60:300, left + by * number : left + by * number + 240] = portrait
        frames.append((step_s * number, rgb))
    return frames


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("is anyone riding a bicycle?", "rides"),
        ("is somebody lying on the floor?", "lies"),
        ("did the man fall?", "falls"),
        ("does she raise her hand?", "raises_arm"),
        ("are they waving at us?", "raises_arm"),
        ("is the woman seated?", "sits"),
        ("does anybody run?", "runs"),
        ("are people walking?", "walks"),
        ("is she wearing a hat?", None),
        ("does he open the box?", None),
        ("what is the person doing?", None),
    ],
)
def test_questions_name_the_action_that_they_ask_about(question: str, kind: str | None) -> None:
    assert asked_kind(question) == kind


def test_the_way_that_somebody_goes_is_told_with_its_time(model: MLLM) -> None:  # noqa: F811
    frames = crossing(0.5, 7)
    assert answer(model, frames, "Which way does the person walk?").startswith("A person walks to the right [0:0")
    backwards = [(0.5 * number, rgb) for number, (_, rgb) in enumerate(reversed(frames))]
    assert answer(model, backwards, "What is the person doing?").startswith("A person walks to the left")
    assert answer(model, backwards, "Is anybody walking?").startswith("Yes, a person walks to the left")


@pytest.mark.parametrize("question", ["Is anyone riding a bicycle?", "Does somebody sit?", "Did the person fall?"])
def test_what_a_portrait_does_not_show_is_not_affirmed(model: MLLM, question: str) -> None:  # noqa: F811
    assert answer(model, crossing(0.5, 4, by=0), question).startswith(("I can't tell", "No"))


def test_frames_far_apart_are_looked_at_again_first(model: MLLM) -> None:  # noqa: F811
    frames = crossing(4.0, 3)
    bound = model.bind_tools(described(plays=False))
    (call,) = bound.invoke([message(frames, "Is anyone running?")]).tool_calls  # type: ignore[attr-defined]
    assert call["name"] == "look"
    assert call["args"]["frames"] == 8
    dense = bound.invoke([message(crossing(0.5, 3), "Is anyone running?")])
    assert not dense.tool_calls  # type: ignore[attr-defined]
    nobody = bound.invoke([message([(4.0 * number, picture("coffee")) for number in range(3)], "Is anyone running?")])
    assert not nobody.tool_calls  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("condition", "kind"),
    [
        ("somebody falls", "falls"),
        ("a person lies down on the floor", "lies"),
        ("tell me when someone raises an arm", "raises_arm"),
    ],
)
def test_actions_of_people_can_be_watched_for(condition: str, kind: str) -> None:
    assert take_condition(condition) == Condition("action", (kind,))


@pytest.mark.parametrize(
    "condition", ["the vase falls", "somebody falls into the pool", "nobody falls", "two people fall"]
)
def test_other_falls_cannot(condition: str) -> None:
    taken = take_condition(condition)
    assert isinstance(taken, str) or taken.kind != "action"


def test_a_watch_for_a_raised_arm_sees_it_in_several_frames(model: MLLM, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    mind = model._mind  # type: ignore[attr-defined]
    facts = gather(mind.perception, [Shown(image_block(rgb), t_s, "clear") for t_s, rgb in crossing(0.5, 4, by=0)])
    assert '"yes"' not in verdict(mind, "somebody raises an arm", None, facts)
    waving = body(0.9, 0.5, left_wrist=(0.06, -0.24), left_elbow=(0.06, -0.16))
    monkeypatch.setattr(
        mind.perception, "poses", lambda frame: {one.box: waving for one in mind.perception.things(frame)}
    )
    told = verdict(mind, "somebody raises an arm", None, facts)
    assert '"yes"' in told
    assert "raises an arm" in told
    assert '"yes"' not in verdict(mind, "somebody raises an arm", 2.0, facts)
