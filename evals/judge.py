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
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.core.unicode import well_formed
from agent.models.blocks import Block, image_bytes
from agent.models.protocol import MLLM
from agent.models.structured import MalformedAnswer, ask_json
from tools.base import untrusted
from tools.errors import AttendError, ConfigError, ModelError, StoreError
from tools.sqlite import Database

MAX_TOKENS = 2_048
"""Of a judge's answer; our choice, so that one that thinks first has room to."""
_PLACE = re.compile(r"\{([a-z_]+)\}")
_FORMAT = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS verdicts (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, prompt_sha TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID
"""
_DAMAGED = "Move it away, or delete it: judges are then asked anew."
_Schema = TypeVar("_Schema", bound=BaseModel)
Failure = Literal["", "malformed", "outage"]
"""Why there is no verdict: the judge answered twice, and something else; or it failed or could not be reached."""
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


@dataclass(frozen=True, slots=True)
class Verdict(Generic[_Schema]):
    """What a judge said, or why it said nothing.

    Attributes:
        value: the verdict; None where there is none.
        failure: see `Failure`; empty where there is a verdict.
        problem: the failure in words.
        model: the judge's model string.
        prompt_sha: sha256 of the prompt.
        cached: whether it was given before; then nothing was asked.
        calls: model calls that it took when it was given; 0 for an outage.
        tokens_in: tokens read by the judge, over these calls; 0 where the backend does not say, or for a failure.
        tokens_out: tokens written by it, likewise.
    """

    value: _Schema | None
    failure: Failure
    problem: str
    model: str
    prompt_sha: str
    cached: bool
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0


class VerdictCache:
    """Verdicts in an SQLite file, which threads and processes may share; of two given at once, the first is kept.

    Args:
        path: the file; it and its folder are made if missing.

    Raises:
        StoreError: if the file cannot be opened, is damaged, or is of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path, "the verdicts", _SCHEMA, _FORMAT, damaged=_DAMAGED)

    def get(self, key: str) -> dict[str, Any] | None:
        """What was kept under a key, or None. Raises StoreError if the file cannot be read."""
        rows = self._database.read("SELECT body FROM verdicts WHERE key = ?", (key,))
        try:
            return json.loads(rows[0][0]) if rows else None
        except json.JSONDecodeError as error:
            raise StoreError(f"the verdicts {str(self.path)!r} cannot be read: {error}.", remedy=_DAMAGED) from error

    def put(self, key: str, model: str, prompt_sha: str, body: Mapping[str, Any], *, anew: bool) -> dict[str, Any]:
        """Keep what is plain data, and return what is kept: the first one of a key, or the last where it is made anew.

        Raises:
            StoreError: if the file cannot be written.
        """
        with self._database.transaction() as sql:
            sql.execute(
                f"INSERT OR {'REPLACE' if anew else 'IGNORE'} INTO verdicts VALUES (?, ?, ?, ?)",
                (key, model, prompt_sha, json.dumps(body)),
            )
        kept = self.get(key)
        assert kept is not None
        return kept

    def close(self) -> None:
        """Close the file. May be called twice."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def judge(
    cache: VerdictCache,
    model: MLLM,
    prompt: Prompt,
    schema: type[_Schema],
    *,
    images: Sequence[Block] = (),
    **inputs: str,
) -> Verdict[_Schema]:
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
        inputs: texts for the places of the prompt, none of them trusted.

    Raises:
        ConfigError: if the inputs are not those that the prompt has places for.
        StoreError: if the cache cannot be read or written.
    """
    return _judge(cache, model, prompt, schema, inputs, "given", images)


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
    verdicts: tuple[Verdict[Preference], Verdict[Preference]]


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
    given = _judge(cache, model, prompt, Preference, {**inputs, "first": first, "second": second}, "given")
    swapped = _judge(cache, model, prompt, Preference, {**inputs, "first": second, "second": first}, "swapped")
    if given.value is None or swapped.value is None:
        return Pair(None, None, (given, swapped))
    other: dict[Choice, Choice] = {"first": "second", "second": "first", "tie": "tie"}
    consistent = given.value.choice == other[swapped.value.choice]
    return Pair(given.value.choice if consistent else "tie", consistent, (given, swapped))


def _judge(
    cache: VerdictCache,
    model: MLLM,
    prompt: Prompt,
    schema: type[_Schema],
    inputs: Mapping[str, str],
    order: str,
    images: Sequence[Block] = (),
) -> Verdict[_Schema]:
    inputs = well_formed(dict(inputs))
    request, sha = prompt.filled(inputs), prompt.sha256
    shown = [hashlib.sha256(image_bytes(image)).hexdigest() for image in images]
    asked = json.dumps([model.spec, sha, inputs, order, *shown], sort_keys=True)
    key = hashlib.sha256(asked.encode()).hexdigest()
    held = cache.get(key)
    if held is not None and (verdict := _read(held, schema, model.spec, sha, cached=True)) is not None:
        return verdict
    try:
        answer = ask_json(model, request, schema, images=images, max_tokens=MAX_TOKENS)
    except MalformedAnswer as error:
        body: dict[str, Any] = {"failure": "malformed", "problem": error.problem, "calls": len(error.answers)}
    except ModelError as error:
        return Verdict(None, "outage", str(error), model.spec, sha, cached=False)
    else:
        body = {
            "value": answer.value.model_dump(mode="json"),
            "calls": answer.calls,
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
        }
    kept = cache.put(key, model.spec, sha, body, anew=held is not None)
    verdict = _read(kept, schema, model.spec, sha, cached=False)
    assert verdict is not None
    return verdict


def _read(
    body: Mapping[str, Any], schema: type[_Schema], model: str, prompt_sha: str, *, cached: bool
) -> Verdict[_Schema] | None:
    """A verdict as it was kept; None where it does not fit the schema."""
    numbers = {name: body.get(name, 0) for name in ("calls", "tokens_in", "tokens_out")}
    if "value" not in body:
        return Verdict(None, body["failure"], body["problem"], model, prompt_sha, cached, **numbers)
    try:
        value = schema.model_validate(body["value"])
    except ValidationError:
        return None
    return Verdict(value, "", "", model, prompt_sha, cached, **numbers)


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


def count(verdicts: Iterable[Verdict[Any]]) -> Counts:
    """Count verdicts and failures."""
    found = list(verdicts)
    new = [verdict for verdict in found if not verdict.cached]
    failures = [verdict.failure for verdict in found]
    return Counts(
        asked=len(found),
        judged=failures.count(""),
        malformed=failures.count("malformed"),
        outages=failures.count("outage"),
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
