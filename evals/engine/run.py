"""Running a suite: attempts are made once and kept, scores come from what was kept, a stopped run can be gone on with.

FOLDER/manifest.json      what shapes the answers, see `evals.engine.manifest`
       transcripts.jsonl  what happened in each attempt, written as it ends
       results.jsonl      the scores, see `evals.results`; made anew by `score_run`
       logs/*.eval        inspect-ai's logs of every call, for `inspect view`
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from agent.config import Config
from agent.mllm import load_mllm
from agent.mllm.protocol import MLLM
from evals.engine.journal import AttemptKey, Journal, read_transcripts
from evals.engine.manifest import Manifest, differing, environment, shaping
from evals.engine.prepare import Prepared, RunOptions, prepare
from evals.engine.score import score_all, score_one
from evals.engine.solver import Settings, attempt, attempt_seed, play
from evals.engine.suite import Picture, Sample, Transcript
from evals.results import RunResults, save_results
from tools.errors import ConfigError, ModelError, StoreError

SHARD = 1_000
"""Attempts in one of inspect-ai's logs: it holds all samples of a log in memory, and long logs are slow to read. Our
choice bounds both."""

OUTAGE = 8
"""The model, or a judge, has failed for good when it fails this often in a row; our choice."""

GONE = ("model", "judge")
"""Failures of an attempt that a later one need not have: it is made again when a run is gone on with. A verdict that
cannot be read is no failure of the attempt, and stays."""

LOCAL, REMOTE = 2, 16
"""Attempts at once where the model is on this machine, and where it is not; our choice."""

BASELINE = "baseline:"
MANIFEST, TRANSCRIPTS, RESULTS, LOGS, LOCK = "manifest.json", "transcripts.jsonl", "results.jsonl", "logs", ".lock"

Progress = Callable[[int, int], None]
"""Told how many attempts are made, of how many."""


@dataclass(frozen=True)
class Run:
    """A scored run on disk.

    Attributes:
        folder: where it is.
        results: its scores.
        notices: what a person should know of the data.
        made: attempts that were made just now; the others were kept from before.
    """

    folder: Path
    results: RunResults
    notices: tuple[str, ...]
    made: int


def run_suite(
    name: str, spec: str, data: Path | None, config: Config, options: RunOptions, folder: Path, progress: Progress
) -> Run:
    """Run a suite from its beginning.

    Args:
        name: of the suite, or the Python file that holds it.
        spec: the model string, or `baseline:NAME` for an answer of the suite's own.
        data: the data folder; None where the suite needs none.
        config: the settings of the agent and the model.
        options: see `RunOptions`.
        folder: where the run is kept; must not hold one yet.
        progress: called after each attempt.

    Raises:
        ConfigError: if there is no such suite, an option does not fit, or the folder holds a run.
        DataError: if the data are broken, and not to be passed over.
        ModelError: if the model cannot be loaded, takes no pictures where there are some, or fails in a row.
        StoreError: if the folder cannot be written.
    """
    if (folder / MANIFEST).exists():
        raise ConfigError(
            f"{str(folder)!r} holds a run already.",
            remedy=f"Go on with it by `attend eval resume {folder}`, or name another folder with --out.",
        )
    prepared = prepare(name, data, options)
    model = _load_model(spec, prepared, config, options)
    manifest = Manifest(
        suite=str(Path(name).resolve()) if name.endswith(".py") else name,
        **environment(),
        **shaping(prepared.suite, spec, config, prepared.loaded.files),
        options=options.suite_options,
        data=str(data.resolve()) if data else "",
        seed=options.seed,
        attempts=options.attempts,
        limit=options.limit,
        skip_bad=options.skip_bad,
        limit_s=options.limit_s,
        blind=options.blind,
        samples=len(prepared.samples) + len(prepared.bad),
        bad=tuple(str(bad.error) for bad in prepared.bad),
        started=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=1), "utf-8")
    except OSError as error:
        raise StoreError(
            f"the run {str(folder)!r} cannot be written: {error}.", remedy="Name another with --out."
        ) from error
    return _go_on(folder, manifest, prepared, model, config, options, progress)


def resume_run(
    folder: Path, config: Config, progress: Progress, *, spec: str = "", in_flight: int | None = None
) -> Run:
    """Go on with a run that was stopped; what is finished is kept; where the model or a judge failed it is asked again.

    Args:
        folder: of the run.
        config: what the manifest does not hold, such as the folder of the settings, is taken from here.
        progress: called after each attempt.
        spec: the model string, where credentials in the manifest's are masked.
        in_flight: see `RunOptions`.

    Raises:
        ConfigError: if the suite, its data, the model or its weights are no longer what they were.
        DataError, ModelError, StoreError: as `run_suite` does.
    """
    manifest = read_manifest(folder)
    options = _options(manifest, in_flight)
    config = Config.model_validate({**config.model_dump(), **manifest.settings})
    prepared = prepare(manifest.suite, _data(manifest), options)
    spec = spec or manifest.model
    now = shaping(prepared.suite, spec, config, prepared.loaded.files)
    if changed := differing(manifest, {**now, "samples": len(prepared.samples) + len(prepared.bad)}):
        raise ConfigError(
            f"the run {str(folder)!r} cannot be gone on with: {'; '.join(changed)}.",
            remedy="Undo that, or begin a new run.",
        )
    model = _load_model(spec, prepared, config, options)
    return _go_on(folder, manifest, prepared, model, config, options, progress)


def score_run(folder: Path) -> Run:
    """Score a finished run again, from its transcripts alone; no model is called.

    Raises:
        ConfigError: if the run is not finished.
        DataError: if the data can no longer be read.
        StoreError: if a file of the run cannot be read or written.
    """
    manifest = read_manifest(folder)
    prepared = prepare(manifest.suite, _data(manifest), _options(manifest, None))
    return _scored(folder, manifest, prepared, _transcripts(folder), made=0)


def read_manifest(folder: Path) -> Manifest:
    """Return what a run is.

    Raises:
        ConfigError: if the folder holds no run.
        StoreError: if its manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{str(folder)!r} holds no run.", expected=f"a folder with {MANIFEST}, as `attend eval run` makes it"
        ) from error
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise StoreError(f"{str(path)!r} cannot be read: {error}.", remedy="Begin a new run.") from error


def _go_on(
    folder: Path,
    manifest: Manifest,
    prepared: Prepared,
    model: MLLM | None,
    config: Config,
    options: RunOptions,
    progress: Progress,
) -> Run:
    try:
        from evals.engine.harness import InspectTrace, Work, evaluate
        from evals.engine.provider import generate
    except ModuleNotFoundError as error:
        if error.name != "inspect_ai":
            raise
        remedy = "Run `pip install -e '.[evals]'`, then go on with `attend eval resume`."
        raise ConfigError("running a suite needs the package inspect-ai.", remedy=remedy) from error

    suite, total = prepared.suite, len(prepared.samples) * options.attempts
    settings = Settings(config, options.seed, options.limit_s, options.blind)
    with _alone(folder):
        made = _transcripts(folder)
        left = [
            Work(sample, epoch)
            for epoch in range(1, options.attempts + 1)
            for sample in prepared.samples
            if (found := made.get((sample.task or suite.name, sample.id, epoch))) is None or found.failure in GONE
        ]
        count, outage = total - len(left), 0
        with Journal(folder / TRANSCRIPTS) as journal:

            async def put(work: Work) -> Transcript:
                nonlocal count, outage
                if model is None:
                    transcript = await _baseline(prepared, manifest.model, work.sample, work.epoch, options.seed)
                else:
                    transcript = await attempt(
                        suite, work.sample, work.epoch, model, generate, InspectTrace(), settings
                    )
                journal.add(transcript)
                made[transcript.task, transcript.id, transcript.epoch] = transcript
                count += 1
                progress(count, total)
                outage = outage + 1 if transcript.failure in GONE else 0
                if outage >= OUTAGE:
                    raise ModelError(
                        f"the {transcript.failure} failed {outage} times in a row: {transcript.problem}",
                        remedy=f"Mend that and go on with `attend eval resume {folder}`; what is finished is kept.",
                    )
                return transcript

            for start in range(0, len(left), SHARD):
                evaluate(
                    suite.name,
                    manifest.model,
                    left[start : start + SHARD],
                    put,
                    lambda work, transcript: score_one(suite, work.sample, transcript),
                    folder / LOGS,
                    options.in_flight or (LOCAL if model is None or model.abilities.local else REMOTE),
                )
        return _scored(folder, manifest, prepared, made, made=len(left))


def _scored(
    folder: Path, manifest: Manifest, prepared: Prepared, transcripts: dict[AttemptKey, Transcript], *, made: int
) -> Run:
    results = score_all(prepared, transcripts, manifest.attempts, manifest.model_dump(mode="json"))
    save_results(results, folder / RESULTS)
    return Run(folder, results, prepared.loaded.notices, made)


def _transcripts(folder: Path) -> dict[AttemptKey, Transcript]:
    return {(one.task, one.id, one.epoch): one for one in read_transcripts(folder / TRANSCRIPTS)}


async def _baseline(prepared: Prepared, spec: str, sample: Sample, epoch: int, seed: int) -> Transcript:
    from random import Random

    answer = prepared.suite.baselines[spec.removeprefix(BASELINE)]
    text = answer(sample, Random(attempt_seed(seed, sample, epoch)))
    if not isinstance(text, str):
        return await play(prepared.suite, sample, epoch, text, seed)
    return Transcript(task=sample.task or prepared.suite.name, id=sample.id, epoch=epoch, answers=(text,))


def _load_model(spec: str, prepared: Prepared, config: Config, options: RunOptions) -> MLLM | None:
    """The model, ready to be asked; None for a baseline."""
    suite = prepared.suite
    if spec.startswith(BASELINE):
        if (name := spec.removeprefix(BASELINE)) not in suite.baselines:
            known = ", ".join(f"{BASELINE}{known}" for known in suite.baselines)
            raise ConfigError(f"{suite.name} has no baseline {name!r}.", expected=known or "a model: it has none")
        return None
    model = load_mllm(spec, config.mllm)
    model.preflight()
    shows = any(
        sample.pictures or any(isinstance(part, Picture) for part in sample.prompt) for sample in prepared.samples
    )
    if suite.solve != "agent" and shows and not options.blind and not model.abilities.images:
        raise ModelError(f"the model {spec!r} takes no images.", remedy="Choose one that does, or ask with --blind.")
    return model


def _options(manifest: Manifest, in_flight: int | None) -> RunOptions:
    return RunOptions(
        limit=manifest.limit,
        seed=manifest.seed,
        attempts=manifest.attempts,
        in_flight=in_flight,
        skip_bad=manifest.skip_bad,
        limit_s=manifest.limit_s,
        blind=manifest.blind,
        suite_options=manifest.options,
    )


def _data(manifest: Manifest) -> Path | None:
    return Path(manifest.data) if manifest.data else None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep another process from making the same attempts."""
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"another process works on the run {str(folder)!r}.", remedy="Wait for it, or end it."
        ) from error
    try:
        yield
    finally:
        lock.release()
