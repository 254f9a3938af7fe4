"""Options of MedSPOT: scoring rules, unit of a sample, context, and form of a click."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from evals.suites.medspot.rules import NAMES, Rules


def _split(given: Any) -> Any:
    return tuple(name.strip() for name in given.split(",") if name.strip()) if isinstance(given, str) else given


class Options(BaseModel):
    """The suite's options.

    Attributes:
        rules: `canonical` is ours; a letter is a family of the authors' scripts, with replies read like ours; a
            script's name (`gpt5`) also reads replies like that script. See README.md.
        unit: `task` is asked step by step until the first miss; `step` makes every step a sample of its own.
        coordinates: whether the model gives pixels of the screenshot, or thousandths of its width and height.
        act: by a line of text, or by calling the tools `click` and `give_up`.
        overview: include the description of the whole task.
        history: include the instructions of the task's earlier steps.
        software: the programs to run, with commas between; none is all.
        max_tokens: maximum number of tokens of a reply; None is the model's own setting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: str = "canonical"
    unit: Literal["task", "step"] = "task"
    coordinates: Literal["pixels", "thousandths"] = "pixels"
    act: Literal["text", "tool"] = "text"
    overview: bool = False
    history: bool = False
    software: Annotated[tuple[str, ...], BeforeValidator(_split)] = ()
    max_tokens: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.rules not in NAMES:
            raise ValueError(f"unknown rules {self.rules!r}; expected one of {', '.join(NAMES)}")
        if self.chosen.reads and (self.act, self.coordinates) != ("text", "pixels"):
            raise ValueError(
                f"{self.rules}'s script has its own unit and reads text: it cannot be combined with act or coordinates"
            )
        return self

    @property
    def chosen(self) -> Rules:
        """The selected rules."""
        return Rules.named(self.rules)
