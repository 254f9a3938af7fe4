"""Options of CURE: settings, form of the question, and search."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from agent.config import Config
from agent.literature.search_agent import Budget
from evals.suites.ablations import listed
from evals.suites.cure.evidence import SEARCHING, SETTINGS
from tools.literature.options import LiteratureOptions
from tools.media import mask_credentials


class Options(BaseModel):
    """The suite's own options.

    `literature` of the settings, pydantic's context when a run starts, configures requests to a network source: an
    e-mail address or a key must not be in the manifest.

    Attributes:
        setting: one of `evidence.SETTINGS`, or several with commas, over the same cases. By default given, retrieved
            and no evidence, whose gap is the headline.
        form: `open` asks for five ranked diagnoses, `closed` for the letter of an option.
        value: a sample's value in the open form.
        data_set: the format of the folder; see `cases` and `agentclinic`.
        cases: maximum number of cases, the same in every setting and with every seed; a larger number adds to the same
            ones. `--limit` also draws cases with all their settings, by the seed of the run.
        findings: show the radiologist's description of the images.
        k: papers shown of a search in the setting `rag`.
        distractors: papers mixed among the cited ones.
        shuffle: reorder the options, by the seed of the run.
        searches, abstracts, tokens, steps: limits of an agent; see `agent.literature.search_agent.Budget`.
        blocked: hosts whose papers are never shown, beside those of `leaks.BLOCKED`, with commas.
        judge: the model string of a judge of diagnoses; "" decides by words alone.
        verdicts: the folder of the judge's verdicts, shared with other runs.
        source: where to search: the folder's papers, or a network source, which is then sent queries.
        corpus: a corpus of `attend literature index`, the folder `literature` of its settings, to search instead of the
            folder's papers.
        query: the query of `rag`: the case's own words, or one query that the model writes. By default the former for
            papers and a corpus, whose ranking handles a long text, and the latter on the network, where a paper must
            contain all words of a query.
        index: the folder of the index of the folder's papers, shared with other runs.
        dense: rank by meaning too.
        record: a folder of recorded searches, which later runs reuse.
        offline: answer searches from `record` alone; an unrecorded one is an error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    setting: str = "base,reference,rag"
    form: Literal["open", "closed"] = "open"
    value: Literal["hit@1", "hit@5"] = "hit@1"
    data_set: Literal["cure", "agentclinic"] = "cure"
    cases: int | None = Field(default=None, ge=1)
    findings: bool = False
    k: int = Field(default=5, ge=1, le=50)
    distractors: int = Field(default=3, ge=1, le=50)
    shuffle: bool = False
    searches: int = Field(default=6, ge=1)
    abstracts: int = Field(default=20, ge=1)
    tokens: int = Field(default=40_000, ge=1)
    steps: int = Field(default=24, ge=1)
    blocked: str = ""
    judge: str = ""
    verdicts: Path | None = None
    source: Literal["papers", "pubmed", "europepmc"] = "papers"
    corpus: Path | None = None
    query: Literal["case", "model"] | None = None
    index: Path | None = None
    dense: bool = False
    record: Path | None = None
    offline: bool = False
    _literature: LiteratureOptions = PrivateAttr(default=LiteratureOptions())

    def model_post_init(self, context: Any) -> None:
        """Take the options of network requests from the settings."""
        if isinstance(context, Config):
            self._literature = context.literature

    @field_validator("setting")
    @classmethod
    def _is_known(cls, setting: str) -> str:
        return ",".join(listed(setting, SETTINGS))

    @model_validator(mode="after")
    def _fit(self, info: ValidationInfo) -> Self:
        if self.offline and self.record is None:
            raise ValueError("offline needs the folder of recorded searches: --set record=DIR")
        if mask_credentials(self.judge) != self.judge:
            # Options go into the manifest unmasked.
            raise ValueError(
                "the judge's model string contains a password; pass it through the environment of its backend"
            )
        if self.source != "papers" and (self.corpus is not None or self.dense):
            raise ValueError(f"source={self.source} cannot be combined with corpus or dense")
        if self.source != "papers" and "rag" in self.settings and self.query == "case":
            raise ValueError(f"a whole case cannot be a query for {self.source}: --set query=model")
        if self._sends and isinstance(info.context, Config) and not self._literature.contact:
            raise ValueError(
                f"{self.source} requires an e-mail address: set `literature.contact` in the settings, or "
                "ATTEND_LITERATURE__CONTACT"
            )
        if self.form == "closed" and self.value != "hit@1":
            raise ValueError("a choice has no second diagnosis: value=hit@5 needs the open form")
        return self

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings, in order."""
        return tuple(self.setting.split(","))

    @property
    def writes_query(self) -> bool:
        """Whether the model writes the query of `rag`."""
        return self.query == "model" or (self.query is None and self.source != "papers")

    @property
    def literature(self) -> LiteratureOptions:
        """The options of requests to a network source."""
        return self._literature

    @property
    def _sends(self) -> bool:
        return self.source != "papers" and not self.offline and any(one in SEARCHING for one in self.settings)

    @property
    def budget(self) -> Budget:
        """The limits of an agent."""
        return Budget(searches=self.searches, abstracts=self.abstracts, tokens=self.tokens, steps=self.steps)
