"""A corpus is searched by words and by meaning, and filters hold inside of the search."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.literature_processes import documents_of, embed
from tools.errors import StoreError
from tools.literature.index import vectors
from tools.literature.index.corpus import Corpus, open_corpus
from tools.literature.index.ingest import index_path
from tools.literature.index.vectors import MAX_PARTS, PART, parts
from tools.literature.retrieval.retrieve import retrieve
from tools.literature.types import Document, Filters, Section

PAPERS = [
    {"pmid": "1", "title": "Aspirin after stroke", "text": "Aspirin was given. Bleeding was rare.", "year": 2001,
     "mesh": ["Stroke", "Aspirin"], "publication_types": ["Randomized Controlled Trial"]},
    {"pmid": "2", "title": "Aspirin without benefit", "text": "IL-6 fell. No stroke was seen.", "year": 2010,
     "mesh": ["Stroke"], "publication_types": ["Review"], "retracted": True, "doi": "10.1/AB", "pmcid": "PMC9"},
    {"pmid": "3", "title": "Stroke in type 2 diabetes", "text": "HbA1c was high.", "year": 2020, "mesh": ["HUMANS"]},
    {"id": "local:x", "title": "Undated", "text": "A stroke of luck."},
]  # fmt: skip


def write(path: Path, papers: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(paper) + "\n" for paper in papers))
    return path


@pytest.fixture
def corpus(tmp_path: Path):
    path = write(tmp_path / "papers.jsonl", PAPERS)
    with open_corpus(tmp_path / "corpus", writer=True) as opened:
        index_path(opened, path, embed=embed, model="hash")
        yield opened


def ids(corpus: Corpus, query: str, limit: int = 10, **filters: object) -> list[str]:
    return [hit.document.id for hit in corpus.search(query, limit, Filters(**filters)).hits]


def test_words_find_documents_with_rank_and_score(corpus: Corpus) -> None:
    found = corpus.search("aspirin bleeding", 10, Filters())
    assert [hit.document.id for hit in found.hits] == ["pmid:1", "pmid:2"]
    assert [hit.ranks for hit in found.hits] == [{"bm25": 1}, {"bm25": 2}]
    assert found.hits[0].score > found.hits[1].score > 0
    assert found.problems == ()
    assert (corpus.name, corpus.remote) == ("local", False)


@pytest.mark.parametrize(
    ("query", "expected"),
    [("IL-6", ["pmid:2"]), ("il6", ["pmid:2"]), ("HBA1C", ["pmid:3"]), ("without", ["pmid:2"]), ("2", []),
     ("type 2", ["pmid:3"]), ("nothing of it", ["local:x"])],
)  # fmt: skip
def test_codes_and_negations_can_be_searched_for(corpus: Corpus, query: str, expected: list[str]) -> None:
    assert ids(corpus, query) == expected


def test_cover_says_how_much_of_the_question_the_first_hit_holds(corpus: Corpus) -> None:
    covers = [corpus.search(query, 5, Filters()).cover for query in ("aspirin bleeding", "aspirin zebra", "zebra")]
    assert covers[0] == pytest.approx(1.0)
    assert covers[1] is not None
    assert 0 < covers[1] < 0.5  # the word that no document holds is the rarer one
    assert covers[2] == 0.0
    assert corpus.fetch(["pmid:1"]).cover is None


def test_words_that_are_in_no_document_leave_the_order_to_meaning(corpus: Corpus) -> None:
    (paper,) = [paper for paper in documents_of(corpus) if paper.id == "pmid:3"]
    question = "aspirin zebra okapi quagga"
    found = retrieve(question, [corpus], embed=lambda _: embed(parts(paper)), expand=False)
    assert found.hits[0].document.id == "pmid:3"


@pytest.mark.parametrize("query", ["", "?", '"', "title:aspirin OR (", "aspirin AND NOT stroke", "* ~2 ^5", "\x00"])
def test_a_query_is_words_only_whatever_it_looks_like(corpus: Corpus, query: str) -> None:
    found = corpus.search(query, 10, Filters())
    assert bool(found.hits) == ("aspirin" in query)
    assert bool(found.problems) == (not found.hits)


@given(query=st.text(max_size=200), limit=st.integers(1, 5))
@settings(max_examples=60)
def test_any_query_is_answered(query: str, limit: int) -> None:
    corpus = _shared()
    assert len(corpus.search(query, limit, Filters()).hits) <= limit


_opened: list[Corpus] = []


def _shared() -> Corpus:
    if not _opened:
        import tempfile

        folder = Path(tempfile.mkdtemp())
        corpus = open_corpus(folder / "corpus", writer=True)
        index_path(corpus, write(folder / "papers.jsonl", PAPERS))
        _opened.append(corpus)
    return _opened[0]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, {"pmid:1", "pmid:2", "pmid:3", "local:x"}),
        ({"year_from": 2002}, {"pmid:2", "pmid:3"}),
        ({"year_to": 2010}, {"pmid:1", "pmid:2"}),
        ({"year_from": 2010, "year_to": 2010}, {"pmid:2"}),
        ({"mesh": ("stroke",)}, {"pmid:1", "pmid:2"}),
        ({"mesh": ("aspirin", "Humans")}, {"pmid:1", "pmid:3"}),
        ({"publication_types": ("randomized controlled trial",)}, {"pmid:1"}),
        ({"publication_types": ("controlled",)}, set()),
        ({"exclude_retracted": True}, {"pmid:1", "pmid:3", "local:x"}),
        ({"mesh": ("Stroke",), "exclude_retracted": True}, {"pmid:1"}),
    ],
)
def test_filters_hold_for_words_and_for_meaning(corpus: Corpus, filters: dict[str, object], expected: set[str]) -> None:
    assert set(ids(corpus, "stroke", **filters)) == expected
    near = corpus.near(embed(["anything"])[0], 10, Filters(**filters))
    assert {hit.document.id for hit in near.hits} == expected


def test_a_filter_comes_before_the_limit(corpus: Corpus, tmp_path: Path) -> None:
    many = [{"pmid": str(n), "title": "stroke", "text": "stroke " * 9, "year": 1999} for n in range(100, 400)]
    index_path(corpus, write(tmp_path / "many.jsonl", many), embed=embed, model="hash")
    assert ids(corpus, "stroke", 2, year_from=2020) == ["pmid:3"]
    found = corpus.near(embed(["stroke"])[0], 1, Filters(year_from=2020))
    assert [hit.document.id for hit in found.hits] == ["pmid:3"]


def test_filters_change_no_score(corpus: Corpus) -> None:
    every = {hit.document.id: hit.score for hit in corpus.search("stroke", 10, Filters()).hits}
    some = corpus.search("stroke", 10, Filters(year_from=2005, mesh=("stroke",))).hits
    assert some
    assert all(hit.score == pytest.approx(every[hit.document.id]) for hit in some)


def test_retracted_papers_are_found_and_flagged(corpus: Corpus) -> None:
    flags = {hit.document.id: hit.document.retracted for hit in corpus.search("aspirin", 10, Filters()).hits}
    assert flags == {"pmid:1": False, "pmid:2": True}
    assert corpus.status().retracted == 1


def test_fetch_keeps_the_order_knows_other_names_and_tells_what_is_missing(corpus: Corpus) -> None:
    found = corpus.fetch(["pmid:3", "pmid:99", "doi:10.1/ab", "pmcid:PMC9", "local:x"])
    assert [hit.document.id for hit in found.hits] == ["pmid:3", "pmid:2", "pmid:2", "local:x"]
    assert found.problems[0].ids == ("pmid:99",)
    assert corpus.fetch([]).hits == ()


def test_meaning_finds_the_nearest_part(corpus: Corpus) -> None:
    (paper,) = [paper for paper in documents_of(corpus) if paper.id == "pmid:3"]
    found = corpus.near(embed(parts(paper))[0], 2)
    assert found.hits[0].document.id == "pmid:3"
    assert found.hits[0].score == pytest.approx(1.0, abs=1e-2)
    assert [hit.ranks for hit in found.hits] == [{"dense": 1}, {"dense": 2}]
    with pytest.raises(StoreError, match="3 numbers"):
        corpus.near(np.ones(3, np.float32), 1)


def test_near_is_exact_whatever_comes_in_between(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared with all cosines one by one, while documents of several parts come, change and go."""
    monkeypatch.setattr(vectors, "BLOCK", 7)  # so that many readings are needed
    dice = np.random.default_rng(1)
    with open_corpus(corpus.folder) as reader:
        for turn in range(4):
            numbers = dice.choice(60, size=40, replace=False)
            papers = [{"pmid": str(100 + n), "text": f"Sentence {n * turn % 7}. " * int(1 + n * 3)} for n in numbers]
            index_path(corpus, write(tmp_path / "more.jsonl", papers), embed=embed, model="hash")
            for _ in range(3):
                question = embed([str(dice.random())])[0]
                best = {
                    document.id: max(embed(parts(document)).astype(np.float16).astype(np.float32) @ question)
                    for document in documents_of(corpus)
                }
                found = reader.near(question, 9)
                expected = sorted(best.values(), reverse=True)[:9]
                assert [hit.score for hit in found.hits] == pytest.approx(expected, abs=1e-5)
                assert all(hit.score == pytest.approx(best[hit.document.id], abs=1e-5) for hit in found.hits)


def test_without_vectors_nothing_is_near(tmp_path: Path) -> None:
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        index_path(corpus, write(tmp_path / "papers.jsonl", PAPERS))
        assert corpus.near(embed(["x"])[0], 5).hits == ()
        assert corpus.status().embedded == 0


def test_status_tells_what_is_held_and_from_where(corpus: Corpus) -> None:
    status = corpus.status()
    assert (status.documents, status.embedded, status.waiting, status.model) == (4, 4, 0, "hash")
    assert [(Path(file.path).name, file.state, file.documents) for file in status.files] == [
        ("papers.jsonl", "done", 4)
    ]


def test_nothing_indexed_is_said_loudly_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="attend literature index"):
        open_corpus(tmp_path / "none")
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        for search in (lambda: corpus.search("x", 1, Filters()), lambda: corpus.near(np.ones(8), 1)):
            with pytest.raises(StoreError, match="attend literature index PATH"):
                search()
    with open_corpus(tmp_path / "corpus") as corpus:
        assert corpus.status().documents == 0


def test_a_limit_below_one_and_an_unknown_rule_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    for search in (lambda: corpus.search("x", 0, Filters()), lambda: corpus.near(np.ones(8), -1)):
        with pytest.raises(StoreError, match="limit"):
            search()
    with pytest.raises(StoreError, match="'porter'"):
        open_corpus(tmp_path / "other", writer=True, rule="porter")


def test_the_plain_rule_stays_with_its_folder(tmp_path: Path) -> None:
    with open_corpus(tmp_path / "corpus", writer=True, rule="plain") as corpus:
        index_path(corpus, write(tmp_path / "papers.jsonl", PAPERS))
    with open_corpus(tmp_path / "corpus") as corpus:
        assert corpus.status().rule == "plain"
        assert ids(corpus, "il") == ["pmid:2"]
        assert ids(corpus, "2") == []


def test_a_damaged_database_is_named(corpus: Corpus) -> None:
    corpus.close()
    file = corpus.folder / "literature.sqlite"
    for data in (b"no database at all" * 100, file.read_bytes()[:100] + b"x" * 5_000):
        file.write_bytes(data)
        with pytest.raises(StoreError, match=r"literature\.sqlite.*Move its folder away"):
            open_corpus(corpus.folder)
        with pytest.raises(StoreError, match=r"literature\.sqlite"):
            open_corpus(corpus.folder, writer=True)


@pytest.mark.parametrize("damage", ["gone", "meta", "segments", "cut"])
def test_a_damaged_index_of_words_is_named_and_made_anew(corpus: Corpus, damage: str) -> None:
    corpus.close()
    words = corpus.folder / "words"
    if damage == "gone":
        shutil.rmtree(words)
    elif damage == "meta":
        (words / "meta.json").write_text("{")
    else:
        for file in words.iterdir():
            if file.suffix in (".term", ".idx", ".fast", ".store"):
                file.write_bytes(b"" if damage == "segments" else file.read_bytes()[:-30])
    with pytest.raises(StoreError, match=r"words.*attend literature index PATH"), open_corpus(corpus.folder) as reader:
        reader.search("aspirin", 10, Filters())
    with open_corpus(corpus.folder, writer=True) as writer:
        assert ids(writer, "aspirin bleeding") == ["pmid:1", "pmid:2"]
        assert len(writer.near(embed(["x"])[0], 10).hits) == 4
    with open_corpus(corpus.folder) as reader:
        assert ids(reader, "aspirin bleeding") == ["pmid:1", "pmid:2"]


def test_an_index_of_words_that_lacks_or_has_rows_is_mended(corpus: Corpus) -> None:
    corpus.words.remove(1)
    corpus.words.commit()
    assert ids(corpus, "bleeding") == []
    corpus.close()
    with open_corpus(corpus.folder, writer=True) as writer:
        assert ids(writer, "bleeding") == ["pmid:1"]


def test_another_versions_files_are_refused(corpus: Corpus) -> None:
    with corpus.database.transaction() as sql:
        sql.execute("UPDATE meta SET value = '[\"clinical\", 999]' WHERE name = 'rule'")
    corpus.close()
    with pytest.raises(StoreError, match="another version"):
        open_corpus(corpus.folder)
    with open_corpus(corpus.folder, writer=True) as writer:
        assert len(ids(writer, "stroke")) == 4
    with open_corpus(corpus.folder) as reader:
        assert len(ids(reader, "stroke")) == 4


@given(st.lists(st.text(max_size=2_500), max_size=5), st.text(max_size=100))
def test_parts_hold_all_words_and_are_short(texts: list[str], title: str) -> None:
    document = Document(id="x", title=title, sections=tuple(Section(text=text) for text in texts))
    found = parts(document)
    assert 1 <= len(found) <= MAX_PARTS
    assert all(len(part) <= PART for part in found)
    assert "".join("".join(found).split()) == "".join(f"{title}{''.join(texts)}".split())


def test_parts_of_a_book_are_bounded() -> None:
    document = Document(id="x", sections=(Section(text="A sentence of some length stands here. " * 20_000),))
    assert len(parts(document)) == MAX_PARTS
