"""Running a suite without a screen: samples are played and asked, each result is on disk before the next begins.

The log is JSON lines: a `Manifest`, then one `Record` a question. A run that was stopped goes on where it was; what is
finished under the same settings is not asked again, what failed is. When a run ends, its results stand beside the log
in the form of `evals.results`, which `attend eval report`, `compare` and `power` read.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import random
import string
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.config import Config
from agent.models import load_mllm
from agent.models.protocol import MLLM
from evals.play import Player, Reply
from evals.results import SHOWN, Failure, RunResults, SampleResult, save_results
from evals.suites.sample import Loaded, LoadOptions, Sample, Suite
from memory.stream.encoders import load_encoder
from memory.stream.policies.registry import make_policy
from tools.errors import AttendError, ConfigError, MediaError, ModelError, StoreError
from tools.media import mask_credentials

MODEL_FAILURES = 3
"""The model has failed for good when it fails this often in a row; our choice."""

Drawn = TypeVar("Drawn")

Progress = Callable[[int, int], None]
"""Told how many questions are finished, of how many."""


class RunOptions(BaseModel):
    """How a suite is run. The defaults are our choice unless said otherwise.

    Attributes:
        groups: the parts or tracks to run; empty is all that are there.
        limit: at most so many questions, drawn by `seed`; a larger limit adds to the same ones. None is all.
        seed: of the draw, of the model and of the policy `random`.
        context_s: seconds before a question that are seen; None is everything (StreamingBench's main setting: 60).
        official_clip: OVO-Bench's clips end at the next whole second, as its authors cut them.
        max_tokens: the most tokens of a letter, a number, yes or no.
        prompts: a TOML file of templates by kind, in place of ours.
        out: the log; None puts it into the folder of the settings, under a name made from all that shapes the answers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: tuple[str, ...] = ()
    limit: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
    context_s: float | None = Field(default=60.0, gt=0, allow_inf_nan=False)
    official_clip: bool = False
    max_tokens: int = Field(default=16, ge=1, le=4096)
    prompts: Path | None = None
    out: Path | None = None


class Manifest(BaseModel):
    """All that shapes the answers of a run; two runs may share a log only if it is the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "manifest"
    suite: str
    version: int
    attend: str
    model: str
    groups: tuple[str, ...]
    context_s: float | None
    official_clip: bool
    seed: int
    max_tokens: int
    memory: dict[str, Any]
    media: dict[str, Any]
    mllm: dict[str, Any]
    prompts: str
    files: dict[str, str]


class Record(BaseModel):
    """One question, its reply and its scores. `error` says why there is no reply, and `failure` what kind of failure
    that is; both scores are then wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "record"
    id: str
    group: str
    task: str
    video: str
    asked_s: float
    target: str
    response: str | None = None
    official: bool = False
    strict: bool = False
    in_time: bool | None = None
    error: str | None = None
    failure: Failure = ""
    said_s: float | None = None
    frames: int = 0
    tokens: int | None = None
    span_s: float = 0.0
    clear_share: float = 0.0
    encode_ms: float = 0.0
    answer_ms: float = 0.0
    calls: int = 0

    @property
    def answered(self) -> bool:
        """Whether the model said anything."""
        return bool((self.response or "").strip())


@dataclass(frozen=True)
class Run:
    """A finished run: its settings, one record for each question that was wanted, what a person should know, the log
    and the results beside it."""

    manifest: Manifest
    records: tuple[Record, ...]
    notices: tuple[str, ...]
    log: Path
    results: Path
    resumed: int


def run(
    suite: Suite,
    folder: Path,
    config: Config,
    options: RunOptions,
    *,
    model: MLLM | None = None,
    progress: Progress = lambda done, of: None,
) -> Run:
    """Run a suite on the data of a folder.

    Args:
        suite: see `evals.suites.load_streaming_suite`.
        folder: the data, as the suite's README describes.
        config: model, memory, sampling; the temperature and the rest as set there, the seed from `options`.
        options: see `RunOptions`.
        model: takes the place of the configured one.
        progress: called after each question.

    Raises:
        MediaError: if the data are missing or malformed.
        ConfigError: if the log was written under other settings, or a prompt file or part does not fit.
        ModelError: if the model takes no images, cannot be loaded, or fails several times in a row; run again to go on.
        StoreError: if the log cannot be written.
    """
    _check_groups(suite, options.groups)
    prompts = read_prompts(options.prompts, suite.prompts)
    loaded = suite.load(
        folder, LoadOptions(groups=options.groups, context_s=options.context_s, official_clip=options.official_clip)
    )
    config = _seeded(config, options.seed)
    wanted = draw(loaded.samples, options.limit, options.seed)
    manifest = _manifest(suite, config, options, prompts, loaded)
    log = options.out or config.folder / "evals" / f"{suite.name}-{_digest(manifest.model_dump_json())[:12]}.jsonl"
    finished = _open_log(log, manifest)
    left = [sample for sample in wanted if sample.id not in finished]
    resumed = len(wanted) - len(left)
    if left:
        _ask_all(suite, left, _player(config, options, prompts, model), log, finished, progress, len(wanted))
    records = tuple(finished[sample.id] for sample in wanted)
    results = log.with_name(f"{log.stem}.results.jsonl")
    save_results(as_results(manifest, wanted, records), results)
    return Run(manifest, records, loaded.notices, log, results, resumed)


def as_results(manifest: Manifest, samples: Sequence[Sample], records: Sequence[Record]) -> RunResults:
    """The results of a run by the strict scoring; questions about one video are a cluster.

    The share that is right by the scoring of the suite's authors is a figure of the run.
    """
    held = manifest.model_dump(mode="json", exclude={"type"})
    options = {name: held.pop(name) for name in ("groups", "context_s", "official_clip", "max_tokens")}
    official = sum(record.official for record in records) / len(records) if records else 0.0
    return RunResults(
        manifest={**held, "options": options, "figures": {"right by the authors' scoring": official}},
        samples=tuple(_result(manifest.suite, *both) for both in zip(samples, records, strict=True)),
    )


def _result(suite: str, sample: Sample, record: Record) -> SampleResult:
    return SampleResult(
        suite=suite,
        task=record.task,
        id=record.id,
        cluster=record.video,
        value=None if record.failure else float(record.strict),
        failure=record.failure,
        slices={"part": record.group},
        prediction=(record.response or "")[:SHOWN],
        reference=record.target[:SHOWN],
        question=sample.question[:SHOWN],
        seconds=record.answer_ms / 1000,
        tokens_in=record.tokens or 0,
        model_calls=record.calls,
    )


def read_prompts(path: Path | None, defaults: Mapping[str, str]) -> dict[str, str]:
    """Return the suite's templates, those of a TOML file in place of its own.

    Raises:
        ConfigError: if the file cannot be read, or names a kind or a placeholder that the suite does not have.
    """
    if path is None:
        return dict(defaults)
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(
            f"the prompt file {str(path)!r} cannot be read: {error}.", expected='TOML such as choice = "..."'
        ) from error
    for kind, template in given.items():
        if kind not in defaults or not isinstance(template, str):
            raise ConfigError(
                f"the prompt file {str(path)!r} sets {kind!r}.", expected=f"texts for {', '.join(defaults)}"
            )
        known = _placeholders(defaults[kind], kind)
        if unknown := _placeholders(template, kind) - known:
            raise ConfigError(
                f"the prompt {kind!r} of {str(path)!r} has the placeholder {sorted(unknown)[0]!r}.",
                expected=f"only {', '.join(sorted(known))}, in braces; other braces are doubled",
            )
    return {**defaults, **given}


def _placeholders(template: str, kind: str) -> set[str]:
    try:
        return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise ConfigError(
            f"the prompt {kind!r} is malformed: {error}.", remedy="Double braces that are text."
        ) from error


def _ask_all(
    suite: Suite,
    samples: Sequence[Sample],
    make_player: Callable[[Path], Player],
    log: Path,
    finished: dict[str, Record],
    progress: Progress,
    total: int,
) -> None:
    done, failures = total - len(samples), 0
    with tempfile.TemporaryDirectory(prefix="attend-eval-") as folder:
        player = make_player(Path(folder))
        for sample, reply in _replies(player, samples):
            record = _record(suite, sample, reply)
            finished[sample.id] = record
            _append(log, record)
            done += 1
            progress(done, total)
            failures = failures + 1 if isinstance(reply, ModelError) else 0
            if isinstance(reply, ModelError) and failures >= MODEL_FAILURES:
                raise ModelError(
                    f"the model failed {failures} times in a row: {reply}",
                    remedy=f"Mend that and run the same command again; {str(log)!r} has what is finished.",
                )


def _replies(player: Player, samples: Sequence[Sample]) -> Iterable[tuple[Sample, Reply | AttendError]]:
    by_path: dict[Path, list[Sample]] = {}
    for sample in samples:
        if sample.path is None:
            yield sample, MediaError(f"the video {sample.video!r} was not found.")
        else:
            by_path.setdefault(sample.path, []).append(sample)
    for path, together in by_path.items():
        yield from player.play(path, together)


def _player(
    config: Config, options: RunOptions, prompts: Mapping[str, str], model: MLLM | None
) -> Callable[[Path], Player]:
    mllm = model or load_mllm(config.model, config.mllm)
    mllm.preflight()
    if not mllm.abilities.images:
        raise ModelError(f"the model {mllm.spec!r} takes no images.", remedy="Choose one that does.")
    encoder = load_encoder(config.memory.encoder) if make_policy(config.memory).needs_feature else None
    return lambda folder: Player(mllm, config, encoder, prompts, folder, options.max_tokens)


def _record(suite: Suite, sample: Sample, reply: Reply | AttendError) -> Record:
    base = {name: getattr(sample, name) for name in ("id", "group", "task", "video", "asked_s", "target")}
    if isinstance(reply, AttendError):
        failure: Failure = "model" if isinstance(reply, ModelError) else "data"
        return Record(**base, error=str(reply), failure=failure, in_time=None if sample.due_s is None else False)
    taken = {name: value for name, value in asdict(reply).items() if name != "text"}
    scores = suite.score(sample, reply.text, reply.said_s)
    return Record.model_validate({**base, **taken, **scores, "response": reply.text})


def draw(samples: Sequence[Drawn], limit: int | None, seed: int) -> list[Drawn]:
    """At most `limit` samples, in their order; the draw is a prefix of one shuffling, so a larger one holds it."""
    order = list(range(len(samples)))
    random.Random(seed).shuffle(order)
    return [samples[index] for index in sorted(order[:limit])]


def _check_groups(suite: Suite, groups: Iterable[str]) -> None:
    for group in groups:
        if group not in suite.groups:
            raise ConfigError(f"{suite.name} has no part {group!r}.", expected=f"one of {', '.join(suite.groups)}")


def _seeded(config: Config, seed: int) -> Config:
    return config.model_copy(
        update={
            "mllm": config.mllm.model_copy(update={"seed": seed}),
            "memory": config.memory.model_copy(update={"seed": seed}),
        }
    )


def _manifest(
    suite: Suite, config: Config, options: RunOptions, prompts: Mapping[str, str], loaded: Loaded
) -> Manifest:
    return Manifest(
        suite=suite.name,
        version=suite.version,
        attend=importlib.metadata.version("attend-agent"),
        model=mask_credentials(config.model),
        groups=options.groups or tuple(dict.fromkeys(sample.group for sample in loaded.samples)),
        context_s=options.context_s,
        official_clip=options.official_clip,
        seed=options.seed,
        max_tokens=options.max_tokens,
        memory=config.memory.model_dump(mode="json"),
        media=config.media.model_dump(mode="json", exclude={"start_s", "end_s"}),
        mllm=config.mllm.model_dump(mode="json"),
        prompts=_digest(json.dumps(prompts, sort_keys=True)),
        files={path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in loaded.files},
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _open_log(log: Path, manifest: Manifest) -> dict[str, Record]:
    """Begin a log, or read what is finished in it; a last line that a kill cut short is taken away."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        written = log.read_bytes() if log.exists() else b""
        whole = written[: written.rfind(b"\n") + 1]
        if len(whole) < len(written):
            os.truncate(log, len(whole))
    except OSError as error:
        raise _no_log(log, error) from error
    if not whole:
        _append(log, manifest)
        return {}
    first, *lines = whole.decode("utf-8", errors="replace").removesuffix("\n").split("\n")  # not at U+2028
    _check_manifest(log, first, manifest)
    finished = {}
    for number, line in enumerate(lines, start=2):
        try:
            record = Record.model_validate_json(line)
        except ValidationError as error:
            raise StoreError(
                f"line {number} of the log {str(log)!r} is no record: {line[:80]!r}.",
                remedy="Remove that line, or name another log with --out.",
            ) from error
        finished[record.id] = record
    return {id_: record for id_, record in finished.items() if record.error is None}


def _check_manifest(log: Path, line: str, manifest: Manifest) -> None:
    try:
        written = Manifest.model_validate_json(line)
    except ValidationError as error:
        raise StoreError(
            f"{str(log)!r} is not the log of a run: it begins with {line[:80]!r}.", remedy="Name another with --out."
        ) from error
    old, new = written.model_dump(mode="json"), manifest.model_dump(mode="json")
    changed = [f"{name} was {_short(old[name])}, is {_short(new[name])}" for name in new if old[name] != new[name]]
    if changed:
        raise ConfigError(
            f"the log {str(log)!r} was written under other settings: {'; '.join(changed)}.",
            remedy="Run with the same settings, or name another log with --out.",
        )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _append(log: Path, line: BaseModel) -> None:
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _no_log(log, error) from error


def _no_log(log: Path, error: OSError) -> StoreError:
    return StoreError(f"the log {str(log)!r} cannot be written: {error}.", remedy="Name another with --out.")
