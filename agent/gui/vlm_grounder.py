"""Grounding by a vision-language model: redacted prompts, and validated JSON answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from agent.models.blocks import image_block
from agent.models.protocol import MLLM
from agent.models.structured import ask_json
from tools.base import untrusted
from tools.errors import ConfigError, ModelError
from tools.gui.grounding import Ask, Pointed, Question, Reply
from tools.gui.grounding.items import Item
from tools.gui.grounding.vision.zoom import enlarged
from tools.gui.types import Screen
from tools.gui.workflow.placeholders import Veil
from tools.privacy.redact import Redactor, Strictness

MAX_LABEL_CHARS = 120
"""Maximum length of a label in a prompt."""
MAX_TOKENS = 500
"""Maximum number of tokens of an answer."""


def make_veil(model: MLLM, values: Mapping[str, str], strictness: Strictness = "on") -> Veil:
    """Return a veil that replaces values by their names and, for a remote model, redacts all personal details.

    Raises:
        PhiError: if detection of that strictness is unavailable.
    """
    if model.abilities.local:
        return Veil(values)
    known = [value for name, value in values.items() if name.startswith(("patient_", "detail_"))]
    return Veil(values, Redactor(strictness, known=known))


def make_grounder(model: MLLM, veil: Veil) -> Ask:
    """Return a function that asks a model where things are, for `tools.gui.grounding.locate` and for runs.

    Args:
        model: any backend with structured output; one without image input chooses from the list alone.
        veil: redacts what the model must not see.

    Raises:
        ConfigError: if the model has no structured output.
    """
    if not model.abilities.structured:
        raise ConfigError(
            f"the model {model.spec!r} cannot locate controls on a screen.",
            expected="a larger one, such as --model openai:qwen3-vl@http://127.0.0.1:8000/v1",
        )
    sees, shown = model.abilities.images and model.abilities.max_images != 0, _RedactedPicture(veil)

    def ask(question: Question) -> Reply:
        if question.part is not None and not sees:
            raise ModelError(
                f"the model {model.spec!r} does not accept images, but answered with coordinates.",
                expected="a number from the list",
                remedy="Use a model that takes images.",
            )
        wanted = f"What is looked for: {json.dumps(veil.hide(question.instruction), ensure_ascii=False)}"
        if question.part is not None:
            parts = [load_prompt("gui_zoom"), wanted, _ZOOM]
        else:
            listing = _list_controls(question, veil)
            alike = f"The words fit these alike, and one of them is meant: {', '.join(map(str, question.alike))}."
            parts = [load_prompt("gui_point"), wanted, *([alike] if question.alike else []), f"The screen:\n{listing}"]
            parts.append(_CHOOSE.format(place=_PLACE if sees else ""))
        images = []
        if sees:
            picture = shown.picture(question.screen)
            picture = picture if question.part is None else enlarged(picture, question.part)
            images = [image_block(picture, max_side_px=model.abilities.max_side_px)]
        prompt = "\n\n".join(parts)
        answer = ask_json(model, prompt, Pointed, images=images, max_tokens=MAX_TOKENS)
        return Reply(
            answer.value, answer.calls, count_tokens(answer.tokens_in + answer.tokens_out, prompt, answer.text)
        )

    return ask


_CHOOSE = """Answer with one JSON object and nothing else, one of these:
{{"control": 12}} for a thing of the list, by its number;{place}
{{"none": "the reason, in one short sentence"}} if there is none, or you are not sure."""
_PLACE = """
{"x": 250, "y": 400} for a place that the list lacks, in thousandths of the picture's width and height from its top \
left corner;"""
_ZOOM = """Answer with one JSON object and nothing else, one of these:
{"x": 250, "y": 400}: its middle, in thousandths of this picture's width and height from its top left corner;
{"none": "the reason, in one short sentence"} if it is not in this picture, or you are not sure."""


class _RedactedPicture:
    """Redacted picture of the last screen, cached because detecting personal details takes seconds."""

    def __init__(self, veil: Veil) -> None:
        self._veil, self._last = veil, ("", np.zeros((0, 0, 3), np.uint8))

    def picture(self, screen: Screen) -> np.ndarray:
        """Return the whole screen (height, width, 3) without personal details. Raises PhiError."""
        if self._last[0] != screen.sha256:
            self._last = screen.sha256, self._veil.picture(screen.rgb)
        return self._last[1]


def _list_controls(question: Question, veil: Veil) -> str:
    """List the controls of a question, marked as untrusted. Raises PhiError."""
    titles = redact_lines([question.screen.window, *(item.title for item in question.controls)], veil)
    lines = [f"window {titles[0]}"]
    for number, (item, title) in enumerate(zip(question.controls, titles[1:], strict=True), 1):
        lines.append(f"{number}. {item.role} {title} at {_place(item, question.screen)}")
    return untrusted("\n".join(lines))


def _place(item: Item, screen: Screen) -> str:
    middle = item.point or item.rect.center
    return f"{1_000 * middle.x_px / screen.rect.width:.0f}, {1_000 * middle.y_px / screen.rect.height:.0f}"


def redact_lines(texts: Sequence[str], veil: Veil) -> list[str]:
    """Redact texts of a screen: each as one quoted line, with values replaced by names and without personal details.

    They are searched as one text, since a label and its value are often separate lines. Quoting keeps each on one line.

    Raises:
        PhiError: if personal details cannot be detected.
    """
    lines = [Veil(veil.values).hide(shorten(text)) for text in texts]
    findings = veil.redactor.find("\n".join(lines)) if veil.redactor else []
    hidden, start = [], 0
    for line in lines:
        kept, at = "", 0
        for found in findings:
            left, right = max(found.start - start, 0), min(found.end - start, len(line))
            if left < right:
                kept, at = f"{kept}{line[at:left]}[{found.kind}]", right
        hidden.append(json.dumps(kept + line[at:], ensure_ascii=False))
        start += len(line) + 1
    return hidden


def shorten(text: str) -> str:
    """Put a text on one line and truncate it."""
    plain = " ".join(text.split())
    return plain if len(plain) <= MAX_LABEL_CHARS else f"{plain[: MAX_LABEL_CHARS - 1]}…"


def count_tokens(tokens: int, prompt: str, answer: str) -> int:
    """Return the tokens that a backend reported, or else an estimate of four characters per token."""
    return tokens or (len(prompt) + len(answer)) // 4


@cache
def load_prompt(name: str) -> str:
    """Return a prompt template."""
    return (files("agent") / "prompts" / f"{name}.md").read_text("utf-8").strip()
