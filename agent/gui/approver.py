"""The person at the terminal: approves, chooses, and says what was done."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence

import typer

from agent.cli.console import make_console, safe
from tools.errors import ConfigError
from tools.gui.grounding.geometry import contains
from tools.gui.grounding.items import in_reading_order
from tools.gui.grounding.locate import items_of
from tools.gui.grounding.tree import tree_items
from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.identity import Patient
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.types import Located, Screen, Target
from tools.gui.workflow.yaml_format import Step
from tools.privacy.redact import Redactor

REFUSALS = frozenset(
    "no nope nah not dont never stop halt quit exit cancel abort refuse refused reject deny false none "
    "nein nicht nee halt stopp abbrechen abbruch ablehnen falsch "
    "non pas arrêter annuler refuser alto parar cancelar rechazar não annulla rifiuta".split()
)
"""Words that refuse, in six languages; never complete. Our choice."""
AGREEMENTS = frozenset("yes yep yeah ok okay sure ja jawohl oui sí si sim true approve approved".split())
"""Words that agree and name nobody."""
BESIDE_LETTERS = 100
"""Letters that are told of what stands beside a place; our choice."""


class TerminalPerson:
    """Asks at the terminal; names given beforehand approve the steps that are as the workflow has them.

    Args:
        approvers: who approves beforehand.
        quiet: ask nothing, as where the output is read by a program.
        patient: whom the work is for; named in clear to the person who approves, on a terminal only.
        stop: is set by whoever answers a question with Ctrl+C; questions then raise Stopped.

    Raises:
        ConfigError: if an approver's name is a word that refuses, or a letter.
    """

    def __init__(
        self,
        approvers: Sequence[str],
        *,
        quiet: bool = False,
        patient: Patient | None = None,
        stop: KillSwitch | None = None,
    ) -> None:
        for name in approvers:
            if refuses(name):
                raise ConfigError(f"--approve {name!r} names nobody.", expected="a name of at least two letters")
        self._approvers, self._asks = list(approvers), sys.stdin.isatty() and not quiet
        self._patient, self._stop = patient, stop or KillSwitch()
        self._redactor = Redactor(known=list(patient.fields.values()) if patient else ())

    @property
    def asks(self) -> bool:
        """Whether anybody is there to be asked."""
        return self._asks

    @property
    def approves(self) -> bool:
        """Whether anybody approved beforehand."""
        return bool(self._approvers)

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """Names of those who approve."""
        if self._approvers and not repaired:
            return self._approvers
        if not self._asks:
            return ()
        console = make_console(stderr=True)
        label = request.target.label if request.target else ""
        # What stands there now comes first; the name of a step may be of another patient, on whom it was recorded.
        what = self._shown(doing(step, label), step.text)
        console.print(f"[bold]{safe(what)}[/]: {safe(self._shown(request.decision.reason))}", soft_wrap=True)
        console.print(f"  patient {safe(self._whom(request)) or 'unknown'}", soft_wrap=True)
        if repaired:
            console.print("  [yellow]Nobody approved this target before: it is new, or a model chose it.[/]")
        point = request.target.point if request.target else None
        at = f" at {point.x_px:.0f}, {point.y_px:.0f}" if point else ""
        # The pictures may name the patient: they are there while the question is, readable by their owner only.
        with _answering(self._stop), _file(request.crop_png) as place, _file(request.banner_png) as banner:
            console.print(f"  where it lands{at}: {safe(place)}", soft_wrap=True)
            if banner:
                console.print(f"  whom the screen names: {safe(banner)}", soft_wrap=True)
            return _names(request.decision.approvers)

    def _shown(self, text: str, typed: str = "") -> str:
        """A text as it stands: on a terminal in clear, elsewhere without personal details and what is typed."""
        return text if sys.stderr.isatty() else self._redactor.knowing([typed]).label(text)

    def _whom(self, request: ApprovalRequest) -> str:
        """Whom the work is for: in clear on a terminal, masked where it may end in a file."""
        if self._patient is None or not sys.stderr.isatty():
            return request.patient
        told = ", ".join(f"{name} {value}" for name, value in self._patient.fields.items())
        return f"not checked ({told})" if request.patient.startswith("not checked") else told

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Which of several places is meant."""
        if not self._asks:
            return None
        console = make_console(stderr=True)
        console.print(safe(self._shown(located.abstained)), soft_wrap=True)
        for number, target in enumerate(located.targets, 1):
            at, row = f"at {target.point.x_px:.0f}, {target.point.y_px:.0f}", row_words(screen, target)
            label, told = self._shown(target.label), f", beside {self._shown(row)!r}" if row else ""
            console.print(safe(f"  {number}  {label} {at}{told}"), soft_wrap=True)
        with _answering(self._stop):
            said = _prompt("  Which number, or empty to stop")
        return located.targets[int(said) - 1] if said.isdigit() and 0 < int(said) <= len(located.targets) else None

    def was_done(self, step: Step) -> bool | None:
        """Whether an action at which a run broke off was done."""
        if not self._asks:
            return None
        with _answering(self._stop):
            return _yes_or_no(f"The run broke off at {self._shown(step.name)!r}. Was it done?")

    def still_there(self, step: Step) -> bool | None:
        """Whether what a step did before a run broke off is still there, though unsaved."""
        if not self._asks:
            return None
        name = self._shown(step.name)
        with _answering(self._stop):
            return _yes_or_no(f"{name!r} was done before the run broke off. Is what it did still on the screen?")


@contextlib.contextmanager
def _file(png: bytes) -> Iterator[str]:
    """The name of a file with a picture, which only its owner can read and which is removed; "" for no picture."""
    if not png:
        yield ""
        return
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(png)
        file.flush()
        yield file.name


@contextlib.contextmanager
def _answering(stop: KillSwitch) -> Iterator[None]:
    """While a question is open, Ctrl+C, Ctrl+D and signals that end the program stop the work. Raises Stopped."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    # Whoever reads an answer waits for nothing else: what only notes an interrupt would not be seen.
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        stop.set("the person who was asked")
        stop.check()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def row_words(screen: Screen, target: Target) -> str:
    """The words in the row of a place, or on its line where there are no rows; "" for none.

    Raises:
        ToolFailed: if words have to be read and RapidOCR is missing.
    """
    items, place = tree_items(screen.nodes) if screen.nodes else items_of(screen), target.rect
    rows = [item for item in items if item.role == "row" and contains(item.rect, place) and item.rect != place]
    row = min(rows, key=lambda item: item.rect.area, default=None)
    low, high = (row.rect.top, row.rect.bottom) if row else (place.top, place.bottom)
    words = [
        item.title
        for item in in_reading_order(items)
        if item.role in ("text", "heading", "link", "field", "dropdown")
        and low <= item.rect.center.y_px <= high
        and item.title != target.label
        and item.rect.height <= 1.5 * (high - low)  # several lines may be taken for one text
        and not place.holds(item.rect.center)
    ]
    told = ", ".join(dict.fromkeys(words)) or (row.title if row else "")
    return told if len(told) <= BESIDE_LETTERS else f"{told[:BESIDE_LETTERS]} …"


def refuses(answer: str) -> bool:
    """Whether an answer is a word that refuses, or too short for a name, which has at least two letters."""
    words = re.split(r"[\s,.;:!]+", answer.casefold().replace("'", "").replace("’", ""))
    return sum(mark.isalpha() for mark in answer) < 2 or not REFUSALS.isdisjoint(words)


def _prompt(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()


def _yes_or_no(question: str) -> bool | None:
    said = _prompt(f"{question} (yes, no, or empty if you do not know)").lower()
    return {"yes": True, "y": True, "no": False, "n": False}.get(said)


def _names(count: int) -> list[str]:
    """The names of so many people who approve; none if one refuses."""
    names: list[str] = []
    while len(names) < count:
        name = _prompt("  Approve with your name, or leave empty to refuse (as do 'no' and any single letter)")
        if refuses(name):
            make_console(stderr=True).print("  Refused.")
            return []
        if name.casefold().strip(".! ") in AGREEMENTS:
            make_console(stderr=True).print(f"  {safe(repr(name))} is no name: who approves is written down.")
            continue
        names.append(name)
    return names


def said(step: Step, label: str = "") -> str:
    """A step in words."""
    verb, said = step.do.replace("_", " "), step.find
    if not label and verb.endswith("click") and said.lower().startswith("click "):
        # What to find is said as an order, too.
        return f"{step.name}: {verb}{said[len('click') :]}"
    return f"{step.name}: {doing(step, label or step.find or (step.target.words if step.target else ''))}"


def doing(step: Step, label: str) -> str:
    """What a step does, and on what."""
    what = {"type": f"type {step.text!r} into", "press": f"press {step.keys}", "wait": f"wait for {step.text!r}"}
    if step.do in what:
        return f"{what[step.do]} {label}".strip()
    verb = step.do.replace("_", " ")
    return f"{verb} {label!r}" if label else verb
