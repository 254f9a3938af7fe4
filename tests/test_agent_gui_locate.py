"""`attend gui locate`: what it prints, draws and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from typer.testing import CliRunner

from agent.cli import app
from agent.gui.commands import NOT_FOUND
from tools.errors import AttendError


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two buttons and a field with its label."""
    image = Image.new("RGB", (640, 400), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(20)
    for left, word in ((40, "Save"), (240, "Cancel")):
        draw.rectangle((left, 300, left + 140, 344), fill=(225, 230, 236), outline=(90, 100, 110))
        draw.text((left + 40, 310), word, "black", font)
    draw.text((40, 102), "Weight", "black", font)
    draw.rectangle((160, 94, 460, 134), outline=(90, 100, 110))
    path = tmp_path_factory.mktemp("screen") / "form.png"
    image.save(path)
    return path


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["gui", "locate", *(str(argument) for argument in arguments)])
    if isinstance(result.exception, AttendError):
        raise result.exception
    return result.exit_code, result.output


def test_prints_where_to_click(picture: Path) -> None:
    code, printed = run("Click the Save button", "--image", picture)
    assert code == 0
    assert "Save" in printed
    assert "by words" in printed


def test_json_gives_pixels_shares_and_screen(picture: Path) -> None:
    code, printed = run("type 70 into the Weight field", "--image", picture, "--json")
    record = json.loads(printed)
    assert code == 0
    assert record["image"] == {"width_px": 640, "height_px": 400}
    target = record["targets"][0]
    point = target["point"]
    assert 160 < point["x_px"] < 460
    assert 94 < point["y_px"] < 134
    assert target["share"]["x"] == pytest.approx(point["x_px"] / 640)
    assert target["screen"] == {"x": point["x_px"], "y": point["y_px"]}


def test_the_overlay_marks_the_place_and_keeps_the_picture(picture: Path, tmp_path: Path) -> None:
    before, drawn = picture.read_bytes(), tmp_path / "overlay.png"
    run("Click Cancel", "--image", picture, "--overlay", drawn)
    with Image.open(picture) as plain, Image.open(drawn) as marked:
        changed = np.argwhere((np.asarray(plain.convert("RGB")) != np.asarray(marked)).any(axis=2))
    assert 290 < changed[:, 0].max() < 400
    assert changed[:, 1].min() > 200
    assert picture.read_bytes() == before


def test_what_is_not_there_is_told_by_the_exit_code(picture: Path) -> None:
    code, printed = run("Click Discharge", "--image", picture)
    assert code == NOT_FOUND
    assert "Nothing on the screen fits" in printed


def test_a_tree_beside_the_picture_is_used_unless_only_pixels_count(picture: Path, tmp_path: Path) -> None:
    rect = {"left": 500, "top": 20, "right": 600, "bottom": 50}
    tree = tmp_path / "tree.json"
    tree.write_text(json.dumps([{"role": "button", "name": "Save", "rect": rect}]))
    _, printed = run("Click Save", "--image", picture, "--tree", tree, "--json")
    assert json.loads(printed)["targets"][0]["layer"] == "tree"
    _, printed = run("Click Save", "--image", picture, "--tree", tree, "--json", "--pixels")
    assert json.loads(printed)["targets"][0]["layer"] == "words"


def test_mistakes_are_explained(picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AttendError, match="--image FILE or --screen"):
        run("Click Save")
    with pytest.raises(AttendError, match="--image FILE or --screen"):
        run("Click Save", "--image", picture, "--screen")
    with pytest.raises(AttendError, match=r"nowhere\.png"):
        run("Click Save", "--image", tmp_path / "nowhere.png")
    text = tmp_path / "text.png"
    text.write_text("no picture")
    with pytest.raises(AttendError, match="PNG or JPEG"):
        run("Click Save", "--image", text)
    with pytest.raises(AttendError, match="JSON list of nodes"):
        run("Click Save", "--image", picture, "--tree", text)
    with pytest.raises(AttendError, match="empty instruction"):
        run(" ", "--image", picture)
    with pytest.raises(AttendError, match="cannot be written"):
        run("Click Save", "--image", picture, "--overlay", tmp_path / "no" / "such.png")
    monkeypatch.setenv("DISPLAY", ":987")
    with pytest.raises(AttendError, match="screen cannot be read"):
        run("Click Save", "--screen")
