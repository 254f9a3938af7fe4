"""How FREAK is run: which questions, with or without reasoning, and how closely the released script is followed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.media import mask_credentials


class Options(BaseModel):
    """The suite's options.

    Attributes:
        subset: `all` of the released questions; `controlled`, the same questions on a normal and on an edited image.
        types: `mcq` with options, `fib` answered freely, or `all`. Free answers need a judge.
        cot: ask for reasoning before the answer.
        scoring: `repaired`; `mended` reads and asks as the released script does, but for the defect by which it cannot
            finish; `released` has that defect, too. See README.md.
        thinking: cut off what stands before a model's end of thinking.
        begin, end: the marks of thinking.
        max_tokens: the most tokens of a reply; None is the model's own setting. The authors take 6,000.
        judge: the judge's model string.
        judge_folder: where verdicts are kept for other runs, too.
        judge_image: show the judge the image, as the authors do, who tell it not to judge by it.
        judge_swap: ask the judge a second time with the right answer and the typical error in the other order; where
            its verdicts differ, the answer counts as neither. Not so in `mended` and `released`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subset: Literal["all", "controlled"] = "all"
    types: Literal["all", "mcq", "fib"] = "all"
    cot: bool = False
    scoring: Literal["repaired", "mended", "released"] = "repaired"
    thinking: bool = True
    begin: str = "<think>"
    end: str = "</think>"
    max_tokens: int | None = Field(default=None, ge=1)
    judge: str = ""
    judge_folder: Path | None = None
    judge_image: bool = False
    judge_swap: bool = True

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.subset == "controlled":
            if self.scoring != "repaired" or self.types == "fib":
                raise ValueError("the controlled subset has choices only, and no released script")
        elif not self.judge and self.scoring == "released":
            raise ValueError("choices by the released script need a judge, too: --set judge=MODEL")
        elif not self.judge and self.types != "mcq":
            raise ValueError("free answers need a judge: --set judge=MODEL; or leave them out with --set types=mcq")
        if self.cot and self.scoring != "repaired" and self.types != "mcq":
            raise ValueError("the released script has no prompt for free answers with reasoning: --set types=mcq")
        if mask_credentials(self.judge) != self.judge:
            # Options stand in the manifest as they are.
            raise ValueError("the judge's model string holds a password; give it by the environment of its backend")
        return self

    @property
    def published(self) -> bool:
        """Whether replies are read as the released script reads them."""
        return self.scoring != "repaired"
