"""How ProactiveBench is run: what is asked, what is shown, how the model may act, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from evals.suites.proactivebench.records import DATASETS
from tools.media import mask_credentials

OPEN_SAMPLES = 100
"""Samples of a data set that are asked without options (authors' package, tests/oeg.py)."""

NAMES = tuple(DATASETS.values())
EXAMPLED = ("ROD", "MVP-N")
"""The data sets for which there are worked examples (paper, in-context learning)."""

Reading = Literal["strict", "robust"]
READINGS: tuple[Reading, ...] = ("strict", "robust")


def _split(given: Any) -> Any:
    return tuple(name.strip() for name in given.split(",") if name.strip()) if isinstance(given, str) else given


class Options(BaseModel):
    """The suite's options.

    Attributes:
        mode: `choice` lists what can be done and the categories; `open` asks freely, once, and has a judge.
        turns: `multi` plays an episode to its end; `single` asks about the first image only.
        view: `first` starts with the image that does not suffice; `reference` shows the one that does, with the
            categories only; `random` counts every suggestion as right and has it lead anywhere (paper, figure 5).
        act: how the model may ask for something: by naming an option (`text`, as in the paper), also by calling the
            tool `ask_user` (`either`), or by that tool alone, with nothing but the categories listed (`tool`).
        scoring: the reading whose score stands in the results; the figures have both.
        hints: add a sentence that points at what could be done.
        history: show all earlier turns of an episode, their images at a short edge of 224 px as in the paper.
        examples: so many worked episodes come first; ROD and MVP-N only, 1 or 3 in the paper.
        reduce_examples: leave out the middle turns of the examples.
        datasets: the data sets by acronym, with commas between.
        filtered: leave out the samples that the authors left out.
        per_dataset: at most so many samples of a data set, drawn as the authors draw them (seed 0); None is all, or 100
            where `mode` is `open`.
        max_tokens: the most tokens of a reply in mode `choice`, 50 in the authors' example; `open` has no limit.
        judge: the judge's model string; needed for `open`.
        judge_folder: where verdicts are kept for other runs, too.
        judge_swap: ask the judge a second time with what is expected in reverse order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["choice", "open"] = "choice"
    turns: Literal["multi", "single"] = "multi"
    view: Literal["first", "reference", "random"] = "first"
    act: Literal["text", "either", "tool"] = "text"
    scoring: Reading = "strict"
    hints: bool = False
    history: bool = False
    examples: int = Field(default=0, ge=0, le=3)
    reduce_examples: bool = False
    datasets: Annotated[tuple[str, ...], BeforeValidator(_split)] = NAMES
    filtered: bool = True
    per_dataset: int | None = Field(default=None, ge=1)
    max_tokens: int = Field(default=50, ge=1)
    judge: str = ""
    judge_folder: Path | None = None
    judge_swap: bool = True

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if unknown := [name for name in self.datasets if name not in NAMES] or ([""] if not self.datasets else []):
            raise ValueError(f"there is no data set {unknown[0]!r}; there are {', '.join(NAMES)}")
        if self.mode == "open" and not self.judge:
            raise ValueError("mode 'open' needs a judge: --set judge=MODEL")
        if self.mode == "open" and (self.view != "first" or self.history or self.examples or self.turns == "single"):
            raise ValueError("mode 'open' asks once about the first image: no view, history, examples or turns fit it")
        if self.mode == "open" and self.scoring == "robust" and not self.judge_swap:
            raise ValueError("scoring 'robust' of free answers rests on both orders: it goes with judge_swap")
        if self.history and self.turns == "single":
            raise ValueError("a single turn has no history")
        if self.examples and (self.view != "first" or set(self.datasets) - set(EXAMPLED)):
            raise ValueError("there are examples for the first view of ROD and MVP-N only: --set datasets=ROD,MVP-N")
        if self.examples and self.act == "tool":
            raise ValueError("examples are answered from the whole list: they do not go with act 'tool'")
        if self.view == "reference" and self.act != "text":
            raise ValueError("the reference needs no help: view 'reference' goes with act 'text'")
        if mask_credentials(self.judge) != self.judge:
            # Options stand in the manifest as they are.
            raise ValueError("the judge's model string holds a password; give it by the environment of its backend")
        return self

    @property
    def most(self) -> int | None:
        """The most samples of a data set."""
        return self.per_dataset or (OPEN_SAMPLES if self.mode == "open" else None)
