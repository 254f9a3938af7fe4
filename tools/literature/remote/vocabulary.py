"""Words that are no names: `is_word`. What may leave without anybody being asked holds no others.

They are those of `tools/privacy/data/words.txt`, of the tables of questions and synonyms, and what is made of these or
ends as only medicine does. Many names are words, too, such as Grace or Young: these are not told from them here.
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
"""How words of medicine end and hardly any name does; our choice."""
_LONG = 7
"""Letters of a word, at least, that is known by its ending; our choice."""
_SYNTAX = frozenset("and or not to mh mesh majr noexp tiab tw dp pt title abstract auth pub year mrn".split())
"""What servers' own syntax is made of, and a label that may be left of a number."""
_STARTS = re.compile(
    r"(?:anti|bi|cardio|chemo|co|de|dis|electro|endo|extra|gastro|hyper|hypo|immuno|in|inter|intra|iso|macro|micro|mid|"
    r"mis|mono|multi|myo|nano|neo|neuro|non|out|over|para|patho|peri|poly|post|pre|pro|pseudo|psycho|radio|re|semi|sub|"
    r"super|supra|thermo|thrombo|trans|tri|ultra|un|under|vaso)-?(?=[a-z]{4})"
)


@lru_cache(maxsize=4_096)
def is_word(word: str) -> bool:
    """Whether a word, in any letter case, is one of English or of medicine, as far as the lists here go."""
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
