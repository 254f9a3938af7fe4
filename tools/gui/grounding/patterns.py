"""How people speak of what is on a screen, in English and German: patterns and lists of words.

All of them are our choice.
"""

from __future__ import annotations

import re

from tools.gui.grounding import lexicon
from tools.wordlists import load_words

_LISTS = load_words(__package__, "speech")

_FLAGS = re.IGNORECASE
FILLERS = frozenset(_LISTS["fillers"])
"""Words that tell nothing of which control is meant."""
GENERAL = frozenset(_LISTS["general"])
"""Words that many controls and sentences have; they weigh little."""
STRESSING = frozenset(_LISTS["stressing"])
"""Words that make another one stronger; they weigh little, too, but a control may be called by them."""
POLITE = re.compile(
    r"^\W*(?:(?:stop|wait|halt|no|yes|oh|ah|hm+|ok|okay|good|right|well|actually|sorry|thanks|ja|nein|ach|moment|gut"
    r"|so|also|danke|next|then|now|first|finally)\b(?:\s+(?:no|nein|ja|yes|then|dann))?\s*[,!.–—-]+\s*)+",
    _FLAGS,
)
NOT = re.compile(rf"\b(?:{'|'.join(_LISTS['not'])})\b[^,.;:!?–—]*", _FLAGS)
CLAUSES = re.compile(r"[;!?()–—\"“”„«»]|[,:](?!\d)|(?<!\d)[,:]|\s-\s|\.(?=\s|$)")
_NEAR = r"(?:(?:right|just|straight|directly|immediately|direkt|gleich|genau) )?"
_FIRM = {
    "between": r"between|zwischen",
    "left_of": dict(lexicon.RELATIONS)["left_of"] + r"|before|in front of|links davon",
    "right_of": dict(lexicon.RELATIONS)["right_of"] + r"|after|behind|hinter|rechts davon",
    "below": dict(lexicon.RELATIONS)["below"],
    "above": dict(lexicon.RELATIONS)["above"],
    "beside": dict(lexicon.RELATIONS)["beside"],
}
RELATION = re.compile("|".join(rf"(?P<{name}>\b{_NEAR}(?:{phrase})(?=\s|$))" for name, phrase in _FIRM.items()), _FLAGS)
REGIONS = {name: "|".join(words) for name, words in load_words(__package__, "regions_said").items()}
KINDS = {name: "|".join(words) for name, words in load_words(__package__, "kinds_said").items()}
COUNTED = (
    "menuitem",
    "checkbox",
    "field",
    "tab",
    "button",
    "icon",
    "row",
    "link",
    "dropdown",
    "column",
    "radio",
    "menu",
)
"""Kinds of which "the second one" may be said."""
ASIDE = (
    r"little|small|tiny|big|large|empty|blank|leere[nrs]?|corner|ecke|kleine[nrsm]?|große[nrsm]?|arrows?|pfeile?|straight|tool|symbols?"
    r"|faint|wide|narrow|broad|breite[nrsm]?|group|side|edge|end|part|half|hidden|coloured|screen|page|seite|logo|circular|curved"
    rf"|two(?= (?:\w+ ){{0,2}}(?:arrows|circles|lines))|{lexicon.COLOURS}"
)
"""Words that describe how something looks or where it is, which hardly ever stand on a control."""
GERMAN = re.compile(rf"\b(?:{'|'.join(_LISTS['german'])})\b|[äöüß]")
"""What tells German, where every noun begins with a capital."""
SIGN = re.compile(
    r"\b((?:plus|minus|question|warning|exclamation|arrow|equals|paragraph|little|small|round)\s+)sign\b", _FLAGS
)
WHOLE_WORD = re.compile(r"\((\w{1,3})\)(?=\w)")
"""Brackets within a word: "(X)MedCon"."""
MENU = (
    r"(?:in|from|of|im|aus dem|(?<!click )(?<!press )(?<!tap )on) (?:the )?(?:\w+ )?"
    r"(?:(?:sub-?)?menu(?: (?:that|which) is open)?|navigation(?: (?:menu|bar|panel|pane))?|menü|seitenmenü)"
    r"|(?:side|left) ?menu(?= on|$)"
)
"""A menu as a place."""
STRESSED = re.compile(
    r"\b(?:with|using|via|through|by (?:means of|pressing|clicking(?: on)?|using)|(?:search|sort|filter|find) by|use"
    r"|press|hit|click(?: on)?|choose|tap(?: on)?|push"
    r"|mit|mittels|per|über|drücken?|klicken? (?:sie )?auf)\s+(?:the |its |a |de[rmn] |die |das )?([^,;:]+?)"
    r"(?=$|[,;:]|\s(?:to|in|for|of|on|so|from|beside|next|at|under|below|above|um|bei|neben|in)\s)",
    _FLAGS,
)
"""What something is done with, which is the control itself."""
THEN = re.compile(rf"\s+(?:{'|'.join(_LISTS['then'])})\s+(?:on\s+|auf\s+)?|\s+auf\s+(?=\w+_)", _FLAGS)
"""Where what is meant follows its place: "in the row of Doe press Open"."""
TYPED = re.compile(
    r"\b(?:enter|type|write|fill in)\s+\S+(?:\s\S+){0,3}?\s+(?:as|into|in|under|for)\s+(?:the\s+|a\s+)?"
    rf"(?!(?:[\w-]+\s+){{0,3}}(?:{lexicon.KINDS['dialog']}|window|{lexicon.KINDS['section']}))",
    _FLAGS,
)
"""What shall be typed, which stands nowhere yet."""
TO_NUMBER = re.compile(
    r"^(?:set|change|adjust|raise|lower|increase|decrease|reduce)\s+(?:the\s+)?([^,]+?)\s+to\s+[-+]?\d[\d.,]*"
    r"(?:\s?(?:%|[a-zµ°]{1,3}))?$",
    _FLAGS,
)
"""What shall have a value that is typed."""
AS = re.compile(r"\s(?:as|als)\s(?=(?:the|your|its|das|den|die|der)\s)", _FLAGS)
"""What something is chosen for: "Bilinear as the interpolation type"."""
UNTICKED = re.compile(
    r"\b(?:remove|take (?:off|out|away)|clear) the (?:tick|check(?: ?mark)?|mark|cross) (?:from|of|in|at)\b", _FLAGS
)
"""How something is unticked, by words that delete elsewhere."""
SPUN = re.compile(r"\b(?:spin(?:ner| ?(?:button|box))|number (?:box|field))\b", _FLAGS)
"""A field for a number."""
ON_TAB = re.compile(
    r"\b(?:on|in|within|of|under)\s+(?:the\s+|this\s+)(?:[\w/&-]+\s+){0,4}?(?:tab|page|column)\b"
    r"|\bin de[rm]\s+(?:spalte|registerkarte)\s+\w+"
    r"|\b(?:in|of|from) the (?:preferences|settings|options)(?= (?:to|so)\b|\W*$)",
    _FLAGS,
)
"""A tab or a column as a place."""
MEANS = re.compile(
    r"\s(?:with|using|via|by (?:clicking|pressing|ticking|using|selecting|choosing)|mit)\s+(?:on\s+)?(?:the|its"
    r"|an?|de[rmn])\s"
    rf"(?=[^,;]*\b(?:{lexicon.KINDS['button']}|{lexicon.KINDS['icon']}|{lexicon.KINDS['tab']}|{lexicon.KINDS['checkbox']}"
    r"|entry|option)\b)",
    _FLAGS,
)
"""What something is done with, after what it is done for."""
THE_ONE = re.compile(r"\W*(?:the|that) one (?:for|that|which|to|with)\b", _FLAGS)
"""Where what was named is described once more."""
LOOK = re.compile(
    r"((?:[\w-]+\s+){1,4})(?:icon|symbol|glyph)\b"
    r"|(?:\b(?:icon|symbol|glyph|button|one)|(?<=icon)|(?<=symbol)|(?<=glyph))\s+(?:with|showing|of|that shows)"
    r"\s+(?:the\s+|an?\s+)?((?:[\w-]+\s*){1,5})",
    _FLAGS,
)
"""What may be how an icon looks, and not what it is called."""
SO = re.compile(r",\s*(?:so|hence|therefore|also|daher|deshalb|darum)\s+(?!that\b|dass\b)", _FLAGS)
"""What follows it is to be done; before it stands why."""
NEIGHBOUR = re.compile(
    rf"\b(?:{lexicon.NOUNS}|one|row|line|entry|zeile|eintrag)\s+(?:(?:right|just|directly)\s+)?"
    r"(?:after(?! (?:an|the )other)|before|behind|following|preceding|next to|beside|hinter|nach|vor|neben)\b",
    _FLAGS,
)
"""An entry of a list that is told by the one beside it."""
PURPOSE = re.compile(
    r"(?P<to>\s(?i:so that|in order to|so as to|um(?= .*\bzu\b))\s)"
    rf"|(?:\b(?i:{'|'.join(lexicon.KINDS.values())})|\s[A-ZÄÖÜ]\w+|\w_)"
    r"(?= to (?!(?:the |its )?(?:far )?(?:left|right|side|top|bottom)\b)[a-z])"
)
"""Where it is told what for: "the plus icon to begin a note", "Save to store it"."""
PRESSED_TO = re.compile(
    r"(?<!next)(?<!close)(?<!adjacent)(?<!similar)(?= to [a-z]+ (?:a|an|the|this|it|his|her|all|any|new)\b)"
)
"""The same after what something is pressed for, whatever stands before."""
VALUED = re.compile(rf"^\W*(?:\w+ )?(?:{'|'.join(_LISTS['valued'])})\b", _FLAGS)
"""Where what follows "to" is what shall be there."""
VAGUE = frozenset({"open", "previous", "start", "given"})
"""Meanings that people also speak of where they mean another control."""
WITHIN = re.compile(
    r"\b(?:(?:in|inside|within|of|on|from|im|in de[mr]|auf de[mr])\s+(?:the\s+|this\s+|that\s+|de[mrns]\s+)?"
    rf"|(?:the|this|that|den|diesen|das|dieses)\s+(?=(?:[\w^'/&-]+\s+){{1,4}}(?:{lexicon.KINDS['dialog']}|window|fenster)\b))"
    rf"((?:(?!(?:in|on|of|from|im|auf)\b)[\w^'/&-]+\s+){{1,4}}?)"
    rf"(?:{lexicon.KINDS['dialog']}|window|fenster|section|panel|pane|card|group|table|form"
    r"|abschnitt|gruppe|tabelle|formular)\b",
    _FLAGS,
)
"""A named part of the screen, in which something is."""
WITHIN_GERMAN = re.compile(
    r"\b(?:im|in dem|in diesem|aus dem)\s+(?:fenster|dialog|dialogfenster|bereich|abschnitt|formular)\s+"
    r"((?:(?!auf\b|die\b|das\b|den\b)[\w/&-]+\s*){1,4})(?=auf\b|die\b|das\b|den\b|[,.;:]|$)",
    _FLAGS,
)
"""The same in German, where the name comes last: "im Fenster Studie löschen"."""
NAMES_NONE = re.compile(rf"^(?:{lexicon.VERBS}|cursor)(?=\s|$)", _FLAGS)
"""What says of nothing yet that it is in something: of "click in the comment panel", the beginning."""
