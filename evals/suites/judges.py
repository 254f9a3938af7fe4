"""The judge set by a suite's options, loaded before the run, and asked concurrently with the model under test."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agent.models import load_mllm
from agent.models.cached import Answer
from agent.models.protocol import MLLM
from evals.judge import JudgeOutage, VerdictCache, count, is_outage
from tools.errors import ConfigError, ModelError

AT_ONCE = 8
"""Maximum number of concurrent verdicts."""
FILE_NAME = "verdicts.sqlite"
_Said = TypeVar("_Said")


class Mark(BaseModel):
    """A rating of 0 to 2, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    score: int = Field(ge=0, le=2, strict=True)  # rejects "true" as a score
    why: str = ""


class SuiteJudge:
    """A judge for the dialogues of a run.

    Args:
        spec: its model string.
        folder: folder of verdicts, shared with other runs; None keeps them as long as this object. Transcripts contain
            everything needed to score a run again.
    """

    def __init__(self, spec: str, folder: Path | None) -> None:
        self.spec = spec
        # The judge has its own threads: those of the event loop drive the model under test.
        self._threads = ThreadPoolExecutor(AT_ONCE, "judge")
        self._lock, self._folder = Lock(), folder
        self._opened: tuple[VerdictCache, MLLM] | None = None

    async def rate(self, ask: Callable[[VerdictCache, MLLM], _Said]) -> _Said:
        """Return the result of `ask`, which gets the judge and the cache of its verdicts.

        Raises:
            JudgeOutage: if the judge cannot be loaded or reached.
            StoreError: if the verdicts cannot be read or written.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: ask(*self.open()))

    def open(self) -> tuple[VerdictCache, MLLM]:
        """Return the judge and its verdicts, loaded once. Raises JudgeOutage if it cannot be loaded or reached."""
        with self._lock:
            if self._opened is None:
                try:
                    model = load_mllm(self.spec)
                    model.preflight()
                except (ConfigError, ModelError) as error:
                    raise JudgeOutage(f"cannot use the judge: {error.problem}", remedy=error.remedy) from error
                folder = self._folder or own_folder(self, "attend-verdicts-")
                self._opened = VerdictCache(folder / FILE_NAME), model
        return self._opened


@cache
def suite_judge(spec: str, folder: Path | None) -> SuiteJudge:
    """Return the shared judge of a model string and a folder in this process."""
    return SuiteJudge(spec, folder)


def own_folder(owner: object, prefix: str) -> Path:
    """Make a temporary folder that is removed with its owner, or at the end of the process."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return folder


def tally(verdicts: Iterable[Answer[Any]]) -> dict[str, JsonValue]:
    """Summarise verdicts for a dialogue's outcome.

    Raises:
        JudgeOutage: if the judge could not be reached for one of them; the others are in its cache.
    """
    held = list(verdicts)
    for verdict in held:
        if is_outage(verdict):
            raise JudgeOutage(f"the judge gave no answer: {verdict.error}")
    counts = count(held)
    return {
        "asked": counts.asked,
        "judged": counts.judged,
        "malformed": counts.malformed,
        "cached": counts.cached,
        "calls": counts.calls,
    }


def added(tallies: Iterable[JsonValue]) -> dict[str, float]:
    """Sum the tallies of a run's attempts to figures; none if no judge was asked."""
    held = [one for one in tallies if isinstance(one, dict)]
    names = {"asked": "judge: asked", "malformed": "judge: unreadable"}
    return {shown: float(sum(int(str(one[name])) for one in held)) for name, shown in names.items()} if held else {}
