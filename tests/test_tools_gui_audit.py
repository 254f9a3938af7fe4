"""The audit file: every change is found, a crash loses nothing acknowledged, and no personal detail is kept."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.errors import StoreError
from tools.gui.guard.audit import GENESIS, AuditLog, entry_hash, read_entries, verify
from tools.gui.guard.audit_report import write_audit_report
from tools.gui.guard.record import told_action
from tools.gui.types import Point, TypeText
from tools.privacy.redact import Redactor

ROOT = Path(__file__).parent.parent
WRITER = """
import sys
from pathlib import Path
from tools.gui.guard.audit import AuditLog

log = AuditLog(Path(sys.argv[1]))
for number in range(1_000_000):
    log.append("act", {"number": number, "filler": "word " * 60})
    print(number, flush=True)
"""


def write(path: Path, count: int) -> AuditLog:
    log = AuditLog(path)
    for number in range(count):
        log.append("act", {"number": number, "reason": "a reason"})
    log.close()
    return log


def test_what_is_written_holds_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "new" / "audit.jsonl"
    first = write(path, 3)
    second = AuditLog(path)
    assert second.head == first.head
    last = second.append("outcome", {"outcome": "verified"})
    checked = verify(path)
    assert (checked.holds, checked.entries, checked.head) == (True, 4, last)
    assert [entry["n"] for entry in read_entries(path)] == [1, 2, 3, 4]
    assert next(read_entries(path))["prev"] == GENESIS


def test_an_empty_file_holds_and_a_missing_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.touch()
    assert verify(path).entries == 0
    with pytest.raises(StoreError, match="cannot read the audit file"):
        verify(tmp_path / "missing.jsonl")


@settings(max_examples=60)
@given(data=st.data())
def test_any_change_of_any_byte_is_found(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    write(path, 4)
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[place]))
    path.write_bytes(raw)
    assert not verify(path).holds


@pytest.mark.parametrize("change", ["remove", "swap", "repeat", "renumber"])
def test_lines_cannot_be_removed_moved_or_repeated(change: str, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 5)
    lines = path.read_bytes().splitlines(keepends=True)
    if change == "remove":
        del lines[2]
    elif change == "swap":
        lines[1], lines[2] = lines[2], lines[1]
    elif change == "repeat":
        lines.insert(2, lines[1])
    else:
        entry = {**json.loads(lines[-1]), "n": 9}
        entry["hash"] = entry_hash(entry)
        lines[-1] = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    path.write_bytes(b"".join(lines))
    checked = verify(path)
    assert not checked.holds
    assert checked.line == (5 if change == "renumber" else 3 if change in ("remove", "repeat") else 2)


def test_a_cut_or_a_file_written_anew_is_found_with_what_was_noted(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 5)
    noted = verify(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:3]))
    assert verify(path).holds
    assert "2 lines are missing" in verify(path, entries=noted.entries).problem
    path.unlink()
    write(path, 5)
    assert "the file was rewritten" in verify(path, entries=noted.entries, head=noted.head).problem
    again = verify(path)
    AuditLog(path).append("act", {})
    assert verify(path, entries=again.entries, head=again.head).holds


@pytest.mark.parametrize("line", [b'{"n": NaN, "prev": ""}', b"[" * 100_000, b'{"n": 3, "prev": "", "x": 1e999}'])
def test_a_line_that_cannot_be_read_does_not_hold(line: bytes, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 2)
    path.write_bytes(path.read_bytes() + line + b"\n")
    checked = verify(path)
    assert (checked.holds, checked.line) == (False, 3)
    with pytest.raises(StoreError, match="invalid last line"):
        AuditLog(path)


@pytest.mark.parametrize("torn", [b'{"at":"2026', b"{", b"\xff\xfe", b'{"n":4}'])
def test_a_torn_last_line_is_cut_off_and_told(torn: bytes, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 3)
    with path.open("ab") as file:
        file.write(torn)
    assert verify(path).problem == "it is torn"
    AuditLog(path).append("act", {"number": 3})
    entries = list(read_entries(path))
    assert verify(path).holds
    assert [entry["kind"] for entry in entries] == ["act", "act", "act", "healed", "act"]
    assert entries[3]["bytes"] == len(torn)


def test_a_whole_last_line_that_does_not_hold_is_not_healed_away(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 2)
    before = path.read_bytes().replace(b'"number":1', b'"number":7')
    path.write_bytes(before)
    with pytest.raises(StoreError, match="invalid last line"):
        AuditLog(path)
    assert path.read_bytes() == before


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    script = f"from pathlib import Path; from tools.gui.guard.audit import AuditLog; AuditLog(Path({str(path)!r}))"
    other = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert "another process writes" in other.stderr
    log.close()
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode == 0


def test_threads_take_turns(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    threads = [threading.Thread(target=lambda: [log.append("act", {}) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verify(log.path).holds, verify(log.path).entries) == (True, 80)


def test_a_closed_file_takes_nothing(tmp_path: Path) -> None:
    log = write(tmp_path / "audit.jsonl", 1)
    with pytest.raises(StoreError, match="closed"):
        log.append("act", {})


@pytest.mark.parametrize("kills", [5])
def test_kill_9_loses_nothing_that_was_acknowledged(kills: int, tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    acknowledged = 0
    for kill in range(kills):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
        assert writer.stdout
        for _ in range(20 + 7 * kill):
            writer.stdout.readline()
            acknowledged += 1
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    log = AuditLog(path)
    assert verify(path).holds
    assert sum(entry["kind"] == "act" for entry in read_entries(path)) >= acknowledged
    log.close()


def test_texts_are_redacted_and_hashes_kept(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", Redactor(known=("Doe, Jane",)))
    told = {"target": {"label": "Jane's chart, MRN 4471902"}, "list": ["a@b.org"], "screen_sha256": "ab" * 32, "n": 99}
    log.append("act", told)
    (entry,) = read_entries(log.path)
    assert entry["target"] == {"label": "[KNOWN]'s chart, MRN [MRN]"}
    assert (entry["list"], entry["screen_sha256"], entry["n"]) == (["[EMAIL]"], "ab" * 32, 1)


def test_a_label_that_looks_like_a_person_is_redacted_wherever_it_stands(tmp_path: Path) -> None:
    """On a list of patients others are named than the session's, whom nobody told the log of."""
    log = AuditLog(tmp_path / "audit.jsonl")
    told = {
        "target": {"label": "Doe, Jane 4471902", "layer": "tree"},
        "action": {"kind": "wait", "words": "Roe, John"},
        "window": "Doe, Jane (1980-01-02) - EHR",
        "halted_for": "'Delete Jane Doe 44719' names the verb 'delete', which the policy forbids",
        "reason": "the address 'http://127.0.0.1:8042/app' is not allowed",
        "url": "http://127.0.0.1:8042/app",
        "approved_by": ["Smith, Ann"],
    }
    log.append("halted", told)
    log.append("act", {"target": {"label": "Place order"}, "window": "Records - EHR"})
    halted, plain = read_entries(log.path)
    raw = log.path.read_text("utf-8")
    assert not [detail for detail in ("Doe", "Jane", "Roe", "44719", "1980") if detail in raw]
    assert halted["target"] == {"label": "[NAME] [NUMBER]", "layer": "tree"}
    # In capitals beside a date: a name as far as anybody can tell.
    assert halted["window"] == "[NAME] ([DATE]) - [NAME]"
    assert halted["halted_for"] == "'[NAME] [NUMBER]' names the verb 'delete', which the policy forbids"
    # What tells where it was, and who answers for it, stays.
    assert halted["url"].startswith("http://127.0.0.1:8042/")
    assert halted["reason"] == f"the address '{halted['url']}' is not allowed"
    assert halted["approved_by"] == ["Smith, Ann"]
    assert (plain["target"]["label"], plain["window"]) == ("Place order", "Records - EHR")


def test_an_address_keeps_its_server_and_a_text_only_its_length(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    study = "http://user:word@10.0.0.7:8042/app/explorer.html#study?uuid=0b7f0f19-8e2b"
    log.append("act", {"url": study, "reason": f"{study}: it answered 404.", "again": study.replace("8e2b", "8e2c")})
    log.append("act", {"url": study, "action": told_action(TypeText(point=Point(x_px=1, y_px=1), text="4471902"))})
    log.close()
    first, second = read_entries(log.path)
    raw = log.path.read_text("utf-8")
    assert not [part for part in ("uuid", "0b7f", "explorer", "word", "4471902") if part in raw]
    assert hashlib.sha256(b"4471902").hexdigest() not in raw
    assert first["url"].startswith("http://10.0.0.7:8042/")
    assert first["reason"] == f"{first['url']}: it answered 404."
    assert first["url"] == second["url"] != first["again"]
    assert second["action"]["text_length"] == 7
    key = tmp_path / "audit.jsonl.key"
    assert key.stat().st_mode & 0o077 == 0
    again = AuditLog(log.path)
    again.append("act", {"url": study})
    again.close()
    assert [entry["url"] for entry in read_entries(log.path)][2] == first["url"]
    assert verify(log.path).holds
    other = AuditLog(tmp_path / "other.jsonl")
    other.append("act", {"url": study})
    assert next(iter(read_entries(other.path)))["url"] != first["url"]
    key.write_bytes(b"short")
    with pytest.raises(StoreError, match="invalid key"):
        AuditLog(log.path)


@given(
    told=st.dictionaries(
        st.text(max_size=10),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        ),
        max_size=4,
    )
)
def test_whatever_is_told_the_chain_holds(told: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> None:
    log = AuditLog(tmp_path_factory.mktemp("audit") / "audit.jsonl")
    log.append("act", told)
    log.append("act", told)
    log.close()
    assert verify(log.path).entries == 2
    assert verify(log.path).holds


def test_the_page_shows_all_and_runs_nothing(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append(
        "halted",
        {
            "action": {"kind": "click", "point": {"x_px": 3, "y_px": 4}},
            "target": {"label": "<script>alert(1)</script>"},
            "outcome": "halted_before_effect",
            "halted_for": "it names the verb 'delete'",
            "screen_sha256": "cd" * 32,
        },
    )
    log.append("act", {"action": {"kind": "type", "text": "x"}, "about": {"model": "scripted"}, "approved_by": ["Ann"]})
    out = tmp_path / "report.html"
    assert write_audit_report(log.path, out) == 2
    page = out.read_text("utf-8")
    assert "<script>" not in page
    assert "http://" not in page
    for shown in ("chain of 2 entries holds", "click at (3, 4)", "&lt;script&gt;", "Ann, scripted", "cd" * 32):
        assert shown in page
    raw = log.path.read_bytes()
    log.path.write_bytes(raw.replace(b'"text":"x"', b'"text":"y"'))
    assert write_audit_report(log.path, out) == 1
    assert "Line 2 does not hold" in out.read_text("utf-8")
