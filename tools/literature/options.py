"""Settings of the literature tool."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LiteratureOptions(BaseModel):
    """Settings of the search. All numbers are our choice unless their source is named.

    Attributes:
        sources: the sources to search, in this order: `local` never leaves the machine, `pubmed` and `europepmc` do.
        contact: e-mail address sent to remote sources, as NCBI and Europe PMC request; required for them.
        api_key: an NCBI key, which allows more requests per second.
        offline: answer remote requests only from the cache; anything else is an error.
        cache_days: how long an answer of a remote source stays in the cache.
        known: details of the session that never leave, such as a patient's name, birth date and number.
        send_unasked: let queries leave for remote sources without a person's consent, as in unattended runs; a query
            with a suspected name is still not sent.
        pubmed_url, europepmc_url: base URLs of the services, or of an institution's mirrors or proxies.
        phi: strictness of the search for personal details in outgoing queries (see `tools.privacy`).
        chroma: URL of a Chroma server for the vectors; by default they are in SQLite.
        embedder: `minilm`, the bundled one, or `medcpt:FOLDER`, a folder with MedCPT's two encoders.
        reranker: a folder with a cross-encoder that reranks the first documents; empty for none.
        limit: number of documents that a search returns.
        diversity: penalty for documents similar to better ones, 0 (none) to 1 (see
            `tools.literature.retrieval.rank_fusion.mmr`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[Literal["local", "pubmed", "europepmc"], ...] = ("local",)
    contact: str = ""
    api_key: str = Field(default="", repr=False)
    offline: bool = False
    cache_days: float = Field(default=30.0, ge=0)
    known: tuple[str, ...] = Field(default=(), repr=False)
    send_unasked: bool = False
    pubmed_url: str = "https://eutils.ncbi.nlm.nih.gov/entrez/eutils"
    europepmc_url: str = "https://www.ebi.ac.uk/europepmc/webservices/rest"
    phi: Literal["on", "strict"] = "on"
    chroma: str | None = None
    embedder: str = "minilm"
    reranker: str = ""
    limit: int = Field(default=10, ge=1, le=200)
    diversity: float = Field(default=0.0, ge=0, le=1)
