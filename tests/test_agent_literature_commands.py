"""`attend literature`: from files to cited answers, and what is told where something is amiss."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from evals.cli import app
from tests.literature_helpers import AGAINST, FOR, OTHER, PAPERS, STATIN, paper, write_papers
from tools.errors import AttendError, ConfigError, StoreError
from tools.literature.readers import ReadError
from tools.literature.retrieval.relevance import FIRST
from tools.literature.support.answer import BY_RULE, MOST_DOCUMENTS, NOTHING, NOTICE
from tools.literature.types import Document

GOOD = "Statins reduced mortality by 21% in patients with heart failure"


def attend(folder: Path, *words: object, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["literature", *map(str, words), "--folder", str(folder / "kept")], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def told(folder: Path, *words: object, code: int = 0) -> Any:
    result = attend(folder, *words, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("literature")
    attend(folder, "index", write_papers(folder / "in"), "--no-dense")
    return folder


def ids(found: Any) -> list[str]:
    return [hit["document"]["id"] for hit in found["hits"]]


def test_the_way_of_a_new_user(tmp_path: Path) -> None:
    for verb in (["status"], ["search", "statins"], ["show", "pmid:11"], ["answer", STATIN]):
        with pytest.raises(
            StoreError, match=r"there is no literature in .*Index some first with `attend literature index"
        ):
            attend(tmp_path, *verb)
    assert not (tmp_path / "kept").exists()
    path = write_papers(tmp_path / "in")
    result = attend(tmp_path, "index", path, "--no-dense")
    assert "1 files read, 5 added" in result.stdout
    assert "5 documents can be searched, 1 retracted" in result.stdout
    assert 'attend literature search "..."' in result.stdout
    result = attend(tmp_path, "search", STATIN)
    assert result.exit_code == 0
    assert "pmid:11" in result.stdout
    assert "RETRACTED" in result.stdout
    assert NOTICE in result.stdout
    result = attend(tmp_path, "answer", STATIN)
    assert f"“{GOOD} (P = 0.01).” [pmid:11]" in result.stdout
    assert "The evidence disagrees." in result.stdout
    assert NOTICE in result.stdout
    assert "5 documents can be searched" in attend(tmp_path, "status").stdout


def test_indexing_tells_which_files_disagree_about_a_document(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"id": "local:1", "title": f"Gout in {name}"}))
    said = attend(tmp_path, "index", tmp_path / "one.jsonl", tmp_path / "two.jsonl", "--no-dense").stdout
    assert "local:1 differs between one.jsonl, two.jsonl; the one in two.jsonl is shown" in said


def test_indexing_again_reads_only_what_is_new(tmp_path: Path) -> None:
    write_papers(tmp_path / "in", PAPERS[:2])
    assert told(tmp_path, "index", tmp_path / "in", "--no-dense")["added"] == 2
    again = told(tmp_path, "index", tmp_path / "in", "--no-dense")
    assert (again["read"], again["unchanged"], again["added"]) == (0, 1, 0)
    write_papers(tmp_path / "in", PAPERS[:3])
    more = told(tmp_path, "index", tmp_path / "in", tmp_path / "in" / "papers.jsonl", "--no-dense")
    assert (more["added"], more["documents"], more["waiting_for_vectors"]) == (1, 3, 3)


def test_what_two_paths_hold_is_counted_together_and_each_file_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[str] = []
    digest = hashlib.file_digest

    def counting(stream: Any, name: str) -> Any:
        looked_at.append(stream.name)
        return digest(stream, name)

    def write(name: str, papers: Sequence[Document]) -> Path:
        (tmp_path / name).mkdir()
        for document in papers:
            (tmp_path / name / f"{document.pmid}.jsonl").write_text(document.model_dump_json())
        return tmp_path / name

    monkeypatch.setattr(
        "agent.perception.annotator.embed_texts", lambda texts: np.eye(2, dtype=np.float32)[[0] * len(texts)]
    )
    old, new = write("old", PAPERS[:3]), write("new", PAPERS[3:])
    told(tmp_path, "index", old, "--no-dense")
    monkeypatch.setattr(hashlib, "file_digest", counting)
    total = told(tmp_path, "index", old, new, "--no-dense")
    assert (total["unchanged"], total["read"], total["added"], total["embedded"]) == (3, 2, 2, 0)
    assert len(looked_at) == 5
    looked_at.clear()
    total = told(tmp_path, "index", old, new, "--dense")
    assert (total["unchanged"], total["read"], total["embedded"], total["waiting_for_vectors"]) == (5, 0, 5, 0)
    assert len(looked_at) == 5


def test_what_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    path = write_papers(tmp_path / "in")
    with path.open("a") as file:
        file.write("no JSON\n")
    (tmp_path / "in" / "notes.docx").write_text("x")
    result = attend(tmp_path, "index", tmp_path / "in", "--no-dense")
    assert result.exit_code == 0
    assert "5 added" in result.stdout
    assert "not used: papers.jsonl, line 6: it is not JSON" in result.stdout
    assert "skipped, unknown format: notes.docx" in result.stdout
    assert "1 records not used" in attend(tmp_path, "status").stdout
    with pytest.raises(ReadError, match=r"notes\.docx"):
        attend(tmp_path, "index", tmp_path / "in" / "notes.docx")
    with pytest.raises(ReadError, match="does not exist"):
        attend(tmp_path, "index", tmp_path / "nowhere")


def test_filters_hold(indexed: Path) -> None:
    assert "pmid:13" in ids(told(indexed, "search", STATIN))
    assert "pmid:13" not in ids(told(indexed, "search", STATIN, "--no-retracted"))
    assert ids(told(indexed, "search", STATIN, "--mesh", "heart failure")) == ["pmid:11"]
    assert ids(told(indexed, "search", STATIN, "--year-from", 2020, code=5)) == []
    assert len(ids(told(indexed, "search", STATIN, "--limit", 2))) == 2
    with pytest.raises(ConfigError, match="--year-from 2020 is after --year-to 2010"):
        attend(indexed, "search", STATIN, "--year-from", 2020, "--year-to", 2010)
    with pytest.raises(ConfigError, match="unknown source 'google'"):
        attend(indexed, "search", STATIN, "--source", "google")
    with pytest.raises(ConfigError, match="cannot search for '!!'"):
        attend(indexed, "search", "!!")


def test_diversity_sets_copies_back_by_flag_or_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = [paper(n, AGAINST.text, title=AGAINST.title) for n in (21, 22, 23)]
    attend(tmp_path, "index", write_papers(tmp_path / "in", [*copies, FOR]), "--no-dense")
    two = (STATIN, "--limit", 2)
    assert ids(told(tmp_path, "search", *two)) == ["pmid:21", "pmid:22"]
    assert ids(told(tmp_path, "search", *two, "--diversity", 0.7)) == ["pmid:21", FOR.id]
    answers = [told(tmp_path, "answer", *two, "--diversity", value)["documents"] for value in (0, 0.7)]
    assert [[one["id"] for one in documents] for documents in answers] == [["pmid:21", "pmid:22"], ["pmid:21", FOR.id]]
    monkeypatch.setenv("ATTEND_LITERATURE__DIVERSITY", "0.7")
    assert ids(told(tmp_path, "search", *two)) == ["pmid:21", FOR.id]
    assert attend(tmp_path, "search", *two, "--diversity", 1.5).exit_code == 2


def test_a_search_names_types_and_headings_and_no_aim(tmp_path: Path) -> None:
    trial = paper(
        1, "The aim of this study was to see how statins change mortality. Statins reduced mortality in heart failure.",
        publication_types=("Randomized Controlled Trial",), mesh=("Heart Failure",),
    )  # fmt: skip
    attend(tmp_path, "index", write_papers(tmp_path / "in", [trial]), "--no-dense")
    lines = [line.strip() for line in attend(tmp_path, "search", "statins mortality").stdout.splitlines()]
    assert "Randomized Controlled Trial; Heart Failure" in lines
    assert "Statins reduced mortality in heart failure." in lines


def test_help_names_the_defaults_and_what_leaves(indexed: Path) -> None:
    said = " ".join(CliRunner().invoke(app, ["literature", "answer", "--help"], env={"COLUMNS": "300"}).stdout.split())
    for words in ("initially local", "embedded", "after you agree", f"at most {MOST_DOCUMENTS} are cited"):
        assert words in said
    assert attend(indexed, "answer", STATIN, "--limit", FIRST).exit_code == 0
    assert attend(indexed, "answer", STATIN, "--limit", FIRST + 1).exit_code == 2


def test_a_document_is_shown_whole(indexed: Path) -> None:
    result = attend(indexed, "show", "pmid:11")
    assert FOR.title in result.stdout
    assert "Hospital stays were shorter, too." in result.stdout
    assert "Smith JA, van der Berg K" in result.stdout
    assert "MeSH: Heart Failure; Mortality" in result.stdout
    assert told(indexed, "show", "doi:10.1000/abc_1")["id"] == "pmid:11"
    missing = attend(indexed, "show", "pmid:404")
    assert missing.exit_code == 5
    assert "cannot find 'pmid:404'" in missing.stderr


def test_words_that_steer_a_terminal_are_made_visible(tmp_path: Path) -> None:
    evil = paper(
        1, "Statins \x1b[2J[bold]reduced[/bold] mortality in heart failure \x1b]0;x\x07 so far.", title="[red]\x1b[1m"
    )
    attend(tmp_path, "index", write_papers(tmp_path / "in", [evil]), "--no-dense")
    for verb in (["search", STATIN], ["show", "pmid:1"], ["answer", STATIN]):
        result = attend(tmp_path, *verb)
        assert "\x1b" not in result.output
        assert "[bold]reduced" in result.output


def test_an_answer_is_written_as_a_page_and_as_references(indexed: Path, tmp_path: Path) -> None:
    html, bib, ris = (tmp_path / name for name in ("a.html", "a.bib", "a.ris"))
    result = attend(indexed, "answer", STATIN, "--html", html, "--bibtex", bib, "--ris", ris)
    assert result.exit_code == 0
    assert f"<mark>{GOOD} (P = 0.01).</mark>" in html.read_text("utf-8")
    assert "@article{pmid11," in bib.read_text("utf-8")
    assert "AN  - 11" in ris.read_text("utf-8")
    assert f"written: {html}" in result.stderr
    with pytest.raises(StoreError, match=r"cannot write .*Choose another file"):
        attend(indexed, "answer", STATIN, "--html", tmp_path / "no" / "where.html")


def test_what_is_not_known_is_not_answered(indexed: Path) -> None:
    result = attend(indexed, "answer", "Does chewing gum prevent otitis media in children?")
    assert result.exit_code == 5
    assert NOTHING in result.stdout
    with pytest.raises(ConfigError, match="question is empty"):
        attend(indexed, "answer", "  ")


def script(folder: Path, *turns: Any) -> str:
    path = folder / "script.yaml"
    path.write_text(yaml.safe_dump([{"say": json.dumps(turn)} for turn in turns]))
    return f"scripted:{path}"


def test_a_model_answers_with_checked_claims(indexed: Path, tmp_path: Path) -> None:
    claims = [
        {"text": "Statins reduced mortality.", "stance": "yes", "citations": [{"id": "pmid:11", "quote": GOOD}]},
        {
            "text": "Statins do wonders.",
            "stance": "yes",
            "citations": [{"id": "pmid:77", "quote": "Statins do wonders"}],
        },
    ]
    model = script(tmp_path, {"claims": claims})
    answer = told(indexed, "answer", STATIN, "--model", model)
    claimed, other = answer["claims"]
    assert claimed["text"] == "Statins reduced mortality."
    assert (other["stance"], other["citations"][0]["document_id"], other["cautions"]) == ("no", "pmid:12", [BY_RULE])
    assert "'pmid:77', which was not shown" in answer["dropped"][0]["reason"]
    assert answer["notice"] == NOTICE
    assert answer["model"].startswith("scripted:")


def test_a_model_searches_by_itself(indexed: Path, tmp_path: Path) -> None:
    claims = [{"text": "Larvae grow faster in warm water.", "citations": [{"id": "pmid:14", "quote": OTHER.text}]}]
    model = script(
        tmp_path, {"action": "search", "query": "larvae water"}, {"action": "open", "ids": ["pmid:14"]},
        {"action": "finish"}, {"claims": claims},
    )  # fmt: skip
    answer = told(indexed, "answer", "Do larvae grow faster in warm water?", "--model", model, "--agentic")
    assert answer["claims"][0]["citations"][0]["document_id"] == "pmid:14"
    assert answer["queries"][0]["text"] == "larvae water"
    with pytest.raises(ConfigError, match=r"'embedded' cannot run its own searches.*leave out --agentic"):
        attend(indexed, "answer", STATIN, "--agentic")
    with pytest.raises(ConfigError, match=r"--limit 3 with --agentic.*Leave one"):
        attend(indexed, "answer", STATIN, "--model", model, "--agentic", "--limit", 3)


def test_vectors_are_made_where_there_are_few_documents_and_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def embed(texts: list[str]) -> np.ndarray:
        """Along an axis for what is about fish, along another one for all else."""
        about = [any(word in text.lower() for word in ("fish", "larvae", "aquatic")) for text in texts]
        return np.array([[1.0, 0.0] if one else [0.0, 1.0] for one in about], np.float32)

    monkeypatch.setattr("agent.perception.annotator.embed_texts", embed)
    monkeypatch.setattr("agent.models.sentence_encoder.embed_questions", embed)
    result = attend(tmp_path, "index", write_papers(tmp_path / "in"))
    assert "5 of them also by meaning" in result.stdout
    found = told(tmp_path, "search", "growing aquatic beings")
    assert ids(found)[0] == "pmid:14"
    assert found["hits"][0]["ranks"]["local dense"] == 1
    assert "local dense" not in json.dumps(told(tmp_path, "search", "growing aquatic beings", "--no-dense", code=5))
    monkeypatch.setattr("agent.cli.literature_index.AUTO_EMBED_LIMIT", 0)
    (tmp_path / "other").mkdir()
    other = attend(tmp_path / "other", "index", tmp_path / "in")
    assert "5 documents can be found by words only; --dense" in other.stdout


def test_nothing_leaves_where_nobody_can_be_asked(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTEND_LITERATURE__CONTACT", "somebody@example.org")
    found = told(indexed, "search", "statins", "--source", "pubmed", code=5)
    assert "nobody can be asked" in found["problems"][0]["reason"]


def test_the_doctor_tells_of_the_index(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agent.cli.doctor import run_checks
    from agent.config import Config

    def literature(config: Config) -> list[Any]:
        return [check for check in run_checks(config) if check.name == "literature"]

    assert literature(Config(folder=tmp_path)) == []
    found = literature(Config(folder=indexed / "kept"))
    assert found[0].status == "ok"
    assert "5 documents" in found[0].found
    config = Config.model_validate({"folder": indexed / "kept", "literature": {"reranker": "/nowhere"}})
    assert literature(config)[0].status == "note"


def test_a_damaged_index_is_told(tmp_path: Path) -> None:
    attend(tmp_path, "index", write_papers(tmp_path / "in"), "--no-dense")
    (tmp_path / "kept" / "literature" / "literature.sqlite").write_bytes(b"damaged" * 1_000)
    with pytest.raises(AttendError, match=r"literature\.sqlite"):
        attend(tmp_path, "search", "statins")


def test_a_search_loads_no_heavy_library(tmp_path: Path) -> None:
    """At the terminal it is to answer at once, by meaning, too: torch and transformers take seconds to load."""
    result = attend(tmp_path, "index", write_papers(tmp_path / "in"), "--dense")
    assert "5 of them also by meaning" in result.stdout
    found = told(tmp_path, "search", "statins")
    assert "dense" in [query["channel"] for query in found["queries"]]
    script = (
        "import sys; from evals.cli import app; "
        f"app(['literature', 'search', 'statins', '--folder', {str(tmp_path / 'kept')!r}], standalone_mode=False); "
        "print([name for name in ('torch', 'transformers', 'chromadb', 'langchain_core') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
