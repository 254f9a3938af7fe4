"""Names and places in queries for remote sources: taken out, asked about, or held back."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from tests.fake_literature import Clock, FakeServer, opened, pubmed
from tools.literature.remote import open_remote, vocabulary
from tools.literature.remote.vocabulary import is_word
from tools.literature.types import Filters
from tools.privacy.names import possible_names, strange_words

NONE = Filters()
CASES = yaml.safe_load((Path(__file__).parent / "data/privacy.yaml").read_text("utf-8"))


@pytest.mark.parametrize(("query", "told"), CASES["suspected"])
def test_a_person_is_told_which_words_may_be_a_name_or_a_place(
    tmp_path: Path, clock: Clock, query: str, told: str
) -> None:
    asked = []

    def allow(text: str, source: str, suspected: str) -> bool:
        asked.append(suspected)
        return not suspected

    with FakeServer(pubmed([])) as server:
        with open_remote("pubmed", server.options(), tmp_path / "r", allow, counters=tmp_path / "c",
                         timing=clock.timing) as source:  # fmt: skip
            source.search("gout", 5, NONE)
            before = len(server.seen)
            assert "a person refused it" in source.search(query, 5, NONE).problems[0].reason
        assert asked[0] == ""
        assert told in asked[1]
        with opened(server, tmp_path, clock) as source:  # nobody can be asked
            assert told in source.search(query, 5, NONE).problems[0].reason
        assert len(server.seen) == before


@pytest.mark.parametrize("query", CASES["held_back"])
def test_unasked_no_word_leaves_that_is_in_no_list(tmp_path: Path, clock: Clock, query: str) -> None:
    with FakeServer(pubmed([])) as server, opened(server, tmp_path, clock) as source:
        assert "it may contain a name or a place" in source.search(query, 5, NONE).problems[0].reason
        assert server.seen == []


@pytest.mark.parametrize("query", CASES["unasked"])
def test_words_of_medicine_leave_unasked(tmp_path: Path, clock: Clock, query: str) -> None:
    with FakeServer(pubmed([])) as server, opened(server, tmp_path, clock) as source:
        assert source.search(query, 5, NONE).problems == ()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.skipif("ATTEND_PUBMEDQA" not in os.environ, reason="ATTEND_PUBMEDQA names no folder of PubMedQA's data")
def test_how_many_questions_without_a_name_are_taken_for_one_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """PubMedQA's questions name no patient, and its abstracts gave the list of words: each half is judged by the words
    of the other half, too. These are the figures of `docs/literature.md`."""

    def told_by(find, texts: list[str]) -> int:
        return sum(bool(find(text, is_word)) for text in texts)

    records = json.loads((Path(os.environ["ATTEND_PUBMEDQA"]) / "ori_pqal.json").read_text("utf-8"))
    questions = [records[key]["QUESTION"] for key in sorted(records)]
    whole = (told_by(possible_names, questions), told_by(strange_words, questions))
    suspected = held_back = 0
    for half in (0, 1):
        held = [records[key] for key in sorted(records)[half::2]]
        texts = [text for one in held for text in (*one["CONTEXTS"], one["LONG_ANSWER"], *one["MESHES"])]
        told = {word for text in texts for word in re.findall(r"[^\W\d_]{3,}", text) if word.islower()}
        short = {word for word in vocabulary._words() if not word.islower()}
        monkeypatch.setattr(vocabulary, "_words", lambda words=frozenset(told | short): words)
        vocabulary._stems.cache_clear()
        vocabulary.is_word.cache_clear()
        suspected += told_by(possible_names, questions[1 - half :: 2])
        held_back += told_by(strange_words, questions[1 - half :: 2])
    monkeypatch.undo()
    vocabulary._stems.cache_clear()
    vocabulary.is_word.cache_clear()
    assert (*whole, suspected, held_back) == (18, 143, 32, 468)
