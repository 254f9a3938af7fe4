"""A question in another language than English is answered in that language: that only English is understood."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache

from agent.models.embedded.rules.question import QUOTED
from tools.wordlists import load_words

LEAST_WORDS = 2
"""Words of another language that make a question one of it; fewer may be a name."""
_SCRIPTS = {"CJK": "zh", "HIRAGANA": "ja", "KATAKANA": "ja", "HANGUL": "ko", "CYRILLIC": "ru", "ARABIC": "ar"}


def only_english(question: str) -> str | None:
    """Return the answer to a question in another language, in that language; None where it may be English."""
    letters = [character for character in question if character.isalpha()]
    scripts = Counter(unicodedata.name(character, "?").split()[0] for character in letters)
    found = {_SCRIPTS[script]: number for script, number in scripts.items() if script in _SCRIPTS}
    if sum(found.values()) * 2 > len(letters):
        return _answers()["ja" if "ja" in found else max(found, key=lambda name: found[name])]
    plain = QUOTED.sub(" ", question)
    found_words = re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", plain)
    # A capital within a question begins a name; the lists hold no German nouns.
    words = [word.lower() for at, word in enumerate(found_words) if at == 0 or not word[0].isupper()]
    scores = {name: sum(word in known for word in words) for name, known in _words().items()}
    best = max(scores, key=lambda name: scores[name])
    english = sum(word in _ENGLISH for word in words)
    return _answers()[best] if scores[best] >= LEAST_WORDS and scores[best] > english else None


_ENGLISH = frozenset(
    "what who where when how many much is are the a an of on in do does you see this that there it and to can was were "
    "did any which why tell me for with has have".split()
)


@cache
def _answers() -> dict[str, str]:
    return {
        name: f"{lines[0].removeprefix('=')} (I only understand English.)"
        for name, lines in load_words(__package__, "languages").items()
    }


@cache
def _words() -> dict[str, frozenset[str]]:
    found = load_words(__package__, "languages").items()
    return {name: frozenset(lines[1:]) for name, lines in found if len(lines) > 1}
