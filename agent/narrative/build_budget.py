"""Cost estimate of a build, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.config import Config
from agent.models import load_mllm
from agent.models.protocol import MLLM
from agent.narrative import prompts
from agent.narrative.build import Material
from agent.narrative.cached_llm import FILE_NAME, Answers
from agent.narrative.extract_llm import CANDIDATES, NEW_AT_ONCE, max_calls
from agent.narrative.sources import Origin, Warn, Words, read_words
from memory.narrative.ingest.segments import LENGTH_S
from memory.narrative.options import FOLDER
from tools.errors import ModelError

PICTURE_TOKENS = 600
"""Estimated tokens of a picture."""
ANSWER_TOKENS: Mapping[prompts.Role, int] = {"caption": 80, "extract": 800, "link": 200, "chain": 60}
"""Estimated tokens of an answer, by role."""
EVENT_TOKENS = 30
TOKENS_PER_WORD = 1.4


@dataclass(frozen=True)
class Plan:
    """Upper estimate of the cost of a build.

    Attributes:
        source: name in the memory.
        kind: see `agent.narrative.sources.Origin`.
        segments: approximate number of segments.
        words: number of words in the source.
        model: the model string; "" if no model is called.
        calls: model calls, by role.
        tokens: approximate input and output tokens.
        seconds: duration of the calls at the pace of earlier builds; None if the model was never called.
    """

    source: str
    kind: str
    segments: int
    words: int
    model: str
    calls: Mapping[prompts.Role, int]
    tokens: int
    seconds: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the plan as one JSON object."""
        return {
            "source": self.source, "kind": self.kind, "segments": self.segments, "words": self.words,
            "model": self.model, "calls": sum(self.calls.values()), "calls_by_role": dict(self.calls),
            "tokens": self.tokens, "seconds": self.seconds, "written": False,
        }  # fmt: skip


def plan(origin: Origin, config: Config, warn: Warn, *, rules: bool) -> Plan:
    """Estimate a build without calling the model.

    Raises:
        MediaError: if the source cannot be read.
        ModelError: if the model cannot be loaded or reached.
    """
    model = model_for(origin, config, rules=rules)
    source_words = Words([], "seconds") if origin.kind == "stream" else read_words(origin, warn)
    segments = _segments(origin, source_words)
    words = sum(len(cue.text.split()) for cue in source_words.cues)
    calls: dict[prompts.Role, int] = {}
    if model is not None:
        if origin.kind != "text" and model.abilities.images and config.narrative.pictures:
            calls["caption"] = segments
        if model.abilities.structured and not rules:
            calls |= max_calls(segments)
    read = {
        "caption": config.narrative.pictures * PICTURE_TOKENS,
        "extract": prompts.WINDOW * words / segments * TOKENS_PER_WORD,
        "link": (CANDIDATES + NEW_AT_ONCE) * EVENT_TOKENS,
        "chain": 7 * EVENT_TOKENS,
    }
    tokens = sum(
        number * (prompts.prompt_tokens(role) + read[role] + ANSWER_TOKENS[role]) for role, number in calls.items()
    )
    spec = model.spec if calls and model is not None else ""
    return Plan(origin.name, origin.kind, segments, words, spec, calls, round(tokens), _seconds(config, spec, calls))


def model_for(origin: Origin, config: Config, *, rules: bool) -> MLLM | None:
    """Load the model for a build; return None if it would not be called.

    The embedded model only captions pictures.

    Raises:
        ModelError: if it cannot be loaded or reached.
    """
    looks = origin.kind != "text" and config.narrative.pictures > 0
    if config.model == "embedded" and (origin.kind != "film" or not looks):
        return None
    if rules and not looks:
        return None
    model = load_mllm(config.model, config.mllm)
    model.preflight()
    return model


def refuse_above(planned: Plan, config: Config) -> None:
    """Raise ModelError if a build would exceed a limit."""
    calls, caps = sum(planned.calls.values()), config.narrative
    over = {
        "most_calls": (calls, caps.most_calls, "calls"),
        "most_tokens": (planned.tokens, caps.most_tokens, "tokens"),
    }
    for name, (number, most, what) in over.items():
        if number > most:
            raise ModelError(
                f"the build would use up to {number:,} {what} of {planned.model!r}.",
                expected=f"at most {most:,}",
                remedy=f"Raise {name} under [narrative] in attend.toml, or build by rules: --rules.",
            )


def _segments(origin: Origin, source_words: Words) -> int:
    lasts_s = source_words.film_s or max((cue.end_s for cue in source_words.cues), default=0.0)
    if origin.kind != "text":
        return max(1, round(lasts_s / LENGTH_S))
    return len(Material(origin.name, source_words.clock, source_words.cues, duration_s=lasts_s).segments())


def _seconds(config: Config, model: str, calls: Mapping[prompts.Role, int]) -> float | None:
    if not calls:
        return 0.0
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return None
    with Answers(config.folder / FOLDER) as answers:
        paces = {role: answers.seconds_a_call(model, role) for role in calls}
    if None in paces.values():
        return None
    return round(sum(seconds * calls[role] for role, seconds in paces.items() if seconds), 1)
