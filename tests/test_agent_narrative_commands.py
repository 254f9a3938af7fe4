"""`attend memory build`, `ask`, `same`, `story` and `forget` where something is amiss: told, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from agent.config import Config
from agent.narrative.told import Told
from evals.cli import app
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
