"""Settings of the literature tool."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LiteratureOptions(BaseModel):
    """How literature is found. All numbers are our choice unless their source is named.

    Attributes:
        sources: which are asked, in this order: `local` never leaves the machine, `pubmed` and `europepmc` do.
        contact: an e-mail address that remote sources are told, as NCBI and Europe PMC ask for; needed to ask them.
        api_key: a key of NCBI's, which allows more requests a second.
        offline: answer remote requests from the cache alone; what is not in it is an error.
        cache_days: how long an answer of a remote source is taken from the cache.
        known: details of the session that never leave, such as a patient's name, birth date and number.
        send_unasked: let queries leave for remote sources without a person's yes, as in a run that nobody watches; one
            in which a name is suspected is still not sent.
        pubmed_url, europepmc_url: base addresses of the services, or of an institution's mirrors or proxies of them.
        phi: how strictly outgoing queries are searched for personal details (see `tools.privacy`).
        chroma: address of a Chroma server that keeps the vectors; by default they lie in SQLite.
        embedder: `minilm`, the bundled one, or `medcpt:FOLDER`, a folder with MedCPT's two encoders.
        reranker: a folder with a cross-encoder that reads the first documents again; empty for none.
        limit: documents that a search returns.
        diversity: how far documents that are much like better ones are set back, 0 (not at all) to 1 (see
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
