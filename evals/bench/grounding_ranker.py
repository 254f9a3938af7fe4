"""Train the ranker of likely controls on the tuning sets of the open sequel to MedSPOT, and cross-validate it.

    python -m evals.bench.grounding_ranker --data FOLDER [--json FILE] [--weights FILE]

Each instruction of the tuning sets (`evals.bench.grounding`) is asked on its own screen, with the accessibility tree
and in pixels, and on a screen of another program, where mostly nothing is meant. A network learns to choose among the
controls, or none. Cross-validated by task, whoever tells it: all words for one task, on all its screens, are in one
part. Printed for each set: steps hit by what is sure alone and with the ranker behind it, and how many answers are
wrong, and given elsewhere. Then the network is trained on all of it and written.

About half an hour on two processors; needs no GPU. Seeds are fixed, so that the same screens lead to the same
network on one machine.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from evals.bench.grounding import SAME_PROGRAM, SETS, Asked, hit, read_set
from tools.errors import ToolRetry
from tools.gui.grounding import LAYERS, PIXELS, SURE, locate
from tools.gui.grounding.field_labels import labelled_fields
from tools.gui.grounding.locate import items_of
from tools.gui.grounding.quoted_labels import aloud, labels
from tools.gui.grounding.ranking import FAR, WEIGHTS_FILE, Candidates, candidates, pick
from tools.gui.grounding.score_evidence import gather
from tools.gui.grounding.score_total import spot
from tools.gui.grounding.tree import tree_items
from tools.gui.types import Located, Screen

TUNING = tuple(name for name in SETS if name not in ("report", "fifth_hand"))
"""The sets that are learnt from."""
WAYS = {"tree": LAYERS, "pixels": PIXELS}
PARTS, NETWORKS = 5, 3
"""Into how many parts tasks are divided, and how many networks speak together; our choice."""
WIDTH, EPOCHS, BATCH, RATE, DECAY, DROPPED = 48, 20, 32, 2e-3, 1e-3, 0.2
"""Units of a layer, rounds, instructions a step, learning rate, weight decay, share of dropped units; our choice."""
ELSEWHERE = 0.5
"""What an instruction is worth on a screen where it has nothing to find; our choice."""
FIRST_NONE = 1.0
"""Where the score of none of them begins; our choice."""


@dataclass(frozen=True)
class Row:
    """An instruction on a screen, by one way.

    Attributes:
        name: of its set.
        way: "tree" or "pixels".
        task: the collection, the program and the number of the task.
        elsewhere: whether the screen is one of another program.
        sure: "hit", "wrong" or "none", by all layers but the ranker.
        asked: whether the ranker is asked there.
        among: the controls.
        meant: which of them are in the box, (N).
    """

    name: str
    way: str
    task: str
    elsewhere: bool
    sure: str
    asked: bool
    among: Candidates
    meant: np.ndarray


def main() -> None:
    """Read, cross-validate, train, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder made by evals.bench.medspot_open")
    parser.add_argument("--json", type=Path, default=Path("docs/grounding_ranker.json"))
    parser.add_argument("--weights", type=Path, default=WEIGHTS_FILE)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with multiprocessing.get_context("spawn").Pool() as pool:
        rows = [row for found in pool.imap(partial(read_rows, arguments.data), TUNING) for row in found]
        held_out = pool.map(partial(_without, rows), range(PARTS))
    figures = {
        name: {way: _figures([row for row in rows if (row.name, row.way) == (name, way)], held_out) for way in WAYS}
        for name in TUNING
    }
    _print(figures)
    save_file(train(rows), arguments.weights)
    arguments.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def read_rows(folder: Path, name: str) -> list[Row]:
    """All instructions of a set, each on its own screen and on one of another program, by both ways."""
    steps = list(read_set(folder, name))
    families = sorted({asked.program[:SAME_PROGRAM] for asked in steps})
    screens = {family: [asked.screen for asked in steps if asked.program.startswith(family)] for family in families}
    rows = []
    for place, asked in enumerate(steps):
        rows += _rows(name, asked, asked.screen, elsewhere=False)
        others = screens[families[(families.index(asked.program[:SAME_PROGRAM]) + 1) % len(families)]]
        rows += _rows(name, asked, others[place % len(others)], elsewhere=True)
    return rows


def _rows(name: str, asked: Asked, screen: Screen, *, elsewhere: bool) -> list[Row]:
    said, rows = str(asked.step.instruction), []
    # Both languages of a program, and all who tell a task, are in one part.
    task = f"{SETS[name][0]} {asked.program[:SAME_PROGRAM]} {asked.task}"
    for way, layers in WAYS.items():
        items = labelled_fields(tree_items(screen.nodes or ())) if way == "tree" else items_of(screen)
        seen = gather(aloud(said), items, screen, labels(said))
        if not seen.items:
            continue
        try:
            sure, asked_of = locate(said, screen, layers=layers & SURE), not seen.said.unclear
        except ToolRetry:
            sure, asked_of = Located(abstained="It names nothing to look for."), False
        known = bool(sure.targets) and not sure.abstained
        right = not elsewhere and known and hit(asked, sure.targets[0].point)
        meant = [not elsewhere and hit(asked, spot(seen, item)[0]) for item in seen.items]
        rows.append(
            Row(
                name,
                way,
                task,
                elsewhere,
                "hit" if right else "wrong" if known else "none",
                asked_of and not sure.targets,
                candidates(said, seen, screen),
                np.array(meant, bool),
            )
        )
    return rows


def part_of(row: Row) -> int:
    """The part that a row is held out with."""
    return zlib.crc32(row.task.encode()) % PARTS


def _without(rows: list[Row], part: int) -> dict[str, np.ndarray]:
    """A network that has not seen a part."""
    return train([row for row in rows if part_of(row) != part])


def train(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Networks that choose among controls, or none, as arrays; see `tools.gui.grounding.ranking`."""
    import torch

    torch.set_num_threads(1)
    known = np.concatenate([row.among.table for row in rows])
    mean, scale = known.mean(0), known.std(0) + 1e-3
    data = [
        (
            torch.from_numpy(np.clip((row.among.table - mean) / scale, -FAR, FAR).astype(np.float32)),
            torch.from_numpy(row.meant),
            ELSEWHERE if row.elsewhere else 1.0,
        )
        for row in rows
    ]
    networks = [_train_one(data, seed) for seed in range(NETWORKS)]
    arrays = {key: np.stack([network[key] for network in networks]) for key in networks[0]}
    return {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32), **arrays}


def _train_one(data: Sequence[tuple[Any, Any, float]], seed: int) -> dict[str, np.ndarray]:
    import torch
    from torch import nn

    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    layers = nn.Sequential(
        nn.Linear(data[0][0].shape[1], WIDTH),
        nn.ReLU(),
        nn.Dropout(DROPPED),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, 1),
    )
    none = nn.Parameter(torch.tensor([FIRST_NONE]))
    learning = torch.optim.AdamW([*layers.parameters(), none], lr=RATE, weight_decay=DECAY)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(learning, EPOCHS)
    for _ in range(EPOCHS):
        shuffled = order.permutation(len(data))
        for start in range(0, len(shuffled), BATCH):
            batch = [data[at] for at in shuffled[start : start + BATCH]]
            scores = layers(torch.cat([table for table, *_ in batch]))[:, 0].split([len(table) for table, *_ in batch])
            loss = sum(
                worth * _surprise(score, meant, none) for (_, meant, worth), score in zip(batch, scores, strict=True)
            )
            learning.zero_grad()
            (loss / len(batch)).backward()
            learning.step()
        slower.step()
    found = {"none": none.detach().numpy()}
    for number, layer in enumerate((layer for layer in layers if isinstance(layer, nn.Linear)), 1):
        found[f"w{number}"] = layer.weight.detach().numpy().T.copy()
        found[f"b{number}"] = layer.bias.detach().numpy()[None]
    return found


def _surprise(scores: Any, meant: Any, none: Any) -> Any:
    """Minus the logarithm of the chance of what is meant, or of none."""
    import torch

    wanted = scores[meant].logsumexp(0) if bool(meant.any()) else none[0]
    return torch.cat([scores, none]).logsumexp(0) - wanted


def _figures(rows: list[Row], held_out: list[dict[str, np.ndarray]]) -> dict[str, int]:
    """Of a set by one way: steps, hits and wrong answers, without the ranker and with it, and answers elsewhere."""
    counts = dict.fromkeys(("steps", "hits", "wrong", "elsewhere", "sure_hits", "sure_wrong", "sure_elsewhere"), 0)
    for row in rows:
        picked = pick(row.among, held_out[part_of(row)]) if row.asked else None
        outcome = row.sure if picked is None else "hit" if row.meant[picked[0]] else "wrong"
        counts["steps"] += not row.elsewhere
        for prefix, told in (("", outcome), ("sure_", row.sure)):
            counts[f"{prefix}hits"] += told == "hit"
            counts[f"{prefix}wrong"] += told == "wrong" and not row.elsewhere
            counts[f"{prefix}elsewhere"] += told != "none" and row.elsewhere
    return counts


def _print(figures: dict[str, dict[str, dict[str, int]]]) -> None:
    for name, ways in figures.items():
        for way, row in ways.items():
            steps = row["steps"]
            print(
                f"{name} {way}: {row['sure_hits']} of {steps} hit, {row['sure_wrong']} wrong, {row['sure_elsewhere']} "
                f"elsewhere; with the ranker {row['hits']}, {row['wrong']}, {row['elsewhere']}"
            )


if __name__ == "__main__":
    main()
