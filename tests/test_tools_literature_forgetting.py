"""Documents are found by their ids, forgotten on demand, and read from PubMed's citation download."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from tests.literature_helpers import NearShelf, Shelf, paper, write_papers
from tools.literature.export.formats import bibtex, reference, ris
from tools.literature.index.corpus import Corpus, open_corpus
from tools.literature.index.forget import forget, meant
from tools.literature.index.ingest import index_path
from tools.literature.readers import Read, ReadError, read_file
from tools.literature.retrieval.retrieve import NO_WORD, retrieve
from tools.literature.types import Document, Filters

ONE = paper(1, "Aspirin prevents stroke in adults.", doi="10.9999/neph.1", pmcid="PMC9999999")
TWO = paper(2, "Statins prevent stroke.")
THREE = paper(3, "Heparin prevents clots.")


def forgotten(corpus: Corpus, *names: str) -> tuple[int, Sequence[str]]:
    found = meant(corpus, names)
    return forget(corpus, found), found.unknown


def there(corpus: Corpus) -> list[str]:
    found = corpus.search("aspirin statins heparin", 9, Filters()).hits if corpus.status().documents else ()
    return sorted(hit.document.id for hit in found)


def test_files_that_are_gone_and_documents_are_forgotten(tmp_path: Path) -> None:
    write_papers(tmp_path / "a", [ONE, TWO])
    write_papers(tmp_path / "b", [TWO, THREE])
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        index_path(corpus, tmp_path / "a")
        index_path(corpus, tmp_path / "b")
        shutil.rmtree(tmp_path / "a")
        with pytest.raises(ReadError, match="attend literature forget"):
            index_path(corpus, tmp_path / "a")
        assert meant(corpus, [str(tmp_path / "a")]).documents == 2
        assert forgotten(corpus, str(tmp_path / "a"), "nothing") == (1, ("nothing",))
        assert there(corpus) == ["pmid:2", "pmid:3"], "the other file holds the second one, too"
        assert forgotten(corpus, "PMID: 3") == (1, ())
        index_path(corpus, tmp_path / "b")
        assert there(corpus) == ["pmid:2"], "the file is as before"
        assert forgotten(corpus, str(tmp_path)) == (1, ())
        assert corpus.status().documents == 0
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        index_path(corpus, tmp_path / "b")
        assert there(corpus) == ["pmid:2", "pmid:3"], "indexed again"


def test_forgetting_asks_and_ids_are_met_in_any_spelling_at_the_command_line(tmp_path: Path) -> None:
    write_papers(tmp_path / "papers", [ONE, TWO])
    folder = ["--folder", str(tmp_path / "state")]
    run = CliRunner().invoke
    assert run(app, ["literature", "index", str(tmp_path / "papers"), "--no-dense", *folder]).exit_code == 0
    for id_ in ("1", "PMID:1", "PMC9999999", "10.9999/neph.1", "https://doi.org/10.9999/NEPH.1"):
        shown = run(app, ["literature", "show", id_, "--json", *folder])
        assert json.loads(shown.stdout)["id"] == "pmid:1", id_
    assert run(app, ["literature", "forget", "pmid:1", *folder]).exit_code != 0, "nobody can be asked"
    assert run(app, ["literature", "forget", "pmid:77", "--yes", *folder]).exit_code == 5
    gone = run(app, ["literature", "forget", "pmid:1", "--yes", "--json", *folder])
    assert json.loads(gone.stdout) == {"forgotten": 1}
    assert run(app, ["literature", "show", "pmid:1", *folder]).exit_code == 5


@pytest.mark.parametrize("asked", ["pmid:1", "PMID 1", "https://doi.org/10.9999/neph.1"])
def test_a_search_for_an_id_brings_its_document_alone(tmp_path: Path, asked: str) -> None:
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        index_path(corpus, write_papers(tmp_path / "papers", [ONE, TWO, THREE]))
        found = retrieve(asked, [corpus])
        assert [hit.document.id for hit in found.hits] == ["pmid:1"]
        assert retrieve("pmid:999", [corpus]).hits == ()
        assert retrieve(asked, [corpus], filters=Filters(year_from=2022)).hits == ()


def test_it_is_said_where_no_document_has_a_word_of_the_query() -> None:
    shelf = NearShelf()
    import numpy as np

    vector = np.eye(len(shelf.near(np.zeros(5, np.float32), 9, Filters()).hits) or 5, dtype=np.float32)[:1]
    found = retrieve("qqqqzzzz", [shelf], embed=lambda texts: vector)
    assert NO_WORD in [problem.reason for problem in found.problems]
    assert NO_WORD not in [problem.reason for problem in retrieve("statins", [Shelf()]).problems]


NBIB = """
PMID- 28612165
OWN - NLM
LR  - 20220409
IS  - 1432-0428 (Electronic)
VI  - 60
IP  - 9
DP  - 2017 Sep 5
TI  - Metformin in type 2 diabetes: a trial with
      a title of two lines.
PG  - 1577-85
LID - 10.1007/S00125-017-4336-X [doi]
AB  - BACKGROUND: Metformin is old. RESULTS: It lowered HbA1c by 1%.
FAU - Sanchez-Rangel, Elizabeth
AU  - Sanchez-Rangel E
FAU - Inzucchi, Silvio E
LA  - eng
PT  - Journal Article
PT  - Retracted Publication
MH  - *Diabetes Mellitus, Type 2/drug therapy
JT  - Diabetologia
PMC - PMC7

PMID- none
TI  - Broken

PMID- 12
TI  - The last one
"""


def test_the_citation_download_of_pubmed_is_read(tmp_path: Path) -> None:
    (tmp_path / "c.nbib").write_text(NBIB)
    one, bad, last = read_file(tmp_path / "c.nbib")
    assert isinstance(one, Read)
    assert isinstance(last, Read)
    paper = one.document
    assert (paper.id, paper.pmcid, paper.doi) == ("pmid:28612165", "PMC7", "10.1007/S00125-017-4336-X")
    assert paper.title == "Metformin in type 2 diabetes: a trial with a title of two lines."
    assert [(section.label, section.text) for section in paper.sections] == [
        ("BACKGROUND", "Metformin is old."), ("RESULTS", "It lowered HbA1c by 1%."),
    ]  # fmt: skip
    assert paper.authors == ("Sanchez-Rangel Elizabeth", "Inzucchi Silvio E")
    assert (paper.journal, paper.published, one.revised) == ("Diabetologia", "2017-09-05", "2022-04-09")
    assert (paper.volume, paper.issue, paper.pages) == ("60", "9", "1577-85")
    assert (paper.mesh, paper.retracted, paper.language) == (("Diabetes Mellitus, Type 2",), True, "eng")
    assert "PMID" in str(bad)
    assert last.document.title == "The last one"


def test_volume_issue_and_pages_are_cited() -> None:
    held = Document(id="pmid:1", title="T", journal="J", volume="60", issue="9", pages="1577-85")
    assert all(part in bibtex([held]) for part in ("volume = {60}", "number = {9}", "pages = {1577--85}"))
    lines = ris([held]).splitlines()
    assert {"VL  - 60", "IS  - 9", "SP  - 1577", "EP  - 1585"} <= set(lines)


def test_a_pdf_is_cited_by_its_file_and_not_as_its_own_abstract() -> None:
    held = paper(1, "All of the text.", source="trial.pdf", label="page 1")
    assert "AB  - " not in ris([held])
    assert "trial.pdf" in reference(held)


def test_without_an_answer_no_references_are_written_and_that_is_said(tmp_path: Path) -> None:
    folder = ["--folder", str(tmp_path / "state")]
    run = CliRunner().invoke
    run(app, ["literature", "index", str(write_papers(tmp_path / "papers", [ONE])), "--no-dense", *folder])
    made = tmp_path / "x.bib"
    for question, code, written in (("Do zebras fly?", 5, False), ("Does aspirin prevent stroke?", 0, True)):
        done = run(app, ["literature", "answer", question, "--bibtex", str(made), *folder])
        assert (done.exit_code, made.exists()) == (code, written)
        assert ("not written" in done.stderr) is not written
