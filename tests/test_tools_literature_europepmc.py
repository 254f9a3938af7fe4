"""Europe PMC as a source: paging, filters, ids of several kinds, and the reading of its records."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.fake_literature import CONTACT, KEY, Clock, FakeServer, Reply, Seen, opened, page
from tools.literature.types import Document, Filters, Found

NONE = Filters()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def record(number: int, **more: Any) -> dict[str, Any]:
    """What Europe PMC says of a paper of PubMed's."""
    told = {"id": str(number), "source": "MED", "pmid": str(number), "title": f"Paper {number}", "pubYear": "2020"}
    return {**told, "abstractText": f"What paper {number} says.", **more}


def ids(found: Found) -> list[str]:
    return [hit.document.id for hit in found.hits]


def search(tmp_path: Path, clock: Clock, replies: Sequence[Reply], limit: int, filters: Filters = NONE) -> tuple[
    Found, list[Seen]
]:  # fmt: skip
    with FakeServer(Reply(404), replies) as server, opened(server, tmp_path, clock, "europepmc") as source:
        return source.search("asthma", limit, filters), server.seen


def one(tmp_path: Path, clock: Clock, result: dict[str, Any]) -> Document:
    found, _ = search(tmp_path, clock, [page([result])], 1)
    assert found.problems == ()
    return found.hits[0].document


def test_pages_are_followed_by_their_marks(tmp_path: Path, clock: Clock) -> None:
    pages = [page([record(n) for n in range(start, start + 100)], f"mark+/={start}") for start in (1, 101, 201)]
    found, seen = search(tmp_path, clock, pages, 250)
    assert ids(found) == [f"pmid:{number}" for number in range(1, 251)]
    assert found.problems == ()
    assert [one.params["cursorMark"] for one in seen] == ["*", "mark+/=1", "mark+/=101"]
    asked = {"query": "asthma", "format": "json", "resultType": "core", "pageSize": "100", "synonym": "true"}
    assert all({name: one.params[name] for name in asked} == asked for one in seen)
    assert all(CONTACT in one.headers["User-Agent"] for one in seen)
    assert [hit.ranks for hit in found.hits[:2]] == [{"europepmc": 1}, {"europepmc": 2}]


@pytest.mark.parametrize(
    "last",
    [
        page([record(3)]),  # no mark
        page([record(3)], ""),
        page([record(3)], "a"),  # unchanged
        page([record(3)], "*"),  # a circle
        page([], "b"),  # nothing more
    ],
)
def test_a_mark_that_is_absent_or_was_there_before_is_the_end(tmp_path: Path, clock: Clock, last: Reply) -> None:
    found, seen = search(tmp_path, clock, [page([record(1), record(2)], "a"), last], 50)
    assert ids(found)[:2] == ["pmid:1", "pmid:2"]
    assert found.problems == ()
    assert len(seen) == 2


def test_a_page_that_does_not_come_leaves_the_others(tmp_path: Path, clock: Clock) -> None:
    found, seen = search(tmp_path, clock, [page([record(1), record(2)], "a"), *[Reply(500)] * 9], 50)
    assert ids(found) == ["pmid:1", "pmid:2"]
    assert "status 500" in found.problems[0].reason
    assert len(seen) == 1 + 4


def test_a_search_without_end_is_left(tmp_path: Path, clock: Clock) -> None:
    count = iter(range(10**6))

    def endless(seen: Seen) -> Reply:
        return page([record(1)], f"mark{next(count)}")

    with FakeServer(endless) as server, opened(server, tmp_path, clock, "europepmc") as source:
        found = source.search("asthma", 5, NONE)
    assert ids(found) == ["pmid:1"]
    assert len(server.seen) == 6
    assert "6 pages" in found.problems[0].reason


def test_the_rate_is_kept(tmp_path: Path, clock: Clock) -> None:
    pages = [page([record(n)], f"m{n}") for n in range(1, 9)]
    with FakeServer(Reply(404), pages, clock.now) as server, opened(server, tmp_path, clock, "europepmc") as source:
        source.search("asthma", 8, NONE)
    times = [one.at_s for one in server.seen]
    assert len(times) == 8
    assert all(later - one >= 0.5 - 1e-3 for one, later in pairwise(times))


def test_ncbis_key_is_not_told_to_europe_pmc(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(page([])) as server, opened(server, tmp_path, clock, "europepmc", api_key=KEY) as source:
        source.search("asthma", 8, NONE)
    assert len(server.seen) == 1
    assert KEY not in repr(server.seen)


def test_filters_are_told_and_applied_once_more(tmp_path: Path, clock: Clock) -> None:
    mesh = {"meshHeadingList": {"meshHeading": [{"descriptorName": "Asthma", "majorTopic_YN": "N"}]}}
    trial = {"pubTypeList": {"pubType": ["Randomized Controlled Trial", "Journal Article"]}}
    results = [
        record(1, **mesh, **trial),
        record(2, **mesh, **trial, pubYear="2001"),
        record(3, **trial, keywordList={"keyword": ["Asthma"]}),
        record(4, **mesh),
        record(5, **mesh, pubTypeList={"pubType": ["Randomized Controlled Trial", "Retracted Publication"]}),
    ]
    filters = Filters(
        year_from=2010, publication_types=("Randomized Controlled Trial",), mesh=("Asthma",), exclude_retracted=True
    )
    found, seen = search(tmp_path, clock, [page(results)], 5, filters)
    assert ids(found) == ["pmid:1"]
    assert seen[0].params["pageSize"] == "100"  # since few may pass
    assert seen[0].params["query"] == (
        '(asthma) AND PUB_YEAR:[2010 TO 3000] AND (PUB_TYPE:"Randomized Controlled Trial") AND (KW:"Asthma")'
        ' NOT PUB_TYPE:"retracted publication"'
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("COVID-19: does it cause stroke?", "COVID-19 cause stroke"),
        ("COPD: smoking and HIV/AIDS", "COPD smoking and HIV AIDS"),
        ('TITLE:asthma AND PUB_YEAR:[2010 TO 2020] AND TITLE:"hay fever"', None),
        ('asthma[tiab] AND "hay fever"[mh:noexp]', 'asthma AND "hay fever"'),
        ("[18F]FDG PET ~ 2^3", "18F FDG PET 2 3"),
        ('"what: is (this)?" asthma', None),
    ],
)
def test_signs_that_would_be_taken_for_syntax_are_left_out(
    tmp_path: Path, clock: Clock, query: str, told: str | None
) -> None:
    with FakeServer(page([])) as server, opened(server, tmp_path, clock, "europepmc") as source:
        source.search(query, 5, NONE)
    assert server.seen[0].params["query"] == (query if told is None else told)


def test_either_of_two_words_is_still_not_retracted(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(page([])) as server, opened(server, tmp_path, clock, "europepmc") as source:
        source.search("asthma OR gout", 5, Filters(exclude_retracted=True))
    assert server.seen[0].params["query"] == '(asthma OR gout) NOT PUB_TYPE:"retracted publication"'


@pytest.mark.parametrize(
    "broken",
    [
        Reply(body=b'{"errCode": 400, "errMsg": "bad query"}'),
        Reply(body=b'{"resultList": []}'),
        Reply(body=b"<html/>"),
        Reply(body=b"7"),
        Reply(body=json.dumps({"resultList": {"result": [record(1)]}}).encode()[:-9]),
    ],
)
def test_a_broken_page_is_asked_for_again(tmp_path: Path, clock: Clock, broken: Reply) -> None:
    found, seen = search(tmp_path, clock, [broken, page([record(1)])], 5)
    assert (ids(found), found.problems) == (["pmid:1"], ())
    assert len(seen) == 2


def test_a_record_that_is_none_costs_no_other(tmp_path: Path, clock: Clock) -> None:
    results = [record(1), {"title": "nameless"}, "no record", record(2, authorList={"author": "X"}), record(3)]
    found, _ = search(tmp_path, clock, [page(results)], 5)  # type: ignore[arg-type]
    assert ids(found) == ["pmid:1", "pmid:3"]
    assert len(found.problems) == 3
    assert "'2'" in found.problems[2].reason


# Ids


def test_documents_are_fetched_by_any_id_in_the_order_asked(tmp_path: Path, clock: Clock) -> None:
    results = [
        record(7, pmcid="PMC70", doi="10.1000/ABC"),
        {"id": "PPR5", "source": "PPR", "doi": "10.1101/five", "title": "A preprint", "pubYear": "2021"},
        record(8),
    ]
    asked = ["doi:10.1101/five", "pmid:8", "pmcid:PMC70", "epmc:PPR/PPR5", "doi:10.1000/abc", "pmid:9", "local:1",
             'doi:10.1/x" OR "']  # fmt: skip
    with FakeServer(page(results)) as server, opened(server, tmp_path, clock, "europepmc") as source:
        found = source.fetch(asked)
        assert source.fetch(asked) == found
    assert ids(found) == asked[:5]
    assert [hit.document.title for hit in found.hits] == ["A preprint", "Paper 8", "Paper 7", "A preprint", "Paper 7"]
    assert [one.ids for one in found.problems] == [("local:1", 'doi:10.1/x" OR "'), ("pmid:9",)]
    assert len(server.seen) == 1
    query = server.seen[0].params["query"]
    assert query.startswith('(DOI:"10.1101/five") OR (EXT_ID:8 AND SRC:MED) OR (PMCID:PMC70)')
    assert "(EXT_ID:PPR5 AND SRC:PPR)" in query


def test_many_ids_are_asked_for_in_parts_and_a_failure_names_its_own(tmp_path: Path, clock: Clock) -> None:
    def answer(seen: Seen) -> Reply:
        numbers = [int(part.split()[0]) for part in seen.params["query"].split("EXT_ID:")[1:]]
        return page([record(number) for number in reversed(numbers)])

    wanted = [f"pmid:{number}" for number in range(1, 61)]
    with FakeServer(answer, [answer, Reply(400)]) as server, opened(server, tmp_path, clock, "europepmc") as source:
        found = source.fetch(wanted)
    assert ids(found) == [*wanted[:25], *wanted[50:]]
    assert found.problems[0].ids == tuple(wanted[25:50])
    assert len(server.seen) == 3


def test_offline_is_answered_from_what_was_asked(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(page([record(1)], "m")) as server:
        with opened(server, tmp_path, clock, "europepmc") as source:
            first = source.search("asthma", 1, NONE), source.fetch(["pmid:1"])
        with opened(server, tmp_path, clock, "europepmc", offline=True) as source:
            assert (source.search("asthma", 1, NONE), source.fetch(["pmid:1"])) == first
            assert "offline" in source.search("gout", 1, NONE).problems[0].reason
            many = [f"pmid:{number}" for number in range(2, 27)]
            lacking = source.fetch([*many, "pmid:1"])
            assert (ids(lacking), lacking.problems[0].ids) == (["pmid:1"], tuple(many))
        assert len(server.seen) == 2


# Records


def test_a_record_is_read_in_full(tmp_path: Path, clock: Clock) -> None:
    document = one(
        tmp_path,
        clock,
        record(
            12,
            pmcid="PMC12",
            doi="10.1000/x",
            title="Effect of <i>IL-6</i> &amp; TNF.",
            authorList={
                "author": [
                    {"fullName": "Doe J", "firstName": "Jane", "lastName": "Doe", "initials": "J"},
                    {"fullName": "Roe R", "lastName": "Roe", "initials": "R"},
                    {"collectiveName": "The Group"},
                    {"fullName": "Poe P"},
                ]
            },
            journalInfo={"yearOfPublication": 2020, "monthOfPublication": 4, "journal": {"title": "The Journal"}},
            abstractText="<h4>Background:</h4>More than 10<sup>9</sup>/L, p < 0.05.<h4>Results</h4><p>CD4<sup>+</sup>"
            " and CO<sub>2</sub>.</p><h4>Empty</h4>",
            language="eng",
            license="cc by",
            meshHeadingList={"meshHeading": [{"descriptorName": "Asthma"}, {"descriptorName": "Asthma"}]},
            pubTypeList={"pubType": ["research-article", "Journal Article"]},
        ),
    )
    assert document.title == "Effect of IL-6 & TNF."
    assert [(part.label, part.text) for part in document.sections] == [
        ("Background", "More than 10^9/L, p < 0.05."),
        ("Results", "CD4+ and CO2."),
    ]
    assert document.authors == ("Doe Jane", "Roe R", "The Group", "Poe P")
    assert (document.journal, document.published, document.language) == ("The Journal", "2020-04", "eng")
    assert (document.id, document.pmid, document.pmcid, document.doi) == ("pmid:12", "12", "PMC12", "10.1000/x")
    assert (document.mesh, document.licence) == (("Asthma",), "cc by")
    assert document.publication_types == ("research-article", "Journal Article")
    assert (document.source, document.retracted) == ("europepmc", False)


@pytest.mark.parametrize(
    ("result", "id_"),
    [
        ({"id": "PPR1", "source": "PPR", "doi": "10.1101/X"}, "doi:10.1101/x"),
        ({"id": "PMC9", "source": "PMC", "pmcid": "PMC9"}, "pmcid:PMC9"),
        ({"id": "US1", "source": "PAT"}, "epmc:PAT/US1"),
    ],
)
def test_what_pubmed_does_not_know_has_an_id_that_can_be_fetched(
    tmp_path: Path, clock: Clock, result: dict[str, Any], id_: str
) -> None:
    assert one(tmp_path, clock, result).id == id_
    with FakeServer(page([result])) as server, opened(server, tmp_path, clock, "europepmc") as source:
        assert ids(source.fetch([id_])) == [id_]


@pytest.mark.parametrize(
    "more",
    [
        {"pubTypeList": {"pubType": ["retracted publication"]}},
        {"pubTypeList": {"pubType": ["retracted-article"]}},
        {"commentCorrectionList": {"commentCorrection": [{"type": "Retraction in", "id": "5"}]}},
    ],
)
def test_retracted_papers_are_flagged(tmp_path: Path, clock: Clock, more: dict[str, Any]) -> None:
    assert one(tmp_path, clock, record(1, **more)).retracted


@pytest.mark.parametrize(
    ("more", "published"),
    [
        ({"journalInfo": {"yearOfPublication": 2020, "monthOfPublication": 0}}, "2020"),
        ({"journalInfo": {"yearOfPublication": 2019, "monthOfPublication": 5}}, "2020"),
        ({"firstPublicationDate": "2020-05-06"}, "2020-05-06"),
        ({"firstPublicationDate": "2019-05-06"}, "2020"),
        ({"pubYear": "", "firstPublicationDate": "2019-05-06"}, "2019-05-06"),
        ({"pubYear": None}, ""),
    ],
)
def test_dates_are_read_as_far_as_they_are_known(
    tmp_path: Path, clock: Clock, more: dict[str, Any], published: str
) -> None:
    assert one(tmp_path, clock, record(1, **more)).published == published


def test_authors_in_one_text_are_parted(tmp_path: Path, clock: Clock) -> None:
    assert one(tmp_path, clock, record(1, authorString="Doe J, Roe R.")).authors == ("Doe J", "Roe R")
