"""Embedders and cross-encoders for questions and documents, loaded on first use.

`minilm` is bundled. `medcpt:FOLDER` is a folder with MedCPT's two encoders (Jin et al., Bioinformatics 2023) under
their original names: one for questions of at most 64 tokens and one for articles of at most 512; the vector is that
of the first token. The authors compare them by inner product; here they are normalised to unit length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tools.errors import ConfigError
from tools.literature.index.vectors import Embed
from tools.literature.retrieval.retrieve import Rerank

MINILM, MEDCPT = "minilm", "medcpt"
QUERIES, ARTICLES = "MedCPT-Query-Encoder", "MedCPT-Article-Encoder"
QUERY_TOKENS, ARTICLE_TOKENS = 64, 512
BATCH = 32
"""Batch size in texts."""


@dataclass(frozen=True)
class Embedder:
    """An embedding model: its name, and functions that embed questions and documents."""

    name: str
    questions: Embed
    documents: Embed


def embedder(name: str) -> Embedder:
    """Return the embedder of a name, without loading it.

    Raises:
        ConfigError: if the name is unknown, or its folder is incomplete.
    """
    if name == MINILM:
        return Embedder(name, _minilm_questions, _minilm)
    kind, _, folder = name.partition(":")
    if kind != MEDCPT or not folder:
        raise ConfigError(
            f"unknown embedder {name!r}.", expected=f"{MINILM!r} or '{MEDCPT}:FOLDER'", remedy="Correct the setting."
        )
    place = Path(folder).expanduser()
    for part in (QUERIES, ARTICLES):
        if not (place / part / "config.json").is_file():
            raise ConfigError(
                f"cannot find {str(place / part)!r} for the embedder {name!r}.",
                expected=f"a folder with {QUERIES} and {ARTICLES}",
                remedy="Download both from their authors, or use the embedder 'minilm'.",
            )
    return Embedder(
        name,
        lambda texts: _first_token(str(place / QUERIES), texts, QUERY_TOKENS),
        lambda texts: _first_token(str(place / ARTICLES), texts, ARTICLE_TOKENS),
    )


def cross_encoder(folder: str) -> Rerank:
    """Return a function that scores texts for a question, from a folder for sentence-transformers' `CrossEncoder`.

    Raises:
        ConfigError: if the folder does not contain a model.
    """
    place = Path(folder).expanduser()
    if not (place / "config.json").is_file():
        raise ConfigError(
            f"cannot find a cross-encoder in {folder!r}.",
            expected="a folder with config.json, weights and tokenizer",
            remedy="Download one, such as MedCPT-Cross-Encoder, or leave the setting out.",
        )

    def rerank(question: str, texts: list[str]) -> Sequence[float]:
        scores = _cross_encoder(str(place)).predict([(question, text) for text in texts], batch_size=BATCH)
        return [float(score) for score in np.asarray(scores).reshape(-1)]

    return rerank


def _minilm_questions(texts: list[str]) -> np.ndarray:
    from agent.models.sentence_encoder import embed_questions

    return embed_questions(texts)


def _minilm(texts: list[str]) -> np.ndarray:
    from agent.perception.annotator import embed_texts

    return embed_texts(texts)


def _first_token(folder: str, texts: list[str], most_tokens: int) -> np.ndarray:
    import torch

    tokenizer, model = _encoder(folder)
    parts = []
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(
            texts[start : start + BATCH], truncation=True, padding=True, max_length=most_tokens, return_tensors="pt"
        )
        with torch.inference_mode():
            parts.append(model(**batch).last_hidden_state[:, 0].float().numpy())
    vectors = np.concatenate(parts)
    return (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)).astype(np.float32)


@cache
def _encoder(folder: str) -> tuple[Any, Any]:
    from transformers import AutoModel, AutoTokenizer

    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


@cache
def _cross_encoder(folder: str) -> Any:
    from sentence_transformers import CrossEncoder

    return CrossEncoder(folder, device="cpu")
