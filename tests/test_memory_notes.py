"""Notes: words about remembered moments, found again by words and by meaning, across restarts."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from memory.store.vectors import VectorIndex
from memory.stream import notes as notes_module
from memory.stream.notes import FILE_NAME, Notes, tokenize
from tools.errors import StoreError
from tools.media.types import Span

ID = "0" * 64


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    with Notes(tmp_path, "kitchen.mp4") as filled:
        filled.add(1.0, ID, "label", "espresso (95%), cup (3%)")
        filled.add(5.0, ID, "text", "Room 12: exit left")
        filled.add(9.0, ID, "label", "A man puts two cups on the table")
        filled.add(12.0, ID, "text", "患者は眠っている")
        yield filled


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Notes]:
    with Notes(tmp_path, "a") as made:
        yield made


def found(notes: Notes, query: str, k: int = 9, span: Span | None = None) -> list[float]:
    return [note.t_s for note in notes.search(query, k, span)]


def test_words_find_notes_whatever_their_case_and_number(notes: Notes) -> None:
    assert set(found(notes, "CUP")) == {1.0, 9.0}
    assert found(notes, "where is the exit?")[0] == 5.0
    assert found(notes, "患者") == [12.0]
    assert found(notes, "giraffe") == []
    assert found(notes, "?!") == []
    assert len(found(notes, "cup", k=1)) == 1


def test_rare_words_and_short_notes_weigh_more(empty: Notes) -> None:
    for second in range(10):
        empty.add(second, ID, "label", f"the street with a car number {second} passing by slowly")
    empty.add(20, ID, "label", "the street with a bicycle and a long line of other things standing about")
    empty.add(21, ID, "label", "bicycle")
    assert set(found(empty, "bicycle in the street", k=2)) == {20, 21}
    assert found(empty, "bicycle", k=2) == [21, 20]


def test_spans_limit_the_search_and_list_by_time(notes: Notes) -> None:
    assert found(notes, "cup", span=Span(2, 20)) == [9.0]
    assert [note.t_s for note in notes.between(Span(1, 9))] == [1.0, 5.0, 9.0]
    assert [note.kind for note in notes.between()] == ["label", "text", "label", "text"]
    assert notes.between(Span(100, 200)) == []


def test_notes_survive_a_restart_and_sources_do_not_mix(notes: Notes, tmp_path: Path) -> None:
    notes.close()
    notes.close()
    with Notes(tmp_path, "kitchen.mp4") as again, Notes(tmp_path, "hall.mp4") as other:
        assert again.between()[1].text == "Room 12: exit left"
        assert again.between()[1].frame_id == ID
        assert len(other) == 0
        other.add(1.0, ID, "label", "cup")
        assert set(found(again, "cup")) == {1.0, 9.0}
        assert len(again) == 4
        again.add(1.0, ID, "label", "espresso (95%), cup (3%)")  # watched again
        assert len(again) == 4


def meaning(texts: list[str]) -> np.ndarray:
    """An embedding of three meanings: drink, way out, sleep."""
    words = (("coffee", "espresso", "cup"), ("exit", "door"), ("sleep", "患者"))
    return np.array([[sum(word in text.casefold() for word in group) for group in words] for text in texts], float)


def test_meaning_finds_what_shares_no_word_and_agreement_comes_first(notes: Notes, tmp_path: Path) -> None:
    calls: list[list[str]] = []

    def embed(texts: list[str]) -> np.ndarray:
        calls.append(texts)
        return meaning(texts)

    with Notes(tmp_path, "kitchen.mp4", embed) as by_meaning:
        assert found(notes, "coffee") == []
        assert set(found(by_meaning, "coffee")) == {1.0, 9.0}
        assert found(by_meaning, "door and table")[0] in (5.0, 9.0)
        assert found(by_meaning, "giraffe") == []
        assert set(found(by_meaning, "coffee", span=Span(5, 10))) == {9.0}
    with Notes(tmp_path, "kitchen.mp4", embed) as reopened:
        assert found(reopened, "asleep") == [12.0]
    assert [len(texts) for texts in calls] == [4, 1, 1, 1, 1, 1]  # each note is embedded once, ever
    other_model = Notes(tmp_path, "kitchen.mp4", lambda texts: np.ones((len(texts), 7)))
    with pytest.raises(StoreError, match="length 7"):
        other_model.search("coffee", 3)
    other_model.close()


def test_forgetting_while_notes_are_embedded_leaves_none_of_their_vectors(notes: Notes, tmp_path: Path) -> None:
    def embed(texts: list[str]) -> np.ndarray:
        if len(texts) > 1:
            forgetting.start()
            forgetting.join(0.5)
        return meaning(texts)

    with Notes(tmp_path, "kitchen.mp4", embed) as by_meaning:
        forgetting = threading.Thread(target=by_meaning.forget, args=(Span(5, 9),))
        by_meaning.index()
        forgetting.join()
        index = VectorIndex(tmp_path / "vectors", "notes", lambda: [])
        assert index.count() == len(by_meaning) == 2


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed by Linux only")
def test_no_file_of_an_index_that_was_made_anew_is_left_open(tmp_path: Path) -> None:
    rows = [(str(number), np.eye(4, dtype=np.float32)[number], {"t_s": float(number)}) for number in range(4)]
    index = VectorIndex(tmp_path / "vectors", "notes", lambda: rows)
    for _ in range(2):
        index.rebuild()
        index.query(np.ones(4, np.float32), 2)
    assert not [name for name in open_files(tmp_path) if name.endswith("(deleted)")]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed by Linux only")
def test_closed_notes_leave_no_file_open(tmp_path: Path) -> None:
    with Notes(tmp_path, "a", embed=meaning) as made:
        made.add(1.0, ID, "label", "espresso")
        assert made.search("a coffee", 1)
        assert open_files(tmp_path)
    assert open_files(tmp_path) == []


def open_files(folder: Path) -> list[str]:
    """The files below a folder that this process holds open."""
    links = [entry for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    opened = [str(link.readlink()) for link in links if link.is_symlink()]
    return [name for name in opened if name.startswith(str(folder))]


def test_the_oldest_notes_leave_when_there_are_too_many(empty: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes_module, "MAX_ROWS", 10)
    for second in range(25):
        empty.add(second, ID, "label", f"thing {second}")
    assert [note.t_s for note in empty.between()] == [float(second) for second in range(15, 25)]


def test_several_threads_and_connections_write_at_once(tmp_path: Path) -> None:
    with Notes(tmp_path, "a") as one, Notes(tmp_path, "a") as two:
        writers = [
            threading.Thread(target=lambda n=n: [(one, two)[n % 2].add(s, ID, "label", f"{n}") for s in range(20)])
            for n in range(4)
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        assert len(one) == len(two) == 80


def test_bad_notes_and_bad_files_are_refused_with_a_reason(notes: Notes, tmp_path: Path) -> None:
    for kind, text in (("rumour", "x"), ("label", "  ")):
        with pytest.raises(StoreError, match="one of label, text, and a text"):
            notes.add(0.0, ID, kind, text)  # type: ignore[arg-type]
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / FILE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StoreError, match=r"cannot be opened.*not a database"):
        Notes(tmp_path / "broken", "a")
    (tmp_path / "newer").mkdir()
    with sqlite3.connect(tmp_path / "newer" / FILE_NAME) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StoreError, match="format 99"):
        Notes(tmp_path / "newer", "a")


def test_words_are_split_the_same_way_for_notes_and_queries() -> None:
    assert tokenize("Cups, glasses & K<5.0 – naïve café_x") == (
        "cup", "glasse", "k", "5", "0", "naïve", "café", "x",
    )  # fmt: skip
    assert tokenize("日本語 text") == ("日", "本", "語", "text")
