"""Words of instructions in English, German, Spanish, French and Italian: verbs, controls, relations, places, ordinals.

The lists are our choice. Longer phrases stand before shorter ones that begin them wherever order matters.
"""

from __future__ import annotations

from tools.wordlists import load_words

_LISTS = load_words(__package__, "lexicon")

VERBS = "|".join(_LISTS["verbs"])
AT = "|".join(_LISTS["at"])
PLACED = "that is |which is |which |located |shown |placed |found "
BY = "|".join(_LISTS["by"])
"""How the means is named by which something is done."""
BARS = "|".join(_LISTS["bars"])
"""What bars are called that have no name on the screen."""
NOUNS = "|".join(_LISTS["nouns"])
"""Nouns that say what a name stands for."""
PLACES = "|".join(_LISTS["places"])
"""Nouns after a name that say what it leads to."""
MORE = "final|initial|respective|corresponding|relevant|appropriate|desired"
"""What is said of a control, and hardly ever stands on it."""
GROUPS = "options|tools|utilities|choices|commands|presets|modes"
"""Nouns after a name that say what kind of things are to be chosen from."""
COLOURS = "|".join(_LISTS["colours"])
LOOKS = "|".join(_LISTS["looks"])
"""Words that tell how an icon looks and hardly ever what it is called."""
COMPOUND = (
    r"\b(das|dem|den|die|der|des|ins|im|am|zum|zur)\s+(?!eingabe|text|such|auswahl|options|dialog)(\w{3,}?)-?"
    r"(symbol|icon|knopf|schaltfläche|taste|button|feld|fenster|zeile)\b"
)
"""What German writes as one word: "das Papierkorbsymbol"; without an article it may be a name, such as Rosenfeld."""
SENDING = "|".join(_LISTS["sending"])
"""Verbs after which "to" tells no purpose."""
HOLDING = r"with|holding|containing|that (?:has|holds|contains|says|reads|shows)|mit|in dem"
"""What tells a field by what it holds: "the one with the 1 in it"."""
EMPTY = r"empty|blank|leere?[nrsm]?"
"""What a field is, and never what it is called."""
SETTING = r"set|change|switch|turn"
"""Verbs after which "to" tells a value: "set Planar to Yes"."""
UNFOLD = r"expand|unfold|pull down|drop down|klappen sie|klappe?"
"""What is done with a list to choose from, and with no other."""
CALLED = "|".join(_LISTS["called"])
CLICKS = "|".join(_LISTS["clicks"])
r"|haga|haz|puls|presion|(?:double-?)?cliqu|appuy|fai|fare|clicca|premi"
"""How verbs begin that never stand on a control themselves."""
WIZARD = "wizard|assistant|assistent"
"""A dialog of several pages; menus often have an entry of that name, too."""
SHUT = "|".join(_LISTS["shut"])
LAST_VERBS = "|".join(_LISTS["last verbs"])
"""German verbs at the end of what is to be done."""
CONFIRMING = "confirm|acknowledge|apply(?:ing)?|bestätigen sie|bestätige"
TYPING = "|".join(_LISTS["typing"])
STEPPING = "increase|raise|decrease|reduce|increment|decrement"
"""What is done with a number in a field."""
INTO = "|".join(_LISTS["into"])
PURPOSES = "|".join(_LISTS["purposes"])

KINDS: dict[str, str] = {name: "|".join(words) for name, words in load_words(__package__, "kinds").items()}
"""Kinds of controls, each with the words that name it; the first kind that fits wins."""

REGIONS: tuple[tuple[str, frozenset[str]], ...] = tuple(
    ("|".join(words), frozenset(sides.split())) for sides, words in load_words(__package__, "regions").items()
)
"""Parts of a screen, longest phrases first."""

RELATIONS: tuple[tuple[str, str], ...] = tuple(
    (name, "|".join(words)) for name, words in load_words(__package__, "relations").items()
)
"""How a target stands to what is named after it."""
FIRM_RELATIONS = ("left_of", "right_of", "below", "above", "beside")
"""Those whose words hardly ever belong to a label."""

MIDDLE = 99
ORDINALS: dict[str, int] = {
    word: {"middle": MIDDLE, "last": -1}.get(place) or int(place)
    for place, words in load_words(__package__, "ordinals").items()
    for word in words
}
"""1 is the first; -1 the last; `MIDDLE` the one with as many before it as after it."""

SPELLINGS: dict[str, str] = {
    british: american for british, american in map(str.split, load_words(__package__, "spellings")["spellings"])
}
"""British spellings, and the American ones."""
ABBREVIATIONS: dict[str, str] = SPELLINGS | {
    short: whole for short, whole in map(str.split, load_words(__package__, "spellings")["abbreviations"])
}
"""Short forms that people and programs use for one another's words."""
ARTICLES = "|".join(_LISTS["articles"])
ORDER = "|".join(_LISTS["order"])
POLITE = r"please|bitte|por favor|s'il vous plaît|per favore"
