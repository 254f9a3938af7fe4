"""`attend memory build`, `ask`, `same`, `story` and `forget` where something is amiss: told, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.config import Config
from agent.narrative.told import Told
from evals.cli import app
from tests.fixtures.scenes import write_scenes
from tools.errors import AttendError
from tools.media import Span

FILM = """1
00:00:01,000 --> 00:00:04,000
A man in a grey coat hides a letter under the floor.

2
00:02:00,000 --> 00:02:05,000
Two women talk about the harvest.

3
00:05:00,000 --> 00:05:04,000
Rain falls on the roof of the barn.

4
00:09:00,000 --> 00:09:05,000
The neighbour shows a copy of the letter.
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.srt"
    path.write_text(FILM)
    return path


def attend(folder: Path, *words: object) -> Result:
    return CliRunner().invoke(app, ["memory", *map(str, words), "--folder", str(folder / "kept")])


def told(folder: Path, *words: object) -> dict:
    result = attend(folder, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(folder: Path, says: str, *words: object) -> None:
    with pytest.raises(AttendError, match=says):
        raise attend(folder, *words).exception or AssertionError


def test_what_a_span_leaves_is_asked_as_before(film: Path, tmp_path: Path) -> None:
    """It still counts what it counted, was built when it was, and can be forgotten further."""
    told(tmp_path, "build", film)
    config = Config(folder=tmp_path / "kept")
    for span, gone in (("0:00", "0:10"), "letter under"), (("9:00", "9:10"), "shows a copy"):
        attend(tmp_path, "forget", "--source", film.name, "--from", span[0], "--to", span[1], "--yes")
        assert told(tmp_path, "ask", film, "What do the two women talk about?")["cited"][0]["start_s"] == 120.0
        assert gone not in json.dumps(told(tmp_path, "recall", film, "the letter"))
    attend(tmp_path, "forget", "--before", "1h", "--yes")
    assert told(tmp_path, "list")["events"] == 2
    tale = tmp_path / "tale.txt"
    tale.write_text("A fox finds a key.\n\nA crow sings.\n\nThe fox opens the chest.\n")
    told(tmp_path, "build", tale)
    Told(config, str(film), film.name).forget(Span(0.0, 1e9))
    refused(tmp_path, r"nothing is remembered of 'film.srt'.*one of: tale.txt", "ask", film, "Who hides a letter?")
    assert attend(tmp_path, "forget", "--source", "tale.txt", "--from", "0:00", "--to", "0:01", "--yes").exit_code == 0
    assert "section 3  The fox opens" in attend(tmp_path, "recall", tale, "What does the fox open?").output


@pytest.fixture
def namesakes(tmp_path: Path) -> tuple[Path, Path]:
    """Two films of one name in two folders."""
    paths = tmp_path / "a" / "film.srt", tmp_path / "b" / "film.srt"
    for path, who in zip(paths, ("neighbour", "gardener"), strict=True):
        path.parent.mkdir()
        path.write_text(FILM.replace("neighbour", who))
    return paths


def test_a_film_is_forgotten_without_its_namesake(tmp_path: Path, namesakes: tuple[Path, Path]) -> None:
    one, other = namesakes
    for path in namesakes:
        told(tmp_path, "build", path)
    Told(Config(folder=tmp_path / "kept"), str(one), one.name).forget(Span(500.0, 600.0))
    assert "neighbour" not in json.dumps(told(tmp_path, "recall", one, "the copy of the letter"))
    assert "gardener" in json.dumps(told(tmp_path, "recall", other, "the copy of the letter"))
    listed = [json.loads(line) for line in attend(tmp_path, "list", "--json").stdout.splitlines()]
    names = {row["events"]: row["told"] for row in listed}
    assert names[3] != names[4]
    for spec in ("film.srt", "c/film.srt"):
        for words in (("forget", "--source", Path(spec).name, "--all", "--yes"), ("recall", spec, "the letter")):
            refused(tmp_path, f"2 things that were built are called 'film.srt'.*{names[3]}.*memory list", *words)
    assert attend(tmp_path, "forget", "--source", names[3], "--all", "--yes").exit_code == 0
    assert told(tmp_path, "list")["told"] == "film.srt"
    assert "gardener" in json.dumps(told(tmp_path, "recall", "c/film.srt", "the copy of the letter"))


def test_no_answer_comes_from_a_namesake(tmp_path: Path, namesakes: tuple[Path, Path]) -> None:
    one, other = namesakes
    told(tmp_path, "build", one)
    refused(tmp_path, r"nothing is remembered of 'film.srt'.*Build it first", "ask", other, "Who shows the copy?")
    other.unlink()
    assert "neighbour" in told(tmp_path, "ask", other, "Who shows the copy of the letter?")["text"]


def test_subtitles_of_another_film_are_refused(tmp_path: Path) -> None:
    """Before anything is watched or asked; what is said a little after the end still counts."""
    clip = write_scenes(tmp_path / "clip.mp4", [("red", 4)])
    subtitles = tmp_path / "clip.srt"
    subtitles.write_text(FILM)
    for more in ((), ("--dry-run",)):
        refused(tmp_path, r"'clip.srt', line 6: .* 2:00, but 'clip.mp4' ends at 0:04 \(2 more", "build", clip, *more)
    assert not (tmp_path / "kept" / "narrative" / "narrative.sqlite").exists()
    subtitles.write_text("1\n00:00:20,000 --> 00:00:25,000\nThe wall falls down at last.\n")
    built = told(tmp_path, "build", clip, "--rules")
    assert built["segments"] == 1
    assert told(tmp_path, "recall", clip, "Does the wall fall?")["events"][0]["text"] == "The wall falls down at last."


@pytest.mark.parametrize("time", ["999:09:00,000 --> 999:09:05,000", "00:09:00,000 --> 999:09:05,000"])
def test_a_mistyped_hour_is_told_and_costs_little(film: Path, time: str) -> None:
    film.write_text(FILM.replace("00:09:00,000 --> 00:09:05,000", time))
    result = attend(film.parent, "build", film, "--json")
    built = json.loads(result.stdout)
    assert built["segments"] < 160
    assert built["events"] == 4
    assert "line 14: it" in " ".join(result.stderr.split())
    assert "Is its time mistyped?" in " ".join(result.stderr.split())
    assert told(film.parent, "build", film, "--dry-run")["segments"] == built["segments"]
    found = told(film.parent, "recall", film, "Who shows a copy of the letter?")["events"]
    assert "The neighbour shows a copy of the letter." in [event["text"] for event in found]


@pytest.mark.parametrize(
    ("name", "text"), [("empty.vtt", "WEBVTT\n"), ("empty.json", "[]"), ("empty.csv", "section,text\n")]
)
def test_a_text_without_words_is_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    for more in ((), ("--dry-run",)):
        refused(tmp_path, f"'?.*{name}'?", "build", tmp_path / name, *more)
    assert not (tmp_path / "kept" / "narrative" / "narrative.sqlite").exists()
