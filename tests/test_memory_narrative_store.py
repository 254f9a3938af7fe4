"""Narrative memory on disk: what is added, retired, read at any version, found by meaning, and forgotten for good."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.narrative.options import FILE_NAME
from memory.narrative.retrieval.vectors import EventVectors, _metadata
from memory.narrative.store.forget import Forgotten
from memory.narrative.store.narrative_store import Life, NarrativeStore
from memory.narrative.store.transaction import Change
from memory.narrative.types import Chain, Entity, Event, Link, Record, Segment
from memory.store.vectors import VectorIndex
from tests.narrative_helpers import chain, embed, event, grounded, link, segment
from tools.errors import StoreError
from tools.media.types import Span

ROOT = Path(__file__).parent.parent


@pytest.fixture
def store(tmp_path: Path) -> Iterator[NarrativeStore]:
    with NarrativeStore(tmp_path, embed, writer=True) as opened:
        yield opened


@pytest.fixture(autouse=True)
def chroma_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few vectors there are."""
    monkeypatch.setattr("memory.narrative.retrieval.vectors.EXACT", 0)


def everything(store: NarrativeStore, as_of: int | None = None) -> dict[str, Record]:
    """All that is held at a version."""
    events = store.events(as_of=as_of)
    found: list[Record] = [
        *(part for source in ("tale", "other") for part in store.segments(source, as_of)),
        *events,
        *store.entities(as_of=as_of),
        *store.links([one.id for one in events], as_of),
        *store.chains(as_of=as_of),
    ]
    assert len({record.id for record in found}) == len(found)
    return {record.id: record for record in found}


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


# What is added and retired


POOL: tuple[Record, ...] = (
    *(EVENTS := tuple(event(number) for number in range(4))),
    (OTHER := event(1, "other")),
    *(segment(number) for number in range(2)),
    Entity(source="tale", name="a fox"),
    Entity(source="other", name="a crow"),
    link(EVENTS[0], EVENTS[1]),
    link(EVENTS[1], EVENTS[3], "reveals"),
    link(EVENTS[2], OTHER, "reveals"),
    chain(EVENTS[0], EVENTS[1], EVENTS[3]),
    chain(EVENTS[2], EVENTS[3]),
)
NUMBERS = st.integers(0, len(POOL) - 1)
CHANGES = st.builds(
    lambda add, retire: grounded(
        add=tuple(POOL[number] for number in add),
        retire={POOL[old].id: None if new is None else POOL[new].id for old, new in retire.items()},
    ),
    st.lists(NUMBERS, max_size=8),
    st.dictionaries(NUMBERS, st.none() | NUMBERS, max_size=2),
)


def ends(record: Record) -> tuple[str, ...]:
    if isinstance(record, Link):
        return record.src, record.dst
    if isinstance(record, Event):
        return record.segment_ids
    return record.event_ids if isinstance(record, Chain) else ()


def changed(held: Mapping[str, Record], change: Change) -> dict[str, Record] | None:
    """What a memory without a disk would hold after a change; None where it should be refused."""
    added = {record.id: record for record in change.add}
    if added.keys() & change.retire.keys() or not change.retire.keys() <= held.keys():
        return None
    gone = {*change.retire}
    for _ in range(2):  # what rests on a segment, then what rests on an event that does
        gone |= {id_ for id_, record in held.items() if {*ends(record)} & gone}
    left = {id_: record for id_, record in held.items() if id_ not in gone}
    after = left | added
    new = [record for id_, record in added.items() if id_ not in left]
    if any(
        not isinstance(after.get(end), Segment if isinstance(record, Event) else Event)
        for record in new
        for end in ends(record)
    ):
        return None
    return None if any(successor and successor not in after for successor in change.retire.values()) else after


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHANGES, max_size=12))
def test_every_version_holds_what_a_plain_dict_would(made: list[Change]) -> None:
    history: list[dict[str, Record]] = [{}]
    with tempfile.TemporaryDirectory() as folder, NarrativeStore(Path(folder), writer=True) as store:
        for change in made:
            after = changed(history[-1], change)
            if after is None:
                with pytest.raises(StoreError):
                    store.commit(change)
                continue
            if after != history[-1]:
                history.append(after)
            assert store.commit(change) == store.version == len(history) - 1
        for version, held in enumerate(history):
            assert everything(store, version) == held
        kinds = Counter(type(record).__name__.lower() for record in history[-1].values())
        assert store.count() == kinds
        assert [row.version for row in store.versions()] == list(range(1, len(history)))
        assert [row.added - row.retired for row in store.versions()] == [
            len(after) - len(before) for before, after in pairwise(history)
        ]
        for id_, record in {id_: record for held in history for id_, record in held.items()}.items():
            assert store.record(id_) == record
            held_at = {version for version, held in enumerate(history) if id_ in held}
            lived = [
                version
                for life in store.lives(id_)
                for version in range(life.added, len(history) if life.retired is None else life.retired)
            ]
            assert sorted(lived) == sorted(held_at)


def test_the_same_changes_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = event(1), event(2, summary="Grüße 患者")
    made = (
        grounded((second, segment(1), first, segment(2), link(first, second)), inputs={("tale", "1"): "a"}),
        grounded((event(3), Entity(source="tale", name="a fox")), {first.id: None}),
    )
    dumps = []
    for name in ("a", "b"):
        with NarrativeStore(tmp_path / name, embed, writer=True) as store:
            for change in made:
                store.commit(change)
            store.index()
        database = sqlite3.connect(tmp_path / name / FILE_NAME)
        tables = [
            row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        database.execute("UPDATE versions SET wall_s = 0")
        database.execute("UPDATE meta SET value = 'a' WHERE name = 'memory'")  # a random name
        dumps.append([database.execute(f"SELECT * FROM {table}").fetchall() for table in tables])
        database.close()
    assert dumps[0] == dumps[1]
    assert len(dumps[0]) == 22  # with those of the two indexes of words


def test_a_superseded_record_stays_readable_and_an_old_version_shows_it(store: NarrativeStore) -> None:
    old, new, other = event(1, summary="a fox sleeps"), event(1, summary="a fox waits"), event(2)
    bond = link(old, other)
    assert store.commit(grounded((old, other, bond))) == 1
    assert store.commit(grounded((new, link(new, other)), {old.id: new.id}, "a closer look")) == 2
    assert [one.summary for one in store.events("tale")] == ["a fox waits", other.summary]
    assert [one.summary for one in store.events("tale", as_of=1)] == ["a fox sleeps", other.summary]
    assert store.links([other.id], as_of=1) == [bond]
    assert [one.src for one in store.links([other.id])] == [new.id]
    assert store.record(old.id) == old
    assert store.lives(old.id) == [Life(1, 2, new.id)]
    assert store.versions()[-1].reason == "a closer look"
    assert store.events(ids=[old.id, "unknown"]) == []
    assert store.events(ids=[old.id], as_of=1) == [old]
    assert store.record("unknown") is None
    assert new.model_copy(update={"summary": old.summary}).id == old.id
    for version in (-1, 3):
        with pytest.raises(StoreError, match=r"unknown version .* one from 0 to 2"):
            store.events(as_of=version)


def test_events_are_read_by_time_then_id_and_by_what_a_span_touches(store: NarrativeStore) -> None:
    parts = tuple(segment(number).id for number in range(3, 10))
    long = event(3).model_copy(update={"end_s": 95.0, "summary": "all day", "segment_ids": parts})
    store.commit(grounded((event(9), long, event(3), event(1, "other"), event(5))))
    assert [one.start_s for one in store.events("tale")] == [30, 30, 50, 90]
    twins = store.events("tale", Span(30, 31))
    assert [one.id for one in twins] == sorted(one.id for one in twins)
    assert [one.start_s for one in store.events("tale", Span(91, 92))] == [30, 90]
    assert [one.start_s for one in store.events("tale", Span(31.5, 49))] == [30]
    assert store.events("tale", Span(96, 99)) == []
    assert [one.source for one in store.events(span=Span(0, 29))] == ["other"]
    assert store.events("other", ids=[long.id]) == []
    assert store.events(span=Span(50, 50), ids=[one.id for one in store.events()]) == store.events("tale", Span(50, 50))


def test_a_change_that_changes_nothing_makes_no_version(store: NarrativeStore) -> None:
    change = grounded((event(1), segment(1)), inputs={("tale", "1"): "a"})
    assert (store.commit(change), store.commit(change), store.commit(grounded())) == (1, 1, 1)
    assert store.count() == {"event": 1, "segment": 1}
    assert store.commit(grounded(inputs={("tale", "1"): "b", ("tale", "2"): "c", ("other", "1"): "d"})) == 2
    assert store.built("tale") == {"1": "b", "2": "c"}
    assert store.commit(grounded(inputs={("tale", "1"): None})) == 3
    assert store.built("tale") == {"2": "c"}


def test_what_cannot_be_is_refused_and_nothing_of_it_is_written(store: NarrativeStore) -> None:
    first, second = event(1), event(2)
    store.commit(grounded((first,)))
    refused = {
        "cannot retire unknown record": grounded((second,), {"unknown": None}),
        "cannot add and retire": grounded((first,), {first.id: None}),
        "by the unknown record": grounded((second,), {first.id: "unknown"}),
        "the unknown event": grounded((event(3), link(first, second))),
        "unknown entity": grounded((second,), aliases=(("fox", first.id),)),
    }
    for message, change in refused.items():
        with pytest.raises(StoreError, match=message):
            store.commit(change)
    with pytest.raises(StoreError, match=r"based on version 0: .* at version 1"):
        store.commit(grounded((second,)), expect_version=0)
    assert store.events() == [first]
    assert store.commit(grounded((second,)), expect_version=1) == 2


def test_an_event_lies_in_segments_that_are_held_and_these_do_not_overlap(store: NarrativeStore) -> None:
    part, other = segment(1), segment(1, "other")
    store.commit(Change((part, segment(3), other)))
    one = event(1)
    (span,) = one.spans
    refused: dict[str, Record] = {
        "is based on an unknown segment": event(2),
        "unknown segment. Expected segments of 'tale'": one.model_copy(update={"segment_ids": (other.id,)}),
        "unknown segment.": one.model_copy(update={"segment_ids": (part.id, one.id)}),
        "lasts from 15 to 12 s": one.model_copy(update={"start_s": 15.0, "end_s": 12.0}),
        "lasts from 15 to 25 s. Expected an end after the start, both in its segments, from 10 to 20 s": one.model_copy(
            update={"start_s": 15.0, "end_s": 25.0}
        ),
        "characters 3 to 2 of the caption": one.model_copy(
            update={"spans": (span.model_copy(update={"start": 3, "end": 2}),)}
        ),
        "characters 0 to 99 .* Expected a part of its 14 characters": one.model_copy(
            update={"spans": (span, span.model_copy(update={"end": 99}))}
        ),
        "Expected a segment of the event": one.model_copy(update={"spans": event(3).spans}),
        "from 15 to 16 s of 'tale' overlaps the one from 10 to 20 s": part.model_copy(
            update={"start_s": 15.0, "end_s": 16.0}
        ),
        "from 5 to 40 s of 'tale' overlaps the one from 30 to 40 s": part.model_copy(
            update={"start_s": 5.0, "end_s": 40.0}
        ),
    }
    for message, record in refused.items():
        with pytest.raises(StoreError, match=message):
            store.commit(Change((record,)))
    with pytest.raises(StoreError, match="overlaps"):
        store.commit(Change((segment(5), segment(5, words="the same time"))))
    assert store.version == 1
    new = part.model_copy(update={"caption": "seen better"})
    assert store.commit(Change((new, segment(2)), {part.id: new.id})) == 2


def test_with_a_segment_goes_what_rests_on_it(store: NarrativeStore) -> None:
    events = [event(number) for number in range(4)]
    shown = link(events[0], events[3]).model_copy(update={"segment_ids": (segment(1).id,)})
    stays = link(events[0], events[3], "reveals")
    store.commit(grounded((*events, link(events[0], events[1]), shown, stays, chain(events[1], events[2]))))
    store.commit(Change(retire={segment(1).id: None}))
    assert store.events() == [events[0], events[2], events[3]]
    assert store.links([one.id for one in events]) == [stays]
    assert store.count() == {"segment": 3, "event": 3, "link": 1, "chain": 0}
    assert [one.retired for one in store.versions()] == [0, 5]
    assert store.events(as_of=1) == events


def test_many_records_are_read_in_small_statements(store: NarrativeStore) -> None:
    events = [event(number) for number in range(1200)]
    links = [link(one, other, "next") for one, other in pairwise(events)]
    store.commit(grounded((*links, *events, chain(*events[:700]))))
    ids = [one.id for one in events]
    assert store.events(ids=ids) == events
    assert {one.id for one in store.links(ids)} == {one.id for one in links}
    assert len(store.links(ids[:3])) == 3
    assert len(store.chains(event_ids=ids)) == len(store.chains("tale", ids)) == len(store.chains("tale")) == 1
    assert store.chains("other") == store.chains("other", ids) == []


# Names


def test_entities_are_merged_and_parted_again_and_nothing_else_changes(store: NarrativeStore) -> None:
    fox, stranger, thief = (Entity(source="tale", name=name) for name in ("Reynard  Fox", "a stranger", "The thief"))
    first, second = event(1, actors=("a stranger",)), event(2, actors=("The thief",))
    bond = link(first, second)
    store.commit(grounded((fox, stranger, thief, first, second, bond), aliases=(("the fox", fox.id),)))
    names = ("reynard fox", "THE FOX", "A stranger", "the thief", "nobody")
    before = [store.resolve(name, "tale") for name in names]
    assert before == [fox.id, fox.id, stranger.id, thief.id, None]
    assert store.merge(thief.id, stranger.id, "unmasked") == 2
    assert store.merge(stranger.id, fox.id) == 3
    assert [store.resolve(name, "tale") for name in names] == [fox.id] * 4 + [None]
    assert [store.resolve(name, "tale", as_of=1) for name in names] == before
    assert store.resolve("the thief", "tale", as_of=2) == stranger.id
    assert store.resolve("the thief", "other") is None
    with pytest.raises(StoreError, match="already"):
        store.merge(fox.id, thief.id)
    with pytest.raises(StoreError, match="merged already"):
        store.merge(thief.id, fox.id)
    with pytest.raises(StoreError, match="unknown entity"):
        store.merge(fox.id, first.id)
    assert store.unmerge(stranger.id) == 4
    assert store.unmerge(thief.id, "it was another") == 5
    assert [store.resolve(name, "tale") for name in names] == before
    with pytest.raises(StoreError, match="is not merged"):
        store.unmerge(thief.id)
    assert [store.lives(id_) for id_ in (first.id, second.id, bond.id)] == [[Life(1, None, None)]] * 3
    assert store.events() == [first, second]
    assert [row.reason for row in store.versions()] == ["", "unmasked", "", "", "it was another"]


def test_a_name_stands_for_one_entity_at_a_time_and_ends_with_it(store: NarrativeStore) -> None:
    one, other = Entity(source="tale", name="Ann"), Entity(source="tale", name="Anna")
    store.commit(grounded((one, other), aliases=(("the queen", one.id),)))
    store.commit(grounded(aliases=(("the queen", other.id), ("the queen", other.id))))
    assert [store.resolve("the queen", "tale", as_of=version) for version in (0, 1, 2)] == [None, one.id, other.id]
    store.merge(one.id, other.id)
    store.commit(grounded(retire={other.id: None}))
    assert store.resolve("the queen", "tale") is None
    assert store.resolve("Ann", "tale") == one.id
    assert store.resolve("Ann", "tale", as_of=3) == other.id


# By meaning


def test_texts_find_events_and_segments_near_in_meaning(store: NarrativeStore) -> None:
    store.commit(grounded((*(event(n) for n in range(5)), event(1, "other"), segment(7, words="a red door"))))
    found = store.nearest("event 3 of tale", 2)
    assert found[0] == (event(3).id, pytest.approx(1))
    assert found[1][1] < 0.9
    assert store.nearest("a red door", 1, kind="segment") == [(segment(7, words="a red door").id, pytest.approx(1))]
    assert [id_ for id_, _ in store.nearest("event 3 of tale", 9, "other")] == [event(1, "other").id]
    assert len(store.nearest("event 3 of tale", 9, "tale")) == 5
    assert store.nearest("event 3 of tale", 9, "unknown") == store.nearest("x", 0) == []
    assert store.nearest(np.zeros(16, np.float32), 3) == []
    assert store.nearest(7 * embed(["event 2 of tale"])[0], 1) == [(event(2).id, pytest.approx(1))]


def test_what_is_retired_is_found_in_its_version_only(store: NarrativeStore) -> None:
    store.commit(grounded((event(1), event(2))))
    store.index()
    store.commit(grounded((event(3),), {event(1).id: None}))
    text = "event 1 of tale"
    assert {id_ for id_, _ in store.nearest(text, 9)} == {event(2).id, event(3).id}
    assert store.nearest(text, 9, as_of=1)[0] == (event(1).id, pytest.approx(1))
    assert len(store.nearest(text, 9, as_of=1)) == 2
    store.commit(grounded((event(1),)))
    assert store.nearest(text, 1)[0][0] == event(1).id
    assert store.nearest(text, 9, as_of=0) == []


def test_an_event_retired_before_it_was_embedded_is_found_in_its_version(store: NarrativeStore) -> None:
    store.commit(grounded((event(1),)))
    store.commit(grounded((), {event(1).id: None}))
    store.index()
    assert store.nearest("event 1 of tale", 1, as_of=1)[0][0] == event(1).id
    assert store.nearest("event 1 of tale", 1) == []


def test_a_large_a_small_and_an_only_source_are_searched_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [event(n, "tale") for n in range(300)] + [event(n, "other") for n in range(200)] + [event(1, "third")]
    asked: list[object] = []
    query = VectorIndex.query
    monkeypatch.setattr(VectorIndex, "query", lambda self, *given: asked.append(given[1:]) or query(self, *given))
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        store.commit(grounded(tuple(events)))
        monkeypatch.setattr("memory.narrative.retrieval.vectors.EXACT", 200)
        assert store.nearest("event 7 of other", 1, "other")[0][1] == pytest.approx(1)
        assert asked == []
        monkeypatch.setattr("memory.narrative.retrieval.vectors.EXACT", 0)
        for source in ("tale", "other", "third", None):
            found = store.nearest("event 7 of other", 5, source)
            exact = store.nearest("event 7 of other", 5, source, as_of=1)
            assert [id_ for id_, _ in found] == [id_ for id_, _ in exact]
            assert [cosine for _, cosine in found] == pytest.approx([cosine for _, cosine in exact], abs=1e-5)
    assert [given for given in asked if given[1] is not None] == [(5, _metadata("third"))]


def test_what_was_retired_hides_nothing_and_leaves_the_index_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.narrative.retrieval.vectors.MAX_RETIRED", 150)
    rebuilt: list[int] = []
    rebuild = VectorIndex.rebuild
    monkeypatch.setattr(VectorIndex, "rebuild", lambda self: rebuilt.append(rebuild(self)))
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        store.commit(grounded(tuple(event(number) for number in range(40))))
        store.index()
        for turn in range(1, 12):  # all of them are superseded, and all but one have the text of what they supersede
            ids = [one.id for one in store.events()]
            later = (event(number + turn / 20, summary=f"event {number} of tale") for number in range(1, 40))
            store.commit(grounded((event(turn / 20, summary=f"turn {turn}"), *later), dict.fromkeys(ids)))
            store.index()
            assert {id_ for id_, _ in store.nearest("x", 99)} == {one.id for one in store.events()}
            assert store.nearest("event 7 of tale", 1)[0][0] == store.events("tale", Span(70, 79))[0].id
            assert store.nearest(f"turn {turn}", 1)[0][0] == store.events("tale", Span(0, 9))[0].id
            assert len(store.nearest("x", 99, as_of=turn)) == 40
    assert rebuilt == [40, 40]


@pytest.mark.parametrize("harm", ["removed", "truncated", "another's", "marked"])
def test_a_harmed_index_heals_when_it_is_next_used(tmp_path: Path, harm: str) -> None:
    events = tuple(event(number) for number in range(1100))  # Chroma writes its graph after a thousand
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        store.commit(grounded(events))
        store.index()
    vectors = tmp_path / "vectors" / "events"
    if harm == "removed":
        shutil.rmtree(vectors)
    elif harm == "truncated":
        assert list(vectors.rglob("*.pickle"))
        for path in vectors.rglob("*.pickle"):
            path.write_bytes(path.read_bytes()[:20])
    elif harm == "another's":
        shutil.rmtree(vectors)
        with NarrativeStore(tmp_path / "b", embed, writer=True) as store:
            store.commit(grounded(tuple(event(number, "other") for number in range(1100))))
            store.index()
        (tmp_path / "b" / "vectors" / "events").rename(vectors)
    else:
        (vectors / "writing").touch()
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        for number in (3, 700, 1099):
            assert store.nearest(f"event {number} of tale", 1)[0][0] == events[number].id
        assert len(store.nearest("x", 2000)) == 1100
        assert store.reindex() == 2200


def test_what_was_committed_without_a_model_is_embedded_later(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, writer=True) as store:
        store.commit(grounded((event(1),)))
        with pytest.raises(StoreError, match="without an embedding model"):
            store.nearest("x", 1)
        assert store.nearest(embed(["x"])[0], 1) == []
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        assert len(store.nearest("x", 1)) == 1
    with NarrativeStore(tmp_path, writer=True) as store:
        store.commit(grounded((event(2),), {event(1).id: None}))
        assert store.nearest(embed(["x"])[0], 3) == []
    short = NarrativeStore(tmp_path, lambda texts: np.ones((len(texts), 3), np.float32), writer=True)
    with short as store, pytest.raises(StoreError, match=r"length 3. Expected length 16"):
        store.nearest("x", 1)


def test_threads_commit_and_search_at_the_same_time(store: NarrativeStore) -> None:
    store.commit(grounded((event(0),)))
    failed: list[BaseException] = []

    def search() -> None:
        try:
            for _ in range(40):
                assert store.nearest("event 0 of tale", 1)[0][0] == event(0).id
        except BaseException as error:  # noqa: BLE001 - told by the test
            failed.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 60):
        store.commit(
            grounded(
                (event(number), event(number, "other")), {event(number - 1, "other").id: None} if number > 1 else {}
            )
        )
    for thread in threads:
        thread.join()
    assert not failed
    assert len(store.nearest("x", 200)) == 61
    assert store.version == 60


# Other processes


def test_one_process_writes_and_others_read(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no narrative memory"):
        NarrativeStore(tmp_path)
    writing = subprocess.Popen(
        [sys.executable, "-m", "tests.narrative_processes", "hold", str(tmp_path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert writing.stdout is not None
        assert writing.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match=rf"process {writing.pid} is writing it\. Wait until"):
            NarrativeStore(tmp_path, writer=True)
        with NarrativeStore(tmp_path, embed) as reader:
            assert reader.events() == [event(1), event(2)]
            assert reader.nearest("event 2 of tale", 1) == [(event(2).id, pytest.approx(1))]
            assert reader.nearest("event 2 of tale", 1, "tale")[0][0] == event(2).id
            for work in (lambda: reader.commit(grounded()), reader.index, lambda: reader.forget("tale")):
                with pytest.raises(StoreError, match="opened for reading"):
                    work()
        writing.communicate("\n", timeout=30)
    finally:
        writing.kill()
        writing.wait()
    with NarrativeStore(tmp_path, writer=True) as store, NarrativeStore(tmp_path) as reader:
        store.commit(grounded((event(3),)))
        assert len(reader.events()) == 3


def test_a_file_that_is_damaged_or_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, writer=True) as store:
        store.commit(grounded((event(1),)))
    database = sqlite3.connect(tmp_path / FILE_NAME)
    database.execute("PRAGMA user_version=99")
    database.close()
    for writer in (False, True):
        with pytest.raises(StoreError, match=r"format 99, which is newer than 1. Update attend-agent"):
            NarrativeStore(tmp_path, writer=writer)
    (tmp_path / FILE_NAME).write_bytes(b"damaged" * 999)
    for writer in (False, True):
        with pytest.raises(StoreError, match=r"cannot be opened: .* Move the file away, and build"):
            NarrativeStore(tmp_path, writer=writer)
    (tmp_path / FILE_NAME).unlink()
    NarrativeStore(tmp_path, writer=True).close()


# Forgetting


def told(source: str) -> Change:
    """Three segments with an event in each, linked and chained, with names and hashes."""
    segments = tuple(segment(n, source, f"{source} giraffe{n}") for n in range(3))
    events = tuple(
        event(n, source, f"{source} zebra{n}", (f"{source} actor{n}", f"{source} king"), segments[n]) for n in range(3)
    )
    king, *others = (Entity(source=source, name=f"{source} {name}") for name in ("king", "actor1", "actor2"))
    return grounded(
        add=(
            *segments, *events, king, *others,
            link(events[0], events[1], why=f"{source} ostrich"), link(events[0], events[2], why=f"{source} emu"),
            chain(*events, summary=f"{source} heron"), chain(events[0], events[2], summary=f"{source} stork"),
        ),
        inputs={(source, "0"): f"{source} sha0"},
        aliases=((f"{source} nick1", others[0].id), (f"{source} actor1", others[0].id), (f"{source} chief", king.id)),
    )  # fmt: skip


def test_nothing_of_what_is_forgotten_is_left_in_the_files(tmp_path: Path) -> None:
    gone = (b"zebra1", b"giraffe1", b"ostrich", b"heron", b"actor1", b"nick1", b"sha0", b"emended")
    stay = (b"zebra0", b"zebra2", b"giraffe0", b"emu", b"stork", b"king", b"actor2", b"chief")
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        store.commit(told("other"))
        store.commit(told("tale"))
        old = store.events("tale", Span(10, 11))[0]
        new = old.model_copy(update={"summary": "tale zebra1 emended"})
        store.commit(grounded((new,), {old.id: new.id}))
        store.commit(told("tale"))
        store.index()
        vectors = [embed([text])[0].tobytes() for text in ("tale zebra1", "tale giraffe1", new.summary)]
        before = on_disk(tmp_path)
        assert all(word == b"emended" or b"tale " + word in before for word in gone + stay)
        assert all(vector in before for vector in vectors)
        forgotten = store.forget("tale", Span(12, 18))
        # An event is there once, but lived twice; the link and the chain on it too.
        assert forgotten == Forgotten(segments=1, events=3, entities=1, links=2, chains=2, vectors=4)
        after = on_disk(tmp_path)
        assert b"emended" not in after
        assert not any(b"tale " + word in after for word in gone)
        assert not any(vector in after for vector in vectors)
        assert store.record(old.id) is None
        assert store.nearest("tale zebra1", 9, "tale", as_of=2)[0][1] < 0.99
        assert {id_ for id_, _ in store.nearest("x", 9, "tale")} == {one.id for one in store.events("tale")}
        assert not (tmp_path / "vectors").exists()
        with pytest.raises(StoreError, match="Run it in another process"):
            store.reindex()
        after = on_disk(tmp_path)
        assert not any(vector in after for vector in vectors)
        assert all(b"other " + word in after for word in gone[:-1] + stay)
        assert all(b"tale " + word in after for word in stay)
        assert store.built("tale") == {}
        assert store.count("tale") == {"segment": 2, "event": 2, "entity": 2, "link": 1, "chain": 1}
        assert store.version == store.versions()[-1].version == 5

        assert store.forget("tale") == Forgotten(segments=2, events=2, entities=2, links=1, chains=1, vectors=4)
        assert b"tale" not in on_disk(tmp_path)
        assert store.sources() == ["other"]
        assert store.forget("tale") == Forgotten()
        store.commit(grounded((event(1, "new"),)))
        assert store.nearest("event 1 of new", 1)[0][1] == pytest.approx(1)
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        assert store.nearest("other zebra1", 1)[0][1] == pytest.approx(1)
    assert not (tmp_path / "vectors").exists()
    searched = [sys.executable, "-m", "tests.narrative_processes", "search", str(tmp_path)]
    assert subprocess.run(searched, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split() == ["4", "4"]
    assert list((tmp_path / "vectors").rglob("*.bin"))
    assert b"tale" not in on_disk(tmp_path)
    assert not any(vector in on_disk(tmp_path) for vector in vectors)


def test_a_span_takes_what_it_touches_but_not_what_ends_at_its_edge(store: NarrativeStore) -> None:
    point = event(2).model_copy(update={"end_s": 20.0, "summary": "a flash"})
    for span, numbers in ((Span(10, 20), [0, 2, 3]), (Span(15, 15), [0, 2, 3]), (Span(20, 30), [0, 1, 3])):
        store.commit(grounded(tuple(segment(number) for number in range(4))))
        store.forget("tale", span)
        assert [part.number for part in store.segments("tale")] == numbers
    store.commit(grounded((point, event(9))))
    store.forget("tale", Span(11, 20))
    assert store.events() == [event(9)]


def test_a_forgetting_that_a_kill_cut_off_is_finished_by_the_next_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vector = embed(["tale zebra1"])[0].tobytes()
    with NarrativeStore(tmp_path, embed, writer=True) as store:
        store.commit(told("tale"))
        store.index()
        with monkeypatch.context() as patched:
            patched.setattr(EventVectors, "forget", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                store.forget("tale")
        assert vector in on_disk(tmp_path)
    with NarrativeStore(tmp_path, writer=True):
        assert vector not in on_disk(tmp_path)
        assert b"zebra1" not in on_disk(tmp_path)


# Cost


def test_writing_and_reading_cost_the_same_with_many_events(store: NarrativeStore) -> None:
    """By what SQLite does, not by the clock: no statement walks a table."""

    def change(first: int) -> Change:
        events = [event(first + number / 10) for number in range(10)]
        bonds = [link(one, other) for one, other in pairwise(events)]
        return grounded((segment(first), *events, *bonds, chain(*events), Entity(source="tale", name=f"fox {first}")))

    def costs(first: int) -> list[int]:
        made, gone = change(first), change(first - 5)
        ids = [record.id for record in made.add if isinstance(record, Event)]
        works: list[Callable[[], object]] = [
            lambda: store.commit(grounded(made.add, {record.id: None for record in gone.add[1:11]})),
            lambda: store.events(ids=ids),
            lambda: store.events("tale", Span(10 * first, 10 * first + 10)),
            lambda: store.links(ids),
            lambda: store.chains(event_ids=ids),
            lambda: store.resolve(f"fox {first}", "tale"),
            lambda: store.record(ids[0]),
            lambda: store.nearest("x", 3, "other"),
            store.index,
            store.count,
            store.sources,
        ]
        return [steps(work) for work in works]

    def steps(work: Callable[[], object]) -> int:
        taken: list[int] = []
        store._database._connection.set_progress_handler(lambda: taken.append(1), 10)
        work()
        store._database._connection.set_progress_handler(None, 0)
        return len(taken)

    store.commit(grounded((event(1, "other"),)))
    for number in range(10, 15):
        store.commit(change(number))
    store.index()
    store.nearest("x", 3, "other")
    few = costs(15)
    for number in range(100, 205):
        store.commit(change(number))
    store.index()
    store.nearest("x", 3, "other")
    many = costs(205)
    assert min(few) > 0
    assert many == pytest.approx(few, rel=0.2, abs=5)


# A Chroma server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--host", "127.0.0.1"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
    try:
        give_up_s = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < give_up_s, (folder / "log").read_text()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.kill()
        running.wait()


def test_several_processes_share_a_server(tmp_path: Path, server: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.narrative_processes", what, str(tmp_path), server],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for what in ("serve", "ask", "ask")
    ]  # fmt: skip
    try:
        told_by = [process.communicate(timeout=120)[0].split() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert told_by[0] == ["20"]
    for asked, wrong, *_ in told_by[1:]:
        assert int(asked) >= 20
        assert int(wrong) == 0
    assert not (tmp_path / "vectors").exists()
    with NarrativeStore(tmp_path, embed, server=server) as reader, pytest.MonkeyPatch.context() as patched:
        patched.setattr(EventVectors, "_exact", lambda *_: pytest.fail("the server was not asked"))
        assert reader.nearest("event 19.0 of tale", 1)[0][0] == event(19.0).id
        assert reader.nearest("event 19.0 of tale", 1, "tale")[0][0] == event(19.0).id


def test_an_index_on_a_server_heals_and_forgets(tmp_path: Path, server: str) -> None:
    import chromadb

    port = int(server.rpartition(":")[2])
    with NarrativeStore(tmp_path, embed, writer=True, server=server) as store:
        store.commit(grounded((event(1), event(2), event(1, "other"))))
        store.index()
        name = f"events-{store._database.meta('memory')}"
        chromadb.HttpClient("127.0.0.1", port).delete_collection(name)
        assert len(store.nearest("event 2 of tale", 9)) == 3
        collection = chromadb.HttpClient("127.0.0.1", port).get_collection(name)
        collection.delete(ids=[event(1).id])
        with NarrativeStore(tmp_path, embed, server=server) as reader:
            assert len(reader.nearest("event 1 of tale", 9)) == 3  # by itself, while the index is out of step
        assert len(store.nearest("event 1 of tale", 9)) == 3
        assert store.reindex() == 6
        assert store.forget("tale").vectors == 4
        assert store.nearest("event 1 of tale", 9) == [(event(1, "other").id, pytest.approx(0, abs=1))]
        assert chromadb.HttpClient("127.0.0.1", port).get_collection(name).count() == 1


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with NarrativeStore(tmp_path, embed, writer=True, server="http://127.0.0.1:9") as store:
        store.commit(grounded((event(1),)))
        with pytest.raises(StoreError, match=r"127.0.0.1:9'.* Start the server with `chroma run"):
            store.index()
        with NarrativeStore(tmp_path, embed, server="http://127.0.0.1:9") as reader:
            assert len(reader.nearest("x", 3)) == 1  # without the server
    with pytest.raises(StoreError, match=r"of a Chroma server. Expected http://HOST:PORT"):
        NarrativeStore(tmp_path, embed, writer=True, server="localhost")
