"""A model as planner of work on a screen: what it is shown, and its answers as checked proposals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.gui.vlm_grounder import MAX_TOKENS, MOST_LETTERS, short, used, veil_for, words
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

MOST_ITEMS = 150
"""Things on a screen that a model is told of in words; our choice."""


@dataclass(frozen=True)
class Planner:
    """Asks a model for the next step.

    Args:
        model: any backend that answers in JSON.
        strictness: how personal details are looked for, before a model elsewhere is shown anything.

    Raises:
        ConfigError: if the model cannot.
    """

    model: MLLM
    strictness: Strictness = "on"

    def __post_init__(self) -> None:
        if not self.model.abilities.structured:
            raise ConfigError(
                f"the model {self.model.spec!r} cannot plan work on a screen.",
                expected="a larger one, such as --model openai:qwen3-vl@http://127.0.0.1:8000/v1",
                remedy=f"Without one there are, with --target orthanc: {', '.join(KINDS).replace('_', ' ')}; "
                "and every workflow in a YAML file.",
            )

    def veil(self, values: Mapping[str, str]) -> Veil:
        """Hides values behind their names and, from a model that is not on this machine, all personal details.

        Raises:
            PhiError: if these cannot be looked for as strictly as that.
        """
        return veil_for(self.model, values, self.strictness)

    def propose(self, situation: Situation) -> Proposed:
        """The next step. Raises ModelError and PhiError."""
        veil = situation.veil
        done = "\n".join(f"{number}. {told}" for number, told in enumerate(situation.done, 1)) or "nothing yet"
        parts = [
            words("gui_plan"),
            f"The request: {situation.request}",
            f"Values by their names: {', '.join(f'${{{name}}}' for name in veil.values) or 'none'}",
            f"Done so far:\n{done}",
            f"The screen:\n{untrusted(told_screen(situation.screen, veil))}",
        ]
        abilities, images = self.model.abilities, []
        if abilities.images and abilities.max_images != 0:
            images = [image_block(veil.picture(situation.screen.rgb), max_side_px=abilities.max_side_px)]
        prompt, most = "\n\n".join(parts), min(MAX_TOKENS, situation.tokens_left)
        answer = ask_json(self.model, prompt, Proposal, images=images, max_tokens=most)
        tokens = used(answer.tokens_in + answer.tokens_out, prompt, answer.text)
        return Proposed(answer.value, answer.calls, tokens)


def told_screen(screen: Screen, veil: Veil) -> str:
    """A screen in words: its window and, one a line, what can be worked or read, with values behind their names.

    Raises:
        ToolFailed: if words have to be read and RapidOCR is missing.
        PhiError: if personal details cannot be looked for.
    """
    lines = list(dict.fromkeys(_told(screen)))
    left_out = [f"({len(lines) - MOST_ITEMS} more)"] if len(lines) > MOST_ITEMS else []
    # Lines are searched for personal details as one text: a label and its value often are lines of their own.
    return veil.hide("\n".join([f"window: {screen.window[:MOST_LETTERS]}", *lines[:MOST_ITEMS], *left_out]))


def _told(screen: Screen) -> Iterator[str]:
    if not screen.nodes:
        yield from (f'{item.role} "{short(item.title)}"' for item in items_of(screen) if item.title)
        return
    held = {node.rect: node for node in screen.nodes if node.value or node.states}
    for item in labelled_fields(tree_items(screen.nodes)):
        node = held.get(item.rect)
        value = f' holds "{short(node.value)}"' if node and node.value else ""
        states = f" ({', '.join(sorted(node.states))})" if node and node.states else ""
        if item.front and (item.title or value):
            yield f'{item.role} "{short(item.title)}"{value}{states}'
