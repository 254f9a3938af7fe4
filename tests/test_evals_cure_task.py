"""CURE on the engine: closed and open forms, judges, baselines, replays, reports, stand-ins, and what bad data say."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from evals.cli import app
from evals.engine.data import DataError
from evals.suites.corpora import Papers, Searching
from evals.suites.cure import agentclinic
from tests.cure_runs import FILLERS, SAMPLE, changed, copied, five, outcomes, player, results, run, script
from tools.errors import AttendError, ConfigError
from tools.literature.index.corpus import open_corpus
from tools.literature.index.ingest import index_path
from tools.literature.options import LiteratureOptions
from tools.literature.types import Document, Filters, Found, Hit, Problem, Section

RATED = r"(?s)Rate whether a diagnosis.*is rated:\n<untrusted>{}</untrusted>"


def chosen(letter: str, papers: list[int] | None = None) -> str:
    return json.dumps({"choice": letter, "papers": papers or [], "why": "It fits."})


def test_an_option_is_chosen_and_cited(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": chosen("B", [1])}])
    found = run(tmp_path, model, "setting=reference", "form=closed")
    assert found["figures"]["reference: accuracy"] == 2 / 8  # c1 and c7
    said = outcomes(tmp_path)["c1"]
    assert (said["choice"], said["diagnoses"], said["marks"]) == ("B", ["Osteoid osteoma"], [2])
    assert said["cited"] == [["pmid:90000011"]]
    assert results(tmp_path)["c1"]["reference"] == "Osteoid osteoma"
    assert "reference: hit@5" not in found["figures"]


def test_another_order_of_options_moves_no_answer_that_rests_on_content(tmp_path: Path) -> None:
    accuracy = {}
    for name, made in (("given", ()), ("one", ("shuffle=true",)), ("two", ("shuffle=true", "--seed", "7"))):
        options = ["setting=reference,rag", "form=closed"]
        figures = run(tmp_path, "baseline:oracle", *options, *made, out=f"oracle-{name}")["figures"]
        assert figures["rag: accuracy"] == 1
        run(tmp_path, "baseline:extractive", *options, *made, out=name)
        accuracy[name] = {case: one["diagnoses"] for case, one in outcomes(tmp_path, name).items()}
    assert accuracy["given"] == accuracy["one"] == accuracy["two"]
    letters = [{case: one["choice"] for case, one in outcomes(tmp_path, name).items()} for name in ("one", "two")]
    assert letters[0] != letters[1]


def test_who_abstains_is_counted_and_is_in_no_quadrant(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": five("Osteoid osteoma")}], c2=[{"say": '{"abstain": true}'}])
    found = run(tmp_path, model, "setting=reference")
    figures = found["figures"]
    assert figures["reference: abstained"] == 1 / 8
    assert results(tmp_path)["c2"]["value"] == 0
    assert sum(figures[f"reference: {name}"] for name in ("evidence-based", "hallucination")) == 1
    assert figures["reference: evidence-based"] == pytest.approx(1 / 7)
    assert figures["reference: quadrants n"] == 7
    assert figures["reference: evidence-based, of all"] == figures["reference: accuracy"] == 1 / 8
    assert figures["reference: no answer, of all"] == 1 / 8
    assert figures["reference: quadrants, of all n"] == 8


def test_what_cannot_be_read_is_asked_for_once_more_and_never_becomes_an_answer(tmp_path: Path) -> None:
    mended = [{"say": "It is scurvy."}, {"when": "That could not be used .*numbered", "say": five("Osteoid osteoma")}]
    broken = [{"say": "A severe thing."}, {"say": "A severe thing."}]
    found = run(tmp_path, script(tmp_path / "s.json", broken, c1=mended), "setting=base")
    assert found["overall"]["failures"] == {"parse": 7}
    assert found["figures"]["base: unparsed"] == 7
    assert results(tmp_path)["c1"]["value"] == 1
    assert found["figures"]["base: accuracy"] == 1 / 8
    assert found["figures"]["base: accuracy of the parsed"] == 1
    assert found["figures"]["base: knowledge-based"] == 1
    choices = run(tmp_path, script(tmp_path / "c.json", broken), "setting=base", "form=closed", out="closed")
    assert choices["overall"]["failures"] == {"parse": 8}


def test_a_citation_that_was_invented_is_caught(tmp_path: Path) -> None:
    papers: list[int | str] = [1, 9, "pmid:12345678", "Smith et al. 2020"]
    found = run(tmp_path, script(tmp_path / "s.json", [{"say": five("Osteoid osteoma", papers)}]), "setting=reference")
    figures = found["figures"]
    assert figures["reference: citations of what was never shown"] == 3 * 8
    # Of the citations that were shown, that of c1 alone names the diagnosis.
    assert figures["reference: citation precision"] == 1 / (4 * 8)
    assert outcomes(tmp_path)["c1"]["cited"][0] == ["pmid:90000011"]
    without = run(tmp_path, script(tmp_path / "s.json", [{"say": five("Mumps", [1])}]), "setting=base", out="base")
    assert without["figures"]["base: citations of what was never shown"] == 8


def test_a_judge_decides_what_words_do_not(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": five("A nidus in the cortex", others=("Bone tumour", *FILLERS[:3]))}])
    turns = [{"when": RATED.format("A nidus in the cortex"), "say": '{"score": 0}'}]
    turns += [{"when": RATED.format(name), "say": '{"score": 0}'} for name in FILLERS[:3]]
    turns += [{"when": RATED.format("Bone tumour"), "say": '{"score": 1}'}]
    osteoma = r"(?s)Osteoid osteoma\nCortical.*is rated:\n<untrusted>{}</untrusted>"
    turns = [{"when": osteoma.format("A nidus in the cortex"), "say": '{"score": 2}'}] + [
        turn for turn in turns for _ in range(8)
    ]
    judge = script(tmp_path / "j.json", turns)
    kept = f"verdicts={tmp_path / 'verdicts'}"
    found = run(tmp_path, model, "setting=reference", f"judge={judge}", kept)
    assert found["overall"]["failures"] == {}
    assert (found["figures"]["reference: hit@1"], found["figures"]["reference: hit@5"]) == (1 / 8, 1 / 8)
    assert outcomes(tmp_path)["c1"]["marks"] == [2, 1, 0, 0, 0]
    assert found["figures"]["judge: asked"] == 5 * 8
    # A hit by a judge has the names of the right one, and so its support.
    assert found["figures"]["reference: evidence-based"] == 1 / 8
    silent = script(tmp_path / "k.json", [{"when": "never", "say": "x"}])
    again = run(tmp_path, model, "setting=reference", f"judge={silent}", "cases=3", out="other")
    assert again["overall"]["failures"] == {"judge": 3}
    unread = script(tmp_path / "u.json", [{"say": "Two of two."}] * 80)
    left = run(tmp_path, model, "setting=reference", f"judge={unread}", out="unread")
    assert left["overall"]["failures"] == {"judge": 8}
    figures = left["figures"]
    for name in ("evidence-based", "evidence-based, of all", "accuracy", "hit@1", "hit@5"):
        assert f"reference: {name}" not in figures  # nothing is known, which is no zero
    assert (figures["reference: n"], figures["reference: without a verdict"]) == (0, 8)


def test_hits_among_five_may_be_the_value(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": five("Mumps", others=("Scurvy", "Rickets", "LAM", "Anthrax"))}])
    found = run(tmp_path, model, "setting=base", "value=hit@5")
    assert found["overall"]["as_wrong"]["mean"]["value"] == 1 / 8
    figures = found["figures"]
    assert (figures["base: hit@1"], figures["base: hit@5"]) == (0, 1 / 8)
    assert figures["base: hit@1 n"] == figures["base: hit@5 n"] == 8
    assert figures["base: hit@5 low"] < 1 / 8 < figures["base: hit@5 high"]


def test_baselines_show_the_room(tmp_path: Path) -> None:
    settings = "setting=base,reference,rag,agent,reference+distractors,shuffled_reference"
    oracle = run(tmp_path, "baseline:oracle", settings, out="oracle")["figures"]
    assert {oracle[f"{name}: accuracy"] for name in settings.partition("=")[2].split(",")} == {1.0}
    assert oracle["reference: citation precision"] == 1
    overlap = run(tmp_path, "baseline:extractive", settings, out="overlap")["figures"]
    chance = run(tmp_path, "baseline:random", settings, out="chance")["figures"]
    # It finds what a paper names, and nothing else: two cases cite such a paper, four have one among all papers.
    assert overlap["reference: evidence-based"] == 2 / 8
    assert overlap["rag: evidence-based"] == overlap["agent: evidence-based"] == 4 / 8
    assert overlap["rag: cov_dx"] == overlap["agent: cov_dx"] == 4 / 8
    assert overlap["shuffled_reference: evidence-based"] == 0
    assert overlap["agent: searches"] == 1
    assert overlap["agent: papers shown"] == 5
    assert overlap["rag: accuracy"] > chance["rag: accuracy"]
    # Options that papers on other diseases name mislead it.
    closed = run(tmp_path, "baseline:extractive", "setting=rag", "form=closed", out="closed")["figures"]
    assert closed["rag: evidence-misled"] > overlap["rag: evidence-misled"]


def test_blind_shows_no_paper_and_no_image(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"when": r"(?s)\AYou are shown a case(?!.*Papers,)", "say": five("Mumps")}])
    found = run(tmp_path, model, "setting=reference", "--blind")
    assert found["overall"]["failures"] == {}
    assert not any(one["shown"] for one in outcomes(tmp_path).values())
    assert not any(one.get("frame_ids") for one in results(tmp_path).values())


def test_searches_are_played_again_and_one_that_is_not_kept_is_an_error_offline(tmp_path: Path) -> None:
    kept = f"record={tmp_path / 'kept'}"
    model = player(tmp_path / "s.json", "rag")
    first = run(tmp_path, model, "setting=rag", kept, out="first")
    assert len(list((tmp_path / "kept").glob("*.json"))) == 8
    again = run(tmp_path, model, "setting=rag", kept, "offline=true", out="again")
    assert outcomes(tmp_path, "again") == outcomes(tmp_path, "first")
    assert again["overall"] == first["overall"]
    next((tmp_path / "kept").glob("*.json")).unlink()
    missed = run(tmp_path, model, "setting=rag", kept, "offline=true", out="missed")
    assert missed["overall"]["failures"] == {"data": 1}
    lines = (tmp_path / "missed" / "transcripts.jsonl").read_text("utf-8")
    assert "is not recorded" in lines
    next((tmp_path / "kept").glob("*.json")).write_text("{", "utf-8")
    with pytest.raises(AttendError, match=r"cannot read the recorded search .*Delete it"):
        run(tmp_path, model, "setting=rag", kept, "offline=true", out="broken")


def test_runs_of_single_settings_are_paired_by_compare(tmp_path: Path) -> None:
    for name in ("rag", "reference"):
        run(tmp_path, player(tmp_path / f"{name}.json", name), f"setting={name}", out=name)
    done = CliRunner().invoke(
        app, ["eval", "compare", str(tmp_path / "rag"), str(tmp_path / "reference"), "--json"], catch_exceptions=False
    )
    found = json.loads(done.stdout)
    assert (found["overall"]["n"], found["overall"]["difference"]) == (8, 1 / 8)
    assert (found["overall"]["fixes"], found["overall"]["regressions"]) == (3, 2)


def test_a_report_shows_n_intervals_what_was_not_read_and_costs(tmp_path: Path) -> None:
    broken = [{"say": "It is scurvy."}] * 9
    model = script(tmp_path / "s.json", [{"say": five("Osteoid osteoma")}] * 9, c2=broken)
    run(tmp_path, model, "setting=base,reference")
    page = tmp_path / "report.html"
    done = CliRunner().invoke(
        app, ["eval", "report", str(tmp_path / "run"), "--out", str(page)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    text = re.sub(r"<[^>]+>|\s+", " ", page.read_text("utf-8"))
    for shown in (
        "reference: n", "reference: accuracy low", "reference: accuracy high", "reference: half-width at n",
        "reference: unparsed", "reference: calls", "reference: tokens in", "reference: seconds", "reference: cov_dx",
    ):  # fmt: skip
        assert shown in text
    assert "gain, reference less base: n" in text


def test_scoring_again_gives_the_same(tmp_path: Path) -> None:
    first = run(tmp_path, player(tmp_path / "s.json", "rag"), "setting=rag", f"index={tmp_path / 'index'}")
    done = CliRunner().invoke(app, ["eval", "score", str(tmp_path / "run"), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["figures"] == first["figures"]


def test_a_corpus_of_ones_own_is_searched_in_place_of_the_papers(tmp_path: Path) -> None:
    index = ["literature", "index", str(SAMPLE / "documents.jsonl"), "--folder", str(tmp_path / "own"), "--no-dense"]
    done = CliRunner().invoke(app, index, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    data = copied(tmp_path / "data")
    (data / "documents.jsonl").unlink()
    corpus = f"corpus={tmp_path / 'own' / 'literature'}"
    found = run(tmp_path, "baseline:extractive", "setting=rag", corpus, data=data)
    assert found["figures"]["rag: papers shown"] > 0
    with pytest.raises(ConfigError, match=r"the corpus .* has no vectors"):
        run(tmp_path, "baseline:extractive", "setting=rag", corpus, "dense=true", data=data, out="dense")
    with pytest.raises(ConfigError, match="the setting 'rag' needs papers to search, and there are none"):
        run(tmp_path, "baseline:extractive", "setting=rag", data=data, out="none")


def test_cited_papers_without_an_abstract_are_counted(tmp_path: Path) -> None:
    def cite(records: list[dict[str, Any]]) -> None:
        records[0]["cited_pmids"].append("12345")

    def blank(records: list[dict[str, Any]]) -> None:
        records[0].update(abstract="", sha256="")

    data = copied(tmp_path / "data", "cases.jsonl", cite)
    changed(data, "documents.jsonl", blank)
    found = run(tmp_path, "baseline:oracle", "setting=reference", data=data)
    assert found["figures"]["reference: cited papers without an abstract"] == 2
    assert outcomes(tmp_path)["c1"]["missing"] == ["pmid:90000011", "pmid:12345"]


@pytest.mark.parametrize(
    ("file", "line", "change", "told"),
    [
        ("cases.jsonl", 2, {"history": "LAM was found."}, r"field 'history': it reveals the diagnosis 'Lymphangio"),
        ("cases.jsonl", 1, {"findings_text": "An osteoid osteoma."}, r"'findings_text': it reveals the diagnosis"),
        ("cases.jsonl", 3, {"answer": "Z"}, r"the answer is 'Z', not one of the options ABCDE"),
        ("cases.jsonl", 3, {"options": {"A": "Mumps", "C": "Scurvy"}}, r"the options are AC, not at least two from A"),
        ("cases.jsonl", 3, {"answer": None}, r"the answer is None"),
        ("cases.jsonl", 4, {"gold_dx": " "}, r"field 'gold_dx'"),
        ("cases.jsonl", 4, {"cited_pmids": ["PMC12"]}, r"field 'cited_pmids\.0': .*'PMC12'"),
        ("cases.jsonl", 4, {"diagnosis": "x"}, r"field 'diagnosis': .*not permitted"),
        ("cases.jsonl", 1, {"images": [{"id": "i", "file": "no.png"}]}, r"field 'images\.0\.file': .*does not exist"),
        ("cases.jsonl", 1, {"images": [{"id": "i", "file": "../cases.jsonl"}]}, r"field 'images\.0\.file'"),
        ("cases.jsonl", 1, {"images": [{"id": "i", "file": "c2.png", "sha": "00"}]}, r"field 'images\.0\.sha'"),
        ("documents.jsonl", 5, {"abstract": "Other words."}, r"the sha256 of title and abstract is"),
        ("documents.jsonl", 6, {"doc_id": "pmid:90000011"}, r"field 'doc_id': 'pmid:90000011' is also on line 1"),
        ("documents.jsonl", 6, {"year": "long ago"}, r"field 'year'"),
    ],
)
def test_bad_records_are_told_of_with_file_line_field_and_remedy(
    tmp_path: Path, file: str, line: int, change: dict[str, Any], told: str
) -> None:
    data = copied(tmp_path / "data", file, lambda records: records[line - 1].update(change))
    with pytest.raises(AttendError, match=rf"{re.escape(file)}', line {line}.*{told}.*(--skip-bad|README)"):
        run(tmp_path, "baseline:oracle", "setting=base", data=data)
    found = run(tmp_path, "baseline:oracle", "setting=base", "--skip-bad", data=data)
    assert found["overall"]["failures"] == {"data": 1}


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for given, told in (
        (("setting=bas",), "unknown setting 'bas'; expected base"),
        (("setting=",), "expected at least one"),
        (("offline=true",), "offline needs the folder of recorded searches"),
        (("judge=openai:m@https://me:secret@host/v1",), "contains a password"),
        (("form=closed", "value=hit@5"), "a choice has no second diagnosis"),
        (("source=pubmed", "setting=rag", "query=case"), "a whole case cannot be a query for pubmed"),
        (("source=pubmed", "setting=rag"), "pubmed requires an e-mail address: set `literature.contact`"),
        (("source=pubmed", "setting=agent", "dense=true"), "cannot be combined with corpus or dense"),
    ):
        with pytest.raises(ConfigError, match=re.escape(told)):
            run(tmp_path, "baseline:oracle", *given, out="refused")
    with pytest.raises(AttendError, match=r"has no cases\.jsonl; the authors' cases are not public"):
        run(tmp_path, "baseline:oracle", data=tmp_path, out="none")
    closed = copied(tmp_path / "open", "cases.jsonl", lambda all_: all_[0].update(options=None, answer=None))
    with pytest.raises(ConfigError, match="the case 'c1' has no options"):
        run(tmp_path, "baseline:oracle", "form=closed", data=closed, out="closed")
    alone = copied(tmp_path / "alone", "cases.jsonl", lambda all_: all_.__delitem__(slice(1, None)))
    with pytest.raises(ConfigError, match="no other case cites papers that 'c1' does not cite"):
        run(tmp_path, "baseline:oracle", "setting=shuffled_reference", data=alone, out="alone")


def examination(diagnosis: str, **more: Any) -> str:
    """A line in the form of AgentClinic's files, written by us."""
    patient = {
        "Demographics": "35-year-old sailor", "History": "His gums bleed.",
        "Symptoms": {"Primary_Symptom": "Bleeding gums", "Secondary_Symptoms": ["Bruises", "Weak legs"]},
        "Social_History": "Eats biscuit.",
    }  # fmt: skip
    held = {
        "Objective_for_Doctor": "Assess the sailor.", "Patient_Actor": patient,
        "Physical_Examination_Findings": {"Vital_Signs": {"Heart_Rate": "90/min"}, "Skin": "Bruises."},
        "Test_Results": {"Blood": {"Vitamin_C": "Low"}}, "Correct_Diagnosis": diagnosis,
    }  # fmt: skip
    return json.dumps({"OSCE_Examination": held | more}, ensure_ascii=False)


def test_cases_of_agentclinic_stand_in(tmp_path: Path) -> None:
    lines = [
        examination("Scurvy (vitamin C deficiency)"),
        examination("Scurvy", Test_Results={"Biopsy": "Consistent with scurvy."}),
        examination("Beriberi", Test_Results={}),
    ]
    (tmp_path / agentclinic.FILES[0]).write_text("\n".join(f"{line} " for line in lines), "utf-8")
    asked = r"(?s)Demographics: 35-year-old sailor; History: His gums bleed\.; Symptoms, Primary Symptom: Bleeding gums"
    wanted = rf"{asked}; Symptoms, Secondary Symptoms: Bruises, Weak legs.*Vital Signs, Heart Rate: 90/min"
    model = script(tmp_path / "s.json", [{"when": wanted, "say": five("Scurvy", others=(*FILLERS[1:], "Mumps"))}])
    found = run(tmp_path, model, "data_set=agentclinic", "setting=base", data=tmp_path)
    assert {id_: one["value"] for id_, one in results(tmp_path).items()} == {
        "agentclinic-1": 1, "agentclinic-2": 1, "agentclinic-3": 0,
    }  # fmt: skip
    assert results(tmp_path)["agentclinic-2"]["slices"]["names its diagnosis"] == "yes"
    assert found["slices"]["names its diagnosis"]["no"]["as_wrong"]["mean"]["n"] == 2
    assert "Objective" not in (tmp_path / "run" / "results.jsonl").read_text("utf-8")
    with pytest.raises(ConfigError, match="the setting 'reference' needs cited papers, and no case"):
        run(tmp_path, model, "data_set=agentclinic", "setting=reference", data=tmp_path, out="cited")
    with pytest.raises(AttendError, match=r"neither agentclinic_medqa_extended\.jsonl nor"):
        run(tmp_path, model, "data_set=agentclinic", data=tmp_path / "run", out="other")
    (tmp_path / agentclinic.FILES[0]).write_text(examination("Scurvy", Patient_Actor={}), "utf-8")
    with pytest.raises(AttendError, match=r"line 1, field 'OSCE_Examination\.Patient_Actor'"):
        run(tmp_path, model, "data_set=agentclinic", "setting=base", data=tmp_path, out="broken")


def test_a_source_on_the_network_is_sent_clean_queries_only_when_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Pretended:
        name, remote = "pubmed", True

        def search(self, query: str, limit: int, filters: Filters) -> Found:
            asked.append(query)
            document = Document(id="pmid:7", title="Pain of the shin", sections=(Section(text="Osteoid osteoma."),))
            problem = Problem(source="pubmed", reason="the server was slow")
            return Found(hits=(Hit(document=document, score=1.0),), problems=(problem,))

        def close(self) -> None:
            asked.append("closed")

    def opened(name: str, options: LiteratureOptions, folder: Path, allow: object) -> Pretended:
        asked.append(f"{name} {options.contact} {options.api_key} {options.send_unasked} {allow}")
        return Pretended()

    monkeypatch.setattr("tools.literature.remote.open_remote", opened)
    steps = [{"action": "search", "query": "shin pain of a 16-year-old"}, {"action": "open", "ids": ["pmid:7"]}]
    turns = [*({"say": json.dumps(step)} for step in (*steps, {"action": "finish"})), {"say": five("Osteoid osteoma")}]
    model = script(tmp_path / "s.json", turns)
    settings = tmp_path / "attend.toml"
    settings.write_text('[literature]\ncontact = "me@example.org"\napi_key = "secret-key"\n', "utf-8")
    given = ("setting=agent", "source=pubmed", "cases=1", "--config", str(settings))
    found = run(tmp_path, model, *given)["figures"]
    assert asked[:2] == ["pubmed me@example.org secret-key True None", "shin pain of an adolescent"]
    for path in (tmp_path / "run").rglob("*.json*"):  # neither is told to whom the run is given
        assert not any(word in path.read_text("utf-8") for word in ("me@example.org", "secret-key"))
    again = CliRunner().invoke(app, ["eval", "score", str(tmp_path / "run"), "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["figures"] == found  # which asks nobody, and wants no address
    assert found["agent: papers shown"] == 1
    assert found["agent: searches that brought a part"] == 1
    asked.clear()
    run(tmp_path, model, "setting=base", "source=pubmed", "cases=1", out="base")
    assert asked == []


async def test_a_search_kept_of_a_corpus_is_not_taken_for_one_of_what_it_holds_now(tmp_path: Path) -> None:
    def paper(number: int) -> str:
        return Document(id=f"pmid:{number}", title=f"Pain of the shin, {number}", pmid=str(number)).model_dump_json()

    async def found(folder: Path, **more: Any) -> list[str]:
        papers = Papers((), Searching(corpus=folder, record=tmp_path / "kept", **more))
        return [document.id for document in (await papers.search("pain of the shin", 9)).documents]

    file, folder = tmp_path / "papers.jsonl", tmp_path / "corpus"
    file.write_text(paper(1) + "\n", "utf-8")
    with open_corpus(folder, writer=True) as corpus:
        index_path(corpus, file)
    assert await found(folder) == ["pmid:1"]
    assert await found(folder, offline=True) == ["pmid:1"]
    shutil.copytree(folder, tmp_path / "elsewhere")
    file.write_text(paper(1) + "\n" + paper(2) + "\n", "utf-8")
    with open_corpus(folder, writer=True) as corpus:
        index_path(corpus, file)
    with pytest.raises(DataError, match="is not recorded"):
        await found(folder, offline=True)
    assert sorted(await found(folder)) == ["pmid:1", "pmid:2"]
    assert await found(tmp_path / "elsewhere", offline=True) == ["pmid:1"]  # the same papers, wherever they lie


def test_a_model_that_keeps_to_no_form_ends_no_run(tmp_path: Path) -> None:
    found = run(tmp_path, "embedded", "setting=base", "cases=1")
    assert set(found["overall"]["failures"]) <= {"parse"}
    assert found["figures"]["base: n"] == 1
    assert found["figures"]["base: calls"] >= 1
