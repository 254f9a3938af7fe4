"""Scores of diagnoses and of the evidence they rest on: pure functions of a case and of what happened with it.

The paper's scorer is not public. Accuracy is what its abstract reports; all else here is defined by us, after a reading
of what is told about it.

- Quadrants: a named diagnosis is right or wrong, and supported or not: a shown paper that was not retracted names it.
  Right and supported is evidence-based, right and not supported knowledge-based, wrong and supported evidence-misled,
  wrong and not supported a hallucination. They sum to 1 over the answers that name a diagnosis; abstentions and replies
  that cannot be read are told of by themselves. (Support cannot mean that the right diagnosis is in the evidence: then
  fewer answers could be misled than evidence covers.)
- Coverage in both readings: the share of cited papers that were shown, and whether one was; and whether a shown paper
  names the right diagnosis.
- Citation precision: the share of citations, of a diagnosis in a paper, in which that paper was shown, was not
  retracted and names that diagnosis.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, get_args

from evals.suites.contrasts import contrast, told
from evals.suites.cure.judging import SAME
from evals.suites.cure.names import named
from tools.literature.types import Document

Quadrant = Literal["evidence-based", "knowledge-based", "evidence-misled", "hallucination"]
QUADRANTS: tuple[Quadrant, ...] = get_args(Quadrant)
GIVEN, NOTHING = "reference", "base"
"""The settings that others are compared with."""
COMPARED = ("rag", "agent", "reference+distractors", "shuffled_reference")
"""Those whose gap to given evidence is told: first what is found, then the controls."""


def quadrant(*, right: bool, supported: bool) -> Quadrant:
    """Where an answer that names a diagnosis lies."""
    if right:
        return "evidence-based" if supported else "knowledge-based"
    return "evidence-misled" if supported else "hallucination"


def naming(documents: Sequence[Document], names: Sequence[str]) -> list[str]:
    """The ids of the papers that name a diagnosis in title or text, and were not retracted."""
    return [
        document.id
        for document in documents
        if not document.retracted and named(f"{document.title}. {document.text}", names)
    ]


def coverage(shown: Sequence[str], cited: Sequence[str]) -> float | None:
    """The share of cited papers that were shown; None where none is cited."""
    return len(set(shown) & set(cited)) / len(set(cited)) if cited else None


@dataclass(frozen=True)
class Answer:
    """What an attempt came to, as its transcript has it.

    Attributes:
        setting: its setting.
        marks: of the named diagnoses, best first, 0 to 2; None where the judge's verdict is missing. Of a choice one, 2
            or 0. None where the model abstains or cannot be read.
        abstained: whether it abstains.
        supports: for each named diagnosis, the papers that name it.
        covers: the papers that name the right diagnosis.
        shown: all papers that were shown.
        retracted: how many of these were retracted.
        cited: papers cited for each diagnosis.
        invented: citations of what was never shown.
        dropped: why papers were kept back, by id.
        missing: cited papers of the case without an abstract.
        queries: what was searched for.
        problems: searches that brought a part only.
        stopped: what ended the search of an agent; empty where there was none.
    """

    setting: str
    marks: tuple[int | None, ...] | None
    abstained: bool
    supports: tuple[tuple[str, ...], ...]
    covers: tuple[str, ...]
    shown: tuple[str, ...]
    retracted: int
    cited: tuple[tuple[str, ...], ...]
    invented: int
    dropped: Mapping[str, str]
    missing: tuple[str, ...]
    queries: tuple[str, ...]
    problems: tuple[str, ...]
    stopped: str

    @classmethod
    def of(cls, outcome: Mapping[str, Any]) -> Answer:
        """Read what a dialogue returned."""
        marks = outcome["marks"]
        return cls(
            setting=outcome["setting"],
            marks=None if marks is None else tuple(marks),
            abstained=outcome["abstained"],
            supports=tuple(map(tuple, outcome["supports"])),
            covers=tuple(outcome["covers"]),
            shown=tuple(outcome["shown"]),
            retracted=outcome["retracted"],
            cited=tuple(map(tuple, outcome["cited"])),
            invented=outcome["invented"],
            dropped=outcome["dropped"],
            missing=tuple(outcome["missing"]),
            queries=tuple(outcome["queries"]),
            problems=tuple(outcome["problems"]),
            stopped=outcome["stopped"],
        )

    def hit(self, first: int) -> bool | None:
        """Whether the right diagnosis is among the first ones; None where a missing verdict leaves it open."""
        marks = (self.marks or ())[:first]
        if SAME in marks:
            return True
        return None if None in marks else False

    @property
    def quadrant(self) -> Quadrant | None:
        """That of the first diagnosis; None where none is named, or its verdict is missing."""
        right = self.hit(1)
        if not self.marks or right is None:
            return None
        return quadrant(right=right, supported=bool(self.supports[0]))


def evidence_figures(answers: Mapping[str, Sequence[tuple[Answer, Sequence[str]]]]) -> dict[str, float]:
    """What evidence there was and how it was used, by setting; each answer with the papers that its case cites.

    Where no paper was shown and nothing was searched for there is none of it, and counts of what never happened are
    left out.
    """
    found: dict[str, float] = {}
    for setting, pairs in answers.items():
        held = [answer for answer, _ in pairs]
        figures: dict[str, float | None] = {**quadrants(held), "abstained": _mean([one.abstained for one in held])}
        if any(answer.shown or answer.queries for answer in held):
            shares = [share for answer, cited in pairs if (share := coverage(answer.shown, cited)) is not None]
            figures |= {
                "cov_pmid@k": _mean(shares),
                "cov_pmid@k, any": _mean([share > 0 for share in shares]),
                "cov_dx": _mean([bool(answer.covers) for answer in held]),
                "citation precision": citation_precision(held),
                "papers shown": _mean([len(answer.shown) for answer in held]),
                "searches": _mean([len(answer.queries) for answer in held]),
            }
        reasons = [reason for answer in held for reason in answer.dropped.values()]
        counts = {
            "citations of what was never shown": sum(answer.invented for answer in held),
            "retracted papers shown": sum(answer.retracted for answer in held),
            "cited papers without an abstract": sum(len(answer.missing) for answer in held),
            "searches that brought a part": sum(bool(answer.problems) for answer in held),
            "searches that the model did not end": sum(one.stopped not in ("", "finished") for one in held),
            **{f"kept back, {reason}": reasons.count(reason) for reason in sorted(set(reasons))},
        }
        figures |= {name: float(count) for name, count in counts.items() if count}
        found |= {f"{setting}: {name}": value for name, value in figures.items() if value is not None}
    return found


def citation_precision(answers: Sequence[Answer]) -> float | None:
    """The share of citations that hold (see the top of this module); None where nothing is cited."""
    holds = [
        paper in supported
        for answer in answers
        for papers, supported in zip(answer.cited, answer.supports, strict=True)
        for paper in papers
    ]
    made = len(holds) + sum(answer.invented for answer in answers)
    return sum(holds) / made if made else None


def quadrants(answers: Sequence[Answer]) -> dict[str, float]:
    """The share of each quadrant among answers that name a diagnosis; empty where none does. They sum to 1."""
    held = [one for answer in answers if (one := answer.quadrant) is not None]
    return {name: held.count(name) / len(held) for name in QUADRANTS} if held else {}


def gaps(scores: Mapping[str, Mapping[str, float]], cluster: Mapping[str, str]) -> dict[str, float]:
    """What given evidence is worth over found evidence (gap), and any over none (gain), case by case.

    Args:
        scores: a score of 0 to 1 by setting and case.
        cluster: of each case.

    Returns:
        `gap`: `reference` less each of `COMPARED`, with its 95% interval, n, and McNemar's p. `gain`: each setting less
        `base`, with the shares of all cases that it rescues (wrong to right) and harms (right to wrong).
    """
    found: dict[str, float] = {}
    for setting in (one for one in COMPARED if one in scores and GIVEN in scores):
        between = contrast(scores[GIVEN], scores[setting], cluster)
        found |= told(f"gap, {GIVEN} less {setting}", between)
    for setting in (one for one in scores if one != NOTHING and NOTHING in scores):
        between = contrast(scores[setting], scores[NOTHING], cluster)
        found |= told(f"gain, {setting} less {NOTHING}", between, f"{setting}: rescued", f"{setting}: harmed")
    return found


def grouped(pairs: Sequence[tuple[Answer, Sequence[str]]]) -> dict[str, list[tuple[Answer, Sequence[str]]]]:
    """Answers by setting, in the order of the run."""
    held: defaultdict[str, list[tuple[Answer, Sequence[str]]]] = defaultdict(list)
    for answer, cited in pairs:
        held[answer.setting].append((answer, cited))
    return dict(held)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
