"""Finding what an instruction means on a screen: by tree, words, icons and a model."""

from tools.gui.grounding.locate import LAYERS, PIXELS, ask_model, locate
from tools.gui.grounding.parse import Wanted, read_instruction
from tools.gui.grounding.vlm import Ask, Pointed, Question, Reply

__all__ = [
    "LAYERS",
    "PIXELS",
    "Ask",
    "Pointed",
    "Question",
    "Reply",
    "Wanted",
    "ask_model",
    "locate",
    "read_instruction",
]
