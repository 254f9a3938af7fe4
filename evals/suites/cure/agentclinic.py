"""AgentClinic-MedQA as a substitute for CURE's cases: examinations as text, with a diagnosis, without cited papers.

    FOLDER/
      agentclinic_medqa_extended.jsonl    {"OSCE_Examination": {"Objective_for_Doctor", "Patient_Actor": {...},
                                          "Physical_Examination_Findings": {...}, "Test_Results": {...},
                                          "Correct_Diagnosis"}}, or agentclinic_medqa.jsonl
      documents.jsonl                     papers to search, if wanted, as in `cases`

AgentClinic itself is a dialogue, in which a doctor asks a patient and orders tests. Here everything is given at once,
and only the diagnosis is asked, so figures are not comparable. The objective for the doctor is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from evals.engine.data import DataError, need_folder, read_json_lines
from evals.suites.cure.cases import PAPERS, Case, Cases, Name, Placed, read_papers
from evals.suites.cure.names import named, words
from evals.suites.files import find_file

FILES = ("agentclinic_medqa_extended.jsonl", "agentclinic_medqa.jsonl")
REMEDY = "See the README of evals/suites/cure for how to get AgentClinic's files."
SPLIT = "agentclinic"


class Examination(BaseModel):
    """A patient's data in one line."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    patient: dict[str, JsonValue] = Field(alias="Patient_Actor", min_length=1)
    examined: dict[str, JsonValue] = Field(default_factory=dict, alias="Physical_Examination_Findings")
    tests: dict[str, JsonValue] = Field(default_factory=dict, alias="Test_Results")
    diagnosis: Name = Field(alias="Correct_Diagnosis")


class Line(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    examination: Examination = Field(alias="OSCE_Examination")


def load(data: Path | None) -> Cases:
    """Read the folder.

    Raises:
        DataError: if there is none, it has neither file, or a file cannot be read.
    """
    folder = need_folder(data, REMEDY)
    file = find_file([folder], FILES)
    if file is None:
        raise DataError(f"{str(folder)!r} has neither {' nor '.join(FILES)}.", file=None, remedy=REMEDY)
    records, bad = read_json_lines(file, Line)
    placed = tuple(Placed(_case(line, record.examination), line) for line, record in records)
    papers = folder / PAPERS
    documents, worse = read_papers(papers) if papers.is_file() else ({}, ())
    given_away = sum(names_itself(one.case) for one in placed)
    notices = (f"{given_away} of {len(placed)} cases name their diagnosis in their own words; see that slice.",)
    files = (file, papers) if papers.is_file() else (file,)
    return Cases(placed, documents, (*bad, *worse), files, notices if given_away else ())


def _case(line: int, held: Examination) -> Case:
    parts = {"": held.patient, "Physical examination": held.examined, "Tests": held.tests}
    told = [f"{name}: {text}" if name else text for name, part in parts.items() if (text := "; ".join(_told(part)))]
    return Case(case_id=f"{SPLIT}-{line}", history="\n".join(told), gold_dx=held.diagnosis, split=SPLIT)


def _told(held: Mapping[str, JsonValue], above: str = "") -> Iterator[str]:
    """Yield the entries of nested objects as `Name, name within: text`."""
    for key, value in held.items():
        name = f"{above}, {key.replace('_', ' ')}" if above else key.replace("_", " ")
        if isinstance(value, Mapping):
            yield from _told(value, name)
        elif isinstance(value, list):
            if value:
                yield f"{name}: {', '.join(map(str, value))}"
        elif value not in (None, ""):
            yield f"{name}: {value}"


def names_itself(case: Case) -> bool:
    """Return whether a case names its diagnosis in its own words, such as a test "consistent with" it."""
    return named(case.history, case.gold)


def slices(case: Case) -> dict[str, str]:
    """Return, for cases of AgentClinic, whether they name their diagnosis."""
    return {"names its diagnosis": "yes" if names_itself(case) else "no"} if case.split == SPLIT else {}


def cluster(case: Case) -> str:
    """Return what a case shares with others: for AgentClinic the diagnosis, since several cases describe the same
    patient."""
    return " ".join(words(case.gold_dx)) if case.split == SPLIT else case.case_id
