"""Adapter that runs attempts under inspect-ai: its task, log and concurrency, without side effects outside.

Imported only where a run begins: inspect-ai takes a second to load.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import inspect_ai
from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.log import EvalLog, transcript
from inspect_ai.model import ModelOutput, get_model
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.util import span

from evals.engine.data import DataError
from evals.engine.journal import AttemptKey
from evals.engine.provider import NAME
from evals.engine.suite import Picture, Sample, Scored, Transcript, own_name
from tools.errors import StoreError

LOG_EVERY = 100
"""Samples that inspect-ai buffers before it writes its log; our own journal is what survives a kill."""


@dataclass(frozen=True)
class Work:
    """A pending attempt."""

    sample: Sample
    epoch: int

    @property
    def name(self) -> str:
        """Its unique name in logs."""
        return f"{own_name(self.sample.task, self.sample.id)}/{self.epoch}"

    def key(self, suite: str) -> AttemptKey:
        """The key of its transcript, in a suite of this name."""
        return self.sample.task or suite, self.sample.id, self.epoch


class InspectTrace:
    """Writes tool calls to inspect-ai's log."""

    def span(self, name: str) -> AbstractAsyncContextManager[None]:
        """Open a span of type `tool`."""
        return span(name, type="tool")

    def note(self, data: Mapping[str, Any]) -> None:
        """Add an event to the open span."""
        transcript().info(dict(data), source="attend")


def evaluate(
    name: str,
    model: str,
    work: Sequence[Work],
    put: Callable[[Work], Awaitable[Transcript]],
    score: Callable[[Work, Transcript], Scored],
    folder: Path,
    in_flight: int,
) -> None:
    """Make some attempts and log them.

    Args:
        name: of the task in the log.
        model: the model string, for the log.
        work: the attempts.
        put: makes one; an exception ends the run.
        score: scores one, for the log.
        folder: folder of the log.
        in_flight: number of concurrent attempts.

    Raises:
        StoreError: if inspect-ai ended early for a reason of its own.
    """
    by_name = {one.name: one for one in work}
    done: dict[str, Transcript] = {}

    @solver(name="attend")
    def attempt() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            one = by_name[str(state.sample_id)]
            made = await put(one)
            done[one.name] = made
            state.output = ModelOutput.from_content(model, made.answer)
            state.metadata["transcript"] = made.model_dump(mode="json", exclude_defaults=True, exclude={"tools"})
            return state

        return solve

    @scorer(metrics=[mean()], name="attend")
    def suite_score() -> Scorer:
        async def rate(state: TaskState, target: Target) -> Score:
            one = by_name[str(state.sample_id)]
            try:
                scored = score(one, done.pop(one.name))
            except DataError as error:  # Continue with other attempts: answers can be scored once the scorer is fixed.
                return Score(value=float("nan"), answer=state.output.completion[:500], explanation=str(error))
            value = float("nan") if scored.value is None else scored.value
            return Score(value=value, answer=state.output.completion[:500], explanation=scored.failure or None)

        return rate

    task = Task(
        dataset=MemoryDataset([_sample(one) for one in work], name=name),
        solver=attempt(),
        scorer=suite_score(),
        name=name,
    )
    with _isolated(folder):
        [log] = inspect_ai.eval(
            task,
            model=get_model(f"{NAME}/{model}", memoize=False),
            display="none",
            ctl_server=False,
            log_dir=str(folder),
            log_format="eval",
            log_level="error",
            log_realtime=False,
            log_images=False,
            log_model_api=False,
            log_buffer=LOG_EVERY,
            log_header_only=True,
            score_display=False,
            fail_on_error=True,
            debug_errors=True,
            max_samples=in_flight,
            max_connections=in_flight,
            max_tasks=1,
        )
    _check(log)


def _sample(one: Work) -> InspectSample:
    sample = one.sample
    asked = [part if isinstance(part, str) else _named(part) for part in sample.prompt] or list(sample.questions)
    return InspectSample(
        id=one.name,
        input="\n".join(asked) or sample.id,
        target=sample.reference,
        metadata={"epoch": one.epoch, "cluster": sample.cluster, "source": sample.source, **sample.slices},
    )


def _named(picture: Picture) -> str:
    return f"({picture.path.name})" if picture.path else "(a drawn picture)"


def _check(log: EvalLog) -> None:
    if log.status == "cancelled":
        raise KeyboardInterrupt
    if log.status != "success":
        reason = log.error.message if log.error else log.status
        raise StoreError(f"the run stopped early: {reason}.", remedy="Fix that and continue with `attend eval resume`.")


@contextmanager
def _isolated(folder: Path) -> Iterator[None]:
    """Isolate inspect-ai from its own settings, and restore the process afterwards.

    Environment variables could select another log folder or hooks for every call, and it would load a `.env` file of
    the working folder or one above into this process. It also replaces `sys.excepthook` and configures the root logger.
    """
    held, hook, root = dict(os.environ), sys.excepthook, logging.getLogger()
    handlers, level = root.handlers[:], root.level
    for name in [name for name in held if name.startswith("INSPECT_")]:
        del os.environ[name]
    folder.mkdir(parents=True, exist_ok=True)
    trace_file = folder / "trace.log"
    os.environ.update(
        {"PYTHON_DOTENV_DISABLED": "1", "INSPECT_TRACE_FILE": str(trace_file), "INSPECT_TRACE_LEVEL": "ERROR"}
    )
    try:
        yield
    finally:
        with suppress(OSError):
            trace_file.unlink(missing_ok=True)
        for name in set(os.environ) - set(held):
            del os.environ[name]
        os.environ.update(held)
        sys.excepthook = hook
        root.handlers[:] = handlers
        root.setLevel(level)
