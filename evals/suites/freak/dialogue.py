"""Dialogues of FREAK: six times, with the options in every order, or a free answer, with a judge."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from agent.models.cached import Answer
from agent.models.protocol import MLLM
from evals.engine.media import picture_block
from evals.engine.suite import Message, Part, Picture, Respond, Sample
from evals.judge import VerdictCache, judge
from evals.suites.freak.dataset import Row, StoredImage
from evals.suites.freak.options import Options
from evals.suites.freak.prompts import CHOICE, FREE, JUDGES, SYSTEM
from evals.suites.freak.scorer import PERMUTATIONS, shown, without_thinking
from evals.suites.judges import suite_judge, tally


class Said(BaseModel):
    """What a judge says of an answer."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    verdict: Literal["correct", "typical", "wrong"]
    why: str = ""


async def put(sample: Sample, respond: Respond, rng: Random, *, blind: bool = False) -> Mapping[str, JsonValue]:
    """Ask a question; returns the judge's verdicts, in the given order and swapped, None if there are none."""
    row: Row = sample.fields["row"]
    options: Options = sample.fields["options"]
    reasoning = ", reasoning" if options.cot else ""
    picture: tuple[Part, ...] = () if blind else (await asyncio.to_thread(_picture, sample),)
    reply = ""
    if row.type == "mcq":
        system = Message("system", (SYSTEM[f"choice{reasoning}"],))
        for order in PERMUTATIONS:
            lines = shown(row.options or [], order, stray=options.published and not options.cot)
            text = CHOICE.format(question=row.question, choices="\n".join(lines))
            reply = await respond([system, Message("user", (*picture, text))])
        if options.scoring != "released":
            return {}
    else:
        system = Message("system", (SYSTEM[f"free{reasoning}"],))
        # The released script repeats free questions as often as those with options, and judges the last reply.
        for _ in range(len(PERMUTATIONS) if options.published else 1):
            reply = await respond([system, Message("user", (*picture, FREE.format(question=row.question)))])
    return await _judged(sample, options, reply)


def _picture(sample: Sample) -> Picture:
    image: StoredImage | Path = sample.fields["image"]
    return Picture(image) if isinstance(image, Path) else Picture(encoded=image.read())


async def _judged(sample: Sample, options: Options, reply: str) -> dict[str, JsonValue]:
    said = reply if options.published or not options.thinking else read(reply, options)
    if not said.strip():
        # There is nothing to judge; the released script asks its judge all the same, which can only answer that it is
        # wrong.
        return {"given": "wrong", "swapped": None, "judge": tally([])}
    verdicts = [await _verdict(sample, options, said, swapped=False)]
    if options.judge_swap and not options.published and verdicts[0].value is not None:
        verdicts.append(await _verdict(sample, options, said, swapped=True))
    words = [None if verdict.value is None else verdict.value.verdict for verdict in verdicts]
    return {"given": words[0], "swapped": words[-1] if len(words) > 1 else None, "swap": len(words) > 1,
            "judge": tally(verdicts)}  # fmt: skip


def read(reply: str, options: Options) -> str:
    """Return a reply, without its thinking if that is to be cut off."""
    return without_thinking(reply, options.begin, options.end) if options.thinking else reply


async def _verdict(sample: Sample, options: Options, said: str, *, swapped: bool) -> Answer[Said]:
    row: Row = sample.fields["row"]
    prompt = JUDGES[options.judge_image, swapped]
    truth, error = row.ground_truth or "(none)", row.hallu_answer or "(none)"

    def ask(cache: VerdictCache, model: MLLM) -> Answer[Said]:
        images = [picture_block(_picture(sample), sample)] if options.judge_image else []
        return judge(
            cache, model, prompt, Said, images=images, question=row.question, truth=truth, error=error, answer=said
        )

    return await suite_judge(options.judge, options.judge_folder).rate(ask)
