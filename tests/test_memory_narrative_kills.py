"""Narrative memory after `kill -9` at any moment: nothing committed is lost, and the index heals itself."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from memory.narrative.options import FILE_NAME
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.types import Record
from tests.narrative_helpers import embed, event
from tests.narrative_processes import KEPT, change_at

ROOT = Path(__file__).parent.parent
KILLS = 60
LONGEST_S = (0.6, 0.15)
"""After which a writer that has opened the memory is killed: one that mostly indexes, and one that mostly commits."""


def held_at(version: int) -> dict[str, Record]:
    """What the changes up to a version leave: links and chains go with the events that they rest on."""
    made = [record for number in range(1, version + 1) for record in change_at(number).add]
    gone = {id_ for number in range(1, version + 1) for id_ in change_at(number).retire}
    return {
        record.id: record
        for record in made
        if record.id not in gone
        and not {getattr(record, "src", ""), getattr(record, "dst", ""), *getattr(record, "event_ids", ())} & gone
    }


@pytest.fixture
def forker(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that forks a writer for each line that it reads, so that Chroma is imported once."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.narrative_processes", "fork", str(tmp_path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},  # it may have one thread only
    ) as running:  # fmt: skip
        yield running
        running.kill()


def told_until_killed(forker: subprocess.Popen[str], seed: int) -> tuple[int, bool]:
    """Kill a writer after some time, and return the last version that it told, and whether it was open by then."""
    assert forker.stdin is not None
    dice = random.Random(seed)
    forker.stdin.write(f"{seed}\n")
    lines: list[str] = []

    def read() -> None:
        assert forker.stdout is not None
        line = forker.stdout.readline()
        assert line, "the process that forks writers has ended"
        lines.append(line.strip())

    while not (lines and lines[-1].startswith("pid")):
        read()
    if dice.random() < 0.8:  # else while it opens the memory
        while "open" not in lines:
            read()
    time.sleep(dice.uniform(0, LONGEST_S[seed % 2]))
    os.kill(int(next(line for line in lines if line.startswith("pid")).split()[1]), signal.SIGKILL)
    while lines[-1] != "dead":
        read()
    return max((int(line) for line in lines if line.isdigit()), default=0), "open" in lines


def test_nothing_committed_is_lost_and_the_index_heals_after_any_kill(
    tmp_path: Path, forker: subprocess.Popen[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.narrative.retrieval.vectors.EXACT", 0)  # so that Chroma is asked
    dice = random.Random(0)
    last = opened = 0
    for number in range(KILLS):
        told, was_open = told_until_killed(forker, number)
        opened += was_open
        with NarrativeStore(tmp_path, embed, writer=True) as store:
            assert max(last, told) <= store.version <= max(last, told) + 1  # one can be committed and not yet told
            last = store.version
            assert [row.version for row in store.versions()] == list(range(1, last + 1))
            assert [row.reason for row in store.versions()] == [f"version {row}" for row in range(1, last + 1)]
            assert store.built("tale") == {str(row): f"sha {row}" for row in range(1, last + 1)}
            version = last if number % 5 else dice.randint(0, last)
            held = held_at(version)
            events = store.events("tale", as_of=version)
            found = [
                *store.segments("tale", version),
                *events,
                *store.links([one.id for one in events], version),
                *store.chains("tale", as_of=version),
            ]
            assert {record.id: record for record in found} == held
            here = store.events("tale")
            for one in dice.sample(here, min(4, len(here))):
                assert store.nearest(one.summary, 1)[0] == (one.id, pytest.approx(1, abs=1e-5))
            if last > KEPT:
                old = event(last - KEPT + 0.3)
                assert old.id not in {id_ for id_, _ in store.nearest(old.summary, 5)}
            assert len(store.nearest("x", 10_000)) == len(here) == store.count("tale")["event"]
            assert len(store.nearest("x", 10_000, kind="segment")) == min(last, KEPT)
        database = sqlite3.connect(tmp_path / FILE_NAME)
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()
    assert opened > KILLS / 2
    assert last > KILLS  # or nothing was killed while it wrote
    healed = [record for record in caplog.records if "rebuilding it" in record.message]
    assert healed  # or no kill struck the index
