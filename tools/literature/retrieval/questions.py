"""What a question asks for, by its words: which carry its meaning, and whether it can be answered by yes or no."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from tools.literature.retrieval.tokens import american, tokens

_EMPTY = frozenset(
    """
    a an the is are was were be been being do does did can could may might must should shall will would has have had of
    in on at to for from by with as and or but if than that this these those there here it its their they them we our us
    you your i me my he she his her who whom whose which what when where why how any all some both each either such same
    other more most less least very so too also only just about into over under between among after before during
    through within versus vs per via not no nor use used using make makes made get gets among against because while
    """.split()
)
_GENERAL = frozenset(
    """
    able absence absent accept according accurate achieve add additional adequate adult advantage advice affect age aged
    aid aim allow almost alone alter alternative always amount analysis appear apply approach appropriate area ask
    assess assessment associate association assume attempt available average avoid aware away back bad base baseline
    become begin believe beneficial benefit big body bring call care carry case cause center certain chance change check
    child choice choose class clear clinic clinical clinician close cohort combine come common compare comparison
    complete complicate complication concern conclude conclusion condition confirm connect consequence consider
    contribute control cost count country course cover criteria cure current cut daily damage danger data day dead deal
    death decide decision decrease define degree demonstrate depend describe detect determine develop development
    device diagnose diagnosis die differ difference different difficult direct disease disorder doctor document dose
    drop drug early ease easy effect effective effectiveness efficacy effort end enough equal especially estimate
    evaluate event evidence examine example exist expect experience explain expose exposure extent factor fail fall
    family far fast feel female few find fix follow form free frequent full function further future gain general give
    go good great group grow guide half hand happen hard harm health healthy heal help high history home hospital hour
    human hurt idea identify ill illness illustrate impact important improve improvement include incidence increase
    independent indicate individual influence information initial instead involve issue itself keep kind know lack large
    last late lay lead leave left length let level life light like likely limit line link list little live local long
    look lot low main major male man manage management mark material matter mean measure medical medication medicine
    method middle mild mind minor model moderate modify month mortality mostly move much need negative never new night
    normal note number observe obtain occur offer often old once one onset open option order outcome overall own pain
    part participant particular patient people per perform performance period person physician pill place plan play
    point poor population positive possible potential practice predict predictor presence present pressure prevalence
    prevent prevention previous primary prior problem procedure process produce program progress promote prospective
    protect prove provide public purpose put quality question quick random randomized rate rather ratio reach real
    reason receive recent recommend record recover recovery reduce reduction regard relate relation relationship release
    reliable remain remedy repeat report require research respond response rest result retrospective return reveal right
    rise risk role rule run safe safety same sample save say score second see seem select sense series serious set
    severe severity sex share short show sick side sign significant similar simple since single size small solve
    someone sort special specific stage standard start state stay step still stop strong study subject success
    successful suffer sufficient suggest suitable support sure survey survival survive symptom system tablet take talk
    technique tell term test thing think time today together tool total treat treatment trial trouble true try turn type
    typical understand unit useful usual valid value variable vary way week well whole wide woman work world worse worth
    wrong year yield young
    """.split()
)
"""Words that papers on anything have, and lay words for what medicine does; our choice. They name no subject."""
_NAME = re.compile(  # a code, or the ending of a name
    r"^[a-z][a-z-]*\d|"
    r"(?:itis|osis|[ae]sis|a?emia|oma|pathy|[eo]ctomy|otomy|ostomy|plasty|scopy|graphy|tension|thyroidism|virus|mab|"
    r"nib|pril|artan|cillin|m[iy]cin|azole|parin|gliptin|flozin|glutide|olol|pine|epam|olam|caine|bital|triptan|setron|"
    r"tidine|oxacin|cycline|[aeio]vir|profen|amide|azide|iazide|oxide|[hn]ide|ride|sone|lone|rone|xone|idone|zone|"
    r"amine|[dr]ine|(?<!a)in|enol|erol|ium|ase|rh?ea|plegia|algia|trophy|cyte|thorax|monia|pn[eo]a|uria|lysis|"
    r"megaly|phagia|phasia|dynia|edema|cele|spasm|oid)s?$"
)
_SHORTEST_NAME, _SHORTEST_CODE = 6, 3
"""Letters of a word that its ending makes a name, and signs of a code; our choice."""
_NO_NAMES = frozenset(
    """
    origin margin machine doctrine marine submarine bride pride disease decrease increase release database purchase
    phase please protein medium premium stadium cousin virgin override emphasis hypothesis synthesis extension herein
    wherein therein reanalysis diploma
    """.split()
)
"""Words that end like a name."""
_FAMILIES = {
    "reduct": "reduc", "diagnosi": "diagnos", "diagnost": "diagnos", "surgeri": "surg", "surgic": "surg",
    "therapeut": "therapi", "children": "child", "women": "woman", "men": "man", "infecti": "infect",
    "predictor": "predict", "operat": "oper", "death": "die", "dead": "die", "feet": "foot",
    "teeth": "tooth", "mice": "mous", "laparoscopi": "laparoscop", "laparot": "laparotomi",
    "symptomat": "symptom", "arthrit": "arthriti", "worsen": "wors", "elder": "elderli", "older": "old",
    "higher": "high", "lower": "low", "longer": "long", "shorter": "short", "safeti": "safe", "efficaci": "effect",
}  # fmt: skip
"""Forms of one word that the rules of the stemmer leave apart; our choice."""
PLAIN = 5.2
"""Letters of a word in the mean, below which a question is in plain words; our choice."""
_REVERSED = re.compile(
    r"\b(?:un)?safe(?:ty|ly)?\b|\bharm|\bdanger|\bside effects?\b|\badverse\b|\btoxic|\btolera|\bcomplication|"
    r"\bnon-?inferior|\binferior|\bequivalen|\bas (?:\w+ )?(?:well|good|effective|safe|accurate|reliable) as\b|"
    r"\bdiffer|\bsimilar|\bcontraindicat|\bineffective|\bineffectual|\buseless|\bfutile|\bunnecessary|\b(?:no|not|n't|without|unlikely|fail|lack)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"(?:^|[:;.,?!–-]\s*)(?:and |or |but )?(?:is|are|was|were|does|do|did|can|could|should|may|might|will|would|has|"
    r"have|had)\b[^?]*\?|\bor not\b|\bwhether\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\?|^\s*(?:is|are|was|were|does|do|did|can|could|should|may|might|will|would|has|have|had|what|which|who|when|where|"
    r"why|how)\b",
    re.IGNORECASE,
)
_SYNTAX = re.compile(r"[\[\]\"*]|\b(?:AND|OR|NOT)\b")


def stems(text: str) -> frozenset[str]:
    """The stems of the words of a text that carry its meaning."""
    return frozenset(stem(word) for word in tokens(text) if word not in _EMPTY)


@lru_cache(maxsize=65_536)  # the same words come again and again
def stem(word: str) -> str:
    """What the forms of an English word have in common, by Snowball's rules, in American spelling."""
    import snowballstemmer

    # One stemmer for each word: they hold state, and threads would share it.
    found = snowballstemmer.stemmer("english").stemWord(american(word))
    return _FAMILIES.get(found, found)


def names(text: str) -> frozenset[str]:
    """The stems of the words that look like a code, or the name of a substance, a disease or a procedure."""
    return frozenset(
        stem(word)
        for word in tokens(text)
        if len(word) >= (_SHORTEST_NAME if word.isalpha() else _SHORTEST_CODE)
        and _NAME.search(word)
        and word not in _NO_NAMES
        and not is_general(word)
    )


def is_general(word: str) -> bool:
    """Whether a word, or a stem, names no subject."""
    return word in _EMPTY or stem(word) in _general()


@cache
def _general() -> frozenset[str]:
    return frozenset(map(stem, _GENERAL))


def keywords(question: str) -> str:
    """A question as words to search for, without those that only make it a question.

    Servers look for documents with all words of a query, and few abstracts hold "does". What is no question in words,
    such as words alone or a query in a server's own syntax, stays as it is.
    """
    if _SYNTAX.search(question) or not _ASKS.search(question):
        return question
    words = re.findall(r"[^\s?!,;:()]+", question)
    return " ".join(word for word in words if word.casefold().strip(".'’") not in _EMPTY) or question


def is_yes_no(question: str) -> bool:
    """Whether a question can be answered by yes or no."""
    return bool(_YES_NO.search(question.strip()))


def asks_for_effect(question: str) -> bool:
    """Whether what a paper found, or did not find, is a yes, or a no, to a question.

    Whether something is safe, or no worse than something else, may be answered with yes by a paper that found nothing.
    """
    return is_yes_no(question) and not _REVERSED.search(question)


def in_plain_words(question: str) -> bool:
    """Whether a question has the short words of every day, not those of papers."""
    words = tokens(question)
    return bool(words) and sum(map(len, words)) < PLAIN * len(words)
