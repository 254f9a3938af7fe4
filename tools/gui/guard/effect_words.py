"""Detection of words that name an effect, such as destructive verbs, in labels and typed text.

Matching favours false positives: look-alike letters, zero-width characters, accents, spaced letters and digits in place
of letters are all folded first. It is a second line of defence. The first is that nothing is done without approval
unless the policy lists its label, so a verb that is missing here leads to a question, not to an action.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache

VERBS: dict[str, tuple[str, ...]] = {
    "administer": (
        # Without "given", which lists use for a dose of this morning.
        *("administer*", "give", "gives", "giving"),
        *("administrar", "administrer", "verabreich*", "toedien*", "somministr*"),
    ),
    "approve": (
        *("approv*", "aprob*", "approuv*", "genehmig*", "authoriz*", "authoris*", "autoriz*", "autoris*"),
        *("goedkeur*", "accorder*", "fiatter*", "autorizz*", "convalid*"),
    ),
    "delete": (
        *(
            "delet*",
            "remove",
            "removes",
            "removed",
            "removing",
            "erase",
            "erasing",
            "discard*",
            "purge",
            "wipe",
            "trash",
            "destroy",
            "void",
            "voids",
            "voiding",
        ),
        *("lösch*", "loesch*", "gelöscht", "geloescht", "entfern*", "verwerf*", "vernicht*", "stornier*", "storno"),
        *("eliminar", "elimina", "eliminación", "borrar", "borra", "suprimir", "descartar", "quitar"),
        *("supprim*", "efface*", "retirer", "détruire"),
        # Alone, "Annuler" and "Annulla" label Cancel in every dialog.
        *("annuler la", "annuler le", "annuler l", "annuler les", "annuler cette", "annuler ce"),
        *("annulla la", "annulla il", "annulla l", "annulla questa", "annulla questo"),
        *("verwijder*", "vernietig*", "elimina*", "cancella", "cancellare", "rimuov*", "scarta"),
    ),
    "discharge": (
        # D/C is short for discharge and for discontinue.
        *("discharge", "d c", "entlassen", "dar de alta", "donner congé", "faire sortir"),
        *("ontslaan", "ontslag", "dimett*", "dimissione", "dimissioni"),
    ),
    "dispense": (
        *("dispense", "dispenses", "dispensed", "dispensing", "dispensier*", "abgeben", "dispensar", "dispensa"),
        *("délivrer", "délivrance", "verstrekken", "uitgeven", "dispensare", "erogare"),
    ),
    "export": (
        *("export*", "download*", "print", "share", "herunterladen", "drucken", "teilen"),
        *("descargar", "imprimir", "compartir", "télécharger", "imprimer", "partager"),
        *("exporteer*", "afdrukken", "delen", "esporta*", "scarica", "scaricare", "stampa", "stampare", "condividi*"),
    ),
    "finalize": (
        *("finaliz*", "finalis*", "freigeb*", "freigabe", "abschließen", "abschliessen"),
        *("afronden", "vrijgeven", "definitief maken", "finalizz*"),
    ),
    "merge": ("merge", "merging", "zusammenführ*", "zusammenfuehr*", "fusionar", "fusionner", "samenvoeg*", "unisci"),
    "order": (
        *("order", "reorder", "place order", "bestell*", "anordnen", "anordnung", "ordenar", "commander"),
        *("beauftragen", "auftrag erteilen", "auftrag auslösen", "auftrag ausloesen", "auftrag geben"),
        *("bestel", "bestellen", "bestelling", "aanvragen", "ordina", "ordinare"),
    ),
    "override": (
        *("overrid*", "bypass*", "übersteuer*", "uebersteuer*", "outrepass*", "forzar", "forcer"),
        *("forceren", "overschrijv*", "forza", "forzare"),
    ),
    "prescribe": (
        *("prescrib*", "verordn*", "verschreib*", "rezeptier*", "recetar", "prescribir", "prescri*"),
        *("voorschrijv*", "schrijf voor"),
    ),
    "revoke": (
        # Without "inactivated", which is a kind of vaccine.
        *("revok*", "revocation", "rescind*", "deactivat*", "inactivate", "inactivates", "inactivating"),
        *("widerruf*", "deaktivier*", "inaktivier*", "revocar", "desactiv*", "inactivar", "révoqu*", "désactiv*"),
        *("intrekken", "deactiver*", "revocare", "revoca", "disattiv*"),
    ),
    "sign": (
        *("sign", "signed", "signing", "esign*", "cosign*", "countersign*", "attest", "attests"),
        *("unterschreib*", "unterschrift*", "unterzeichn*", "signier*", "visier*"),
        *("firmar", "firma", "signer", "signez", "signature"),
        *("onderteken*", "aftekenen", "paraferen", "firmare", "sottoscriv*", "controfirm*"),
    ),
    "stop": (
        *("discontinu*", "d c", "stop drug", "stop medication", "stop order", "stop treatment"),
        *("absetzen", "abgesetzt", "suspender", "suspendre", "interrump*", "interromp*"),
        *("stopzetten", "staken", "sospend*"),
    ),
    "submit": (
        *("submit*", "send", "sending", "transmit", "transmitting", "senden", "absenden", "versenden", "einreich*"),
        *(
            "übermitt*",
            "uebermitt*",
            "enviar",
            "envía",
            "envío",
            "soumett*",
            "soumet",
            "envoyer",
            "envoyez",
            "transmettre",
        ),
        *("verzend*", "verstuur", "versturen", "indienen", "invia", "inviare", "trasmett*", "spedisci"),
    ),
}
"""Effects that a policy can name, with words for each in English, German, Spanish, French, Dutch and Italian. A word
that ends in `*` matches every word with that prefix. Our own list; a policy may add to it."""

AFFIRMING = frozenset(
    "ok okay yes y confirm confirmed continue proceed apply accept agree done finish go ja bestaetigen bestätigen "
    "weiter fortfahren anwenden akzeptieren fertig si sí aceptar confirmar continuar aplicar oui confirmer "
    "continuer accepter appliquer valider".split()
)
"""Labels that do not name their effect: what they agree to has to be found around them."""

MAX_JOINED = 6
"""Maximum pieces of a label that are joined to one word."""

_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")
_SPLIT = re.compile(r"[\W_]+")
_ASKS_TO_SEE = re.compile(r"(?i)\bgive (?:me|us)\b")
"""A request for a list, not a dose."""
_LOOKS_LATIN = str.maketrans(
    "авеѕіјкмнорстухԁһӏԛԝгпьѵαβγεηικνορτυχωոսօցıɡɑʟᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀᴛᴜᴠᴡʏᴢꭰꭼꮮꭲꮪꮯ",
    "abesijkmhopctyxdhlqwrnbvabyenikvoptuxwnuogigalabcdeghijklmnoprtuvwyzdeltsc",
)
_LOOKS_A_LETTER = str.maketrans("0134578@$|i", "oleastbasll")


def fold(text: str) -> str:
    """Return a text in lower case, without accents, invisible characters and Latin look-alikes."""
    shown = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).casefold()
    plain = "".join(mark for mark in unicodedata.normalize("NFD", shown) if unicodedata.category(mark) != "Mn")
    return " ".join(plain.translate(_LOOKS_LATIN).split())


def hides(text: str) -> str:
    """Return the first invisible character of a text (zero-width, bidirectional, control), else ""."""
    for mark in text:
        if _INVISIBLE.match(mark) or (
            unicodedata.category(mark) in {"Cc", "Cf", "Cn", "Co", "Cs"} and mark not in "\t\n"
        ):
            return mark
    return ""


def same_label(label: str, other: str) -> bool:
    """Return whether two labels are equal except for Unicode form, case, spaces and surrounding punctuation."""
    return plain_label(label) == plain_label(other) != ""


def plain_label(label: str) -> str:
    """Normalise a label: Unicode form, lower case, single spaces, no surrounding punctuation."""
    return _EDGES.sub("", " ".join(unicodedata.normalize("NFKC", label).casefold().split()))


def affirms(label: str) -> bool:
    """Return whether a label only agrees, such as "OK", without naming its effect."""
    return bool(_tokens(label)) and all(token in _FOLDED_AFFIRMING for token in _tokens(label))


def find_verbs(text: str, words: Mapping[str, tuple[str, ...]], *, label: bool = True) -> list[str]:
    """Return the verbs that a text names, in the order of `words`.

    Args:
        text: a label, or text to be typed.
        words: verbs with their words, as in `VERBS`.
        label: also join neighbouring pieces, so that "De le te" is found; off for prose, where it finds too much.
    """
    text = text if label else _ASKS_TO_SEE.sub(" ", text)
    lines = {" ".join(_SPLIT.split(spelt)) for spelt in (fold(text), fold(_CAMEL.sub(" ", text)), _skeleton(text))}
    pieces = {piece for line in lines for piece in _pieces(line.split(), join=label)}
    return [verb for verb, entries in words.items() if _names(tuple(entries), lines, pieces)]


def _names(entries: tuple[str, ...], lines: set[str], pieces: set[str]) -> bool:
    whole, begun, phrases = _forms(entries)
    return (
        not whole.isdisjoint(pieces)
        or any(piece.startswith(begun) for piece in pieces)
        or any(f" {phrase} " in f" {line} " for phrase in phrases for line in lines)
    )


@lru_cache(maxsize=1024)
def _forms(entries: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]:
    """Return the words of the list in each of the two spellings: whole words, prefixes, and phrases."""
    stems = [(spelt(entry.rstrip("*")), entry.endswith("*")) for entry in entries for spelt in (fold, _skeleton)]
    return (
        frozenset(stem for stem, begins in stems if not begins),
        tuple(stem for stem, begins in stems if begins),
        tuple(stem for stem, _ in stems if " " in stem),
    )


def _pieces(tokens: list[str], *, join: bool) -> Iterator[str]:
    yield from tokens
    for start in range(len(tokens)):
        single = start
        while single < len(tokens) and len(tokens[single]) == 1:
            single += 1
        if single - start > 2:
            yield "".join(tokens[start:single])
        if join:
            for end in range(start + 2, min(start + MAX_JOINED, len(tokens)) + 1):
                yield "".join(tokens[start:end])


def _skeleton(text: str) -> str:
    return fold(text).translate(_LOOKS_A_LETTER).replace("rn", "m").replace("vv", "w")


def _tokens(text: str) -> list[str]:
    return [token for token in _SPLIT.split(fold(text)) if token]


_FOLDED_AFFIRMING = frozenset(fold(word) for word in AFFIRMING)
