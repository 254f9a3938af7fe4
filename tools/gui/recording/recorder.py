"""Recorder of workflows from watching a person: clicks and keys become steps, typed text becomes parameters.

Typed text is never recorded, be it a password or a name. The choice among several rows is a value of the run, and also
becomes a parameter; so does a label with personal details. Detectors miss some: read the file before sharing it.
Targets are found again by `tools.gui.recording.anchor`.
"""

from __future__ import annotations

import fnmatch
import glob
import math
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tools.errors import ConfigError, MediaError, Stopped
from tools.gui.guard.effect_words import VERBS, find_verbs
from tools.gui.guard.kill_switch import HOTKEY, KillSwitch
from tools.gui.guard.policy import Address, Policy
from tools.gui.keys import unknown_key
from tools.gui.recording.anchor import NOUNS, Anchor, anchor_at
from tools.gui.recording.events import Closed, Event, Watcher
from tools.gui.types import Actuator, Point, Screen
from tools.gui.workflow.placeholders import Veil, details_of
from tools.gui.workflow.recorded_target import hidden_target
from tools.gui.workflow.yaml_format import Do, Step, Workflow
from tools.privacy.redact import Redactor

NAMED_BY_DATA = ("link", "row")
"""Kinds of controls whose labels are often a patient's data."""
NAME_WORDS = 6
"""Maximum words of a label in the name of a step."""
RECENT_SCREENS = 6
"""Number of recent screenshots kept, to find the one before an event."""
_EDITING = frozenset(
    "backspace delete insert home end left right up down ctrl+a ctrl+v ctrl+x ctrl+z shift+insert".split()
)
"""Keys that are part of typing into a field."""
_SPACES = frozenset({"space", "shift+space"})
_ASTRAY = _SPACES | {"backspace", "delete"}
"""Keys that are part of typing without a known field."""
_PRESSED = frozenset({"button", "link", "menu", "menuitem", "tab", "checkbox", "radio", "switch"})
"""Kinds of controls that are never typed into, if a tree shows the kind."""


@dataclass(frozen=True)
class Did:
    """An event, with the screen before it."""

    event: Event
    screen: Screen
    point: Point | None
    unseen: bool = False
    """Whether the screen may have changed since it was captured: another event came in between."""


@dataclass
class Watched:
    """The result of watching a person.

    Attributes:
        done: events, in order.
        seen: titles and addresses of the front windows, in order.
        broke_off: why watching ended, if no person ended it; "" otherwise.
    """

    done: list[Did] = field(default_factory=list)
    seen: dict[tuple[str, str], None] = field(default_factory=dict)
    broke_off: str = ""


@dataclass(frozen=True)
class Recording:
    """A workflow, and what a person should check before using it."""

    workflow: Workflow
    doubts: tuple[str, ...]


def watch(
    actuator: Actuator,
    watcher: Watcher,
    stop: KillSwitch,
    *,
    seconds: float = math.inf,
    windows: str = "*",
    on_event: Callable[[Did], None] = lambda did: None,
) -> Watched:
    """Watch a person until the kill switch is set, the window closes, or the time is over.

    Args:
        actuator: takes screenshots; performs no action.
        watcher: reports the person's actions.
        stop: ends the recording.
        seconds: maximum duration.
        windows: titles of the windows to record, where `*` matches anything.
        on_event: called with each event.
    """
    watched, looks = Watched(), deque[tuple[float, Screen]](maxlen=RECENT_SCREENS)
    ends, last = time.monotonic() + seconds, -math.inf

    def take() -> bool:
        """Record the events since the last call; return whether to continue. Raises MediaError."""
        nonlocal last
        for event in watcher.events() if looks else ():
            before = [look for look in looks if look[0] <= event.at_s]
            seen_at, seen = before[-1] if before else looks[0]
            if event.keys == HOTKEY:
                return False
            if not fnmatch.fnmatchcase(seen.window, windows):
                continue
            watched.seen[(seen.window, seen.url)] = None
            point = None if math.isnan(event.x) else watcher.point(event, seen)
            did = Did(event, seen, point, unseen=seen_at < last and event.count == 1)
            watched.done.append(did)
            on_event(did)
            if event.kind in ("click", "key", "choice", "drag"):
                last = event.at_s
        return True

    try:
        while time.monotonic() < ends:
            stop.check()
            screen = actuator.screen()
            looks.append((time.monotonic(), screen))
            if not take():
                break
    except KeyboardInterrupt:
        pass  # A person ended it; what was captured until then counts.
    except (Stopped, MediaError) as error:
        watched.broke_off = "" if isinstance(error, Stopped | Closed) else str(error)
        try:
            # Events since the last poll count, too. `Closed` is raised once they are reported.
            _ = take() and take()
        except Closed:
            watched.broke_off = ""
        except MediaError as more:
            watched.broke_off = watched.broke_off or str(more)
    return watched


def as_recording(watched: Watched, name: str, *, start: str = "", policy: Policy | None = None) -> Recording:
    """Convert recorded events to a workflow.

    Args:
        watched: the events.
        name: name of the workflow.
        start: the page to open first, "" for none.
        policy: policy of the workflow; None allows the windows and addresses that were in front, and requires approval
            of every verb in a clicked label. It does not check the patient then, which `doubts` report.

    Raises:
        ConfigError: if there is nothing to replay.
        ToolFailed: if OCR is needed and RapidOCR is missing.
    """
    maker = _Maker()
    for did in watched.done:
        maker.take(did)
    if not maker.steps:
        before = f" before watching failed: {watched.broke_off}" if watched.broke_off else "."
        raise ConfigError(
            f"cannot make a workflow: nothing to replay{before}", remedy="Click or type in the window while recording."
        )
    doubts = list(maker.doubts)
    if watched.broke_off:
        doubts.append(f"step {len(maker.steps)}: watching failed after it: {watched.broke_off}")
    if policy is None:
        policy = _policy(name, watched, [anchor.label for anchor in maker.anchors if anchor])
        if policy.windows:
            allowed = ", ".join(repr(window) for window in policy.windows)
            doubts.append(f"the policy allows windows of the titles {allowed}: remove what names a patient")
        doubts.append("the patient is not checked: set a banner and 'identity: required' in the policy if there is one")
    steps, hidden = _hidden(maker.steps, maker.anchors)
    parameters = {**maker.parameters, **hidden}
    for number, anchor in enumerate(maker.anchors, 1):
        if anchor and anchor.role in NAMED_BY_DATA and _quotes(steps[number - 1], anchor.label):
            quoted = (
                f"the label {anchor.label!r} of a {NOUNS.get(anchor.role, anchor.role)} is recorded in step {number}"
            )
            doubts.append(f"{quoted}: replace it by a parameter if it names a patient")
    flow = Workflow(
        name=name,
        description="Recorded by watching a person.",
        parameters=parameters,
        start=start,
        policy=policy,
        steps=tuple(steps),
    )
    return Recording(flow, tuple(doubts))


@dataclass
class _Maker:
    """Builds the steps of a workflow."""

    steps: list[Step] = field(default_factory=list)
    anchors: list[Anchor | None] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    typing: bool = False
    stray: bool = False
    """Whether the current typing goes to an unknown field."""

    def take(self, did: Did) -> None:
        """Process an event."""
        event = did.event
        if did.unseen and event.kind in ("click", "scroll"):
            self._doubt("no screenshot between it and the step before: go slower there")
        if event.kind == "click" and did.point:
            self._click(did, did.point)
        elif event.kind == "text":
            self._text(did)
        elif event.kind == "stray":
            self._stray()
        elif event.kind == "key":
            self._key(event.keys)
        elif event.kind == "scroll" and did.point:
            self._scroll(did, did.point)
        elif event.kind == "choice":
            self._doubt("choosing an option of a list is not recorded: add it by hand", new=False)
        elif event.kind == "drag":
            self._doubt("dragging is not recorded: do it by hand", new=False)
        elif event.kind == "frame":
            self.typing = self.stray = False
            doubt = "work in a frame of another origin is not recorded: do it by hand"
            if not self.doubts or not self.doubts[-1].endswith(doubt):
                self._doubt(doubt, new=False)

    def _click(self, did: Did, point: Point) -> None:
        self.typing = self.stray = False
        button, last = did.event.button, self.steps[-1] if self.steps else None
        if did.event.count >= 2 and button == "left" and last and last.do in ("click", "double_click"):
            self.steps[-1] = last.model_copy(update={"do": "double_click"})
            return
        if button == "middle":
            self._doubt("a click of the middle button is not recorded", new=False)
            return
        if last and last.do == "press" and last.keys == "tab":
            # It only led to the target of the current click.
            self.steps.pop()
            self.anchors.pop()
        self._add(anchor_at(did.screen, point), "right_click" if button == "right" else "click")

    def _text(self, did: Did) -> None:
        """Record typing into the clicked field, or into the focused one."""
        if self.typing:
            return
        last = self.anchors[-1] if self.anchors else None
        clicked = self.steps and self.steps[-1].do == "click"
        if clicked and last is not None and _is_into(last, did):
            self.steps.pop()
            self.anchors.pop()
            anchor = last
        else:
            point = did.point or _focused(did.screen)
            if point is None:
                self._stray()
                return
            if self.steps and self.steps[-1].do == "press" and self.steps[-1].keys == "tab":
                self.steps.pop()
                self.anchors.pop()
            anchor = anchor_at(did.screen, point)
        self.typing, self.stray = True, False
        name = self._parameter(anchor.label)
        self._add(anchor, "type", text=f"${{{name}}}")

    def _stray(self) -> None:
        """Report typing into an unknown field once; its spaces are not steps."""
        self.typing = False
        if self.stray:
            return
        self.stray = True
        while self.steps and self.steps[-1].do == "press" and self.steps[-1].keys in _SPACES:
            self.steps.pop()
            self.anchors.pop()
        self._doubt("text was typed into an unknown field: click into a field before typing", new=False)

    def _key(self, keys: str) -> None:
        if (self.typing and keys in _EDITING) or (self.stray and keys in _ASTRAY):
            return
        self.typing = self.stray = False
        if unknown_key(keys):
            self._doubt(f"pressing {keys} is not recorded: do it by hand", new=False)
            return
        self.steps.append(Step(name=f"press {keys}", do="press", keys=keys))
        self.anchors.append(None)

    def _scroll(self, did: Did, point: Point) -> None:
        last, notches = self.steps[-1] if self.steps else None, did.event.notches
        if last and last.do == "scroll" and last.notches * notches > 0 and abs(last.notches + notches) <= 100:
            self.steps[-1] = last.model_copy(update={"notches": last.notches + notches})
            return
        self._add(anchor_at(did.screen, point), "scroll", notches=max(-100, min(100, notches)))

    def _add(self, anchor: Anchor, do: Do, **more: object) -> None:
        label = anchor.label or "an icon"
        given = {
            "name": f"{do.replace('_', ' ')} {label}"[:200],
            "do": do,
            "find": anchor.find,
            "target": anchor.target,
        }
        self.steps.append(Step.model_validate({**given, **more}))
        self.anchors.append(anchor)
        if anchor.doubt:
            self._doubt(anchor.doubt, new=False)

    def _parameter(self, label: str) -> str:
        plain = re.sub(r"\W+", "_", label.casefold()).strip("_")[:40]
        stem = plain if plain and not plain[0].isdigit() and not Redactor().find(label) else "text"
        number = 1
        while (name := stem if number == 1 else f"{stem}_{number}") in self.parameters:
            number += 1
        self.parameters[name] = f"text typed in step {len(self.steps) + 1}"
        return name

    def _doubt(self, doubt: str, *, new: bool = True) -> None:
        number = len(self.steps) + new
        self.doubts.append(f"step {max(number, 1)}: {doubt}")


def _is_into(clicked: Anchor, did: Did) -> bool:
    """Return whether typing went into the control clicked before; if unknown, unless that is a button or the like."""
    if did.point is not None:
        return clicked.rect.holds(did.point)
    return not (did.screen.nodes and clicked.role in _PRESSED)


def _focused(screen: Screen) -> Point | None:
    fields = [node for node in screen.nodes or () if "focused" in node.states and node.role in ("textbox", "searchbox")]
    return min(fields, key=lambda node: node.rect.area).rect.center if fields else None


def _title(window: str) -> str:
    """Return a pattern for a program's window, without the document that its title names before the program."""
    *document, program = re.split(r"( [-–—|] )", window)
    return f"*{document[-1]}{glob.escape(program)}" if document and program.strip() else glob.escape(window)


def _policy(name: str, watched: Watched, labels: list[str]) -> Policy:
    """Allow what was in front, and require approval of the clicked verbs."""
    verbs = {verb: "approve" for label in labels for verb in find_verbs(label, VERBS)}
    urls: dict[tuple[str, str], Address] = {}
    windows: dict[str, None] = {}
    for window, url in watched.seen:
        parts = urlsplit(url)
        if url and parts.hostname:
            given = {"host": parts.hostname, "schemes": (parts.scheme,), "port": parts.port}
            urls[(parts.scheme, parts.netloc)] = Address.model_validate(given)
        elif window:
            windows[_title(window)] = None
    if not urls and not windows:
        raise ConfigError(
            "cannot derive a policy: no window has a title, and no page an address.",
            remedy="Name a policy in YAML with --policy.",
        )
    return Policy.model_validate(
        {"name": name, "urls": tuple(urls.values()), "windows": tuple(windows), "identity": "none", "verbs": verbs}
    )


def _quotes(step: Step, label: str) -> bool:
    return label in step.name or label in step.find or (step.target is not None and label in step.target.words)


def _called(step: Step, anchor: Anchor | None, veil: Veil, redactor: Redactor) -> str:
    """Return the name of a step: the action, and the first words of the label, without personal details."""
    if anchor is None:
        return step.name
    label = redactor.label(veil.hide(anchor.label or "an icon"))
    words = label.split()
    short = " ".join(words[:NAME_WORDS]) + (" …" if len(words) > NAME_WORDS else "")
    return f"{step.do.replace('_', ' ')} {short}"[:200]


def _has_details(label: str, redactor: Redactor) -> bool:
    """Return whether a label contains personal details, or has the form of some."""
    return bool(details_of(label, redactor)) or redactor.label(label) != label


def _hidden(steps: list[Step], anchors: list[Anchor | None]) -> tuple[list[Step], dict[str, str]]:
    """Replace rows and personal details of steps by parameter names, and return what these mean."""
    redactor, values, meanings = Redactor(), dict[str, str](), dict[str, str]()
    for known in filter(None, anchors):
        for label, stem, what in (
            (known.near, "row", "the text beside it"),
            (known.label, "label", "a label that held personal details"),
        ):
            if label and label not in values.values() and (stem == "row" or _has_details(label, redactor)):
                name = f"{stem}_{sum(name.startswith(stem) for name in values) + 1}"
                values[name], meanings[name] = label, what
    veil, hidden = Veil(values), []
    for step, anchor in zip(steps, anchors, strict=True):
        update: dict[str, object] = {"name": _called(step, anchor, veil, redactor), "find": veil.hide(step.find)}
        if step.target:
            update["target"] = hidden_target(step.target, veil.hide)
        hidden.append(step.model_copy(update=update))
    return hidden, meanings
