"""`attend memory build`, `ask`, `same`, `story` and `forget` where something is amiss: told, and nothing is lost."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Generator
from pathlib import Path

import pytest
import yaml
from langchain_core.messages import AIMessageChunk
from typer.testing import CliRunner, Result

from agent.config import Config
from agent.models.fingerprint import content_of
from agent.models.protocol import MLLM, Abilities, Request, end
from agent.models.structured import MalformedAnswer
from agent.narrative.cached_llm import Asker
from agent.narrative.extract_llm import AnswerProblems, Draft, find_links
from agent.narrative.prompts import Queries
from agent.narrative.recall import NarrativeRecall
from evals.cli import app
from memory.narrative.store.narrative_store import NarrativeStore
from tests.fixtures.scenes import write_scenes
from tests.narrative_helpers import event, segment
from tools.errors import AttendError, ModelError
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
    NarrativeRecall(config, str(film), film.name).forget(Span(0.0, 1e9))
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
    NarrativeRecall(Config(folder=tmp_path / "kept"), str(one), one.name).forget(Span(500.0, 600.0))
    assert "neighbour" not in json.dumps(told(tmp_path, "recall", one, "the copy of the letter"))
    assert "gardener" in json.dumps(told(tmp_path, "recall", other, "the copy of the letter"))
    listed = [json.loads(line) for line in attend(tmp_path, "list", "--json").stdout.splitlines()]
    names = {row["events"]: row["told"] for row in listed}
    assert names[3] != names[4]
    for spec in ("film.srt", "c/film.srt"):
        for words in (("forget", "--source", Path(spec).name, "--all", "--yes"), ("recall", spec, "the letter")):
            refused(tmp_path, f"2 sources are called 'film.srt'.*{names[3]}.*memory list", *words)
    assert attend(tmp_path, "forget", "--source", names[3], "--all", "--yes").exit_code == 0
    assert told(tmp_path, "list")["told"] == "film.srt"
    assert "gardener" in json.dumps(told(tmp_path, "recall", "c/film.srt", "the copy of the letter"))


def test_no_answer_comes_from_a_namesake(tmp_path: Path, namesakes: tuple[Path, Path]) -> None:
    one, other = namesakes
    told(tmp_path, "build", one)
    refused(
        tmp_path,
        r"nothing is remembered of 'film.srt', only of another file of that name.*Build it first",
        "ask",
        other,
        "Who shows the copy?",
    )
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


def script(path: Path, summary: str) -> str:
    """The model string of a script that finds one event."""
    event = {"stretch": 1, "summary": summary, "quote": "hides a letter"}
    path.write_text(yaml.safe_dump({"turns": [{"say": json.dumps({"events": [event]})} for _ in range(9)]}))
    return f"scripted:{path}"


def test_a_model_that_was_changed_is_asked_again(tmp_path: Path) -> None:
    film = tmp_path / "film.srt"
    film.write_text(FILM.split("\n\n")[0])
    model = script(tmp_path / "script.yaml", "A man hides a letter.")
    assert told(tmp_path, "build", film, "--model", model)["calls"] == 1
    assert told(tmp_path, "build", film, "--model", model)["calls"] == 0
    script(tmp_path / "script.yaml", "Somebody hides a letter.")
    again = told(tmp_path, "build", film, "--model", model)
    assert (again["calls"], again["kept_answers"]) == (1, 0)
    events = told(tmp_path, "recall", film, "Who hides a letter?")["events"]
    assert [event["text"] for event in events] == ["Somebody hides a letter."]


def test_what_a_model_is_made_of_is_told_from_its_files(tmp_path: Path) -> None:
    for name, content in (("config.json", b"{}"), ("model.safetensors", bytes(2**20 + 1))):
        (tmp_path / name).write_bytes(content)
    specs = (str(tmp_path), f"hf:{tmp_path}")
    first = content_of(specs[0])
    assert first
    assert [content_of(spec) for spec in specs] == [first, first]
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"1" * (2**20 + 1))
    os.utime(weights, (1, 1))
    assert content_of(specs[0]) != first
    second = content_of(specs[0])
    (tmp_path / "config.json").write_bytes(b"[]")
    assert content_of(specs[0]) != second
    assert content_of("openai:a@http://127.0.0.1:1/v1") == content_of("hf:no/such model") == ""


def test_a_kept_answer_of_another_form_is_asked_for_again(tmp_path: Path) -> None:
    film = tmp_path / "film.srt"
    film.write_text(FILM.split("\n\n")[0])
    model = script(tmp_path / "script.yaml", "A man hides a letter.")
    told(tmp_path, "build", film, "--model", model)
    with sqlite3.connect(tmp_path / "kept" / "narrative" / "answers.sqlite") as answers:
        answers.execute("UPDATE answers SET body = '{}'")
    again = told(tmp_path, "build", film, "--model", model)
    assert (again["calls"], again["kept_answers"], again["added"], again["retired"]) == (1, 0, 0, 0)


class Rambling(MLLM):
    """A model that says what it took, and nothing that can be used."""

    spec: str = "rambling"

    @property
    def abilities(self) -> Abilities:
        return Abilities(images=False)

    @property
    def _llm_type(self) -> str:
        return "rambling"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        yield end(30, 10, content="Well.")


def test_answers_that_cannot_be_used_count_against_the_cap() -> None:
    asker = Asker(Rambling(), "film 1", most_tokens=100)
    for spent in (80, 160):
        with pytest.raises(MalformedAnswer):
            asker.json("decompose", "What is searched for?", Queries)
        assert (asker.spent.tokens, asker.spent.calls) == (spent, spent // 40)
    with pytest.raises(ModelError, match="160 tokens were spent, of at most 100"):
        asker.json("decompose", "What is searched for?", Queries)


TALE = """The doctor cures the king, and Doctor Brown smiles.

The man sits by the river.

A crow sings to Doctor Brown at noon.

The stranger steals the golden cup. There is a Fox. The fox runs.
"""


def test_names_are_parted_from_whom_they_were_joined_with(tmp_path: Path) -> None:
    tale = tmp_path / "tale.txt"
    tale.write_text(TALE)
    told(tmp_path, "build", tale)
    assert attend(tmp_path, "same", tale, "the doctor", "Doctor Brown").output == "'doctor' is 'Doctor Brown'\n"
    says = "cannot separate 'doctor' and 'man': they are not merged. Expected so far: 'doctor' is 'Doctor Brown'"
    refused(tmp_path, says, "same", tale, "doctor", "man", "--undo")
    refused(tmp_path, "'Doctor Brown' is 'doctor' already", "same", tale, "doctor brown", "doctor")
    assert attend(tmp_path, "same", tale, "Doctor Brown", "doctor", "--undo").output.startswith("'Doctor Brown' is not")
    refused(tmp_path, "so far: no names are merged", "same", tale, "doctor", "Doctor Brown", "--undo")


def test_names_are_taken_as_people_write_them(tmp_path: Path) -> None:
    tale = tmp_path / "tale.txt"
    tale.write_text(TALE)
    told(tmp_path, "build", tale)
    output = attend(tmp_path, "same", tale, "the man in grey at the river", "The Doctor").output
    assert output == "'man' is 'doctor'\n"
    events = told(tmp_path, "recall", tale, "What did the man in grey at the river cure?")["events"]
    assert [event for event in events if event["text"].startswith("The doctor") and "words 0" in event["ranks"]]
    assert attend(tmp_path, "same", tale, "a doctor", "his man", "--undo").exit_code == 0
    refused(tmp_path, "'FOX' and 'the fox' are one name", "same", tale, "FOX", "the fox")
    refused(tmp_path, "unknown name 'dragon'.*such as: .*doctor", "same", tale, "dragon", "doctor")


@pytest.mark.parametrize("words", [("same", "a.srt", "one", "two"), ("reindex",)])
def test_what_needs_a_memory_makes_none(tmp_path: Path, words: tuple[str, ...]) -> None:
    refused(tmp_path, "no narrative memory in .* Build it first", *words)
    assert not (tmp_path / "kept").exists()


def test_a_drawing_is_written_over_nothing_but_a_drawing(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = film.parent
    told(folder, "build", film)
    subtitles, page, picture = folder / "other.srt", folder / "page.html", folder / "page.png"
    subtitles.write_text("mine")
    for option in ("--html", "--png"):
        says = "would overwrite '.*other.srt'"
        refused(folder, says, "story", film, "--html", page, option, subtitles)
    assert subtitles.read_text() == "mine"
    assert not page.exists()
    page.touch()
    for _ in range(2):
        told(folder, "story", film, "--html", page, "--png", picture)
    whole = page.read_bytes(), picture.read_bytes()

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.narrative.story.story_html", fail)
    refused(folder, "cannot write the story .*: No space left", "story", film, "--html", page)
    assert (page.read_bytes(), picture.read_bytes()) == whole
    assert {path.name for path in folder.iterdir()} == {"film.srt", "other.srt", "page.html", "page.png", "kept"}


def test_what_is_told_otherwise_supersedes_what_was(film: Path) -> None:
    """By its words, wherever it moved to, else by its time; what is gone has no heir."""
    folder = film.parent
    told(folder, "build", film)
    with NarrativeStore(folder / "kept" / "narrative") as store:
        before = {event.summary: event.id for event in store.events()}
        chain = store.chains()
    changed = FILM.replace("about the harvest", "about a wedding").replace("00:09:00,000", "00:08:58,000")
    film.write_text(changed.replace("Rain falls on the roof of the barn.", "Who knows?"))
    told(folder, "build", film)
    with NarrativeStore(folder / "kept" / "narrative") as store:
        after = {event.summary: event.id for event in store.events()}
        heir = {summary: store.lives(id_)[-1].superseded_by for summary, id_ in before.items()}
        assert heir["Two women talk about the harvest."] == after["Two women talk about a wedding."]
        assert heir["The neighbour shows a copy of the letter."] == after["The neighbour shows a copy of the letter."]
        assert heir["Rain falls on the roof of the barn."] is None
        assert heir["A man in a grey coat hides a letter under the floor."] is None  # it holds still
        assert after["A man in a grey coat hides a letter under the floor."] in before.values()
        assert [store.lives(one.id)[-1].superseded_by for one in chain] == [one.id for one in store.chains()]


def test_a_model_links_only_what_is_new() -> None:
    """Two earlier events were compared when the later of them was new."""
    parts = [segment(number) for number in range(3)]
    drafts = [Draft(event(number, summary=f"Anna breaks spoon {number}.")) for number in range(3)]

    class Linking(Rambling):
        def _answer(self, request: Request) -> Generator[AIMessageChunk]:
            links = [{"from": src, "to": dst, "type": "causes"} for src, dst in ((1, 2), (2, 3))]
            yield AIMessageChunk(content=json.dumps({"links": links}), chunk_position="last")

    lacks = AnswerProblems()
    events, links = find_links(drafts, "seconds", Asker(Linking(), parts[0].source), None, lacks, None)
    assert [(one.src, one.dst) for one in links] == [(events[0].id, events[1].id), (events[1].id, events[2].id)]
    assert lacks.refused == 2
