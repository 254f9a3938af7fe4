"""What may leave the machine: details of a patient are taken out, a person is asked, and failures let nothing out."""

from __future__ import annotations

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fake_literature import CONTACT, Clock, FakeServer, opened, page, pubmed
from tools.literature.options import LiteratureOptions
from tools.literature.remote import GateError, open_remote
from tools.literature.remote.vocabulary import is_word
from tools.literature.types import Filters
from tools.privacy import presidio
from tools.privacy.egress import LOG_NAME, MAX_CHARS, Gate
from tools.privacy.redact import PhiError, Redactor

NONE = Filters()
CASES = yaml.safe_load((Path(__file__).parent / "data/privacy.yaml").read_text("utf-8"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    return Gate("pubmed", tmp_path, is_word=is_word)


@pytest.mark.parametrize(("query", "left"), CASES["query_cleaned"])
def test_what_tells_of_a_patient_is_taken_out(gate: Gate, query: str, left: str) -> None:
    assert gate.clean(query) == left


@pytest.mark.parametrize("query", CASES["query_kept"])
def test_what_a_search_needs_is_left(gate: Gate, query: str) -> None:
    assert gate.clean(query) == query


_PARTS = st.sampled_from(
    (
        "46-year-old|forty six year old|aged 7|46M|F/46|born 1978|12 March 2024|March|2024|12/03/2024|2024-03-12|May 3"
        "|at|St.|Mary's|General|Hospital|Klinikum|hospital|of|the|Zürich|MRN|123456|4829153|Mr.|Smith|Anna|SMITH,|Schmidt|in"
        '|a@b.org|+41 44 123 45 67|asthma|gout|T2|(|)|,|"|^|:|ward 7|46|year|old|years|-|12|3rd|Anna Schmidt|4711-99'
        "|\u200b|  |\n|_|~"
    ).split("|")
)


@settings(max_examples=300)
@given(st.lists(_PARTS, max_size=14), st.sampled_from([" ", ", ", "-", "/"]))
@example(["2024", "year", "old"], "-")  # a year is nobody's age
def test_what_is_left_is_clean_however_it_is_put_together(parts: list[str], between: str) -> None:
    gate = Gate("pubmed", Path("nowhere"), is_word=is_word, known=["Anna Schmidt", "4711-99"])
    try:
        left = gate.clean(between.join(parts))
    except GateError:
        return
    assert gate.clean(left) == left
    assert Redactor(known=["Anna Schmidt", "4711-99"]).find(left) == []
    assert not re.search(
        r"(?i)\bschmidt\b|\b4711-99\b|@|(?<!\d)\d{1,3}-year-old|\d{6,}|\d{4}-(0\d|1[0-2])-([012]\d|3[01])", left
    )


@pytest.mark.parametrize(
    "part",
    ["A ", "Aa, ", "Aa of the ", "a", "a-", "1 ", "12-", "1", "at ab ", "A^", "Name: Ab ", "(", '"', "may ", "St. ",
     "Hospital of Aa ", "Hospital ", "twenty ", "+1 ", ": ", "@", "a@", "[", "46 "],
)  # fmt: skip
def test_long_odd_texts_come_to_an_end(gate: Gate, part: str) -> None:
    with suppress(GateError):
        left = gate.clean(part * (MAX_CHARS // len(part)))
        assert len(left) <= MAX_CHARS
        assert gate.clean(left) == left, "what is left holds nothing more to take out"


def test_known_details_of_the_settings_never_leave(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed([])) as server, opened(server, tmp_path, clock, known=("anna zeta", "tuba")) as source:
        source.search("Zeta plays the tuba and has gout", 5, NONE)
        assert server.seen[0].params["term"] == "plays the and has gout"
    assert "zeta" not in repr(server.options(known=("anna zeta",)))


def test_known_details_never_leave(tmp_path: Path, clock: Clock) -> None:
    known = ["Anna Zeta", "Quokka Clinic", "X-77", "1978-03-04", "1978"]
    queries = ["anna has gout", "ZETA, gout", "gout at quokka", "gout X-77", "gout 1978-03-04", "Ａnna gout"]
    with FakeServer(pubmed(["1", "2"])) as server:
        options = server.options(send_unasked=True, known=known)
        with open_remote("pubmed", options, tmp_path / "remote", None, counters=tmp_path / "c",
                         timing=clock.timing) as source:  # fmt: skip
            for query in queries:
                source.search(query, 5, NONE)
                source.search("gout", 5, Filters(mesh=(query,)))
            found = source.fetch(["pmid:1978", "pmid:2"])
            assert [hit.document.id for hit in found.hits] == ["pmid:2"]
            assert found.problems[0].ids == ("pmid:1978",)
        with open_remote("europepmc", options, tmp_path / "remote", None, counters=tmp_path / "c",
                         timing=clock.timing) as source:  # fmt: skip
            source.fetch(["doi:10.1000/anna-zeta", "doi:10.1000/x"])
    left = repr([one.params for one in server.seen]) + "".join(
        str(path.read_bytes()) for path in (tmp_path / "remote").iterdir()
    )
    assert len(server.seen) >= 3
    assert not re.search(r"(?i)anna|zeta|quokka|x-77|1978", left)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("word " * 500, f"at most {MAX_CHARS}"),
        ("", "nothing is left of it"),
        ("2024-03-12", "nothing is left of it"),
        (" \n\t ", "nothing is left of it"),
        ("?!", "nothing is left of it"),
    ],
)
def test_a_query_of_which_nothing_may_leave_is_refused(gate: Gate, query: str, told: str) -> None:
    with pytest.raises(GateError, match=told):
        gate.clean(query)


def test_a_filter_that_holds_a_detail_sends_nothing(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        for filters in (Filters(mesh=("MRN 123456",)), Filters(publication_types=("a@b.org",)), Filters(mesh=("",))):
            assert "invalid filter of" in source.search("gout", 5, filters).problems[0].reason
    assert server.seen == []


# Names in prose


@pytest.mark.parametrize("query", CASES["asked_again"])
@pytest.mark.parametrize("name", ["pubmed", "europepmc"])
def test_a_query_in_which_a_name_may_be_left_is_asked_about_again(
    tmp_path: Path, clock: Clock, query: str, name: Any
) -> None:
    asked = []

    def allow(text: str, source: str, suspected: str) -> bool:
        asked.append(text)
        return len(asked) == 1

    with FakeServer(page([]) if name == "europepmc" else pubmed([])) as server:
        with consenting(server, tmp_path, clock, allow, name) as source:
            source.search("gout", 5, NONE)
            source.search("asthma", 5, NONE)
            assert asked == ["gout"]
            before = len(server.seen)
            found = source.search(query, 5, NONE)
        assert len(asked) == 2
        assert "a person refused it" in found.problems[0].reason
        assert len(server.seen) == before
        with opened(server, tmp_path, clock, name) as source:  # nobody to ask, and allowed in general
            assert "it may contain a name or a place" in source.search(query, 5, NONE).problems[0].reason
        assert len(server.seen) == before


def test_a_yes_for_a_query_in_which_a_name_may_be_left_is_for_this_one_only(tmp_path: Path, clock: Clock) -> None:
    asked = []

    def allow(text: str, source: str, suspected: str) -> bool:
        asked.append(text)
        return True

    with FakeServer(pubmed([])) as server, consenting(server, tmp_path, clock, allow) as source:
        for query in ("Laryngeal Mask Supreme", "gout", "Laryngeal Mask Supreme", "Angela Merkel gout"):
            source.search(query, 5, NONE)
    assert asked == ["Laryngeal Mask Supreme", "Angela Merkel gout"]


@pytest.mark.parametrize("query", CASES["medicine_bears"])
def test_names_that_medicine_bears_are_no_suspects(tmp_path: Path, clock: Clock, query: str) -> None:
    with FakeServer(pubmed([])) as server, opened(server, tmp_path, clock) as source:
        assert source.search(query, 5, Filters(mesh=("Breast Neoplasms",))).problems == ()


@settings(max_examples=200)
@given(st.lists(_PARTS | st.sampled_from("my patient|Maria|Gonzalez|named|Crohn|disease|O'Brien|is|,".split("|")),
                max_size=12))  # fmt: skip
def test_what_is_left_without_names_stays(parts: list[str]) -> None:
    gate = Gate("pubmed", Path("nowhere"), is_word=is_word)
    with suppress(GateError):
        left = gate.clean(" ".join(parts))
        assert gate.clean(left) == left


# Consent


def consenting(server: FakeServer, folder: Path, clock: Clock, allow: Any, name: Any = "pubmed", **more: Any) -> Any:
    return open_remote(
        name, server.options(), folder / "remote", allow, counters=folder / "counters", timing=clock.timing, **more
    )


def test_a_person_is_asked_once_and_shown_everything(tmp_path: Path, clock: Clock) -> None:
    asked, shown = [], []

    def allow(query: str, source: str, suspected: str) -> bool:
        asked.append((query, source))
        return True

    with FakeServer(pubmed(["1"])) as server:
        with consenting(server, tmp_path, clock, allow, show=lambda *told: shown.append(told)) as source:
            source.search("46-year-old man with gout", 5, NONE)
            source.search("sepsis", 5, NONE)
            source.search("sepsis", 5, NONE)  # from the cache
        with consenting(server, tmp_path, clock, allow) as source:  # another session
            source.search("sepsis", 5, NONE)
            source.search("asthma", 5, NONE)
    assert asked == [("adult man with gout", "pubmed"), ("asthma", "pubmed")]
    assert shown == [(text, "pubmed") for text in ("adult man with gout", "records of pmid:1", "sepsis")]
    lines = [json.loads(line) for line in (tmp_path / "remote" / LOG_NAME).read_text().splitlines()]
    assert [line["text"] for line in lines] == [*(text for text, _ in shown), "asthma"]
    assert {line["source"] for line in lines} == {"pubmed"}
    assert lines[0]["at"].startswith("2027-01-15T08:00:00")


def test_each_source_is_asked_about(tmp_path: Path, clock: Clock) -> None:
    asked = []

    def allow(query: str, source: str, suspected: str) -> bool:
        asked.append(source)
        return True

    with FakeServer(pubmed(["1"])) as server, consenting(server, tmp_path, clock, allow) as source:
        source.search("gout", 5, NONE)
    with FakeServer(page([])) as server, consenting(server, tmp_path, clock, allow, "europepmc") as source:
        source.search("gout", 5, NONE)
    assert asked == ["pubmed", "europepmc"]


@pytest.mark.parametrize("answer", [False, None, "no", "yes", 1, [True]])
def test_what_is_not_a_yes_is_a_no(tmp_path: Path, clock: Clock, answer: Any) -> None:
    asked = []

    def allow(query: str, source: str, suspected: str) -> Any:
        asked.append(query)
        return answer

    with FakeServer(pubmed(["1"])) as server, consenting(server, tmp_path, clock, allow) as source:
        for query in ("gout", "gout", "sepsis"):
            assert "a person refused it" in source.search(query, 5, NONE).problems[0].reason
        assert source.fetch(["pmid:1"]).problems[0].ids == ("pmid:1",)
    assert asked == ["gout", "sepsis", "records of pmid:1"]
    assert server.seen == []
    assert not (tmp_path / "remote" / LOG_NAME).exists()


def test_nobody_to_ask_is_a_no_unless_the_settings_say_otherwise(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server:
        with consenting(server, tmp_path, clock, None) as source:
            assert "send_unasked" in source.search("gout", 5, NONE).problems[0].reason
        assert server.seen == []
        with opened(server, tmp_path, clock, send_unasked=True) as source:
            assert source.search("46-year-old with gout", 5, NONE).problems == ()
    assert server.seen[0].params["term"] == "adult with gout"
    assert (tmp_path / "remote" / LOG_NAME).exists()


def test_what_asking_raises_reaches_the_caller_and_sends_nothing(tmp_path: Path, clock: Clock) -> None:
    class Interrupt(Exception):
        pass

    def allow(query: str, source: str, suspected: str) -> bool:
        raise Interrupt

    with FakeServer(pubmed(["1"])) as server, consenting(server, tmp_path, clock, allow) as source:
        with pytest.raises(Interrupt):
            source.search("gout", 5, NONE)
        with pytest.raises(Interrupt):
            source.search("gout", 5, NONE)
    assert server.seen == []


def test_threads_ask_once(tmp_path: Path, clock: Clock) -> None:
    asked, together = [], threading.Barrier(4)

    def allow(query: str, source: str, suspected: str) -> bool:
        asked.append(query)
        return True

    with FakeServer(pubmed(["1"])) as server, consenting(server, tmp_path, clock, allow) as source:

        def ask(word: str) -> None:
            together.wait()
            source.search(word, 5, NONE)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(ask, ["gout", "sepsis", "asthma", "psoriasis"]))
    assert len(asked) == 1
    assert len((tmp_path / "remote" / LOG_NAME).read_text().splitlines()) == len(server.seen)


# Failing closed


@pytest.mark.parametrize("error", [RuntimeError, ValueError, MemoryError, KeyError, PhiError])
def test_a_filter_that_fails_sends_nothing(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    class Analyzer:
        def analyze(self, **told: object) -> list[object]:
            raise error("secret of the patient")

    monkeypatch.setattr(presidio, "analyzer", lambda: Analyzer())
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        found = source.search("gout", 5, NONE)
    assert "the search for personal details failed" in found.problems[0].reason
    assert "secret" not in found.problems[0].reason
    assert server.seen == []


def test_what_presidio_finds_is_taken_out(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    class Result:
        start, end, entity_type = 0, 5, "PERSON"

    class Analyzer:
        def analyze(self, text: str, **told: object) -> list[Result]:
            return [Result()] if text.startswith("alice") else []

    monkeypatch.setattr(presidio, "analyzer", lambda: Analyzer())
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock, phi="strict") as source:
        source.search("alice and gout", 5, NONE)
    assert server.seen[0].params["term"] == "and gout"


def test_strict_refuses_to_open_without_presidio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presidio, "analyzer", lambda: "Presidio is not installed")
    with pytest.raises(PhiError, match="'strict'"):
        open_remote("pubmed", LiteratureOptions(contact=CONTACT, phi="strict"), tmp_path, lambda *_: True)


def test_what_cannot_be_logged_is_not_sent(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        (tmp_path / "remote" / LOG_NAME).mkdir()
        found = source.search("gout", 5, NONE)
    assert "cannot log it" in found.problems[0].reason
    assert server.seen == []


def test_the_cache_and_its_keys_never_hold_what_was_taken_out(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        first = source.search("Mr. Quokka, 46-year-old, MRN 7788123, gout", 5, NONE)
        again = source.search("Mr. Wombat, 51-year-old, MRN 9988123, gout", 5, NONE)
        assert (first, len(server.seen)) == (again, 2)  # the same query, once it is clean
    stored = b"".join(path.read_bytes() for path in (tmp_path / "remote").iterdir())
    assert not re.search(rb"Quokka|Wombat|7788123|9988123|46-year|51-year", stored)
