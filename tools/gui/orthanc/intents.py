"""Closed grammar of requests for Orthanc: a request is refused unless every word has a role in it.

A request is an opening such as "please", one order, its object, and a patient:

    delete the study "CHEST CT" of patient Doe^Jane

An extra word may invert the meaning ("do not delete", "all except", "before deleting"), so a word without a role is
reported and the request refused. Quoted text is a description or a name, whatever its words.
"""

from __future__ import annotations

import re

from tools.errors import ConfigError

KINDS: dict[str, str] = {
    "delete_study": r"delete|remove|erase|lösche|lösch|löschen sie|entferne|entfern|entfernen sie",
    "anonymise_study": r"anonymi[sz]e|de-?identify|anonymisiere|anonymisieren sie",
    "download_study": r"download|save|export|exportiere|exportieren sie|herunterladen",
    "open_study": r"open|show(?: me)?|view|öffne|öffnen sie|zeige?(?: mir)?|zeigen sie(?: mir)?",
    "find_patient": r"find|finde|finden sie|search|look up|look|suche?|suchen sie",
}
"""The built-in workflows, by the orders that select them."""
FORM = 'such as: open the study "CHEST CT" of patient Doe^Jane'

_OPENING = r"(?:(?:please|bitte|(?:can|could|would|will) you please|i want to|i would like to),? )?"
_ENDING = r"(?:,? (?:please|bitte))?"
_ARTICLE = r"(?:(?:the|a|die|eine) )?"
_QUOTED = r"""(?<!\S)(?:"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|‘[^‘’]+’|‚[^‚‘’]+[‘’]|«[^«»]+»|»[^«»]+«|'[^']+')(?!\S)"""
_MARKS = "\"'“”„‘’‚«»"
_PATIENT = r"(?:(?:the|dem|der|den|des) )?(?:patient(?:en|in)?)"
_WHOSE = rf"(?:(?:of|for|von|für) (?:{_PATIENT} )?|(?:from|des|der) (?:patient(?:en|in)?|the patient) )"
_NAME = rf"(?P<name>{_QUOTED}|.+?)"
_STUDY = rf"{_ARTICLE}(?:(?P<before>{_QUOTED}) )?(?:study|studie)(?: (?P<after>{_QUOTED}))?"
_ABOUT_STUDY = re.compile(rf"{_STUDY} {_WHOSE}{_NAME}{_ENDING}", re.IGNORECASE)
_ABOUT_PATIENT = re.compile(
    rf"(?:(?:for|nach) |{_ARTICLE}(?:study|studies|studie|studien) {_WHOSE})?(?:{_PATIENT} )?{_NAME}{_ENDING}",
    re.IGNORECASE,
)
_NAMES_PATIENT = re.compile(rf"(?:(?:for|nach) |{_PATIENT} |.*? {_WHOSE})", re.IGNORECASE)
_BEFORE_NAME = re.compile(rf"(?<!\S)(?:{_WHOSE}|{_PATIENT} )", re.IGNORECASE)
_ORDER = {
    kind: re.compile(rf"{_OPENING}(?P<order>{words}) (?P<about>.+)", re.IGNORECASE) for kind, words in KINDS.items()
}
_PARTS = re.compile(
    rf"please|bitte|the|a|die|eine|study|studie|of|for|from|von|für|dem|der|den|des|patient(?:en|in)?|{_QUOTED}",
    re.IGNORECASE,
)
_NO_NAMES = frozenset(
    "patient patienten patientin patients study studies studie studien series serie serien image images bild bilder "
    "name names id who wer was has have hat does do did don't don’t dont cannot not no none never nor nicht nie "
    "niemals kein keine keinen except but unless without ausser außer ohne aber only nur all alle every and or und "
    "oder before after until bevor nachdem bis if when wenn falls then dann instead of for from".split()
)
"""Words that no name has unless it is quoted: a request continues with them."""
_NOBODY = frozenset("the dem der den des patient patienten patientin patients".split())


def read_goal(goal: str) -> tuple[str, str, str]:
    """Return the workflow that a request selects, the patient as named, and the study's description ("" if missing).

    Args:
        goal: in English or German; description and name may be in quotes of any kind.

    Raises:
        ConfigError: if any word has no role, if it is a question or empty, or if it names no patient.
    """
    text = " ".join(goal.split()).rstrip(" .!")
    if not text:
        raise ConfigError("invalid request: it is empty.", expected=FORM)
    for kind, order in _ORDER.items():
        found = order.fullmatch(text)
        if found is None:
            continue
        about = (_ABOUT_PATIENT if kind == "find_patient" else _ABOUT_STUDY).fullmatch(found["about"])
        if about is None:
            raise _refused(goal, found["about"])
        if kind == "find_patient" and not _NAMES_PATIENT.match(found["about"]):
            raise ConfigError(
                f"invalid request {goal!r}: it names no patient.", expected="such as: find patient Doe^Jane"
            )
        parts = about.groupdict()
        described = parts.get("before") or parts.get("after") or ""
        if parts.get("before") and parts.get("after"):
            raise _not_understood(goal, [parts["after"] or ""])
        if described and not described[1:-1].strip():
            raise _not_understood(goal, [described])
        return kind, _name(goal, about["name"]), described[1:-1].strip()
    first = re.sub(rf"^{_OPENING}", "", text, flags=re.IGNORECASE)
    if _is_order(first):
        raise ConfigError(f"invalid request {goal!r}: it names no patient.", expected=FORM)
    strange = [word for word in _strange(_BEFORE_NAME.split(first, maxsplit=1)[0]) if not _is_order(word)]
    raise _not_understood(goal, strange or first.split()[:1], "asks for nothing that can be done in Orthanc")


def _name(goal: str, words: str) -> str:
    """Return the patient as named, unquoted. Raises ConfigError if an unquoted name continues with other words."""
    if re.fullmatch(_QUOTED, words):
        if name := words[1:-1].strip():
            return name
        raise ConfigError(f"invalid request {goal!r}: it names no patient.", expected=FORM)
    name = words.strip(" ,")
    strange = [word for word in name.split() if word.strip(",;:").casefold() in _NO_NAMES or _is_quoted(word)]
    strange += [word for word in name.split()[-1:] if word.endswith("?")]
    if all(word.casefold() in _NOBODY for word in name.split()):
        raise ConfigError(f"invalid request {goal!r}: it names no patient.", expected=FORM)
    if strange:
        raise _not_understood(goal, strange)
    return name


def _is_quoted(word: str) -> bool:
    return word[0] in _MARKS or word[-1] in _MARKS


def _is_order(words: str) -> bool:
    return any(re.fullmatch(known, words, re.IGNORECASE) for known in KINDS.values())


def _refused(goal: str, about: str) -> ConfigError:
    """Return why the words after an order are invalid."""
    head = _BEFORE_NAME.split(about, maxsplit=1)[0]
    strange = _strange(head)
    if not strange and head == about:
        return ConfigError(f"invalid request {goal!r}: it names no patient.", expected=FORM)
    if not strange and not re.search(r"\bstud(?:y|ie)\b", head, re.IGNORECASE):
        return ConfigError(f"invalid request {goal!r}: it names no study.", expected=f"a study, {FORM}")
    return _not_understood(goal, strange or about.split()[:1])


def _strange(text: str) -> list[str]:
    """Return the words without a role in any request, quoted ones in one piece."""
    return [found[0] for found in re.finditer(rf"{_QUOTED}|\S+", text) if not _PARTS.fullmatch(found[0].strip(",;:"))]


def _not_understood(goal: str, words: list[str], problem: str = "is not understood") -> ConfigError:
    quoted = ", ".join(map(repr, words))
    return ConfigError(
        f"{goal!r} {problem}: {quoted} {'has' if len(words) == 1 else 'have'} no role in it, and no word is ignored.",
        expected="one order to find a patient, or to open, download, anonymise or delete one study, with its "
        f"description, and names of unusual words, in quotes, {FORM}",
        remedy="A model plans other requests: name one with --model, and a policy with --policy.",
    )
