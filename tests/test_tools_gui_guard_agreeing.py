"""What agrees without a word of its own: keys under all their names, the wheel, and an "OK" with its question."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError

from agent.gui.approver import TerminalPerson
from evals.bench.redteam_desk import BANNER, CONTROLS, Control, Page, SimulatedDesk
from tests.test_agent_gui_run import Terminal
from tests.test_tools_gui_guard import MOVES, POLICY, agree, do, make_guard
from tools.errors import MediaError, ToolFailed
from tools.gui.actuators.common import key_names
from tools.gui.guard.approval import ApprovalDesk, bound_hash, region_of
from tools.gui.guard.decide import Decision, Mode, Verdict, decide
from tools.gui.guard.guarded import guarded
from tools.gui.guard.labels import Line, around, questions
from tools.gui.guard.policy import Policy, Region
from tools.gui.keys import KEYS, key_name, key_set, keys_of
from tools.gui.types import (
    Click,
    Node,
    Outcome,
    Point,
    PressKey,
    Rect,
    Screen,
    Scroll,
    Target,
    WaitFor,
)
from tools.gui.workflow.yaml_format import Step

DIALOG = (240, 190, 580, 390, "Delete this patient?")
DELETE = (Control("Delete", 300, 330, 90, effect="delete"), Control("Cancel", 410, 330, 90))
YES_NO = (Control("Yes", 300, 330, 90, effect="delete", key="y"), Control("No", 410, 330, 90))
OK = Control("OK", 300, 330, 90, effect="transfer")
ALIASES = {
    **{"ctrl": "Control", "alt": "option", "enter": "Return", "escape": "esc", "delete": "del", "insert": "INS"},
    **{"super": "cmd", "pageup": "PgUp", "pagedown": "pgdn", "up": "ArrowUp", "left": "arrowleft", "space": " "},
}


READS = (lambda screen, rect: BANNER,) * 2
"""Two readings of the banner, tree or none."""


def keys(*names: str) -> PressKey:
    return PressKey(keys=names)


def shown(page: Page, focus: str = "", *, tree: bool = True, marked: bool = True) -> Screen:
    return SimulatedDesk(replace(page, focus=focus, tree=tree, marked=marked)).screen()


# Keys.


@given(st.lists(st.sampled_from(sorted(KEYS)) | st.sampled_from("lLsy +"), min_size=1, max_size=4), st.data())
def test_every_name_of_a_key_is_the_same_to_hands_and_guard(names: list[str], data: st.DataObject) -> None:
    other = [data.draw(st.sampled_from([name, ALIASES.get(name, name)])) for name in names]
    assert key_set(tuple(other)) == key_set(tuple(names))
    pressed = {name.lower() for name in key_names(keys(*other))}
    assert key_set(tuple(other)) == pressed <= KEYS | set("lsy+")


@pytest.mark.parametrize(
    "pressed", [("control", "l"), ("Control", "L"), ("option", "f4"), ("command",), ("meta", "r"), ("F12",)]
)
def test_forbidden_keys_are_forbidden_under_every_name(pressed: tuple[str, ...]) -> None:
    listed = POLICY.model_copy(update={"auto_keys": ("+".join(pressed),)})
    for mode in (Mode.CONFIRM, Mode.AUTO):
        said = decide(mode, listed, keys(*pressed), None, shown(Page(CONTROLS)))
        assert (said.verdict, said.rule) == (Verdict.REFUSED, "keys")


def test_keys_are_forbidden_under_every_name_that_a_policy_gives_them() -> None:
    policy = POLICY.model_copy(update={"forbidden_keys": ("Control+PgUp", "ctrl++")})
    screen = shown(Page(CONTROLS))
    for pressed in (("ctrl", "pageup"), ("ctrl", "shift", "pgup"), ("control", "+")):
        assert decide(Mode.CONFIRM, policy, keys(*pressed), None, screen).rule == "keys"
    assert decide(Mode.CONFIRM, policy, keys("pageup"), None, screen).verdict == Verdict.NEEDS_APPROVAL


@pytest.mark.parametrize(("entry", "wrong"), [("cntrl+l", "cntrl"), ("ctrl+", ""), ("", ""), ("ctrl+ab", "ab")])
@pytest.mark.parametrize("field", ["auto_keys", "forbidden_keys"])
def test_a_policy_that_names_no_key_is_told_so(field: str, entry: str, wrong: str) -> None:
    with pytest.raises(ValidationError, match=f"unknown key {wrong!r}"):
        Policy.model_validate({"name": "x", "windows": ["*"], "identity": "none", field: [entry]})


def test_how_a_combination_is_written() -> None:
    assert [keys_of(entry) for entry in ("ctrl+s", "ctrl++", "+", " ", "Ctrl + S")] == [
        *(("ctrl", "s"), ("ctrl", "+"), ("+",), (" ",), ("Ctrl", "S")),
    ]
    assert (key_name(" "), key_name("Y"), key_name("RETURN")) == ("space", "Y", "enter")


@pytest.mark.parametrize("pressed", [("enter",), ("Return",), (" ",), ("space",), ("shift", "enter")])
@pytest.mark.parametrize("marked", [True, False])
def test_enter_and_space_in_a_dialog_that_deletes_are_refused(pressed: tuple[str, ...], marked: bool) -> None:
    screen = shown(Page(DELETE, dialog=DIALOG), "Delete", marked=marked)
    assert decide(Mode.CONFIRM, POLICY, keys(*pressed), None, screen).verdict == Verdict.REFUSED


LISTED = POLICY.model_copy(update={"auto_keys": ("tab", "enter", "space", "y", "alt+y", "a", "tab+enter")})


@pytest.mark.parametrize(
    "pressed", [("enter",), ("return",), (" ",), ("y",), ("alt", "y"), ("option", "Y"), ("a",), ("tab", "enter")]
)
@pytest.mark.parametrize("page", [Page(CONTROLS), Page(YES_NO, dialog=DIALOG)], ids=["page", "dialog"])
def test_without_a_known_focus_no_key_that_may_press_something_is_done_unasked(
    page: Page, pressed: tuple[str, ...]
) -> None:
    for screen in (shown(page, tree=False), shown(page)):
        assert decide(Mode.AUTO, LISTED, keys(*pressed), None, screen).verdict != Verdict.ALLOWED
        assert decide(Mode.AUTO, LISTED, keys("tab"), None, screen).verdict == Verdict.ALLOWED


@pytest.mark.parametrize(
    ("focus", "pressed", "verdict"),
    [
        ("Search", ("enter",), Verdict.ALLOWED),
        ("Search", ("y",), Verdict.ALLOWED),
        ("Search", (" ",), Verdict.ALLOWED),
        ("Search", ("alt", "y"), Verdict.NEEDS_APPROVAL),
        ("Search", ("tab", "enter"), Verdict.NEEDS_APPROVAL),
        ("Next", ("enter",), Verdict.ALLOWED),
        ("Next", ("space",), Verdict.ALLOWED),
        ("Next", ("y",), Verdict.NEEDS_APPROVAL),
        ("Save", ("enter",), Verdict.NEEDS_APPROVAL),
        ("Save", ("space",), Verdict.NEEDS_APPROVAL),
        ("Delete patient", ("enter",), Verdict.REFUSED),
    ],
)
def test_a_key_that_presses_what_has_the_focus_is_judged_as_a_click(
    focus: str, pressed: tuple[str, ...], verdict: Verdict
) -> None:
    assert decide(Mode.AUTO, LISTED, keys(*pressed), None, shown(Page(CONTROLS), focus)).verdict == verdict


def test_what_a_key_presses_is_read_in_the_pixels_too() -> None:
    page = Page((Control("Discharge", 610, 80, effect="discharge", name="Next"),))
    screen, drawn = shown(page, "Discharge"), [Line("Discharge", Rect(left=620, top=86, right=720, bottom=110))]
    assert decide(Mode.AUTO, LISTED, keys("enter"), None, screen).verdict == Verdict.ALLOWED
    assert decide(Mode.AUTO, LISTED, keys("enter"), None, screen, drawn).verdict == Verdict.REFUSED


def test_in_a_dialog_enter_in_a_field_and_letters_beside_it_are_asked_about() -> None:
    reason = Control("Reason", 300, 260, 200, role="textbox")
    page = Page((reason, *YES_NO), dialog=(*DIALOG[:4], "Why?"))
    for focus, pressed in (("Reason", "enter"), ("No", "y"), ("No", "a")):
        assert decide(Mode.AUTO, LISTED, keys(pressed), None, shown(page, focus)).verdict == Verdict.NEEDS_APPROVAL
    assert decide(Mode.AUTO, LISTED, keys("y"), None, shown(page, "Reason")).verdict == Verdict.ALLOWED
    # A "y" says yes to what the dialog asks.
    asked = Page(YES_NO, dialog=DIALOG)
    assert decide(Mode.CONFIRM, POLICY, keys("y"), None, shown(asked, "No")).verdict == Verdict.REFUSED
    assert decide(Mode.CONFIRM, POLICY, keys("enter"), None, shown(asked, "No")).verdict == Verdict.NEEDS_APPROVAL


# The wheel.

DOSE = Control("Dose", 20, 200, role="spinbutton", effect="dose")
TURN = Scroll(point=DOSE.rect.center, notches=3)


@pytest.mark.parametrize("tree", [True, False])
def test_the_wheel_is_not_turned_on_the_wrong_patient(tree: bool, tmp_path: Path) -> None:
    other = BANNER.replace("4471902", "4471903")
    reads = (lambda screen, rect: other,) * 2
    desk = SimulatedDesk(Page((DOSE,), banner=other, tree=tree))
    guard = make_guard(tmp_path, mode=Mode.CONFIRM, readers=reads)
    record = do(desk, guard, TURN)
    assert (record.outcome, record.rule, desk.effects) == (Outcome.HALTED_BEFORE_EFFECT, "identity", [])


@pytest.mark.parametrize("mode", [Mode.CONFIRM, Mode.AUTO])
@pytest.mark.parametrize("tree", [True, False])
def test_the_wheel_over_a_number_is_asked_about_and_without_a_tree_everywhere(
    tree: bool, mode: Mode, tmp_path: Path
) -> None:
    page = Page((DOSE,), tree=tree)
    desk, guard = SimulatedDesk(page), make_guard(tmp_path, mode=mode, readers=READS)
    record = do(desk, guard, TURN)
    assert (record.rule, desk.effects) == ("approval", [])
    given = agree(guard, record)
    assert guarded(desk, guard, TURN, seen=desk.screen(), approval=given).outcome == Outcome.COMPLETED_UNVERIFIED
    assert desk.effects == ["dose"]
    elsewhere = Scroll(point=Point(x_px=600, y_px=400), notches=3)
    assert (do(desk, guard, elsewhere).rule == "") == tree


def test_where_a_policy_says_that_the_wheel_only_scrolls_it_is_turned_by_pixels() -> None:
    policy = POLICY.model_copy(update={"scroll_regions": (Region(left=0.5, top=0.5),)})
    screen = shown(Page((DOSE,)), tree=False)
    within = Scroll(point=Point(x_px=600, y_px=400), notches=3)
    for mode in (Mode.CONFIRM, Mode.AUTO):
        assert decide(mode, policy, within, None, screen).verdict == Verdict.ALLOWED
        assert decide(mode, policy, TURN, None, screen).verdict == Verdict.NEEDS_APPROVAL
        # A tree knows better.
        known = shown(Page((replace(DOSE, left=590, top=390),)))
        assert decide(mode, policy, within, None, known).verdict == Verdict.NEEDS_APPROVAL


def test_words_below_the_wheel_are_no_label_of_it() -> None:
    drawn = [Line("Delete patient", Rect(left=20, top=200, right=160, bottom=230))]
    said = decide(Mode.CONFIRM, POLICY, TURN, None, shown(Page((DOSE,)), tree=False), drawn)
    assert said.verdict == Verdict.NEEDS_APPROVAL


def test_a_worklist_is_scrolled_before_a_record_is_open(tmp_path: Path) -> None:
    policy = POLICY.model_copy(update={"search_labels": ("Worklist",)})
    desk = SimulatedDesk(Page((Control("Worklist", 20, 200),), tree=False))
    target = Target(rect=DOSE.rect, point=DOSE.rect.center, label="Worklist", confidence=1, layer="words")
    nobody = (lambda screen, rect: "Ward 4 East",) * 2
    for searching, rule in ((True, "approval"), (False, "identity")):
        guard = make_guard(tmp_path / rule, policy, Mode.CONFIRM, readers=nobody, searching=searching)
        assert do(desk, guard, TURN, target).rule == rule


# An "OK" is bound to what it agrees to.

KEEP = Page((OK,), dialog=(*DIALOG[:4], "Keep the draft?"))
MOVE = Page((OK,), dialog=(*DIALOG[:4], "Move to hospice?"))


def reads_ok(rgb: np.ndarray) -> list[Line]:
    """Reads the words of the button in what is looked at around it."""
    rect, near = OK.rect, around(OK.rect.center)
    left, top = max(near.left, 0), max(near.top, 0)
    moved = Rect(left=rect.left - left, top=rect.top - top, right=rect.right - left, bottom=rect.bottom - top)
    return [Line("OK", moved)]


@pytest.mark.parametrize("tree", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_an_approval_of_ok_does_not_outlive_its_question(tree: bool, named: bool, tmp_path: Path) -> None:
    keep, move = replace(KEEP, tree=tree), replace(MOVE, tree=tree)
    desk = SimulatedDesk(keep)
    guard = make_guard(tmp_path, mode=Mode.CONFIRM, readers=READS, read_lines=reads_ok)
    target = Target(rect=OK.rect, point=OK.rect.center, label="OK", confidence=1, layer="words") if named else None
    action = Click(point=OK.rect.center)
    for seen_first in (True, False):
        desk.page = keep
        seen = desk.screen()
        given = agree(guard, do(desk, guard, action, target))
        desk.page = move
        looked = seen if seen_first else desk.screen()
        record = guarded(desk, guard, action, seen=looked, target=target, approval=given)
        assert record.rule == ("unchanged" if seen_first else "approval"), record.reason
        assert record.outcome == Outcome.HALTED_BEFORE_EFFECT
        assert desk.effects == []
    desk.page = keep
    given = agree(guard, do(desk, guard, action, target))
    done = guarded(desk, guard, action, seen=desk.screen(), target=target, approval=given)
    assert (done.outcome, desk.effects) == (Outcome.COMPLETED_UNVERIFIED, ["transfer"])


def test_keys_that_agree_are_bound_to_the_question_as_well(tmp_path: Path) -> None:
    desk = SimulatedDesk(replace(KEEP, focus="OK"))
    guard = make_guard(tmp_path, mode=Mode.CONFIRM)
    given = agree(guard, do(desk, guard, keys("enter")))
    desk.page = MOVE
    record = guarded(desk, guard, keys("enter"), seen=desk.screen(), approval=given)
    assert (record.rule, desk.effects) == ("approval", [])


@pytest.mark.parametrize("tree", [True, False])
def test_the_question_is_shown_to_who_approves(tree: bool) -> None:
    screen = shown(KEEP, tree=tree)
    target = Target(rect=OK.rect, point=OK.rect.center, label="OK", confidence=1, layer="words")
    action = Click(point=target.point)
    request = ApprovalDesk().ask(screen, action, target, Decision(verdict=Verdict.NEEDS_APPROVAL, approvers=1))
    whole = region_of(screen, action, target)
    assert Image.open(io.BytesIO(request.crop_png)).size == (screen.rect.width, whole.height)
    left, top, right, bottom, _ = KEEP.dialog or (0, 0, 0, 0, "")
    assert whole.overlap(Rect(left=left, top=top, right=right, bottom=bottom)).area == (right - left) * (bottom - top)


def test_at_a_terminal_place_and_banner_are_pictures_for_the_owner_only_while_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, action = shown(KEEP), Click(point=OK.rect.center)
    needed = Decision(verdict=Verdict.NEEDS_APPROVAL, approvers=1)
    banner = Region(bottom=0.1).on(screen)
    request = ApprovalDesk().ask(screen, action, OK.target(), needed, banner=banner)
    stderr, pictures = io.StringIO(), dict[Path, bytes]()

    def answer(*told: object, **how: object) -> str:
        for name in re.findall(r"\S+\.png", stderr.getvalue()):
            assert Path(name).stat().st_mode & 0o777 == 0o600
            pictures[Path(name)] = Path(name).read_bytes()
        stderr.truncate(0)
        return "Ann"

    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stderr", stderr)
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("typer.prompt", answer)
    step = Step(name="agree", find='click "OK"', do="click")
    assert TerminalPerson(()).approve(step, request, repaired=False) == ["Ann"]
    assert list(pictures.values()) == [request.crop_png, request.banner_png]
    assert not any(path.exists() for path in pictures)
    assert TerminalPerson(()).approve(step, replace(request, banner_png=b""), repaired=False) == ["Ann"]
    assert len(pictures) == 3


def test_what_says_itself_what_it_does_is_bound_to_its_surroundings_only() -> None:
    screen = shown(Page(CONTROLS))
    save = next(control for control in CONTROLS if control.label == "Save").target()
    assert questions(screen, Click(point=save.point), save) == []
    assert questions(screen, keys("ctrl", "s")) == []
    # What nothing but a model names may be an "OK".
    drawn = shown(Page(CONTROLS), tree=False)
    assert [asked.sure for asked in questions(drawn, Click(point=save.point), save)] == [False]
    assert questions(drawn, Click(point=save.point), save.model_copy(update={"layer": "icon"})) == []


def test_a_caret_in_a_field_of_the_dialog_leaves_the_approval_whole() -> None:
    """Not so in a page, which writes its own tree, and not where the value is another one."""
    field = Node(
        role="textbox",
        name="Why",
        value="x",
        rect=Rect(left=260, top=230, right=460, bottom=260),
        states=frozenset({"focused"}),
    )
    program = replace(shown(KEEP), url="")
    program = replace(program, nodes=(*(program.nodes or ()), field))
    pixels = program.rgb.copy()
    pixels[235:255, 280] = 0
    blinked, action = replace(program, rgb=pixels), Click(point=OK.rect.center)
    assert bound_hash(program, action, None, None) == bound_hash(blinked, action, None, None)
    other = field.model_copy(update={"value": "y"})
    written = replace(blinked, nodes=tuple(other if node == field else node for node in blinked.nodes or ()))
    assert bound_hash(program, action, None, None) != bound_hash(written, action, None, None)
    page, drawn = replace(program, url="https://ehr.test/app/"), replace(blinked, url="https://ehr.test/app/")
    assert bound_hash(page, action, None, None) != bound_hash(drawn, action, None, None)


# What fails once it was done was done.


class Blind(SimulatedDesk):
    """Sees nothing more once it has acted."""

    error: Exception = ToolFailed("the words cannot be read")

    def screen(self, *, tree: bool = True) -> Screen:
        if self.effects:
            raise self.error
        return super().screen(tree=tree)


@pytest.mark.parametrize("error", [ToolFailed("the words cannot be read"), MediaError("no screen")])
def test_a_look_that_fails_afterwards_is_for_a_person(error: Exception, tmp_path: Path) -> None:
    desk, guard = Blind(Page(MOVES)), make_guard(tmp_path)
    desk.error = error
    record = do(desk, guard, Click(point=desk.page.control("Next").rect.center))
    assert (record.outcome, desk.effects, desk.released) == (Outcome.RECONCILE, ["move"], 1)


def test_a_check_that_fails_afterwards_is_for_a_person(tmp_path: Path) -> None:
    def fails(screen: Screen) -> bool:
        raise ToolFailed("the words cannot be read")

    desk, guard = SimulatedDesk(Page(MOVES)), make_guard(tmp_path)
    click = Click(point=desk.page.control("Next").rect.center)
    assert guarded(desk, guard, click, seen=desk.screen(), verify=fails).outcome == Outcome.RECONCILE
    assert desk.effects == ["move"]
    # Waiting did nothing, so that it may be done again.
    waits = guarded(desk, guard, WaitFor(seconds=1), seen=desk.screen(), verify=fails)
    assert waits.outcome == Outcome.HALTED_BEFORE_EFFECT
