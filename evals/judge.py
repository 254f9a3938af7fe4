"""Judges: a model's verdicts on answers, checked, cached and counted: `judge`, `judge_pair`, `count`, `agreement`.

What a judge is asked is a file of the package, whose sha256 is part of every verdict; what it judges is put in as data,
between marks that the data cannot close. A verdict that was given once is read from the cache, so that scoring again
costs no call and gives the same. A judge that cannot be reached, or answers something else, gives no verdict: that is
counted (`count`), and stands for no score.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from agent.core.unicode import well_formed
from agent.models.blocks import Block, image_sha256
from agent.models.cached import Answer, AnswerCache, CachedModel
from agent.models.protocol import MLLM
from agent.models.structured import MalformedAnswer
from tools.base import untrusted
from tools.errors import AttendError, ConfigError, ModelError

MAX_TOKENS = 2_048
"""Of a judge's answer; our choice, so that one that thinks first has room to."""
_PLACE = re.compile(r"\{([a-z_]+)\}")
_Schema = TypeVar("_Schema", bound=BaseModel)
Choice = Literal["first", "second", "tie"]


class JudgeOutage(AttendError):
    """A judge could not be loaded or reached, so that what it was to judge has to wait for it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a judge is asked: a text with places for inputs, such as `{answer}`.

    It must say that what stands between the marks <untrusted> and </untrusted> is data, and which fields are wanted.
    """

    text: str

    @property
    def sha256(self) -> str:
        """Of the text, in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def filled(self, inputs: Mapping[str, str]) -> str:
        """The request for some inputs, each of them wrapped as data; a place that an input spells out is not filled.

        Raises:
            ConfigError: if the inputs are not those that the text has places for.
        """
        places = set(_PLACE.findall(self.text))
        if places != inputs.keys():
            raise ConfigError(
                f"a judge's prompt was given {sorted(inputs)}.", expected=f"what it has places for: {sorted(places)}"
            )
        return _PLACE.sub(lambda place: untrusted(inputs[place[1]]), self.text)


def read_prompt(package: str, name: str) -> Prompt:
    """Read a prompt that is part of a package, such as ("evals.suites.na_vqa", "prompts/correctness.md")."""
    return Prompt(files(package).joinpath(name).read_text("utf-8"))


class VerdictCache(AnswerCache):
    """The verdicts of judges in an SQLite file; of two given at once, the first is kept."""

    table = "verdicts"
    key = ("key",)
    version = 1
    schema = """
        CREATE TABLE IF NOT EXISTS verdicts (
            key TEXT PRIMARY KEY, model TEXT NOT NULL, prompt_sha TEXT NOT NULL, body TEXT NOT NULL
        ) WITHOUT ROWID
    """

    @staticmethod
    def pack(answer: Answer[str]) -> Mapping[str, object]:
        numbers = {"calls": answer.calls, "tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out}
        if answer.error:
            return {"body": json.dumps({"failure": "malformed", "problem": answer.error.problem, **numbers})}
        return {"body": json.dumps({"value": json.loads(str(answer.value)), **numbers})}

    @staticmethod
    def unpack(body: str) -> Answer[str]:
        held = json.loads(body)
        numbers = {name: held.get(name, 0) for name in ("calls", "tokens_in", "tokens_out")}
        if "value" in held:
            return Answer(json.dumps(held["value"]), **numbers)
        return Answer(None, MalformedAnswer(held["problem"], answers=()), **numbers)


def judge(
    cache: VerdictCache,
    model: MLLM,
    prompt: Prompt,
    schema: type[_Schema],
    *,
    images: Sequence[Block] = (),
    order: Literal["given", "swapped"] = "given",
    **inputs: str,
) -> Answer[_Schema]:
    """Have a judge give a verdict, or read the one that it gave before.

    The cache knows a verdict by the judge's model string, the prompt's hash, the inputs and the images. That a judge
    answered something else is kept too, as its answer; that it could not be reached is not. A verdict that no longer
    fits the schema is asked for anew.

    Args:
        cache: of verdicts.
        model: the judge, local or remote.
        prompt: what it is asked.
        schema: what its JSON object must be.
        images: image blocks that are shown with the prompt.
        order: whether the inputs change places in this request (see `judge_pair`).
        inputs: texts for the places of the prompt, none of them trusted.

    Raises:
        ConfigError: if the inputs are not those that the prompt has places for.
        StoreError: if the cache cannot be read or written.
    """
    inputs = well_formed(inputs)
    request = prompt.filled(inputs)
    asked = json.dumps([model.spec, prompt.sha256, inputs, order, *map(image_sha256, images)], sort_keys=True)
    key = hashlib.sha256(asked.encode()).hexdigest()
    row = {"key": key, "model": model.spec, "prompt_sha": prompt.sha256}
    try:
        return CachedModel(model, cache).json(row, request, schema, images=images, max_tokens=MAX_TOKENS)
    except ModelError as error:
        return Answer(None, error)


class Preference(BaseModel):
    """Which of two answers is better, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    choice: Choice
    why: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Which of two answers a judge prefers, asked in both orders.

    Attributes:
        choice: the one that it prefers; `tie` where its verdicts differ by the order; None where one is missing.
        consistent: whether both orders gave the same; None where one is missing.
        verdicts: in the order given, and swapped: there `first` is the second answer.
    """

    choice: Choice | None
    consistent: bool | None
    verdicts: tuple[Answer[Preference], Answer[Preference]]


def judge_pair(cache: VerdictCache, model: MLLM, prompt: Prompt, *, first: str, second: str, **inputs: str) -> Pair:
    """Have a judge compare two answers, in both orders, so that its taste for a place is no one's gain.

    Args:
        cache: of verdicts.
        model: the judge.
        prompt: what it is asked, with places for `first` and `second`; it wants a `Preference`.
        first: one answer.
        second: the other.
        inputs: texts for the other places.

    Raises:
        ConfigError, StoreError: as `judge`.
    """
    asked: dict[str, Any] = {"first": first, "second": second, **inputs}
    given = judge(cache, model, prompt, Preference, **asked)
    asked |= {"first": second, "second": first, "order": "swapped"}
    swapped = judge(cache, model, prompt, Preference, **asked)
    if given.value is None or swapped.value is None:
        return Pair(None, None, (given, swapped))
    other: dict[Choice, Choice] = {"first": "second", "second": "first", "tie": "tie"}
    consistent = given.value.choice == other[swapped.value.choice]
    return Pair(given.value.choice if consistent else "tie", consistent, (given, swapped))


def is_outage(verdict: Answer[Any]) -> bool:
    """Whether a judge failed or could not be reached; one that answered twice, and something else, was."""
    return verdict.error is not None and not isinstance(verdict.error, MalformedAnswer)


@dataclass(frozen=True, slots=True)
class Counts:
    """How verdicts came about: `asked` is the sum of `judged`, `malformed` and `outages`, `cached` a part of it.

    Calls and tokens are those of this time; what was cached took none.
    """

    asked: int
    judged: int
    malformed: int
    outages: int
    cached: int
    calls: int
    tokens_in: int
    tokens_out: int

    def __str__(self) -> str:
        return (
            f"{self.judged} of {self.asked} judged; {self.malformed} unreadable and {self.outages} not answered, which "
            f"count in no mean; {self.cached} from the cache, {self.calls} calls"
        )


def count(verdicts: Iterable[Answer[Any]]) -> Counts:
    """Count verdicts and failures."""
    found = list(verdicts)
    new = [verdict for verdict in found if not verdict.cached]
    malformed = sum(isinstance(verdict.error, MalformedAnswer) for verdict in found)
    outages = sum(map(is_outage, found))
    return Counts(
        asked=len(found),
        judged=len(found) - malformed - outages,
        malformed=malformed,
        outages=outages,
        cached=len(found) - len(new),
        calls=sum(verdict.calls for verdict in new),
        tokens_in=sum(verdict.tokens_in for verdict in new),
        tokens_out=sum(verdict.tokens_out for verdict in new),
    )


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a judge agrees with a person.

    Attributes:
        n: answers that both rated.
        unjudged: answers that only the person rated.
        exact: the share of alike ratings; None where n is 0.
        kappa: Cohen's kappa with quadratic weights; None where it is undefined, as where both gave one rating only.
        bias: the judge's mean rating minus the person's, in levels' own unit; None where n is 0.
    """

    n: int
    unjudged: int
    exact: float | None
    kappa: float | None
    bias: float | None


def agreement(human: Mapping[str, int], judged: Mapping[str, int | None], levels: Sequence[int]) -> Agreement:
    """Compare a judge's ratings with a person's, by the id of the answer.

    With o_ij the share of answers that the person put in level i and the judge in j, and e_ij the product of the shares
    of both levels, kappa is 1 - sum w_ij o_ij / sum w_ij e_ij, with w_ij = (i - j)^2 (Cohen 1968, Psychological
    Bulletin 70).

    Args:
        human: the person's ratings.
        judged: the judge's; None, or no entry, where it gave none.
        levels: all ratings there are, from the lowest.

    Raises:
        ConfigError: if a rating is none of the levels.
    """
    place = {level: number for number, level in enumerate(levels)}
    pairs = [(human[id_], rating) for id_ in human if (rating := judged.get(id_)) is not None]
    if odd := sorted({*human.values(), *(rating for _, rating in pairs)} - place.keys()):
        raise ConfigError(f"the rating {odd[0]!r} is no level.", expected=f"one of {', '.join(map(str, levels))}")
    n, unjudged = len(pairs), len(human) - len(pairs)
    if not pairs:
        return Agreement(0, unjudged, None, None, None)
    ones, others = [place[one] for one, _ in pairs], [place[other] for _, other in pairs]
    observed = sum((one - other) ** 2 for one, other in zip(ones, others, strict=True)) / n
    squares = sum(number**2 for number in (*ones, *others))
    expected = (n * squares - 2 * sum(ones) * sum(others)) / n**2  # the mean of (i - j)^2 over all pairs of both
    return Agreement(
        n,
        unjudged,
        exact=sum(one == other for one, other in pairs) / n,
        kappa=1 - observed / expected if expected else None,
        bias=sum(other - one for one, other in pairs) / n,
    )
