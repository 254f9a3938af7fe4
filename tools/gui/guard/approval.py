"""A person's word for one action, bound to the pixels that were shown.

The desk keeps everything that counts in memory: a random key, and for each request a random nonce that is handed to the
person's interface only. An approval carries a seal (HMAC-SHA256) over the request, the exact action, the hash of the
region and the names, so nothing that stands on a screen, in a checkpoint or in a model's answer can stand in for it.
Names are taken as the person's interface gives them; who may use that interface is for the program around us to check.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tools.errors import ToolFailed
from tools.gui.grounding.geometry import union
from tools.gui.guard.decide import Decision
from tools.gui.guard.effect_words import fold
from tools.gui.guard.labels import FIELDS, Line, focused, questions
from tools.gui.types import Action, PressKey, Rect, Screen, Target, points_of, region_hash

SURROUNDINGS_PX = 48.0
"""How far around a target pixels must stay as they were; our choice: a button and what stands beside it. What an "OK"
agrees to has to stay as it was as well, however far it reaches."""
APPROVAL_S = 60.0
"""Seconds that an approval lives; our choice."""
MAX_PENDING = 64
"""Requests that wait at once; the oldest are dropped. Our choice."""


@dataclass(frozen=True)
class ApprovalRequest:
    """What a person is shown and asked.

    Attributes:
        id: names the request; no secret.
        action: exactly what would be done.
        target: what it is meant for, if it was found by its label.
        decision: why a person is asked, and how many have to agree.
        crop_png: the target with its surroundings, over the whole width of the screen, since what stands in its row may
            tell it from others, and the question that it agrees to, if any; the point is marked.
        banner_png: where the patient is named; empty where the policy names no such region.
        patient: whom the work is for, masked.
        region_sha256: names the pixels that the approval will be bound to.
        nonce: for the person's interface only; it has to be given back to approve, and is never shown to a model.
    """

    id: str
    action: Action
    target: Target | None
    decision: Decision
    crop_png: bytes = field(repr=False)
    banner_png: bytes = field(repr=False)
    patient: str
    region_sha256: str
    nonce: str = field(repr=False)

    def told(self) -> dict[str, object]:
        """What may be shown, stored or sent: everything except the nonce and the pictures."""
        return {
            "id": self.id,
            "action": self.action.model_dump(mode="json"),
            "target": self.target.model_dump(mode="json") if self.target else None,
            "reason": self.decision.reason,
            "approvers": self.decision.approvers,
            "patient": self.patient,
            "region_sha256": self.region_sha256,
        }


@dataclass(frozen=True)
class Approval:
    """An approval as the desk hands it out; worth nothing without its seal."""

    request_id: str
    people: tuple[str, ...]
    seal: bytes = field(repr=False)


class ApprovalDesk:
    """Takes requests, hears people, and redeems each approval once.

    Args:
        approval_s: seconds that a person's word lives.
        approvers: who may approve; empty is everybody.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        approval_s: float = APPROVAL_S,
        approvers: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._approval_s, self._approvers, self._clock = approval_s, tuple(approvers), clock
        self._key = secrets.token_bytes(32)
        self._pending: dict[str, _Pending] = {}
        self._lock = threading.Lock()

    def ask(
        self,
        screen: Screen,
        action: Action,
        target: Target | None,
        decision: Decision,
        *,
        lines: Sequence[Line] = (),
        banner: Rect | None = None,
        patient: str = "",
    ) -> ApprovalRequest:
        """Make a request for an action on a screen.

        Args:
            screen: as it was when the decision was made.
            action: what would be done.
            target: what it is meant for.
            decision: with the number of people who have to agree.
            lines: the words that were read in the pixels around the action's points.
            banner: where the patient is named.
            patient: whom the work is for, masked.
        """
        request = ApprovalRequest(
            id=secrets.token_hex(8),
            action=action,
            target=target,
            decision=decision,
            crop_png=_png(screen, _whole_lines(screen, region_of(screen, action, target, lines)), action),
            banner_png=_png(screen, banner, None) if banner else b"",
            patient=patient,
            region_sha256=bound_hash(screen, action, target, banner, lines),
            nonce=secrets.token_hex(16),
        )
        with self._lock:
            self._pending[request.id] = _Pending(request)
            while len(self._pending) > MAX_PENDING:
                del self._pending[next(iter(self._pending))]
        return request

    def waiting(self) -> list[ApprovalRequest]:
        """The requests that nobody has redeemed or rejected, oldest first; for the person's interface."""
        with self._lock:
            return [pending.request for pending in self._pending.values()]

    def approve(self, request_id: str, nonce: str, person: str) -> Approval | None:
        """Take a person's word; None while another, different person has to agree too.

        Raises:
            ToolFailed: if there is no such request, the nonce is wrong, or this person may not approve (again).
        """
        name = " ".join(person.split())
        with self._lock:
            pending = self._pending.get(request_id)
            if pending is None or not hmac.compare_digest(pending.request.nonce.encode(), nonce.encode()):
                raise ToolFailed(f"there is no open request {request_id!r} with that nonce.", remedy="Ask again.")
            if not _plain_name(name):
                raise ToolFailed("an approval names the person who gives it.", remedy="Give a name.")
            if self._approvers and name not in self._approvers:
                raise ToolFailed(f"{name!r} may not approve.", expected=f"one of {', '.join(self._approvers)}")
            now = self._clock()
            alive = {who: at for who, at in pending.people.items() if now - at <= self._approval_s}
            if any(_plain_name(who) == _plain_name(name) for who in alive) and pending.request.decision.approvers > 1:
                raise ToolFailed(f"{name!r} has approved this already.", expected="a second, different person")
            pending.people = {**alive, name: now}
            if len(pending.people) < pending.request.decision.approvers:
                return None
            people = tuple(pending.people)
            return Approval(request_id, people, self._seal(pending.request, people))

    def reject(self, request_id: str) -> None:
        """Drop a request; what was approved of it dies."""
        with self._lock:
            self._pending.pop(request_id, None)

    def redeem(
        self,
        approval: Approval,
        decision: Decision,
        screen: Screen,
        action: Action,
        target: Target | None,
        banner: Rect | None = None,
        lines: Sequence[Line] = (),
    ) -> str:
        """Use an approval for an action on the screen as it is now; return "" or why it does not hold.

        It is used up by this, whatever the answer, unless its seal is forged.
        """
        with self._lock:
            pending = self._pending.get(approval.request_id)
            if pending is None:
                return "the approval is unknown or was used already"
            if not hmac.compare_digest(self._seal(pending.request, approval.people), approval.seal):
                return "the approval was not given here"
            del self._pending[approval.request_id]
            use = Use(pending.request, pending.people, decision, screen, action, target, banner, tuple(lines))
            oldest = self._clock() - self._approval_s
            for name, test in HOLDS.items():
                if problem := test(use, oldest):
                    return f"the approval does not hold ({name}): {problem}"
        return ""

    def _seal(self, request: ApprovalRequest, people: tuple[str, ...]) -> bytes:
        told = json.dumps([request.told(), request.nonce, people], sort_keys=True, ensure_ascii=False)
        return hmac.digest(self._key, told.encode(), "sha256")


@dataclass
class _Pending:
    request: ApprovalRequest
    people: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Use:
    """What was approved by whom and when, and what it is about to be used for."""

    request: ApprovalRequest
    people: dict[str, float]
    decision: Decision
    screen: Screen
    action: Action
    target: Target | None
    banner: Rect | None
    lines: tuple[Line, ...]


def _same_action(use: Use, oldest: float) -> str:
    same = use.request.action == use.action and use.request.target == use.target
    return "" if same else "another action was approved"


def _young(use: Use, oldest: float) -> str:
    return "" if all(at >= oldest for at in use.people.values()) else "it is too old"


def _same_pixels(use: Use, oldest: float) -> str:
    now = bound_hash(use.screen, use.action, use.target, use.banner, use.lines)
    return "" if use.request.region_sha256 == now else "the screen has changed there"


def _enough_people(use: Use, oldest: float) -> str:
    different = {_plain_name(name) for name in use.people}
    return "" if len(different) >= use.decision.approvers else f"{use.decision.approvers} people have to approve"


def _plain_name(name: str) -> str:
    """A name without case, accents, dots and spaces, so that one person does not count as two."""
    return "".join(mark for mark in fold(name) if mark.isalnum())


HOLDS: dict[str, Callable[[Use, float], str]] = {
    "action": _same_action,
    "time": _young,
    "pixels": _same_pixels,
    "people": _enough_people,
}
"""What must hold for an approval to be redeemed, each by name."""


def region_of(screen: Screen, action: Action, target: Target | None, lines: Sequence[Line] = ()) -> Rect:
    """The part of a screen that an action depends on: target and points, their surroundings, and what it agrees to.

    Keys go to the control that has the focus; where none is known, they depend on the whole screen.
    """
    near = _near(screen, action, target)
    return union(near, *(asked.rect for asked in questions(screen, action, target, lines))).overlap(screen.rect)


def bound_hash(
    screen: Screen, action: Action, target: Target | None, banner: Rect | None, lines: Sequence[Line] = ()
) -> str:
    """sha256 over what an action depends on: the pixels of its region and of the banner, the window, page and view.

    Of a field of a program that has the focus and lies in the question, apart from the target, the value in the tree
    counts and not the pixels, in which a caret blinks. Pages write their own tree, and their caret is not drawn.
    """
    rect, near = region_of(screen, action, target, lines), _near(screen, action, target)
    pixels, written = screen.crop(rect), ""
    field_ = None if screen.url else focused(screen)
    if field_ and field_.role in FIELDS and not field_.rect.overlap(near).area:
        inside, pixels = field_.rect.overlap(rect), pixels.copy()
        rows = slice(max(int(inside.top - rect.top), 0), max(int(inside.bottom - rect.top), 0))
        pixels[rows, max(int(inside.left - rect.left), 0) : max(int(inside.right - rect.left), 0)] = 0
        written = field_.model_dump_json(include={"role", "name", "rect", "value"}) if inside.area else ""
    parts = [
        region_hash(pixels),
        rect.model_dump_json(),
        written,
        region_hash(screen.crop(banner)) if banner else "",
        screen.window,
        screen.url,
        repr(screen.view),
        repr(screen.rgb.shape),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _near(screen: Screen, action: Action, target: Target | None) -> Rect:
    """Target and points of an action with their surroundings; the whole screen for keys that go nobody knows where."""
    rects = [Rect(left=at.x_px, top=at.y_px, right=at.x_px + 1, bottom=at.y_px + 1) for at in points_of(action)]
    if target:
        rects.append(target.rect)
    if isinstance(action, PressKey):
        control = focused(screen)
        if control is None:
            return screen.rect
        rects.append(control.rect)
    if not rects:
        return screen.rect
    hull = union(*rects)
    return Rect(
        left=hull.left - SURROUNDINGS_PX,
        top=hull.top - SURROUNDINGS_PX,
        right=hull.right + SURROUNDINGS_PX,
        bottom=hull.bottom + SURROUNDINGS_PX,
    ).overlap(screen.rect)


def _whole_lines(screen: Screen, rect: Rect) -> Rect:
    return Rect(left=screen.rect.left, top=rect.top, right=screen.rect.right, bottom=rect.bottom)


def _png(screen: Screen, rect: Rect, action: Action | None) -> bytes:
    """A part of the screen as PNG, with a ring at each point of the action."""
    from PIL import Image, ImageDraw

    inside = rect.overlap(screen.rect)
    pixels = screen.crop(rect)
    if pixels.size == 0:
        return b""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    for point in points_of(action) if action else ():
        x, y = point.x_px - int(inside.left), point.y_px - int(inside.top)
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), outline=(220, 0, 0), width=2)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
