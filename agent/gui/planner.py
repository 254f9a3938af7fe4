"""Planning of GUI work by a model: redacted prompts, and validated proposals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.gui.vlm_grounder import MAX_LABEL_CHARS, MAX_TOKENS, count_tokens, load_prompt, make_veil, shorten
from agent.models.blocks import image_block
from agent.models.protocol import MLLM
from agent.models.structured import ask_json
from tools.base import untrusted
from tools.errors import ConfigError
from tools.gui.grounding.field_labels import labelled_fields
from tools.gui.grounding.locate import items_of
from tools.gui.grounding.tree import tree_items
from tools.gui.orthanc.plan import KINDS
from tools.gui.types import Screen
from tools.gui.workflow.model_plan import Proposal, Proposed, Situation
from tools.gui.workflow.placeholders import Veil
from tools.privacy.redact import Strictness

MAX_ITEMS = 150
"""Maximum number of controls listed in a prompt."""


@dataclass(frozen=True)
class Planner:
    """Asks a model for the next step.

    Args:
        model: any backend with structured output.
        strictness: detection of personal details before anything is sent to a remote model.

    Raises:
        ConfigError: if the model has no structured output.
    """

    model: MLLM
    strictness: Strictness = "on"

    def __post_init__(self) -> None:
        if not self.model.abilities.structured:
            raise ConfigError(
                f"the model {self.model.spec!r} cannot plan work on a screen.",
                expected="a larger one, such as --model openai:qwen3-vl@http://127.0.0.1:8000/v1",
                remedy=f"Without one you can run, with --target orthanc: {', '.join(KINDS).replace('_', ' ')}; "
                "and any workflow in a YAML file.",
            )

    def veil(self, values: Mapping[str, str]) -> Veil:
        """Return a veil that replaces values by their names and, for a remote model, redacts all personal details.

        Raises:
            PhiError: if detection of that strictness is unavailable.
        """
        return make_veil(self.model, values, self.strictness)

    def propose(self, situation: Situation) -> Proposed:
        """Propose the next step. Raises ModelError and PhiError."""
        veil = situation.veil
        done = "\n".join(f"{number}. {told}" for number, told in enumerate(situation.done, 1)) or "nothing yet"
        parts = [
            load_prompt("gui_plan"),
            f"The request: {situation.request}",
            f"Values by their names: {', '.join(f'${{{name}}}' for name in veil.values) or 'none'}",
            f"Done so far:\n{done}",
            f"The screen:\n{untrusted(describe_screen(situation.screen, veil))}",
        ]
        abilities, images = self.model.abilities, []
        if abilities.images and abilities.max_images != 0:
            images = [image_block(veil.picture(situation.screen.rgb), max_side_px=abilities.max_side_px)]
        prompt, max_tokens = "\n\n".join(parts), min(MAX_TOKENS, situation.tokens_left)
        answer = ask_json(self.model, prompt, Proposal, images=images, max_tokens=max_tokens)
        tokens = count_tokens(answer.tokens_in + answer.tokens_out, prompt, answer.text)
        return Proposed(answer.value, answer.calls, tokens)


def describe_screen(screen: Screen, veil: Veil) -> str:
    """Describe a screen: its window and, one per line, its controls and texts, with values replaced by their names.

    Raises:
        ToolFailed: if words have to be read and RapidOCR is missing.
        PhiError: if personal details cannot be detected.
    """
    lines = list(dict.fromkeys(_describe_items(screen)))
    left_out = [f"({len(lines) - MAX_ITEMS} more)"] if len(lines) > MAX_ITEMS else []
    # Search the lines for personal details as one text: a label and its value are often separate lines.
    return veil.hide("\n".join([f"window: {screen.window[:MAX_LABEL_CHARS]}", *lines[:MAX_ITEMS], *left_out]))


def _describe_items(screen: Screen) -> Iterator[str]:
    if not screen.nodes:
        yield from (f'{item.role} "{shorten(item.title)}"' for item in items_of(screen) if item.title)
        return
    annotated = {node.rect: node for node in screen.nodes if node.value or node.states}
    for item in labelled_fields(tree_items(screen.nodes)):
        node = annotated.get(item.rect)
        value = f' holds "{shorten(node.value)}"' if node and node.value else ""
        states = f" ({', '.join(sorted(node.states))})" if node and node.states else ""
        if item.front and (item.title or value):
            yield f'{item.role} "{shorten(item.title)}"{value}{states}'
