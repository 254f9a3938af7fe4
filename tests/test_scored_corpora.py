"""Sentences and claims in `tests/data`, scored as a whole: misses are printed, and nothing is ever wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.literature_helpers import paper
from tests.tree_screens import TREE, box, white
from tools.gui.grounding import locate
from tools.gui.types import Node
from tools.literature.support.answer import StatedCitation, StatedClaim, check_claims
from tools.literature.support.quote_match import find_quote
from tools.literature.support.stance import stance

DATA = Path(__file__).parent / "data"
LEAST = 0.95
"""The share of what is meant that has to be found, and of sound claims that have to be kept as they are."""


def read(name: str) -> Any:
    return yaml.safe_load((DATA / name).read_text("utf-8"))


def node(
    role: str, name: str, left: float, top: float, width: float, height: float, depth: int = 0, value: str = ""
) -> Node:
    return box(role, name, left, top, left + width, top + height, depth=depth).model_copy(update={"value": value})


def sentences() -> Iterator[tuple[str, list[Node], int | None, dict[str, Any]]]:
    """A sentence, its screen, the number of the node that is meant (None for none), and the group it is of."""
    for group in read("grounding_sentences.yaml"):
        nodes = [node(*fields) for fields in group["nodes"]]
        yield from ((said, nodes, meant, group) for said, meant in group.get("found", {}).items())
        for opener in group.get("openers", [""]):
            yield from ((f"{opener}{said}", nodes, None, group) for said in group.get("nothing", []))


def test_sentences_find_what_is_meant_and_never_anything_else() -> None:
    missed, wrong, asked = [], [], 0
    for said, nodes, meant, group in sentences():
        found = locate(said, white(nodes), layers=TREE)
        named = None if found.abstained or not found.targets else found.targets[0]
        asked += meant is not None
        if meant is None and group.get("unlisted") and found.targets:
            wrong.append(f"{said!r}: listed {found.targets[0].label!r}")
        elif named and meant is None:
            called = {each.name for each in nodes if each.rect == named.rect}
            if not called <= set(group.get("harmless", ())):
                wrong.append(f"{said!r}: named {named.label!r}")
        elif named and meant is not None and named.rect != nodes[meant].rect:
            wrong.append(f"{said!r}: named {named.label!r}")
        elif not named and meant is not None:
            missed.append(f"{said!r}: {found.abstained}")
    print(*missed, sep="\n")
    assert asked > 100
    assert wrong == []
    assert len(missed) <= (1 - LEAST) * asked


def verdict(claim: str, text: str, quote: str) -> str:
    """What becomes of a claim on one paper."""
    stated = StatedClaim(text=claim, citations=(StatedCitation(id="pmid:1", quote=quote),))
    kept, _ = check_claims("Does aspirin reduce mortality in sepsis?", [stated], [paper(1, text, title="")])
    return "dropped" if not kept else "cautioned" if kept[0].cautions else "clean"


def test_claims_are_held_against_their_quotes() -> None:
    corpus = read("literature_support.yaml")
    wrong, missed = [], []
    for wanted in ("dropped", "cautioned", "clean"):
        for row in corpus[wanted]:
            if (got := verdict(**row)) != wanted:
                # What a quote does not bear may be dropped too often, never kept as it is.
                (missed if wanted == "clean" else wrong).append(f"{row['claim']!r} on {row['text']!r}: {got}")
    wrong += [f"{row['quote']!r}" for row in corpus["misquoted"] if find_quote(row["quote"], paper(1, row["text"]))]
    missed += [f"{sentence!r}" for sentence, says in corpus["stances"].items() if stance(sentence) != says]
    print(*missed, sep="\n")
    assert wrong == []
    assert len(missed) <= (1 - LEAST) * (len(corpus["clean"]) + len(corpus["stances"]))
