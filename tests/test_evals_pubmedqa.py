"""PubMedQA: decisions read from replies, its two scores as the authors' script takes them, and its four settings."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from evals.cli import app
from evals.engine.suite import Message, Sample
from evals.stats.agreement import macro_f1
from evals.suites.pubmedqa.baselines import BASELINES
from evals.suites.pubmedqa.dataset import DECISIONS, Record
from evals.suites.pubmedqa.scorer import accuracy, decision, macro_f1_interval, official
from evals.suites.pubmedqa.task import ASK
from tools.base import untrusted
from tools.errors import AttendError, ConfigError

SAMPLE = Path(__file__).parent.parent / "evals" / "suites" / "pubmedqa" / "sample"


def run(tmp_path: Path, model: str, *options: str, data: Path = SAMPLE, out: str = "run") -> dict[str, Any]:
    given = [part for one in options for part in (("--set", one) if "=" in one else (one,))]
    arguments = ["eval", "run", "pubmedqa", "--data", str(data), "--model", model, "--out", str(tmp_path / out)]
    done = CliRunner().invoke(app, [*arguments, "--folder", str(tmp_path / "home"), "--json", *given])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def script(path: Path, turns: Sequence[dict[str, Any]], **samples: Sequence[dict[str, Any]]) -> str:
    path.write_text(json.dumps({"turns": list(turns), "samples": samples}), "utf-8")
    return f"scripted:{path}"


def shown(tmp_path: Path, out: str = "run") -> dict[str, list[str]]:
    lines = (tmp_path / out / "transcripts.jsonl").read_text("utf-8").splitlines()
    return {one["id"]: one["outcome"]["shown"] for one in map(json.loads, lines)}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("yes", "yes"),
        ("No.", "no"),
        ("**Maybe**", "maybe"),
        ("YES, since the trial found it.", "yes"),
        ("Yes it does.", "yes"),
        ("no, the groups did not differ", "no"),
        ("No - the groups did not differ.", "no"),
        ("Answer: no", "no"),
        ("The answer is maybe.", "maybe"),
        ("The groups did not differ.\n\nno", "no"),
        ("The evidence is mixed, so my answer is: maybe", "maybe"),
        ('{"answer": "yes"}', "yes"),
        ("<think>yes? or no?</think> no", "no"),
        ("I would say no, because the groups did not differ.", "no"),
        ("There is not enough information.", None),
        ("No evidence was found for that.", None),
        ("No significant difference was seen, and the effect is large.", None),
        ("The answer is no longer known.", None),
        ("Yes or no cannot be told.", None),
        ("Yes and no.", None),
        ("yes/no/maybe", None),
        ("The answer is yes or no.", None),
        ("Yes. On the other hand, the final answer is no.", None),
        ("It is not known whether it helps.", None),
        ("Nobody knows; maybes abound.", None),
        ("", None),
    ],
)
def test_a_decision_is_read_where_there_is_one(reply: str, said: str | None) -> None:
    assert decision(reply) == said


@given(st.lists(st.sampled_from("not enough information is known nor noted none yesterday may be cannot".split())))
def test_no_decision_is_taken_from_other_words(words: list[str]) -> None:
    assert decision(" ".join(words)) is None


@given(st.lists(st.tuples(st.sampled_from(DECISIONS), st.sampled_from(DECISIONS)), min_size=1, max_size=60))
def test_the_scores_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import accuracy_score, f1_score

    truth, said = [one for one, _ in pairs], [other for _, other in pairs]
    assert accuracy(truth, said) == pytest.approx(accuracy_score(truth, said))
    assert macro_f1(truth, said) == pytest.approx(f1_score(truth, said, average="macro"))


def test_the_official_scores_want_every_id_and_no_other() -> None:
    truth = {"1": "yes", "2": "no", "3": "maybe", "4": "yes"}
    assert official(truth, {**truth, "4": "no"}) == (0.75, pytest.approx((2 / 3 + 2 / 3 + 1) / 3))
    for said in ({"1": "yes"}, {**truth, "5": "no"}):
        with pytest.raises(ValueError, match="ids"):
            official(truth, said)


def test_what_has_no_decision_is_wrong_and_no_class_of_its_own() -> None:
    truth, said = ["yes", "yes", "no", "maybe"], ["yes", None, "no", None]
    assert accuracy(truth, said) == 0.5
    assert macro_f1(truth, said) == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_the_interval_of_macro_f1_holds_it_and_narrows() -> None:
    truth = ["yes", "no", "maybe", "yes"] * 30
    said: list[str | None] = [one if number % 3 else "yes" for number, one in enumerate(truth)]
    low, high = macro_f1_interval(truth, said) or (1.0, 0.0)
    assert low < macro_f1(truth, said) < high
    wide = macro_f1_interval(truth[:24], said[:24]) or (0.0, 0.0)
    assert wide[1] - wide[0] > high - low
    assert macro_f1_interval(truth[:19], said[:19]) is None


def test_each_setting_shows_its_evidence(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": "yes"}])
    found = {
        name: (run(tmp_path, model, f"setting={name}", "k=2", out=name)["figures"], shown(tmp_path, name))
        for name in ("question", "abstract", "retrieval", "mismatched")
    }
    own = {pmid: [f"pmid:{pmid}"] for pmid in found["question"][1]}
    assert len(own) == 6
    assert list(found["question"][1].values()) == [[]] * 6
    assert found["abstract"][1] == own
    assert not any(set(own[pmid]) & set(ids) for pmid, ids in found["mismatched"][1].items())
    assert all(ids[0] == own[pmid][0] and len(ids) <= 2 for pmid, ids in found["retrieval"][1].items())
    figures = found["retrieval"][0]
    assert (figures["retrieval: own abstract shown"], figures["retrieval: own abstract shown n"]) == (1, 6)
    assert 0 < figures["retrieval: own abstract shown low"] < 1
    for name, (figures, _) in found.items():
        assert figures[f"{name}: accuracy"] == figures[f"{name}: official accuracy"] == 3 / 6
        assert figures[f"{name}: official macro-F1"] == pytest.approx((2 * 3 / 9 + 0 + 0) / 3)


def test_the_prompt_has_the_abstract_as_data_and_never_the_conclusion(tmp_path: Path) -> None:
    wanted = r"(?s)\[1\] <untrusted>OBJECTIVE: Shift workers.*41 minutes.*</untrusted>.*one word: yes, no or maybe"
    model = script(tmp_path / "s.json", [{"say": "yes"}], **{"91000001": [{"when": wanted, "say": "yes"}]})
    assert run(tmp_path, model)["overall"]["failures"] == {}
    leaking = [{"when": "improves the sleep of nurses on shifts", "say": "yes"}]
    model = script(tmp_path / "leak.json", [{"say": "yes"}], **{"91000001": leaking})
    assert run(tmp_path, model, "setting=retrieval", out="leak")["overall"]["failures"] == {"model": 1}


def test_settings_of_one_run_are_compared(tmp_path: Path) -> None:
    turns = [{"when": r"\[1\] <untrusted>", "say": "no"}, {"say": "yes"}]
    found = run(tmp_path, script(tmp_path / "s.json", turns), "setting=question,abstract,retrieval")
    figures = found["figures"]
    assert (figures["question: accuracy"], figures["abstract: accuracy"]) == (3 / 6, 2 / 6)
    assert figures["gap, abstract less retrieval"] == 0
    assert figures["gain, abstract less question"] == pytest.approx(-1 / 6)
    assert figures["gain, abstract less question: n"] == 6
    assert set(found["tasks"]) == {"question", "abstract", "retrieval"}
    assert figures["abstract: tokens in"] > figures["question: tokens in"]


def test_replies_without_a_decision_are_counted_in_both_headlines(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"say": "yes"}], **{"91000001": [{"say": "not enough information"}]})
    found = run(tmp_path, model)
    assert found["overall"]["failures"] == {"parse": 1}
    assert "abstract: official accuracy" not in found["figures"]  # the script wants a decision for each id
    assert found["figures"]["abstract: unparsed"] == 1
    assert found["figures"]["abstract: accuracy"] == 2 / 6
    assert found["figures"]["abstract: accuracy of the parsed"] == 2 / 5
    assert found["figures"]["abstract: macro-F1"] < found["figures"]["abstract: macro-F1 of the parsed"]


def test_blind_shows_no_abstract(tmp_path: Path) -> None:
    model = script(tmp_path / "s.json", [{"when": r"\AQuestion of biomedical research: ", "say": "yes"}])
    assert run(tmp_path, model, "--blind")["overall"]["failures"] == {}
    assert set(map(tuple, shown(tmp_path).values())) == {()}


def test_baselines_show_the_room(tmp_path: Path) -> None:
    reached = {
        name: run(tmp_path, f"baseline:{name}", "split=all", out=name)["figures"]["abstract: accuracy"]
        for name in ("oracle", "majority", "human", "human-with-conclusion", "random")
    }
    assert reached["oracle"] == reached["human-with-conclusion"] == 1
    assert reached["majority"] == 3 / 8
    assert reached["human"] == 7 / 8
    assert 0 <= reached["random"] < 1


def test_what_annotators_say_is_told_beside_what_the_model_says(tmp_path: Path) -> None:
    # Of the six of the test one has two decisions: who read the sections alone says maybe.
    turns = [{"when": "Question", "say": "yes"}]
    model = script(tmp_path / "s.json", turns, **{"91000001": [{"say": "I cannot tell."}]})
    found = run(tmp_path, model)
    figures = found["figures"]
    records = json.loads((SAMPLE / "ori_pqal.json").read_text("utf-8"))
    test = json.loads((SAMPLE / "test_ground_truth.json").read_text("utf-8"))
    pairs = {pmid: (records[pmid]["reasoning_required_pred"], records[pmid]["reasoning_free_pred"]) for pmid in test}
    agreed = {pmid: one for pmid, (one, other) in pairs.items() if one == other}
    assert 0 < len(agreed) < len(test)
    assert figures["annotators: agreed"] == pytest.approx(len(agreed) / len(test))
    said = [one == "yes" and pmid != "91000001" for pmid, one in agreed.items()]  # what is not read is wrong
    assert figures["agreed: accuracy"] == pytest.approx(sum(said) / len(said))
    assert found["slices"]["annotators"]["disagree"]["as_wrong"]["mean"]["n"] == len(test) - len(agreed)
    twice = run(tmp_path, "baseline:human-with-conclusion", "--attempts", "2", out="twice")["figures"]
    # Of two annotators who differ, always taking one is half a decision off: Brier (1/4 + 1/4) / 2.
    assert twice["agreed: accuracy"] == 1
    assert (twice["brier, Low"], twice["brier, High"]) == (0, pytest.approx(1 / 4))


def test_an_index_is_kept_where_a_folder_is_named(tmp_path: Path) -> None:
    kept = f"index={tmp_path / 'kept'}"
    run(tmp_path, "baseline:majority", "setting=retrieval", kept, out="first")
    (folder,) = (tmp_path / "kept").iterdir()
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("documents.jsonl")}
    run(tmp_path, "baseline:majority", "setting=retrieval", kept, out="again")
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("documents.jsonl")} == before
    assert shown(tmp_path, "first") == shown(tmp_path, "again")


def test_abstracts_may_be_found_by_meaning_too(tmp_path: Path) -> None:
    run(tmp_path, "baseline:majority", "setting=retrieval", "k=1", "dense=true")
    assert shown(tmp_path) == {pmid: [f"pmid:{pmid}"] for pmid in shown(tmp_path)}


def test_bad_data_are_told_of_with_file_line_and_field(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLE, data)
    file = data / "ori_pqal.json"
    text = file.read_text("utf-8")
    line = 1 + text[: text.index('"91000002"')].count("\n")
    file.write_text(text.replace('"final_decision": "no"', '"final_decision": "perhaps"', 1), "utf-8")
    where = rf"ori_pqal\.json', line {line}, field '91000002\.final_decision': .*found 'perhaps'.*--skip-bad"
    with pytest.raises(AttendError, match=where):
        run(tmp_path, "baseline:oracle", data=data)
    found = run(tmp_path, "baseline:oracle", "--skip-bad", data=data)
    assert found["overall"]["failures"] == {"data": 1}
    assert "abstract: official accuracy" not in found["figures"]  # an id of the test is missing
    file.write_text(text, "utf-8")
    truth = data / "test_ground_truth.json"
    truth.write_text(truth.read_text("utf-8").replace('"91000003": "maybe"', '"91000003": "no"'), "utf-8")
    with pytest.raises(AttendError, match=r"line 4, field '91000003': it is 'no' here and 'maybe' in ori_pqal"):
        run(tmp_path, "baseline:oracle", data=data, out="other")
    truth.unlink()
    with pytest.raises(AttendError, match="cannot read"):
        run(tmp_path, "baseline:oracle", data=data, out="none")
    assert run(tmp_path, "baseline:oracle", "split=all", data=data, out="all")["figures"]["abstract: n"] == 8
    file.write_text("[]", "utf-8")
    with pytest.raises(AttendError, match="it contains a list, not an object by PMID"):
        run(tmp_path, "baseline:oracle", "split=all", data=data, out="list")
    with pytest.raises(ConfigError, match="unknown setting 'abstracts'"):
        run(tmp_path, "baseline:oracle", "setting=abstracts", out="odd")


RESULTS = "METHODS: We followed nurses on shifts for two years.\nRESULTS: {}\nRESULTS: The mean age was 50 years."


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("A nap improved the sleep of nurses on shifts.", "yes"),
        ("A nap did not improve the sleep of nurses on shifts.", "no"),
        ("Nurses on shifts who had a nap were counted in three towns.", "maybe"),
        ("", "maybe"),
    ],
)
def test_a_rule_decides_by_the_words_of_the_best_sentence(result: str, said: str) -> None:
    question = "Does a nap improve the sleep of nurses on shifts?"
    record = Record(QUESTION=question, CONTEXTS=["-"], final_decision="yes")
    held = SimpleNamespace(question=SimpleNamespace(record=record))
    asked = f"[1] {untrusted(RESULTS.format(result))}\n\n{ASK.format(question=question)}" if result else question
    play = BASELINES["stance"](Sample(id="1", fields={"held": held}), Random(0))
    assert callable(play)
    assert play([Message("user", (asked,))]) == said


def test_the_embedded_model_is_asked_and_cannot_tell(tmp_path: Path) -> None:
    found = run(tmp_path, "embedded", "--limit", "2")
    assert found["overall"]["failures"] == {"parse": 2}
    assert found["figures"]["abstract: calls"] == 1


def test_a_limit_draws_whole_questions_with_all_their_settings(tmp_path: Path) -> None:
    few, more = (
        run(
            tmp_path, script(tmp_path / "s.json", [{"say": "yes"}] * 15), "setting=question,abstract,retrieval",
            f"index={tmp_path / 'index'}", "--limit", str(limit), out=f"r{limit}",
        )
        for limit in (3, 5)
    )  # fmt: skip
    asked = {limit: asked_in(tmp_path / f"r{limit}") for limit in (3, 5)}
    for limit, by_setting in asked.items():
        assert set(by_setting) == {"question", "abstract", "retrieval"}
        assert len({frozenset(ids) for ids in by_setting.values()}) == 1
        assert {len(ids) for ids in by_setting.values()} == {limit}
    assert asked[3]["abstract"] < asked[5]["abstract"]
    assert few["figures"]["gap, abstract less retrieval: n"] == 3
    assert more["figures"]["gap, abstract less retrieval: n"] == 5


def asked_in(folder: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in (folder / "transcripts.jsonl").read_text("utf-8").splitlines():
        one = json.loads(line)
        found.setdefault(one["task"], set()).add(one["id"])
    return found
