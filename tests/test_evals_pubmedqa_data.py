"""PubMedQA's own files, where a folder of them is named by PUBMEDQA_DATA: what annotators and a majority come to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.test_evals_pubmedqa import run

FOLDER = os.environ.get("PUBMEDQA_DATA", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="PUBMEDQA_DATA names no folder with PubMedQA's files")


@pytest.mark.parametrize(
    ("baseline", "accuracy", "macro_f1"),
    [
        ("majority", 0.552, 0.237),
        ("human", 0.780, 0.722),
        ("human-with-conclusion", 0.904, 0.842),
        ("oracle", 1, 1),
        ("stance", 0.456, 0.398),
    ],
)
def test_baselines_reach_the_known_figures(tmp_path: Path, baseline: str, accuracy: float, macro_f1: float) -> None:
    found = run(tmp_path, f"baseline:{baseline}", data=Path(FOLDER))
    assert found["figures"]["abstract: n"] == 500
    assert found["figures"]["abstract: official accuracy"] == pytest.approx(accuracy, abs=5e-4)
    assert found["figures"]["abstract: official macro-F1"] == pytest.approx(macro_f1, abs=5e-4)
    assert found["figures"]["annotators: agreed"] == 0.69
    assert found["figures"]["annotators: alpha"] == pytest.approx(0.433, abs=5e-4)
    parts = found["slices"]["annotators"]
    assert [parts[name]["as_wrong"]["mean"]["n"] for name in ("agree", "disagree")] == [345, 155]


def test_the_own_abstract_is_among_the_first_three_of_a_thousand(tmp_path: Path) -> None:
    found = run(tmp_path, "baseline:majority", "setting=retrieval", "split=all", data=Path(FOLDER))
    assert found["figures"]["retrieval: n"] == 1000
    assert found["figures"]["retrieval: own abstract shown"] == pytest.approx(0.974, abs=0.005)
