"""Simulated user of the tool `ask_user`: maps a request to one of the listed options.

The paper has no such tool. The mapping of words and kinds of requests to options is ours.
"""

from __future__ import annotations

import re

from evals.suites.proactivebench.environments import Environment, State, valid_options
from evals.suites.proactivebench.matching import robust
from evals.suites.proactivebench.records import CIT, COCO, INC, MVPN, QD, ROD, VSOD, Action, OptionError, action_of
from tools.ask_user import Intervention, Kind

KINDS: dict[str, frozenset[Kind]] = {
    ROD: frozenset({"move_occluder", "other_view"}),
    VSOD: frozenset({"move_occluder", "other_view", "repeat"}),
    MVPN: frozenset({"other_view"}),
    INC: frozenset({"better_light", "clearer_image"}),
    QD: frozenset({"clearer_image"}),
    CIT: frozenset({"other_view", "repeat"}),
    COCO: frozenset({"other_view"}),
}
"""The kinds of requests that a person can fulfil in some way, whatever the words."""

WORDS = {
    Action.LEFT: r"left(wards?)?",
    Action.RIGHT: r"right(wards?)?",
    Action.REWIND: r"rewind|go back|earlier|before",
    Action.FORWARD: r"wait|forward|later|play on|go on",
    Action.ROTATE: r"rotate|turn|angle|orientation|view|side",
    Action.BRIGHTNESS: r"bright\w*|dark\w*|light\w*",
    Action.CONTRAST: r"contrast",
    Action.SATURATE: r"saturat\w*|colou?rs?",
    Action.BLUR: r"deblur\w*|blur\w*|sharp\w*",
    Action.NOISE: r"denois\w*|nois\w*|grain\w*",
    Action.JPEG_COMPRESSION: r"compress\w*|jpe?g",
    Action.PIXELATE: r"resolution|pixel\w*",
    Action.ARTIFACTS: r"artifacts?|artefacts?",
    Action.DETAILS: r"details?|draw\w*|sketch\w*|strokes?",
    Action.UP: r"up(wards?)?|higher|raise",
    Action.DOWN: r"down(wards?)?|lower",
    Action.ZOOM: r"farther|further|back|zoom(ing)? out|away",
}


def requested(request: Intervention, environment: Environment, state: State) -> str | None:
    """Return the option that a request means, or None if a person could not tell.

    It is the one that the request or its choices name in full; else the only one whose words it uses; else, if the kind
    of request fits the data set, the first that helps. On ImageNet-C a person cannot choose between repairs.
    """
    listed = valid_options(environment, state)
    for words in (request.request, *request.choices):
        letter = robust(words, listed)
        if letter != words and len(words.strip()) > 1:
            return listed[ord(letter) - ord("A")]
    acts = {option: action for option in listed if (action := _action(option, environment)) is not None}
    used = {
        action
        for action in environment.actions
        if re.search(rf"\b(?:{WORDS[action]})\b", request.request, re.IGNORECASE)
    }
    named = [option for option, action in acts.items() if action in used]
    if len(named) == 1:
        return named[0]
    if request.kind in KINDS[environment.dataset]:
        fit = named or [option for option in acts if environment.dataset == INC or option in environment.suggestions]
        if fit and (environment.dataset != INC or len(fit) == 1):
            return fit[0]
    return None


def _action(option: str, environment: Environment) -> Action | None:
    try:
        return action_of(option, environment.actions)
    except OptionError:
        return None
