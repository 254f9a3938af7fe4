"""Finding what an instruction means on a screen: by the accessibility tree, or by words and icons."""

from tools.gui.grounding.instruction import Wanted, read_instruction
from tools.gui.grounding.locate import LAYERS, PIXELS, locate

__all__ = ["LAYERS", "PIXELS", "Wanted", "locate", "read_instruction"]
