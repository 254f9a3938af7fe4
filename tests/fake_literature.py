"""A real HTTP server on this machine that plays PubMed or Europe PMC, faults included, and a clock that tests turn."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tools.literature.options import LiteratureOptions
from tools.literature.remote import EuropePMC, PubMed, Timing, open_remote

CONTACT = "reader@example.org"
KEY = "0123456789abcdef0123456789abcdef0123"


class Clock:
    """Time that passes only while somebody sleeps. Threads may share it."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self.now_s, self.slept = now_s, list[float]()
        self._lock = threading.Lock()

    def now(self) -> float:
        with self._lock:
            return self.now_s

    def sleep(self, wait_s: float) -> None:
        with self._lock:
            self.slept.append(wait_s)
            until_s = self.now_s + wait_s
        time.sleep(0)  # lets other threads run meanwhile
        with self._lock:
            self.now_s = max(self.now_s, until_s)

    @property
    def timing(self) -> Timing:
        return Timing(now=self.now, sleep=self.sleep, chance=lambda: 0.0)


@dataclass(frozen=True)
class Seen:
    """A request as the server saw it, and when."""

    at_s: float
    method: str
    address: str
    call: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """What the server sends. `told_length` other than the body's own breaks the answer off."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    told_length: int | None = None


Answer = Reply | Callable[[Seen], Reply]


class FakeServer:
    """Answers with what its script says, one entry a request, and after its end with `otherwise`."""

    def __init__(self, otherwise: Answer, script: Iterable[Answer] = (), now: Callable[[], float] = time.time) -> None:
        self.otherwise, self.script, self.seen, self.now = otherwise, list(script), list[Seen](), now
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server._answer(self, urlsplit(self.path).query)

            def do_POST(self) -> None:
                server._answer(self, self.rfile.read(int(self.headers["Content-Length"])).decode())

            def log_message(self, *args: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/base"

    @property
    def calls(self) -> list[str]:
        return [one.call for one in self.seen]

    def options(self, **changed: Any) -> LiteratureOptions:
        return LiteratureOptions(**{"contact": CONTACT, "pubmed_url": self.url, "europepmc_url": self.url, **changed})

    def _answer(self, handler: BaseHTTPRequestHandler, told: str) -> None:
        params = {name: values[0] for name, values in parse_qs(told, keep_blank_values=True).items()}
        with self._lock:
            call = urlsplit(handler.path).path.rsplit("/", 1)[-1]
            headers = dict(handler.headers.items())
            seen = Seen(self.now(), handler.command, handler.path, call, params, headers)
            self.seen.append(seen)
            answer = self.script.pop(0) if self.script else self.otherwise
        reply = answer(seen) if callable(answer) else answer
        handler.send_response_only(reply.status)
        for name, value in ({"Date": handler.date_time_string()} | reply.headers).items():
            handler.send_header(name, value)
        length = len(reply.body) if reply.told_length is None else reply.told_length
        handler.send_header("Content-Length", str(length))
        handler.end_headers()
        handler.wfile.write(reply.body)
        if length != len(reply.body):
            handler.close_connection = True


def opened(
    server: FakeServer, folder: Path, clock: Clock, name: Any = "pubmed", **options: object
) -> PubMed | EuropePMC:
    """A source that asks the server, whose queries are allowed, in time that passes as the clock says."""
    chosen = server.options(**{"send_unasked": True, **options})
    return open_remote(name, chosen, folder / "remote", None, counters=folder / "counters.sqlite", timing=clock.timing)


def article(pmid: str, title: str = "", year: str = "2020", extra: str = "", more: str = "") -> str:
    """A record of PubMed; `extra` stands in the citation, `more` in the article."""
    return f"""<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">{pmid}</PMID>
    <Article PubModel="Print">
    <Journal><JournalIssue><PubDate><Year>{year}</Year><Month>Mar</Month></PubDate></JournalIssue>
    <Title>Journal of Tests</Title></Journal>
    <ArticleTitle>{title or f"Paper {pmid}"}</ArticleTitle>
    <Abstract><AbstractText>What paper {pmid} says.</AbstractText></Abstract>
    {more}<Language>eng</Language></Article>{extra}
    </MedlineCitation></PubmedArticle>"""


def book(pmid: str) -> str:
    """A record of a chapter of a book."""
    return f"""<PubmedBookArticle><BookDocument><PMID Version="1">{pmid}</PMID><ArticleIdList>
    <ArticleId IdType="bookaccession">NBK{pmid}</ArticleId></ArticleIdList>
    <Book><Publisher><PublisherName>House</PublisherName></Publisher>
    <BookTitle book="b">Book of Reviews</BookTitle><PubDate><Year>1993</Year></PubDate></Book>
    <ArticleTitle book="b" part="p">Chapter {pmid}</ArticleTitle><Language>eng</Language>
    <AuthorList Type="authors"><Author><LastName>Writer</LastName><ForeName>Wilma</ForeName></Author></AuthorList>
    <PublicationType UI="D016454">Review</PublicationType>
    <Abstract><AbstractText Label="CLINICAL CHARACTERISTICS">What chapter {pmid} says.</AbstractText></Abstract>
    <ContributionDate><Year>2003</Year><Month>05</Month><Day>28</Day></ContributionDate></BookDocument></PubmedBookArticle>"""


def article_set(records: Iterable[str]) -> bytes:
    head = (
        '<?xml version="1.0"?><!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle" "http://127.0.0.1:9/p.dtd">'
    )
    return f"{head}<PubmedArticleSet>{''.join(records)}</PubmedArticleSet>".encode()


def search_result(pmids: Sequence[str], count: int | None = None, **more: object) -> Reply:
    told = {"count": str(len(pmids) if count is None else count), "idlist": list(pmids), **more}
    return Reply(body=json.dumps({"header": {"type": "esearch"}, "esearchresult": told}).encode())


def pubmed(pmids: Sequence[str], records: dict[str, str] | None = None) -> Callable[[Seen], Reply]:
    """PubMed that finds these ids for whatever is asked, and has records of all of them, or of those given."""
    held = {pmid: article(pmid) for pmid in pmids} if records is None else records

    def answer(seen: Seen) -> Reply:
        if seen.call == "esearch.fcgi":
            return search_result(pmids[: int(seen.params["retmax"])], len(pmids))
        asked = seen.params["id"].split(",")
        return Reply(body=article_set(held[pmid] for pmid in sorted(asked) if pmid in held))  # in an order of its own

    return answer


def page(results: Sequence[dict[str, object]], mark: str | None = None, **more: object) -> Reply:
    """A page of Europe PMC."""
    told = {"version": "6.9", "hitCount": len(results), "resultList": {"result": list(results)}, **more}
    return Reply(body=json.dumps(told | ({"nextCursorMark": mark} if mark is not None else {})).encode())
