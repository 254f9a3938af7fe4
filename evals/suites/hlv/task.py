"""Human label variation: several yes/no questions about an item, compared with its annotators' answers.

One attempt at temperature 0 is the authors' deterministic run. For soft labels an item is asked several times
(`--attempts 5`) at a temperature above 0; `figures` then compares the shares of yes.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agent.models.structured import read_json
from evals.engine.suite import Judged, Loaded, Message, Part, Picture, Respond, Sample, Scored, Suite, Transcript
from evals.suites.answers import without_thoughts
from evals.suites.hlv.dataset import Item, Labelled, load_own, load_politok
from evals.suites.hlv.scorer import (
    Soft,
    agreement_performance,
    agreement_score,
    binary,
    consistency,
    fleiss_kappa,
    is_disputed,
    krippendorff_alpha,
    soft_scores,
    summarise,
)
from tools.base import untrusted
from tools.media import Frame, MediaOptions, open_source

PROMPT = (
    "Answer each question about what you are given with yes or no.\n\n{questions}\n\n{item}"
    'Reply with one JSON object and nothing else: {{"answers": [{{"question": {first}, "answer": "yes" or "no", '
    '"comment": the reason in a few words}}, and so on for all questions, by their names]}}'
)
MAX_TOKENS = 5_000
"""Maximum number of tokens of a reply, as in the authors' code."""
SIDE_PX = 640
"""Longer side of a video's frames."""

Runs = dict[str, dict[str, dict[int, int]]]
"""The model's labels by question, item and attempt."""


class Options(BaseModel):
    """The suite's own options.

    Attributes:
        data_set: own data, or PoliTok-DE; see `dataset`.
        frames: maximum number of frames of a video, evenly spread; 50 in the authors' code.
        count: whether an item counts once in the agreement condition, or once for each of its annotators, as in the
            authors' later notebook.
        least_annotators: minimum number of labels of an item there; the authors also count items with one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_set: Literal["own", "politok-de"] = "own"
    frames: int = Field(default=50, ge=1, le=500)
    count: Literal["items", "annotations"] = "items"
    least_annotators: int = Field(default=2, ge=1)


def load(data: Path | None, options: Options) -> Loaded:
    """Read the annotators' labels; see `dataset`."""
    held = load_politok(data) if options.data_set == "politok-de" else load_own(data)
    return Loaded(tuple(_sample(item, held, options) for item in held.items), held.bad, held.files)


def _sample(item: Item, held: Labelled, options: Options) -> Sample:
    asked = {name: text for name, text in held.questions.items() if name in item.labels}
    labels = list(item.labels.values())
    annotators = "one" if max(map(len, labels)) < 2 else "disagree" if is_disputed(labels) else "agree"
    prompt = PROMPT.format(
        questions="\n".join(f"- {name}: {text}" for name, text in asked.items()),
        item=f"{untrusted(item.text)}\n\n" if item.text else "",
        first=json.dumps(next(iter(asked))),
    )
    return Sample(
        id=item.id,
        cluster=item.cluster,
        prompt=(*map(Picture, item.pictures), prompt),
        source=str(item.video or ""),
        max_tokens=MAX_TOKENS,
        reference=", ".join(f"{name} {sum(held)} of {len(held)}" for name, held in item.labels.items()),
        slices={"annotators": annotators, **item.slices},
        fields={"labels": item.labels, "options": options},
        file=item.file,
        line=item.line,
    )


async def show(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Ask all questions about an item at once; ignores the generator."""
    frames: list[Picture] = []
    if sample.source:
        frames = await asyncio.to_thread(video_frames, Path(sample.source), sample.fields["options"].frames)
    await respond([Message("user", (*frames, *sample.prompt))])
    return {"frames": len(frames)}


async def hide(sample: Sample, respond: Respond, rng: Random) -> Mapping[str, JsonValue]:
    """Ask like `show`, with only the item's words."""
    words: tuple[Part, ...] = tuple(part for part in sample.prompt if isinstance(part, str))
    await respond([Message("user", words)])
    return {}


def video_frames(path: Path, most: int) -> list[Picture]:
    """Return at most `most` frames of a video, evenly spread over it, at most one per second.

    Raises:
        MediaError: if it cannot be read.
    """
    with open_source(str(path)) as source:
        lasts_s = source.info.duration_s or 0.0
    options = MediaOptions(fps=min(1.0, most / lasts_s) if lasts_s else 1.0, max_side_px=SIDE_PX)
    with open_source(str(path), options) as source:
        found = [Picture(encoded=_jpeg(item.rgb), t_s=item.t_s) for item in source if isinstance(item, Frame)]
    return found[:most]


def _jpeg(rgb: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def read_answers(reply: str, names: Sequence[str]) -> dict[str, int]:
    """Return a reply's labels for the named questions, without unreadable ones.

    Accepts the object that the prompt asks for, one with the names as its fields, and the bare word for a single
    question. The last answer to a question counts, as in the authors' code.
    """
    text = without_thoughts(reply).strip()
    if len(names) == 1 and (label := binary(text.rstrip(".!"))) is not None:
        return {names[0]: label}
    try:
        held = read_json(text)
    except ValueError:
        return {}
    entries = held.get("answers")
    pairs = list(_entries(entries) if isinstance(entries, list) else held.items())
    # The authors correct this frequent slip in the name of a question.
    said = {str(name).strip().replace("entartainment", "entertainment"): binary(value) for name, value in pairs}
    return {name: label for name in names if (label := said.get(name)) is not None}


def _entries(entries: list[object]) -> Iterator[tuple[object, object]]:
    for entry in entries:
        if isinstance(entry, dict):
            yield entry.get("question"), entry.get("answer")


def score(sample: Sample, transcript: Transcript) -> Scored:
    """Score the mean over an item's questions of the share of annotators with the same label; 0 for an unread answer.

    This score is ours: if all agree, it is whether the answer is right. `figures` has the paper's measures.
    """
    labels: Mapping[str, Sequence[int]] = sample.fields["labels"]
    said = read_answers(transcript.answer, list(labels))
    if not said:
        return Scored(failure="parse")
    return Scored(
        value=fmean(held.count(said[name]) / len(held) if name in said else 0.0 for name, held in labels.items())
    )


def figures(judged: Sequence[Judged]) -> dict[str, float]:
    """Return both conditions of the protocol, without undefined measures, such as alpha of one kind of label.

    Agreement: accuracy, precision, recall and F1 for each question, the mean over attempts. Disagreement, with several
    attempts: Brier scores by bin of entropy, divergence over the disputed items, and self-consistency.
    """
    human: dict[str, dict[str, Sequence[int]]] = {}
    runs: Runs = {}
    unread = 0
    for sample, transcript, _ in judged:
        labels: Mapping[str, Sequence[int]] = sample.fields["labels"]
        said = {} if transcript.failure else read_answers(transcript.answer, list(labels))
        unread += 0 if transcript.failure else len(labels) - len(said)
        for name, held in labels.items():
            human.setdefault(name, {})[sample.id] = held
            made = runs.setdefault(name, {}).setdefault(sample.id, {})
            if name in said:
                made[transcript.epoch] = said[name]
    if not judged:
        return {}
    options: Options = judged[0][0].fields["options"]
    epochs = sorted({transcript.epoch for _, transcript, _ in judged})
    found = _agreement(human, runs, options, epochs) | {"unread answers": float(unread)}
    return found | (_disagreement(human, runs, epochs) if len(epochs) > 1 else {})


def _agreement(
    human: Mapping[str, Mapping[str, Sequence[int]]], runs: Runs, options: Options, epochs: Sequence[int]
) -> dict[str, float]:
    found: dict[str, float] = {}
    scores = []
    for name, items in human.items():
        units = list(items.values())
        several = [labels for labels in units if len(labels) > 1]
        equal = len(several) == len(units) and len(set(map(len, units))) == 1
        described = {
            "share of yes": fmean(label for labels in units for label in labels),
            "alpha": krippendorff_alpha(units),
            "kappa": fleiss_kappa(units) if equal else None,
            "agreed": fmean(agreement_score(labels) == 1 for labels in several) if several else None,
        }
        made = [
            agreement_performance(
                items,
                {id_: said[epoch] for id_, said in runs[name].items() if epoch in said},
                each_annotation=options.count == "annotations",
                least_annotators=options.least_annotators,
            )
            for epoch in epochs
        ]
        tables = [asdict(one) for one in made if one is not None]
        performed = {metric: fmean(one[metric] for one in tables) for metric in tables[0]} if tables else {}
        scores += [performed["f1"]] if performed else []
        found |= {f"{name}: {what}": value for what, value in {**described, **performed}.items() if value is not None}
    return {"f1": fmean(scores), **found} if scores else found


def _disagreement(
    human: Mapping[str, Mapping[str, Sequence[int]]], runs: Runs, epochs: Sequence[int]
) -> dict[str, float]:
    soft: dict[str, list[tuple[str, Soft]]] = {
        name: [
            (id_, soft_scores(labels, list(said.values())))
            for id_, labels in items.items()
            if (said := runs[name][id_])
        ]
        for name, items in human.items()
    }
    every = [pair for pairs in soft.values() for pair in pairs]
    ids = dict.fromkeys(id_ for items in human.values() for id_ in items)
    disputed = [id_ for id_ in ids if is_disputed([items[id_] for items in human.values() if id_ in items])]
    found: dict[str, float] = {"disputed items": float(len(disputed))}
    for prefix, pairs in (("", every), *((f"{name}: ", pairs) for name, pairs in soft.items())):
        means = summarise(pairs, disputed)
        found |= {f"{prefix}brier, {bin_}": value for bin_, value in means["mean_brier_by_bin"].items()}
        for what in ("mean", "median"):
            if (value := means[f"{what}_kl_disagreement"]) is not None:
                found[f"{prefix}kl, {what}"] = value
    if every:
        found["agreement of runs"] = fmean(one.model_self_agreement for _, one in every)
    whole = [said for items in runs.values() for said in items.values() if len(said) == len(epochs)]
    if whole and (stable := consistency([[said[epoch] for said in whole] for epoch in epochs])) is not None:
        found["consistency of runs"] = stable
    found["items without a run"] = float(sum(not said for items in runs.values() for said in items.values()))
    return found


def _as_reply(labels: Mapping[str, int]) -> str:
    return json.dumps(
        {"answers": [{"question": name, "answer": "yes" if one else "no"} for name, one in labels.items()]}
    )


def majority(sample: Sample, rng: Random) -> str:
    """Give the label of the majority; at a tie, either."""
    labels: Mapping[str, Sequence[int]] = sample.fields["labels"]
    return _as_reply({name: _most(held, rng) for name, held in labels.items()})


def _most(labels: Sequence[int], rng: Random) -> int:
    ones = sum(labels)
    return rng.randrange(2) if 2 * ones == len(labels) else int(2 * ones > len(labels))


def annotator(sample: Sample, rng: Random) -> str:
    """Give one annotator's labels, drawn again for each attempt: a model of the right distribution."""
    labels: Mapping[str, Sequence[int]] = sample.fields["labels"]
    return _as_reply({name: rng.choice(held) for name, held in labels.items()})


def coin(sample: Sample, rng: Random) -> str:
    """Answer yes or no by chance."""
    return _as_reply({name: rng.randrange(2) for name in sample.fields["labels"]})


SUITE = Suite(
    name="hlv",
    title="What annotators agree on, and how they disagree",
    version=1,
    load=load,
    score=score,
    solve=show,
    blind=hide,
    prompts={"ask": PROMPT},
    options=Options,
    baselines={"oracle": majority, "annotator": annotator, "random": coin},
    figures=figures,
)
