"""The rules of GUI work on a simulated desk: what is unsafe halts, and goes through once its rule is taken out."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from evals.bench.redteam_desk import BANNER, CONTROLS, Control, Page, SimulatedDesk
from tools.errors import ConfigError, MediaError, ToolFailed
from tools.gui.guard import approval as approval_rules
from tools.gui.guard import decide as decide_rules
from tools.gui.guard import guarded as guarded_rules
from tools.gui.guard.approval import Approval, ApprovalDesk, bound_hash
from tools.gui.guard.audit import AuditLog, read_entries, verify
from tools.gui.guard.decide import Decision, Mode, Verdict, decide
from tools.gui.guard.effect_words import VERBS, find_verbs, hides, same_label
from tools.gui.guard.guarded import Guard, guarded
from tools.gui.guard.identity import (
    KEPT_READINGS,
    Patient,
    check_identity,
    mask,
    read_pixels,
    read_pixels_enlarged,
    read_tree,
)
from tools.gui.guard.labels import Line, read_lines
from tools.gui.guard.policy import Address, Edges, Policy, Region, load_policy, parse_url
from tools.gui.guard.record import Record
from tools.gui.types import (
    Action,
    Click,
    Drag,
    Node,
    Outcome,
    Point,
    PressKey,
    Read,
    Rect,
    Screen,
    Scroll,
    Target,
    TypeText,
    View,
)
from tools.media.types import Box
from tools.ocr import Word

PATIENT = Patient(name="Doe, Jane", birth_date="1980-01-02", id="4471902")
POLICY = Policy(
    name="browse results",
    windows=("Ward EHR*",),
    urls=(Address(host="ehr.test", path="/app/*"),),
    banner=Region(bottom=0.1),
    auto_labels=("Next", "Previous", "Search", "Show results"),
)
MOVES = tuple(replace(control, effect="move") if control.label == "Next" else control for control in CONTROLS)
PAGE = Page(MOVES)


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def make_guard(folder: Path, policy: Policy = POLICY, mode: Mode = Mode.AUTO, **changes: Any) -> Guard:
    """A guard that reads the tree twice and no pixels: what OCR adds is tested apart."""
    given: dict[str, Any] = {"readers": (read_tree, read_tree), "read_lines": lambda rgb: [], "patient": PATIENT}
    return Guard(policy, AuditLog(folder / "audit.jsonl"), mode, **{**given, **changes})


def click(label: str, page: Page = PAGE, **changes: Any) -> Click:
    return Click(point=page.control(label).rect.center, **changes)


def do(
    desk: SimulatedDesk, guard: Guard, action: Action, target: Target | None = None, seen: Screen | None = None
) -> Record:
    return guarded(desk, guard, action, seen=seen or desk.screen(), target=target)


def agree(guard: Guard, record: Record, *people: str) -> Approval:
    """What a careless person does: approve whatever is asked."""
    assert record.request
    given = [guard.desk.approve(record.request.id, record.request.nonce, name) for name in people or ("Ann",)]
    assert given[-1]
    return given[-1]


# Every rule, proven: an unsafe action halts with it, and goes through without it.


@dataclass
class Unsafe:
    """Something that one rule alone stands against; `careless` people approve what they are asked."""

    action: Action
    page: Page = PAGE
    policy: Policy = POLICY
    mode: Mode = Mode.AUTO
    target: Target | None = None
    careless: bool = False
    swaps: dict[int, Page] = field(default_factory=dict)
    before: Callable[[Guard, SimulatedDesk], object] = lambda guard, desk: None
    after_asking: Callable[[Guard, SimulatedDesk], object] = lambda guard, desk: None
    then: Action | None = None

    def run(self, folder: Path) -> tuple[SimulatedDesk, Record]:
        desk = SimulatedDesk(self.page, swaps=self.swaps)
        guard = make_guard(folder, self.policy, self.mode, clock=Clock())
        seen = desk.screen()
        self.before(guard, desk)
        record = guarded(desk, guard, self.action, seen=seen, target=self.target)
        if self.careless and record.request:
            given = agree(guard, record)
            self.after_asking(guard, desk)
            record = guarded(
                desk, guard, self.then or self.action, seen=desk.screen(), target=self.target, approval=given
            )
        guard.audit.close()
        return desk, record


def swap_page(page: Page) -> Callable[[Guard, SimulatedDesk], None]:
    def swap(guard: Guard, desk: SimulatedDesk) -> None:
        desk.page = page

    return swap


def wait(seconds: float) -> Callable[[Guard, SimulatedDesk], None]:
    def pass_time(guard: Guard, desk: SimulatedDesk) -> None:
        guard.clock.now_s += seconds  # type: ignore[attr-defined]

    return pass_time


def fill_minute(guard: Guard, desk: SimulatedDesk) -> None:
    for _ in range(guard.policy.actions_per_minute):
        assert guarded(desk, guard, click("Previous"), seen=desk.screen()).rule == ""
    desk.effects.clear()


def ask_two(guard: Guard, desk: SimulatedDesk) -> None:
    guard.policy = guard.policy.model_copy(update={"verbs": {"sign": "two_person"}})


CHANGED = replace(PAGE, texts=((190, 510, "Transfer to another ward"),))
UNSAFE: list[tuple[dict[str, Any], str, Unsafe]] = [
    (decide_rules.RULES, "place", Unsafe(click("Next"), page=replace(PAGE, title="Terminal"))),
    (
        decide_rules.RULES,
        "bounds",
        Unsafe(click("Save"), mode=Mode.CONFIRM, target=PAGE.control("Next").target("Save"), careless=True),
    ),
    (
        decide_rules.RULES,
        "region",
        Unsafe(click("Next"), policy=POLICY.model_copy(update={"forbidden_regions": (Region(top=0.8),)})),
    ),
    (
        decide_rules.RULES,
        "typed_address",
        Unsafe(
            TypeText(point=Point(x_px=60, y_px=98), text="javascript:alert(1)"),
            page=Page((replace(PAGE.control("Search"), effect="type"),)),
        ),
    ),
    (
        decide_rules.RULES,
        "unseen",
        Unsafe(
            TypeText(point=Point(x_px=60, y_px=98), text="abc\u202edef"),
            page=Page((replace(PAGE.control("Search"), effect="type"),)),
        ),
    ),
    (decide_rules.RULES, "keys", Unsafe(PressKey(keys=("ctrl", "l")), mode=Mode.CONFIRM, careless=True)),
    (decide_rules.RULES, "verbs", Unsafe(click("Delete patient"), mode=Mode.CONFIRM, careless=True)),
    (decide_rules.RULES, "mode", Unsafe(click("Next"), mode=Mode.SUGGEST)),
    (decide_rules.RULES, "listed", Unsafe(click("Save"))),
    (decide_rules.RULES, "claimed", Unsafe(click("Next"), target=PAGE.control("Next").target("Close the chart"))),
    (guarded_rules.CHECKS, "stop", Unsafe(click("Next"), before=lambda guard, desk: guard.stop.set("Ann"))),
    (guarded_rules.CHECKS, "decision", Unsafe(click("Delete patient"))),
    (guarded_rules.CHECKS, "unchanged", Unsafe(click("Next"), before=swap_page(CHANGED))),
    (guarded_rules.CHECKS, "rate", Unsafe(click("Next"), before=fill_minute)),
    (
        guarded_rules.CHECKS,
        "identity",
        Unsafe(click("Next"), page=replace(PAGE, banner=BANNER.replace("4471902", "4471903"))),
    ),
    (guarded_rules.CHECKS, "approval", Unsafe(click("Save"), mode=Mode.CONFIRM)),
    (guarded_rules.CHECKS, "rescreen", Unsafe(click("Next"), swaps={3: CHANGED})),
    (
        approval_rules.HOLDS,
        "action",
        Unsafe(click("Save"), mode=Mode.CONFIRM, careless=True, then=click("Save", count=2)),
    ),
    (approval_rules.HOLDS, "time", Unsafe(click("Save"), mode=Mode.CONFIRM, careless=True, after_asking=wait(61))),
    (
        approval_rules.HOLDS,
        "pixels",
        Unsafe(
            click("Save"),
            mode=Mode.CONFIRM,
            careless=True,
            after_asking=swap_page(replace(PAGE, texts=((610, 510, "for another patient"),))),
        ),
    ),
    (
        approval_rules.HOLDS,
        "people",
        Unsafe(
            click("Sign note"),
            mode=Mode.CONFIRM,
            policy=POLICY.model_copy(update={"verbs": {"sign": "approve"}}),
            careless=True,
            after_asking=ask_two,
        ),
    ),
]


@pytest.mark.parametrize(("rules", "name", "unsafe"), UNSAFE, ids=[name for _, name, _ in UNSAFE])
def test_each_rule_halts_what_goes_through_without_it(
    rules: dict[str, Any], name: str, unsafe: Unsafe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, record = unsafe.run(tmp_path / "on")
    assert desk.effects == []
    assert record.outcome in (Outcome.HALTED_BEFORE_EFFECT, Outcome.CANCELLED)
    assert record.reason
    monkeypatch.setitem(rules, name, lambda *_: None)
    desk, record = unsafe.run(tmp_path / "off")
    assert desk.effects or desk.typed
    assert record.outcome == Outcome.COMPLETED_UNVERIFIED


def test_every_rule_is_proven_above() -> None:
    proven = {(id(rules), name) for rules, name, _ in UNSAFE}
    tables = (decide_rules.RULES, guarded_rules.CHECKS, approval_rules.HOLDS)
    assert proven == {(id(table), name) for table in tables for name in table}


# What is safe goes through.


def test_auto_does_what_is_listed_and_asks_for_the_rest(tmp_path: Path) -> None:
    desk, guard = SimulatedDesk(PAGE), make_guard(tmp_path)
    assert do(desk, guard, click("Next"), PAGE.control("Next").target()).outcome == Outcome.COMPLETED_UNVERIFIED
    assert do(desk, guard, TypeText(point=Point(x_px=60, y_px=98), text="glucose")).rule == ""
    asked = do(desk, guard, click("Save"))
    assert (asked.rule, asked.decision and asked.decision.verdict) == ("approval", Verdict.NEEDS_APPROVAL)
    assert (desk.effects, desk.typed) == (["move"], {"Search": "glucose"})


def test_confirm_does_what_a_person_approved_once(tmp_path: Path) -> None:
    desk, guard = SimulatedDesk(PAGE), make_guard(tmp_path, mode=Mode.CONFIRM)
    given = agree(guard, do(desk, guard, click("Save")), "Ann  Ambler")
    done = guarded(desk, guard, click("Save"), seen=desk.screen(), approval=given)
    assert (done.outcome, done.approved_by) == (Outcome.COMPLETED_UNVERIFIED, ("Ann Ambler",))
    again = guarded(desk, guard, click("Save"), seen=desk.screen(), approval=given)
    assert (again.outcome, "already used" in again.reason) == (Outcome.HALTED_BEFORE_EFFECT, True)
    assert desk.effects == ["save"]


def test_what_a_person_is_shown(tmp_path: Path) -> None:
    desk, guard = SimulatedDesk(PAGE), make_guard(tmp_path, mode=Mode.CONFIRM)
    request = do(desk, guard, click("Save"), PAGE.control("Save").target("Next")).request
    assert request
    assert request.crop_png.startswith(b"\x89PNG")
    assert request.banner_png.startswith(b"\x89PNG")
    assert "Save" in request.decision.reason  # what the screen says, not only what the model says
    assert "4471902" not in request.patient
    assert request.nonce not in repr(request)
    assert request.nonce not in str(request.told())
    assert guard.desk.waiting() == [request]
    guard.desk.reject(request.id)
    assert guard.desk.waiting() == []


def test_two_people_are_two(tmp_path: Path) -> None:
    policy = POLICY.model_copy(update={"verbs": {"sign": "two_person"}})
    desk, guard = SimulatedDesk(PAGE), make_guard(tmp_path, policy, Mode.AUTO)
    request = do(desk, guard, click("Sign note")).request
    assert request
    assert request.decision.approvers == 2
    assert guard.desk.approve(request.id, request.nonce, "Ann") is None
    for same in ("Ann", " ann ", "\u0410nn", "An\u200bn", "ANN.", "A. nn"):
        with pytest.raises(ToolFailed, match="already"):
            guard.desk.approve(request.id, request.nonce, same)
    given = guard.desk.approve(request.id, request.nonce, "Ben")
    assert given
    done = guarded(desk, guard, click("Sign note"), seen=desk.screen(), approval=given)
    assert (done.approved_by, desk.effects) == (("Ann", "Ben"), ["sign"])


def test_only_named_approvers_approve() -> None:
    desk = ApprovalDesk(approvers=("Ann", "Ben"))
    screen = SimulatedDesk(PAGE).screen()
    asked = desk.ask(screen, click("Save"), None, Decision(verdict=Verdict.NEEDS_APPROVAL, approvers=1))
    for name, problem in (("Eve", "may not approve"), ("  ", "the name of a person"), ("ann", "may not approve")):
        with pytest.raises(ToolFailed, match=problem):
            desk.approve(asked.id, asked.nonce, name)
    assert desk.approve(asked.id, asked.nonce, "Ann")


@given(text=st.text(max_size=80), seal=st.binary(max_size=40))
def test_no_text_is_an_approval(text: str, seal: bytes) -> None:
    desk = ApprovalDesk()
    screen = SimulatedDesk(PAGE).screen()
    needed = Decision(verdict=Verdict.NEEDS_APPROVAL, approvers=1)
    asked = desk.ask(screen, click("Save"), None, needed)
    with pytest.raises(ToolFailed):
        desk.approve(asked.id, text, "Ann")
    for request_id in (asked.id, text):
        assert desk.redeem(Approval(request_id, ("Ann",), seal), needed, screen, click("Save"), None)
    given = desk.approve(asked.id, asked.nonce, "Ann")
    assert given
    assert desk.redeem(replace(given, people=("Ann", "Ben")), needed, screen, click("Save"), None)
    assert desk.redeem(given, needed, screen, click("Save"), None) == ""


def test_an_approval_of_another_desk_is_worth_nothing() -> None:
    screen, needed = SimulatedDesk(PAGE).screen(), Decision(verdict=Verdict.NEEDS_APPROVAL, approvers=1)
    one, other = ApprovalDesk(), ApprovalDesk()
    asked = one.ask(screen, click("Save"), None, needed)
    given = one.approve(asked.id, asked.nonce, "Ann")
    assert given
    assert "unknown" in other.redeem(given, needed, screen, click("Save"), None)


@given(x=st.integers(0, 799), y=st.integers(0, 599))
def test_pixels_bind_where_they_count(x: int, y: int) -> None:
    screen = SimulatedDesk(PAGE).screen()
    action, banner = click("Save"), Rect(left=0, top=0, right=800, bottom=60)
    changed = screen.rgb.copy()
    changed[y, x] ^= 1
    other = replace(screen, rgb=changed)
    near = approval_rules.region_of(screen, action, None)
    counts = banner.holds(Point(x_px=x, y_px=y)) or near.holds(Point(x_px=x, y_px=y))
    before, after = (bound_hash(one, action, None, banner) for one in (screen, other))
    # Pixels that are cut by the edge of the region count, too.
    assert before != after if counts else before == after or _touches(near, x, y)


def _touches(rect: Rect, x: int, y: int) -> bool:
    return rect.left - 1 < x < rect.right + 1 and rect.top - 1 < y < rect.bottom + 1


# Whatever is planned.

POINTS = st.builds(Point, x_px=st.floats(-50, 850), y_px=st.floats(-50, 650))
KEYS = st.sampled_from(["tab", "enter", "ctrl", "s", "delete", "alt", "f4", "a"])
ACTIONS = st.one_of(
    st.builds(Click, point=POINTS, button=st.sampled_from(["left", "middle", "right"]), count=st.integers(1, 3)),
    st.builds(TypeText, point=POINTS, text=st.text(max_size=30)),
    st.builds(Drag, start=POINTS, end=POINTS),
    st.builds(Scroll, point=POINTS, notches=st.integers(-5, 5)),
    st.builds(PressKey, keys=st.lists(KEYS, min_size=1, max_size=3).map(tuple)),
    st.builds(Read),
)
RECTS = st.builds(
    Rect, left=st.floats(-9, 900), top=st.floats(-9, 700), right=st.floats(-9, 900), bottom=st.floats(-9, 700)
)
TARGETS = st.none() | st.builds(
    Target,
    rect=RECTS,
    point=POINTS,
    label=st.sampled_from(["Next", "Save", "Delete", ""]) | st.text(max_size=9),
    confidence=st.just(1.0),
    layer=st.just("model"),
)
DRAWN = {tree: SimulatedDesk(replace(PAGE, tree=tree)).screen() for tree in (True, False)}


@settings(max_examples=400)
@given(action=ACTIONS, target=TARGETS, tree=st.booleans())
def test_what_each_mode_never_does(action: Action, target: Target | None, tree: bool) -> None:
    policy, screen = POLICY.model_copy(update={"auto_keys": ("tab",)}), DRAWN[tree]
    said = {mode: decide(mode, policy, action, target, screen) for mode in Mode}
    if action.kind != "read":
        assert said[Mode.OBSERVE].verdict == said[Mode.SUGGEST].verdict == Verdict.REFUSED
    if decide_rules.is_write(action, screen, policy):
        assert said[Mode.CONFIRM].verdict != Verdict.ALLOWED
        if said[Mode.AUTO].verdict == Verdict.ALLOWED:
            if isinstance(action, PressKey):
                assert set(action.keys) == {"tab"}
            else:
                assert tree
                assert isinstance(action, Click | TypeText)
                listed = [control for control in CONTROLS if control.rect.holds(action.point)]
                assert [control.label in policy.auto_labels for control in listed] == [True]
    # No mode does what another refuses for what it is, and none that leaves more to the agent asks for more people.
    if said[Mode.CONFIRM].verdict == Verdict.REFUSED:
        assert all(decision.verdict == Verdict.REFUSED for decision in said.values())


# Labels are read from the screen, and an "OK" by what it agrees to.


def test_the_models_label_cannot_make_a_button_harmless(tmp_path: Path) -> None:
    desk, guard = SimulatedDesk(PAGE), make_guard(tmp_path)
    for label in ("Delete patient", "Save"):
        record = do(desk, guard, click(label), PAGE.control(label).target("Next"))
        assert record.outcome == Outcome.HALTED_BEFORE_EFFECT
    assert desk.effects == []


@pytest.mark.parametrize("tree", [True, False])
def test_ok_is_judged_by_its_dialog(tree: bool) -> None:
    page = Page(
        (Control("OK", 300, 320, 90), Control("Cancel", 410, 320, 90)),
        dialog=(250, 200, 550, 380, "Delete this patient?"),
        tree=tree,
    )
    screen = SimulatedDesk(page).screen()
    policy = POLICY.model_copy(update={"auto_labels": ("OK", "Cancel")})
    lines = [
        Line("Delete this patient?", Rect(left=266, top=214, right=440, bottom=236)),
        Line("OK", Rect(left=310, top=327, right=340, bottom=348)),
        Line("Cancel", Rect(left=420, top=327, right=480, bottom=348)),
    ]
    ok = decide(Mode.AUTO, policy, click("OK", page), None, screen, lines)
    assert (ok.verdict, ok.rule) == (Verdict.REFUSED, "verbs")
    assert decide(Mode.AUTO, policy, click("Cancel", page), None, screen, lines).verdict == Verdict.ALLOWED


def test_where_tree_and_pixels_disagree_the_stricter_counts() -> None:
    page = Page((replace(PAGE.control("Delete patient"), name="Next"),))
    screen, point = SimulatedDesk(page).screen(), page.controls[0].rect.center
    assert decide(Mode.AUTO, POLICY, Click(point=point), None, screen).verdict == Verdict.ALLOWED
    drawn = [Line("Delete patient", Rect(left=620, top=86, right=750, bottom=110))]
    assert decide(Mode.AUTO, POLICY, Click(point=point), None, screen, drawn).verdict == Verdict.REFUSED
    drawn = [Line("Archive", Rect(left=620, top=86, right=750, bottom=110))]
    assert decide(Mode.AUTO, POLICY, Click(point=point), None, screen, drawn).verdict == Verdict.NEEDS_APPROVAL


@pytest.mark.parametrize(
    ("action", "verdict"),
    [
        (PressKey(keys=("delete",)), Verdict.REFUSED),
        (PressKey(keys=("shift", "Delete")), Verdict.REFUSED),
        (PressKey(keys=("enter",)), Verdict.NEEDS_APPROVAL),
        (PressKey(keys=("tab",)), Verdict.ALLOWED),
        (PressKey(keys=("ctrl", "alt", "delete")), Verdict.REFUSED),
        (PressKey(keys=("win", "r")), Verdict.REFUSED),
        (Drag(start=Point(x_px=100, y_px=550), end=Point(x_px=250, y_px=550)), Verdict.NEEDS_APPROVAL),
        (Click(point=Point(x_px=250, y_px=558), button="right"), Verdict.NEEDS_APPROVAL),
        (Click(point=Point(x_px=250, y_px=558), count=2), Verdict.NEEDS_APPROVAL),
        (Click(point=Point(x_px=900, y_px=558)), Verdict.REFUSED),
        (TypeText(point=Point(x_px=60, y_px=98), text="a\n"), Verdict.NEEDS_APPROVAL),
        (TypeText(point=Point(x_px=60, y_px=98), text="please delete this"), Verdict.NEEDS_APPROVAL),
        (TypeText(point=Point(x_px=60, y_px=98), text="data:text/html,x"), Verdict.REFUSED),
        (TypeText(point=Point(x_px=60, y_px=98), text="data: normal"), Verdict.ALLOWED),
        (Scroll(point=Point(x_px=60, y_px=300), notches=3), Verdict.ALLOWED),
        (Read(), Verdict.ALLOWED),
    ],
    ids=str,
)
def test_what_auto_thinks_of_other_actions(action: Action, verdict: Verdict) -> None:
    policy = POLICY.model_copy(update={"auto_keys": ("tab",)})
    assert decide(Mode.AUTO, policy, action, None, SimulatedDesk(PAGE).screen()).verdict == verdict


def test_enter_is_judged_by_the_control_that_has_the_focus() -> None:
    desk = SimulatedDesk(PAGE)
    desk.focus = PAGE.control("Delete patient")
    assert decide(Mode.CONFIRM, POLICY, PressKey(keys=("enter",)), None, desk.screen()).verdict == Verdict.REFUSED


def test_the_wheel_over_a_field_with_a_value_writes() -> None:
    page = Page((Control("Dose", 20, 200, role="spinbutton"),))
    screen = SimulatedDesk(page).screen()
    turned = Scroll(point=page.controls[0].rect.center, notches=-1)
    assert decide(Mode.CONFIRM, POLICY, turned, None, screen).verdict == Verdict.NEEDS_APPROVAL
    assert decide(Mode.SUGGEST, POLICY, turned, None, screen).verdict == Verdict.REFUSED


@given(
    verb=st.sampled_from(["Delete", "Sign", "Submit", "Prescribe", "Löschen", "Unterschreiben", "Firmar", "Supprimer"]),
    data=st.data(),
)
def test_disguised_verbs_are_found(verb: str, data: st.DataObject) -> None:
    looks = {"a": "аα@", "e": "еε3", "o": "оο0", "i": "іι1", "s": "ѕ$5", "p": "р", "c": "с", "l": "1|"}
    disguised = ""
    for mark in verb:
        mark = data.draw(st.sampled_from([mark, mark.upper(), mark.lower(), *looks.get(mark.lower(), "")]))
        disguised += mark + data.draw(st.sampled_from(["", "", "\u200b", "\u00ad", "\u2060"]))
    assert find_verbs(f"[{disguised}]", VERBS)


@pytest.mark.parametrize(
    "label",
    [
        *(
            "Next",
            "Vital signs",
            "Emergency",
            "Preliminary report",
            "Design",
            "Resign",
            "Orders",
            "Avoid",
            "Anordnungen",
        ),
        # What a dialog has to leave it by; with an object they are no longer that.
        *("Annuler", "Annulla", "Annuleren", "Cancel", "Abbrechen"),
    ],
)
def test_harmless_labels_name_no_verb(label: str) -> None:
    assert find_verbs(label, VERBS) == []


@pytest.mark.parametrize(
    ("verb", "labels"),
    [
        (
            "sign",
            "Signed, Zweite Unterschrift, Visieren, Befund visieren, Ondertekenen, Paraferen, Sottoscrivi, Firmare",
        ),
        ("stop", "Discontinue, Absetzen, Ja: absetzen, Stop drug, Stopzetten, Sospendi, Interrompi, Interrumpir"),
        ("delete", "Void, Stornieren, Storno, Annuler la prescription, Annuler l'ordonnance, Annulla l'ordine"),
        ("delete", "Verwijderen, Eliminare, Cancella, Rimuovi"),
        ("order", "Anordnung, Bestellen, Aanvragen, Ordina"),
        ("submit", "Verzenden, Indienen, Invia, Trasmetti"),
        ("prescribe", "Voorschrijven, Prescrivi"),
        ("administer", "Toedienen, Somministra"),
        ("approve", "Goedkeuren, Autorizza, Convalida"),
        ("discharge", "Ontslaan, Dimetti"),
        ("export", "Exporteren, Afdrukken, Esporta, Stampa"),
        ("finalize", "Definitief maken, Vrijgeven, Finalizza"),
        ("merge", "Samenvoegen, Unisci"),
        ("override", "Overschrijven, Forza"),
    ],
)
def test_words_that_write_name_their_verb(verb: str, labels: str) -> None:
    for label in labels.split(", "):
        assert verb in find_verbs(label, VERBS), label


@pytest.mark.parametrize(
    "label", ["D e l e t e", "De le te", "delete_patient", "btnDeletePatient", "Dar de alta", "E-Sign"]
)
def test_split_labels_name_their_verb(label: str) -> None:
    assert find_verbs(label, VERBS)


def test_only_a_label_that_reads_the_same_is_the_same() -> None:
    assert same_label("  NEXT \u00bb", "Next")
    assert not same_label("N\u0435xt", "Next")
    assert not same_label("Next patient", "Next")
    assert not same_label("", "")
    assert hides("a\u200bb") == "\u200b"
    assert hides("µg/dL 患者\n") == ""


# The right patient.


def _read(text: str) -> Callable[[Screen, Rect], str]:
    return lambda screen, rect: text


@pytest.mark.parametrize(
    "banner",
    [
        BANNER,
        "DOE , JANE (F) born 1980-01-02, ID: 4471902",
        "Ｄoe,Jane 1980-01-02 4471902",
        "MRN 4471902 | Doe, Jane | 1980-01-02",
    ],
)
def test_a_banner_that_reads_as_expected_holds(banner: str) -> None:
    screen = SimulatedDesk(PAGE).screen()
    assert check_identity(screen, screen.rect, PATIENT, [_read(banner)] * 2).holds


@pytest.mark.parametrize(
    ("banner", "reason"),
    [
        (BANNER.replace("4471902", "44719O2"), "easily confused"),
        (BANNER.replace("1980", "198O"), "easily confused"),
        (BANNER.replace("Jane", "Janet"), "name expected"),
        (BANNER.replace("Jane", "J\u0430ne"), "name expected"),
        (BANNER.replace("4471902", "4471912"), "they differ in the hidden characters"),
        (BANNER.replace("4471902", "44719021"), "id expected"),
        (BANNER.replace("4471902", "4471902 MRN 5550000"), "id expected"),
        (BANNER.replace("1980-01-02", "1980-02-01"), "birth date expected"),
        ("", "no text"),
    ],
)
def test_a_banner_that_differs_halts(banner: str, reason: str) -> None:
    screen = SimulatedDesk(PAGE).screen()
    for readers in ([_read(BANNER), _read(banner)], [_read(banner), _read(BANNER)]):
        found = check_identity(screen, screen.rect, PATIENT, readers)
        assert not found.holds
        assert reason in found.reason
        assert "4471902" not in found.reason
        assert "Jane" not in found.reason


def test_one_reading_is_not_enough(tmp_path: Path) -> None:
    screen = SimulatedDesk(PAGE).screen()
    assert "have to agree" in check_identity(screen, screen.rect, PATIENT, [_read(BANNER)]).reason
    nobody = make_guard(tmp_path, patient=None)
    assert "none is set" in do(SimulatedDesk(PAGE), nobody, click("Next")).reason


@given(place=st.integers(0, len("1980-01-02 4471902") - 1), other=st.sampled_from("0123456789OolIS"))
def test_any_other_character_in_a_number_halts(place: int, other: str) -> None:
    numbers = "1980-01-02 4471902"
    changed = numbers[:place] + other + numbers[place + 1 :]
    screen = SimulatedDesk(PAGE).screen()
    assert check_identity(screen, screen.rect, PATIENT, [_read(f"Doe, Jane {changed}")] * 2).holds == (
        changed == numbers
    )


@pytest.mark.parametrize("tree", [True, False])
def test_the_banner_is_read_from_real_pixels(tree: bool) -> None:
    page = replace(PAGE, tree=tree)
    screen = SimulatedDesk(page).screen()
    banner = Region(bottom=0.1).on(screen)
    assert check_identity(screen, banner, PATIENT).holds
    other = SimulatedDesk(replace(page, banner=BANNER.replace("4471902", "4471962"))).screen()
    assert not check_identity(other, banner, PATIENT).holds
    # A tree that tells the expected patient over pixels that show another one is not believed.
    assert not check_identity(replace(other, nodes=screen.nodes), banner, PATIENT).holds


def test_a_banner_of_the_same_pixels_is_read_once_and_any_other_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[int, ...]] = []

    def read_words(rgb: np.ndarray, **given: Any) -> list[Word]:
        reads.append(rgb.shape)
        return [Word(text=f"reading {len(reads)}", box=Box(0, 0, 1, 1), confidence=1.0)]

    monkeypatch.setattr("tools.ocr.read_words", read_words)
    rng = np.random.default_rng(11)
    banners = rng.integers(0, 255, (KEPT_READINGS + 1, 30, 40, 3), dtype=np.uint8)
    screens = [Screen(rgb=rgb) for rgb in banners]
    for reader, said in ((read_pixels, "reading 1"), (read_pixels_enlarged, "reading 2")):
        assert [reader(screens[0], screens[0].rect) for _ in range(2)] == [said] * 2
    assert reads == [(30, 40, 3), (60, 80, 3)]
    # One pixel makes it another banner, and so does another part of the same.
    changed = screens[0].rgb.copy()
    changed[3, 4, 1] ^= 1
    assert read_pixels(Screen(rgb=changed), screens[0].rect) == "reading 3"
    assert read_pixels(screens[0], Rect(left=0, top=0, right=39, bottom=30)) == "reading 4"
    for screen in screens[1:]:
        read_pixels(screen, screen.rect)
    assert read_pixels(screens[0], screens[0].rect) == f"reading {4 + KEPT_READINGS + 1}"


def test_behind_a_dialog_the_banner_is_read_in_the_pixels_twice() -> None:
    """Browsers leave what lies behind a dialog out of the tree."""
    someone = BANNER.replace("4471902", "4471962")
    screen, wrong = (SimulatedDesk(replace(PAGE, banner=banner)).screen() for banner in (BANNER, someone))
    banner = Region(bottom=0.1).on(screen)
    left = tuple(node for node in screen.nodes or () if node.role != "banner")
    dialog = Node(role="dialog", name="Stop this drug?", rect=Rect(left=200, top=200, right=600, bottom=400))
    assert (
        "reading 1 of the banner found no text" in check_identity(replace(screen, nodes=left), banner, PATIENT).reason
    )
    assert check_identity(replace(screen, nodes=(*left, dialog)), banner, PATIENT).holds
    assert not check_identity(replace(wrong, nodes=(*left, dialog)), banner, PATIENT).holds
    # A dialog excuses no tree that tells of somebody else.
    other = Node(role="banner", name=someone, rect=banner)
    assert not check_identity(replace(screen, nodes=(*left, other, dialog)), banner, PATIENT).holds


def test_words_in_the_pixels_are_read_where_there_is_no_tree(tmp_path: Path) -> None:
    desk = SimulatedDesk(replace(PAGE, tree=False))
    guard = make_guard(tmp_path, read_lines=read_lines, readers=(_read(BANNER),) * 2)
    assert do(desk, guard, click("Delete patient")).decision == Decision(
        verdict=Verdict.REFUSED,
        rule="verbs",
        reason="'Delete patient' names the verb 'delete', which the policy forbids",
    )
    assert do(desk, guard, click("Next")).outcome == Outcome.COMPLETED_UNVERIFIED
    assert do(desk, guard, click("Save")).rule == "approval"
    assert desk.effects == ["move"]


def test_masks_keep_little() -> None:
    assert mask("Doe, Jane 4471902") == "D••, J••• ••••••2"


# How an action ends, and what is recorded.


class Breaking(SimulatedDesk):
    """Breaks off in one of the ways an actuator can."""

    error: BaseException

    def perform(self, action: Action) -> str:
        raise self.error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ToolFailed("no such window"), Outcome.HALTED_BEFORE_EFFECT),
        (MediaError("the display went away"), Outcome.RECONCILE),
    ],
)
def test_how_a_failing_actuator_ends(error: Exception, outcome: Outcome, tmp_path: Path) -> None:
    desk, guard = Breaking(PAGE), make_guard(tmp_path)
    desk.error = error
    assert do(desk, guard, click("Next")).outcome == outcome


def test_a_crash_in_the_actuator_is_recorded_and_keys_are_released(tmp_path: Path) -> None:
    desk, guard = Breaking(PAGE), make_guard(tmp_path)
    desk.error = KeyError("boom")
    with pytest.raises(KeyError):
        do(desk, guard, click("Next"))
    assert desk.released == 1
    assert [entry["kind"] for entry in read_entries(guard.audit.path)] == ["act", "outcome"]


@pytest.mark.parametrize(
    ("sees", "outcome"), [(True, Outcome.VERIFIED), (False, Outcome.RECONCILE), (None, Outcome.COMPLETED_UNVERIFIED)]
)
def test_a_check_of_the_effect_decides_the_outcome(sees: bool | None, outcome: Outcome, tmp_path: Path) -> None:
    desk, guard = SimulatedDesk(PAGE), make_guard(tmp_path)
    assert guarded(desk, guard, click("Next"), seen=desk.screen(), verify=lambda screen: sees).outcome == outcome


def test_nothing_is_done_that_cannot_be_recorded(tmp_path: Path) -> None:
    desk, guard = SimulatedDesk(PAGE), make_guard(tmp_path)
    guard.audit.close()
    record = do(desk, guard, click("Next"))
    assert (record.outcome, record.rule, desk.effects) == (Outcome.HALTED_BEFORE_EFFECT, "audit", [])


def test_if_the_end_cannot_be_recorded_nothing_more_is_done(tmp_path: Path) -> None:
    class Closing(SimulatedDesk):
        def perform(self, action: Action) -> str:
            guard.audit.close()
            return super().perform(action)

    desk, guard = Closing(PAGE), make_guard(tmp_path)
    assert do(desk, guard, click("Next")).outcome == Outcome.RECONCILE
    assert do(desk, guard, click("Next")).outcome == Outcome.CANCELLED
    assert desk.effects == ["move"]


def test_the_record_tells_who_what_and_why_without_the_patient(tmp_path: Path) -> None:
    desk = SimulatedDesk(PAGE)
    guard = make_guard(tmp_path, mode=Mode.CONFIRM, about={"model": "scripted", "digest": "0" * 64})
    typed = TypeText(point=PAGE.control("Note").rect.center, text="Jane (4471902) called on 2026-05-01")
    given = agree(guard, do(desk, guard, typed))
    guarded(desk, guard, typed, seen=desk.screen(), approval=given)
    entries = list(read_entries(guard.audit.path))
    assert [entry["kind"] for entry in entries] == ["asked", "act", "outcome"]
    assert entries[1]["approved_by"] == ["Ann"]
    assert entries[1]["about"]["model"] == "scripted"
    assert entries[2]["outcome"] == "completed_unverified"
    text = guard.audit.path.read_text("utf-8")
    assert "4471902" not in text
    assert "2026-05-01" not in text
    assert "Jane" not in text
    assert "Doe" not in text
    assert verify(guard.audit.path).holds


# The policy file.

GOOD = """
name: browse
windows: ["Ward EHR*"]
banner: {bottom: 0.1}
verbs:
  sign: two_person
  euthanise: forbid
words:
  euthanise: ["euthan*"]
auto_labels: [Next]
"""


def test_a_policy_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD)
    policy = load_policy(path)
    assert (policy.rule_for("sign"), policy.rule_for("delete"), policy.auto_labels) == (
        "two_person",
        "forbid",
        ("Next",),
    )
    assert find_verbs("Euthanasia", policy.all_words) == ["euthanise"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            GOOD.replace("auto_labels: [Next]", "auto_label: [Next]"),
            "line 10: auto_label: unknown field; did you mean 'auto_labels'?",
        ),
        (GOOD.replace("bottom: 0.1", "bottom: 1.1"), "line 4: banner.bottom: 1.1"),
        (GOOD + "banner_px: {left: 0, top: 0, right: 9, bottom: 9}", "'banner' and 'banner_px' are alternatives"),
        (GOOD.replace("banner: {bottom: 0.1}", "banner_px: {left: 0, top: 9, right: 9, bottom: 9}"), "top less than"),
        (GOOD.replace("two_person", "allow"), "line 6: verbs.sign: 'allow'"),
        (GOOD.replace("  sign:", "  signe:"), "did you mean 'sign'?"),
        (GOOD + "name: again", "line 11: 'name' is set again; it is already in line 2"),
        (GOOD.replace('windows: ["Ward EHR*"]', ""), "name at least one of 'windows' and 'urls'"),
        (GOOD.replace("banner: {bottom: 0.1}", ""), "identity: none"),
        (GOOD.replace('["euthan*"]', '["*"]'), "too short"),
        ("- a list", "it contains list"),
        ("name: &a [*a]", "alias"),
        ("name: [", "cannot read"),
        ("", "it contains NoneType"),
        (GOOD + 'urls: [{host: "a*b.org"}]', "line 11: urls.0.host"),
        (GOOD + 'urls: [{host: "127.0.0.1:8977"}]', "name a port under 'port'"),
        (GOOD + 'urls: [{host: "[::1]"}]', "leave out brackets"),
        (GOOD + "approvers: Ann", "line 11: approvers: 'Ann': Input should be a list."),
        (GOOD + "approvers: [2026-13-45]", "line 11: approvers.0: '2026-13-45' is not a valid date"),
        (GOOD + "words: " + "[" * 5000, "line 11: more than 50 levels of nesting"),
    ],
)
def test_a_bad_policy_file_is_named_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_policy(path)
    assert told in str(error.value)
    assert "policy.yaml" in str(error.value)


@given(scale=st.floats(0.25, 4.0), width=st.integers(200, 2000), height=st.integers(200, 1500))
@settings(max_examples=40)
def test_a_banner_in_pixels_stays_where_it_is_in_every_window(scale: float, width: int, height: int) -> None:
    policy = Policy(name="x", windows=("*",), banner_px=Edges(left=16, top=100, right=400, bottom=190))
    rgb = np.zeros((height, width, 3), np.uint8)
    rect = policy.banner_on(Screen(rgb=rgb, view=View(scale=scale)))
    assert rect is not None
    assert (rect.left, rect.top) == (16 * scale, 100 * scale)
    assert (rect.right, rect.bottom) == (min(400 * scale, width), min(190 * scale, height))


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("https://ehr.test/app/chart?id=1#x", True),
        ("https://EHR.test./app/", True),
        ("https://ehr.test:443/app/x", True),
        ("https://ehr.test:8443/app/x", False),
        ("http://ehr.test/app/x", False),
        ("https://ehr.test/app/../admin", False),
        ("https://ehr.test/app/%2e%2e/admin", False),
        ("https://ehr.test/other", False),
        ("https://ehr.test.evil.org/app/x", False),
        ("https://evil.org/app/x", False),
        ("https://ehr.test@evil.org/app/x", False),
        ("https://user:word@ehr.test/app/x", False),
        ("https://ehr.test\\@evil.org/app/x", False),
        ("https://ehr.t\u0435st/app/x", False),
        ("javascript:alert(1)//https://ehr.test/app/", False),
        ("JaVaScRiPt:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,https://ehr.test/app/", False),
        ("blob:https://ehr.test/app/1", False),
        ("file:///etc/passwd", False),
        ("view-source:https://ehr.test/app/", False),
        ("about:blank", False),
        ("", False),
    ],
)
def test_addresses(url: str, allowed: bool, tmp_path: Path) -> None:
    policy = POLICY.model_copy(update={"windows": ()})
    decision = decide(Mode.AUTO, policy, Read(), None, replace(SimulatedDesk(PAGE).screen(), url=url))
    assert (decision.verdict == Verdict.ALLOWED) == allowed


def test_a_title_does_not_stand_in_for_an_address() -> None:
    nowhere = replace(SimulatedDesk(PAGE).screen(), url="")
    assert decide(Mode.AUTO, POLICY, Read(), None, nowhere).verdict == Verdict.REFUSED
    program = POLICY.model_copy(update={"urls": ()})
    assert decide(Mode.AUTO, program, Read(), None, nowhere).verdict == Verdict.ALLOWED
    assert decide(Mode.AUTO, program, Read(), None, DRAWN[True]).verdict == Verdict.REFUSED


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://ehr.test:8977/app/a", "port 8977, expected 80"),
        ("https://ehr.test:80/app/a", "scheme https, expected http; port 80, expected 443"),
        ("http://other.test/app/a", "host 'other.test', expected 'ehr.test'"),
        ("http://ehr.test/admin", "another path, expected '/app/*'"),
        ("http://[::1]/x", "port 80, expected 8042"),
    ],
)
def test_a_refused_page_is_told_which_part_of_its_address_differs(url: str, told: str) -> None:
    ehr = Address(host="ehr.test", path="/app/*", schemes=("http",))
    urls = (ehr, Address(host="::1", schemes=("http",), port=8042))
    policy = POLICY.model_copy(update={"urls": urls})
    decision = decide(Mode.AUTO, policy, Read(), None, replace(SimulatedDesk(PAGE).screen(), url=url))
    assert decision.verdict == Verdict.REFUSED
    assert decision.reason.endswith(f"is not among the addresses of the policy: {told}")


def test_hosts_below_a_host() -> None:
    below = Address(host="*.ehr.test")
    parts = [parse_url(f"https://{host}/x") for host in ("a.ehr.test", "ehr.test", "aehr.test")]
    assert [not isinstance(one, str) and below.allows(one) for one in parts] == [True, False, False]


@given(st.text(max_size=60))
def test_no_text_breaks_the_reading_of_addresses_and_labels(text: str) -> None:
    parts = parse_url(text)
    assert isinstance(parts, str) or parts.scheme in ("http", "https")
    assert parts, "an address, or why it is none"
    as_prose = find_verbs(text, VERBS, label=False)
    assert set(as_prose) <= set(find_verbs(text, VERBS)), "a label names at least what prose does"


# Before a patient's record is open


@pytest.mark.parametrize(
    ("banner", "label", "searching", "halts"),
    [
        ("Ward 4 East", "Search", True, False),
        ("Ward 4 East", "Search", False, True),
        ("Ward 4 East", "Save", True, True),
        ("Roe, Max  1971-03-04  7700123", "Search", True, False),
        ("Roe, Max  1971-03-04  7700123", "Search", False, True),
        ("Roe, Max  1971-03-04  7700123", "Save", True, True),
        ("", "Search", True, False),
    ],
)
def test_only_what_leads_to_a_record_goes_without_its_patient(
    banner: str, label: str, searching: bool, halts: bool, tmp_path: Path
) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    policy = POLICY.model_copy(update={"search_labels": ("Search",)})
    guard = Guard(
        policy,
        log,
        Mode.CONFIRM,
        Patient(name="Doe, Jane", birth_date="1980-01-02", id="4471902"),
        readers=(lambda screen, rect: banner, lambda screen, rect: banner),
        read_lines=lambda rgb: [],
        searching=searching,
    )
    page = Page((Control(label, 20, 300),))
    desk = SimulatedDesk(page)
    rect = page.control(label).rect
    target = Target(label=label, point=rect.center, rect=rect, layer="tree", confidence=1.0)
    record = do(desk, guard, Click(point=rect.center), target)
    log.close()
    assert record.rule == ("identity" if halts else "approval"), record.reason
    if not halts:
        assert record.request
        assert record.request.patient.startswith("not checked")
        assert [entry["patient_checked"] for entry in read_entries(log.path)] == [False]


def test_what_names_an_effect_leads_nowhere() -> None:
    for label in ("Sign", "OK", "Delete*", "*"):
        with pytest.raises(ValidationError, match="search_labels"):
            Policy(name="x", windows=("*",), identity="none", search_labels=(label,))
