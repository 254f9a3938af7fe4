"""The sequel's desktop programs: real ones on an X server become annotations, and each error names what is wrong."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evals.bench.medspot_open import desktop
from evals.bench.medspot_open.amide_tasks import AMIDE
from evals.bench.medspot_open.desktop import Desktop, record_desktop, select
from evals.bench.medspot_open.phantom import head, nifti
from evals.bench.medspot_open.record import Move
from evals.bench.medspot_open.xmedcon_tasks import XMEDCON
from evals.suites.medspot.annotation import read_tasks
from evals.suites.medspot.scorer import pixel_box
from tests.fixtures.clips import need
from tools.errors import ToolFailed
from tools.gui.types import Node, Rect

TOOLS = {"Xvfb": "xvfb", "openbox": "openbox", "xdotool": "xdotool", "xmedcon": "xmedcon", "amide": "amide"}
linux = pytest.mark.skipif(sys.platform != "linux", reason="Xvfb")


@pytest.fixture
def programs() -> None:
    for tool, package in TOOLS.items():
        need(tool, package)


def boxes(folder: Path) -> list[list[tuple[float, ...]]]:
    return [[step.actions[0].bbox or () for step in task.steps] for task in read_tasks(folder)]


@linux
def test_clicks_in_a_program_are_annotations_with_pictures_and_trees(
    programs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLAYED_FOR", str(tmp_path))
    plays = XMEDCON.plays()[:1]
    assert record_desktop(XMEDCON, "XMedCon", [*plays, *plays], tmp_path) == 6
    first, again = boxes(tmp_path)
    assert first == again
    # A menu's item lies below its menu, and that of a submenu to the right of it.
    (menu, item, sub) = first
    assert menu[1] + menu[3] <= item[1]
    assert sub[0] > item[0]

    said = json.loads((tmp_path / "XMedCon_Annotation.json").read_text("utf-8"))["tasks"][0]
    assert [step["instruction"] for step in said["steps"]] == [move.say for move in plays[0].moves]
    for step, roles in zip(said["steps"], ("menu", "menu", "menuitem"), strict=True):
        with Image.open(tmp_path / step["image_path"]) as picture:
            assert picture.size == (1280, 800)
        tree = tmp_path / step["image_path"].replace("images/", "trees/").replace(".png", ".json")
        nodes = [Node.model_validate(node) for node in json.loads(tree.read_text("utf-8"))]
        (node,) = select(nodes, step["actions"][0]["target"])
        assert node.role == roles
        box = pixel_box(tuple(step["actions"][0]["bbox"]), (1280, 800))
        assert box == pytest.approx((node.rect.left, node.rect.top, node.rect.right, node.rect.bottom), abs=0.01)
    assert left_running(str(tmp_path)) == []


def left_running(mark: str) -> list[str]:
    """The processes of this machine that were started with a word in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().decode("utf-8", "replace") and process.name != "self":
                found.append((process / "comm").read_text().strip())
        except OSError:
            continue  # It ended, or is somebody else's.
    return found


@linux
def test_a_volume_is_shown_and_what_is_typed_is_no_step(programs: None, tmp_path: Path) -> None:
    play = next(play for play in AMIDE.plays() if any(move.typed for move in play.moves[:-1]))
    assert record_desktop(AMIDE, "Amide", [play], tmp_path) == len(play.moves)
    pictures = [np.asarray(Image.open(path)) for path in sorted((tmp_path / "images/Amide").glob("*.png"))]
    assert len(pictures) == len(play.moves)
    trees = [path.read_text("utf-8") for path in sorted((tmp_path / "trees/Amide").glob("*.json"))]
    typed = next(place for place, move in enumerate(play.moves) if move.typed)
    assert play.moves[typed].typed not in trees[typed]
    assert f'"value": "{play.moves[typed].typed}"' in trees[typed + 1]


@linux
@pytest.mark.parametrize(
    ("before", "target", "told"),
    [
        ((), "role=button[name='Nothing']", "step 1: the selector .* fits 0 elements"),
        (("role=button[name='Labels']",), "role=menu[name='File']", "step 1: menu 'File' .* not in the tree"),
    ],
)
def test_a_target_that_cannot_be_pointed_at_is_named(
    before: tuple[str, ...],
    target: str,
    told: str,
    programs: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(desktop, "SHOWN_WITHIN_S", 5.0)
    play = replace(XMEDCON.plays()[0], moves=(Move("Click it", target),), before=before)
    with pytest.raises(ToolFailed, match=f"XMedCon, task 0, {told}"):
        record_desktop(XMEDCON, "XMedCon", [play], tmp_path)


@linux
@pytest.mark.parametrize("missing", ["xmedcon", "Xvfb", "openbox"])
def test_a_missing_program_is_named_with_its_package(
    missing: str, programs: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in (*TOOLS, "dbus-daemon"):
        if tool != missing:
            (tmp_path / tool).symlink_to(shutil.which(tool) or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolFailed, match=f"{missing} is not installed.*apt-get install .*{TOOLS[missing]}"):
        record_desktop(XMEDCON, "XMedCon", XMEDCON.plays()[:1], tmp_path / "made")


def node(role: str, name: str, left: int, top: int, depth: int) -> Node:
    return Node(role=role, name=name, rect=Rect(left=left, top=top, right=left + 10, bottom=top + 10), depth=depth)


TREE = (
    node("window", "Colors", 0, 0, 0),
    node("panel", "Map", 0, 0, 1),
    node("radio", " Red  light ", 50, 0, 2),
    node("radio", "Green", 0, 0, 2),
    node("panel", "Other", 0, 50, 1),
    node("radio", "Green", 0, 50, 2),
    node("window", "Sizes", 0, 100, 0),
    node("radio", "Green", 0, 100, 1),
)


@pytest.mark.parametrize(
    ("selector", "places"),
    [
        ("role=radio[name='Red light']", [2]),
        ("role=radio[name='Green']", [3, 5, 7]),
        ("role=window[name='Colors'] >> role=radio[name='Green']", [3, 5]),
        ("role=window[name='Colors'] >> role=panel >> role=radio >> nth=0", [3]),
        ("role=radio >> nth=1", [2]),
        ("role=radio >> nth=9", []),
        ("role=panel[name='Map'] >> role=radio[name='Black']", []),
    ],
)
def test_a_selector_names_what_is_below_in_reading_order(selector: str, places: list[int]) -> None:
    assert select(TREE, selector) == [TREE[place] for place in places]


def test_a_selector_of_another_form_is_named() -> None:
    with pytest.raises(ValueError, match="'#red' is no part of a selector"):
        select(TREE, "role=panel >> #red")


def test_the_phantom_is_a_file_of_its_size() -> None:
    voxels = head()
    told = nifti(voxels, (1.5, 1.5, 12.0))
    assert len(told) == 352 + voxels.nbytes
    assert np.array_equal(np.frombuffer(told[352:], "<i2").reshape(voxels.shape), voxels)
    assert {0, 400, 1000} < set(np.unique(voxels).tolist())


@pytest.mark.parametrize("program", [XMEDCON, AMIDE])
def test_tasks_have_two_or_three_steps_each_of_its_own_words(program: Desktop) -> None:
    plays = program.plays()
    assert len(plays) >= 10
    assert {len(play.moves) for play in plays} == {2, 3}
    assert len({play.overview for play in plays}) == len(plays)
