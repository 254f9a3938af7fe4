"""Decision about an action: allowed, needs approval, or refused, with the reason.

The model's label is not trusted alone. What is at the point is read from the accessibility tree and from the words in
the pixels; the model's label can only make a decision stricter.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from tools.gui.guard.effect_words import affirms, find_verbs, fold, hides, plain_label, same_label
from tools.gui.guard.labels import CONTROLS, Line, focused, labels_at, pressed_by, questions, unclear, words_of
from tools.gui.guard.policy import Policy, parse_url
from tools.gui.keys import key_set, keys_of
from tools.gui.types import (
    CHANGES_NOTHING,
    UNSURE,
    Action,
    Click,
    Drag,
    Point,
    PressKey,
    Screen,
    Scroll,
    Target,
    TypeText,
    WaitFor,
    points_of,
)

_TURNED_BY_WHEEL = frozenset({"combobox", "listbox", "slider", "spinbutton"})
_SCHEME = re.compile(r"(?i)(?:^|[\s\"'(<=])(?:(?:javascript|vbscript|blob|file)\s*:\s*\S|data\s*:\s*(?:[a-z]+/|[,;]))")


class Mode(StrEnum):
    """The degree of the agent's autonomy."""

    OBSERVE = "observe"
    """It looks and reads; it injects nothing."""
    SUGGEST = "suggest"
    """It proposes actions; it injects nothing. The default."""
    CONFIRM = "confirm"
    """Every action that may change something needs a person's approval."""
    AUTO = "auto"
    """Actions that the policy lists by label are performed at once; everything else needs approval."""


class Verdict(StrEnum):
    """The fate of an action."""

    ALLOWED = "allowed"
    NEEDS_APPROVAL = "needs_approval"
    REFUSED = "refused"


class Decision(BaseModel):
    """A verdict with its reason.

    Attributes:
        verdict: the verdict.
        rule: name in `RULES` of the rule that decided.
        reason: for people; quoted labels come from the screen and are data.
        approvers: number of different people who have to approve, 0 to 2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    rule: str = ""
    reason: str = ""
    approvers: int = 0


@dataclass(frozen=True)
class Case:
    """The input of a rule; `lines` are the words read around the action's points."""

    mode: Mode
    policy: Policy
    action: Action
    target: Target | None
    screen: Screen
    lines: tuple[Line, ...] = ()


Rule = Callable[[Case], tuple[int, str] | None]
"""Returns None, or the number of people who have to approve and why; `REFUSE` as the number is a refusal."""
REFUSE = 3


def decide(
    mode: Mode,
    policy: Policy,
    action: Action,
    target: Target | None,
    screen: Screen,
    lines: Sequence[Line] = (),
) -> Decision:
    """Decide what happens to an action; the strictest rule wins, the first among equals.

    Args:
        mode: degree of autonomy.
        policy: what is allowed.
        action: in pixels of the screen.
        target: target of the action, as found by the model or the grounding; None for none.
        screen: the current screen.
        lines: the words read in the pixels around the action's points.
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


def is_write(action: Action, screen: Screen, policy: Policy) -> bool:
    """Return whether an action may change something.

    Scrolling changes something over a field with a value. Without a tree it is unknown what is under the wheel, so
    scrolling counts as a write, except in regions where the policy states that it only scrolls.
    """
    if isinstance(action, Scroll):
        if turns_unseen(action, screen):
            return not any(region.on(screen).holds(action.point) for region in policy.scroll_regions)
        return any(node.role in _TURNED_BY_WHEEL and node.rect.holds(action.point) for node in screen.nodes or ())
    return action.kind not in CHANGES_NOTHING


def turns_unseen(action: Action, screen: Screen) -> bool:
    """Return whether an action scrolls where no tree shows what is under the wheel; the words read there do not."""
    return isinstance(action, Scroll) and not screen.nodes


def leads_to_a_record(policy: Policy, action: Action, target: Target | None) -> bool:
    """Return whether an action clicks, types into or scrolls what the policy lists as leading to a patient's record."""
    if target is None or target.layer in UNSURE or not isinstance(action, Click | Scroll | TypeText):
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


def _place(case: Case) -> tuple[int, str] | None:
    if isinstance(case.action, WaitFor):
        return None
    window, url, policy = case.screen.window, case.screen.url, case.policy
    if url:
        parts = parse_url(url)
        if isinstance(parts, str):
            return REFUSE, f"the page {url!r} is not allowed: {parts}"
        if policy.urls and not any(address.allows(parts) for address in policy.urls):
            nearest = min((address.differences(parts) for address in policy.urls), key=len)
            return REFUSE, f"the page {url!r} is not among the addresses of the policy: {'; '.join(nearest)}"
    # A title alone is not enough if the policy names addresses: a page writes its own title.
    if policy.urls and not url:
        return REFUSE, "the address of the page is unknown, and the policy names addresses"
    if policy.windows and not any(fnmatch.fnmatchcase(window, pattern) for pattern in policy.windows):
        return REFUSE, f"the window {window!r} is not among the windows of the policy"
    if url and not policy.urls:
        return REFUSE, f"the page {url!r} is in front, and the policy names no addresses"
    return None


def _typed_address(case: Case) -> tuple[int, str] | None:
    if isinstance(case.action, TypeText) and _SCHEME.search(re.sub(r"[\x00-\x1f]", "", case.action.text)):
        return REFUSE, "the text contains a data:, blob:, file: or javascript: address"
    return None


def _unseen(case: Case) -> tuple[int, str] | None:
    text = case.action.text if isinstance(case.action, TypeText) else ""
    if mark := hides(text):
        return REFUSE, f"the text contains the invisible character U+{ord(mark):04X}"
    return None


def _bounds(case: Case) -> tuple[int, str] | None:
    for point in points_of(case.action):
        if not case.screen.rect.holds(point):
            return REFUSE, f"the point ({point.x_px:g}, {point.y_px:g}) is outside the screen"
    if case.target and (points := list(points_of(case.action))) and not any(map(case.target.rect.holds, points)):
        return REFUSE, f"the action misses its target {case.target.label!r}"
    return None


def _region(case: Case) -> tuple[int, str] | None:
    for point in points_of(case.action):
        if not case.policy.may_touch(case.screen, point):
            return REFUSE, f"the point ({point.x_px:g}, {point.y_px:g}) is outside the regions of the policy"
    return None


def _keys(case: Case) -> tuple[int, str] | None:
    if isinstance(case.action, PressKey):
        pressed = key_set(case.action.keys)
        for entry in case.policy.forbidden_keys:
            keys = key_set(keys_of(entry))
            if keys <= pressed and (len(keys) > 1 or len(pressed) == 1 or "super" in keys):
                return REFUSE, f"the keys {'+'.join(case.action.keys)!r} are forbidden"
    return None


def _verbs(case: Case) -> tuple[int, str] | None:
    """Labels and what an "OK" agrees to may name a forbidden effect; prose that names one needs a person's approval."""
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
    """Report to the approver a label that the screen does not confirm."""
    if case.target is None or not is_write(case.action, case.screen, case.policy) or not case.target.label.strip():
        return None
    shown = [text for point in points_of(case.action) for texts in _labels(case, point) for text in texts]
    claimed = fold(case.target.label)
    if shown and not any(fold(text) in claimed or claimed in fold(text) for text in shown if text.strip()):
        return 1, f"the target is labelled {case.target.label!r}, but the screen shows {shown[0]!r}"
    return None


def _mode(case: Case) -> tuple[int, str] | None:
    injects = case.action.kind not in ("wait", "read")
    if case.mode in (Mode.OBSERVE, Mode.SUGGEST) and injects:
        return REFUSE, f"mode {case.mode.value!r} does nothing on the screen"
    if case.mode == Mode.CONFIRM and is_write(case.action, case.screen, case.policy):
        return 1, "mode 'confirm' asks before every action that may change something"
    return None


def _listed(case: Case) -> tuple[int, str] | None:
    """In mode `auto`, allow only what the policy lists, and only if the screen itself confirms the label."""
    action = case.action
    if case.mode != Mode.AUTO or not is_write(action, case.screen, case.policy):
        return None
    if isinstance(action, PressKey):
        return _listed_keys(case, action)
    if isinstance(action, Scroll):
        return 1, "the wheel may change what is under it"
    if isinstance(action, Drag) or (isinstance(action, Click) and (action.button != "left" or action.count != 1)):
        return 1, "only single left clicks and typing may be listed for mode 'auto'"
    if isinstance(action, TypeText) and ("\n" in action.text or "\t" in action.text):
        return 1, "the text contains a line break or a tab, which may submit a form"
    point = next(points_of(action))
    tree, pixels = _labels(case, point)
    return _listed_label(case, point, [*tree[:1], *([] if isinstance(action, TypeText) else pixels[:1])])


def _listed_keys(case: Case, action: PressKey) -> tuple[int, str] | None:
    """Allow keys by name; what they press is judged like a click on it."""
    told, keys = "+".join(action.keys), key_set(action.keys)
    if not any(key_set(keys_of(entry)) == keys for entry in case.policy.auto_keys):
        return 1, f"the keys {told!r} are not listed for mode 'auto'"
    if why := unclear(keys, case.screen):
        return 1, f"it is unknown what the keys {told!r} press: {why}"
    control = pressed_by(keys, case.screen)
    if control is None:
        return None
    _, pixels = _labels(case, control.rect.center)
    return _listed_label(case, control.rect.center, [*filter(None, [control.name.strip()]), *pixels[:1]])


def _listed_label(case: Case, point: Point, labels: Sequence[str]) -> tuple[int, str] | None:
    if not any(region.on(case.screen).holds(point) for region in case.policy.auto_regions):
        return 1, "the point is outside the regions in which mode 'auto' may act"
    if not labels:
        return 1, "cannot read a label here"
    if other := next((label for label in labels if not _is_listed(label, case.policy)), ""):
        return 1, f"the label {other!r} is not listed for mode 'auto'"
    controls = [node for node in case.screen.nodes or () if node.role in CONTROLS]
    if sum(same_label(node.name, labels[0]) for node in controls) > 1:
        return 1, f"more than one control is labelled {labels[0]!r}"
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
"""All rules, in order of evaluation."""


def _is_listed(label: str, policy: Policy) -> bool:
    return any(same_label(label, entry) for entry in policy.auto_labels)


def _labels(case: Case, point: Point) -> tuple[list[str], list[str]]:
    return labels_at(case.screen, point, case.target, case.lines)


def _texts(case: Case) -> list[tuple[str, bool]]:
    """Return all texts whose words count, and whether each is a label (else prose)."""
    texts: list[tuple[str, bool]] = []
    if turns_unseen(case.action, case.screen) or not is_write(case.action, case.screen, case.policy):
        return texts
    if case.target:
        texts.append((case.target.label, True))
    if isinstance(case.action, PressKey):
        keys = key_set(case.action.keys)
        if "delete" in keys:
            texts.append(("delete", True))
        if (control := focused(case.screen)) and keys & {"enter", "space"}:
            texts.append((control.name, True))
        if control := pressed_by(keys, case.screen):
            texts += [(text, True) for text in _labels(case, control.rect.center)[1]]
    for point in points_of(case.action):
        tree, pixels = _labels(case, point)
        texts += [(text, True) for text in (*tree, *pixels)]
    for asked in questions(case.screen, case.action, case.target, case.lines):
        texts += [(text, True) for text in words_of(asked, case.screen, case.lines) if asked.sure]
    if isinstance(case.action, TypeText):
        texts.append((case.action.text, False))
    return texts
