"""Qualifiers of subjects with the same name: `designators`, such as the D of vitamin D and the 2 of type 2 diabetes,
and `opposed`, mutually exclusive words, such as acute and chronic.

The lists are for English, and our choice. A Roman number equals the Arabic one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tools.wordlists import load_words

_LISTS = load_words(__package__, "qualifiers")

_HEADS = "|".join(_LISTS["heads"])
_GREEK = {"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "κ": "kappa", "λ": "lambda",
          "ω": "omega", "alfa": "alpha"}  # fmt: skip
_ROMAN = {word: str(number) for number, word in enumerate(
    "i ii iii iv v vi vii viii ix x xi xii xiii".split(), start=1)}  # fmt: skip
_ONE = (
    r"(?:alpha|alfa|beta|gamma|delta|epsilon|kappa|lambda|[αβγδεκλω]|[A-Z]\d{0,2}|(?:X{0,1}(?:IX|IV|V?I{0,3}))[A-Ca-c]?|"
    r"\d{1,2}[A-Da-d]?)(?![\w%]|[.,]\d)"
)
_SMALL = r"[b-hk]\d{0,2}(?![\w%'’.-])|a(?= (?:vaccin|virus|deficien|infection|supplement))"
_NAMED = re.compile(
    rf"(?<!\w)(?P<head>(?i:{_HEADS}))(?: ?[-–] ?| )(?P<first>{_ONE}|(?i:al(?:ph|f)a|beta|gamma)(?!\w)|{_SMALL})"
    rf"(?P<rest>(?:(?:(?:, ?(?:and|or) | ?, ?| and | or | vs\.? | versus | to | ?[-–/] ?)(?:(?P=head) )?){_ONE})*)"
)
_RANGE = re.compile(r"(?<!\w)([IVX]+|\d{1,2})(?: ?[-–] ?| to )([IVX]+|\d{1,2})(?!\w)")
_SAME_HEAD = {"ifn": "interferon", "apo": "apolipoprotein", "ig": "immunoglobulin", "hhv": "herpesvirus"}
_OTHERWISE = tuple(
    (re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE), head, one)
    for pattern, head, one in (
        ("hav", "hepatitis", "a"), ("hbv|hbsag", "hepatitis", "b"), ("hcv", "hepatitis", "c"),
        ("hdv", "hepatitis", "d"), ("hev", "hepatitis", "e"),
        ("t1dm?|iddm|insulin[- ]dependent diabetes", "type", "1"),
        ("t2dm?|niddm|non[- ]insulin[- ]dependent diabetes", "type", "2"),
        ("ascorbic acid|ascorbate", "vitamin", "c"), ("(?:chole|ergo)?calciferol|calcitriol", "vitamin", "d"),
        ("(?:alpha-)?tocopherols?", "vitamin", "e"), ("retinol|retinyl palmitate", "vitamin", "a"),
        ("phylloquinone|menaquinones?|phytonadione", "vitamin", "k"), ("(?:cyano|hydroxo)?cobalamin", "vitamin", "b12"),
        ("pyridoxine", "vitamin", "b6"), ("thiamine?", "vitamin", "b1"),
        ("fviii", "factor", "8"), ("fix", "factor", "9"),
    )
)  # fmt: skip
_OPPOSED = tuple(
    tuple((name, re.compile(rf"(?<![\w-])(?:{pattern})(?!\w)", re.IGNORECASE)) for name, pattern in group)
    for group in (
        (
            ("children", r"child(?:ren)?|infants?|neonat\w+|newborns?|toddlers?|pa?ediatric|adolescents?|teenagers?"),
            ("adults", r"adults?|elderly|older (?:people|patients|persons)|aged"),
        ),
        (("acute", "acute"), ("chronic", "chronic")),
        (("men", "m[ae]n|males?|boys?"), ("women", "wom[ae]n|females?|girls?")),
        (("premenopausal", "pre-?menopausal"), ("postmenopausal", "post-?menopausal")),
        (
            ("people", "humans?|patients?|people|volunteers?|adults?|child(?:ren)?|men|women|participants"),
            ("animals or cells", r"in vitro|mice|mouse|murine|rats?|rabbits?|cell lines?|zebrafish"),
        ),
    )
)  # fmt: skip


def designators(text: str) -> dict[str, frozenset[str]]:
    """Return the qualifiers after words that need one, by these words: {`type`: {`2`}, `vitamin`: {`c`, `d3`}}."""
    found: dict[str, set[str]] = {}
    for match in _NAMED.finditer(text):
        head = re.sub(r"^\w*vitamin", "vitamin", match["head"].casefold().split()[-1])
        head = "class" if head.startswith("class") else head if head.endswith("is") else head.rstrip("s")
        named = found.setdefault(_SAME_HEAD.get(head, head), set())
        qualifier = match["first"] + match["rest"]
        named |= {_plain(match["first"]), *map(_plain, re.findall(rf"(?<!\w){_ONE}", match["rest"]))}
        for first, last in _RANGE.findall(qualifier):
            ends = [_plain(end) for end in (first, last)]
            if all(map(str.isdigit, ends)):
                named |= {str(number) for number in range(int(ends[0]), int(ends[1]) + 1)}
    for pattern, head, one in _OTHERWISE:
        if pattern.search(text):
            found.setdefault(head, set()).add(one)
    greek = set(_GREEK.values())
    if found.get("interferon", set()) & greek:  # the 2b of alpha-2b is less specific
        found["interferon"] &= greek
    return {head: frozenset(named - {""}) for head, named in found.items() if named - {""}}


def agree(asked: Mapping[str, frozenset[str]], held: Mapping[str, frozenset[str]]) -> bool:
    """Return whether no qualifier of the question differs in the text; one that the text lacks does not matter."""
    return not any(
        head in held and not any(_same(one, other) for one in some for other in held[head])
        for head, some in asked.items()
    )


def misnamed(claim: str, evidence: Sequence[str]) -> list[str]:
    """Return the qualified names of a claim that none of its evidence has, where the first text that names the kind
    decides; in words, such as `type 2`.

    Args:
        claim: the claim.
        evidence: quoted sentences, then titles, then the rest of the documents.
    """
    held = [designators(text) for text in evidence]
    wrong = []
    for head, some in designators(claim).items():
        named = next((one[head] for one in held if head in one), frozenset())
        wrong += [f"{head} {one.upper() if len(one) < 3 else one}" for one in sorted(some)
                  if not any(_same(one, other) for other in named)]  # fmt: skip
    return wrong


def opposed(claim: str, evidence: Sequence[str]) -> tuple[str, str]:
    """Return a word of a claim for which its evidence has only the opposite, with that one, where the first text that
    has either decides; both empty if there is none.

    Args:
        claim: the claim.
        evidence: quoted sentences, then titles, then the rest of the documents.
    """
    for group in _OPPOSED:
        named = [name for name, pattern in group if pattern.search(claim)]
        for text in evidence:
            names = [name for name, pattern in group if pattern.search(text)]
            if names:
                if len(named) == 1 and named[0] not in names:
                    return named[0], names[0]
                break
    return "", ""


def _plain(one: str) -> str:
    lower = one.strip().casefold()
    lower = _GREEK.get(lower, lower)
    if lower in _ROMAN and (len(lower) > 1 or lower in "ivx"):
        return _ROMAN[lower]
    if len(lower) > 1 and lower[-1] in "abc" and lower[:-1] in _ROMAN:
        return _ROMAN[lower[:-1]] + lower[-1]
    return lower


def _same(one: str, other: str) -> bool:
    """Return whether two qualifiers agree as far as both go: D and D3 do, III and IIIB, but not B6 and B12."""
    short, long = sorted((one, other), key=len)
    return long == short or (
        long.startswith(short) and (short[-1:].isdigit() != long[len(short)].isdigit()) and len(short) < 3
    )
