"""The verbs `attend audit` and `attend stop`, run as a person or a script runs them."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from evals.bench.redteam_desk import CONTROLS, Page, SimulatedDesk
from tools.errors import Stopped
from tools.gui.guard.audit import AuditLog
from tools.gui.guard.kill_switch import KillSwitch, watching
from tools.gui.types import TypeText

ATTEND = [sys.executable, "-c", "from agent.cli.main import main; main()"]
ROOT = Path(__file__).parent.parent


def attend(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*ATTEND, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=120, env=None
    )


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("act", {"action": {"kind": "click"}, "target": {"label": "Jane Doe"}})
    log.append("outcome", {"outcome": "verified"})
    return log


def test_a_file_that_holds(log: AuditLog) -> None:
    run = attend("audit", "verify", log.path)
    assert (run.returncode, f"2 entries, last hash {log.head}" in run.stdout) == (0, True)
    run = attend("audit", "verify", log.path, "--json", "--entries", 2, "--head", log.head)
    assert json.loads(run.stdout) == {"holds": True, "entries": 2, "head": log.head, "problem": "", "line": 0}


def test_a_file_that_was_changed(log: AuditLog) -> None:
    log.path.write_bytes(log.path.read_bytes().replace(b"Jane", b"Jone"))
    run = attend("audit", "verify", log.path)
    assert run.returncode == 1
    assert "not valid  line 1" in run.stdout
    assert attend("audit", "verify", log.path, "--entries", 5).returncode == 1


def test_a_file_that_holds_nothing_proves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    run = attend("audit", "verify", path)
    assert (run.returncode, "has no entries" in run.stdout) == (1, True)
    assert json.loads(attend("audit", "verify", path, "--json").stdout)["holds"] is False


def test_the_page_of_a_broken_file_is_no_success(log: AuditLog) -> None:
    assert attend("audit", "report", log.path).returncode == 0
    log.path.write_bytes(log.path.read_bytes().replace(b"Jane", b"Jone"))
    run = attend("audit", "report", log.path)
    assert (run.returncode, "not valid  line 1" in run.stdout) == (1, True)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    run = attend("audit", "verify", tmp_path / "none.jsonl")
    assert (run.returncode, "cannot read" in run.stderr, "Traceback" in run.stderr) == (1, True, False)


def test_the_page_is_written_beside_the_file(log: AuditLog) -> None:
    run = attend("audit", "report", log.path, "--known", "Jane Doe", "--json")
    told = json.loads(run.stdout)
    assert told["entries"] == 2
    page = Path(told["html"]).read_text("utf-8")
    assert "Jane" not in page
    assert "[KNOWN]" in page


def test_the_page_never_takes_the_place_of_a_record(log: AuditLog, tmp_path: Path) -> None:
    before = log.path.read_bytes()
    (tmp_path / "kept").mkdir()
    (tmp_path / "link.html").symlink_to(log.path)
    (tmp_path / "hard.html").hardlink_to(log.path)
    (tmp_path / "other.html").write_text("mine")
    for name in ("audit.jsonl", "kept/../audit.jsonl", "link.html", "hard.html", "other.html", "audit.jsonl.key"):
        run = attend("audit", "report", log.path, "--html", tmp_path / name)
        assert (run.returncode, "already exists" in run.stderr) == (1, True), name
    # By the name that is taken where none is given, too.
    (tmp_path / "audit.jsonl.html").hardlink_to(log.path)
    run = attend("audit", "report", log.path)
    assert (run.returncode, "is the audit file itself" in run.stderr) == (1, True)
    assert log.path.read_bytes() == before
    assert (tmp_path / "other.html").read_text() == "mine"
    record = tmp_path / "page.html.new"
    record.write_bytes(before)
    assert attend("audit", "report", record, "--html", tmp_path / "page.html").returncode == 0
    assert record.read_bytes() == before


def test_the_page_can_be_read_by_its_owner_only(log: AuditLog, tmp_path: Path) -> None:
    for _ in range(2):
        assert attend("audit", "report", log.path).returncode == 0
        assert (tmp_path / "audit.jsonl.html").stat().st_mode & 0o777 == 0o600
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"audit.jsonl", "audit.jsonl.html", "audit.jsonl.key", "audit.jsonl.lock"}


def test_the_page_of_a_file_that_holds_nothing_is_no_success(tmp_path: Path) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_bytes(b"")
    run = attend("audit", "report", path)
    assert (run.returncode, "has no entries" in run.stdout) == (1, True)
    assert "has no entries" in (tmp_path / "empty.jsonl.html").read_text("utf-8")
    run = attend("audit", "report", path, "--json")
    assert (run.returncode, json.loads(run.stdout)["holds"]) == (1, False)


@pytest.mark.parametrize("folder", [".", "..", "/"])
def test_the_page_of_a_folder_is_refused_in_words(folder: str) -> None:
    run = attend("audit", "report", folder)
    assert (run.returncode, "cannot read" in run.stderr, "Traceback" in run.stderr) == (1, True, False)


def test_stop_reaches_another_process_in_the_middle_of_typing(tmp_path: Path) -> None:
    switch = KillSwitch(tmp_path)
    desk = SimulatedDesk(Page(CONTROLS), switch, key_s=0.005)
    begun = threading.Event()
    desk.on_key = lambda key: begun.set() if desk.typed["Note"] else None
    stopped: list[subprocess.CompletedProcess[str]] = []

    def person() -> None:
        begun.wait()
        stopped.append(attend("stop", "--folder", tmp_path))

    thread = threading.Thread(target=person)
    thread.start()
    text = "long " * 2000
    with watching(switch, desk.release), pytest.raises(Stopped, match="attend stop"):
        desk.perform(TypeText(point=desk.page.control("Note").rect.center, text=text))
    thread.join()
    assert stopped[0].returncode == 0
    # Somebody whose run has another folder has to see that it goes on.
    assert f"all runs of the folder {tmp_path}" in stopped[0].stdout
    assert "another --folder are not stopped" in stopped[0].stdout
    assert f"attend stop --clear --folder {tmp_path}" in stopped[0].stdout
    assert 0 < len(desk.typed["Note"]) < len(text)
    assert desk.held == set()
    # It stays stopped, for new processes too, until a person clears it.
    with pytest.raises(Stopped):
        KillSwitch(tmp_path).check()
    assert json.loads(attend("stop", "--clear", "--folder", tmp_path, "--json").stdout)["stopped"] is False
    KillSwitch(tmp_path).check()
    assert "nothing was stopped" in attend("stop", "--clear", "--folder", tmp_path).stdout
