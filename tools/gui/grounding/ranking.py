"""The control that an instruction most likely means, where no reading of it and no sum of its hints leads to one.

A small network ranks all controls of a screen by what speaks for each (`evidence`) and by how its name is spoken of. It
learnt from the words of several people for the sequel to MedSPOT (`evals.bench.grounding_ranker`), also asked on
screens that have nothing to find. What it names is likely, not sure: it is of a layer of its own, `ranker`, a person
looks at it before it is used, and it is nothing whose words tell a change: to save, sign, delete, release and the like.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from tools.errors import ToolFailed
from tools.gui.grounding import lexicon
from tools.gui.grounding.items import Choice, Item
from tools.gui.grounding.label_match import normal
from tools.gui.grounding.parse import CONTAINERS, NAMED
from tools.gui.grounding.quoted_labels import aloud, has, labels
from tools.gui.grounding.relations import keys_of
from tools.gui.grounding.safety import GRAVE, deeds
from tools.gui.grounding.score_evidence import ROLES, WEIGHTS, Evidence, gather
from tools.gui.grounding.score_total import labels_of_target, spot
from tools.gui.grounding.synonyms import CHANGING
from tools.gui.grounding.terms import stem
from tools.gui.guard.effect_words import AFFIRMING
from tools.gui.types import Screen

WEIGHTS_FILE = Path(__file__).parent / "ranker.safetensors"
LEAST_CHANCE = 0.5
"""The chance from which on a control is named; our choice, looked at in cross-validation on the tuning data."""
SAME_PX = 6.0
"""How far apart the middles of what is one place may be; our choice."""
MOST_NAMES = 4
"""Names of a control that are looked for in an instruction; our choice."""
MOST_WORDS = 5
"""Words from which on a name is as telling as it gets; our choice."""
FAR = 6.0
"""How many standard deviations from its mean a feature counts at most; our choice."""

_KINDS = sorted(ROLES)
_AFTER = re.compile(
    rf"(?<!\w)(?:{'|'.join(phrase for _, phrase in lexicon.RELATIONS)}|to|by|with|and|zu|aus)"
    rf"(?:\s+(?:{lexicon.ARTICLES}))?\W*$",
    re.IGNORECASE,
)
"""What stands before the name of something else than the target, mostly."""
_KIND = re.compile(rf"\W*(?:{'|'.join(lexicon.KINDS.values())})(?!\w)", re.IGNORECASE)
_PART = re.compile(
    rf"\W*(?:{'|'.join(lexicon.KINDS[kind] for kind in sorted(CONTAINERS))}|options|page|screen)(?!\w)", re.IGNORECASE
)
_CHANGES = re.compile(
    r"\b(?:acknowledg|archiv|assign|bolus|clear|decreas|dismiss|fax|import|increas|lock|merge|overwrit|paus|reject|releas"
    r"|replac|reset|restor|resum|revers|silenc|transfer|undo|unlock|updat|verif"
    r"|freigeb|quittier|rückgängig|sperr|stumm|verschieb|zurücksetz|zuweis)",
    re.IGNORECASE,
)
"""How words begin that tell a change beyond those of `tools.gui.guard.effect_words` and `meanings`; our choice."""
_NO_MENTION = (0.0,) * 9


@dataclass(frozen=True)
class Candidates:
    """The controls that are ranked.

    Attributes:
        table: what is known of each, (N, F) float32; see `features`.
        middles_px: of each, (N, 2).
        allowed: which may be named, (N) bool.
    """

    table: np.ndarray
    middles_px: np.ndarray
    allowed: np.ndarray


def likeliest(instruction: str, items: Sequence[Item], screen: Screen) -> Choice | None:
    """The control that is meant most likely, with its chance as score; None where none is likely enough, or harmless.

    Args:
        instruction: free speech, in English or German.
        items: what is on the screen.
        screen: where it is looked for.

    Raises:
        ToolFailed: if the network's file is missing or damaged.
    """
    seen = gather(aloud(instruction), items, screen, labels(instruction))
    if not seen.items or seen.said.unclear:
        return None
    found = pick(candidates(instruction, seen, screen), _network())
    if found is None:
        return None
    at, chance = found
    point, label = spot(seen, seen.items[at])
    return Choice(seen.items[at], chance, point, label)


def candidates(instruction: str, seen: Evidence, screen: Screen) -> Candidates:
    """The controls that evidence was gathered for."""
    middles = [item.rect.center for item in seen.items]
    own = labels_of_target(seen.said, instruction)
    # What stands in quotation marks is a label as it is written.
    called = [not own or any(has(item, label) for label in own) for item in seen.items]
    return Candidates(
        features(instruction, seen, screen),
        np.array([(middle.x_px, middle.y_px) for middle in middles]).reshape(-1, 2),
        np.array(
            [called[at] and _is_harmless(seen, at) and not _is_another(seen, at) for at in range(len(called))], bool
        ),
    )


def pick(among: Candidates, network: dict[str, np.ndarray]) -> tuple[int, float] | None:
    """Which is meant, and the chance that it is; None where that is too small, or where it must not be named."""
    chances, none = _chances(among.table, network)
    # What is known in two ways, such as a frame and the words in it, has the chances of both.
    same = np.abs(among.middles_px[:, None] - among.middles_px[None]).max(-1) <= SAME_PX
    shared = same @ chances
    at = int(np.lexsort((chances, shared))[-1])
    likely = shared[at] >= max(LEAST_CHANCE, none)
    return (at, float(min(shared[at], 1.0))) if likely and among.allowed[same[at]].all() else None


def _is_harmless(seen: Evidence, at: int) -> bool:
    """Whether a control can be reached, and no word of it or of what was said tells that something is changed."""
    item, own = seen.items[at], keys_of(seen.items[at])
    grave = seen.said.verbs & GRAVE or deeds(item, own) or normal(item.title) in AFFIRMING
    changes = own.keys() & CHANGING or {hint.key for hint in seen.words} & CHANGING or _CHANGES.search(item.title)
    return bool(item.front and not item.inert and not (grave or changes) and seen.permitted(at))


def _is_another(seen: Evidence, at: int) -> bool:
    """Whether something was said of another person, row or number, of a part that is not there, or of another value."""
    item, heard = seen.items[at], seen.heard[at]
    row = dict(zip(WEIGHTS, seen.table[at], strict=True))
    named = {hint.key for hint in (*seen.words, *seen.missing) if hint.name}
    of_rows = {hint.key for hint in seen.words if hint.weight >= 1} & seen.listed
    if "in" in seen.adrift or (named | of_rows) - heard:
        return True
    if any(told and told <= heard for told in seen.rows) or item.role == "cell":
        # What stands in a row is of a person or a thing: all that was said has to be of it, what is beside it, too.
        beside = [hint for _, wanted, _, _ in seen.said.anchors for hint in wanted]
        return any(hint.weight >= 1 and hint.key not in heard for hint in (*seen.words, *beside))
    # What holds a value goes by its own label and number.
    unsaid = (item.names and row["said"] <= 0) or (seen.said.ordinal and row["ordinal"] < 1)
    return bool(item.role in NAMED and unsaid)


def features(instruction: str, seen: Evidence, screen: Screen) -> np.ndarray:
    """What the network knows of each control, (N, F) float32.

    First what speaks for it, as it is, beside the best of all, and in sum; then how its best name is spoken of, what it
    is, and where it stands.
    """
    table, items = seen.table, seen.items
    total = table @ np.array(list(WEIGHTS.values()))
    rank = np.argsort(np.argsort(-total, kind="stable"), kind="stable")
    text = _plain(instruction)
    stems = _stems(text)
    mentions = np.array([_best_mention(text, item) for item in items])
    shares = np.array([_best_share(stems, item) for item in items])
    longest = (mentions[:, 4] > 0) & (mentions[:, 4] >= mentions[:, 4].max() - 1e-6)
    titles = Counter(normal(item.title) for item in items)
    kinds = np.array([[item.role == kind for kind in _KINDS] for item in items], float)
    width, height = screen.rect.width, screen.rect.height
    other = np.array(
        [
            (
                np.log(titles[normal(item.title)]),
                item.rect.left / width,
                item.rect.top / height,
                item.rect.width / width,
                item.rect.height / height,
                np.log1p(len(item.title)),
                len(item.names),
                item.layer == "icon",
                item.layer == "words",
                item.front,
                not item.title,
                seen.permitted(at),
            )
            for at, item in enumerate(items)
        ]
    )
    columns = (
        table,
        table - table.max(0),
        np.stack([total, total - total.max(), np.log1p(rank), longest], 1),
        mentions,
        shares,
        shares - shares.max(0),
        other,
        kinds,
    )
    return np.hstack(columns).astype(np.float32)


def _best_mention(text: str, item: Item) -> tuple[float, ...]:
    names = [_plain(" ".join(name.words)) for name in item.names[:MOST_NAMES]]
    return max((_mention(text, name) for name in names if name), key=lambda told: sum(told[:4]), default=_NO_MENTION)


@lru_cache(maxsize=8192)
def _mention(text: str, name: str) -> tuple[float, ...]:
    """How a name is spoken of word by word, at its best place; zeros where it is not.

    That it is, in the same capitals, with a capital within the sentence; how many words and what share of the sentence;
    where; after a word that tells something else's name; before a kind of control, and before a part of the screen.
    """
    lower, wanted = text.lower(), name.lower()
    best, worth = _NO_MENTION, -9.0
    start = lower.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if not (_is_within(lower, start) or _is_within(lower, end)):
            same = text[start:end] == name
            told = (
                1.0,
                float(same),
                float(same and start > 0 and name != wanted),
                min(len(name.split()), MOST_WORDS) / MOST_WORDS,
                len(name) / len(text),
                start / len(text),
                float(bool(_AFTER.search(text[:start]))),
                float(bool(_KIND.match(text, end))),
                float(bool(_PART.match(text, end))),
            )
            value = told[1] - told[6] + told[7] - told[8]
            best, worth = (told, value) if value > worth else (best, worth)
        start = lower.find(wanted, start + 1)
    return best


def _is_within(text: str, at: int) -> bool:
    """Whether a place is between two letters or digits."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()


def _best_share(stems: frozenset[str], item: Item) -> tuple[float, float]:
    """The share of the words of a control's best name that are said in any form, and how many these are."""
    names = [_stems(_plain(" ".join(name.words))) for name in item.names[:MOST_NAMES]]
    return max(
        ((len(own & stems) / len(own), min(len(own & stems), MOST_WORDS) / MOST_WORDS) for own in names if own),
        default=(0.0, 0.0),
    )


@lru_cache(maxsize=8192)
def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in re.findall(r"\w+", text.lower()))


@lru_cache(maxsize=8192)
def _plain(text: str) -> str:
    return re.sub(r"[\s_:.…]+", " ", text).strip()


def _chances(table: np.ndarray, network: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """The chance of each control, (N), and that it is none of them: means over networks that were trained alike."""
    hidden = np.clip((table - network["mean"]) / network["scale"], -FAR, FAR)[None]
    for layer in ("1", "2"):
        hidden = np.maximum(hidden @ network[f"w{layer}"] + network[f"b{layer}"], 0)
    scores = (hidden @ network["w3"] + network["b3"])[..., 0]
    scores = np.concatenate([scores, network["none"]], 1)
    chances = np.exp(scores - scores.max(1, keepdims=True))
    chances = (chances / chances.sum(1, keepdims=True)).mean(0)
    return chances[:-1], float(chances[-1])


@cache
def _network() -> dict[str, np.ndarray]:
    """Arrays of E networks.

    mean and scale (F); w1 (E, F, H), w2 (E, H, H) and w3 (E, H, 1), b1 and b2 (E, 1, H), b3 (E, 1, 1); none (E, 1).

    Raises:
        ToolFailed: if the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise ToolFailed(
            f"what is likely cannot be ranked, since {WEIGHTS_FILE.name} is missing or damaged: {error}.",
            remedy="Install the package again.",
        ) from error
