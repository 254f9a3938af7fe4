"""A GGUF file in llama.cpp: loading, token ids, and generation that keeps the beginning of the last prompt.

The C functions of llama.cpp are called directly. Tokens are chosen here: an error inside llama.cpp's own samplers ends
the process.
"""

from __future__ import annotations

import os
import platform
import threading
import weakref
from collections import deque
from collections.abc import Callable, Generator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import ModelError
from tools.extras import require

DISTRIBUTION = "llama-cpp-py-sync"
BATCH = 32
"""Tokens of a prompt that are read at once. Only whole batches are kept for the next prompt, so that numbers are
rounded in the same way whether or not some are kept; between two batches an answer can be cancelled."""
MAX_CONTEXT = 8192
"""Longest context in tokens: the memory for it grows with it, and a core reads about 30 tokens a second."""
TOP_K = 40
"""Tokens that are drawn from where the temperature is above 0."""
SPARE_BYTES = 256 << 20
"""Memory beside the weights and the context that llama.cpp computes in."""
START, END = "<|im_start|>", "<|im_end|>"
_SHOWN = ("<tool_call>", "</tool_call>", "<think>", "</think>")
"""Tokens that belong to the text of an answer even where the file calls them control tokens."""
_MAGIC = b"GGUF"
_ERROR_LEVEL = 4


@lru_cache(maxsize=1)
def shared_runtime(path: Path, changed_ns: int) -> Runtime:
    """Return the one loaded model of a file, for all that use it; `changed_ns` is the time of its last change.

    Raises:
        ModelError: see `Runtime`.
    """
    return Runtime(path)


class Runtime:
    """A loaded model with one conversation in its memory; answers are generated one after the other.

    Args:
        path: the GGUF file.

    Raises:
        MissingExtra: if llama-cpp-py-sync is not installed.
        ModelError: if the file is missing, damaged or too large for the memory, or its model does not speak ChatML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ffi, self._lib, self._log = load_library()
        self._kept: list[int] = []
        self.busy = threading.Lock()
        _check_file(path)
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = 0
        self._log.clear()
        model = self._lib.llama_model_load_from_file(os.fsencode(path), params)
        if model == self._ffi.NULL:
            raise self._cannot("load", "Get the file anew, and compare its SHA-256 with the publisher's.")
        weakref.finalize(self, self._lib.llama_model_free, model)
        self._model = model
        self._vocab = self._lib.llama_model_get_vocab(model)
        self.vocab_size = int(self._lib.llama_vocab_n_tokens(self._vocab))
        self.architecture = self._meta("general.architecture")
        self.context_tokens = min(int(self._lib.llama_model_n_ctx_train(model)), MAX_CONTEXT)
        self._check_model()
        self._open_context()
        self._shown = {ids[0] for text in _SHOWN if len(ids := self.tokens(text, control=True)) == 1}

    def _check_model(self) -> None:
        lib, model = self._lib, self._model
        if lib.llama_model_has_encoder(model) or lib.llama_model_is_diffusion(model) or not self.speaks_chatml():
            raise ModelError(
                f"the model in {str(self.path)!r} ({self.architecture}) is not one that converses in ChatML.",
                expected=f"a GGUF file of a chat model with the tokens {START} and {END}, such as Qwen2.5 Instruct",
                remedy="Serve other models with llama-server, and name it openai:MODEL@http://HOST:PORT/v1.",
            )

    def speaks_chatml(self) -> bool:
        """Whether the vocabulary has the control tokens of ChatML."""
        return all(
            len(ids := self.tokens(mark, control=True)) == 1 and self._lib.llama_vocab_is_control(self._vocab, ids[0])
            for mark in (START, END)
        )

    def _open_context(self) -> None:
        params = self._lib.llama_context_default_params()
        params.n_ctx = self.context_tokens
        params.n_batch = params.n_ubatch = BATCH
        params.n_threads = params.n_threads_batch = 1
        self._log.clear()
        context = self._lib.llama_init_from_model(self._model, params)
        if context == self._ffi.NULL:
            raise self._cannot("open a context for", "Close other programs, or choose a smaller model.")
        weakref.finalize(self, self._lib.llama_free, context)  # the later finalizer runs first at the end
        self._context = context

    def _cannot(self, verb: str, remedy: str) -> ModelError:
        reason = f": {self._log[0]}" if self._log else ""
        return ModelError(f"llama.cpp cannot {verb} {str(self.path)!r}{reason}.", remedy=remedy)

    def _meta(self, key: str) -> str:
        buffer = self._ffi.new("char[256]")
        length = self._lib.llama_model_meta_val_str(self._model, key.encode(), buffer, 256)
        return self._ffi.string(buffer).decode("utf-8", "replace") if length >= 0 else ""

    def tokens(self, text: str, *, control: bool = False) -> list[int]:
        """Return the token ids of a text; its control tokens are read as such only where `control` is set."""
        data = text.encode("utf-8")
        room = len(data) + 8
        buffer = self._ffi.new("llama_token[]", room)
        count = self._lib.llama_tokenize(self._vocab, data, len(data), buffer, room, False, control)
        return self._ffi.unpack(buffer, count) if count else []

    def piece(self, token: int) -> bytes:
        """Return the text of a token in UTF-8, of which it may be a part; empty for control tokens."""
        buffer = self._ffi.new("char[]", 256)
        count = self._lib.llama_token_to_piece(self._vocab, token, buffer, 256, 0, token in self._shown)
        return bytes(self._ffi.buffer(buffer, max(count, 0)))

    def ends(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return bool(self._lib.llama_vocab_is_eog(self._vocab, token))

    def kept_of(self, prompt: Sequence[int]) -> int:
        """Return how many tokens at the beginning of a prompt are in memory already."""
        same = next((at for at, (old, new) in enumerate(zip(self._kept, prompt, strict=False)) if old != new), None)
        same = min(len(self._kept), len(prompt)) if same is None else same
        return min(same, len(prompt) - 1) // BATCH * BATCH

    def generate(
        self, prompt: list[int], max_tokens: int, choose: Callable[[np.ndarray], int]
    ) -> Generator[int | None]:
        """Yield the token ids of an answer, the one that ends it included; None between the batches of the prompt.

        Generation stops when this iterator is closed. The caller holds `busy`.

        Args:
            prompt: token ids; with `max_tokens` they fit the context.
            max_tokens: the most tokens of the answer.
            choose: returns a token by the logits (vocabulary,), which it may change.

        Raises:
            ModelError: if llama.cpp fails.
        """
        threads = idle_threads()
        self._lib.llama_set_n_threads(self._context, threads, threads)
        at = self.kept_of(prompt)
        if not self._lib.llama_memory_seq_rm(self._lib.llama_get_memory(self._context), 0, at, -1):
            self._forget()  # memory of another kind than attention cannot be shortened
            at = 0
        self._kept = prompt[:at]
        while True:
            batch = prompt[at : at + BATCH]
            self._decode(batch)
            self._kept += batch
            at += len(batch)
            if at >= len(prompt):
                break
            yield None
        for left in range(max_tokens, 0, -1):
            token = choose(self._logits())
            yield token
            if left == 1 or self.ends(token):
                return
            self._decode([token])

    def _decode(self, tokens: list[int]) -> None:
        self._log.clear()
        data = self._ffi.new("llama_token[]", tokens)
        code = self._lib.llama_decode(self._context, self._lib.llama_batch_get_one(data, len(tokens)))
        if code:
            self._forget()
            raise self._cannot("go on with", "Ask again; with less memory in use, or a shorter question.")

    def _forget(self) -> None:
        self._lib.llama_memory_clear(self._lib.llama_get_memory(self._context), True)
        self._kept = []

    def _logits(self) -> np.ndarray:
        row = self._lib.llama_get_logits_ith(self._context, -1)
        return np.frombuffer(self._ffi.buffer(row, 4 * self.vocab_size), np.float32).copy()


def chooser(temperature: float, seed: int | None) -> Callable[[np.ndarray], int]:
    """Return a function that takes the likeliest token at temperature 0, and else draws one of the likeliest."""
    if temperature == 0:
        return lambda logits: int(logits.argmax())
    random = np.random.default_rng(seed)

    def draw(logits: np.ndarray) -> int:
        likeliest = np.argsort(-logits, kind="stable")[:TOP_K]
        weights = np.exp((logits[likeliest] - logits[likeliest[0]]).astype(np.float64) / temperature)
        return int(random.choice(likeliest, p=weights / weights.sum()))

    return draw


def idle_threads() -> int:
    """Return how many processors are idle now, at least 1: on a busy machine more threads are slower than one."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else there - 1.0
    return max(1, round(there - load - 0.2))


@cache
def load_library() -> tuple[Any, Any, deque[str]]:
    """Return cffi's interface, the library of llama.cpp, and the error messages since it was last cleared.

    Raises:
        MissingExtra: if llama-cpp-py-sync is not installed.
        ModelError: if its library cannot be loaded here.
    """
    bindings = require("llama_cpp_py_sync._cffi_bindings", extra="mind")
    if not _has_avx2():
        raise ModelError(
            f"the package {DISTRIBUTION!r} needs a processor with AVX2.",
            remedy="Serve the model with a llama-server built for this machine, and name it openai:MODEL@URL.",
        )
    try:
        ffi, lib = bindings.get_ffi(), bindings.get_lib()
    except RuntimeError as error:
        raise ModelError(f"the library of llama.cpp cannot be loaded: {error}.") from error
    errors: deque[str] = deque(maxlen=8)

    def note(level: int, text: Any, _data: Any) -> None:
        if level == _ERROR_LEVEL:
            errors.append(ffi.string(text).decode("utf-8", "replace").strip())

    _KEPT_ALIVE.append(callback := ffi.callback("ggml_log_callback", note))
    lib.llama_log_set(callback, ffi.NULL)
    lib.llama_backend_init()
    return ffi, lib, errors


_KEPT_ALIVE: list[Any] = []
"""Functions that llama.cpp may call at any time."""


def _has_avx2() -> bool:
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        return " avx2 " in Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return True  # another system than Linux does not say


def _check_file(path: Path) -> None:
    """Refuse what llama.cpp would not explain: no file, no GGUF, and weights that do not fit the memory."""
    import psutil

    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ModelError(f"cannot read the model {str(path)!r}: {error.strerror}.", expected="a GGUF file") from error
    if magic != _MAGIC:
        raise ModelError(f"{str(path)!r} is not a GGUF file.", expected="a file that begins with GGUF")
    needed, free = size + SPARE_BYTES, psutil.virtual_memory().available
    if needed > free:
        raise ModelError(
            f"the model {str(path)!r} needs {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free.",
            remedy="Close other programs, or choose a smaller model.",
        )
