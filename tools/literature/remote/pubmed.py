"""PubMed source, by NCBI's E-utilities: `esearch` for ids, best first, and `efetch` for their records.

All requests are sent by POST, so that neither key nor query is part of a URL. Records are cached one by one, so that
searches share them. Facts about the service are from NCBI's E-utilities documentation.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tools.errors import StoreError
from tools.extras import require
from tools.literature.readers.medline import ARTICLE_TAGS, SAFE, ArticleError, read_article
from tools.literature.remote.client import RemoteError, TryAgain
from tools.literature.remote.source import Remote, Syntax, problem, ranked, sendable
from tools.literature.types import Document, Filters, Found, Hit, Problem
from tools.privacy.egress import GateError

etree = require("lxml.etree", extra="literature")

NAME = "pubmed"
RATE, RATE_WITH_KEY = 2.5, 8.0
"""Requests per second; NCBI allows 3 without a key and 10 with one."""
MAX_HITS = 10_000
"""PubMed's maximum number of results of a search."""
BATCH = 200
"""Records per request; NCBI requires POST from here on."""
MISSING_FOR_S = 86_400.0
"""Time for which a missing record is cached as missing."""


@dataclass(frozen=True, slots=True)
class _Search:
    pmids: tuple[str, ...]
    count: int
    notes: tuple[str, ...]


class PubMed(Remote):
    """PubMed as a source; see `tools.literature.types.Source`. Use it as a context, or `close` it.

    Args:
        client: the client of the server.
    """

    name = NAME
    syntax = Syntax(
        years='("{:04}"[dp] : "{:04}"[dp])',
        publication_type="{}[pt:noexp]",
        mesh="{}[mh:noexp]",
        retracted='"retracted publication"[pt]',
    )

    def search(self, query: str, limit: int, filters: Filters) -> Found:
        """Find at most `limit` documents, in PubMed's order of relevance.

        The query may use PubMed's syntax. Before it leaves, patient details are removed from it, and a person is asked
        (`tools.privacy.egress`). Raises nothing for a server's faults, or for what may not be sent.
        """
        if limit < 1:
            return Found()
        try:
            term = self._term(query, filters)
            params = {"db": NAME, "term": term, "retmode": "json", "sort": "relevance", "retstart": "0"}
            params["retmax"] = str(min(limit, MAX_HITS))
            found = self._client.ask("esearch.fcgi", params, _read_search, said=term)
        except (GateError, RemoteError, StoreError) as error:
            return Found(problems=(problem(NAME, error),))
        problems = [Problem(source=NAME, reason=note) for note in found.notes]
        if limit > MAX_HITS and found.count > MAX_HITS:
            problems.append(
                Problem(
                    source=NAME,
                    reason=f"{found.count} documents match, but PubMed gives only the first {MAX_HITS} of a search. "
                    "Search year by year for all.",
                )
            )
        documents, more = self._records(found.pmids[:limit])
        hits = ranked(NAME, [documents[pmid] for pmid in found.pmids if pmid in documents], filters, limit)
        return Found(hits=hits, problems=(*problems, *more))

    def fetch(self, ids: Sequence[str]) -> Found:
        """Fetch documents by ids such as `pmid:28612165`, in this order; a problem lists the missing ones."""
        try:
            unhidden, problems = sendable(self._client.gate, NAME, ids)
        except GateError as error:
            return Found(problems=(problem(NAME, error, ids),))
        asked = {id_: _pmid(id_) for id_ in unhidden}
        strange = [id_ for id_, pmid in asked.items() if not pmid]
        if strange:
            reason = f"unknown kind of id {strange[0]!r:.60}: PubMed takes ids such as 'pmid:28612165'."
            problems.append(Problem(source=NAME, reason=reason, ids=tuple(strange)))
        wanted = [pmid for pmid in dict.fromkeys(asked.values()) if pmid]
        documents, more = self._records(wanted)
        found = [documents[pmid] for pmid in wanted if pmid in documents]
        hits = tuple(Hit(document=document, score=1 / rank) for rank, document in enumerate(found, start=1))
        return Found(hits=hits, problems=(*problems, *more))

    def _records(self, pmids: Sequence[str]) -> tuple[dict[str, Document], list[Problem]]:
        """Return the available documents, by id, and why the others are missing."""
        documents: dict[str, Document] = {}
        lacking, nowhere, problems = list[str](), list[str](), list[Problem]()
        try:
            for pmid, body in self._cached(pmids).items():
                if body == b"":
                    nowhere.append(pmid)
                elif body is None or (document := _cached_document(body)) is None:
                    lacking.append(pmid)
                else:
                    documents[pmid] = document
        except StoreError as error:
            return {}, [problem(NAME, error, _ids(pmids))]
        while lacking:
            batch, lacking = lacking[:BATCH], lacking[BATCH:]
            absent: list[str] = []
            try:
                answer = self._ask(batch)
                absent = [pmid for pmid in batch if pmid not in answer]
            except (GateError, RemoteError, StoreError) as error:
                answer = getattr(error, "partial", None) or {}
                lost = [pmid for pmid in batch if pmid not in answer]
                if not getattr(error, "bad_request", False):  # the rest would fare no better
                    lost, lacking = lost + lacking, []
                problems.append(problem(NAME, error, _ids(lost)))
            if strays := answer.keys() - set(batch):
                reason = f"PubMed also sent {len(strays)} unrequested records, which are left out."
                problems.append(Problem(source=NAME, reason=reason, ids=_ids(sorted(strays))))
            brought = {pmid: answer[pmid] for pmid in batch if pmid in answer}
            documents |= {pmid: record.document for pmid, record in brought.items()}
            nowhere += absent
            try:
                self._client.keep([(_request(pmid), record.body) for pmid, record in brought.items()])
                self._client.keep([(_request(pmid), b"") for pmid in absent])
            except StoreError as error:
                problems.append(problem(NAME, error))
        if nowhere:
            reason = f"PubMed has no record of {len(nowhere)} of the ids."
            problems.append(Problem(source=NAME, reason=reason, ids=_ids(nowhere)))
        return documents, problems

    def _cached(self, pmids: Sequence[str]) -> dict[str, bytes | None]:
        """Return the cached records: None, a record, or an empty one if PubMed recently had none."""
        client = self._client
        bodies = dict(zip(pmids, client.held([_request(pmid) for pmid in pmids]), strict=True))
        empty = [pmid for pmid, body in bodies.items() if body == b""]
        return bodies | dict(zip(empty, client.held([_request(pmid) for pmid in empty], MISSING_FOR_S), strict=True))

    def _ask(self, batch: Sequence[str]) -> dict[str, _Record]:
        ids = _ids(batch)
        said, short = "records of " + ", ".join(ids), "records of " + ", ".join(ids[:3])
        if len(ids) > 3:
            short += f" and {len(ids) - 3} more"
        params = {"db": NAME, "id": ",".join(batch), "rettype": "abstract", "retmode": "xml"}
        return self._client.ask("efetch.fcgi", params, _read_records, said=said, short=short, keep=False)


@dataclass(frozen=True, slots=True)
class _Record:
    document: Document
    body: bytes


def _cached_document(body: bytes) -> Document | None:
    """Return the document of a cached record; None if an older version stored what this one cannot read."""
    try:
        (record,) = _read_records(body).values()
    except (TryAgain, ValueError):
        return None
    return record.document


def _request(pmid: str) -> dict[str, str]:
    return {"source": NAME, "record": pmid}


def _ids(pmids: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"pmid:{pmid}" for pmid in pmids)


def _pmid(id_: str) -> str:
    """Return the number in an id, without leading zeros; empty if it is not PubMed's."""
    found = re.fullmatch(r"(?:pmid:)?0*([1-9][0-9]{0,8})", id_.strip(), re.IGNORECASE)
    return found[1] if found else ""


def _read_search(body: bytes) -> _Search:
    """Return the ids of a search. Raises TryAgain."""
    try:
        # PubMed repeats the query with its raw line breaks, which strict JSON forbids.
        answer = json.loads(body, strict=False)
        result = answer.get("esearchresult", {})
        error = answer.get("error") or result.get("ERROR")
        if error:
            busy = "rate limit" in str(error)
            raise TryAgain(f"the server cannot search: {str(error)[:200]}", busy=busy)
        pmids = tuple(dict.fromkeys(str(pmid) for pmid in result["idlist"]))
        if not all(map(_pmid, pmids)):
            raise TryAgain("the server sent invalid ids")
        return _Search(pmids, int(result["count"]), tuple(_notes(result)))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TryAgain(f"the server sent an unreadable answer to a search: {body[:80]!r}") from error


def _notes(result: dict[str, Any]) -> Iterator[str]:
    """Yield the parts of a query that PubMed did not use."""
    for holder, key, reason in (
        ("errorlist", "phrasesnotfound", "PubMed does not know, and left out"),
        ("errorlist", "fieldsnotfound", "PubMed has no such field, and left it out"),
        ("warninglist", "quotedphrasesnotfound", "PubMed does not know this phrase, and searched for its words"),
    ):
        values = (result.get(holder) or {}).get(key) or ()
        if values:
            yield f"{reason}: {', '.join(str(value)[:80] for value in values)}."


def _read_records(body: bytes) -> dict[str, _Record]:
    """Return the records of an answer by PubMed id, in order. Raises TryAgain, with the complete ones."""
    records: dict[str, _Record] = {}
    bad: list[str] = []
    try:
        parsed = etree.iterparse(io.BytesIO(body), events=("end",), tag=ARTICLE_TAGS, **SAFE)
        for _, element in parsed:
            try:
                document = read_article(element, NAME)
            except ArticleError as error:
                bad.append(error.problem)
            else:
                records.setdefault(document.pmid, _Record(document, etree.tostring(element, with_tail=False)))
            element.clear(keep_tail=True)
        root = etree.QName(parsed.root).localname
    except etree.XMLSyntaxError as error:
        if not body.lstrip().startswith(b"<"):
            raise TryAgain(f"the server sent no records but {body[:80]!r}", busy=b"rate limit" in body) from error
        raise TryAgain(f"the server sent broken XML ({str(error)[:120]})", records) from error
    if not records and root not in ("PubmedArticleSet", *ARTICLE_TAGS):
        text = " ".join("".join(parsed.root.itertext()).split())
        raise TryAgain(f"the server sent no records but {text[:200]!r}")
    if bad:
        raise TryAgain(f"the server sent an invalid record: {bad[0]}", records)
    return records
