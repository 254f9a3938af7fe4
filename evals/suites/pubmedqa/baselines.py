"""Baselines of PubMedQA: the annotators, chance, and a rule that reads the words of a single sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from evals.engine.suite import Baseline, DialogueBaseline, Message, Sample
from evals.suites.pubmedqa.dataset import DECISIONS, Record
from tools.literature.retrieval.relevance import best_sentences
from tools.literature.support.stance import stance
from tools.literature.types import Document, Section

_TEXT = re.compile(r"<untrusted>(.*?)</untrusted>", re.DOTALL)
_LABELLED = re.compile(r"(?P<label>[A-Z][A-Z &/,-]+): (?P<text>.+)")


def _by_record(choose: Callable[[Record, Random], str | None]) -> Baseline:
    def baseline(sample: Sample, rng: Random) -> DialogueBaseline:
        said = choose(sample.fields["held"].question.record, rng)
        return lambda messages: said or ""

    return baseline


def by_stance(sample: Sample, rng: Random) -> DialogueBaseline:
    """Answer yes or no by the words of the sentence that fits the question best; chosen on the half outside the test.

    The sentence is the one in the prompt's texts that is most relevant to the question and reports a finding, or its
    absence, by the rule of `tools.literature.support.stance`. Without one, the answer is `maybe`.
    """
    question = sample.fields["held"].question.record.question

    def play(messages: Sequence[Message]) -> str:
        prompt = "\n".join(part for part in messages[-1].parts if isinstance(part, str))
        texts = [_document(number, text) for number, text in enumerate(_TEXT.findall(prompt))]
        says = (stance(sentence.text) for sentence in best_sentences(question, texts))
        return next((one for one in says if one != "unclear"), "maybe")

    return play


def _document(number: int, text: str) -> Document:
    """Parse a text with labels before some of its lines as a document with sections."""
    lines = [line for line in text.splitlines() if line.strip()]
    labelled = [(match["label"], match["text"]) if (match := _LABELLED.fullmatch(one)) else ("", one) for one in lines]
    return Document(id=f"local:{number}", sections=tuple(Section(label=label, text=told) for label, told in labelled))


BASELINES: dict[str, Baseline] = {
    "oracle": _by_record(lambda record, rng: record.decision),
    "random": _by_record(lambda record, rng: rng.choice(DECISIONS)),
    "majority": _by_record(lambda record, rng: "yes"),
    "human": _by_record(lambda record, rng: record.human),
    "human-with-conclusion": _by_record(lambda record, rng: record.human_with_conclusion),
    "stance": by_stance,
}
