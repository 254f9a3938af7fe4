"""PubMed as a source: its server's faults, order, filters, limits, and the reading of its records."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from lxml import etree

from tests.fake_literature import (
    Clock,
    FakeServer,
    Reply,
    article,
    article_set,
    book,
    opened,
    pubmed,
    search_result,
)
from tools.literature.readers.medline import SAFE, ArticleError, read_article, words
from tools.literature.remote.cache import Cache
from tools.literature.types import Document, Filters, Found

NONE = Filters()
RETRACTION = """<CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><RefSource>J</RefSource>
</CommentsCorrections></CommentsCorrectionsList>"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pmids(found: Found) -> list[str]:
    return [hit.document.pmid for hit in found.hits]


def test_the_scripted_faulty_server_is_survived(tmp_path: Path, clock: Clock) -> None:
    """200, 429 with Retry-After 2, 200, 500, 500, 200, truncated XML, a book, a missing id: order and rate are kept."""
    ids = ["30", "10", "20", "40"]
    whole = {pmid: article(pmid) for pmid in ("10", "20")} | {"30": book("30")}
    truncated = article_set([whole["20"], whole["10"]])[:-300]  # the second record is cut off
    script = [
        search_result(["10", "20"]),
        Reply(429, b'{"error":"API rate limit exceeded","count":"4","limit":"3"}', {"Retry-After": "2"}),
        pubmed(["10", "20"]),
        Reply(500),
        Reply(500),
        search_result(ids),
        Reply(body=truncated),
        pubmed(ids, whole),
    ]
    with FakeServer(Reply(404), script, clock.now) as server, opened(server, tmp_path, clock) as source:
        first = source.search("asthma", 5, NONE)
        second = source.search("gout", 5, NONE)
    assert (pmids(first), first.problems) == (["10", "20"], ())
    assert pmids(second) == ["30", "10", "20"]
    assert [(one.reason, one.ids) for one in second.problems] == [
        ("PubMed has no record of 1 of the ids.", ("pmid:40",))
    ]
    assert second.hits[0].document.publication_types == ("Review",)
    assert server.calls == ["esearch.fcgi", *["efetch.fcgi"] * 2, *["esearch.fcgi"] * 3, *["efetch.fcgi"] * 2]
    assert server.seen[-1].params["id"] == "30,40"  # the others were held
    times = [one.at_s for one in server.seen]
    for first_at in range(len(times)):
        for last_at in range(first_at, len(times)):
            assert last_at - first_at + 1 <= 1 + 2.5 * (times[last_at] - times[first_at]) + 1e-3
    assert times[2] - times[1] >= 2


def test_what_is_whole_of_a_truncated_answer_is_kept_and_the_rest_named(tmp_path: Path, clock: Clock) -> None:
    ids = ["1", "2", "3"]
    truncated = article_set(article(pmid) for pmid in ids)[:-200]
    script = [search_result(ids), *[Reply(body=truncated)] * 4]
    with FakeServer(pubmed(ids), script) as server, opened(server, tmp_path, clock) as source:
        partial = source.search("asthma", 5, NONE)
        assert pmids(partial) == ["1", "2"]
        assert partial.problems[0].ids == ("pmid:3",)
        assert "broken XML" in partial.problems[0].reason
        whole = source.search("asthma", 5, NONE)
    assert (pmids(whole), whole.problems) == (ids, ())
    assert [one.params.get("id") for one in server.seen] == [None, *["1,2,3"] * 4, "3"]


def test_a_search_asks_for_as_many_as_are_wanted_by_post(tmp_path: Path, clock: Clock) -> None:
    ids = [str(number) for number in range(1000, 1450)]
    with FakeServer(pubmed(ids)) as server, opened(server, tmp_path, clock) as source:
        found = source.search("asthma", 450, NONE)
    assert pmids(found) == ids
    assert [hit.ranks for hit in found.hits[:2]] == [{"pubmed": 1}, {"pubmed": 2}]
    assert all(one.score > later.score for one, later in pairwise(found.hits))
    search, *fetches = server.seen
    told = {"db": "pubmed", "term": "asthma", "retmode": "json", "sort": "relevance", "retmax": "450"}
    assert {name: search.params[name] for name in told} == told
    assert [len(one.params["id"].split(",")) for one in fetches] == [200, 200, 50]
    assert {(one.params["rettype"], one.params["retmode"]) for one in fetches} == {("abstract", "xml")}
    assert {one.method for one in server.seen} == {"POST"}


def test_no_more_than_pubmed_gives_is_asked_for_and_that_is_said(tmp_path: Path, clock: Clock) -> None:
    script = [search_result(["1"], 123_456)]
    with FakeServer(pubmed(["1"]), script) as server, opened(server, tmp_path, clock) as source:
        found = source.search("asthma", 20_000, NONE)
    assert server.seen[0].params["retmax"] == "10000"
    assert "123456 documents match" in found.problems[0].reason
    assert "10000" in found.problems[0].reason


@pytest.mark.parametrize("limit", [0, -3])
def test_nothing_wanted_is_nothing_asked(tmp_path: Path, clock: Clock, limit: int) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        assert source.search("asthma", limit, NONE) == Found()
        assert source.fetch([]) == Found()
    assert server.seen == []


def test_filters_are_told_to_pubmed_and_applied_once_more(tmp_path: Path, clock: Clock) -> None:
    heading = "<MeshHeadingList><MeshHeading><DescriptorName>{}</DescriptorName></MeshHeading></MeshHeadingList>"
    kind = "<PublicationTypeList><PublicationType>{}</PublicationType></PublicationTypeList>"
    trial = kind.format("Randomized Controlled Trial")
    records = {
        "1": article("1", year="2015", extra=heading.format("Asthma"), more=trial),
        "2": article("2", year="2009", extra=heading.format("Asthma"), more=trial),
        "3": article("3", year="2015", extra=heading.format("Gout"), more=trial),
        "4": article("4", year="2015", extra=heading.format("Asthma"), more=kind.format("Review")),
        "5": article("5", year="2015", extra=RETRACTION + heading.format("Asthma"), more=trial),
    }
    filters = Filters(
        year_from=2010, year_to=2020, publication_types=("randomized controlled trial", "Meta-Analysis"),
        mesh=("Asthma",), exclude_retracted=True,
    )  # fmt: skip
    with FakeServer(pubmed(list(records), records)) as server, opened(server, tmp_path, clock) as source:
        assert pmids(source.search("steroids OR placebo", 5, filters)) == ["1"]
        assert pmids(source.search("steroids", 5, Filters(year_to=2010))) == ["2"]
    assert server.seen[0].params["term"] == (
        '(steroids OR placebo) AND ("2010"[dp] : "2020"[dp])'
        ' AND ("randomized controlled trial"[pt:noexp] OR "Meta-Analysis"[pt:noexp])'
        ' AND ("Asthma"[mh:noexp]) NOT "retracted publication"[pt]'
    )
    assert server.seen[-1].params["term"] == '(steroids) AND ("1000"[dp] : "2010"[dp])'


def test_a_retraction_is_excluded_whatever_is_asked(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        source.search("asthma OR gout", 5, Filters(exclude_retracted=True))
    assert server.seen[0].params["term"] == '(asthma OR gout) NOT "retracted publication"[pt]'


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("heart attack and statins", "heart attack and statins"),
        ("Does IL-6 rise after a heart attack, or not?", "IL-6 rise heart attack"),
        ('"heart attack"[ti] AND statins', '"heart attack"[ti] AND statins'),
        ("What is MRN for 123456: gout?", "MRN gout"),
    ],
)
def test_a_question_is_asked_by_the_words_that_carry_its_meaning(
    tmp_path: Path, clock: Clock, question: str, told: str
) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        source.search(question, 5, NONE)
    assert server.seen[0].params["term"] == told


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("asthma) OR (gout", "asthma OR gout"),
        ("asthma (acute", "asthma acute"),
        ('"asthma', "asthma"),
        ('(asthma OR "hay fever") AND "[18F]FDG"[tiab]', '(asthma OR "hay fever") AND "[18F]FDG"[tiab]'),
        ('"beta) (blockers"', '"beta) (blockers"'),
    ],
)
def test_a_query_cannot_break_out_of_its_brackets(tmp_path: Path, clock: Clock, query: str, told: str) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        source.search(query, 5, Filters(year_from=2010))
    assert server.seen[0].params["term"] == f'({told}) AND ("2010"[dp] : "3000"[dp])'


def test_what_pubmed_left_out_of_a_query_is_said(tmp_path: Path, clock: Clock) -> None:
    lists = {
        "errorlist": {"phrasesnotfound": ["left"], "fieldsnotfound": ["foo"]},
        "warninglist": {"phrasesignored": [], "quotedphrasesnotfound": ['"blue asthma"'], "outputmessages": []},
    }
    script = [search_result(["1"], **lists)]
    with FakeServer(pubmed(["1"]), script) as server, opened(server, tmp_path, clock) as source:
        found = source.search("left asthma", 5, NONE)
    assert pmids(found) == ["1"]
    reasons = [one.reason for one in found.problems]
    assert [word in reason for word, reason in zip(("left", "foo", "blue asthma"), reasons, strict=True)] == [True] * 3


def test_nothing_found_is_no_problem(tmp_path: Path, clock: Clock) -> None:
    script = [search_result([], errorlist={"phrasesnotfound": [], "fieldsnotfound": []})]
    with FakeServer(Reply(500), script) as server, opened(server, tmp_path, clock) as source:
        assert source.search("asthma", 5, NONE) == Found()
    assert server.calls == ["esearch.fcgi"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": "API key invalid"}',
        b'{"esearchresult": {"ERROR": "Search Backend failed: read failed"}}',
        b'{"esearchresult": {"idlist": ["1"]}}',
        b'{"esearchresult": {"count": "x", "idlist": ["1"]}}',
        b'{"esearchresult": {"count": "1", "idlist": ["1; drop"]}}',
        b'{"esearchresult": null}',
        b"null",
        b"\xff\xfe",
        b"<?xml version='1.0'?><eSearchResult><Count>1</Count></eSearchResult>",
    ],
)
def test_an_answer_that_is_none_is_a_reason(tmp_path: Path, clock: Clock, body: bytes) -> None:
    with FakeServer(Reply(body=body)) as server, opened(server, tmp_path, clock) as source:
        found = source.search("asthma", 5, NONE)
    assert found.hits == ()
    assert "the server" in found.problems[0].reason
    assert len(server.seen) == 4


def test_line_ends_that_pubmed_does_not_escape_are_read(tmp_path: Path, clock: Clock) -> None:
    body = b'{"esearchresult": {"count": "1", "idlist": ["1"], "querytranslation": "a\n\tb"}}'
    with FakeServer(pubmed(["1"]), [Reply(body=body)]) as server, opened(server, tmp_path, clock) as source:
        assert pmids(source.search("asthma", 5, NONE)) == ["1"]


@pytest.mark.parametrize(
    "body",
    [
        b"<eFetchResult><ERROR>Backend busy</ERROR></eFetchResult>",
        b'{"error": "API rate limit exceeded"}',
        b"<html><body>Sorry</body></html>",
        b"",
        b"<PubmedArticleSet><PubmedArticle><MedlineCitation/></PubmedArticle></PubmedArticleSet>",
    ],
)
def test_records_that_do_not_come_are_named(tmp_path: Path, clock: Clock, body: bytes) -> None:
    with FakeServer(Reply(body=body)) as server, opened(server, tmp_path, clock) as source:
        found = source.fetch(["pmid:1", "pmid:2"])
        assert found.hits == ()
        assert found.problems[0].ids == ("pmid:1", "pmid:2")
        assert len(server.seen) == 4


def test_a_server_that_is_down_is_not_asked_for_every_batch(tmp_path: Path, clock: Clock) -> None:
    ids = [f"pmid:{number}" for number in range(1, 601)]
    first = pubmed([str(number) for number in range(1, 201)])
    with FakeServer(Reply(503), [first]) as server, opened(server, tmp_path, clock) as source:
        found = source.fetch(ids)
    assert len(found.hits) == 200
    assert len(server.seen) == 1 + 4
    assert len(found.problems) == 1
    assert found.problems[0].ids == tuple(ids[200:])


def test_one_refused_batch_does_not_cost_the_others(tmp_path: Path, clock: Clock) -> None:
    ids = [f"pmid:{number}" for number in range(1, 401)]
    rest = pubmed([str(number) for number in range(201, 401)])
    with FakeServer(rest, [Reply(400, b"ID list is empty")]) as server, opened(server, tmp_path, clock) as source:
        found = source.fetch(ids)
    assert pmids(found) == [str(number) for number in range(201, 401)]
    assert found.problems[0].ids == tuple(ids[:200])
    assert "ID list is empty" in found.problems[0].reason


def test_records_are_fetched_in_the_order_asked_once_each(tmp_path: Path, clock: Clock) -> None:
    ids = ["pmid:3", "pmid:0001", "pmid:2", "pmid:3", "pmid:1", "doi:10.1/x", "pmid:x", "pmid:"]
    with FakeServer(pubmed(["1", "2", "3"])) as server, opened(server, tmp_path, clock) as source:
        found = source.fetch(ids)
    assert pmids(found) == ["3", "1", "2"]
    assert server.seen[0].params["id"] == "3,1,2"
    assert found.problems[0].ids == ("doi:10.1/x", "pmid:x", "pmid:")


def test_records_that_were_not_asked_for_are_left_out_and_told(tmp_path: Path, clock: Clock) -> None:
    answer = Reply(body=article_set([article("1"), article("666")]))
    with FakeServer(answer) as server, opened(server, tmp_path, clock) as source:
        found = source.fetch(["pmid:1"])
        assert pmids(found) == ["1"]
        assert found.problems[0].ids == ("pmid:666",)
        assert source.fetch(["pmid:1"]).problems == ()
    assert len(server.seen) == 1


def test_a_missing_record_is_asked_for_again_after_a_day(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        for _ in range(3):
            found = source.fetch(["pmid:1", "pmid:2"])
            assert pmids(found) == ["1"]
            assert found.problems[0].ids == ("pmid:2",)
        clock.now_s += 2 * 86_400
        source.fetch(["pmid:1", "pmid:2"])
    assert [one.params["id"] for one in server.seen] == ["1,2", "2"]


def test_a_record_in_the_cache_that_cannot_be_read_is_asked_for_anew(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        source.fetch(["pmid:1"])
        Cache(tmp_path / "remote", timing=clock.timing).put([({"source": "pubmed", "record": "1"}, b"<Other/>")])
        assert pmids(source.fetch(["pmid:1"])) == ["1"]
        assert pmids(source.fetch(["pmid:1"])) == ["1"]
    assert len(server.seen) == 2


# Records


def read(xml: str) -> Document:
    return read_article(etree.fromstring(xml, etree.XMLParser(**SAFE)))


FULL = """<PubmedArticle><MedlineCitation><PMID Version="1">00123</PMID>
<Article><Journal><JournalIssue><PubDate><MedlineDate>1998 Dec-1999 Jan</MedlineDate></PubDate></JournalIssue>
<Title>The Journal</Title></Journal>
<ArticleTitle>Effect of <i>IL-6</i> on CD4<sup>+</sup> &amp; H<sub>2</sub>O.</ArticleTitle>
<ELocationID EIdType="pii">x</ELocationID><ELocationID EIdType="doi" ValidYN="N">10.1/wrong</ELocationID>
<ELocationID EIdType="doi">10.1/right</ELocationID>
<Abstract><AbstractText Label="BACKGROUND">More than 10<sup>9</sup>/L,
   p &lt; 0.05.</AbstractText><AbstractText Label="UNLABELLED">Rest.</AbstractText><AbstractText Label="NONE"/>
<CopyrightInformation>Copyright 1998 The Society.</CopyrightInformation></Abstract>
<AuthorList><Author><LastName>Doe</LastName><ForeName>Jane A</ForeName><Initials>JA</Initials></Author>
<Author ValidYN="N"><LastName>Wrong</LastName></Author><Author><LastName>Roe</LastName><Initials>R</Initials>
<Suffix>Jr</Suffix></Author><Author><CollectiveName>The Group</CollectiveName></Author></AuthorList>
<Language>eng</Language><PublicationTypeList><PublicationType>Journal Article</PublicationType>
<PublicationType>Retracted Publication</PublicationType></PublicationTypeList></Article>
<MeshHeadingList><MeshHeading><DescriptorName MajorTopicYN="N">Asthma</DescriptorName>
<QualifierName>therapy</QualifierName></MeshHeading></MeshHeadingList>
<OtherAbstract><AbstractText>Nicht dies.</AbstractText></OtherAbstract></MedlineCitation>
<PubmedData><ArticleIdList><ArticleId IdType="pubmed">123</ArticleId><ArticleId IdType="pmc">PMC77</ArticleId>
</ArticleIdList><ReferenceList><Reference><ArticleIdList><ArticleId IdType="doi">10.1/of-a-reference</ArticleId>
<ArticleId IdType="pmc">PMC1</ArticleId></ArticleIdList></Reference></ReferenceList></PubmedData></PubmedArticle>"""


def test_a_record_is_read_in_full() -> None:
    document = read(FULL)
    assert document.id == "pmid:123"
    assert document.title == "Effect of IL-6 on CD4+ & H2O."
    assert [(one.label, one.text) for one in document.sections] == [
        ("BACKGROUND", "More than 10^9/L, p < 0.05."),
        ("", "Rest."),
    ]
    assert document.authors == ("Doe Jane A", "Roe R Jr", "The Group")
    assert (document.journal, document.published, document.language) == ("The Journal", "1998-12", "eng")
    assert (document.doi, document.pmid, document.pmcid) == ("10.1/right", "123", "PMC77")
    assert document.mesh == ("Asthma",)
    assert document.publication_types == ("Journal Article", "Retracted Publication")
    assert document.retracted
    assert document.licence == "Copyright 1998 The Society."


def test_a_book_is_read() -> None:
    document = read(book("55"))
    assert (document.id, document.title, document.journal) == ("pmid:55", "Chapter 55", "Book of Reviews")
    assert document.published == "2003-05-28"
    assert document.authors == ("Writer Wilma",)
    assert [one.label for one in document.sections] == ["CLINICAL CHARACTERISTICS"]


def test_a_retraction_by_notice_only_is_flagged() -> None:
    assert read(article("1", extra=RETRACTION)).retracted
    assert not read(article("1", extra=RETRACTION.replace("RetractionIn", "RetractionOf"))).retracted


@pytest.mark.parametrize(
    ("date", "published"),
    [
        ("<Year>2021</Year><Month>03</Month><Day>9</Day>", "2021-03-09"),
        ("<Year>2021</Year><Month>Sep</Month>", "2021-09"),
        ("<Year>2021</Year><Season>Winter</Season>", "2021"),
        ("<Year>2021</Year><Month>13</Month>", "2021"),
        ("<MedlineDate>2000 Spring</MedlineDate>", "2000"),
        ("<MedlineDate>Summer 1999</MedlineDate>", "1999"),
        ("<MedlineDate>2004 Jul 12-18</MedlineDate>", "2004-07-12"),
        ("<MedlineDate>unknown</MedlineDate>", "2019-02-03"),
        ("", "2019-02-03"),
    ],
)
def test_dates_are_read_as_far_as_they_are_known(date: str, published: str) -> None:
    electronic = "<ArticleDate><Year>2019</Year><Month>02</Month><Day>03</Day></ArticleDate>"
    xml = article("1", more=electronic).replace("<Year>2020</Year><Month>Mar</Month>", date)
    assert read(xml).published == published


@pytest.mark.parametrize(
    ("xml", "field"),
    [
        ("<PubmedArticle/>", "PMID"),
        ("<PubmedArticle><MedlineCitation><PMID>x1</PMID></MedlineCitation></PubmedArticle>", "PMID"),
        ("<PubmedArticle><MedlineCitation><PMID>1</PMID></MedlineCitation></PubmedArticle>", "Article"),
        ("<DeleteCitation/>", "DeleteCitation"),
    ],
)
def test_a_record_that_is_none_names_the_element(xml: str, field: str) -> None:
    with pytest.raises(ArticleError, match=field) as caught:
        read(xml)
    assert caught.value.field == field


def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    xml = f"""<!DOCTYPE a [<!ENTITY word "expanded"><!ENTITY file SYSTEM "{secret.as_uri()}">]>
    <a>&file; <!-- no --> x<b>y</b> &word;</a>"""
    assert words(etree.fromstring(xml, etree.XMLParser(**SAFE))) == "&file; xy &word;"


def test_a_bomb_from_a_server_does_no_harm(tmp_path: Path, clock: Clock) -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 10}">' for n in range(12))
    body = f"<!DOCTYPE PubmedArticleSet [{bomb}]><PubmedArticleSet>{article('1', '&e11;')}</PubmedArticleSet>"
    with FakeServer(Reply(body=body.encode())) as server, opened(server, tmp_path, clock) as source:
        found = source.fetch(["pmid:1"])
    assert found.hits == ()
    assert found.problems[0].ids == ("pmid:1",)
