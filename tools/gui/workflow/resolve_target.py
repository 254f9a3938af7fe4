"""Resolution of a step's target: as recorded, then by its instruction, then by a model."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from tools.errors import ToolRetry
from tools.gui.actuators.screen_text import LEAST, lines_in, shows
from tools.gui.grounding import ask_model, locate
from tools.gui.grounding.label_match import likeness, normal
from tools.gui.grounding.parse import QUOTES, read_instruction
from tools.gui.guard.effect_words import find_verbs
from tools.gui.types import Located, Rect, Screen, Target
from tools.gui.workflow.recorded_target import find_recorded
from tools.gui.workflow.run_context import Run
from tools.gui.workflow.yaml_format import AIMED, Step

POLL_S = 0.3
"""Polling interval for a target that is not there yet, in seconds."""
LINE_HEIGHTS = 2.5
"""An item taller than this many heights of the target spans more than its line."""
LONG = 6
"""Word count that no button has."""
RECORDED_S = 3.0
"""Time to wait for a recorded target before its instruction is used, in seconds."""


def aim(run: Run, step: Step) -> tuple[Screen, Target | None, str, str]:
    """Return the screen, the target on it, how it was found, and what is wrong ("" if nothing is).

    Raises:
        MediaError: if the screen cannot be captured.
        ToolFailed: if it cannot be read.
        ToolRetry: if the step's instruction names no target.
        Stopped: if the kill switch is set.
    """
    target: Target | None = None
    if step.do in AIMED:
        screen, located, how = _find(run, step)
        if not located.targets and run.ask is not None:
            screen, located = _ask_model(run, step, located)
            how = "mended"
        target = located.targets[0] if located.targets else None
        if len(located.targets) > 1 and located.abstained:
            target = run.person.choose(step, screen, located)
            how = how if how in ("mended", "repaired") else "person"
        if target is None:
            return screen, None, how, located.abstained or "it is not on the screen"
    else:
        screen, how = run.actuator.screen(), ""
    return screen, target, how, missing(step, screen)


def missing(step: Step, screen: Screen) -> str:
    """Describe what a screen lacks of what a step requires; "" if nothing. Raises ToolFailed."""
    lacks = next((words for words in step.requires if not shows(screen, words)), "")
    return f"the screen does not show {lacks!r}, which this step requires" if lacks else ""


def beside(seen: Screen, target: Target) -> Callable[[Screen], str]:
    """Return a check whether the line of a target is unchanged, such as the name in its row.

    The buttons of all rows look alike, and a row inserted above moves another row's button to the same place.
    """

    def look(screen: Screen) -> str:
        if screen.sha256 == seen.sha256 or _line(screen, target.rect) == _line(seen, target.rect):
            return ""
        return "the line of the target changed"

    return look


def _line(screen: Screen, rect: Rect) -> list[str]:
    """Return the names on the line of a rectangle, from left to right. Raises ToolFailed if OCR is needed and fails."""
    if screen.nodes is None:
        line = Rect(left=0, top=rect.top, right=screen.rect.right, bottom=rect.bottom)
        return [normal(found.text) for found in lines_in(screen, line)]
    on_line = [
        node
        for node in screen.nodes
        if node.name
        and node.role != "document"
        and node.rect.height <= LINE_HEIGHTS * rect.height
        and rect.top <= node.rect.center.y_px <= rect.bottom
    ]
    return [normal(node.name) for node in sorted(on_line, key=lambda node: node.rect.left)]


def tells_more(find: str) -> bool:
    """Return whether an instruction distinguishes its target by more than a label, which a recorded target does not
    store: the row, or the position among others."""
    if not find:
        return False
    try:
        return any(way.anchor or way.ordinal for way in read_instruction(find))
    except ToolRetry:
        return False


def is_as_written(step: Step, target: Target) -> bool:
    """Return whether a target found by an instruction with quoted labels has one of these labels, or its words.

    Rows and similar items have more words than their name; fields read by OCR may be named by their content.
    """
    quoted = ["".join(found) for found in re.findall(QUOTES, step.find)]
    label = normal(re.sub(r"^\W+|\W+$", "", target.label))
    words = re.search(rf"(?<!\w){re.escape(label)}(?!\w)", normal(step.find)) if label else None
    named = bool(words) or any(likeness(one, label) >= LEAST for one in quoted)
    in_full = len(label.split()) >= LONG and any(normal(one) in label for one in quoted)
    return named or in_full or not quoted or step.do == "type"


def _find(run: Run, step: Step) -> tuple[Screen, Located, str]:
    """Wait for a step's target: as recorded, then by its instruction."""
    begun, ties = time.monotonic(), 0
    located, how = Located(), ""
    recorded = None if tells_more(step.find) else step.target
    while True:
        run.guard.stop.check()
        screen, passed = run.actuator.screen(), time.monotonic() - begun
        if recorded is not None:
            located, how = find_recorded(recorded, screen), "recorded"
            if located.targets and len(find_recorded(recorded, screen, by_place=False).targets) > 1:
                # Found by position alone; it may be another row now.
                how = "place"
        late = passed > min(RECORDED_S, step.timeout_s)
        if step.find and (recorded is None or how == "place" or (late and not located.targets)):
            how = "repaired" if recorded is not None and not located.targets else "instruction"
            located = locate(step.find, screen)
        if located.targets and not located.abstained:
            return screen, located, how
        ties += bool(located.targets)
        if passed > step.timeout_s or (located.targets and ties > 1):
            return screen, located, how
        run.guard.stop.pause(POLL_S)


def _ask_model(run: Run, step: Step, lost: Located) -> tuple[Screen, Located]:
    """Ask a model to point at a replacement of the lost target; it may name no further effect.

    If others have the same label, a person has to choose: the model knows no more than the step's words.
    """
    assert run.ask is not None
    screen = run.actuator.screen()
    located = ask_model(_meant(step), screen, lost, run.ask)
    if not located.targets:
        return screen, Located(abstained=f"{lost.abstained} {located.asked}")
    located = _allowed(run, step, located)
    chosen = located.targets[0] if located.targets else None
    if chosen and len(located.targets) > 1:
        ambiguous = f"{len(located.targets)} places are called {chosen.label!r}; a model chose the first of these."
        located = located.model_copy(update={"abstained": f"{ambiguous} Say which is meant."})
    return screen, located


def _allowed(run: Run, step: Step, located: Located) -> Located:
    """Return a model's choice, unless it names a verb that the step does not."""
    known = run.guard.policy.all_words
    meant = " ".join((step.name, step.find, step.target.words if step.target else ""))
    label = located.targets[0].label if located.targets else ""
    if new := [verb for verb in find_verbs(label, known) if verb not in find_verbs(meant, known)]:
        refusal = f"a model chose {label!r} in its place, which names the verb {new[0]!r}; the step does not."
        return Located(abstained=refusal, asked=located.asked)
    return located


def _meant(step: Step) -> str:
    """Describe what a step looks for."""
    where = step.find or (step.target.words if step.target else "") or "an icon, which looks different now"
    before = f', called "{step.target.words}" before' if step.target and step.target.words and step.find else ""
    return f'{step.do.replace("_", " ")}, for the step "{step.name}": {where}{before}'
