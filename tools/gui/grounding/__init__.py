"""Finding what an instruction means on a screen: by tree, words and icons, a model, and likelihood."""

from tools.gui.grounding.locate import LAYERS, PIXELS, SURE, ask_model, likely, locate
from tools.gui.grounding.parse import Wanted, read_instruction
from tools.gui.grounding.vlm import Ask, Pointed, Question, Reply

__all__ = [
    "LAYERS",
    "PIXELS",
    "SURE",
    "Ask",
    "Pointed",
    "Question",
    "Reply",
    "Wanted",
    "ask_model",
    "likely",
    "locate",
    "read_instruction",
]
