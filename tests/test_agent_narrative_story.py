"""`attend memory story`, through the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner, Result

from evals.cli import app
from tools.errors import AttendError

FILM = """1
00:00:01,000 --> 00:00:04,000
A man in a grey coat hides a letter under the floor.

2
00:02:00,000 --> 00:02:05,000
Two women talk about </script><script>alert(1)</script> the harvest.

3
00:09:00,000 --> 00:09:05,000
The neighbour shows a copy of the letter.
"""


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "film.srt"
    path.write_text(FILM)
    return path


def attend(*words: object) -> Result:
    return CliRunner().invoke(app, ["memory", *map(str, words), "--folder", "kept"])


def told(*words: object) -> dict:
    result = attend(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failure(*words: object) -> str:
    error = attend("story", *words).exception
    assert isinstance(error, AttendError), error
    return str(error)


def test_a_film_is_drawn_as_a_page_and_a_png(film: Path) -> None:
    built = told("build", film)
    drawn = told("story", film, "--png", "film.png")
    assert drawn["html"] == "film.srt.story.html"
    assert (drawn["version"], drawn["clock"]) == (built["version"], "seconds")
    assert (drawn["segments"], drawn["events"]) == (built["segments"], built["events"])
    page = Path(drawn["html"]).read_text("utf-8")
    assert "<title>film.srt – story</title>" in page
    assert "hides a letter under the floor" in page
    assert "alert(1)</script>" not in page
    assert cv2.imread(drawn["png"]).shape[1] == 1800
    output = attend("story", film, "--html", "other.html").output
    assert re.search(r"film\.srt: 3 events, \d+ links, \d+ chains\nother\.html\n$", output)
    assert Path("other.html").read_text("utf-8") == page


def test_a_version_of_before_can_be_drawn(film: Path) -> None:
    first = told("build", film)["version"]
    film.write_text(FILM + "\n4\n00:10:00,000 --> 00:10:05,000\nThe letter burns in the fire at last.\n")
    told("build", film)
    assert told("story", film)["events"] == 4
    drawn = told("story", film, "--as-of", first)
    assert (drawn["version"], drawn["events"]) == (first, 3)
    assert "unknown version 99" in failure(film, "--as-of", 99)


def test_what_was_not_built_is_told_with_the_remedy(film: Path) -> None:
    assert re.search(r"nothing is remembered of .*film\.srt.* Build it first: attend memory build", failure(film))
    other = film.with_name("other.srt")
    other.write_text(FILM)
    told("build", other)
    assert re.search(r"nothing is remembered of .*film\.srt.* Build it first: attend memory build", failure(film))
    assert list(film.parent.glob("*.html")) == []


def test_files_that_cannot_be_written_are_told(film: Path) -> None:
    told("build", film)
    assert "cannot write the story 'nowhere/story.html': No such file" in failure(film, "--html", "nowhere/story.html")
    assert "cannot write the story 'nowhere/story.png': No such file" in failure(film, "--png", "nowhere/story.png")
    assert "would overwrite" in failure(film, "--html", film)
    assert "Choose two files" in failure(film, "--html", "story.png", "--png", "story.png")
    assert film.read_text() == FILM


def test_a_story_has_sections_and_no_times(film: Path) -> None:
    tale = film.with_name("tale.txt")
    tale.write_text("A fox finds a key.\n\nA crow sings.\n\nThe fox opens the chest.\n")
    told("build", tale)
    drawn = told("story", tale)
    assert (drawn["clock"], drawn["segments"], drawn["html"]) == ("sections", 3, "tale.txt.story.html")
