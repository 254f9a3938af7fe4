"""`embedded`: the small multimodal model whose weights arrive as Python packages; no key, no GPU, no download.

Language: SmolLM2-135M-Instruct. Sight: EfficientNet-Lite2, as visual tokens and as evidence. Words: RapidOCR. It names
things, reads, tells times and changes, and says when it cannot tell; it is no substitute for a large model.
"""
