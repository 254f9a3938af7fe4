"""Which effects the labels of clinical programs name, in the languages of the lists."""

from __future__ import annotations

import numpy as np
import pytest

from tools.gui.guard.decide import Mode, Verdict, decide
from tools.gui.guard.effect_words import VERBS, find_verbs
from tools.gui.guard.policy import Policy
from tools.gui.types import Click, Rect, Screen, Target


@pytest.mark.parametrize(
    ("verb", "labels"),
    [
        ("administer", "Give, Give dose, Give penicillin, GIVING, Administer, Administrer, Verabreichen"),
        ("delete", "Removed, Remove, Entfernen"),
        ("discharge", "D/C, D/C patient, D/C'd"),
        ("stop", "D/C, D/C drug, D.C."),
        ("dispense", "Dispense, Dispensing, Dispensieren, Medikament abgeben, Dispensar, Délivrer, Verstrekken"),
        ("order", "Auftrag erteilen, Auftrag auslösen, Auftrag auslosen, Beauftragen"),
        ("revoke", "Revoke, Revoked, Revoke consent, Rescind, Inactivate, Deactivate, Deactivated, De-activate"),
        ("revoke", "Widerrufen, Deaktivieren, Inaktivieren, Revocar, Desactivar, Inactivar, Révoquer, Désactiver"),
        ("revoke", "Intrekken, Deactiveren, Revocare, Disattiva"),
    ],
)
def test_labels_name_their_verb_and_are_refused_where_a_policy_does_not_list_it(verb: str, labels: str) -> None:
    screen = Screen(rgb=np.zeros((100, 200, 3), np.uint8), window="EHR")
    policy = Policy(name="x", windows=("EHR",), identity="none")
    rect = Rect(left=10, top=10, right=90, bottom=40)
    for label in labels.split(", "):
        assert verb in find_verbs(label, VERBS), label
        target = Target(label=label, rect=rect, point=rect.center, layer="words", confidence=1.0)
        decided = decide(Mode.CONFIRM, policy, Click(point=rect.center), target, screen)
        assert (decided.verdict, decided.rule) == (Verdict.REFUSED, "verbs"), label


@pytest.mark.parametrize(
    "label",
    [
        *("Given", "Gegeben", "Anonymize", "Inactive", "Active", "Inactivated influenza vaccine", "Dispensary"),
        *("Vitamin D", "Vitamin C, D", "CD", "Aufträge", "Auftrag", "Forgive", "Gift", "Eingeben", "Ausgeben"),
    ],
)
def test_states_and_things_name_no_verb(label: str) -> None:
    assert find_verbs(label, VERBS) == []


def test_who_asks_to_be_given_a_list_asks_for_no_dose() -> None:
    assert find_verbs("Give me the list of all patients.", VERBS, label=False) == []
    assert find_verbs("please give us more", VERBS, label=False) == []
    assert find_verbs("Give 5 mg of morphine", VERBS, label=False) == ["administer"]
    assert find_verbs("Give me", VERBS) == ["administer"]
