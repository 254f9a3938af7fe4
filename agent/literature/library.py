"""`Library`: the sources that the settings name, opened together, for commands, the chat and programs."""

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
"""In the folder of the corpus: what remote sources answered."""


@dataclass(frozen=True)
class Library:
    """Sources, and how they are asked.

    Attributes:
        sources: in the order in which they are asked.
        embed: makes vectors of questions; None where the corpus has none, or none are wanted.
        rerank: reads the first documents again; None where no cross-encoder is set.
        limit: documents of a search.
        diversity: how far documents like better ones are set back.
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
    """What is indexed, in a line, and where queries go beside it.

    Raises:
        ConfigError: if the model that it was embedded with, or a cross-encoder that is set, is not there.
        StoreError: if it cannot be read, or waits to be indexed.
    """
    from tools.literature.index.corpus import open_corpus

    with open_corpus(literature_folder(config)) as corpus:
        held = corpus.status()
    if held.embedded:
        embedder(held.model)
    if config.literature.reranker:
        cross_encoder(config.literature.reranker)
    if held.waiting:
        raise StoreError(
            f"{held.waiting} of {held.documents} documents are not in the index of words yet.",
            remedy="Run `attend literature index PATH` again.",
        )
    by_meaning = f", {held.embedded} of them found by meaning ({held.model})" if held.embedded else ""
    remote = [name for name in config.literature.sources if name != "local"]
    asked = f"; {', '.join(remote)} are asked, too" if remote else ""
    return f"{held.documents} documents{by_meaning}, in {held.folder}{asked}"


@contextmanager
def open_library(
    config: Config,
    *,
    names: Sequence[str] = (),
    dense: bool = True,
    allow: Allow | None = None,
    show: Show | None = None,
) -> Iterator[Library]:
    """Open the sources.

    Args:
        config: which ones, and how.
        names: sources by name, in place of those of the settings.
        dense: search by meaning, too, where the corpus has vectors; they are made by the model that it was indexed
            with.
        allow, show: see `tools.literature.remote.open_remote`.

    Raises:
        ConfigError: if there is no source of a name, or a setting that one needs is missing.
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
                raise ConfigError(f"there is no source {name!r}.", expected="local, pubmed or europepmc")
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
    from agent.literature.chroma_index import Served

    return stack.enter_context(closing(Served(corpus, config.literature.chroma))), embed
