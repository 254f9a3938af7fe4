"""`embedded`: the small multimodal model whose weights arrive as Python packages; no key, no GPU, no download.

Language: SmolLM2-135M-Instruct. Sight: EfficientNet-Lite2, as visual tokens and as evidence. Words: RapidOCR. It names
things, reads, tells times and changes, and says when it cannot tell; it is no substitute for a large model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.models.embedded.perception import embed_image, labels

if TYPE_CHECKING:
    from agent.models.embedded.backend import Embedded
    from agent.models.options import ModelOptions


def load_embedded(options: ModelOptions) -> Embedded:
    """Load the embedded model: about ten seconds the first time, then under five.

    Raises:
        ModelError: if a weights package is missing or the device is not available.
    """
    from agent.models.embedded.backend import Embedded

    return Embedded(options=options)


__all__ = ["embed_image", "labels", "load_embedded"]
