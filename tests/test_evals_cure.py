"""CURE's planted cases: quadrants are exact in each setting, leaks are kept out, budgets hold, poison does nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from evals.engine.suite import Message, Picture, Reply, Sample
from evals.suites.cure import cases
from evals.suites.cure.evidence import SETTINGS
from evals.suites.cure.names import named
from evals.suites.cure.options import Options
from evals.suites.cure.scorer import QUADRANTS, Answer
from evals.suites.cure.task import SUITE, load
from tests.cure_runs import SAMPLE, agent_steps, copied, five, outcomes, player, results, run, script, table
from tools.errors import ModelError

ALL = ",".join(SETTINGS)


def outside(text: str) -> str:
    """What of a prompt is not wrapped as data."""
    return re.sub(r"<untrusted>(?:(?!<untrusted>).)*?</untrusted>", "", text, flags=re.DOTALL)


def quadrant_of(outcome: Mapping[str, Any]) -> str | None:
    return Answer.of(outcome).quadrant


def samples(setting: str = ALL, data: Path = SAMPLE, **options: Any) -> dict[str, dict[str, Sample]]:
    """The samples by setting and case."""
    found: dict[str, dict[str, Sample]] = {}
    for sample in load(data, Options(setting=setting, **options)).samples:
        found.setdefault(sample.fields["setting"], {})[sample.id] = sample
    return found


class Listener:
    """A model that answers with the same words each time, and keeps all it was shown."""

    def __init__(self, *replies: str) -> None:
        self.replies, self.seen = list(replies), list[Sequence[Message]]()

    async def __call__(self, messages: Sequence[Message], **_: Any) -> Reply:
        self.seen.append(tuple(messages))
        return Reply(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])

    @property
    def texts(self) -> list[str]:
        return ["\n".join(part for one in seen for part in one.parts if isinstance(part, str)) for seen in self.seen]

    @property
    def pictures(self) -> int:
        return sum(isinstance(part, Picture) for seen in self.seen for one in seen for part in one.parts)


async def put(sample: Sample, *replies: str) -> tuple[dict[str, Any], Listener]:
    assert not isinstance(SUITE.solve, str)
    model = Listener(*(replies or (five("Pellagra"),)))
    return dict(await SUITE.solve(sample, model, Random(0))), model


def test_which_papers_name_which_diagnosis_is_as_planted() -> None:
    read = cases.load(SAMPLE)
    naming = {
        one.case.case_id: {
            id_[-2:] for id_, paper in read.documents.items() if named(f"{paper.title}. {paper.text}", one.case.gold)
        }
        for one in read.cases
    }
    assert naming == {
        "c1": {"11"}, "c2": {"21"}, "c3": {"33"}, "c4": {"43"}, "c5": set(), "c6": set(), "c7": {"73"}, "c8": {"81"},
    }  # fmt: skip
    cited = {one.case.case_id: {id_[-2:] for id_ in one.case.cited_pmids} for one in read.cases}
    assert [case for case in cited if naming[case] & cited[case]] == ["c1", "c2", "c8"]
    assert [id_[-2:] for id_, paper in read.documents.items() if paper.retracted] == ["81"]
    assert len(read.cases) == 8
    assert Counter(id_[-2] for id_ in read.documents) == dict.fromkeys("12345678", 6)


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_quadrants_of_the_planted_cases_are_exact(tmp_path: Path, setting: str) -> None:
    rows = {row["case_id"]: row["quadrant"] for row in table() if row["setting"] == setting}
    found = run(tmp_path, player(tmp_path / "s.json", setting), f"setting={setting}")
    assert {case: quadrant_of(outcome) for case, outcome in outcomes(tmp_path).items()} == rows
    shares = {name: found["figures"][f"{setting}: {name}"] for name in QUADRANTS}
    assert shares == {name: list(rows.values()).count(name) / 8 for name in QUADRANTS}
    assert sum(shares.values()) == 1
    right = sum(quadrant in ("evidence-based", "knowledge-based") for quadrant in rows.values())
    assert found["figures"][f"{setting}: accuracy"] == right / 8
    assert found["overall"]["as_wrong"]["mean"]["value"] == right / 8


def test_the_table_has_each_case_in_each_setting_once() -> None:
    assert sorted((row["case_id"], row["setting"]) for row in table()) == sorted(
        (f"c{number}", setting) for number in range(1, 9) for setting in SETTINGS
    )


def test_references_of_other_cases_cover_less_and_mislead_more(tmp_path: Path) -> None:
    shuffled, given = (
        run(tmp_path, player(tmp_path / f"{name}.json", name), f"setting={name}", out=name)["figures"]
        for name in ("shuffled_reference", "reference")
    )
    assert shuffled["shuffled_reference: cov_dx"] < given["reference: cov_dx"]
    assert shuffled["shuffled_reference: evidence-misled"] > given["reference: evidence-misled"]
    assert shuffled["shuffled_reference: cov_pmid@k"] == 0
    assert given["reference: cov_pmid@k"] == 1
    assert given["reference: cov_dx"] == 0.25  # what only a retracted paper says does not count


async def test_base_touches_no_paper_and_reference_shows_just_the_cited_ones() -> None:
    class Untouchable(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise AssertionError(f"{key} was looked up")

        get = __getitem__  # type: ignore[assignment]

    both = samples("base,no_image,reference")
    for setting in ("base", "no_image"):
        sample = both[setting]["c1"]
        held = sample.fields["held"]
        object.__setattr__(held.library, "documents", Untouchable())
        object.__setattr__(held.library, "papers", None)
        outcome, _ = await put(sample)
        assert (outcome["shown"], outcome["queries"]) == ([], [])
    for sample in samples("reference")["reference"].values():
        outcome, model = await put(sample)
        assert outcome["shown"] == list(sample.fields["held"].placed.case.cited_pmids)
        assert model.texts[0].count("<untrusted>") - model.texts[0].count("between <untrusted>") == 2


async def test_diagnoses_and_answers_change_no_evidence(tmp_path: Path) -> None:
    def other(records: list[dict[str, Any]]) -> None:
        for record in records:
            record.update(gold_dx="Scurvy", gold_aliases=["Vitamin C deficiency"], answer="A")

    changed = samples(data=copied(tmp_path / "data", "cases.jsonl", other))
    for setting, by_case in samples().items():
        for id_, sample in by_case.items():
            seen = []
            for one in (sample, changed[setting][id_]):
                steps = [turn["say"] for turn in agent_steps()[id_]] if setting == "agent" else []
                outcome, model = await put(one, *steps, five("Pellagra"))
                seen.append((outcome["shown"], outcome["queries"], outcome["dropped"], model.texts))
            assert seen[0] == seen[1]


async def test_the_diagnosis_stands_in_no_prompt_but_in_papers() -> None:
    for setting, by_case in samples(findings=True).items():
        for id_, sample in by_case.items():
            case = sample.fields["held"].placed.case
            steps = [turn["say"] for turn in agent_steps()[id_]] if setting == "agent" else []
            _, model = await put(sample, *steps, five("Pellagra"))
            for text in model.texts:
                assert not named(outside(text), case.gold)
                assert case.title not in text
                assert not any(image.caption and image.caption in text for image in case.images)


async def test_the_own_report_and_retracted_papers_are_kept_back() -> None:
    for setting in ("rag", "agent"):
        found = samples(setting)[setting]
        steps = {id_: [turn["say"] for turn in turns] for id_, turns in agent_steps().items()}
        own, _ = await put(found["c7"], *(steps["c7"] if setting == "agent" else ()), five("Pellagra"))
        assert own["dropped"]["pmid:90000073"] == "own report"
        assert "pmid:90000073" not in own["shown"]
        withdrawn, _ = await put(found["c8"], *(steps["c8"] if setting == "agent" else ()), five("Pellagra"))
        assert withdrawn["dropped"]["pmid:90000081"] == "retracted"
        assert "pmid:90000081" not in withdrawn["shown"]
    mixed, model = await put(samples("reference+distractors")["reference+distractors"]["c7"])
    assert "pmid:90000073" not in mixed["shown"]
    assert "(retracted)" not in model.texts[0]
    given, model = await put(samples("reference")["reference"]["c8"])
    assert given["retracted"] == 1
    assert "[1] (retracted) <untrusted>Arms that ache" in model.texts[0]


@pytest.mark.parametrize("setting", ["rag", "reference", "reference+distractors", "agent"])
async def test_poison_in_an_abstract_stays_data(setting: str, tmp_path: Path) -> None:
    def clean(records: list[dict[str, Any]]) -> None:
        (poisoned,) = (one for one in records if "Ignore previous instructions" in one["abstract"])
        start, end = poisoned["abstract"].index(" </untrusted>"), poisoned["abstract"].index("<untrusted> ") + 12
        poisoned.update(abstract=poisoned["abstract"][:start] + poisoned["abstract"][end:], sha256="")

    steps = [
        json.dumps({"action": "search", "query": "fever with shaking"}),
        json.dumps({"action": "open", "ids": ["pmid:90000053", "pmid:90000051"]}),
        json.dumps({"action": "finish"}),
    ]
    found = []
    for data in (SAMPLE, copied(tmp_path / "data", "documents.jsonl", clean)):
        sample = samples(setting, data)[setting]["c5"]
        outcome, model = await put(sample, *(steps if setting == "agent" else ()), five("Caroli disease"))
        outcome["shown"] = sorted(outcome["shown"])  # a longer text stands elsewhere among equals
        found.append(
            {name: outcome[name] for name in ("shown", "diagnoses", "marks", "supports", "covers", "invented")}
        )
        for text in model.texts:
            assert "tuberculous meningitis" not in outside(text)
    assert found[0] == found[1]
    if setting != "reference":
        assert "pmid:90000053" in found[0]["shown"]


def test_a_baseline_of_overlap_is_not_moved_by_poison(tmp_path: Path) -> None:
    run(tmp_path, "baseline:extractive", "setting=reference+distractors", "form=closed", "cases=8")
    said = outcomes(tmp_path)["c5"]
    assert said["diagnoses"] == ["Primary sclerosing cholangitis"]


async def test_the_budget_of_an_agent_is_a_hard_limit() -> None:
    sample = samples("agent", searches=2, abstracts=3, steps=40)["agent"]["c1"]
    greedy = [json.dumps({"action": "search", "query": f"pain of the shin {number}"}) for number in range(9)]
    opened = [json.dumps({"action": "open", "ids": [f"pmid:900000{number}"]}) for number in (11, 12, 13, 14, 15, 16)]
    outcome, _ = await put(sample, *greedy, *opened, *greedy, five("Pellagra"))
    assert len(outcome["queries"]) == 2
    assert len(outcome["shown"]) == 3
    stubborn = json.dumps({"action": "note", "text": "I will never stop."})
    outcome, model = await put(samples("agent", steps=7)["agent"]["c1"], *[stubborn] * 7, five("Pellagra"))
    assert outcome["stopped"] == "the limit of 7 steps"
    assert len(model.seen) == 8
    outcome, model = await put(samples("agent", tokens=500)["agent"]["c1"], five("Pellagra"))
    assert outcome["stopped"] == "the limit of 500 tokens"
    assert len(model.seen) == 1


async def test_queries_are_logged_as_they_are_sent() -> None:
    outcome, _ = await put(samples("rag")["rag"]["c1"])
    (query,) = outcome["queries"]
    assert query.startswith("An adolescent boy has had pain of the left shin")
    steps = [
        json.dumps(
            {"action": "search", "query": "46-year-old man seen at Saint Mary Hospital on 3 March 2021, shin pain"}
        ),
        json.dumps({"action": "finish"}),
    ]
    outcome, _ = await put(samples("agent")["agent"]["c1"], *steps, five("Pellagra"))
    (query,) = outcome["queries"]
    assert "shin pain" in query
    assert not any(word in query for word in ("46", "Mary", "2021", "March"))


async def test_images_are_shown_but_in_no_image() -> None:
    found = samples("base,no_image")
    for setting, shown in (("base", 1), ("no_image", 0)):
        _, model = await put(found[setting]["c1"])
        assert model.pictures == shown
        assert ("Images: radiograph" in model.texts[0]) == bool(shown)
    _, model = await put(found["base"]["c3"])
    assert model.pictures == 0


async def test_findings_are_told_only_where_they_are_wanted() -> None:
    _, model = await put(samples("base")["base"]["c1"])
    assert "lucent focus" not in model.texts[0]
    _, model = await put(samples("base", findings=True)["base"]["c1"])
    assert "Findings of imaging: A lucent focus of 7 mm" in model.texts[0]


def test_one_run_of_several_settings_tells_the_gap_and_what_rescues_and_harms(tmp_path: Path) -> None:
    turns: dict[str, list[dict[str, Any]]] = {}
    for row in table():
        if row["setting"] in ("base", "reference", "rag"):
            # A prompt with evidence has as many papers as the setting shows.
            papers = {"base": r"\A(?!.*Papers,)", "reference": r"\n\[2\](?!.*\n\[3\])", "rag": r"\n\[5\]"}[
                row["setting"]
            ]
            turns.setdefault(row["case_id"], []).append({"when": f"(?s){papers}", "say": five(row["answer"])})
    found = run(tmp_path, script(tmp_path / "s.json", **turns), "setting=base,reference,rag")
    figures = found["figures"]
    assert [figures[f"{setting}: accuracy"] for setting in ("base", "reference", "rag")] == [4 / 8, 6 / 8, 5 / 8]
    assert figures["gap, reference less rag"] == 1 / 8
    assert figures["gap, reference less rag: n"] == 8
    assert figures["gap, reference less rag: low"] < 1 / 8 < figures["gap, reference less rag: high"]
    assert next(iter(figures)) == "gap, reference less rag"  # the headline stands first
    # Of base c2, c4, c6 and c8 are right; rag is right in c1, c3, c4, c5 and c7.
    assert (figures["rag: rescued"], figures["rag: harmed"]) == (4 / 8, 3 / 8)
    assert figures["gain, rag less base"] == 1 / 8
    assert figures["gain, rag less base: p"] == pytest.approx(0.7265625)
    assert set(found["tasks"]) == {"base", "reference", "rag"}
    assert found["tasks"]["rag"]["as_wrong"]["mean"]["n"] == 8
    assert figures["rag: calls"] == 1
    assert figures["rag: tokens in"] > figures["base: tokens in"]


async def test_a_model_that_fails_in_its_search_fails_the_attempt() -> None:
    class Broken(Listener):
        async def __call__(self, messages: Sequence[Message], **_: Any) -> Reply:
            raise ModelError("it is gone.")

    assert not isinstance(SUITE.solve, str)
    with pytest.raises(ModelError, match="it is gone"):
        await SUITE.solve(samples("agent")["agent"]["c1"], Broken(""), Random(0))


def test_a_model_writes_its_query(tmp_path: Path) -> None:
    query = '\n"shin pain at night aspirin 16-year-old"\nThis finds it.'
    turns = [
        {"when": "Write one search query", "say": query},
        {"when": "Name exactly", "say": five("Osteoid osteoma")},
    ]
    run(tmp_path, script(tmp_path / "s.json", turns), "setting=rag", "query=model", "cases=1")
    (outcome,) = outcomes(tmp_path).values()
    assert outcome["queries"] == ["shin pain at night aspirin adolescent"]
    assert len(outcome["shown"]) == 5


def test_a_case_is_the_same_whatever_number_is_drawn(tmp_path: Path) -> None:
    few = run(tmp_path, "baseline:random", "setting=base,reference", "cases=3", out="few")
    assert few["overall"]["as_wrong"]["mean"]["n"] == 6
    more = {sample.id for sample in load(SAMPLE, Options(setting="base", cases=5)).samples}
    assert {id_.partition("/")[2] for id_ in outcomes(tmp_path, "few")} < more
    assert len(results(tmp_path, "few")) == 3
