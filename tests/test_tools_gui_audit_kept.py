"""An audit file that is taken away, replaced or written by others while it is open: nothing more is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from evals.bench.redteam_desk import CONTROLS, Page, SimulatedDesk
from tools.errors import StoreError
from tools.gui.guard.audit import AuditLog, read_entries, verify
from tools.gui.guard.decide import Mode
from tools.gui.guard.guarded import Guard, guarded
from tools.gui.guard.policy import Address, Policy
from tools.gui.types import Action, Click, Outcome

PAGE = Page(CONTROLS)
POLICY = Policy(
    name="x",
    windows=("Ward EHR*",),
    urls=(Address(host="ehr.test", path="/app/*"),),
    identity="none",
    auto_labels=("Next", "Previous"),
)


def replace_by_a_copy(path: Path) -> None:
    kept = path.read_bytes()
    path.unlink()
    path.write_bytes(kept)


def move_the_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def cut_its_end(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)


def write_to_it(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"{}\n")


MEDDLING = [
    pytest.param(Path.unlink, "cannot find the audit file", id="removed"),
    pytest.param(move_the_folder, "cannot find the audit file", id="moved"),
    pytest.param(replace_by_a_copy, "it was replaced", id="replaced"),
    pytest.param(cut_its_end, "bytes instead of", id="cut"),
    pytest.param(write_to_it, "bytes instead of", id="written"),
]


@pytest.mark.parametrize(("meddle", "because"), MEDDLING)
@pytest.mark.parametrize("opened_anew", [False, True])
def test_what_happens_to_the_file_is_seen_before_the_next_entry(
    meddle: Callable[[Path], None], because: str, opened_anew: bool, tmp_path: Path
) -> None:
    path = tmp_path / "audit" / "audit.jsonl"
    log = AuditLog(path)
    log.append("act", {"reason": "grüße"})
    if opened_anew:
        log.close()
        log = AuditLog(path)
        log.append("act", {"reason": "two"})
    before = log.head
    meddle(path)
    for _ in range(2):
        with pytest.raises(StoreError, match=because):
            log.append("act", {})
    assert log.head == before


def test_after_a_torn_line_was_healed_the_file_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    log = AuditLog(path)
    log.append("act", {})
    log.close()
    write_to_it(path)
    cut_its_end(path)
    log = AuditLog(path)
    log.append("act", {})
    assert [entry["kind"] for entry in read_entries(path)] == ["act", "healed", "act"]
    assert verify(path).holds


@pytest.mark.parametrize(("meddle", "because"), MEDDLING)
def test_no_action_happens_once_the_file_is_gone(meddle: Callable[[Path], None], because: str, tmp_path: Path) -> None:
    path = tmp_path / "audit" / "audit.jsonl"
    desk = SimulatedDesk(PAGE)
    guard = Guard(POLICY, AuditLog(path), Mode.AUTO, read_lines=lambda rgb: [])
    action = Click(point=PAGE.control("Next").rect.center)
    assert guarded(desk, guard, action, seen=desk.screen()).outcome == Outcome.COMPLETED_UNVERIFIED
    done = list(desk.effects)
    meddle(path)
    record = guarded(desk, guard, action, seen=desk.screen())
    assert (record.outcome, record.rule) == (Outcome.HALTED_BEFORE_EFFECT, "audit")
    assert because in record.reason
    assert desk.effects == done


def test_an_end_that_cannot_be_recorded_is_not_verified(tmp_path: Path) -> None:
    class Removing(SimulatedDesk):
        def perform(self, action: Action) -> str:
            guard.audit.path.unlink()
            return super().perform(action)

    desk = Removing(PAGE)
    guard = Guard(POLICY, AuditLog(tmp_path / "audit.jsonl"), Mode.AUTO, read_lines=lambda rgb: [])
    action = Click(point=PAGE.control("Next").rect.center)
    assert guarded(desk, guard, action, seen=desk.screen(), verify=lambda screen: True).outcome == Outcome.RECONCILE
    assert guarded(desk, guard, action, seen=desk.screen()).outcome == Outcome.CANCELLED
