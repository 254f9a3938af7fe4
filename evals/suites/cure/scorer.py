"""Scores of diagnoses and of their evidence, as pure functions of a case and its transcript.

The paper's scorer is not public. Its abstract reports accuracy; we defined the rest, following its descriptions.

- Quadrants: a named diagnosis is right or wrong, and supported or not: supported if a shown paper that was not
  retracted names it. Right and supported is evidence-based, right and not supported knowledge-based, wrong and
  supported evidence-misled, wrong and not supported a hallucination. They sum to 1 over the answers that name a
  diagnosis, so abstaining more may improve the shares. Over all attempts they sum to 1 with a fifth part, those without
  an answer: abstentions, unreadable replies, and failures; there the two right ones sum to the accuracy. (Support
  cannot mean that the right diagnosis is in the evidence: then fewer answers could be misled than evidence covers.)
- Coverage in two readings: the share of cited papers that were shown, and whether one was; and whether a shown paper
  names the right diagnosis.
- Citation precision: the share of citations, of a diagnosis in a paper, in which that paper was shown, was not
  retracted and names that diagnosis.

Attempts with a missing verdict are in no quadrant, neither of answers nor of all. Intervals are of 95%, over the
clusters of cases (`evals.stats.means`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal, get_args

from evals.suites.ablations import contrast, shares, told
from evals.suites.cure.judge import SAME
from evals.suites.cure.names import named
from tools.literature.types import Document

Quadrant = Literal["evidence-based", "knowledge-based", "evidence-misled", "hallucination"]
QUADRANTS: tuple[Quadrant, ...] = get_args(Quadrant)
NO_ANSWER: Literal["no answer"] = "no answer"
"""The fifth part, beside the quadrants, of all attempts."""
OF_ALL = "of all"
GIVEN, NOTHING = "reference", "base"
"""The settings that others are compared with."""
COMPARED = ("rag", "agent", "reference+distractors", "shuffled_reference")
"""Settings whose gap to given evidence is reported: first retrieval, then the controls."""


def quadrant(*, right: bool, supported: bool) -> Quadrant:
    """Return the quadrant of an answer that names a diagnosis."""
    if right:
        return "evidence-based" if supported else "knowledge-based"
    return "evidence-misled" if supported else "hallucination"


def naming(documents: Sequence[Document], names: Sequence[str]) -> list[str]:
    """Return the ids of the papers that name a diagnosis in title or text, and were not retracted."""
    return [
        document.id
        for document in documents
        if not document.retracted and named(f"{document.title}. {document.text}", names)
    ]


def coverage(shown: Sequence[str], cited: Sequence[str]) -> float | None:
    """Return the share of cited papers that were shown; None if none is cited."""
    return len(set(shown) & set(cited)) / len(set(cited)) if cited else None


@dataclass(frozen=True)
class Answer:
    """The outcome of an attempt, from its transcript.

    Attributes:
        setting: its setting.
        marks: of the named diagnoses, best first, 0 to 2; None for a missing verdict. For a choice, one mark, 2 or 0.
            None if the model abstains or cannot be read.
        abstained: whether it abstains.
        supports: for each named diagnosis, the papers that name it.
        covers: the papers that name the right diagnosis.
        shown: all papers that were shown.
        retracted: how many of these were retracted.
        cited: papers cited for each diagnosis.
        invented: citations of papers never shown.
        dropped: why papers were withheld, by id.
        missing: cited papers of the case without an abstract.
        queries: the queries that were sent.
        problems: searches with incomplete results.
        stopped: what ended an agent's search; empty if there was none.
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
        """Build it from a dialogue's outcome."""
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
        """Return whether the right diagnosis is among the first ones; None if a missing verdict leaves it open."""
        marks = (self.marks or ())[:first]
        if SAME in marks:
            return True
        return None if None in marks else False

    @property
    def quadrant(self) -> Quadrant | None:
        """Return the quadrant of the first diagnosis; None if none is named, or its verdict is missing."""
        right = self.hit(1)
        if not self.marks or right is None:
            return None
        return quadrant(right=right, supported=bool(self.supports[0]))

    @property
    def found_nothing(self) -> bool:
        """Return whether one search was made and found no paper, not even a withheld one."""
        return bool(self.queries) and not (self.stopped or self.shown or self.dropped)


@dataclass(frozen=True)
class Attempt:
    """An attempt at a case in a setting.

    Attributes:
        setting: its setting.
        answer: its outcome; None if it failed.
        cited: the papers that its case cites.
        cluster: what its case shares with others.
    """

    setting: str
    answer: Answer | None
    cited: tuple[str, ...]
    cluster: str

    @property
    def part(self) -> Quadrant | Literal["no answer"] | None:
        """The quadrant of its answer, or `no answer`; None if the verdict is missing."""
        if self.answer is None or not self.answer.marks:
            return NO_ANSWER
        return self.answer.quadrant


def evidence_figures(attempts: Sequence[Attempt]) -> dict[str, float]:
    """Return availability and use of evidence, by setting, with 95% intervals and n.

    Omits settings without papers and searches, and counts that are 0.
    """
    found: dict[str, float] = {}
    for setting in dict.fromkeys(one.setting for one in attempts):
        mine = [one for one in attempts if one.setting == setting]
        held = [(one.answer, one.cited, one.cluster) for one in mine if one.answer is not None]
        clusters = [cluster for _, _, cluster in held]
        figures = quadrants(mine) | shares("abstained", [answer.abstained for answer, _, _ in held], clusters)
        if any(answer.shown or answer.queries for answer, _, _ in held):
            shown = [
                (share, cluster)
                for answer, cited, cluster in held
                if (share := coverage(answer.shown, cited)) is not None
            ]
            holds = [(hold, cluster) for answer, _, cluster in held for hold in citations(answer)]
            figures |= {
                **_shares("cov_pmid@k", shown),
                **_shares("cov_pmid@k, any", [(share > 0, cluster) for share, cluster in shown]),
                **shares("cov_dx", [bool(answer.covers) for answer, _, _ in held], clusters),
                **_shares("citation precision", holds),
                "papers shown": fmean(len(answer.shown) for answer, _, _ in held),
                "searches": fmean(len(answer.queries) for answer, _, _ in held),
            }
        figures |= _counts([answer for answer, _, _ in held])
        found |= {f"{setting}: {name}": value for name, value in figures.items()}
    return found


def _counts(answers: Sequence[Answer]) -> dict[str, float]:
    reasons = [reason for answer in answers for reason in answer.dropped.values()]
    counts = {
        "citations of what was never shown": sum(answer.invented for answer in answers),
        "retracted papers shown": sum(answer.retracted for answer in answers),
        "cited papers without an abstract": sum(len(answer.missing) for answer in answers),
        "searches that brought nothing": sum(answer.found_nothing for answer in answers),
        "searches that brought a part": sum(bool(answer.problems) for answer in answers),
        "searches that the model did not end": sum(one.stopped not in ("", "finished") for one in answers),
        **{f"kept back, {reason}": reasons.count(reason) for reason in sorted(set(reasons))},
    }
    return {name: float(count) for name, count in counts.items() if count}


def citations(answer: Answer) -> list[bool]:
    """Return whether each citation is valid (see the top of this module); one of a paper never shown is not."""
    return [
        paper in supported for papers, supported in zip(answer.cited, answer.supports, strict=True) for paper in papers
    ] + [False] * answer.invented


def quadrants(attempts: Sequence[Attempt]) -> dict[str, float]:
    """Return the share of each quadrant, first of answers that name a diagnosis, then, `of all`, with those without an
    answer.

    Each sums to 1, with its own n, and is omitted if that is 0.
    """
    placed = [(part, one.cluster) for one in attempts if (part := one.part) is not None]
    named_ = [(part, cluster) for part, cluster in placed if part != NO_ANSWER]
    found: dict[str, float] = {}
    for end, held, names in (("", named_, QUADRANTS), (f", {OF_ALL}", placed, (*QUADRANTS, NO_ANSWER))):
        clusters = [cluster for _, cluster in held]
        for name in names:
            found |= shares(f"{name}{end}", [part == name for part, _ in held], clusters, n=False)
        found |= {f"quadrants{end} n": float(len(held))} if held else {}
    return found


def gaps(scores: Mapping[str, Mapping[str, float]], cluster: Mapping[str, str]) -> dict[str, float]:
    """Return the advantage of given over retrieved evidence (gap), and of any over none (gain), case by case.

    Args:
        scores: a score of 0 to 1 by setting and case.
        cluster: of each case.

    Returns:
        `gap`: `reference` minus each of `COMPARED`, with its 95% interval, n, and McNemar's p. `gain`: each setting
            minus `base`, with the shares of all cases that it rescues (wrong to right) and harms (right to wrong).
    """
    found: dict[str, float] = {}
    for setting in (one for one in COMPARED if one in scores and GIVEN in scores):
        between = contrast(scores[GIVEN], scores[setting], cluster)
        found |= told(f"gap, {GIVEN} less {setting}", between)
    for setting in (one for one in scores if one != NOTHING and NOTHING in scores):
        between = contrast(scores[setting], scores[NOTHING], cluster)
        found |= told(f"gain, {setting} less {NOTHING}", between, f"{setting}: rescued", f"{setting}: harmed")
    return found


def _shares(name: str, held: Sequence[tuple[float, str]]) -> dict[str, float]:
    return shares(name, [value for value, _ in held], [cluster for _, cluster in held])
