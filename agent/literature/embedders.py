"""Models that make vectors of questions and documents, and read pairs of them again; loaded on first use.

`minilm` comes with the packages. `medcpt:FOLDER` is a folder with MedCPT's two encoders (Jin et al., Bioinformatics
2023), named as by its authors: one for questions, of at most 64 tokens, and one for articles, of at most 512; the
vector is that of the first token. There they are compared by inner product; unit length is our choice here.
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
"""Texts that a model reads at once; our choice."""


@dataclass(frozen=True)
class Embedder:
    """A model by name, with what makes vectors of questions, and of documents."""

    name: str
    questions: Embed
    documents: Embed


def embedder(name: str) -> Embedder:
    """The model of a name. Nothing is loaded yet.

    Raises:
        ConfigError: if there is none of this name, or its folder lacks something.
    """
    if name == MINILM:
        return Embedder(name, _minilm_questions, _minilm)
    kind, _, folder = name.partition(":")
    if kind != MEDCPT or not folder:
        raise ConfigError(
            f"there is no embedder {name!r}.", expected=f"{MINILM!r} or '{MEDCPT}:FOLDER'", remedy="Mend the setting."
        )
    place = Path(folder).expanduser()
    for part in (QUERIES, ARTICLES):
        if not (place / part / "config.json").is_file():
            raise ConfigError(
                f"the embedder {name!r} lacks {str(place / part)!r}.",
                expected=f"a folder with {QUERIES} and {ARTICLES}",
                remedy="Download both from their authors, or use the embedder 'minilm'.",
            )
    return Embedder(
        name,
        lambda texts: _first_token(str(place / QUERIES), texts, QUERY_TOKENS),
        lambda texts: _first_token(str(place / ARTICLES), texts, ARTICLE_TOKENS),
    )


def cross_encoder(folder: str) -> Rerank:
    """What scores pairs of a question and a text, of a folder that sentence-transformers' `CrossEncoder` can open.

    Raises:
        ConfigError: if the folder holds no model.
    """
    place = Path(folder).expanduser()
    if not (place / "config.json").is_file():
        raise ConfigError(
            f"{folder!r} holds no cross-encoder.",
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
