"""Asking remote sources: the rate, failing servers, the cache, replay without a network, and what is never told."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fake_literature import (
    CONTACT,
    KEY,
    Clock,
    FakeServer,
    Reply,
    Seen,
    article_set,
    opened,
    pubmed,
    search_result,
)
from tools.errors import ConfigError, StoreError
from tools.literature.options import LiteratureOptions
from tools.literature.remote import client as client_module
from tools.literature.remote import open_remote
from tools.literature.remote.cache import FILE_NAME, Cache
from tools.literature.remote.rate_limit import Bucket, Held
from tools.literature.types import Filters, Found

ROOT = Path(__file__).parent.parent
NONE = Filters()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def pmids(found: Found) -> list[str]:
    return [hit.document.pmid for hit in found.hits]


def most(times_s: Sequence[float], rate: float) -> float:
    """The largest number of requests above `rate * t` in any window of t seconds."""
    times_s = sorted(times_s)
    return max(
        last - first + 1 - rate * (times_s[last] - times_s[first])
        for first in range(len(times_s))
        for last in range(first, len(times_s))
    )


# The bucket


@settings(max_examples=25)
@given(
    rate=st.floats(0.2, 50),
    pauses=st.lists(st.lists(st.floats(0, 3), min_size=1, max_size=6), min_size=1, max_size=5),
    hold_s=st.floats(0, 5),
)
def test_no_window_holds_more_than_the_bucket_allows(rate: float, pauses: list[list[float]], hold_s: float) -> None:
    clock = Clock()
    taken: list[float] = []

    with TemporaryDirectory() as folder:

        def work(naps: list[float]) -> None:
            own = Bucket(Path(folder) / "counters.sqlite", "server", rate, clock.timing)
            for nap_s in naps:
                taken.append(own.take(60))
                clock.sleep(nap_s)

        with ThreadPoolExecutor(len(pauses)) as threads:
            list(threads.map(work, pauses))
        assert len(taken) == sum(map(len, pauses))
        assert most(taken, rate) <= 1 + 1e-3
        shared = Bucket(Path(folder) / "counters.sqlite", "server", rate, clock.timing)
        asked_s = clock.now()
        shared.hold(hold_s)
        assert shared.take(60) >= asked_s + hold_s - 1e-3


def test_a_rested_bucket_lets_one_through_at_once_and_no_more(tmp_path: Path, clock: Clock) -> None:
    bucket = Bucket(tmp_path / "counters.sqlite", "server", 2.0, clock.timing)
    assert bucket.take(10) == 1_800_000_000
    clock.sleep(60)
    assert [bucket.take(10) - 1_800_000_060 for _ in range(3)] == pytest.approx([0, 0.5, 1.0])


def test_a_clock_that_was_set_back_stops_nobody(tmp_path: Path, clock: Clock) -> None:
    bucket = Bucket(tmp_path / "counters.sqlite", "server", 2.0, timing=clock.timing)
    bucket.take(10)
    clock.now_s -= 3600
    assert bucket.take(10) - (1_800_000_000 - 3600) <= 1


@pytest.mark.parametrize("back_s", [10.0, 3_600.0, 5 * 86_400.0])
def test_a_clock_that_is_set_back_makes_no_hold_longer(tmp_path: Path, clock: Clock, back_s: float) -> None:
    bucket = Bucket(tmp_path / "counters.sqlite", "server", 2.0, timing=clock.timing)
    bucket.take(60)
    bucket.hold(20)
    clock.now_s -= back_s
    with pytest.raises(Held):
        bucket.take(10)
    asked_s = clock.now_s
    assert bucket.take(60) == pytest.approx(asked_s + 20, abs=2)


def test_a_long_hold_is_told_at_once_and_to_everybody(tmp_path: Path, clock: Clock) -> None:
    Bucket(tmp_path / "counters.sqlite", "server", 2.0, timing=clock.timing).hold(100)
    other = Bucket(tmp_path / "counters.sqlite", "server", 2.0, timing=clock.timing)
    with pytest.raises(Held, match="100 s"):
        other.take(30)
    assert Bucket(tmp_path / "counters.sqlite", "another", 2.0, timing=clock.timing).take(30) == clock.now_s
    assert clock.slept == []


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_a_bucket_that_lets_nothing_through_is_refused(tmp_path: Path, rate: float) -> None:
    with pytest.raises(ValueError, match="invalid rate"):
        Bucket(tmp_path / "counters.sqlite", "server", rate)


def test_what_cannot_be_counted_is_not_sent(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "counters.sqlite").write_bytes(b"no database, and longer than its header would be" * 30)
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        found = source.search("asthma", 5, NONE)
    assert "counters.sqlite" in found.problems[0].reason
    assert server.seen == []


def test_processes_share_a_bucket(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tools.literature.remote.rate_limit import Bucket\n"
        "bucket = Bucket(Path(sys.argv[1]), 'server', 40.0)\n"
        "sys.stdin.readline()\n"
        "for _ in range(12): print(repr(bucket.take(10)))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "counters.sqlite")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    for process in processes:  # they begin together
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    times = [float(line) for process in processes for line in process.communicate()[0].split()]
    assert len(times) == 36
    assert most(times, 40.0) <= 1 + 1e-3


def test_threads_and_sources_together_keep_to_the_rate_by_the_servers_own_clock(tmp_path: Path) -> None:
    with FakeServer(pubmed(["1"])) as server:

        def ask(number: int) -> Found:
            options = server.options(send_unasked=True)
            with open_remote("pubmed", options, tmp_path / str(number), None, counters=tmp_path / "counters") as source:
                return source.search(f"asthma and cause {'abcd'[number]}", 5, NONE)

        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(ask, range(4)))
    assert [pmids(one) for one in found] == [["1"]] * 4
    assert len(server.seen) == 8
    # The way to the server takes longer for one request than for another: half of the time is allowed for that.
    times = sorted(one.at_s for one in server.seen)
    assert times[-1] - times[0] >= 7 / 2.5 / 2


# A server that fails


def answer_to(script: Sequence[Any], tmp_path: Path, clock: Clock, **options: object) -> tuple[FakeServer, Found]:
    """What one search brings, and the server that was asked."""
    with FakeServer(pubmed(["1"]), script, clock.now) as server, opened(server, tmp_path, clock, **options) as source:
        return server, source.search("asthma", 5, NONE)


def test_retry_after_in_seconds_is_kept_to(tmp_path: Path, clock: Clock) -> None:
    server, found = answer_to([Reply(429, headers={"Retry-After": "7"})], tmp_path, clock)
    assert pmids(found) == ["1"]
    assert found.problems == ()
    assert server.seen[1].at_s - server.seen[0].at_s >= 7


def test_retry_after_as_a_date_is_taken_by_the_servers_clock(tmp_path: Path, clock: Clock) -> None:
    at = datetime(2020, 1, 1, 12, tzinfo=UTC)  # years away from ours
    headers = {
        "Retry-After": format_datetime(at.replace(second=9), usegmt=True),
        "Date": format_datetime(at, usegmt=True),
    }

    def busy(seen: Seen) -> Reply:
        return Reply(503, headers=headers)

    server, found = answer_to([busy], tmp_path, clock)
    assert pmids(found) == ["1"]
    assert 9 <= server.seen[1].at_s - server.seen[0].at_s < 12


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", "", "٣", "Wed, 01 Jan 2020 12:00:00 GMT"])
def test_a_retry_after_that_says_nothing_is_passed_over(tmp_path: Path, clock: Clock, value: str) -> None:
    script = [Reply(429, headers={"Retry-After": value.encode().decode("latin-1")})]
    server, found = answer_to(script, tmp_path, clock)
    assert pmids(found) == ["1"]
    assert 1 <= server.seen[1].at_s - server.seen[0].at_s < 2


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_server_that_wants_to_be_left_alone_is(tmp_path: Path, clock: Clock, status: int) -> None:
    script = [Reply(status, headers={"Retry-After": "3600"})]
    # The other server is there before the first one ends: a port that was given back may be given again, and with it
    # the name under which requests are counted.
    with FakeServer(pubmed(["1"])) as another:
        server, found = answer_to(script, tmp_path, clock)
        assert found.hits == ()
        assert "3600 s" in found.problems[0].reason
        assert len(server.seen) == 1
        with opened(another, tmp_path, clock) as source:  # it has a bucket of its own
            assert pmids(source.search("asthma", 5, NONE)) == ["1"]
    options = server.options(send_unasked=True)
    with open_remote("pubmed", options, tmp_path / "new", None, counters=tmp_path / "counters.sqlite",
                     timing=clock.timing) as later:  # fmt: skip
        assert "a pause of 3600 s" in later.search("gout", 5, NONE).problems[0].reason
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_a_failing_server_is_asked_four_times_and_ever_later(tmp_path: Path, clock: Clock, status: int) -> None:
    server, found = answer_to([Reply(status, b"out of order")] * 9, tmp_path, clock)
    assert len(server.seen) == 4
    gaps = [later.at_s - one.at_s for one, later in pairwise(server.seen)]
    assert gaps == pytest.approx([1, 2, 4], abs=0.01)
    assert f"status {status}" in found.problems[0].reason
    assert "out of order" in found.problems[0].reason
    assert "4 times" in found.problems[0].reason


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 410, 414, 422, 451, 301, 302, 307, 204, 206, 501])
def test_what_a_server_will_not_do_is_asked_once(tmp_path: Path, clock: Clock, status: int) -> None:
    with FakeServer(pubmed(["1"])) as elsewhere:
        server, found = answer_to([Reply(status, headers={"Location": elsewhere.url})] * 9, tmp_path, clock)
    assert len(server.seen) == 1
    assert elsewhere.seen == []
    assert f"status {status}" in found.problems[0].reason


def test_nobody_there_is_a_reason_and_not_an_error(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server:
        pass  # closed again
    with opened(server, tmp_path, clock) as source:
        found = source.search("asthma", 5, NONE)
    assert "cannot reach the server" in found.problems[0].reason
    assert "4 times" in found.problems[0].reason


def test_a_server_that_is_down_is_let_alone_for_a_while(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"]), [Reply(500)] * 4) as server, opened(server, tmp_path, clock) as source:
        assert "4 times" in source.search("asthma", 5, NONE).problems[0].reason
        again = source.search("gout", 5, NONE)
        assert len(server.seen) == 4
        assert "status 500" in again.problems[0].reason
        assert "in 30 s at the earliest" in again.problems[0].reason
        clock.now_s += 31
        assert pmids(source.search("gout", 5, NONE)) == ["1"]


@pytest.mark.parametrize(
    "broken",
    [
        Reply(body=b'{"esearchresult": ', told_length=100),
        Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
        Reply(body=b"<html>Down for maintenance</html>"),
        Reply(body=b""),
        Reply(body=b"[]"),
        Reply(body=b'{"error": "API rate limit exceeded", "count": "11"}'),
        Reply(body=b'{"esearchresult": {"ERROR": "Search Backend failed"}}'),
    ],
)
def test_a_broken_answer_is_asked_for_again_and_not_kept(tmp_path: Path, clock: Clock, broken: Reply) -> None:
    server, found = answer_to([broken], tmp_path, clock)
    assert (pmids(found), found.problems) == (["1"], ())
    assert server.calls == ["esearch.fcgi", "esearch.fcgi", "efetch.fcgi"]
    assert clock.slept[0] == 1


def test_an_answer_without_end_is_left(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "MAX_BODY_BYTES", 1 << 20)
    server, found = answer_to([Reply(body=b" " * (3 << 20))], tmp_path, clock)
    assert "more than 1 MB" in found.problems[0].reason
    assert len(server.seen) == 1


# The cache


def test_an_answer_is_asked_for_once_while_it_is_young(tmp_path: Path, clock: Clock) -> None:
    with (
        FakeServer(pubmed(["2", "1"]), now=clock.now) as server,
        opened(server, tmp_path, clock, cache_days=2) as source,
    ):
        first = source.search("asthma", 5, NONE)
        assert source.search("  asthma ", 5, NONE) == first
        assert source.fetch(["pmid:1"]).hits[0].document == first.hits[1].document
        assert server.calls == ["esearch.fcgi", "efetch.fcgi"]
        clock.now_s += 3 * 86_400
        assert source.search("asthma", 5, NONE) == first
        assert server.calls == ["esearch.fcgi", "efetch.fcgi"] * 2


def test_records_are_shared_between_searches(tmp_path: Path, clock: Clock) -> None:
    script = [search_result(["1", "2"]), pubmed(["1", "2"]), search_result(["3", "2"])]
    with FakeServer(pubmed(["3"]), script) as server, opened(server, tmp_path, clock) as source:
        source.search("asthma", 5, NONE)
        assert pmids(source.search("gout", 5, NONE)) == ["3", "2"]
    assert [one.params.get("id") for one in server.seen] == [None, "1,2", None, "3"]


def test_a_run_is_replayed_without_a_network(tmp_path: Path, clock: Clock) -> None:
    known = pubmed(["3", "1", "2"], {pmid: article_of(pmid) for pmid in "13"})

    def run(source: Any) -> list[Found]:
        return [
            source.search("a 46-year-old man with asthma", 5, Filters(year_from=2010)),
            source.fetch(["pmid:2", "pmid:1"]),
            source.search("gout", 2, NONE),
        ]

    with FakeServer(known) as server:
        with opened(server, tmp_path, clock, api_key=KEY) as source:
            first = run(source)
        asked = len(server.seen)
        shipped = tmp_path / "elsewhere"
        shipped.mkdir()
        (shipped / FILE_NAME).write_bytes((tmp_path / "remote" / FILE_NAME).read_bytes())
        clock.now_s += 1e9  # of any age
        options = server.options(offline=True, contact="", pubmed_url="http://127.0.0.1:9")
        shipped.chmod(0o500)
        with open_remote("pubmed", options, shipped, None, timing=clock.timing) as source:
            assert run(source) == first
            missed = source.search("psoriasis", 5, NONE)
            lacking = source.fetch(["pmid:1", "pmid:77", "pmid:78"])
        assert len(server.seen) == asked
    assert [one.name for one in shipped.iterdir()] == [FILE_NAME]
    assert missed.hits == ()
    assert "offline" in missed.problems[0].reason
    assert "psoriasis" in missed.problems[0].reason
    assert pmids(lacking) == ["1"]
    assert lacking.problems[0].ids == ("pmid:77", "pmid:78")


def article_of(pmid: str) -> str:
    return f"<PubmedArticle><MedlineCitation><PMID>{pmid}</PMID><Article><Journal><JournalIssue><PubDate><Year>2020" \
        f"</Year></PubDate></JournalIssue></Journal><ArticleTitle>T{pmid}</ArticleTitle></Article></MedlineCitation>" \
        "</PubmedArticle>"  # fmt: skip


def test_offline_without_answers_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"has no '{FILE_NAME}'"):
        open_remote("pubmed", LiteratureOptions(offline=True), tmp_path, None)


def test_the_cache_keeps_to_its_size_and_forgets_the_oldest(tmp_path: Path, clock: Clock) -> None:
    cache = Cache(tmp_path, max_bytes=20_000, timing=clock.timing)
    for number in range(50):
        clock.now_s += 1
        cache.put([({"n": str(number)}, os.urandom(1000))])
    held = cache.get([{"n": str(number)} for number in range(50)], 1e9)
    kept = [number for number, body in enumerate(held) if body is not None]
    assert kept == list(range(50 - len(kept), 50))
    assert 15 <= len(kept) <= 20
    cache.put([({"n": "huge"}, os.urandom(30_000))])
    assert cache.get([{"n": "huge"}, {"n": "49"}], 1e9)[0] is None
    assert cache.get([{"n": "49"}], 1e9)[0] is not None


def test_a_damaged_cache_is_told_of(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        source.search("asthma", 5, NONE)
        with sqlite3.connect(tmp_path / "remote" / FILE_NAME) as connection:
            connection.execute("UPDATE answer SET body = x'00'")
        connection.close()
        assert "damaged" in source.search("asthma", 5, NONE).problems[0].reason
        (tmp_path / "remote" / FILE_NAME).write_bytes(b"no database at all, whatever its name says" * 30)
        found = source.search("asthma", 5, NONE)
    assert FILE_NAME in found.problems[0].reason
    assert "deleted" in found.problems[0].reason


def test_what_was_kept_outlives_a_kill_at_any_moment(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from tools.literature.remote.cache import Cache\n"
        "cache = Cache(Path(sys.argv[1]))\n"
        "number = int(sys.argv[2])\n"
        "while True:\n"
        "    cache.put([({'n': str(number)}, str(number).encode() * 5000), ({'m': str(number)}, b'twin')])\n"
        "    print(number, flush=True)\n"
        "    number += 1"
    )
    first = 0
    for lines in (1, 7, 20):
        command = [sys.executable, "-c", script, str(tmp_path), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            for _ in range(lines):
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split("\n")[:-1]
        last = int(rest[-1]) if rest else told
        cache = Cache(tmp_path)
        held = cache.get([{"n": str(number)} for number in range(last + 2)], 1e9)
        twins = cache.get([{"m": str(number)} for number in range(last + 2)], 1e9)
        assert held[: last + 1] == [str(number).encode() * 5000 for number in range(last + 1)]
        assert (held[last + 1] is None) == (twins[last + 1] is None)  # both or none
        first = last + 1


def test_threads_share_a_source(tmp_path: Path, clock: Clock) -> None:
    with FakeServer(pubmed(["1", "2"])) as server, opened(server, tmp_path, clock) as source:
        words = ["asthma", "gout", "sepsis", "psoriasis"] * 4
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda word: source.search(word, 5, NONE), words))
    assert all(pmids(one) == ["1", "2"] and one.problems == () for one in found)


# What is told, and to whom


def test_the_sender_is_told_to_the_server_and_to_nobody_else(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = json.dumps({"error": "API rate limit exceeded", "api-key": KEY, "email": CONTACT}).encode()
    refusal = Reply(400, json.dumps({"error": "API key invalid", "api-key": KEY}).encode())
    records = article_set([article_of("1").replace("T1", f"T1 {KEY}")])
    script = [Reply(429, echo), Reply(200, echo), search_result(["1"]), Reply(body=records), refusal]
    with FakeServer(refusal, script) as server, opened(server, tmp_path, clock, api_key=KEY) as source:
        found = [source.search("asthma", 5, NONE), source.search("gout", 5, NONE)]
        failed = source.fetch(["pmid:9"])
        shown = repr(source) + repr(vars(source))
    assert "API key invalid" in failed.problems[0].reason
    assert [(one.params["api_key"], one.params["email"]) for one in server.seen] == [(KEY, CONTACT)] * len(server.seen)
    assert {one.params["tool"] for one in server.seen} == {"attend-agent"}
    assert {one.method for one in server.seen} == {"POST"}
    assert {one.address.partition("?")[2] for one in server.seen} == {""}
    told = repr([*found, failed]) + caplog.text + shown
    stored = b"".join(path.read_bytes() for path in (tmp_path / "remote").iterdir())
    with sqlite3.connect(tmp_path / "remote" / FILE_NAME) as connection:
        bodies = connection.execute("SELECT body, request FROM answer").fetchall()
    connection.close()
    assert bodies
    answers = b"".join(zlib.decompress(body) for body, _ in bodies)
    for secret in (KEY, CONTACT):
        assert secret not in told
        assert secret.encode() not in stored
    assert KEY.encode() not in answers


def test_a_key_raises_the_rate(tmp_path: Path, clock: Clock) -> None:
    for options, rate in (({}, 2.5), ({"api_key": KEY}, 8.0)):
        folder = tmp_path / str(rate)
        folder.mkdir()
        with (
            FakeServer(pubmed(["1"]), now=clock.now) as server,
            opened(server, folder, clock, cache_days=0, **options) as source,
        ):
            for _ in range(5):
                source.search("asthma", 5, NONE)
        times = [one.at_s for one in server.seen]
        assert most(times, rate) <= 1 + 1e-3
        assert times[-1] - times[0] == pytest.approx((len(times) - 1) / rate, abs=0.02)


def test_the_folder_is_for_this_user_only(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "remote").mkdir(mode=0o755)
    with FakeServer(pubmed(["1"])) as server, opened(server, tmp_path, clock) as source:
        source.search("asthma", 5, NONE)
    assert (tmp_path / "remote").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "remote" / "sent.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"contact": ""}, "requires a contact"),
        ({"contact": "me"}, "'me'"),
        ({"contact": "ärztin@example.org"}, "an e-mail address"),
        ({"contact": CONTACT, "api_key": "short"}, "5 characters"),
        ({"contact": CONTACT, "api_key": "with a blank in the middle"}, "26 characters"),
        ({"contact": CONTACT, "pubmed_url": "ftp://example.org"}, "pubmed_url"),
        ({"contact": CONTACT, "pubmed_url": "example.org"}, "pubmed_url"),
        ({"contact": CONTACT, "pubmed_url": "https://[::1"}, "pubmed_url"),
        ({"contact": CONTACT, "pubmed_url": ""}, "pubmed_url"),
        ({"contact": CONTACT, "pubmed_url": "https://me:secret@example.org"}, "pubmed_url"),
        ({"contact": CONTACT, "pubmed_url": "https://example.org:port"}, "pubmed_url"),
        ({"contact": CONTACT, "pubmed_url": "https://example.org?x=1"}, "pubmed_url"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        open_remote("pubmed", LiteratureOptions(**options), tmp_path / "remote", None)
    assert "secret" not in str(caught.value)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'local'"):
        open_remote("local", LiteratureOptions(contact=CONTACT), tmp_path, None)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot create the folder"):
        open_remote("pubmed", LiteratureOptions(contact=CONTACT), tmp_path / "file" / "remote", None)
