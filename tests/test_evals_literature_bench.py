"""The benchmark of the literature runs, makes questions as it says, and keeps what other parts found."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.bench import literature_made as made
from evals.bench.literature_answers import claims, taken
from evals.bench.literature_questions import SHARED, reword, table, words
from evals.bench.literature_relevance import abstracts
from tools.literature.index.corpus import open_corpus
from tools.literature.index.ingest import index_path
from tools.literature.readers import Read, read_file

ROOT = Path(__file__).parent.parent
ASKED = {
    "1": ("Does hypertension predict stroke in elderly patients with diabetes?",
          "Hypertension and stroke were seen in elderly patients with diabetes, of whom pensioners had more."),
    "2": ("Is laparoscopic cholecystectomy safe during pregnancy?", "Keyhole cholecystectomy was done in pregnancy."),
    "3": ("Zebrafish?", "Of zebrafish nothing is known."),
}  # fmt: skip


def run(*arguments: object) -> None:
    command = [sys.executable, "-m", "evals.bench.literature", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert ended.returncode == 0, ended.stderr


def stems(text: str) -> set[str]:
    return {word[:5] for word in words(text)}


def test_questions_in_other_words_share_little_with_their_source() -> None:
    paraphrased, poor = reword(ASKED)
    assert [one.pmid for one in paraphrased] == [one.pmid for one in poor] == ["1", "2"]
    for one in (*paraphrased, *poor):
        abstract = stems(ASKED[one.pmid][1])
        assert {word[:5] for word in one.shared} == {word[:5] for word in one.content} & abstract
    assert all(len(one.shared) <= SHARED * len(one.content) for one in paraphrased)
    assert not any(one.shared for one in poor)
    assert "pensioners" not in paraphrased[0].text
    assert "keyhole" not in paraphrased[1].text
    assert reword(ASKED) == (paraphrased, poor)


@given(st.lists(st.sampled_from([" ".join(key) for key in table()]), min_size=3, max_size=8), st.integers(0, 255))
def test_no_wording_shares_a_word_with_the_abstract(phrases: list[str], held: int) -> None:
    abstract = " ".join(phrase for place, phrase in enumerate(phrases) if held >> place & 1)
    paraphrased, poor = reword({"1": (" with ".join(phrases), abstract)})
    for one in poor:
        assert not stems(one.text) & stems(abstract)
    for one in paraphrased:
        assert len(one.shared) <= SHARED * len(one.content)


def test_made_up_documents_are_always_the_same_and_like_text(tmp_path: Path) -> None:
    few, more = list(made.documents(20)), list(made.documents(30))
    assert more[:20] == few
    assert len({entry["title"] for entry in more}) == 30
    lengths = [len(entry["text"].split()) for entry in made.documents(300)]
    assert abs(np.mean(lengths) - made.WORDS) < 10
    records = list(read_file(next(made.write(tmp_path, 30).glob("*.jsonl"))))
    assert [record.document.id for record in records if isinstance(record, Read)] == [f"pmid:{n}" for n in range(1, 31)]
    assert sum(record.document.retracted for record in records if isinstance(record, Read)) == 1
    for text, pmid in made.questions(5, 30):
        assert len(set(text.split()) & set(more[int(pmid) - 1]["title"].split())) >= 4


@pytest.mark.parametrize("part", ["engines", "scale"])
def test_parts_that_need_no_data_run(tmp_path: Path, part: str) -> None:
    figures = tmp_path / "literature.json"
    figures.write_text(json.dumps({"latency": {"kept": 1}}))
    run(part, "--documents", 300, "--cache", tmp_path / "cache", "--json", figures)
    report = json.loads(figures.read_text())
    assert report["latency"] == {"kept": 1}
    found = report[part]
    assert found["documents"] == 300
    if part == "engines":
        assert set(found["engines"]) == {"ours", "ours, words", "tantivy", "bm25s", "rank-bm25"}
        assert all(one["right_first"] == 1 for one in found["engines"].values())
    else:
        assert [step["documents"] for step in found["steps"]] == [300]
        assert found["steps"][0]["right_first"] == 1
        assert figures.with_suffix(".png").stat().st_size > 10_000


def test_the_parts_on_pubmedqa_run(tmp_path: Path) -> None:
    entries = {
        pmid: {"QUESTION": question, "CONTEXTS": [abstract, f"Number {pmid} of it."], "LONG_ANSWER": question}
        for pmid, (question, abstract) in ASKED.items()
    }
    (tmp_path / "ori_pqal.json").write_text(json.dumps(entries))
    figures = tmp_path / "literature.json"
    for part in ("known-item", "paraphrase"):
        run(part, "--data", tmp_path, "--json", figures)
    report = json.loads(figures.read_text())
    assert report["known-item"]["plain"]["long answer"]["R@1"] == 1
    assert report["known-item"]["within"] is False
    assert set(report["paraphrase"]["paraphrased"]["ways"]) == {"words", "meaning", "both", "both, with synonyms"}


def test_the_benches_read_abstracts_without_question_and_conclusion(tmp_path: Path) -> None:
    entry = {
        "QUESTION": "Is it so?", "CONTEXTS": ["One.", " ", "Two."], "LABELS": ["AIM", "X", "RESULTS"],
        "MESHES": ["Humans"], "YEAR": "2011", "LONG_ANSWER": "It is so.",
    }  # fmt: skip
    (tmp_path / "ori_pqal.json").write_text(json.dumps({"31": entry}))
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        index_path(corpus, abstracts(tmp_path, tmp_path / "made"))
        (hit,) = corpus.fetch(["pmid:31"]).hits
    paper = hit.document
    assert (paper.title, paper.mesh, paper.published) == ("", ("Humans",), "2011")
    assert [(section.label, section.text) for section in paper.sections] == [("AIM", "One."), ("RESULTS", "Two.")]


def test_claims_that_quote_a_conclusion_are_counted() -> None:
    entries = {
        "1": {
            "QUESTION": "Does aspirin help in sepsis?",
            "LONG_ANSWER": "Aspirin reduced mortality in sepsis. So it is.",
        },
        "2": {"QUESTION": "Do zebrafish grow?", "LONG_ANSWER": "Zebrafish larvae grow fast in warm water."},
    }
    found = claims(entries)
    assert found["the conclusion itself"]["kept"]["value"] == 1
    assert found["another paper's conclusion"]["dropped"]["value"] == 1


def test_questions_that_are_taken_to_the_papers_or_tried_there_are_counted() -> None:
    found = taken(["Does aspirin prevent strokes?", "What is insulin?"], ["Why did the king laugh?"])
    assert found["questions of papers, chosen on"]["value"] == 1
    assert found["questions of papers, held out"]["value"] == 0
    assert found["questions of papers, only tried"]["value"] == 0.5
    assert found["questions on stories"]["value"] == found["questions on stories, only tried"]["value"] == 0


def test_data_that_is_missing_is_asked_for() -> None:
    command = [sys.executable, "-m", "evals.bench.literature", "known-item"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 2
    assert "--data" in ended.stderr
