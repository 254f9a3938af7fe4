"""Library: the configured literature sources, opened together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.config import Config, literature_folder
from agent.literature.embedders import cross_encoder, embedder
from tools.errors import ConfigError, StoreError
from tools.literature.index.vectors import Embed
from tools.literature.retrieval.retrieve import NO_FILTERS, Rerank, Retrieved, retrieve
from tools.literature.types import Filters, Source

if TYPE_CHECKING:
    from tools.literature.remote import Allow, Show

REMOTE = "remote"
"""Subfolder of the corpus with cached answers of remote sources."""


@dataclass(frozen=True)
class Library:
    """Sources and search settings.

    Attributes:
        sources: in search order.
        embed: embeds questions; None if the corpus has no vectors, or dense search is off.
        rerank: rescores the top documents; None if no cross-encoder is configured.
        limit: number of documents per search.
        diversity: penalty for documents similar to higher-ranked ones.
    """

    sources: tuple[Source, ...]
    embed: Embed | None
    rerank: Rerank | None
    limit: int
    diversity: float

    def retrieve(self, question: str, *, limit: int | None = None, filters: Filters = NO_FILTERS) -> Retrieved:
        """See `tools.literature.retrieval.retrieve.retrieve`."""
        return retrieve(
            question, self.sources, limit=limit or self.limit, filters=filters, embed=self.embed, rerank=self.rerank,
            diversity=self.diversity,
        )  # fmt: skip


def describe(config: Config) -> str:
    """Describe in one line what is indexed, and which remote sources are searched too.

    Raises:
        ConfigError: if the embedding model or a configured cross-encoder is missing.
        StoreError: if the corpus cannot be read, or is not completely indexed.
    """
    from tools.literature.index.corpus import open_corpus

    with open_corpus(literature_folder(config)) as corpus:
        status = corpus.status()
    if status.embedded:
        embedder(status.model)
    if config.literature.reranker:
        cross_encoder(config.literature.reranker)
    if status.waiting:
        raise StoreError(
            f"{status.waiting} of {status.documents} documents are not in the word index yet.",
            remedy="Run `attend literature index PATH` again.",
        )
    by_meaning = f", {status.embedded} of them also by meaning ({status.model})" if status.embedded else ""
    remote = [name for name in config.literature.sources if name != "local"]
    asked = f"; {', '.join(remote)} searched too" if remote else ""
    return f"{status.documents} documents{by_meaning}, in {status.folder}{asked}"


@contextmanager
def open_library(
    config: Config,
    *,
    names: Sequence[str] = (),
    dense: bool = True,
    allow: Allow | None = None,
    show: Show | None = None,
) -> Iterator[Library]:
    """Open the configured sources.

    Args:
        config: the settings.
        names: sources to open instead of the configured ones.
        dense: also search by meaning, if the corpus has vectors, with the model that it was indexed with.
        allow, show: see `tools.literature.remote.open_remote`.

    Raises:
        ConfigError: if a source is unknown, or a setting that it needs is missing.
        StoreError: if nothing is indexed, or a folder cannot be read.
    """
    options = config.literature
    sources: list[Source] = []
    embed: Embed | None = None
    with ExitStack() as stack:
        for name in dict.fromkeys(names or options.sources):
            if name == "local":
                corpus, embed = _open_corpus(config, dense, stack)
                sources.append(corpus)
            elif name in ("pubmed", "europepmc"):
                from tools.literature.remote import open_remote

                folder = literature_folder(config) / REMOTE
                remote = open_remote(name, options, folder, allow, show=show)
                sources.append(stack.enter_context(closing(remote)))
            else:
                raise ConfigError(f"unknown source {name!r}.", expected="local, pubmed or europepmc")
        rerank = cross_encoder(options.reranker) if options.reranker else None
        yield Library(tuple(sources), embed, rerank, options.limit, options.diversity)


def _open_corpus(config: Config, dense: bool, stack: ExitStack) -> tuple[Source, Embed | None]:
    from tools.literature.index.corpus import open_corpus
    from tools.literature.index.vector_export import embedder_of

    corpus = stack.enter_context(open_corpus(literature_folder(config)))
    model = embedder_of(corpus) if dense else ""
    if not model:
        return corpus, None
    embed = embedder(model).questions
    if config.literature.chroma is None:
        return corpus, embed
    from agent.literature.chroma_index import ChromaCorpus

    return stack.enter_context(closing(ChromaCorpus(corpus, config.literature.chroma))), embed
