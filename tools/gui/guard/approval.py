"""Approval of a single action by a person, bound to the pixels that the person saw.

The desk keeps everything relevant in memory: a random key, and for each request a random nonce that only the person's
interface receives. An approval is sealed (HMAC-SHA256) over the request, the exact action, the hash of the region and
the names, so that nothing on a screen, in a checkpoint or in a model's answer can forge it. Names are accepted as the
person's interface gives them; the surrounding program has to control who may use that interface.
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
"""Distance around a target within which pixels must not change: a button and its neighbours. The question that an "OK"
agrees to must not change either, however far it extends."""
APPROVAL_S = 60.0
"""Lifetime of an approval in seconds."""
MAX_PENDING = 64
"""Maximum number of waiting requests; the oldest are dropped."""


@dataclass(frozen=True)
class ApprovalRequest:
    """A request for approval, as shown to a person.

    Attributes:
        id: id of the request; not secret.
        action: the exact action.
        target: its target, if it was found by its label.
        decision: why approval is needed, and from how many people.
        crop_png: the target with its surroundings over the whole width of the screen, since its row may identify it,
            and the question that it agrees to, if any; the point is marked.
        banner_png: the patient banner; empty if the policy names no such region.
        patient: the patient, masked.
        region_sha256: hash of the pixels that the approval will be bound to.
        nonce: for the person's interface only; required to approve, and never shown to a model.
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
        """Return what may be shown, stored or sent: everything except the nonce and the pictures."""
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
    """An approval issued by the desk; invalid without its seal."""

    request_id: str
    people: tuple[str, ...]
    seal: bytes = field(repr=False)


class ApprovalDesk:
    """Manages requests and approvals, and redeems each approval once.

    Args:
        approval_s: lifetime of an approval in seconds.
        approvers: who may approve; empty is everybody.
        clock: monotonic clock in seconds.
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
        """Create a request for an action on a screen.

        Args:
            screen: the screen on which the decision was made.
            action: the action.
            target: its target.
            decision: with the number of people who have to agree.
            lines: the words read in the pixels around the action's points.
            banner: region of the patient banner.
            patient: the patient, masked.
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
        """Return the requests not yet redeemed or rejected, oldest first, for the person's interface."""
        with self._lock:
            return [pending.request for pending in self._pending.values()]

    def approve(self, request_id: str, nonce: str, person: str) -> Approval | None:
        """Record a person's approval; None while another, different person still has to agree.

        Raises:
            ToolFailed: if there is no such request, the nonce is wrong, or this person may not approve (again).
        """
        name = " ".join(person.split())
        with self._lock:
            pending = self._pending.get(request_id)
            if pending is None or not hmac.compare_digest(pending.request.nonce.encode(), nonce.encode()):
                raise ToolFailed(f"unknown request {request_id!r}, or invalid nonce.", remedy="Ask again.")
            if not _plain_name(name):
                raise ToolFailed("invalid approval: it needs the name of a person.", remedy="Give a name.")
            if self._approvers and name not in self._approvers:
                raise ToolFailed(f"{name!r} may not approve.", expected=f"one of {', '.join(self._approvers)}")
            now = self._clock()
            alive = {who: at for who, at in pending.people.items() if now - at <= self._approval_s}
            if any(_plain_name(who) == _plain_name(name) for who in alive) and pending.request.decision.approvers > 1:
                raise ToolFailed(f"{name!r} has already approved this.", expected="a second, different person")
            pending.people = {**alive, name: now}
            if len(pending.people) < pending.request.decision.approvers:
                return None
            people = tuple(pending.people)
            return Approval(request_id, people, self._seal(pending.request, people))

    def reject(self, request_id: str) -> None:
        """Drop a request and its approvals."""
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
        """Use an approval for an action on the current screen; return "" or why it is invalid.

        This uses it up, whatever the answer, unless its seal is forged.
        """
        with self._lock:
            pending = self._pending.get(approval.request_id)
            if pending is None:
                return "the approval is unknown or already used"
            if not hmac.compare_digest(self._seal(pending.request, approval.people), approval.seal):
                return "the approval was not issued here"
            del self._pending[approval.request_id]
            use = Use(pending.request, pending.people, decision, screen, action, target, banner, tuple(lines))
            oldest = self._clock() - self._approval_s
            for name, test in HOLDS.items():
                if problem := test(use, oldest):
                    return f"the approval is invalid ({name}): {problem}"
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
    """An approval with its people and times, and the action it is about to be used for."""

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
    """Normalise a name to neither case, accents, dots nor spaces, so that one person does not count as two."""
    return "".join(mark for mark in fold(name) if mark.isalnum())


HOLDS: dict[str, Callable[[Use, float], str]] = {
    "action": _same_action,
    "time": _young,
    "pixels": _same_pixels,
    "people": _enough_people,
}
"""Conditions for redeeming an approval, by name."""


def region_of(screen: Screen, action: Action, target: Target | None, lines: Sequence[Line] = ()) -> Rect:
    """Return the part of a screen that an action depends on: target, points, surroundings, and the question it answers.

    Keys go to the focused control; if that is unknown, they depend on the whole screen.
    """
    near = _near(screen, action, target)
    return union(near, *(asked.rect for asked in questions(screen, action, target, lines))).overlap(screen.rect)


def bound_hash(
    screen: Screen, action: Action, target: Target | None, banner: Rect | None, lines: Sequence[Line] = ()
) -> str:
    """Return the sha256 of what an action depends on: the pixels of its region and banner, the window, page and view.

    For a focused field of a program inside the question, other than the target, the value in the tree counts, not the
    pixels, where a caret blinks. Pages write their own tree, and their caret is not drawn.
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
    """Return target and points of an action with their surroundings; the whole screen for keys of unknown focus."""
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
    """Return a part of the screen as PNG, with a ring at each point of the action."""
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
