"""How people speak of what is on a screen, in English and German: patterns and lists of words.

All of them are our choice.
"""

from __future__ import annotations

import re

from tools.gui.grounding import lexicon

_FLAGS = re.IGNORECASE
FILLERS = frozenset(
    "a an the this that these those its his her hers him he she it they them their my me we us our you your i is "
    "are was be been am do does did has have had can could would should will shall must may might want wants "
    "wanted need needs like likes turn turning let lets get gets got give go goes going come make makes take "
    "takes please now then and or but so to of for on in at by with from into onto via as if up down out off over "
    "there here just only too also again once very really actually well ok okay yes no oh hm right good fine "
    "ready thanks thank what "
    "which who whose how when where one ones some any both other rather instead same look click press hit tap "
    "push select choose pick use using hover activate focus put place set switch move cursor mouse next finally "
    "first says say said reads labelled called named titled marked shows means way thing things der die das dem "
    "den des ein eine einen einem einer eines und oder mit im ins auf aus bei beim zu zum zur von vom für über "
    "nach hin ich er sie es wir ihr ihn ihm mich mir uns euch sein seine seiner seinem seinen ist sind war hat "
    "haben hab kann kannst könnte soll möchte bitte mal doch jetzt nun dann da dort hier wie wer wo welche um "
    "welcher noch auch klick klicke klicken tipp tippen drück drücke drücken wähle wählen anwählen auswählen "
    "setzen stell stelle wechsle wechseln betätige betätigen öffne öffnen hole holen nimm gehe geh ganz dazu "
    "dafür davon gibt gleich direkt bit wieder herr herrn frau mr mrs ms miss dr prof".split()
)
"""Words that tell nothing of which control is meant."""
GENERAL = frozenset(
    "all patient study series link date test page list screen program programme record chart file entry item "
    "option value window view form table text name number id box bar line image picture akte liste "
    "seite eintrag".split()
)
"""Words that many controls and sentences have; they weigh little."""
STRESSING = frozenset(
    "permanently definitely definitively irrevocably finally completely entirely absolutely certainly immediately "
    "endgültig unwiderruflich wirklich tatsächlich sofort komplett vollständig sicher".split()
)
"""Words that make another one stronger; they weigh little, too, but a control may be called by them."""
POLITE = re.compile(
    r"^\W*(?:(?:stop|wait|halt|no|yes|oh|ah|hm+|ok|okay|good|right|well|actually|sorry|thanks|ja|nein|ach|moment|gut"
    r"|so|also|danke|next|then|now|first|finally)\b(?:\s+(?:no|nein|ja|yes|then|dann))?\s*[,!.–—-]+\s*)+",
    _FLAGS,
)
NOT = re.compile(
    r"\b(?:(?:do|does|did|will|would|should|could|must)n['’]t|do not|not|no(?= [a-z])|without|instead of|rather than"
    r"|nicht|kein\w*|statt|ohne)\b[^,.;:!?–—]*",
    _FLAGS,
)
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
REGIONS = {
    "top": r"top(?:most)?|upper(?:most)?|up (?:top|there|in|at)|oben|obere[nrs]?|header"
    r"|title ?bar|(?:top|tool|menu) ?bar|kopfzeile|titelleiste",
    "bottom": r"bottom|lower(?:most)?|foot(?:er)?|unten|untere[nrs]?|fußzeile|down (?:at|there)",
    "left": r"left(?:most)?|left[- ]hand|links|linke[nrs]?|side ?(?:bar|menu)|seiten(?:leiste|menü)",
    "right": r"right(?:most)?|right[- ]hand|rechts|rechte[nrs]?|far right",
    "center": r"(?:in|at) the (?:middle|cent(?:er|re))|in der mitte",
}
KINDS = {
    "checkbox": r"(?:check|tick) ?box|tick(?:ed)?|un-?tick|(?:check|tick) ?mark|mark(?= .*\b(?:as|for)\b)"
    r"|kreuz\w*(?= .*\ban\b)"
    r"|ankreuzen|abhaken|anhaken|häkchen|haken",
    "dropdown": r"expand|unfold|pull[- ]?down|drop[- ]?down|combo ?box|choices|options for"
    r"|(?:list|values?) (?:next to|beside|for|behind)|aufklappen|klapp\w*|auswahl(?:liste)?",
    "field": r"(?:click|go|get|tap|jump|cursor|focus|put me|straight)(?: \w+){0,3} (?:in|into|inside)(?: the)?"
    r"(?=(?: \w+){1,4}(?: (?:field|box|input)|$))|(?<!\w )type|(?<=to )type|(?<=and )type|(?<=please )type"
    r"|typing|write(?= in)|input|fill (?:in|out)"
    r"|(?:text|entry|input|filter|search|edit) (?:field|box|area)|field|box|feld"
    r"|(?:eingabe|text|such)feld|cursor|eingeben|eintippen|ausfüllen",
    "tab": r"tab|reiter|registerkarte",
    "menuitem": r"menu (?:item|entry|option|point)|menüpunkt|menüeintrag",
    "button": r"button|knopf|schaltfläche|taste",
    "icon": r"icon|symbol|glyph|zeichen|looking[- ]glass|magnif\w+|lens|lupe|cog ?(?:wheel)?|gear"
    r"|floppy(?: disk)?|disk(?:ette)?|house|pen(?:cil)?|(?:waste|rubbish|trash)? ?bin"
    r"|trash(?: can)?|cross|x|plus|arrow|printer|hamburger"
    r"|three (?:bars|lines)"
    r"|papierkorb|mülleimer|zahnrad|stift|pfeil|haus|häuschen|kreuz(?:chen)?|drucker|question mark",
    "link": r"link",
    "menu": r"(?<!hamburger )(?<!down )(?<!down-)(?<!dropdown )(?:sub-?)?menu(?! ?(?:bar|item|entry|option"
    r"|point|button|icon|symbol))",
    "radio": r"radio(?: button)?|round button|set (?:\w+ ){1,4}to",
    "switch": r"switch(?! (?:\w+ )?to\b)|toggle|slider|schalter|flip",
    "row": r"(?:table )?row|line|zeile|reihe|list entry",
    "column": r"column|spalte",
    "image": r"picture|thumbnail|bild",
}
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
GERMAN = re.compile(r"\b(?:der|die|das|den|dem|und|ist|auf|im|ins|bitte|ein|eine|einen|zu|für|mit|von|des)\b|[äöüß]")
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
THEN = re.compile(
    r"\s+(?:press|click|hit|use|choose|tap|push|drücken?|klicken?)\s+(?:on\s+|auf\s+)?|\s+auf\s+(?=\w+_)", _FLAGS
)
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
VALUED = re.compile(r"^\W*(?:\w+ )?(?:set|change|switch|turn|move|adjust|put|go|get|drag)\b", _FLAGS)
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
