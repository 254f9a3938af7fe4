"""Processes that the tests of narrative memory start, and kill: `python -m tests.narrative_processes WHAT FOLDER`.

hold    commits two events, and writes no more until it reads a line
search  searches for all events, with an index, and says how many it found, and how many are in the index
serve   commits and indexes events on a server (address as third argument), and says how many
ask     searches for them meanwhile, and says how often, and how often wrongly
fork    for each line that it reads, forks a process that changes the memory without end (see `change_at`)
"""

from __future__ import annotations

import os
import random
import sys
import time
from functools import cache
from itertools import pairwise
from pathlib import Path

from memory.narrative.retrieval import vectors
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.types import Record
from tests.narrative_helpers import chain, embed, event, grounded, link, segment
from tools.errors import StoreError

KEPT = 20
"""Versions after which an event and its segment are retired."""


@cache
def change_at(version: int) -> Change:
    """What makes a version, always the same: six events, linked to each other and to one before, and some leave."""
    events = [event(version + number / 10) for number in range(6)]
    add: list[Record] = [segment(version), *events, chain(*events)]
    add += [link(one, other) for one, other in pairwise(events)]
    if version > 1:
        add.append(link(event(version - 1.0), events[0], "enables"))
    old = version - KEPT
    retire: dict[str, str | None] = {}
    if old > 0:
        retire = {segment(old).id: None} | {event(old + number / 10).id: events[0].id for number in range(6)}
    return Change(tuple(add), retire, f"version {version}", {("tale", str(version)): f"sha {version}"})


def write_without_end(folder: Path, seed: int) -> None:
    """Commit one change after the other, tell each, and index now and then (an odd seed: rarely), until killed."""
    dice = random.Random(seed)
    often = 0.03 if seed % 2 else 0.7
    with NarrativeStore(folder, embed, writer=True) as store:
        version = store.version
        os.write(1, b"open\n")
        while True:
            version = store.commit(change_at(version + 1), expect_version=version)
            os.write(1, f"{version}\n".encode())
            if dice.random() < often:
                store.index()
            if dice.random() < often / 4:
                store.nearest("x", 3)


def fork(folder: Path) -> None:
    # A fork is sound here: this process has one thread, and no client of Chroma is open.
    import chromadb  # noqa: F401 - so that those forked need not

    assert len(list(Path("/proc/self/task").iterdir())) == 1
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            write_without_end(folder, int(line))
        os.write(1, f"pid {child}\n".encode())
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


def hold(folder: Path) -> None:
    with NarrativeStore(folder, embed, writer=True) as store:
        store.commit(grounded((event(1), event(2))))
        store.index()
        print("held", flush=True)
        sys.stdin.readline()


def search(folder: Path) -> None:
    with NarrativeStore(folder, embed, writer=True) as store:
        print(len(store.nearest("x", 99)), store._vectors._indexes["event"].count())


def serve(folder: Path, server: str) -> None:
    with NarrativeStore(folder, embed, writer=True, server=server) as store:
        for number in range(20):
            gone = {event(number - 0.5).id: None} if number else {}
            store.commit(grounded((event(float(number)), event(number + 0.5)), gone))
            store.index()
        print(len({one.start_s for one in store.events("tale")} & {10.0 * number for number in range(20)}))


def ask(folder: Path, server: str) -> None:
    give_up_s = time.monotonic() + 60
    while True:  # the one that writes may not have begun
        try:
            store = NarrativeStore(folder, embed, server=server)
            break
        except StoreError:
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
    asked = wrong = 0
    with store:
        last = False
        while not last and time.monotonic() < give_up_s:
            last = len(store.versions()) == 20 and not _pending(store)  # once more, now that all is there
            for one in store.events("tale"):
                if one.start_s % 10 == 0 and not _pending(store):
                    asked += 1
                    wrong += store.nearest(one.summary, 1)[0][0] != one.id
    print(asked, wrong)


def _pending(store: NarrativeStore) -> bool:
    """Whether something may not be found yet, since its writer has still to index it."""
    return bool(store._database.read("SELECT 1 FROM pending LIMIT 1"))


if __name__ == "__main__":
    vectors.EXACT = 0  # so that Chroma is asked
    what, at, *rest = sys.argv[1:]
    {"hold": hold, "search": search, "serve": serve, "ask": ask, "fork": fork}[what](Path(at), *rest)
