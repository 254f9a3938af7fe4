"""Baselines of CURE: the right answer, chance, and word overlap under the same evidence."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from random import Random

from agent.literature.prompts import load_prompt
from agent.literature.search_agent import MAX_OPENED_AT_ONCE
from evals.engine.suite import DialogueBaseline, Message
from evals.suites.cure.cases import Case
from evals.suites.cure.evidence import WRITE
from evals.suites.cure.names import named, words
from evals.suites.cure.parse_reply import RANKED

_OPENABLE = re.compile(r"^\[([^\]]+)\](?! RETRACTED)", re.MULTILINE)
_PAPER = re.compile(r"^\[(\d+)\] <untrusted>(.*?)</untrusted>", re.DOTALL | re.MULTILINE)
_COMMON = frozenset(
    "a an and are as at be been but by for from had has have he her his in is it its no not of on or she that the "
    "their there they this to was were which who with without".split()
)
QUERY = 500
"""Maximum number of characters of a search by `extractive`: the limit for any search."""
FINISH = json.dumps({"action": "finish"})


def oracle(case: Case, diagnoses: Sequence[str], *, closed: bool) -> DialogueBaseline:
    """Give the right answer, and cite the papers that name it."""

    def say(messages: Sequence[Message]) -> str:
        papers = [number for number, text in papers_of(messages).items() if named(text, case.gold)]
        if closed:
            right = (case.options or {})[case.answer or "A"]
            choice = next(letter for letter, text in _options(messages).items() if text == right)
            return json.dumps({"choice": choice, "papers": papers})
        others = [name for name in diagnoses if words(name) not in set(map(words, case.gold))]
        return _ranked([case.gold_dx, *others], {case.gold_dx: papers})

    return _finishing(say)


def chance(diagnoses: Sequence[str], rng: Random, *, closed: bool) -> DialogueBaseline:
    """Give any option, or any five diagnoses of the data."""

    def say(messages: Sequence[Message]) -> str:
        if closed:
            return json.dumps({"choice": rng.choice(sorted(_options(messages)))})
        return _ranked(rng.sample(list(diagnoses), len(diagnoses)), {})

    return _finishing(say)


def extractive(case: Case, diagnoses: Sequence[str], rng: Random, *, closed: bool) -> DialogueBaseline:
    """Give the diagnosis with the best-supporting evidence: named by papers that share most words with the case.

    A paper scores the share of the case's distinct words, without stop words, that it contains; a diagnosis the sum
    over the papers that name it. Knows no medicine: open-ended, it chooses among the diagnoses of the data, and ranks
    those that no paper names by chance; among equally supported options it chooses by name, not by place. As an agent
    it searches once with the history and opens the first results.
    """
    own = set(words(case.history)) - _COMMON
    order = rng.sample(list(diagnoses), len(diagnoses))

    def say(messages: Sequence[Message]) -> str:
        options = _options(messages) if closed else {name: name for name in order}
        support = dict.fromkeys(options, 0.0)
        papers: dict[str, list[int]] = {}
        for number, paper in papers_of(messages).items():
            share = len(own & set(words(paper))) / max(1, len(own))
            for key, name in options.items():
                if named(paper, (name,)):
                    support[key] += share
                    papers.setdefault(key, []).append(number)
        if not closed:
            return _ranked(sorted(options, key=lambda name: -support[name]), papers)
        most = max(support.values())
        ties = {_mixed(name): letter for letter, name in options.items() if support[letter] == most}
        choice = ties[min(ties)]
        return json.dumps({"choice": choice, "papers": papers.get(choice, [])})

    steps = [
        lambda prompt: json.dumps({"action": "search", "query": case.history[:QUERY]}),
        lambda prompt: json.dumps(
            {"action": "open", "ids": _OPENABLE.findall(prompt)[:MAX_OPENED_AT_ONCE] or ["none"]}
        ),
    ]
    return _finishing(say, steps)


def _finishing(say: Callable[[Sequence[Message]], str], steps: Sequence[Callable[[str], str]] = ()) -> DialogueBaseline:
    """Make a player that takes some steps of a search and ends it, searches for the history, and then gives a
    diagnosis."""
    left = list(steps)

    def play(messages: Sequence[Message]) -> str:
        prompt = _text(messages[-1])
        if prompt.startswith(WRITE.partition("{")[0]):
            return prompt.rpartition("History: ")[2]
        if not prompt.startswith(load_prompt("step")):
            return say(messages)
        return left.pop(0)(prompt) if left else FINISH

    return play


def _mixed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def papers_of(messages: Sequence[Message]) -> dict[int, str]:
    """Return the papers that were shown and not retracted, by number."""
    return {int(number): paper for number, paper in _PAPER.findall(_text(messages[0]))}


def _text(message: Message) -> str:
    return "\n".join(part for part in message.parts if isinstance(part, str))


def _options(messages: Sequence[Message]) -> dict[str, str]:
    """Return the options as the model sees them, in any order."""
    return dict(
        re.findall(r"^([A-E])\. (.+)$", _text(messages[0]).rpartition("Which diagnosis is it?")[2], re.MULTILINE)
    )


def _ranked(names: Sequence[str], papers: Mapping[str, Sequence[int]]) -> str:
    """Format an open-ended answer of the first names, padded if there are too few."""
    distinct = list({words(name): name for name in reversed(names)}.values())[::-1]
    filled = [*distinct, *(f"some other disease {number}" for number in range(1, RANKED + 1))][:RANKED]
    return json.dumps({"diagnoses": [{"name": name, "papers": list(papers.get(name, ()))} for name in filled]})
