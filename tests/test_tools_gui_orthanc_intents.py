"""Requests in words are read whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import ConfigError
from tools.gui.orthanc.intents import read_goal

ROOT = Path(__file__).parents[1]
READ = {
    "delete the study of patient Doe^Jane": ("delete_study", "Doe^Jane", ""),
    'Please delete the "HEAD CT" study of patient 4471904.': ("delete_study", "4471904", "HEAD CT"),
    'could you please remove the study "HEAD CT" from patient "Doe, Jane"': ("delete_study", "Doe, Jane", "HEAD CT"),
    "delete the study 'HEAD CT' of the patient O'Brien^Pat, please": ("delete_study", "O'Brien^Pat", "HEAD CT"),
    'delete the study "not of patient 1" of "Never^All"': ("delete_study", "Never^All", "not of patient 1"),
    "Lösche die Studie „MRT Schädel“ von Patient 7700455": ("delete_study", "7700455", "MRT Schädel"),
    "Bitte entferne die Studie der Patientin Müller^Anna": ("delete_study", "Müller^Anna", ""),
    "Löschen Sie bitte die Studie": None,
    "anonymise the study of patient 7700132": ("anonymise_study", "7700132", ""),
    "De-identify the study for Doe, Archibalt": ("anonymise_study", "Doe, Archibalt", ""),
    "download the study of patient 7700132": ("download_study", "7700132", ""),
    "open the study of Doe, Archibalt": ("open_study", "Doe, Archibalt", ""),
    "show me the “KNEE MR” study of patient 7700132!": ("open_study", "7700132", "KNEE MR"),
    "Zeige die Studie «KNEE MR» von dem Patienten 7700132": ("open_study", "7700132", "KNEE MR"),
    "find patient archibalt doe": ("find_patient", "archibalt doe", ""),
    "search for Doe^Jane": ("find_patient", "Doe^Jane", ""),
    "look up the studies of patient 12": ("find_patient", "12", ""),
    "Suche nach Patient von Bergen^Karl": ("find_patient", "von Bergen^Karl", ""),
}


@pytest.mark.parametrize(("goal", "read"), READ.items())
def test_a_request_is_read(goal: str, read: tuple[str, str, str] | None) -> None:
    if read is None:
        with pytest.raises(ConfigError):
            read_goal(goal)
    else:
        assert read_goal(goal) == read


def test_what_docs_and_bench_ask_for_is_read() -> None:
    cases = yaml.safe_load((ROOT / "evals/bench/gui_set/cases.yaml").read_text("utf-8"))
    goals = [case["goal"] for case in cases["cases"] if case.get("goal")]
    for name in ("README.md", "docs/gui_workflows.md"):
        found = re.findall(r'gui run "((?:[^"\\]|\\.)+)"\s+--target\s+orthanc', (ROOT / name).read_text("utf-8"))
        assert found, name
        goals += [goal.replace('\\"', '"') for goal in found]
    assert len(goals) > 20
    for goal in goals:
        assert read_goal(goal)[1], goal


@pytest.mark.parametrize(
    ("goal", "told"),
    [
        ("do not delete the study of patient Mueller^Karl", "'do', 'not' have no role"),
        ("never delete the study of patient 1", "'never' has no role"),
        ("lösche nicht die Studie von Patient 1", "'nicht' has no role"),
        ("lösche die Studie nicht von Patient 1", "'nicht' has no role"),
        ("lösche keine Studie von Patient 1", "'keine' has no role"),
        ("who deleted the study of patient 1", "'who', 'deleted' have no role"),
        ("has anyone removed the study of patient 1?", "'has', 'anyone', 'removed' have no role"),
        ("list deleted studies of patient 1", "'list', 'deleted', 'studies' have no role"),
        ("check that the copy is complete before deleting the study of patient 1", "'check', 'that', 'copy'"),
        ("delete series 2 of patient 1", "'series', '2' have no role"),
        ("delete the HEAD CT of patient 1", r"'HEAD', 'CT' have no role.*description.*in quotes"),
        ("delete the study HEAD CT of patient 1", r"'HEAD', 'CT' have no role.*in quotes"),
        ('delete all studies except "CHEST CT" of patient 1', "'all', 'studies', 'except' have no role"),
        ("delete the studies of patient 1", "'studies' has no role"),
        ("remove the annotation from the image of patient 1", "'annotation', 'image' have no role"),
        ("remove the name of patient 1", "'name' has no role"),
        ("delete the private tags in the study of patient 1", "'private', 'tags', 'in' have no role"),
        ("delete everything for patient 1", "'everything' has no role"),
        ("delete patient 1", "names no study.*a study"),
        ("delete the study of patient 1?", r"'1\?' has no role"),
        ("delete the study of patient 1 and open the other", "'and' has no role"),
        ("delete the study of patient Doe^Jane except the CT", "'except' has no role"),
        ("delete and download the study of patient 1", "'and', 'download' have no role"),
        ('delete the "HEAD CT" study "CHEST CT" of patient 1', "'\"CHEST CT\"' has no role"),
        ('delete the study " " of patient 1', "has no role"),
        ('delete the study of patient 1 "HEAD CT"', "have no role"),
        ('find the study "HEAD CT" of patient 1', "no role"),
        ("sign the report of patient 1", "asks for nothing that can be done in Orthanc: 'sign', 'report'"),
        ("delete the study", "names no patient"),
        ("delete the study of the patient", "names no patient"),
        ("delete", "names no patient"),
        ("find", "names no patient"),
        ("", "it is empty"),
    ],
)
def test_a_word_without_a_part_is_told(goal: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_goal(goal)


FOREIGN = (
    "not never except series before who all image name nicht ausser außer kein keine ohne after only every unless "
    "and or und without patients did don't"
).split()


@settings(max_examples=500)
@given(st.sampled_from([goal for goal, read in READ.items() if read]), st.sampled_from(FOREIGN), st.data())
def test_one_word_more_is_refused_or_stands_in_quotes(goal: str, word: str, data: st.DataObject) -> None:
    words = goal.split()
    at = data.draw(st.integers(0, len(words)))
    changed = " ".join((*words[:at], word, *words[at:]))
    kind, patient, description = read_goal(goal)
    try:
        read = read_goal(changed)
    except ConfigError:
        return
    assert read[0] == kind
    changes = [(old, new) for old, new in zip((patient, description), read[1:], strict=True) if old != new]
    assert len(changes) == 1, read
    ((old, new),) = changes
    assert sorted(new.split()) == sorted((*old.split(), word))
    assert any(f"{opening}{new}" in changed for opening in "\"'“„«"), "a word was taken for a name without quotes"


@settings(max_examples=300)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for goal in (
        text,
        f"delete {text}",
        f"delete the study {text} of patient 1",
        f"delete the study of patient {text}",
    ):
        try:
            kind, patient, _ = read_goal(goal)
        except ConfigError:
            continue
        assert kind
        assert patient.strip()


@given(st.sampled_from(list("abcxyzäß0-^,'?!")).flatmap(lambda _: st.text("abcxyzäß0-'", min_size=1, max_size=12)))
def test_an_unknown_word_before_the_patient_is_never_dropped(word: str) -> None:
    goal = f"delete {word} study of patient 1"
    if word.casefold() in ("a", "the") or (len(word) > 2 and word[0] == word[-1] == "'"):
        return
    with pytest.raises(ConfigError, match="no role"):
        read_goal(goal)


@pytest.mark.parametrize("goal", ["", "  ", " ...!"])
def test_an_empty_request_is_told_as_such(goal: str) -> None:
    with pytest.raises(ConfigError, match="it is empty"):
        read_goal(goal)
