"""Dialogues of ProactiveBench: an episode in its environment, or one free question and a judge.

An episode is read in two ways at once, `strict` and `robust` (see `matching`). They share the replies as long as they
see the same; if one reading ends or diverges, the model is asked separately for the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from agent.models.cached import Answer
from agent.models.protocol import MLLM
from evals.engine.data import DataError
from evals.engine.suite import Message, Picture, Reply, Respond, Sample, Tool
from evals.judge import VerdictCache, judge
from evals.suites.judges import suite_judge, tally
from evals.suites.proactivebench.environments import (
    Environment,
    Observation,
    State,
    answer,
    observe,
    right_answers,
    start,
)
from evals.suites.proactivebench.matching import match, robust
from evals.suites.proactivebench.options import READINGS, Options, Reading
from evals.suites.proactivebench.prompts import JUDGE, MAY_ASK, OPEN_HINT, choice
from evals.suites.proactivebench.records import COCO, DATASETS, MVPN, EntryError, OptionError, Record
from evals.suites.proactivebench.scorer import judge_answers, sample_open_ended_answers
from evals.suites.proactivebench.simulated_user import requested
from tools.ask_user import DESCRIPTION, Intervention

ASK_USER = Tool("ask_user", DESCRIPTION, Intervention)
HISTORY_PX = 224
"""Short edge of images if earlier turns are shown, except for COCO (authors' package, `resize_samples`)."""

EXAMPLE_PX = {"ROD": 512, "MVP-N": 112}
"""Short edge of the images of worked examples (paper, in-context learning)."""


class Turn(BaseModel):
    """An answer of an episode, as passed to the environment, and its origin."""

    model_config = ConfigDict(frozen=True)

    text: str
    by: Literal["text", "ask_user"]


@dataclass(frozen=True)
class Episode:
    """The state of a sample while it is asked."""

    sample: Sample
    environment: Environment
    options: Options
    respond: Respond
    blind: bool


async def put(sample: Sample, respond: Respond, rng: Random, *, blind: bool = False) -> Mapping[str, JsonValue]:
    """Ask a sample.

    Returns:
        The turns of both readings and the seed of the random view; or the answer to a free question, with the judge's
            marks in both orders, None if there are none.

    Raises:
        DataError: if the record's options lead nowhere.
    """
    environment: Environment = sample.fields["environment"]
    episode = Episode(sample, environment, sample.fields["options"], respond, blind)
    try:
        if episode.options.mode == "open":
            return await _ask_freely(episode)
        return await _play(episode, rng.randrange(2**32))
    except (EntryError, OptionError) as error:
        raise DataError(error.problem, file=sample.file, line=sample.line, field="options") from error


def replay(sample: Sample, outcome: Mapping[str, Any], reading: Reading) -> State:
    """Return where the episode of a transcript ended under one of its readings."""
    environment: Environment = sample.fields["environment"]
    state, draws = _first(environment), Random(outcome["seed"])
    for turn in outcome[reading]:
        state = answer(environment, state, turn["text"], draws)
    return state


def _first(environment: Environment) -> State:
    return start(environment.dataset, environment.record, reference=environment.reference, random=environment.random)[1]


async def _play(episode: Episode, seed: int) -> dict[str, JsonValue]:
    said: dict[tuple[Message, ...], list[Reply]] = {}
    outcome: dict[str, JsonValue] = {"seed": seed}
    for reading in READINGS:
        turns = await _read(episode, reading, Random(seed), said)
        outcome[reading] = [turn.model_dump() for turn in turns]
    return outcome


async def _read(
    episode: Episode, reading: Reading, draws: Random, said: dict[tuple[Message, ...], list[Reply]]
) -> list[Turn]:
    """Play the episode under one reading; `said` has the replies to messages that were already asked."""
    environment, options = episode.environment, episode.options
    state, turns = _first(environment), list[Turn]()
    talk, asked = _worked_examples(episode), dict[tuple[Message, ...], int]()
    while not state.stopped:
        seen = observe(environment, state, hint=options.hints)
        listed = list(environment.record.categories) if options.act == "tool" else list(seen.options)
        question = _question(episode, seen, choice(seen.prompt, listed) + ("" if options.act == "text" else MAY_ASK))
        messages = (*talk, question)
        # The same state may come again, since some images form a cycle: its second reply is another one.
        place = asked[messages] = asked.get(messages, -1) + 1
        replies = said.setdefault(messages, [])
        if place == len(replies):
            tools = () if options.act == "text" else (ASK_USER,)
            replies.append(await episode.respond(messages, tools=tools))
        reply = replies[place]
        turn = _turn(reply, reading, listed, environment, state)
        if turn.by == "text" and options.act == "tool":
            # The letters are those of a shorter list than the environment's, so pass the words instead.
            turn = Turn(text=match(turn.text, listed, listed, 0)[1], by="text")
        turns.append(turn)
        state = answer(environment, state, turn.text, draws)
        if options.turns == "single":
            break
        if options.history:
            talk = (*talk, question, Message("assistant", (_as_said(reply),)))
    return turns


def _turn(reply: Reply, reading: Reading, listed: Sequence[str], environment: Environment, state: State) -> Turn:
    """Convert a reply to the environment's input: a call to its option, or to nothing."""
    if reply.calls:
        request = reply.calls[0].args
        assert isinstance(request, Intervention)
        return Turn(text=requested(request, environment, state) or "", by="ask_user")
    text = str(reply)
    return Turn(text=robust(text, listed) if reading == "robust" else text, by="text")


def _as_said(reply: Reply) -> str:
    """Return a reply as shown in an earlier turn; a tool request in words, since the tool's result is the image."""
    requests = [f"ask_user: {call.args.request}" for call in reply.calls if isinstance(call.args, Intervention)]
    return "\n".join(part for part in (str(reply), *requests[:1]) if part) or "(no answer)"


def _question(episode: Episode, seen: Observation, text: str, edge_px: int | None = None) -> Message:
    if episode.blind:
        return Message("user", (text,))
    if edge_px is None and episode.options.history and episode.environment.dataset != COCO:
        edge_px = HISTORY_PX
    folder: Path = episode.sample.fields["folder"]
    return Message("user", (Picture(folder / seen.image, crop_px=seen.crop, short_edge_px=edge_px), text))


def _worked_examples(episode: Episode) -> tuple[Message, ...]:
    """Return well-answered episodes of other samples: on ROD a move drawn from seed 0 and the class, on MVP-N all
    views."""
    messages: list[Message] = []
    records: Sequence[Record] = episode.sample.fields["examples"]
    draws = Random(0)
    for record in records:
        steps: list[tuple[Message, Message]] = []
        environment, state = start(episode.environment.dataset, record)
        while not state.stopped:
            seen = observe(environment, state, hint=episode.options.hints)
            options, _ = right_answers(environment, state)
            on = options if environment.dataset == MVPN or not state.turns else []
            said = draws.choice(on) if on else record.answer
            edge_px = EXAMPLE_PX[DATASETS[environment.dataset]]
            question = _question(episode, seen, choice(seen.prompt, seen.options), edge_px)
            steps.append((question, Message("assistant", (said,))))
            state = answer(environment, state, said)
        if episode.options.reduce_examples and len(steps) > 2:
            steps = [steps[0], steps[-1]]
        messages += [message for step in steps for message in step]
    return tuple(messages)


async def _ask_freely(episode: Episode) -> dict[str, JsonValue]:
    environment, options = episode.environment, episode.options
    seen = observe(environment, _first(environment))
    tools = () if options.act == "text" else (ASK_USER,)
    text = seen.prompt + (OPEN_HINT if options.hints else "") + ("" if options.act == "text" else MAY_ASK)
    reply = await episode.respond([_question(episode, seen, text)], tools=tools)
    requests = [call.args.request for call in reply.calls if isinstance(call.args, Intervention)]
    said = "\n".join(part for part in (str(reply).strip(), *requests) if part)
    expected = sample_open_ended_answers(environment.dataset, environment.record)
    outcome: dict[str, JsonValue] = {"expected": expected, "said": said, "by": "ask_user" if requests else "text"}
    if not said:
        # Nothing to judge: no expected statement is made.
        return {**outcome, "given": [0] * len(judge_answers(expected)), "swapped": None, "judge": tally([])}
    statements = judge_answers(expected)
    verdicts = [await _marks(options, seen.prompt, statements, said)]
    given, swapped = _listed(verdicts[0]), None
    if options.judge_swap and given is not None:
        verdicts.append(await _marks(options, seen.prompt, statements[::-1], said))
        swapped = _listed(verdicts[1])
    return {**outcome, "given": given, "swapped": swapped and swapped[::-1], "judge": tally(verdicts)}


def _listed(verdict: Answer[BaseModel]) -> list[JsonValue] | None:
    return None if verdict.value is None else list(verdict.value.model_dump()["marks"])


async def _marks(options: Options, question: str, statements: Sequence[str], said: str) -> Answer[BaseModel]:
    listed = "\n".join(f"{number}. {text}" for number, text in enumerate(statements, start=1))

    def ask(cache: VerdictCache, model: MLLM) -> Answer[BaseModel]:
        form = _form(len(statements))
        return judge(cache, model, JUDGE, form, question=question, expected=listed, answer=said)

    return await suite_judge(options.judge, options.judge_folder).rate(ask)


@cache
def _form(count: int) -> type[BaseModel]:
    """An object with a list of so many marks."""
    marks: Any = (list[Literal[0, 1]], Field(min_length=count, max_length=count))
    return create_model("Marks", __config__=ConfigDict(frozen=True, extra="ignore"), marks=marks)
