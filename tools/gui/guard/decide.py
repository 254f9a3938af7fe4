"""One function decides what happens to an action: it is allowed, needs approval, or is refused, with the reason.

Labels are not taken from the model's word alone. What stands at the point is read from the accessibility tree and from
the words in the pixels; the model's label can only make a decision stricter.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from tools.gui.guard.policy import Policy, parse_url
from tools.gui.guard.words import affirms, find_verbs, fold, hides, plain_label, same_label
from tools.gui.types import (
    CHANGES_NOTHING,
    Action,
    Click,
    Drag,
    Node,
    Point,
    PressKey,
    Rect,
    Screen,
    Scroll,
    Target,
    TypeText,
    WaitFor,
    points_of,
)

NEAR_X_PX, NEAR_Y_PX = 24.0, 10.0
"""How far beside a point words still count as its label, where no tree tells a control's bounds; our choice."""
AROUND_X_PX, AROUND_Y_PX = 320.0, 160.0
"""How far around a point it is looked what an "OK" agrees to, where no tree shows a dialog; our choice."""

_DIALOGS = frozenset({"dialog", "alertdialog"})
_CONTROLS = frozenset(
    "button checkbox combobox link listitem menuitem menuitemcheckbox menuitemradio option radio searchbox slider "
    "spinbutton switch tab textbox treeitem".split()
)
_TURNED_BY_WHEEL = frozenset({"combobox", "listbox", "slider", "spinbutton"})
_SCHEME = re.compile(r"(?i)(?:^|[\s\"'(<=])(?:(?:javascript|vbscript|blob|file)\s*:\s*\S|data\s*:\s*(?:[a-z]+/|[,;]))")


class Mode(StrEnum):
    """How much a person leaves to the agent."""

    OBSERVE = "observe"
    """It looks and reads; nothing is injected."""
    SUGGEST = "suggest"
    """It says what it would do; nothing is injected. The default."""
    CONFIRM = "confirm"
    """Every action that may change something needs a person's approval."""
    AUTO = "auto"
    """What the policy lists by label is done at once; everything else needs approval."""


class Verdict(StrEnum):
    """What happens to an action."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs_approval"
    REFUSED = "refused"


class Decision(BaseModel):
    """A verdict and why.

    Attributes:
        verdict: what happens.
        rule: the rule that decided, by its name in `RULES`.
        reason: for people; quoted labels come from the screen and are data.
        approvers: how many different people have to approve, 0 to 2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    rule: str = ""
    reason: str = ""
    approvers: int = 0


@dataclass(frozen=True)
class Line:
    """Words that were read in the pixels, and where they stand in image pixels."""

    text: str
    rect: Rect


@dataclass(frozen=True)
class Case:
    """All that a rule may look at; `lines` are the words read around the action's points."""

    mode: Mode
    policy: Policy
    action: Action
    target: Target | None
    screen: Screen
    lines: tuple[Line, ...] = ()


Rule = Callable[[Case], tuple[int, str] | None]
"""Says nothing (None), or how many people have to approve and why; `REFUSE` of them is a refusal."""
REFUSE = 3


def decide(
    mode: Mode,
    policy: Policy,
    action: Action,
    target: Target | None,
    screen: Screen,
    lines: Sequence[Line] = (),
) -> Decision:
    """Decide what happens to an action; the strictest rule wins, and of equals the first.

    Args:
        mode: how much is left to the agent.
        policy: what may be done.
        action: in pixels of the screen.
        target: what the action is meant for, as the model or the grounding found it; None for none.
        screen: as it is now.
        lines: the words that were read in the pixels around the action's points.
    """
    case = Case(Mode(mode), policy, action, target, screen, tuple(lines))
    strictest = Decision(verdict=Verdict.ALLOWED)
    for name, rule in RULES.items():
        said = rule(case)
        if said is None:
            continue
        people, reason = said
        if people == REFUSE:
            return Decision(verdict=Verdict.REFUSED, rule=name, reason=reason)
        if people > strictest.approvers:
            strictest = Decision(verdict=Verdict.NEEDS_APPROVAL, rule=name, reason=reason, approvers=people)
    return strictest


def is_write(action: Action, screen: Screen) -> bool:
    """Whether an action may change something; turning the wheel over a field with a value does."""
    if isinstance(action, Scroll):
        return any(node.role in _TURNED_BY_WHEEL and node.rect.holds(action.point) for node in screen.nodes or ())
    return action.kind not in CHANGES_NOTHING


def leads_to_a_record(policy: Policy, action: Action, target: Target | None) -> bool:
    """Whether an action clicks on, or types into, what the policy lists as leading to a patient's record."""
    if target is None or target.layer == "model" or not isinstance(action, Click | TypeText):
        return False
    if isinstance(action, TypeText) and ("\n" in action.text or "\t" in action.text):
        return False
    if isinstance(action, Click) and action.button != "left":
        return False
    if affirms(target.label) or find_verbs(target.label, policy.all_words):
        return False
    label = plain_label(target.label)
    return any(
        label.startswith(plain_label(entry)) if entry.endswith("*") else same_label(label, entry)
        for entry in policy.search_labels
    )


def labels_at(case: Case, point: Point) -> tuple[list[str], list[str]]:
    """What the tree and the pixels call the things at a point, the smallest first; each may be empty."""
    holding = [node for node in case.screen.nodes or () if node.rect.holds(point)]
    holding.sort(key=lambda node: node.rect.area)
    control = next((node for node in holding if node.role in _CONTROLS), None)
    # Words of a control are often nodes of their own, which lie within it.
    inner = [node for node in holding if control is None or node.rect.area <= control.rect.area]
    tree = [node.name for node in inner if node.name.strip() and node.role not in _DIALOGS][:4]
    bounds = control.rect if control else _around(point, NEAR_X_PX, NEAR_Y_PX)
    if case.target and case.target.rect.holds(point) and case.target.rect.area < bounds.area:
        bounds = case.target.rect
    pixels = [line.text for line in case.lines if line.rect.holds(point)]
    pixels += [line.text for line in case.lines if not line.rect.holds(point) and line.rect.overlap(bounds).area]
    return tree, pixels


def focused(screen: Screen) -> Node | None:
    """The control that keys go to, where the tree tells; the smallest that is marked."""
    marked = [node for node in screen.nodes or () if "focused" in node.states]
    return min(marked, key=lambda node: node.rect.area, default=None)


def _place(case: Case) -> tuple[int, str] | None:
    if isinstance(case.action, WaitFor):
        return None
    window, url, policy = case.screen.window, case.screen.url, case.policy
    if url:
        parts = parse_url(url)
        if isinstance(parts, str):
            return REFUSE, f"the page {url!r} is not allowed: {parts}"
        if policy.urls and not any(address.allows(parts) for address in policy.urls):
            return REFUSE, f"the page {url!r} is not among the addresses of the policy"
    # A title alone will not do where addresses are named: a page writes its own title.
    if policy.urls and not url:
        return REFUSE, "the address of the page is unknown, and the policy names addresses"
    if policy.windows and not any(fnmatch.fnmatchcase(window, pattern) for pattern in policy.windows):
        return REFUSE, f"the window {window!r} is not among the windows of the policy"
    if url and not policy.urls:
        return REFUSE, f"the page {url!r} is in front, and the policy names no addresses"
    return None


def _typed_address(case: Case) -> tuple[int, str] | None:
    if isinstance(case.action, TypeText) and _SCHEME.search(re.sub(r"[\x00-\x1f]", "", case.action.text)):
        return REFUSE, "the text holds a data:, blob:, file: or javascript: address"
    return None


def _unseen(case: Case) -> tuple[int, str] | None:
    text = case.action.text if isinstance(case.action, TypeText) else ""
    if mark := hides(text):
        return REFUSE, f"the text holds the character U+{ord(mark):04X}, which a person would not see"
    return None


def _bounds(case: Case) -> tuple[int, str] | None:
    for point in points_of(case.action):
        if not case.screen.rect.holds(point):
            return REFUSE, f"the point ({point.x_px:g}, {point.y_px:g}) lies outside the screen"
    if case.target and (points := list(points_of(case.action))) and not any(map(case.target.rect.holds, points)):
        return REFUSE, f"the action does not land on its target {case.target.label!r}"
    return None


def _region(case: Case) -> tuple[int, str] | None:
    for point in points_of(case.action):
        if not case.policy.may_touch(case.screen, point):
            return REFUSE, f"the point ({point.x_px:g}, {point.y_px:g}) lies outside the regions of the policy"
    return None


def _keys(case: Case) -> tuple[int, str] | None:
    if isinstance(case.action, PressKey):
        pressed = frozenset(key.strip().lower() for key in case.action.keys)
        for entry in case.policy.forbidden_keys:
            if _key_set(entry) <= pressed and (len(_key_set(entry)) > 1 or len(pressed) == 1 or entry in _SYSTEM):
                return REFUSE, f"the keys {'+'.join(case.action.keys)!r} are forbidden"
    return None


def _verbs(case: Case) -> tuple[int, str] | None:
    """Labels and what an "OK" agrees to may name a forbidden effect; prose that names one needs a person's eye."""
    strictest: tuple[int, str] | None = None
    for text, label in _texts(case):
        for verb in find_verbs(text, case.policy.all_words, label=label):
            rule = case.policy.rule_for(verb)
            if rule == "forbid" and label:
                return REFUSE, f"{text!r} names the verb {verb!r}, which the policy forbids"
            people = 2 if rule == "two_person" and label else 1
            if strictest is None or people > strictest[0]:
                strictest = people, f"{text!r} names the verb {verb!r}"
    return strictest


def _claimed(case: Case) -> tuple[int, str] | None:
    """A label that the screen does not bear out is told to the person who decides."""
    if case.target is None or not is_write(case.action, case.screen) or not case.target.label.strip():
        return None
    shown = [text for point in points_of(case.action) for texts in labels_at(case, point) for text in texts]
    claimed = fold(case.target.label)
    if shown and not any(fold(text) in claimed or claimed in fold(text) for text in shown if text.strip()):
        return 1, f"it is said to be {case.target.label!r}, but the screen shows {shown[0]!r}"
    return None


def _mode(case: Case) -> tuple[int, str] | None:
    injects = case.action.kind not in ("wait", "read")
    if case.mode in (Mode.OBSERVE, Mode.SUGGEST) and injects:
        return REFUSE, f"mode {case.mode.value!r} does nothing on the screen"
    if case.mode == Mode.CONFIRM and is_write(case.action, case.screen):
        return 1, "mode 'confirm' asks before every action that may change something"
    return None


def _listed(case: Case) -> tuple[int, str] | None:
    """In mode `auto`, only what the policy lists goes through, and only where the screen itself says that it is it."""
    action = case.action
    if case.mode != Mode.AUTO or not is_write(action, case.screen):
        return None
    if isinstance(action, PressKey):
        pressed = frozenset(key.strip().lower() for key in action.keys)
        listed = any(_key_set(entry) == pressed for entry in case.policy.auto_keys)
        return None if listed else (1, f"the keys {'+'.join(action.keys)!r} are not listed for mode 'auto'")
    if isinstance(action, Drag) or (isinstance(action, Click) and (action.button != "left" or action.count != 1)):
        return 1, "only single left clicks and typing may be listed for mode 'auto'"
    if isinstance(action, TypeText) and ("\n" in action.text or "\t" in action.text):
        return 1, "the text holds a line break or a tab, which may submit a form"
    point = next(points_of(action))
    if not any(region.on(case.screen).holds(point) for region in case.policy.auto_regions):
        return 1, "the point lies outside the regions in which mode 'auto' may act"
    tree, pixels = labels_at(case, point)
    known = [*tree[:1], *([] if isinstance(action, TypeText) else pixels[:1])]
    if not known:
        return 1, "no label can be read here"
    if other := next((label for label in known if not _is_listed(label, case.policy)), ""):
        return 1, f"the label {other!r} is not listed for mode 'auto'"
    controls = [node for node in case.screen.nodes or () if node.role in _CONTROLS]
    if sum(same_label(node.name, known[0]) for node in controls) > 1:
        return 1, f"more than one control is called {known[0]!r}"
    return None


RULES: dict[str, Rule] = {
    "place": _place,
    "bounds": _bounds,
    "region": _region,
    "typed_address": _typed_address,
    "unseen": _unseen,
    "keys": _keys,
    "claimed": _claimed,
    "mode": _mode,
    "verbs": _verbs,
    "listed": _listed,
}
"""Every rule, in the order in which they are asked."""

_SYSTEM = frozenset({"super", "win", "meta", "cmd", "command"})
_KEYS_THAT_DELETE = frozenset({"delete", "del"})
_KEYS_THAT_AGREE = frozenset({"enter", "return", "space", " "})


def _is_listed(label: str, policy: Policy) -> bool:
    return any(same_label(label, entry) for entry in policy.auto_labels)


def _key_set(entry: str) -> frozenset[str]:
    return frozenset(key.strip().lower() for key in entry.split("+"))


def _texts(case: Case) -> list[tuple[str, bool]]:
    """Everything whose words count, and whether it is a label (else prose)."""
    texts: list[tuple[str, bool]] = []
    if not is_write(case.action, case.screen):
        return texts
    if case.target:
        texts.append((case.target.label, True))
    if isinstance(case.action, PressKey):
        pressed = {key.strip().lower() for key in case.action.keys}
        if pressed & _KEYS_THAT_DELETE:
            texts.append(("delete", True))
        control = focused(case.screen)
        if control and pressed & _KEYS_THAT_AGREE:
            texts += [(text, True) for text in (control.name, *_agreed_to(case, control.rect.center, control.name))]
    for point in points_of(case.action):
        tree, pixels = labels_at(case, point)
        texts += [(text, True) for text in (*tree, *pixels)]
        labels = [text for text in (*tree[:1], *pixels[:1], case.target.label if case.target else "") if text]
        if any(map(affirms, labels)):
            texts += [(text, True) for text in _agreed_to(case, point, labels[0])]
    if isinstance(case.action, TypeText):
        texts.append((case.action.text, False))
    return texts


def _agreed_to(case: Case, point: Point, label: str) -> list[str]:
    """The words of the dialog around a label that only agrees; without a dialog in the tree, those around it."""
    if not affirms(label):
        return []
    nodes = case.screen.nodes or ()
    dialogs = [node for node in nodes if node.role in _DIALOGS and node.rect.holds(point)]
    if dialogs:
        dialog = min(dialogs, key=lambda node: node.rect.area)
        told = [node for node in nodes if node.rect.overlap(dialog.rect).area and node.role not in _CONTROLS]
        drawn = [line.text for line in case.lines if line.rect.overlap(dialog.rect).area]
        return [node.name for node in told if node.rect.area <= dialog.rect.area] + drawn
    around = _around(point, AROUND_X_PX, AROUND_Y_PX)
    named = [node.name for node in nodes if node.role not in _CONTROLS and node.rect.overlap(around).area]
    return named + [line.text for line in case.lines if line.rect.overlap(around).area]


def _around(point: Point, x_px: float, y_px: float) -> Rect:
    return Rect(left=point.x_px - x_px, top=point.y_px - y_px, right=point.x_px + x_px, bottom=point.y_px + y_px)
