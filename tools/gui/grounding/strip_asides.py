"""What is said by the way in an instruction, and is taken off before it is read: openers, contrasts, descriptions.

The patterns are our choice. Quoted labels are marked (`\ue000` number `\ue001`) when they come here.
"""

from __future__ import annotations

import re

from tools.gui.grounding import lexicon
from tools.wordlists import load_words

_LISTS = load_words(__package__, "asides")

_FLAGS = re.IGNORECASE
_ORDINALS = "|".join(sorted(map(re.escape, lexicon.ORDINALS), key=len, reverse=True))
_KINDS = "|".join(lexicon.KINDS.values())
_MARK = "\ue000\\d+\ue001"
_OPENERS = re.compile(
    r"^(?:(?:and|so|also|now also|and now|and then|then also|und|und dann|on second thought(?=,)|jetzt|nun|zum schluss"
    r"|als nächstes|anschließend|zuerst|dann)\b,?\s+)+",
    _FLAGS,
)
_IDLE = re.compile(
    r",?\s+(?:to the (?:front|foreground|fore)|in den vordergrund)$"
    r"|\s+(?:from|in|of)\s+the\s+open(?:ed)?\s+(?:list|menu|drop-?down)(?:\s+(?:list|menu))?$"
    r"|(?<!-)\b(?:right )?(?:down|up|over)\s+(?=(?:at|in|on|there|here)\b)",
    _FLAGS,
)
GOAL = re.compile(
    rf"^(?:(?i:(?:in order )?to)\s(?![^,]*(?:\d|\s[A-ZÄÖÜ]|\ue000))[^,]+"
    rf"|(?i:um)\s(?![^,]*\ue000)[^,]+?\szu\s\w+|(?i:um)\s[^,]+?\w+zu\w+en),\s*"
    rf"(?=(?i:{lexicon.VERBS})\b)|^(?i:wenn) (?:alles|das) [^,]+,\s*(?=(?i:{lexicon.VERBS})\b)",
)
"""What something is done for, before it is told; what has a name may tell which one is meant."""
_AS = re.compile(
    rf"^((?:{lexicon.VERBS})\s+[^,\ue000\d]+?)\s+(?:as|als)\s+(?=(?:the|your|its|das|den|die|der)\s+[^,\d\ue000]+$)",
    _FLAGS,
)
"""What something is chosen for."""
COMPARED = re.compile(r"\bsame\b|\bas \w+ as\b|\w{2,}er als\b", _FLAGS)
"""Where "as" compares."""
_ASKED = re.compile(r"^(?:when|once) (?:you are |you're )?(?:asked|prompted)\b[^,]*,\s*(?=\S)", _FLAGS)
"""What a program asks, before what shall be answered."""
_CONTRAST = re.compile(
    r",?\s*(?<!\w)\(?(?:and )?(?:not|rather than|instead of|nicht)\s+(?:the|in|on|to|under|der|die|das|den|dem"
    r"|im)\b[^,;()]*\)?",
    _FLAGS,
)
"""What is not meant: "not the list at the top"."""
_BESIDE = re.compile(r"\s+\((?![^()]*(?:\d|\b[A-ZÄÖÜ]|\ue000))[^()]*\)(?=\s|,|$)")
"""What stands in brackets, unless it may name something."""
_DESCRIBED = re.compile(
    rf"({_MARK}[^,]*),\s*(?:the\s+)?(?:{_ORDINALS})\s+(?:[\w-]+\s+)?(?:{_KINDS}|one)\W*$",
    _FLAGS,
)
"""Which one a label in quotation marks is, said once more."""
_NAMED = re.compile(rf"^(.*\S)\s*[,:]\s*(?:namely\s+)?({_MARK})$")
"""A label in quotation marks at the end that says what was described before."""
_BY_LABEL = re.compile(
    rf"^.*{_MARK}.*\s(?:with|using|via|through|mit|by (?:clicking|pressing|choosing|selecting|using)(?: on)?)\s+"
    rf"((?:[\w-]+\s+){{0,4}}?{_MARK}(?:\s+(?:{_KINDS}))?)$",
    _FLAGS,
)
"""What is pressed, after what is answered by it, where both are labels."""
_IN_FRONT = re.compile(
    r"\b((?:check|tick)?[ -]?box|radio(?: button)?)\s+(?:right |just |directly )?in front of\b", _FLAGS
)
"""How a box is told by its own words, which are behind it."""
_TICKED = re.compile(
    r"\s+by\s+(?:choosing|selecting|ticking|checking|clicking(?: on)?|pressing|using)\s+(?:its|the(?: corresponding"
    rf"| matching)?)\s+(?:{_KINDS})(?=$|\s+to\b|\s+in\b)",
    _FLAGS,
)
"""How something is chosen that was named before."""
_NAMED_FIRST = re.compile(
    rf"^((?:(?i:{lexicon.VERBS})\s+)(?i:the\s+)?[A-ZÄÖÜ][^,\ue000]*),\s*(?i:the\s+)?(?i:{_ORDINALS})\s+(?:[\w-]+\s+)?"
    rf"(?i:{_KINDS}|one)\b((?:\s(?:of|in|from|on)\s[^,]*)?)[^,]*$"
)
"""The same of a name without quotation marks."""
_CALLED = re.compile(
    rf"^(.*\b(?i:{_ORDINALS})\s+(?:\w+\s)?(?i:{_KINDS})\b[^,]*),\s*([A-ZÄÖÜ][\w-]*(?:\s[\w-]+){{0,3}})$"
)
"""What a counted control is called, without quotation marks."""
_STANDS = re.compile(rf"\s(?:{'|'.join(_LISTS['stands'])})\s[^,]*$", _FLAGS)
"""Where something stands, at the end of what is said of it."""
_OF_SOME = re.compile(
    rf"\b(?:({_ORDINALS})|(upper|top|left)|(lower|bottom|right))(?:[- ]hand)?(?: one)? of (?:the |these )?"
    r"(?:two|three|four|five|six|seven|\d)\s+((?:[\w\ue000\ue001'/^-]+\s+){0,3}?)(\w{2,}?)(ies|s)\b",
    _FLAGS,
)


def numbered(text: str) -> str:
    """An instruction in which "the lower of the two Open buttons" is the second Open button."""

    def first_last(match: re.Match[str]) -> str:
        which = match[1] or ("first" if match[2] else "last")
        return f"{which} {match[4]}{match[5]}{'y' if match[6].lower() == 'ies' else ''}"

    return _OF_SOME.sub(first_last, text)


def without_asides(text: str, grave: bool = False) -> str:
    """An instruction without openers, contrasts, and descriptions that name nothing.

    Args:
        text: with marks in place of labels in quotation marks.
        grave: whether it asks for something such as to delete, of which each word may tell what: "(metformin)".
    """
    text = _IN_FRONT.sub(r"\1 for", numbered(_ASKED.sub("", _OPENERS.sub("", text))))
    text = text if grave or COMPARED.search(text) else _AS.sub(r"\1 for ", text)
    for aside in (_IDLE, _CONTRAST) if grave else (GOAL, _IDLE, _CONTRAST, _BESIDE):
        text = aside.sub("", text) if aside.sub("", text).strip() else text
    text = text if grave else _NAMED_FIRST.sub(r"\1\2", _DESCRIBED.sub(r"\1", _TICKED.sub("", text)))
    if by := _BY_LABEL.match(text):
        return by[1]
    named = _NAMED.match(text) or _CALLED.match(text)
    if named and "\ue000" not in named[1].split()[-1]:
        # "The last entry of the Access group: "Copy link"" is "Copy link" of that group.
        stands = _STANDS.search(named[1])
        return f"{named[2]}{stands[0] if stands else ''}"
    return text
