"""Options of FREAK: selection of questions, reasoning, and fidelity to the released script."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.media import mask_credentials


class Options(BaseModel):
    """The suite's options.

    Attributes:
        subset: `all` of the released questions; `controlled`, the same questions about a normal and an edited image.
        types: `mcq` with options, `fib` answered freely, or `all`. Free answers need a judge.
        cot: ask for reasoning before the answer.
        scoring: `repaired`; `mended` reads and asks like the released script, but without the defect that keeps it from
            finishing; `released` has that defect, too. See README.md.
        thinking: cut off everything before a model's end of thinking.
        begin, end: the markers of thinking.
        max_tokens: maximum number of tokens of a reply; None is the model's own setting. The authors use 6,000.
        judge: the judge's model string.
        judge_folder: folder of verdicts, shared with other runs.
        judge_image: show the judge the image, as the authors do, who instruct it not to judge by it.
        judge_swap: ask the judge a second time with the right answer and the typical error swapped; if its verdicts
            differ, the answer counts as neither. Not in `mended` and `released`.
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
            raise ValueError("the released script needs a judge for choices, too: --set judge=MODEL")
        elif not self.judge and self.types != "mcq":
            raise ValueError("free answers need a judge: --set judge=MODEL; or leave them out with --set types=mcq")
        if self.cot and self.scoring != "repaired" and self.types != "mcq":
            raise ValueError("the released script has no prompt for free answers with reasoning: --set types=mcq")
        if mask_credentials(self.judge) != self.judge:
            # Options go into the manifest unmasked.
            raise ValueError(
                "the judge's model string contains a password; pass it through the environment of its backend"
            )
        return self

    @property
    def published(self) -> bool:
        """Whether replies are read as by the released script."""
        return self.scoring != "repaired"
