"""Papers of a run: those that cases cite, by id, and a search over all of them or over a corpus of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evals.suites.corpora import Brought, Papers
from evals.suites.cure.leaks import BLOCKED
from tools.literature.types import Document


@dataclass(frozen=True)
class Library:
    """Papers, and how they are searched.

    Attributes:
        documents: by id.
        papers: the searched papers.
        blocked: hosts whose papers are never shown.
    """

    documents: Mapping[str, Document]
    papers: Papers
    blocked: tuple[str, ...] = field(default=BLOCKED)

    async def search(self, query: str, limit: int) -> Brought:
        """Find at most `limit` papers; none for a query without words.

        Raises:
            DataError, StoreError: as `Papers.search`.
        """
        return await self.papers.search(query, limit) if any(map(str.isalnum, query)) else Brought()

    def search_now(self, query: str, limit: int) -> Brought:
        """Search like `search`, from a thread that may block."""
        return self.papers.search_now(query, limit) if any(map(str.isalnum, query)) else Brought()
