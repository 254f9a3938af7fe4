"""Vocabulary of ordinary words: `is_word`. Queries that may leave unasked have no other words.

Consists of `tools/privacy/data/words.txt`, the tables of questions and synonyms, their inflections, and words with
endings that only medicine uses. Names that are also words, such as Grace or Young, are not distinguished here.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from tools.literature.retrieval.questions import is_general, stem
from tools.literature.retrieval.synonyms import table_words
from tools.privacy.words import word_set

_ENDINGS = re.compile(
    r"(?:mab|nib|statin|pril|sartan|olol|[cnf]azole|cillin|mycin|oxacin|cycline|parin|xaban|gliptin|gliflozin|glutide|"
    r"azepam|itis|osis|oses|iasis|[a-z]oma|omas|a?emia|uria|pathy|plasty|ectomy|otomy|ostomy|scopy|graphy|plegia|algia|penia|"
    r"lysis|genesis|thoracic|venous|[ae]rterial|trophic|genic|lateral)$"
)
"""Endings of medical words that hardly any name has; our choice."""
_LONG = 7
"""Minimum letters of a word recognised by its ending."""
_SYNTAX = frozenset("and or not to mh mesh majr noexp tiab tw dp pt title abstract auth pub year mrn".split())
"""Words of servers' own syntax, and labels that may remain of a number."""
_STARTS = re.compile(
    r"(?:anti|bi|cardio|chemo|co|de|dis|electro|endo|extra|gastro|hyper|hypo|immuno|in|inter|intra|iso|macro|micro|mid|"
    r"mis|mono|multi|myo|nano|neo|neuro|non|out|over|para|patho|peri|poly|post|pre|pro|pseudo|psycho|radio|re|semi|sub|"
    r"super|supra|thermo|thrombo|trans|tri|ultra|un|under|vaso)-?(?=[a-z]{4})"
)


@lru_cache(maxsize=4_096)
def is_word(word: str) -> bool:
    """Return whether a word, in any letter case, is in the lists of English or medical words."""
    lower = re.sub(r"['’]s?$", "", word.casefold())
    if len(lower) < 3 or lower in _SYNTAX or word in _words() or is_general(lower) or stem(lower) in _stems():
        return True
    if len(lower) >= _LONG and _ENDINGS.search(lower):
        return True
    start = _STARTS.match(lower)
    return bool(start) and stem(lower[start.end() :]) in _stems()  # type: ignore[union-attr]


@cache
def _stems() -> frozenset[str]:
    return frozenset(stem(word) for word in _words() | table_words() if word.islower())


def _words() -> frozenset[str]:
    return word_set("words")
