"""What is likely, where nothing is sure: it is marked, it changes nothing by itself, and a person looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from evals.bench.grounding_ranker import Row, train
from tests.test_tools_gui_evidence import NODES
from tests.test_tools_gui_parts import DRUGS, FORM
from tests.test_tools_gui_workflow import SAVING, Ann, audit, run
from tests.tree_screens import TREE, node, white
from tools.errors import ToolFailed
from tools.gui.actuators.simulated import Program, SimulatedActuator
from tools.gui.grounding import LAYERS, SURE, locate, ranking
from tools.gui.grounding.ranking import Candidates, features, pick
from tools.gui.grounding.score_evidence import gather
from tools.gui.grounding.tree import tree_items
from tools.gui.grounding.vlm import Pointed, Question, Reply
from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.decide import Mode
from tools.gui.types import Node, Outcome
from tools.gui.workflow.yaml_format import Step, parse_workflow

__all__ = ["audit"]  # a fixture

SAID = [
    ("Check the messages: Messages, in the sidebar, before the documents.", "Messages"),
    ("Check the files: Documents, in the sidebar, after the messages.", "Documents"),
    ("Look at the list again: Worklist, in the sidebar, before the messages.", "Worklist"),
    ("Then check the dose: Dose, in the form, before the comment.", "Dose"),
]
REMARKS = "Check the remarks: Note, in the form, after the name."


@pytest.mark.parametrize(("said", "label"), SAID)
def test_what_is_likely_is_named_and_marked_where_nothing_is_sure(said: str, label: str) -> None:
    assert not locate(said, white(NODES), layers=TREE & SURE).targets
    found = locate(said, white(NODES), layers=TREE)
    assert not found.abstained
    assert (found.targets[0].label, found.targets[0].layer) == (label, "ranker")
    assert 0.5 <= found.targets[0].confidence <= 1
    for elsewhere in (FORM, DRUGS):
        assert not locate(said, white(elsewhere), layers=TREE).targets


def test_what_is_sure_is_not_ranked() -> None:
    for layers in (TREE, TREE & SURE):
        assert locate('Click "Messages"', white(NODES), layers=layers).targets[0].layer == "tree"


def named(said: str, nodes: Sequence[Node]) -> str:
    """What the ranker names, "" for nothing."""
    found = locate(said, white(nodes), layers=TREE)
    return found.targets[0].label if found.targets and found.targets[0].layer == "ranker" else ""


@pytest.mark.parametrize("label", ["Sign order", "Release results", "Reset", "Unlock", "Zurücksetzen", "Transfer"])
def test_what_changes_something_by_its_words_is_not_likely(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [*NODES, node("button", label, 640, 600)] if label != "Sign order" else NODES
    said = f"Have a look at it: {label}, in the form, before the draft."
    assert not named(said, nodes)
    monkeypatch.setattr(ranking, "_is_harmless", lambda seen, at: True)
    assert named(said, nodes) == label


def table(*names: str) -> list[Node]:
    """A row for each person, with a button."""
    return [
        each
        for place, name in enumerate(names)
        for each in (
            node("row", "", 190, 100 + 40 * place, 900),
            node("text", name, 200, 100 + 40 * place, 140, depth=1),
            node("button", "Chart", 800, 100 + 40 * place, depth=1),
        )
    ]


def buttons(*names: str, role: str = "button") -> list[Node]:
    return [node(role, name, 300, 100 + 40 * place, 160) for place, name in enumerate(names)]


@pytest.mark.parametrize(
    ("said", "nodes"),
    [
        ("Select 0.5 mg", buttons("5 mg", "25 mg")),
        ("Select 0,5 mg", buttons("5 mg", "25 mg", role="radio")),
        ("Select 1.25 mg", buttons("5 mg", "25 mg")),
        ("Select ramipril 10 mg", buttons("Metoprolol", "Ramipril 5 mg")),
        ("Select type 1 diabetes", buttons("Type 2 diabetes", "Asthma")),
        ("Select bed 1.2", buttons("Bed 1", "Bed 2")),
        ("Select Ben Okafor-Smith", buttons("Okafor", "Nguyen", role="link")),
        ("Check the chart: Chart, of Zimmermann, before the notes.", table("Nguyen, Linh")),
        ("Zimmermann: Chart", table("Nguyen, Linh")),
        ("Zimmermann's results: Chart, at the right.", table("Nguyen, Linh")),
        ("Check it: Chart, next to Zimmermann, Karl.", table("Nguyen, Linh")),
        ("Die Akte von Frau Zimmermann: Chart, in der Liste", table("Nguyen, Linh")),
        ("Check the chart: Chart, below Okafor", table("Nguyen, Linh", "Okafor, Ada", "Silva, Rui")),
    ],
)
def test_what_is_of_another_person_or_number_is_not_likely(
    said: str, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not locate(said, white(nodes), layers=TREE).targets
    monkeypatch.setattr(ranking, "_is_another", lambda seen, at: False)
    assert named(said, nodes)


def test_a_model_is_asked_before_what_is_likely_is_named() -> None:
    asked: list[Question] = []

    def model(question: Question) -> Reply:
        asked.append(question)
        return Reply(Pointed(none="It is not there."))

    found = locate(SAID[0][0], white(NODES), layers=TREE, ask=model)
    assert asked
    assert found.targets[0].layer == "ranker"
    assert found.asked


@given(st.permutations(range(len(NODES))))
@settings(max_examples=25)
def test_the_order_of_what_is_on_the_screen_is_no_matter(order: list[int]) -> None:
    found = locate(SAID[3][0], white([NODES[at] for at in order]), layers=TREE)
    assert [target.label for target in found.targets] == ["Dose"]


@given(st.text(max_size=60))
@settings(max_examples=100)
def test_features_are_numbers_of_every_control_whatever_is_said(said: str) -> None:
    screen = white(NODES)
    seen = gather(said, tree_items(screen.nodes or ()), screen)
    if seen.items:
        table = features(said, seen, screen)
        assert table.shape == (len(seen.items), load_file(ranking.WEIGHTS_FILE)["mean"].size)
        assert np.isfinite(table).all()


def toy(seed: int, rows: int = 120) -> list[Row]:
    """Rows in which the control with the highest first feature is meant, or none where that is below zero."""
    order = np.random.default_rng(seed)
    made = []
    for _ in range(rows):
        table = order.normal(size=(6, 4)).astype(np.float32)
        table[:, 0] -= 2 * order.integers(0, 2)
        meant = (table[:, 0] == table[:, 0].max()) & (table[:, 0] > 0)
        places = np.arange(12, dtype=float).reshape(6, 2) * 100
        among = Candidates(table, places, np.ones(6, bool))
        made.append(Row("toy", "tree", "toy", not meant.any(), "none", True, among, meant))
    return made


def test_networks_learn_what_is_meant_and_the_same_from_one_seed() -> None:
    learnt = toy(1, 150)
    network = train(learnt)
    again = train(learnt)
    assert all(np.array_equal(network[key], again[key]) for key in network)
    right = 0
    for row in (rows := toy(2)):
        picked = pick(row.among, network)
        right += bool(row.meant[picked[0]]) if picked else not row.meant.any()
    assert right > 0.8 * len(rows)
    # What may not be named is not, and nothing is in its place.
    closed = [Candidates(row.among.table, row.among.middles_px, np.zeros(6, bool)) for row in rows]
    assert not any(pick(among, network) for among in closed)


class Refuses(Ann):
    """Approves all but the note."""

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        told = super().approve(step, request, repaired=repaired)
        return [] if step.name == "write the note" else told


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.CONFIRM])
def test_a_step_on_what_is_likely_needs_a_persons_word(mode: Mode, audit: AuditLog) -> None:
    text = SAVING.replace('find: the "Note" field, do: type', f'find: "{REMARKS}", timeout_s: 0.5, do: type')
    text = text.replace("verbs:", "auto_labels: [Name, Note, Save], verbs:")
    flow = parse_workflow(text, "flow").bind({"who": "Doe", "note": "x"})
    for person in (Refuses(), Ann()):
        program = Program()
        report = run(flow, SimulatedActuator(program, key_s=0), audit, person=person, mode=mode)
        assert report.steps[1].how == "likely"
        assert ("write the note", True) in person.asked
        refused = isinstance(person, Refuses)
        assert report.outcome == (Outcome.HALTED_BEFORE_EFFECT if refused else Outcome.VERIFIED)
        assert program.records == ([] if refused else ["Doe: x"])


@pytest.mark.parametrize("held", [None, b"version https://git-lfs.github.com/spec/v1"])
def test_a_network_that_is_missing_or_damaged_is_told(
    held: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ranker.safetensors"
    if held is not None:
        file.write_bytes(held)
    monkeypatch.setattr(ranking, "WEIGHTS_FILE", file)
    ranking._network.cache_clear()
    with pytest.raises(ToolFailed, match=r"ranker.safetensors is missing or damaged.*Install the package again"):
        locate(SAID[0][0], white(NODES), layers=TREE)
    ranking._network.cache_clear()


def test_nothing_is_scrolled_by_what_is_likely(audit: AuditLog) -> None:
    text = SAVING.replace(
        '{name: save, find: click "Save", do: click', f'{{name: save, find: "{REMARKS}", do: scroll, timeout_s: 0.5'
    )
    flow = parse_workflow(text, "flow").bind({"who": "Doe", "note": "x"})
    report = run(flow, SimulatedActuator(Program(), key_s=0), audit, person=Ann())
    assert report.outcome == Outcome.HALTED_BEFORE_EFFECT
    assert report.steps[-1].how != "likely"


def test_all_layers_are_those_that_are_sure_and_the_ranker() -> None:
    assert SURE | {"ranker"} == LAYERS
