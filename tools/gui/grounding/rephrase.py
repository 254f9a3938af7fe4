"""An instruction in other, plainer words, for where its own lead nowhere: "remove the study of Doe" asks for "delete"
next to "Doe", and "Dosis eintragen" for the field "Dosis". The first that leads to one place counts.

What is in quotation marks is a label as it is written and stays so. All lists are our choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from tools.gui.grounding import lexicon
from tools.gui.grounding.instruction import label

INTENTS: dict[str, str] = {
    "open": r"open(?: up)?|go (?:in)?to|bring up|call up|show(?: me)?|view|see|look at|display|read|access|enter|visit"
    r"|öffne[n]?|anzeigen|zeigen?|ansehen|aufrufen|anschauen|einsehen|abrir|ver|ouvrir|voir|aprire",
    "edit": r"edit|change|modify|adjust|alter|amend|correct|update|bearbeite[n]?|ändern?|anpassen|editar|modifier",
    "delete": r"delete|remove|erase|get rid of|throw (?:away|out)|discard|lösche[n]?|entferne[n]?|eliminar|supprimer",
    "save": r"save|store|keep|speicher[en]*|sicher[en]*|guardar|enregistrer",
    "add": r"add|create|insert|attach|begin|start|hinzufügen|anlegen|erstellen|añadir|crear|ajouter|créer",
    "search": r"search(?: for)?|find|look(?: it)? up|look for|such(?:en?|e nach)|buscar|chercher",
    "print": r"print(?: out)?|drucken?|ausdrucken|imprimir|imprimer",
    "download": r"download|get|fetch|export|herunterladen|descargar|télécharger",
    "upload": r"upload|hochladen|subir|téléverser",
    "refresh": r"refresh|reload|update|aktualisieren?|neu laden|actualizar|actualiser",
    "log out": r"log (?:me )?(?:out|off)|sign (?:me )?(?:out|off)|abmelden",
    "close": r"close|dismiss|shut|hide|schließen?|cerrar|fermer",
    "back": r"leave|exit|quit|verlassen?|(?:go |get )?back(?: to)?|return(?: to)?|zurück(?:kehren)?(?: zu[rm]?)?"
    r"|volver(?: a)?|retour",
    "next": r"next|(?:go |move |page )?(?:on|forward)|advance|continue|weiter(?:blättern)?|siguiente|suivant",
    "previous": r"previous|page back|zurückblättern|vorige[rs]?|anterior|précédent",
    "cancel": r"cancel|abort|abbrechen|cancelar|annuler",
    "zoom in": r"zoom in|enlarge|magnify|vergrößern?",
    "zoom out": r"zoom out|shrink|reduce|verkleinern?",
    "sign": r"sign|unterschreiben?|unterzeichnen?|firmar|signer",
    "stop": r"stop|end|discontinue|absetzen?|beenden?|detener|arrêter",
    "send": r"send|forward|transmit|senden?|schicken?|enviar|envoyer",
    "copy": r"copy|kopieren?|copiar|copier",
    "invert": r"invert|reverse|flip|umkehren|invertieren",
    "anonymize": r"anonymi[sz]e|de-?identify|anonymisieren?",
    "confirm": r"confirm|accept|agree|bestätigen?|confirmar|confirmer",
}
"""What is asked for, by a word that may stand on a control, with the verbs that ask for it."""
LABELS: dict[str, tuple[str, ...]] = {
    "open": ("open", "view", "show", "details", "öffnen", "anzeigen", "abrir", "ouvrir"),
    "edit": ("edit", "change", "modify", "bearbeiten", "ändern", "editar", "modifier"),
    "delete": ("delete", "remove", "löschen", "entfernen", "eliminar", "supprimer"),
    "save": ("save", "store", "keep", "speichern", "sichern", "guardar", "enregistrer"),
    "add": ("add", "new", "create", "hinzufügen", "neu", "anlegen", "añadir", "ajouter"),
    "search": ("search", "find", "lookup", "do lookup", "suchen", "buscar", "rechercher"),
    "close": ("close", "dismiss", "exit", "schließen", "cerrar", "fermer"),
    "back": ("back", "zurück", "volver", "retour"),
    "next": ("next", "next page", "forward", "weiter", "nächste seite", "siguiente", "suivant"),
    "previous": ("previous", "previous page", "back", "zurück", "vorige seite", "anterior", "précédent"),
    "cancel": ("cancel", "abort", "abbrechen", "cancelar", "annuler"),
    "log out": ("log out", "log off", "sign out", "logout", "abmelden", "cerrar sesión", "déconnexion"),
    "invert": ("invert", "reverse"),
    "sign": ("sign", "unterschreiben", "firmar", "signer"),
    "stop": ("stop", "end", "absetzen", "beenden", "detener", "arrêter"),
    "confirm": ("confirm", "ok", "yes", "bestätigen", "ja", "confirmar", "confirmer"),
}
"""Words on controls that mean the same."""
_THINGS = (
    rf"(?:{lexicon.NOUNS}|{lexicon.PLACES}|chart|changes?|it|them|everything|input|information|data|list|table|form|dialog(?:ue)?"
    r"|pop-?up|program(?:me)?|order|copy|results?|details|akten?|eintrag|einträge|liste|änderung(?:en)?|fenster|dialog|es"
    r"|alles|programm|datensatz)"
)
"""Nouns that say nothing of which one is meant."""
_THE = rf"(?:{lexicon.ARTICLES}|my|our|new|whole|entire|present|current|these|those|mein[en]?|diese[nrsm]?|neue[nrs]?)"
_OF = r"(?:of|for|from|belonging to|von|vom|für|bei|der|des|de|del|du|pour)"
_CLICK = (
    r"(?:click|press|hit|tap|push|choose|pick|select|use|take|activate)(?: on| onto| into)?"
    r"|klicken sie(?: auf| in)?|wählen sie|drücken sie"
)
_CLICKING = (
    r"(?:an)?klicken|drücken|betätigen|(?:aus|an)?wählen|(?:an)?tippen|aktivieren|setzen|benutzen|verwenden|gehen|wechseln"
    r"|springen|navigieren|ankreuzen|anhaken"
)
"""German verbs that end an instruction and only say that something is to be pressed or gone to."""
_WRITING = r"eingeben|eintragen|ausfüllen|schreiben|angeben|erfassen"
_TO = (
    r"(?:jetzt |nun |dann |bitte |doch |erst |mit |mittels |per |über )*"
    r"(?:auf|in|im|ins|an|zu|zum|zur|unter|mit)?\s*(?:de[rnms]|die|das)?\s+"
)
_PLACE = (
    r"row|line|section|group|panel|dialog(?:ue)?(?: box)?|pop-?up|menu|(?:tool|menu|side|title)? ?bar|column|list"
    r"|header|footer"
)
_FIELD = r"(?:text |input |entry )?(?:input|box|field|text ?box|entry field)"
_FLAGS = re.IGNORECASE
_OF_ALL = frozenset(("log out", "print", "refresh", "zoom in", "zoom out", "upload", "search", "next", "previous"))
"""What is asked for as a rule of all that is shown, whatever it is called."""
_SMALL = frozenset("a an and at by for from go i in is it my next no not of on one or the to und von with".split())
_VERB = rf"(?:{'|'.join(INTENTS.values())})\b"
_MOST = 40
"""Other words that are tried; our choice."""


@lru_cache(maxsize=512)
def rephrased(text: str) -> tuple[str, ...]:
    """Other words for an instruction, the closest to it first; none where it quotes what it means."""
    plain = " ".join(text.split()).strip(" .!?;")
    if re.search(r"[\"“”„«»`]", plain):
        return ()
    plain = re.sub(rf"^(?:(?:{lexicon.POLITE})\b,?\s*|(?:{lexicon.ORDER})\b,?\s+)+", "", plain, flags=_FLAGS)
    plain = re.sub(
        r"^(?:i(?:'d)? (?:want|need|like|would like)(?: you)? to|(?:can|could|would) you|let(?:'s| us)|you (?:should"
        r"|must))\s+",
        "",
        plain,
        flags=_FLAGS,
    )
    found = dict.fromkeys(said.strip(" ,:") for said in _said(_split_compounds(plain), 0))
    found.pop(text, None)
    return tuple(said for said in found if len(said) > 1 and _keeps(plain, said))[:_MOST]


def is_deed_alone(said: str) -> str:
    """The word that asks for something without saying for what, such as "save"; "" for anything else."""
    word = re.fullmatch("\ue010([^\ue011]+)\ue011", said)
    return word[1] if word and any(word[1] in (intent, *LABELS.get(intent, ())) for intent in INTENTS) else ""


def _keeps(text: str, said: str) -> bool:
    """Whether other words still say what tells one from another: numbers, names as DICOM writes them, ordinals, places.

    What is to be typed may go.
    """
    marked = [word.strip(",:()") for word in text.split() if re.search(r"[\d^]", word)]
    counted = [word for word in re.findall(r"[\w-]+", text) if word.lower() in lexicon.ORDINALS]
    placed = re.findall(r"\b(?:below|under|above|beside|next to|left of|right of|unter|über|neben)\b", text, _FLAGS)
    return all(word in said for word in (*marked, *counted, *placed)) or bool(
        re.search(r"\b(?:field|drop-down)$|^Feld ", said)
    )


@lru_cache(maxsize=512)
def deed(text: str) -> tuple[str, ...]:
    """A control and where it stands, where an instruction tells both: "edit Eriksen", "in Eriksen's row press Edit"."""
    plain = " ".join(text.split()).strip(" .!?;")
    if re.search(r"[\"“”„«»`:]", plain):
        return ()
    if placed := tuple(_placed(plain)):
        return placed
    for intent, verbs in INTENTS.items():
        match = re.fullmatch(rf"(?P<verb>{verbs})\s+(?P<thing>.+)|(?P<what>.+?)\s+(?P<last>{verbs})", plain, _FLAGS)
        thing = _bare(match["thing"] or match["what"]) if match else ""
        if intent != "open" and thing and not re.fullmatch(rf"(?:(?:{_THE})\s+)*(?:{_THINGS})", thing, _FLAGS):
            return tuple(acted(intent, thing))
    return ()


def meaning(words: str) -> frozenset[str]:
    """Words on controls that mean the same as some words do, without these."""
    wanted = words.casefold().strip()
    same = {
        label
        for intent, labels in LABELS.items()
        if wanted == intent or wanted in labels
        for label in (*labels, intent)
    }
    return frozenset(same) - {wanted}


def _said(text: str, depth: int) -> Iterator[str]:
    yield text
    if depth > 2:
        return
    hint = re.fullmatch(r"(.+?)\s*\(([^()]+)\)", text)
    if hint:
        yield hint[2]
        yield from _said(hint[1], depth + 1)
        return
    about = re.fullmatch(r"([^:]{2,60}):\s+(.+)", text)
    if about:
        yield f"{label(about[2])} next to {label(about[1])}"
        yield f"{label(about[2])} in the {about[1]}"
        yield label(about[2])
    yield from _placed(text)
    yield from _clauses(text, depth)
    yield from _german(text, depth)
    yield from _fields(text)
    yield from _asked(text)
    yield from _trimmed(text)


def _placed(text: str) -> Iterator[str]:
    """ "In the Doe row press Open": the place after what is pressed."""
    first = re.fullmatch(
        rf"(?:in|on|at|under|within|from)\s+((?:the\s+)?.+?\b(?:{_PLACE})(?:\s+of\s+\w+)?),?\s+(?:{_CLICK})\s+(.+)",
        text,
        _FLAGS,
    )
    if first:
        yield f"{_label(first[2])} in {first[1]}"
    row = re.fullmatch(
        rf"in(?:\s+de[rm])?\s+(.+?\b(?:zeile|dialog|menü|liste|leiste)(?:\s+von\s+.+?)?)\s+(?:auf\s+)?(.+?)\s+(?:{_CLICKING})",
        text,
        _FLAGS,
    )
    if row:
        yield f"{_label(row[2])} in der {row[1]}"


def _clauses(text: str, depth: int) -> Iterator[str]:
    """Parts of a sentence, those that say what to press first."""
    parts = [part.strip() for part in re.split(r"\s*[,;]\s+|\s+[-–]\s+|\.\s+", text) if part.strip()]
    if len(parts) < 2:
        return
    pressed = [part for part in parts if re.match(rf"(?:then |and |und |so |please )*(?:{_CLICK})\s", part, _FLAGS)]
    # "Maja" of "Eriksen, Maja" is no instruction.
    asked = [part for part in reversed(parts) if re.match(_VERB, part, _FLAGS)]
    for part in dict.fromkeys((*pressed, *asked)):
        yield from _said(re.sub(r"^(?:then|and|und|so|dann)\s+", "", part), depth + 1)


def _german(text: str, depth: int) -> Iterator[str]:
    """Verbs at the end, or parted: "Auf Öffnen klicken", "Die Notizen ansehen", "Tragen Sie 5 unter Dosis ein"."""
    if written := re.fullmatch(
        r"(?:tragen|geben) sie\s+(?:.+?\s+)?(?:unter|bei|in|für|als)\s+(.+?)\s+ein", text, _FLAGS
    ):
        yield f"Feld {label(_bare(written[1]))}"
    if written := re.fullmatch(r"(?:tragen|geben) sie\s+(.+?)\s+ein", text, _FLAGS):
        yield f"Feld {label(_bare(written[1]))}"
    if shown := re.fullmatch(
        r"(zeig(?:en sie)?|ruf(?:en sie)?|seh(?:en sie)?)\s+(.+?)(?:\s+(?:an|auf))?", text, _FLAGS
    ):
        yield from _object("open", shown[2])
    moved = re.fullmatch(r"(?:gehen|wechseln|springen)(?: sie)?\s+(.+)", text, _FLAGS)
    if moved:
        yield _bare(moved[1])
    if typed := re.fullmatch(rf"(?:{_TO})?(.+?)\s+(?:{_WRITING})", text, _FLAGS):
        yield f"Feld {label(_bare(typed[1]))}"
    if pressed := re.fullmatch(rf"(.+?)\s+(?:{_CLICKING})", text, _FLAGS):
        yield from _said(_bare(pressed[1]), depth + 1)
    for intent, verbs in INTENTS.items():
        if asked := re.fullmatch(rf"(.+?)\s+(?:zu )?({verbs})", text, _FLAGS):
            yield from _object(intent, asked[1])
            yield label(asked[2])
    if alone := re.fullmatch(rf"(?:sich|ja|nein|yes|no|ok)?,?\s*({'|'.join(INTENTS.values())})", text, _FLAGS):
        yield label(alone[1])


def _fields(text: str) -> Iterator[str]:
    """What is to be typed somewhere, or a field described by what goes into it."""
    value = re.fullmatch(
        r"(?:enter|type|write|put|fill in|insert|give)\s+.+?\s+(?:as|for|under|into|in|at)\s+"
        r"(?:the\s+|a\s+|your\s+)?(.+)",
        text,
        _FLAGS,
    )
    if value:
        yield f"{label(_bare(value[1]))} field"
    turned = re.fullmatch(r"(?:set|change|adjust|put|alter)\s+(?:the\s+)?(.+?)\s+to\s+(.+)", text, _FLAGS)
    if turned:
        yield f"{label(turned[1])} field"
        yield label(turned[2])
    plain = re.fullmatch(
        r"(?:fill in|fill out|complete|enter|type|give|provide|specify|state|set|choose|select)\s+"
        r"(?:(?:the|a|an|your)\s+)*(.+)",
        text,
        _FLAGS,
    )
    if plain:
        yield f"{label(plain[1])} field"
        yield f"{label(plain[1])} drop-down"
    about = re.fullmatch(
        rf"(?:.*?\b)?{_FIELD}\s+(?:for|of|where|next to|beside|labell?ed|called|named|with|to enter|that takes)\s+(.+)",
        text,
        _FLAGS,
    )
    if about:
        yield f"{label(_bare(about[1]))} field"
    between = re.fullmatch(r"(.*?\b\w+)\s+between\s+(.+?)\s+and\s+(.+)", text, _FLAGS)
    if between:
        yield f"{between[1]} below {label(between[2])}"
    numbered = re.fullmatch(rf"(.+?)\s+(?:number|name|value|text)\s+{_FIELD}", text, _FLAGS)
    if numbered:
        yield f"{label(numbered[1])} field"
    if listed := re.fullmatch(
        rf"(?:.*\b)?(?:list|options|choices|values) (?:of|for|next to) (?:{_THE}\s+)*(.+)", text, _FLAGS
    ):
        yield f"{label(listed[1])} drop-down"


def _asked(text: str) -> Iterator[str]:
    """A verb that may stand on a control, and what it is to be done to."""
    for intent, verbs in INTENTS.items():
        match = re.fullmatch(rf"({verbs})\b\s*(.*)", text, _FLAGS)
        if match and match[2]:
            yield from _object(intent, match[2])
        elif match:
            yield from _alone(intent)
    through = re.fullmatch(rf".+?\s+(?:with|using|via|by|through)\s+(?:{_THE}\s+)*(.+)", text, _FLAGS)
    if through:
        yield through[1]


def _object(intent: str, what: str) -> Iterator[str]:
    """What is asked for, where the thing is named; and alone, where it is no particular one."""
    thing = re.sub(rf"\s+{_OF}\s+(?:(?:{_THE})\s+)+(?:{_THINGS})$", "", _bare(what), flags=_FLAGS)
    some = rf"(?:(?:{_THE})\s+)*(?:{_THINGS})"
    if re.fullmatch(rf"{some}(?:\s+{_OF}\s+{some})*", thing, _FLAGS):
        yield from _alone(intent)
        for word in LABELS.get(intent, ()):
            yield label(f"{word} {what}")
        yield from _trimmed(thing)
        return
    yield from acted(intent, thing)
    named = re.fullmatch(rf"(?:(?:{_THE}\s+)*(?:{_THINGS})\s+{_OF}\s+)+(.+)", thing, _FLAGS)
    rest = _bare(named[1]) if named else thing
    if intent in ("open", "search", "back"):
        yield rest
        yield label(rest)
        yield from _trimmed(rest)
    for word in dict.fromkeys((intent, *LABELS.get(intent, ()))) if intent != "open" else ():
        yield label(f"{word} {thing}")
    if intent in _OF_ALL:
        yield from _alone(intent)


def acted(intent: str, thing: str) -> Iterator[str]:
    """A control that says what is asked for, beside what it is to be done to."""
    owned = re.fullmatch(rf"(?:(?:{_THE}\s+)*(?:{_THINGS}|\w+)\s+{_OF}\s+)+(.+)", thing, _FLAGS)
    called = re.sub(rf"^(?:{lexicon.NOUNS})\s+(?=\S)", "", _bare(owned[1]) if owned else thing, flags=_FLAGS)
    yield f"{label(intent)} next to {label(called)}"


def _alone(intent: str) -> Iterator[str]:
    for word in dict.fromkeys((intent, *LABELS.get(intent, ()))):
        yield label(word)


def _trimmed(text: str) -> Iterator[str]:
    """Without nouns that say nothing: "the medication list", "list of plugins", "the labels of this patient"."""
    shorter = re.sub(rf"\s+{_OF}\s+(?:(?:(?:{_THE})\s+)+\w+|{_THINGS})$", "", text, flags=_FLAGS)
    if shorter != text:
        yield shorter
    listed = re.fullmatch(rf"(?:(?:{_THE})\s+)*(?:{_THINGS}|list|liste|seite|tab|reiter)\s+{_OF}\s+(.+)", text, _FLAGS)
    if listed:
        yield label(_bare(listed[1]))
    ended = re.fullmatch(
        rf"(.+?)\s+(?:{_THINGS}|tab|section|entry|button|überblick|übersicht)(?:\s+(?:{_PLACE}))?", text, _FLAGS
    )
    if ended:
        yield label(_bare(ended[1]))
    about = re.fullmatch(rf"(\w+)\s+(?:about|on|{_OF})\s+(?:(?:{_THE})\s+)*(.+)", text, _FLAGS)
    if about:
        yield label(f"{about[2]} {about[1]}")
    pair = re.fullmatch(r"(?:the\s+)?([^\s].*?)\s+(\w+)(?:\s+(?:link|button|icon))?", text, _FLAGS)
    if pair and pair[1].lower().split()[0] not in _SMALL:
        yield f"{label(pair[2])} next to {label(pair[1])}"
    sign = re.fullmatch(r"(.+?)\s+(?:sign|mark|symbol|glyph|shape)((?:\s+.*)?)", text, _FLAGS)
    if sign:
        yield f"{sign[1]} icon{sign[2]}"
    counted = re.fullmatch(rf"(.*?)(\w+)\s+(?:{lexicon.NOUNS})\b(.*)", text, _FLAGS)
    if counted and counted[2].lower() in lexicon.ORDINALS:
        yield f"{counted[1]}{counted[2]} row{counted[3]}"
    pointing = re.fullmatch(
        r"(.*?)arrow (?:pointing|that points|going)(?: to)?(?: the)? (left|right|up|down)(.*)", text, _FLAGS
    )
    if pointing:
        yield f"{pointing[2]} arrow{pointing[3]}"
        yield f"{pointing[2]} arrow"


def _split_compounds(text: str) -> str:
    """German words for controls, parted from what they are called: "Druckersymbol", "Öffnen-Taste"."""
    parted = re.sub(r"\b(\w{3,}?)-(symbol|knopf|feld|taste|reiter|schaltfläche|link)\b", r"\1 \2", text, flags=_FLAGS)
    return re.sub(
        r"\b(?!eingabe|such|text|options)(\w{4,}?)(symbol|knopf|taste|reiter)\b", r"\1 \2", parted, flags=_FLAGS
    )


def _bare(text: str) -> str:
    """Without the little words at its beginning."""
    return re.sub(
        rf"^(?:(?:{_THE}|auf|in|im|ins|an|zu|zum|zur|mit|für|jetzt|nun|dann|bitte|doch)\s+)+",
        "",
        text.strip(" ,"),
        flags=_FLAGS,
    )


def _label(text: str) -> str:
    """What is pressed: a label, unless it says of what kind it is."""
    return text if re.search(rf"\b(?:{'|'.join(lexicon.KINDS.values())})\b", text, _FLAGS) else label(text)
