"""Indexing takes what is new or changed, loses nothing, and goes on from where a kill cut it off."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.literature_processes import POINTS, documents_of, embed
from tests.test_tools_literature_reading import PUBMED, pdf
from tools.errors import StoreError
from tools.literature.index.corpus import MAX_PROBLEMS, Corpus, open_corpus
from tools.literature.index.ingest import embed_missing, index_path
from tools.literature.index.status import Indexed, Progress
from tools.literature.readers import ReadError
from tools.literature.retrieval.retrieve import retrieve
from tools.literature.types import Filters

ROOT = Path(__file__).parent.parent
CHANGED = ("read", "unchanged", "vanished", "added", "replaced", "removed", "kept", "embedded")


def write(path: Path, papers: Sequence[dict[str, object]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(paper) + "\n" for paper in papers))
    return path


def paper(number: int, text: str = "common words", **more: object) -> dict[str, object]:
    return {"pmid": str(number), "title": f"paper{number}", "text": text, **more}


def changed(indexed: Indexed) -> dict[str, int]:
    return {name: value for name in CHANGED if (value := getattr(indexed, name))}


def texts(corpus: Corpus) -> dict[str, str]:
    return {document.id: document.text for document in documents_of(corpus)}


def ids(corpus: Corpus, query: str) -> list[str]:
    return [hit.document.id for hit in corpus.search(query, 1_000, Filters()).hits]


def start(*arguments: object, **more: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.literature_processes", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment, **more)  # type: ignore[call-overload]  # fmt: skip


@pytest.fixture
def corpus(tmp_path: Path):
    with open_corpus(tmp_path / "corpus", writer=True) as opened:
        yield opened


def test_what_is_as_before_is_not_read_again(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    one = write(folder / "a.jsonl", [paper(1), paper(2)])
    write(folder / "b.jsonl", [paper(3)])
    (folder / "notes.txt").write_text("not read")
    first = index_path(corpus, folder, embed=embed)
    assert changed(first) == {"read": 2, "added": 3, "embedded": 3}
    assert [Path(name).name for name in first.ignored] == ["notes.txt"]
    os.utime(one, (1, 1))
    assert changed(index_path(corpus, folder, embed=embed)) == {"unchanged": 2}
    write(one, [paper(1), paper(2, "new words"), paper(4)])
    again = index_path(corpus, folder, embed=embed)
    assert changed(again) == {"read": 1, "unchanged": 1, "kept": 1, "replaced": 1, "added": 1, "embedded": 2}
    assert texts(corpus)["pmid:2"] == "new words"
    assert ids(corpus, "new") == ["pmid:2"]
    assert sorted(ids(corpus, "common")) == ["pmid:1", "pmid:3", "pmid:4"]


def test_what_a_file_or_folder_no_longer_holds_is_removed(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    one, two = write(folder / "a.jsonl", [paper(1), paper(2)]), write(folder / "b.jsonl", [paper(3), paper(4)])
    index_path(corpus, folder, embed=embed)
    write(one, [paper(2)])
    two.unlink()
    assert changed(index_path(corpus, folder, embed=embed)) == {"read": 1, "kept": 1, "removed": 3, "vanished": 1}
    assert ids(corpus, "common") == ["pmid:2"]
    assert [hit.document.id for hit in corpus.near(embed(["x"])[0], 9).hits] == ["pmid:2"]
    status = corpus.status()
    assert (status.documents, status.waiting, len(status.files)) == (1, 0, 1)


def test_another_folder_keeps_what_it_gave(corpus: Corpus, tmp_path: Path) -> None:
    index_path(corpus, write(tmp_path / "one" / "a.jsonl", [paper(1)]))
    index_path(corpus, write(tmp_path / "two" / "a.jsonl", [paper(2)]).parent)
    assert set(texts(corpus)) == {"pmid:1", "pmid:2"}


def test_of_two_contents_of_a_document_the_newest_counts(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    write(folder / "a.jsonl", [paper(1, "old"), paper(2, "same")])
    later = write(folder / "b.jsonl", [paper(1, "young"), paper(2, "same")])
    index_path(corpus, folder, embed=embed)
    assert texts(corpus) == {"pmid:1": "young", "pmid:2": "same"}
    (duplicate,) = corpus.status().duplicates
    assert (duplicate.id, Path(duplicate.shown).name) == ("pmid:1", "b.jsonl")
    assert [Path(name).name for name in duplicate.files] == ["a.jsonl", "b.jsonl"]
    later.unlink()
    index_path(corpus, folder, embed=embed)
    assert texts(corpus) == {"pmid:1": "old", "pmid:2": "same"}
    assert ids(corpus, "old young") == ["pmid:1"]
    assert corpus.status().embedded == 2
    assert corpus.status().duplicates == ()


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("{}.jsonl", ['{"_id": "1", "text": "Gout in {}"}'] * 2),
        ("{}.json", ['{"a1": {"CONTEXTS": ["Gout in {}"]}}'] * 2),
        ("{}.jsonl", ['{"id": 1, "title": "Gout in {}"}'] * 2),
    ],
)
def test_two_files_that_call_different_documents_the_same_lose_neither(
    corpus: Corpus, tmp_path: Path, name: str, texts: list[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for part, text in zip(("knees", "toes"), texts, strict=True):
        (folder / name.format(part)).write_text(text.replace("{}", part))
    index_path(corpus, folder)
    assert corpus.status().documents == 2
    (first,), (second,) = corpus.search("knees", 1).hits, corpus.search("toes", 1).hits
    assert "knees" in first.document.title + first.document.text
    assert "toes" in second.document.title + second.document.text
    own = first.document.id[:-9]
    assert corpus.fetch([own]).hits == ()  # which of the two is not known
    (folder / name.format("toes")).unlink()
    index_path(corpus, folder)
    assert [hit.document for hit in corpus.fetch([own]).hits] == [first.document]


def test_two_pdfs_that_show_one_doi_are_both_kept(corpus: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for part in ("knees", "toes"):
        (folder / f"{part}.pdf").write_bytes(pdf(f"Gout in {part} of many adults\ndoi:10.1000/xyz-1"))
    index_path(corpus, folder)
    assert corpus.status().documents == 2
    found = retrieve("gout in toes", [corpus])
    assert len(found.hits) == 2
    assert all(hit.document.doi == "10.1000/xyz-1" for hit in found.hits)


def test_what_a_file_calls_a_document_keeps_it_where_it_breaks(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_text('{"_id": "MED-1", "text": "Gout"}\n{"_id": "MED-1-00000000", "text": "Sepsis"}\n')
    index_path(corpus, path)
    path.write_text('{"_id": "MED-1", "text": 5}\n')
    assert index_path(corpus, path).bad == 1
    assert [document.text for document in documents_of(corpus)] == ["Gout"]


def test_a_date_of_revision_counts_more_than_the_order(corpus: Corpus, tmp_path: Path) -> None:
    index_path(corpus, write(tmp_path / "a.jsonl", [paper(1, "of 2022", revised="2022-01-05")]))
    index_path(corpus, write(tmp_path / "b.jsonl", [paper(1, "of 2020", revised="2020-03-01")]))
    assert texts(corpus) == {"pmid:1": "of 2022"}
    index_path(corpus, write(tmp_path / "c.jsonl", [paper(1, "of 2023", revised="2023")]))
    assert texts(corpus) == {"pmid:1": "of 2023"}


def test_the_same_document_twice_in_a_file_is_told(corpus: Corpus, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper(1, "first"), paper(1, "second"), paper(1, "second"), paper(2)])
    (problem,) = index_path(corpus, path).problems
    assert (problem.record, problem.file) == ("pmid:1", str(path))
    assert "more than once" in problem.reason
    assert texts(corpus) == {"pmid:1": "second", "pmid:2": "common words"}


def test_what_its_source_deleted_is_not_found(corpus: Corpus, tmp_path: Path) -> None:
    index_path(corpus, write(tmp_path / "a.jsonl", [paper(14), paper(99)]))
    update = tmp_path / "update.xml"
    update.write_text(PUBMED)
    index_path(corpus, update)
    assert set(texts(corpus)) == {"pmid:11", "pmid:13", "pmid:99"}
    assert ids(corpus, "paper14") == []
    assert corpus.fetch(["pmid:14"]).hits == ()
    update.write_text("<PubmedArticleSet><DeleteCitation/></PubmedArticleSet>")
    index_path(corpus, update)
    assert set(texts(corpus)) == {"pmid:14", "pmid:99"}


def test_broken_records_are_told_and_lose_nothing(corpus: Corpus, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper(1), paper(2), paper(3)])
    index_path(corpus, path)
    path.write_text('{"pmid": "1", "title": 5}\n{"pmid": "2", "title": "new"}\n{"pmid": \n')
    problems = index_path(corpus, path).problems
    assert [(one.record, one.field) for one in problems] == [("line 1, pmid:1", "title"), ("line 3", "")]
    assert all(one.file == str(path) and one.reason and one.remedy for one in problems)
    assert corpus.status().problems == problems
    assert texts(corpus) == {"pmid:1": "common words", "pmid:2": ""}
    index_path(corpus, write(path, [paper(1)]))
    assert corpus.status().problems == ()


def test_of_many_broken_records_all_are_counted(corpus: Corpus, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper(1)])
    path.write_text(path.read_text() + "{\n" * (MAX_PROBLEMS + 5))
    indexed = index_path(corpus, path)
    assert (indexed.bad, len(indexed.problems), indexed.added) == (MAX_PROBLEMS + 5, MAX_PROBLEMS, 1)
    status = corpus.status()
    assert (status.files[0].problems, len(status.problems)) == (MAX_PROBLEMS + 5, MAX_PROBLEMS)


def test_a_file_that_breaks_off_keeps_what_is_known_of_its_rest(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(PUBMED)
    index_path(corpus, path)
    path.write_text(PUBMED[: PUBMED.index("<PubmedBookArticle>") + 30].replace("Aspirin", "Heparin"))
    indexed = index_path(corpus, path)
    assert (indexed.replaced, indexed.removed) == (1, 0)
    assert ids(corpus, "heparin tears") == ["pmid:13", "pmid:11"]
    assert corpus.status().files[0].state == "cut"
    assert indexed.problems[-1].reason.startswith("the XML is broken")


def test_a_file_that_changes_while_it_is_read_is_read_again(corpus: Corpus, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper(1), paper(2)])

    def meddle(progress: Progress) -> None:
        if progress.documents == 2:
            write(path, [paper(1)])

    indexed = index_path(corpus, path, progress=meddle)
    assert [one.reason for one in indexed.problems] == ["it changed while it was read"]
    assert changed(index_path(corpus, path)) == {"read": 1, "kept": 1, "removed": 1}
    assert corpus.status().problems == ()


def test_progress_tells_files_and_documents(corpus: Corpus, tmp_path: Path) -> None:
    write(tmp_path / "papers" / "a.jsonl", [paper(1), paper(2)])
    write(tmp_path / "papers" / "b.jsonl", [paper(3)])
    told: list[Progress] = []
    index_path(corpus, tmp_path / "papers", embed=embed, progress=told.append)
    assert [(one.done, one.documents) for one in told if one.doing == "reading"] == [(0, 0), (0, 2), (1, 0), (1, 1)]
    assert told[-1] == Progress("embedding", None, 3, 3, 3)


def test_vectors_are_made_later_and_anew_for_another_model(corpus: Corpus, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper(1), paper(2)])
    index_path(corpus, path)
    assert embed_missing(corpus, embed, "one") == 2
    assert embed_missing(corpus, embed, "one") == 0
    assert changed(index_path(corpus, path, embed=embed, model="one")) == {"unchanged": 1}
    assert len(corpus.near(embed(["x"])[0], 9).hits) == 2
    assert changed(index_path(corpus, path, embed=lambda some: embed(some)[:, :1] * 0 + 1, model="two")) == {
        "unchanged": 1, "embedded": 2,
    }  # fmt: skip
    assert len(corpus.near(np.ones(1, np.float32), 9).hits) == 2


@pytest.mark.parametrize(
    "wrong", [lambda some: embed(some)[:-1], lambda some: 2 * embed(some), lambda some: embed(some)[0]]
)
def test_an_embedder_that_gives_something_else_is_refused(corpus: Corpus, tmp_path: Path, wrong) -> None:
    path = write(tmp_path / "a.jsonl", [paper(1), paper(2)])
    with pytest.raises(StoreError, match="embedder"):
        index_path(corpus, path, embed=wrong)
    index_path(corpus, write(path, [paper(3)]), embed=embed)
    with pytest.raises(StoreError, match="embedder"):
        index_path(corpus, write(path, [paper(4)]), embed=lambda some: embed(some)[:, :4] * 0 + 0.5)


def test_only_a_writer_indexes_and_the_path_must_exist(corpus: Corpus, tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [paper(1)])
    index_path(corpus, path)
    with pytest.raises(ReadError, match="none"):
        index_path(corpus, tmp_path / "none")
    with open_corpus(corpus.folder) as reader:
        with pytest.raises(StoreError, match="searching only"):
            index_path(reader, path)
        with pytest.raises(StoreError, match="searching only"):
            embed_missing(reader, embed, "hash")


def test_one_process_writes_and_the_other_is_told_which(tmp_path: Path) -> None:
    holder = start("hold", tmp_path / "corpus")
    assert holder.stdout
    assert holder.stdin
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(StoreError, match=f"process {holder.pid} is indexing it"):
        open_corpus(tmp_path / "corpus", writer=True)
    open_corpus(tmp_path / "corpus").close()
    holder.communicate("\n")
    open_corpus(tmp_path / "corpus", writer=True).close()


def made(folder: Path) -> Path:
    """A folder of forty documents in two files, of which some are in both."""
    write(folder / "a.jsonl", [paper(number, f"common of a{number}") for number in range(25)])
    write(folder / "b.jsonl", [paper(number, f"common of b{number}") for number in range(20, 40)])
    return folder


def renewed(folder: Path) -> Path:
    """The same folder later: documents are changed, new and gone."""
    write(folder / "a.jsonl", [paper(number, f"common later a{number % 5}") for number in range(5, 30)])
    write(folder / "b.jsonl", [paper(number, f"common of b{number}") for number in range(30, 45)])
    return folder


def held_in(folder: Path) -> set[str]:
    """The documents of an index that a kill cut off, which can be searched where it has any."""
    if not (folder / "words" / "meta.json").exists():
        with pytest.raises(StoreError, match="attend literature index"):
            open_corpus(folder)
        return set()
    with open_corpus(folder) as corpus:
        held = texts(corpus)
        if held:
            corpus.search("common", 100, Filters())
        return set(held)


def assert_whole(folder: Path, path: Path, fresh: Path) -> None:
    """An index that was cut off and run again is as one that never was."""
    with open_corpus(folder) as corpus, open_corpus(fresh, writer=True) as expected:
        index_path(expected, path, embed=embed)
        assert texts(corpus) == texts(expected)
        for query in ("common", "later", "a3", *texts(expected)):
            assert sorted(ids(corpus, query.replace("pmid:", "paper"))) == sorted(
                ids(expected, query.replace("pmid:", "paper"))
            )
        near = [[(hit.document.id, round(hit.score, 5)) for hit in one.near(embed(["x"])[0], 99).hits]
                for one in (corpus, expected)]  # fmt: skip
        assert near[0] == near[1]
        status = corpus.status()
        assert (status.waiting, status.embedded) == (0, len(texts(expected)))


@pytest.mark.parametrize(("point", "count"), [(point, 1 + 2 * (n % 2)) for n, point in enumerate(POINTS)])
def test_a_kill_loses_nothing_that_was_committed(tmp_path: Path, point: str, count: int) -> None:
    """Killed at each kind of point, in the first indexing and in one that replaces and removes."""
    path, folder = made(tmp_path / "papers"), tmp_path / "corpus"
    for number, change in enumerate((made, renewed)):
        change(path)
        killed = start("index", folder, path, point, count)
        killed.communicate()
        assert killed.returncode == -signal.SIGKILL
        held = held_in(folder)  # what was committed can be read at once
        ended = start("index", folder, path, "never", 0)
        said, errors = ended.communicate()
        assert ended.returncode == 0, errors
        if not number:  # five documents are in both files
            assert json.loads(said)["added"] <= 45 - len(held)
        assert_whole(folder, path, tmp_path / f"fresh {number}")


def test_kills_at_any_moment(tmp_path: Path) -> None:
    """Killed at random times, over and over, in an indexing whose files change between."""
    path, folder, dice = tmp_path / "papers", tmp_path / "corpus", random.Random(4)
    kills = 0
    for number in range(6):
        (made if number % 2 else renewed)(path)
        process = start("index", folder, path, "never", 0)
        try:
            process.wait(0.6 + 0.9 * dice.random())  # most of which Python takes to begin
        except subprocess.TimeoutExpired:
            process.kill()
            kills += 1
        process.communicate()
    renewed(path)
    ended = start("index", folder, path, "never", 0)
    _, errors = ended.communicate()
    assert ended.returncode == 0, errors
    assert_whole(folder, path, tmp_path / "fresh")


def test_two_processes_search_while_one_indexes(tmp_path: Path) -> None:
    """They see no document twice, none without its text, and more and more of them."""
    folder, path = tmp_path / "corpus", tmp_path / "papers"
    write(path / "a.jsonl", [paper(number, "common at first") for number in range(20)])
    assert start("index", folder, path, "never", 0).wait() == 0
    readers = [start("search", folder) for _ in range(2)]
    for reader in readers:
        assert reader.stdout
        assert reader.stdout.readline() == "ready\n"
    write(path / "a.jsonl", [paper(number, "common and later") for number in range(20)])
    write(path / "b.jsonl", [paper(number, f"common {number}") for number in range(20, 220)])
    _, errors = (writer := start("index", folder, path, "never", 0)).communicate()
    assert writer.returncode == 0, errors
    for reader in readers:
        said, errors = reader.communicate("\n")
        assert reader.returncode == 0, errors
        saw = json.loads(said)
        assert saw["wrong"] == []
        assert (saw["first"], saw["least"], saw["last"]) == (20, 20, 220)
        assert saw["searches"] > 5


@pytest.mark.parametrize("most", [100_000, 400_000, 700_000])
def test_a_full_disk_is_told_and_what_was_committed_stays(tmp_path: Path, most: int) -> None:
    """No file may grow beyond some bytes, so that SQLite or tantivy fails at some time."""
    folder = tmp_path / "corpus"
    few = write(tmp_path / "few" / "a.jsonl", [paper(number) for number in range(10)])
    with open_corpus(folder, writer=True) as corpus:
        index_path(corpus, few)
    many = [paper(number, "common " + " ".join(f"w{number}x{place}" for place in range(60))) for number in range(900)]
    path = write(tmp_path / "many" / "a.jsonl", many)
    failed = start("full", folder, path, most)
    said, errors = failed.communicate()
    assert failed.returncode == 0, errors
    assert "cannot be" in said
    assert "Check the disk" in said
    with open_corpus(folder) as corpus:
        assert set(ids(corpus, "common")) >= {f"pmid:{number}" for number in range(10)}
    with open_corpus(folder, writer=True) as corpus:
        index_path(corpus, path)
        assert len(ids(corpus, "common")) == 900


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StoreError, match=r"cannot write.*file.*Choose a writable folder"):
        open_corpus(tmp_path / "file" / "corpus", writer=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    open_corpus(folder, writer=True).close()
    folder.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="cannot write"):
            open_corpus(folder, writer=True)
    finally:
        folder.chmod(0o700)


def test_a_file_that_cannot_be_read_is_told_and_tried_again(corpus: Corpus, tmp_path: Path) -> None:
    """A folder's file that vanishes between listing and reading stands for one on a broken disk."""
    folder = tmp_path / "papers"
    write(folder / "a.jsonl", [paper(1)])
    other = write(folder / "b.jsonl", [paper(2)])
    index_path(corpus, folder)
    aside = tmp_path / "aside"

    def meddle(progress: Progress) -> None:
        if progress.file and progress.file.name == "b.jsonl" and other.exists():
            other.rename(aside)
            other.symlink_to(other)

    (problem,) = index_path(corpus, folder, progress=meddle).problems
    assert problem.file == str(other)
    assert "cannot read it" in problem.reason
    assert set(texts(corpus)) == {"pmid:1", "pmid:2"}
    other.unlink()
    aside.rename(other)
    assert index_path(corpus, folder).problems == ()
    assert changed(index_path(corpus, folder)) == {"unchanged": 2}
