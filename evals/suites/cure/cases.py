"""CURE's cases and their papers: a format of our own, since the authors' files are not public.

    FOLDER/
      cases.jsonl       {"case_id", "history", "gold_dx", ...}, see `Case`
      documents.jsonl   {"doc_id": "pmid:N", "title", "abstract", ...}, see `Paper`: those that cases cite, and others
      images/           the files that cases name

One JSON object per line. Unknown fields are an error, to catch typos.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from evals.engine.data import DataError, need_folder, read_json_lines
from evals.suites.cure.names import named
from tools.literature.types import Document, Section

REMEDY = "See the README of evals/suites/cure for the format of the files; `sample/` beside it is an example."
CASES, PAPERS, IMAGES = "cases.jsonl", "documents.jsonl", "images"
LETTERS = "ABCDE"


def _whole_id(text: str) -> str:
    return text if text.startswith("pmid:") else f"pmid:{text}"


PaperId = Annotated[str, StringConstraints(pattern=r"^(?:pmid:)?[1-9]\d*$"), AfterValidator(_whole_id)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Image(BaseModel):
    """An image of a case.

    Attributes:
        id: unique within the case.
        modality: such as `CT`; shown to the model.
        caption: of the report; hidden from the model, since captions reveal findings.
        sha: sha256 of the file, in hex; checked if given.
        file: its name below `images/`; empty if there is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    modality: str = ""
    caption: str = ""
    sha: str = ""
    file: str = Field(default="", pattern=r"^([^./\\][^/\\]*)?$")


class Case(BaseModel):
    """A case.

    Attributes:
        case_id: unique.
        title: of its case report; never shown, and used to keep that report out of the evidence.
        source_url: address of the report, likewise.
        published: ISO date of the report.
        age_band: such as `40-49`.
        sex: in words.
        history: what is known before imaging. Must not name the diagnosis.
        findings_text: a radiologist's description of the images; shown only with the option `findings`.
        images: in order.
        gold_dx: the diagnosis.
        gold_aliases: other names of it.
        options: diagnoses to choose from, by letter from A on; None if the case is open-ended only.
        answer: the letter of the right one.
        cited_pmids: the papers that physicians cite for it.
        specialty, split: groups for reporting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case_id: Name
    title: str = ""
    source_url: str = ""
    published: str = ""
    age_band: str = ""
    sex: str = ""
    history: Name
    findings_text: str = ""
    images: tuple[Image, ...] = ()
    gold_dx: Name
    gold_aliases: tuple[Name, ...] = ()
    options: dict[str, Name] | None = None
    answer: str | None = None
    cited_pmids: tuple[PaperId, ...] = ()
    specialty: str = ""
    split: str = ""

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        letters = "".join(sorted(self.options or {}))
        if self.options is not None and (len(self.options) < 2 or not LETTERS.startswith(letters)):
            raise ValueError(f"the options are {letters or 'none'}, not at least two from A on")
        if (self.answer is None) != (self.options is None) or (self.options and self.answer not in self.options):
            raise ValueError(f"the answer is {self.answer!r}, not one of the options {letters or 'none'}")
        return self

    @property
    def gold(self) -> tuple[str, ...]:
        """All names of the diagnosis."""
        return (self.gold_dx, *self.gold_aliases)


class Paper(BaseModel):
    """A paper.

    Attributes:
        doc_id: `pmid:N`.
        title, abstract, journal, year, mesh, pubtypes: as published; an abstract may be missing.
        retracted: whether it was retracted.
        url: its address, if relevant, such as that of a case report.
        doi: without a prefix.
        fetched_at: ISO date.
        sha256: of title, a line break, and abstract, in UTF-8 and hex; checked if given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    doc_id: PaperId
    title: str
    abstract: str = ""
    journal: str = ""
    year: int | None = Field(default=None, ge=1500, le=2999)
    mesh: tuple[str, ...] = ()
    pubtypes: tuple[str, ...] = ()
    retracted: bool = False
    url: str = ""
    doi: str = ""
    fetched_at: str = ""
    sha256: str = ""

    @model_validator(mode="after")
    def _is_unchanged(self) -> Self:
        found = hashlib.sha256(f"{self.title}\n{self.abstract}".encode()).hexdigest()
        if self.sha256 and self.sha256.casefold() != found:
            raise ValueError(f"the sha256 of title and abstract is {found[:12]}..., not {self.sha256[:12]}...")
        return self

    @property
    def document(self) -> Document:
        """Return the paper as a document of the literature tool; its source is its address, or the name of the file."""
        return Document(
            id=self.doc_id,
            title=self.title,
            sections=(Section(text=self.abstract),) if self.abstract else (),
            journal=self.journal,
            published=str(self.year or ""),
            doi=self.doi,
            pmid=self.doc_id.removeprefix("pmid:"),
            mesh=self.mesh,
            publication_types=self.pubtypes,
            retracted=self.retracted,
            source=self.url or PAPERS,
        )


@dataclass(frozen=True)
class Placed:
    """A case with its line number, and the paths of its images, None for those without a file."""

    case: Case
    line: int
    images: tuple[Path | None, ...] = ()


@dataclass(frozen=True)
class Cases:
    """The content of a folder.

    Attributes:
        cases: in the order of the file.
        documents: papers by id.
        bad: unusable records.
        files: the files read.
        notices: remarks for the user.
    """

    cases: tuple[Placed, ...]
    documents: Mapping[str, Document]
    bad: tuple[DataError, ...] = ()
    files: tuple[Path, ...] = ()
    notices: tuple[str, ...] = ()


def load(data: Path | None) -> Cases:
    """Read the folder.

    Raises:
        DataError: if there is none, or a file cannot be read.
    """
    folder = need_folder(data, REMEDY)
    file, papers = folder / CASES, folder / PAPERS
    if not file.is_file():
        problem = f"{str(folder)!r} has no {CASES}; the authors' cases are not public, and their format is unknown."
        raise DataError(problem, file=None, remedy=REMEDY)
    held, bad = read_json_lines(file, Case)
    documents, worse = read_papers(papers) if papers.is_file() else ({}, ())
    broken = [*bad, *worse]
    placed: list[Placed] = []
    for line, case in held:
        if (found := _problem(case, folder)) is not None:
            broken.append(DataError(found[1], file=file, line=line, field=found[0]))
        else:
            paths = tuple(folder / IMAGES / one.file if one.file else None for one in case.images)
            placed.append(Placed(case, line, paths))
    unknown = {id_ for one in placed for id_ in one.case.cited_pmids} - documents.keys()
    notices = [f"{len(unknown)} cited papers are not in {PAPERS}, such as {min(unknown)}."] if unknown else []
    files = (file, papers) if papers.is_file() else (file,)
    return Cases(tuple(placed), documents, tuple(broken), files, tuple(notices))


def read_papers(file: Path) -> tuple[dict[str, Document], tuple[DataError, ...]]:
    """Read papers by id, with an error for each invalid or duplicate line.

    Raises:
        DataError: if the file cannot be read.
    """
    read, bad = read_json_lines(file, Paper)
    lines: dict[str, int] = {}
    broken = list(bad)
    for line, paper in read:
        if (first := lines.setdefault(paper.doc_id, line)) != line:
            problem = f"{paper.doc_id!r} is also on line {first}."
            broken.append(DataError(problem, file=file, line=line, field="doc_id"))
    return {paper.doc_id: paper.document for _, paper in reversed(read)}, tuple(broken)


def _problem(case: Case, folder: Path) -> tuple[str, str] | None:
    """Return the field of a case that cannot be used, and why."""
    for field in ("history", "findings_text"):
        if named(getattr(case, field), case.gold):
            return field, f"it reveals the diagnosis {case.gold_dx!r}."
    for number, image in enumerate(case.images):
        path = folder / IMAGES / image.file
        if image.file and not path.is_file():
            return f"images.{number}.file", f"the file {str(path)!r} does not exist."
        if image.file and image.sha and hashlib.sha256(path.read_bytes()).hexdigest() != image.sha.casefold():
            return f"images.{number}.sha", f"the file {image.file!r} does not match its sha256."
    return None
