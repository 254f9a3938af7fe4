"""Human approval at the terminal: approve steps, choose between targets, and say what was done."""

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
"""Words that refuse, in six languages; necessarily incomplete."""
AGREEMENTS = frozenset("yes yep yeah ok okay sure ja jawohl oui sí si sim true approve approved".split())
"""Words that agree but are not a name."""
MAX_ROW_CHARS = 100
"""Maximum length of the text shown for the row of a target."""


class TerminalPerson:
    """Asks at the terminal; approvers named in advance approve the steps that are unchanged from the workflow.

    Args:
        approvers: names of people who approved in advance.
        quiet: never ask, as when a program reads the output.
        patient: the patient; shown unmasked to the approver, on a terminal only.
        stop: set when a question is answered with Ctrl+C; questions then raise Stopped.

    Raises:
        ConfigError: if an approver's name is a word that refuses, or a single letter.
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
                raise ConfigError(f"invalid --approve {name!r}.", expected="a name of at least two letters")
        self._approvers, self._asks = list(approvers), sys.stdin.isatty() and not quiet
        self._patient, self._stop = patient, stop or KillSwitch()
        self._redactor = Redactor(known=list(patient.fields.values()) if patient else ())

    @property
    def asks(self) -> bool:
        """Whether a person can be asked."""
        return self._asks

    @property
    def approves(self) -> bool:
        """Whether anybody approved in advance."""
        return bool(self._approvers)

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """Return the names of the approvers; empty if refused."""
        if self._approvers and not repaired:
            return self._approvers
        if not self._asks:
            return ()
        console = make_console(stderr=True)
        label = request.target.label if request.target else ""
        # Show the current label first: the step's name may mention the patient on whom it was recorded.
        what = self._shown(describe_action(step, label), step.text)
        console.print(f"[bold]{safe(what)}[/]: {safe(self._shown(request.decision.reason))}", soft_wrap=True)
        console.print(f"  patient {safe(self._whom(request)) or 'unknown'}", soft_wrap=True)
        if repaired:
            console.print("  [yellow]This target was not approved before: it is new, or a model chose it.[/]")
        point = request.target.point if request.target else None
        at = f" at {point.x_px:.0f}, {point.y_px:.0f}" if point else ""
        # The pictures may name the patient: they exist only during the question, readable by their owner only.
        with (
            _answering(self._stop),
            _temporary_file(request.crop_png) as place,
            _temporary_file(request.banner_png) as banner,
        ):
            console.print(f"  where it lands{at}: {safe(place)}", soft_wrap=True)
            if banner:
                console.print(f"  patient on the screen: {safe(banner)}", soft_wrap=True)
            return _ask_names(request.decision.approvers)

    def _shown(self, text: str, typed: str = "") -> str:
        """Return a text unchanged on a terminal, else without personal details and typed text."""
        return text if sys.stderr.isatty() else self._redactor.knowing([typed]).label(text)

    def _whom(self, request: ApprovalRequest) -> str:
        """Return the patient: unmasked on a terminal, masked where the output may be stored."""
        if self._patient is None or not sys.stderr.isatty():
            return request.patient
        patient = ", ".join(f"{name} {value}" for name, value in self._patient.fields.items())
        return f"not checked ({patient})" if request.patient.startswith("not checked") else patient

    def choose(self, step: Step, screen: Screen, located: Located) -> Target | None:
        """Ask which of several targets is meant; return None if nobody says."""
        if not self._asks:
            return None
        console = make_console(stderr=True)
        console.print(safe(self._shown(located.abstained)), soft_wrap=True)
        for number, target in enumerate(located.targets, 1):
            at, row = f"at {target.point.x_px:.0f}, {target.point.y_px:.0f}", row_text(screen, target)
            label, beside = self._shown(target.label), f", beside {self._shown(row)!r}" if row else ""
            console.print(safe(f"  {number}  {label} {at}{beside}"), soft_wrap=True)
        with _answering(self._stop):
            answer = _prompt("  Which number, or empty to stop")
        return (
            located.targets[int(answer) - 1] if answer.isdigit() and 0 < int(answer) <= len(located.targets) else None
        )

    def was_done(self, step: Step) -> bool | None:
        """Ask whether the action at which a run was interrupted was done."""
        if not self._asks:
            return None
        with _answering(self._stop):
            return _yes_or_no(f"The run was interrupted at {self._shown(step.name)!r}. Was it done?")

    def still_there(self, step: Step) -> bool | None:
        """Ask whether the unsaved result of a step before the interruption is still there."""
        if not self._asks:
            return None
        name = self._shown(step.name)
        with _answering(self._stop):
            return _yes_or_no(f"{name!r} was done before the run was interrupted. Is its result still on the screen?")


@contextlib.contextmanager
def _temporary_file(png: bytes) -> Iterator[str]:
    """Write a picture to a temporary file readable by its owner only, and yield its name; "" for no picture."""
    if not png:
        yield ""
        return
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        file.write(png)
        file.flush()
        yield file.name


@contextlib.contextmanager
def _answering(stop: KillSwitch) -> Iterator[None]:
    """While a question is open, let Ctrl+C, Ctrl+D and termination signals stop the work. Raises Stopped."""

    def end(number: int, frame: object) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    # Reading an answer blocks, so a handler that only sets a flag would have no effect: raise instead.
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    except (KeyboardInterrupt, typer.Abort):
        stop.set("the person who was asked")
        stop.check()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def row_text(screen: Screen, target: Target) -> str:
    """Return the text in the row of a target, or on its line if there are no rows; "" for none.

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
        and item.rect.height <= 1.5 * (high - low)  # skip several lines detected as one text
        and not place.holds(item.rect.center)
    ]
    text = ", ".join(dict.fromkeys(words)) or (row.title if row else "")
    return text if len(text) <= MAX_ROW_CHARS else f"{text[:MAX_ROW_CHARS]} …"


def refuses(answer: str) -> bool:
    """Return whether an answer contains a word that refuses, or has fewer than two letters."""
    words = re.split(r"[\s,.;:!]+", answer.casefold().replace("'", "").replace("’", ""))
    return sum(mark.isalpha() for mark in answer) < 2 or not REFUSALS.isdisjoint(words)


def _prompt(question: str) -> str:
    return str(typer.prompt(question, default="", show_default=False, err=True)).strip()


def _yes_or_no(question: str) -> bool | None:
    answer = _prompt(f"{question} (yes, no, or empty if you do not know)").lower()
    return {"yes": True, "y": True, "no": False, "n": False}.get(answer)


def _ask_names(count: int) -> list[str]:
    """Ask for the names of `count` approvers; return none if one refuses."""
    names: list[str] = []
    while len(names) < count:
        name = _prompt("  Type your name to approve, or leave empty to refuse ('no' or a single letter also refuses)")
        if refuses(name):
            make_console(stderr=True).print("  Refused.")
            return []
        if name.casefold().strip(".! ") in AGREEMENTS:
            make_console(stderr=True).print(f"  {safe(repr(name))} is not a name: the approver's name is recorded.")
            continue
        names.append(name)
    return names


def describe_step(step: Step, label: str = "") -> str:
    """Describe a step."""
    verb, find = step.do.replace("_", " "), step.find
    if not label and verb.endswith("click") and find.lower().startswith("click "):
        # `find` is an instruction too: avoid "click click".
        return f"{step.name}: {verb}{find[len('click') :]}"
    return f"{step.name}: {describe_action(step, label or step.find or (step.target.words if step.target else ''))}"


def describe_action(step: Step, label: str) -> str:
    """Describe the action of a step and its target."""
    what = {"type": f"type {step.text!r} into", "press": f"press {step.keys}", "wait": f"wait for {step.text!r}"}
    if step.do in what:
        return f"{what[step.do]} {label}".strip()
    verb = step.do.replace("_", " ")
    return f"{verb} {label!r}" if label else verb
