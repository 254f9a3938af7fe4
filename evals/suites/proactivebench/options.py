"""Options of ProactiveBench: question, view, way of acting, and parsing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from evals.suites.proactivebench.records import DATASETS
from tools.media import mask_credentials

OPEN_SAMPLES = 100
"""Samples per data set that are asked without options (authors' package, tests/oeg.py)."""

NAMES = tuple(DATASETS.values())
EXAMPLED = ("ROD", "MVP-N")
"""The data sets with worked examples (paper, in-context learning)."""

Reading = Literal["strict", "robust"]
READINGS: tuple[Reading, ...] = ("strict", "robust")


def _split(given: Any) -> Any:
    return tuple(name.strip() for name in given.split(",") if name.strip()) if isinstance(given, str) else given


class Options(BaseModel):
    """The suite's options.

    Attributes:
        mode: `choice` lists the actions and the categories; `open` asks freely, once, and needs a judge.
        turns: `multi` plays an episode to its end; `single` asks about the first image only.
        view: `first` starts with the insufficient image; `reference` shows the sufficient one, with the categories
            only; `random` counts every suggestion as right and has it lead anywhere (paper, figure 5).
        act: how the model may request something: by naming an option (`text`, as in the paper), also by calling the
            tool `ask_user` (`either`), or by that tool alone, with only the categories listed (`tool`).
        scoring: the reading whose score goes into the results; the figures have both.
        hints: add a sentence that points at possible actions.
        history: show all earlier turns of an episode, their images at a short edge of 224 px as in the paper.
        examples: number of worked episodes before the sample; ROD and MVP-N only, 1 or 3 in the paper.
        reduce_examples: omit the middle turns of the examples.
        datasets: the data sets by acronym, with commas between.
        filtered: omit the samples that the authors omitted.
        per_dataset: maximum number of samples per data set, drawn as the authors draw them (seed 0); None is all, or
            100 if `mode` is `open`.
        max_tokens: maximum number of tokens of a reply in mode `choice`, 50 in the authors' example; `open` has no
            limit.
        judge: the judge's model string; required for `open`.
        judge_folder: folder of verdicts, shared with other runs.
        judge_swap: ask the judge a second time with the expected statements in reverse order.
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
            raise ValueError(f"unknown data set {unknown[0]!r}; expected one of {', '.join(NAMES)}")
        if self.mode == "open" and not self.judge:
            raise ValueError("mode 'open' needs a judge: --set judge=MODEL")
        if self.mode == "open" and (self.view != "first" or self.history or self.examples or self.turns == "single"):
            raise ValueError(
                "mode 'open' asks once about the first image: no view, history, examples or turns can be set"
            )
        if self.mode == "open" and self.scoring == "robust" and not self.judge_swap:
            raise ValueError("scoring 'robust' of free answers needs both orders: --set judge_swap=true")
        if self.history and self.turns == "single":
            raise ValueError("a single turn has no history")
        if self.examples and (self.view != "first" or set(self.datasets) - set(EXAMPLED)):
            raise ValueError("there are examples for the first view of ROD and MVP-N only: --set datasets=ROD,MVP-N")
        if self.examples and self.act == "tool":
            raise ValueError("examples are answered from the whole list: they cannot be combined with act 'tool'")
        if self.view == "reference" and self.act != "text":
            raise ValueError("the reference needs no help: view 'reference' needs act 'text'")
        if mask_credentials(self.judge) != self.judge:
            # Options go into the manifest unmasked.
            raise ValueError(
                "the judge's model string contains a password; pass it through the environment of its backend"
            )
        return self

    @property
    def most(self) -> int | None:
        """Maximum number of samples of a data set."""
        return self.per_dataset or (OPEN_SAMPLES if self.mode == "open" else None)
