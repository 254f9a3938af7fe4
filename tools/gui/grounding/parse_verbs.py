"""What an instruction tells to do: its verbs, what it is done for, and the order of its words.

Quoted labels are marked (`\ue000` number `\ue001`) when they come here.
"""

from __future__ import annotations

import re

from tools.gui.grounding import lexicon
from tools.gui.grounding.synonyms import GO_AHEAD
from tools.wordlists import load_words

_LISTS = load_words(__package__, "doing")

CANCEL = "cancel button in"
"""How something is told to be cancelled, in other words."""
_FLAGS = re.IGNORECASE
_NUMBER = re.compile(r"the\s+(?:number|amount|count)\s+of\s+(?=[^\ue000\d])", _FLAGS)
_ANY_FIELD = re.compile(r"(?:the\s+)?(?:text\s+|input\s+|entry\s+)?(?:field|box|textbox)", _FLAGS)
VALUED = re.compile(
    rf"(?:{lexicon.SETTING}|{lexicon.STEPPING}|adjust|edit|modify)\s+"
    r"(?:the\s+value\s+(?:of|for|in)\s+((?:(?!\sto\s).)+)|(?:the\s+)?((?:(?!\sto\s)[^,])+?)\s+value)$",
    _FLAGS,
)
"""What tells a field by the value in it: "change the fov value"."""
PLACING = "|".join(_LISTS["placing"])
"""What begins a place that is said before what is done there."""


def without_end(text: str) -> str:
    """Cut "to do something" from the end, whatever was named before; "next to" is no purpose."""
    return re.sub(
        r"(?<=\S)(?<!next)(?<!close)(?<!adjacent)\s+(?:to|para|pour|per)\s+(?!the\b)\w+\b.*$", "", text, flags=_FLAGS
    )


def turned(text: str) -> str:
    """Put "in the X section," from the beginning, and "in der Zeile von X" from the middle, to the end."""
    inner = re.match(
        r"(klicken? sie|klicke?|drücken? sie|drücke?|tippen? sie|tippe?)\s+"
        r"((?:in|im|neben|bei|unter|über|hinter)\s.+?)\s+auf\s+(?!de[rm]\b|einer\b|einem\b)(.+)$",
        text,
        _FLAGS,
    )
    if inner:
        return f"{inner[1]} auf {inner[3]} {inner[2]}"
    inner = re.match(
        r"((?:klicken|wählen|öffnen|drücken|markieren|aktivieren) sie)\s+((?:in|im|neben|bei|unter"
        r"|über)\s[^,]*?\ue001)\s+"
        r"((?:das|die|den|auf)\s.+)$",
        text,
        _FLAGS,
    )
    if inner:
        return f"{inner[1]} {inner[3]} {inner[2]}"
    match = re.match(rf"((?:{PLACING})\s.+?),\s*((?:{lexicon.VERBS})(?=\s).+)$", text, _FLAGS) or re.match(
        rf"((?:{PLACING})\s[^,]+?),\s*(.+)$", text, _FLAGS
    )
    return f"{match[2]} {match[1]}" if match else text


def verb_last(text: str) -> list[str]:
    """What shall be pressed where the verb comes last, as in German: "das Symbol anklicken"."""
    last = re.match(rf"(?:auf\s+|in\s+)?(.+?)\s+(?:{lexicon.LAST_VERBS})((?:,\s.*)?)$", text, _FLAGS)
    return [f"{last[1]}{last[2]}"] if last else []


def shutting(text: str) -> list[str]:
    """What to press where something shall be closed."""
    # By which of its buttons is said often, and that it is a cross.
    text = re.sub(
        r"\s+(?:with|by|using|via|through)\s+[^\ue000]*\b(?:cross|x|close)\b[^\ue000]*$", "", text, flags=_FLAGS
    )
    match = re.match(rf"({lexicon.SHUT}|cancel)\s+(?:(?:{lexicon.ARTICLES})\s+)*(.+)$", text, _FLAGS)
    kinds = "|".join(lexicon.KINDS[kind] for kind in ("dialog", "section", "tab"))
    if not match or not re.search(rf"\b(?:{kinds}|window|{lexicon.WIZARD})$", match[2], _FLAGS):
        return []
    return [f"{CANCEL if match[1].lower() == 'cancel' else 'close icon in'} {match[2]}"]


def confirming(text: str) -> list[str]:
    """What to press where something that was chosen or asked shall be confirmed: a button, however it is called."""
    match = re.match(rf"({lexicon.CONFIRMING})\s+(?!\ue000|(?:with|by|via|using|mit|über)\b)\S", text, _FLAGS)
    applied = match and match[1].lower().startswith("appl")
    return [*(["apply button"] if applied else []), f"{GO_AHEAD} button"] if match else []


def without_verb(text: str) -> tuple[str, str]:
    """The text without its verb, and the kind that the verb implies."""
    unfolded = re.match(
        rf"(?:{lexicon.UNFOLD})\s+(?:(?:{lexicon.ARTICLES})\s+)*(?:list|liste)\b(?:\s+auf\b)?\s*", text, _FLAGS
    )
    if unfolded:
        return f"dropdown {text[unfolded.end() :]}", ""
    typed = re.match(rf"(?:{lexicon.TYPING})\b\s*(.*?)\s+(?:{lexicon.INTO})\s+(.+)$", text, _FLAGS)
    if typed and (named := _NUMBER.match(typed[1])) and _ANY_FIELD.fullmatch(typed[2]):
        # "Enter the number of beds in the input field": nothing else tells which field it is.
        return typed[1][named.end() :], "field"
    if typed:
        return re.sub(r"\s+ein$", "", typed[2]), "field"
    if valued := VALUED.match(text):
        return valued[1] or valued[2], "field"
    rest = re.sub(rf"^(?:{lexicon.TYPING}|{lexicon.STEPPING})\b\s*", "", text, flags=_FLAGS)
    if rest != text:
        return rest, "field"
    rest = re.sub(rf"^(?:{lexicon.VERBS})(?=\s|\ue000|$)\s*", "", text, flags=_FLAGS)
    verb = text[: len(text) - len(rest)].lower()
    if re.match("(?:un)?(?:tick|check)|(?:dé)?cochez|spunta", verb):
        return re.sub(r"(?<!check )(?<!tick )\bbox\b", "checkbox", rest, count=1, flags=_FLAGS) or text, "checkbox"
    return rest or text, ""


def without_purpose(text: str) -> str:
    """Cut "to do something" from the end, where something was named before by a kind or in quotation marks."""
    kinds = "|".join(lexicon.KINDS.values())
    named = rf"^(.*(?:\ue001|\b(?:{kinds})))\s+(?:to|um|para|pour|per)\s+\w+.*$"
    match = re.match(named, text, _FLAGS)
    # "next to", "close to", "to the left of" are places, not purposes.
    if match and not re.search(
        r"\b(?:next|close|adjacent|belonging|near)$|\bto the (?:left|right)",
        match[1] + text[len(match[1]) :][:14],
        _FLAGS,
    ):
        return match[1]
    return text
