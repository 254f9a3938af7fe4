"""Finding what an instruction means on a screen: by the accessibility tree, by words and icons, or by a model."""

from tools.gui.grounding.instruction import Wanted, read_instruction
from tools.gui.grounding.locate import LAYERS, PIXELS, Ask, locate

__all__ = ["LAYERS", "PIXELS", "Ask", "Wanted", "locate", "read_instruction"]
