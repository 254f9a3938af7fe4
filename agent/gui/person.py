"""The person at the terminal: approves, chooses, and says what was done."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence

import typer

from agent.terminal import make_console, safe
from tools.gui.guard.approval import ApprovalRequest
from tools.gui.guard.identity import Patient
from tools.gui.types import Located, Screen, Target
from tools.gui.workflow.steps import Step


class TerminalPerson:
    """Asks at the terminal; names given beforehand approve the steps that are as the workflow has them.

    Args:
        approvers: who approves beforehand.
        quiet: ask nothing, as where the output is read by a program.
        patient: whom the work is for; named in clear to the person who approves, on a terminal only.
    """

    def __init__(self, approvers: Sequence[str], *, quiet: bool = False, patient: Patient | None = None) -> None:
        self._approvers, self._asks = list(approvers), sys.stdin.isatty() and not quiet
        self._patient = patient

    def approve(self, step: Step, request: ApprovalRequest, *, repaired: bool) -> Sequence[str]:
        """Names of those who approve."""
        if self._approvers and not repaired:
            return self._approvers
        if not self._asks:
            return ()
        console = make_console(stderr=True)
        label = request.target.label if request.target else ""
        # What stands there now comes first; the name of a step may be of another patient, on whom it was recorded.
        console.print(f"[bold]{safe(doing(step, label))}[/]: {safe(request.decision.reason)}", soft_wrap=True)
        console.print(f"  patient {safe(self._whom(request)) or 'unknown'}", soft_wrap=True)
        if repaired:
            console.print("  [yellow]Nobody approved this target before: it was found anew, or a model chose it.[/]")
        point = request.target.point if request.target else None
        at = f" at {point.x_px:.0f}, {point.y_px:.0f}" if point else ""
        # The pictures may name the patient: they are there while the question is, readable by their owner only.
        with _file(request.crop_png) as place, _file(request.banner_png) as banner:
            console.print(f"  where it lands{at}: {safe(place)}", soft_wrap=True)
            if banner:
                console.print(f"  whom the screen names: {safe(banner)}", soft_wrap=True)
            return _names(request.decision.approvers)

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
        console.print(safe(located.abstained), soft_wrap=True)
        for number, target in enumerate(located.targets, 1):
            told = f"  {number}  {target.label} at {target.point.x_px:.0f}, {target.point.y_px:.0f}"
            console.print(safe(told), soft_wrap=True)
        said = typer.prompt("  Which number, or empty to stop", default="", show_default=False).strip()
        return located.targets[int(said) - 1] if said.isdigit() and 0 < int(said) <= len(located.targets) else None

    def was_done(self, step: Step) -> bool | None:
        """Whether an action that a crash cut off was done."""
        if not self._asks:
            return None
        return _yes_or_no(f"A crash cut off {step.name!r}. Was it done?")

    def still_there(self, step: Step) -> bool | None:
        """Whether what a step did before a run broke off is still there, though unsaved."""
        if not self._asks:
            return None
        return _yes_or_no(f"{step.name!r} was done before the run broke off. Is what it did still on the screen?")


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


def _yes_or_no(question: str) -> bool | None:
    told = f"{question} (yes, no, or empty if you do not know)"
    said = typer.prompt(told, default="", show_default=False, err=True).strip().lower()
    return {"yes": True, "y": True, "no": False, "n": False}.get(said)


def _names(count: int) -> list[str]:
    """The names of so many people who approve; none if one refuses."""
    names: list[str] = []
    while len(names) < count:
        name = typer.prompt("  Approve with your name, or leave empty to refuse", default="", show_default=False)
        if not name.strip():
            return []
        names.append(name.strip())
    return names


def said(step: Step, label: str = "") -> str:
    """A step in words."""
    return f"{step.name}: {doing(step, label or step.find or (step.target.words if step.target else ''))}"


def doing(step: Step, label: str) -> str:
    """What a step does, and on what."""
    what = {"type": f"type {step.text!r} into", "press": f"press {step.keys}", "wait": f"wait for {step.text!r}"}
    if step.do in what:
        return f"{what[step.do]} {label}".strip()
    verb = step.do.replace("_", " ")
    return f"{verb} {label!r}" if label else verb
