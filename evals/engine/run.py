"""Runs of a suite: attempts are made once and stored, scores are computed from the store, a stopped run can be resumed.

FOLDER/manifest.json      the description of the run, see `evals.engine.manifest`
       transcripts.jsonl  the course of each attempt, written as it ends
       results.jsonl      the scores, see `evals.results`; rewritten by `score_run`
       logs/*.eval        inspect-ai's logs of every call, for `inspect view`
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from agent.config import Config
from agent.models import load_mllm
from agent.models.protocol import MLLM
from evals.engine.journal import AttemptKey, Journal, read_transcripts
from evals.engine.manifest import (
    MANIFEST,
    Manifest,
    asked_hash,
    data_hashes,
    differing,
    environment,
    read_manifest,
    shaping,
    write_manifest,
)
from evals.engine.prepare import Prepared, RunOptions, prepare
from evals.engine.score import score_all, score_one
from evals.engine.solver import Settings, attempt, attempt_seed, play
from evals.engine.suite import Picture, Sample, Transcript
from evals.results import RunResults, load_results, save_results
from tools.errors import ConfigError, ModelError, StoreError
from tools.extras import require

if TYPE_CHECKING:
    from evals.engine.harness import Work

SHARD = 1_000
"""Attempts per log of inspect-ai, which holds all samples of a log in memory and reads long logs slowly."""

OUTAGE = 8
"""After this many consecutive failures of the model or a judge, repeat an attempt that succeeded before: if that fails
too, or there is none, end the run."""

TRIES = 3
"""Maximum number of tries of an attempt, over resumptions, if the model or a judge fails."""

GONE = ("model", "judge")
"""Failures that may be transient: resuming the run repeats the attempt. An unreadable verdict is not one of them, and
stays."""

LOCAL, REMOTE = 2, 16
"""Concurrent attempts for a local model, and for a remote one."""

BASELINE = "baseline:"
TRANSCRIPTS, RESULTS, LOGS, LOCK = "transcripts.jsonl", "results.jsonl", "logs", ".lock"

ASKED = ("suite", "options", "seed", "limit", "attempts", "blind")
"""The parts of a manifest that identify the questions, beside the data."""

Progress = Callable[[int, int], None]
"""Receives the number of finished attempts, and the total."""


@dataclass(frozen=True)
class Run:
    """A scored run on disk.

    Attributes:
        folder: its folder.
        results: its scores.
        notices: remarks on the data for the user.
        made: number of attempts made now; the others are from earlier.
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
        name: of the suite, or its Python file.
        spec: the model string, or `baseline:NAME` for a baseline of the suite.
        data: the data folder; None if the suite needs none.
        config: the settings of the agent and the model.
        options: see `RunOptions`.
        folder: the folder of the run; must not contain one yet.
        progress: called after each attempt.

    Raises:
        ConfigError: if the suite is unknown, an option is invalid, or the folder contains a run.
        DataError: if the data are broken, without `skip_bad`.
        ModelError: if the model cannot be loaded, does not accept images and there are some, or fails repeatedly.
        StoreError: if the folder cannot be written.
    """
    _check_unused(folder)
    require("inspect_ai", extra="evals")
    prepared = prepare(name, data, options, config)
    model = _load_model(spec, prepared, config, options)
    _check_requirements(prepared)
    manifest = Manifest(
        suite=str(Path(name).resolve()) if name.endswith(".py") else name,
        **environment(),
        **shaping(prepared.suite, name, spec, config, prepared.loaded.files),
        asked=asked_hash(prepared.samples),
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
    with _locked(folder):
        _check_unused(folder)
        try:
            write_manifest(folder, manifest)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return _continue(folder, manifest, prepared, model, config, options, progress)


def resume_run(
    folder: Path, config: Config, progress: Progress, *, spec: str = "", in_flight: int | None = None
) -> Run:
    """Resume a stopped run, keeping finished attempts; repeats those in which the model or a judge failed.

    Args:
        folder: of the run.
        config: provides what the manifest does not contain, such as the folder of the settings.
        progress: called after each attempt.
        spec: the model string, if credentials in the manifest's are masked.
        in_flight: see `RunOptions`.

    Raises:
        ConfigError: if the suite, its data, the model or its weights have changed.
        DataError, ModelError, StoreError: as `run_suite` does.
    """
    require("inspect_ai", extra="evals")
    manifest = read_manifest(folder)
    options = _options(manifest, in_flight)
    config = Config.model_validate({**config.model_dump(), **manifest.settings})
    prepared = prepare(manifest.suite, _data(manifest), options, config)
    spec = spec or manifest.model
    now = shaping(prepared.suite, manifest.suite, spec, config, prepared.loaded.files)
    if changed := differing(manifest, {**now, **_drawn(manifest, prepared)}):
        raise ConfigError(
            f"cannot resume run {str(folder)!r}: {'; '.join(changed)}.",
            remedy="Undo that, or start a new run.",
        )
    model = _load_model(spec, prepared, config, options)
    _check_requirements(prepared)
    with _locked(folder):
        done = _continue(folder, manifest, prepared, model, config, options, progress)
    if done.made and (code := differing(manifest, environment(), ("attend", "git", "packages"))):
        mixed = f"attempts of this run were made with different code: {'; '.join(code)}."
        done = replace(done, notices=(*done.notices, mixed))
    return done


def score_run(folder: Path) -> Run:
    """Score a finished run again, from its transcripts alone, without a model.

    Raises:
        ConfigError: if the run is not finished, or its data, options or number of samples have changed.
        DataError: if the data cannot be read any more, or the scorer fails at a sample.
        StoreError: if a file of the run cannot be read or written.
    """
    manifest = read_manifest(folder)
    prepared = prepare(manifest.suite, _data(manifest), _options(manifest, None))
    changed = differing(manifest, {"files": data_hashes(prepared.loaded.files), **_drawn(manifest, prepared)})
    if (folder / RESULTS).exists():
        with suppress(StoreError):  # damaged, and rewritten below
            before = load_results(folder / RESULTS).manifest
            asked = {name: before[name] for name in ASKED if name in before}
            changed += [f"{MANIFEST} no longer agrees with {RESULTS}: {one}" for one in differing(manifest, asked)]
    if changed:
        raise ConfigError(
            f"cannot score run {str(folder)!r} again: {'; '.join(changed)}.",
            remedy="Undo that: replies are scored against what was asked. To ask something else, start a new run.",
        )
    with _locked(folder):
        return _scored(folder, manifest, prepared, _transcripts(folder), made=0)


def _continue(
    folder: Path,
    manifest: Manifest,
    prepared: Prepared,
    model: MLLM | None,
    config: Config,
    options: RunOptions,
    progress: Progress,
) -> Run:
    from evals.engine.harness import InspectTrace, Work, evaluate
    from evals.engine.provider import generate

    suite, total = prepared.suite, len(prepared.samples) * options.attempts
    settings = Settings(config, options.seed, options.limit_s, options.blind)
    made = _transcripts(folder)
    everything = [Work(sample, epoch) for epoch in range(1, options.attempts + 1) for sample in prepared.samples]
    left = _pending_work(everything, made, suite.name)
    count, outage = total - len(left), 0

    async def ask(work: Work) -> Transcript:
        if model is None:
            return await _baseline(prepared, manifest.model, work.sample, work.epoch, options.seed)
        return await attempt(suite, work.sample, work.epoch, model, generate, InspectTrace(), settings)

    async def is_gone() -> bool:
        """Return whether the fastest attempt that succeeded before fails now: otherwise the samples fail, not the
        model."""
        ok = [
            (one.seconds, place)
            for place, work in enumerate(everything)
            if (one := made.get(work.key(suite.name))) is not None and one.failure not in GONE
        ]
        return not ok or (await ask(everything[min(ok)[1]])).failure in GONE

    with Journal(folder / TRANSCRIPTS) as journal:

        async def put(work: Work) -> Transcript:
            nonlocal count, outage
            before = made.get(work.key(suite.name))
            transcript = await ask(work)
            if before is not None:
                transcript = transcript.model_copy(update={"retries": before.retries + 1})
            transcript = journal.add(transcript)
            made[work.key(suite.name)] = transcript
            count += 1
            progress(count, total)
            outage = outage + 1 if transcript.failure in GONE else 0
            if outage >= OUTAGE:
                failed, outage = outage, 0
                if await is_gone():
                    raise ModelError(
                        f"the {transcript.failure} failed {failed} times in a row: {transcript.problem}",
                        remedy=f"Fix that and continue with `attend eval resume {folder}`; finished attempts are kept. "
                        f"An attempt that fails {TRIES} times stays failed.",
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
    run = _scored(folder, manifest, prepared, made, made=len(left))
    return replace(run, notices=(*run.notices, *_notices(folder, model, config, options, made)))


def _notices(
    folder: Path, model: MLLM | None, config: Config, options: RunOptions, made: Mapping[AttemptKey, Transcript]
) -> list[str]:
    """Return remarks on the attempts for the user."""
    notices = []
    if options.attempts > 1 and model is not None and config.mllm.temperature == 0:
        notices.append(
            "the temperature is 0: attempts at a sample most likely repeat one answer. Set it above 0 with "
            "ATTEND_MLLM__TEMPERATURE, or [mllm] temperature."
        )
    for who in GONE:
        if failed := [one for one in made.values() if one.failure == who]:
            again = any(one.retries + 1 < TRIES for one in failed)
            what = f"repeat it with `attend eval resume {folder}`" if again else f"it was tried {TRIES} times"
            notices.append(
                f"the {who} failed in {len(failed)} of {len(made)} attempts: {failed[0].problem} Now: {what}."
            )
    return notices


def _check_requirements(prepared: Prepared) -> None:
    """Raise AttendError if a requirement of the suite beside the model is missing."""
    if prepared.loaded.ready is not None:
        prepared.loaded.ready()


def _drawn(manifest: Manifest, prepared: Prepared) -> dict[str, Any]:
    """Return the parts of a manifest that describe the drawn samples and their questions; older runs lack the
    latter."""
    asked = {"asked": asked_hash(prepared.samples)} if manifest.asked else {}
    return {"samples": len(prepared.samples) + len(prepared.bad), **asked}


def _pending_work(everything: list[Work], made: dict[AttemptKey, Transcript], suite: str) -> list[Work]:
    """Return the pending attempts: first those never made, then the failed ones, the least often tried first."""
    tried = {place: made.get(work.key(suite)) for place, work in enumerate(everything)}
    again = [
        (one.retries, place)
        for place, one in tried.items()
        if one is not None and one.failure in GONE and one.retries + 1 < TRIES
    ]
    places = [place for place, one in tried.items() if one is None] + [place for _, place in sorted(again)]
    return [everything[place] for place in places]


def _scored(
    folder: Path, manifest: Manifest, prepared: Prepared, transcripts: dict[AttemptKey, Transcript], *, made: int
) -> Run:
    scored = {"version": prepared.suite.version, **environment(("attend", "git"))}
    scored |= {"files": data_hashes(prepared.loaded.files)}
    held = {**manifest.model_dump(mode="json"), "scored": scored}
    results = score_all(prepared, transcripts, manifest.attempts, held)
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
    """Load the model; None for a baseline."""
    suite = prepared.suite
    if spec.startswith(BASELINE):
        if (name := spec.removeprefix(BASELINE)) not in suite.baselines:
            known = ", ".join(f"{BASELINE}{known}" for known in suite.baselines)
            raise ConfigError(
                f"unknown baseline {name!r} of {suite.name}.", expected=known or "a model: it has no baselines"
            )
        return None
    model = load_mllm(spec, config.mllm)
    model.preflight()
    shows = suite.solve == "stream" or any(
        sample.pictures or any(isinstance(part, Picture) for part in sample.prompt) for sample in prepared.samples
    )
    if suite.solve != "agent" and shows and not options.blind and not model.abilities.images:
        raise ModelError(
            f"the model {spec!r} does not accept images.", remedy="Choose one that does, or ask with --blind."
        )
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


def _check_unused(folder: Path) -> None:
    if (folder / MANIFEST).exists():
        raise ConfigError(
            f"{str(folder)!r} already contains a run.",
            remedy=f"Continue it with `attend eval resume {folder}`, or choose another folder with --out.",
        )


def _unwritable(folder: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write the run {str(folder)!r}: {error}.", remedy="Choose another with --out.")


def _data(manifest: Manifest) -> Path | None:
    return Path(manifest.data) if manifest.data else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock out other processes that would make the same attempts."""
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise StoreError(
            f"another process is working on the run {str(folder)!r}.", remedy="Wait for it, or stop it."
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield
    finally:
        lock.release()
