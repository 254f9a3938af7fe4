"""Scoring of a stored run: the suite's pure function over every transcript, and the results as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from evals.engine.data import DataError
from evals.engine.journal import AttemptKey
from evals.engine.prepare import Prepared
from evals.engine.suite import Judged, Picture, Sample, Scored, Suite, Transcript, own_name
from evals.results import SHOWN, RunResults, SampleResult
from evals.stats import agreement
from tools.errors import ConfigError


def score_one(suite: Suite, sample: Sample, transcript: Transcript) -> Scored:
    """Return the suite's score of an attempt; a failed one is not passed to it.

    Raises:
        DataError: if the scorer fails; names the sample.
    """
    if transcript.failure:
        return Scored(failure=transcript.failure)
    try:
        scored = suite.score(sample, transcript)
        if not isinstance(scored, Scored):
            raise TypeError(f"it returned {scored!r} instead of a Scored")
        return scored
    except Exception as error:
        raise DataError(
            f"the scorer of {suite.name} fails at the sample {sample.id!r}: {type(error).__name__}: {error}.",
            file=sample.file,
            line=sample.line,
            remedy="Repair the scorer or the record, then run `attend eval score`; the answers are kept.",
        ) from error


def score_all(
    prepared: Prepared, transcripts: Mapping[AttemptKey, Transcript], attempts: int, manifest: Mapping[str, Any]
) -> RunResults:
    """Score every attempt of a run; samples that could not be asked count as failures of the data.

    Raises:
        ConfigError: if an attempt has not been made.
        DataError: if the scorer fails at a sample.
    """
    suite = prepared.suite
    results: list[SampleResult] = []
    judged: list[Judged] = []
    for epoch in range(1, attempts + 1):
        for sample in prepared.samples:
            transcript = transcripts.get((sample.task or suite.name, sample.id, epoch))
            if transcript is None:
                missing = len(prepared.samples) * attempts - len(transcripts)
                raise ConfigError(
                    f"{missing} of {len(prepared.samples) * attempts} attempts are not made yet.",
                    remedy="Continue with `attend eval resume`.",
                )
            scored = score_one(suite, sample, transcript)
            judged.append((sample, transcript, scored))
            results.append(_result(suite, sample, transcript, scored))
        results += [
            SampleResult(suite=suite.name, task=bad.task, id=bad.id, epoch=epoch, cluster=bad.cluster, failure="data")
            for bad in prepared.bad
        ]
    figures = agreement.figures(judged) | _own_figures(suite, judged)
    # An undefined figure, such as an F1 of nothing, is NaN, which JSON can only express as null.
    told = {name: value if math.isfinite(value) else None for name, value in figures.items()}
    return RunResults(manifest={**manifest, **({"figures": told} if told else {})}, samples=tuple(results))


def _own_figures(suite: Suite, judged: list[Judged]) -> dict[str, float]:
    try:
        return dict(suite.figures(judged)) if suite.figures else {}
    except Exception as error:
        raise DataError(
            f"cannot compute the figures of {suite.name}: {type(error).__name__}: {error}.",
            file=None,
            remedy="Repair the suite, then run `attend eval score`; the answers are kept.",
        ) from error


def _result(suite: Suite, sample: Sample, transcript: Transcript, scored: Scored) -> SampleResult:
    annotators = {"annotators": agreement.agreement(sample.labels)} if sample.labels else {}
    asked = [part for part in sample.prompt if not isinstance(part, Picture)] or list(sample.questions)
    return SampleResult(
        suite=suite.name,
        task=transcript.task,
        id=sample.id,
        epoch=transcript.epoch,
        cluster=sample.cluster or own_name(sample.task, sample.id),
        value=scored.value,
        failure=scored.failure,
        slices={**annotators, **sample.slices, **scored.slices},
        prediction=transcript.answer[:SHOWN],
        reference=sample.reference[:SHOWN],
        question="\n".join(asked)[:SHOWN],
        frame_ids=transcript.frame_ids,
        retries=transcript.retries,
        seconds=transcript.seconds,
        tokens_in=transcript.tokens_in,
        tokens_out=transcript.tokens_out,
        model_calls=transcript.model_calls,
    )
