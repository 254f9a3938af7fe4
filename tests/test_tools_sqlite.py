"""SQLite files, opened by the one module that opens them: real files that are damaged, locked, shut or newer."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tools.errors import StoreError
from tools.sqlite import BATCH, Database, connect, is_damaged

SCHEMA = """
CREATE TABLE IF NOT EXISTS things (id INTEGER PRIMARY KEY, body TEXT);
CREATE INDEX IF NOT EXISTS by_body ON things (body)
"""
DAMAGED = "Count the things again."
HOLD = """
import sys
from tools.sqlite import connect
sql = connect(sys.argv[1])
sql.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def open_things(path: Path, version: int = 2, **options: Any) -> Database:
    return Database(path, "the things", SCHEMA, version, damaged=DAMAGED, **options)


def add(database: Database, bodies: Iterable[str], most_pages: int = 1000) -> None:
    with database.transaction() as sql:
        sql.execute(f"PRAGMA max_page_count = {most_pages}")
        for body in bodies:
            sql.execute("INSERT INTO things (body) VALUES (?)", (body,))


def bodies(database: Database) -> list[str]:
    return [body for (body,) in database.read("SELECT body FROM things ORDER BY id")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "things.sqlite"


@contextmanager
def held_by_another_process(path: Path) -> Iterator[None]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate("")


def test_what_was_written_is_read_by_others(path: Path) -> None:
    with closing(open_things(path)) as writer:
        add(writer, "ab")
        with closing(open_things(path, missing=StoreError("nothing"))) as reader:
            assert bodies(reader) == ["a", "b"]
            with pytest.raises(StoreError, match=r"the things .* cannot be written: attempt to write a readonly"):
                add(reader, "c")
        assert bodies(writer) == ["a", "b"]


def test_pragmas_are_those_that_the_file_needs(path: Path) -> None:
    names = ("journal_mode", "synchronous", "user_version")
    with closing(open_things(path)) as database:
        assert [database.read(f"PRAGMA {name}")[0][0] for name in names] == ["wal", 2, 2]
    with closing(open_things(path, durable=False, secure_delete=True)) as database:
        assert [database.read(f"PRAGMA {name}")[0][0] for name in ("synchronous", "secure_delete")] == [1, 1]


def broken_off(error: BaseException) -> Iterator[str]:
    yield "a"
    raise error


@pytest.mark.parametrize("error", [KeyError("a thing"), KeyboardInterrupt()])
def test_a_transaction_that_breaks_off_writes_nothing(path: Path, error: BaseException) -> None:
    with closing(open_things(path)) as database:
        with pytest.raises(type(error)):
            add(database, broken_off(error))
        add(database, "b")
        assert bodies(database) == ["b"]


def test_more_ids_than_a_statement_takes_are_read_in_parts(path: Path) -> None:
    with closing(open_things(path)) as database:
        add(database, map(str, range(BATCH + 7)))
        statement = "SELECT id FROM things WHERE id IN ({ids}) AND id > ?"
        assert len(list(database.read_any(statement, range(1, BATCH + 8), 3))) == BATCH + 4


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    for missing in (None, StoreError("nothing")):
        with pytest.raises(StoreError, match=r"the things .*things\.sqlite' cannot be opened: file is not") as caught:
            open_things(path, missing=missing)
        assert is_damaged(caught.value)
        assert caught.value.remedy == DAMAGED


def test_damage_that_is_met_while_reading_is_told_as_such(path: Path) -> None:
    with closing(open_things(path)) as database:
        add(database, (str(number) * 1000 for number in range(100)))
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with closing(open_things(path)) as database, pytest.raises(StoreError, match="cannot be read") as caught:
        bodies(database)
    assert is_damaged(caught.value)
    assert caught.value.remedy == DAMAGED


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    with closing(open_things(path, version=3)) as database:
        add(database, "a")
    before = path.read_bytes()
    for missing in (None, StoreError("nothing")):
        with pytest.raises(StoreError, match=r"has format 3, which is newer than 2\. Update attend-agent") as caught:
            open_things(path, missing=missing)
        assert not is_damaged(caught.value)
    assert path.read_bytes() == before


def test_a_file_of_an_older_version_is_brought_up_to_date_once(path: Path) -> None:
    with closing(open_things(path, version=1)) as database:
        add(database, "a")
    upgrades = {1: "ALTER TABLE things ADD COLUMN price REAL"}
    for _ in range(2):
        with closing(open_things(path, upgrades=upgrades)) as database:
            assert database.read("SELECT * FROM things") == [(1, "a", None)]


def test_a_file_without_a_version_stays_one(path: Path) -> None:
    for body in ("a", "b"):
        with closing(open_things(path, version=0)) as database:
            add(database, body)
    with closing(open_things(path, version=0)) as database:
        assert (bodies(database), database.read("PRAGMA user_version")) == (["a", "b"], [(0,)])


def test_a_reader_makes_nothing(path: Path) -> None:
    nothing = StoreError("there are no things.")
    with pytest.raises(StoreError, match=r"there are no things\."):
        open_things(path, missing=nothing)
    assert not path.parent.exists()
    path.parent.mkdir()
    path.touch()  # by a writer that was killed before it made the tables
    with pytest.raises(StoreError, match=r"there are no things\."):
        open_things(path, missing=nothing)
    assert path.read_bytes() == b""


def test_a_file_that_another_process_holds_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.sqlite.BUSY_S", 0.05)
    with closing(open_things(path)) as database:
        add(database, "a")
        with held_by_another_process(path):
            with pytest.raises(StoreError, match="cannot be written: database is locked") as caught:
                add(database, "b")
            assert "wait until it has finished" in caught.value.remedy
            assert not is_damaged(caught.value)
            assert bodies(database) == ["a"], "readers do not wait for a writer"
        add(database, "b")
        assert bodies(database) == ["a", "b"]


def test_a_full_disk_is_told_with_its_remedy(path: Path) -> None:
    with closing(open_things(path)) as database:
        with pytest.raises(StoreError, match=r"cannot be written: .*full") as caught:
            add(database, ["a" * 1000] * 100, most_pages=4)
        assert caught.value.remedy == "Free some disk space."
        assert bodies(database) == []


SHUT = f"""
import os, sys
from pathlib import Path
from tools.errors import StoreError
from tools.sqlite import Database
path = Path(sys.argv[1]) / "shut" / "things.sqlite"
Database(path, "the things", {SCHEMA!r}, 1, damaged="").close()
os.chmod(path.parent, 0o555)
if os.geteuid() == 0:
    os.seteuid(65534)  # permissions do not bind root
for place in (path, path.parent / "new" / "things.sqlite"):
    try:
        Database(place, "the things", {SCHEMA!r}, 1, damaged="")
    except StoreError as error:
        print(error)
"""


def test_a_folder_that_cannot_be_written_is_told_with_its_remedy(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path lies in a folder that only its owner may enter
        Path(folder).chmod(0o755)
        run = subprocess.run([sys.executable, "-c", SHUT, folder], capture_output=True, text=True, check=True)
        (Path(folder) / "shut").chmod(0o755)
    told = run.stdout.splitlines()
    assert len(told) == 2
    for message in told:
        assert "cannot be opened: " in message
        assert "Check the disk and the permissions of the folder." in message
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot be opened: "):
        open_things(tmp_path / "file" / "things.sqlite")


def test_a_closed_file_is_told_of(path: Path) -> None:
    database = open_things(path)
    database.close()
    database.close()
    with pytest.raises(StoreError, match=r"cannot be read: .*closed"):
        bodies(database)


def test_tables_of_one_connection_are_made_for_readers_too(path: Path) -> None:
    session = "CREATE TEMP TABLE mine (id INTEGER); INSERT INTO mine VALUES (7)"
    with closing(open_things(path, session=session)) as writer:
        for missing in (None, StoreError("nothing")):
            with closing(open_things(path, missing=missing, session=session)) as database:
                assert database.read("SELECT id FROM mine") == [(7,)]
        assert writer.read("SELECT name FROM main.sqlite_master WHERE name = 'mine'") == []


def test_a_file_of_others_is_opened_for_reading_only(tmp_path: Path) -> None:
    with closing(connect(tmp_path / "a ?#%.sqlite")) as sql:
        sql.execute("CREATE TABLE things (id INTEGER)")
    with closing(connect(tmp_path / "a ?#%.sqlite", read_only=True)) as sql:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            sql.execute("INSERT INTO things VALUES (1)")
        assert sql.execute("SELECT count(*) FROM things").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="unable to open"):
        connect(tmp_path / "none.sqlite", read_only=True)
    assert not (tmp_path / "none.sqlite").exists()
