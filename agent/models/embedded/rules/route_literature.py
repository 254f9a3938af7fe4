"""Which questions are for the medical literature, how it is asked, and what its tool found, in an answer.

A question is, if it asks how something clinical bears on something else, or for studies of it, and points at nothing
that is seen: "Does aspirin prevent strokes?" is, "Is the patient holding aspirin?" is not. Others, which name a
substance, a disease or a procedure and nothing that can be recognised in a picture, are put to it as well, and answered
as before where it knows nothing of them: "What about tocilizumab for giant cell arteritis?".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.models.embedded.imagenet import concepts
from tools.literature.retrieval.questions import is_general, names
from tools.literature.retrieval.synonyms import synonyms
from tools.literature.support.answer import NOTHING, NOTICE
from tools.literature.tool import DISAGREE, IS, NAME, SAYS
from tools.wordlists import load_words

_LISTS = load_words(__package__, "clinical")

QUOTED = 3
"""Sentences that an answer quotes; our choice."""
Known = dict[str, Any]

_TECHNICAL = re.compile(rf"\b(?:{'|'.join(_LISTS['technical'])})\b", re.IGNORECASE)
_MEDICAL = re.compile(rf"\b(?:{'|'.join(_LISTS['medical'])})\b", re.IGNORECASE)
_BEARS = re.compile(rf"\b(?:{'|'.join(_LISTS['bears'])})\b", re.IGNORECASE)
_PAPERS = re.compile(rf"\b(?:{'|'.join(_LISTS['papers'])})\b", re.IGNORECASE)
_YES_NO = re.compile(rf"(?:^|[:,.] )(?:{'|'.join(_LISTS['yes no'])})\b(?! there)", re.I)
_SEEN = re.compile(
    r"\b(?:see|seen|saw|look|looks|looking|shown|visible|appears?|appeared|watch\w*|frames?|pictures?|photos?|videos?|"
    r"clips?|scenes?|screen|camera|footage|recording|film|on (?:the|this) (?:left|right|table|wall|label|sign|box)|"
    r"in the (?:background|foreground|room|corner)|wear(?:s|ing)?|holding|standing|sitting|walking|colou?rs?|read|"
    r"written|label|sign says|say here|right now|currently|at the moment|just now|so far|earlier|"
    r"(?:this|that) (?:image|scan|x-ray|slide|one|bottle|box|pill|drug|thing|object|device|medication|medicine)|"
    r"(?:the|this|that|his|her|their) (?:patient|man|woman|person|child|boy|girl|doctor|nurse|surgeon|physician|baby)|"
    r"he|she|him|his|her|hers|here)\b|\d{1,2}:\d{2}|^(?:is|are|was|were) (?:this|that|these|those)\b",
    re.IGNORECASE,
)
"""What is seen: the words for seeing, for places in a picture, and for somebody who is in it."""
_STORY = re.compile(
    r"^(?:who|whose|whom|where)\b|^(?:why|how|what|which|when)\b[^?]*\b(?:did|didn't|was|were|will|couldn't|wouldn't)\b",
    re.IGNORECASE,
)
"""Questions of what happened to somebody, as in a film that tells a story."""
_POINTED = re.compile(
    r"\b(?:the(?! (?:medical |clinical )?(?:literature|evidence|use|role|effects?|risks?|treatment|management|"
    r"diagnosis|prognosis|dose|safety|efficacy|benefits?)\b)|this|that|these|those|my|your|our|i|we|me|it|they)\b|"
    r"\b(?:is|are|was|were|any) there\b|^(?:when|where|how (?:many|often|long|much)|count|describe|summari[sz]e|read|"
    r"find|show|point|name|list|tell me when|watch|call|warn|if)\b",
    re.IGNORECASE,
)
"""Words that point at something known to both, at a moment or a place, or ask for a task."""
_OF_PAPERS = frozenset({"cell", "depression", "fluid", "organ", "plaque", "site", "tissue", "alcohol", "ligament"})
"""What can be recognised in a picture, and is something else, or as often asked of papers; our choice."""
_SOME_PAPERS = (
    r"(?:the |any |some |recent )*(?:medical |clinical |published )?"
    r"(?:literature|pubmed|medline|papers?|studies|trials?|evidence|research)"
)
_FRAME = re.compile(
    r"^(?:(?:and |please |so )*(?:"
    r"(?:what|how) about|what(?:'s| is) known (?:about|of|on)|what do (?:we|you) know (?:about|of|on)|search for|"
    r"(?:can you )?tell me (?:something |more )?about|"
    rf"(?:can you )?(?:search|look up|look in|look for|find|show|give)(?: me)? {_SOME_PAPERS} (?:for|on|about|of)|"
    rf"(?:what|which) (?:do |does |is |are )?{_SOME_PAPERS}(?: (?:say|tell|show|know|report|is there|are there|exist)s?"
    r"(?: us)?)? (?:for|on|about|of)|"
    rf"(?:(?:is|are) there )?{_SOME_PAPERS} (?:for|on|about|of)"
    r"))\s+(?P<rest>\S.*)",
    re.IGNORECASE,
)
"""Words in which a question asks for papers, and not what it asks of them."""
_SAID = re.compile(rf"\[(?P<id>[^\]\s]+)\] {SAYS}: <untrusted>(?P<text>.*)</untrusted>")
_IS = re.compile(rf"\[(?P<id>[^\]\s]+)\] {IS}(?P<retracted> RETRACTED,)? <untrusted>.*</untrusted>")
_AMISS = re.compile(r"(?P<source>[\w-]+): <untrusted>(?P<reason>.*)</untrusted>")
_TO_MODELS = re.compile(r" (?:Go on without it|You may call again|Mend them and call again)\.$")
"""What the loop adds to a failure for the model that called the tool; it is nothing for a person."""


def is_clinical(question: str) -> bool:
    """Whether the medical literature is to be asked."""
    asked = question.strip()
    if _SEEN.search(asked) or _STORY.search(asked):
        return False
    technical = bool(_TECHNICAL.search(asked)) or bool(synonyms(asked))
    if technical or _MEDICAL.search(asked):
        return bool(_BEARS.search(asked) or _PAPERS.search(asked)) or (technical and bool(_YES_NO.search(asked)))
    return False


def is_worth_a_search(question: str) -> bool:
    """Whether the medical literature may know what no picture tells: the question names something clinical, and nothing
    that points at what is seen, or can be recognised there."""
    if _SEEN.search(question) or _STORY.search(question.strip()):
        return False
    asked = _asked_of_papers(question)
    if _POINTED.search(asked):
        return False
    return bool(_TECHNICAL.search(asked) or synonyms(asked) or names(asked)) and not any(
        concept not in _OF_PAPERS and not is_general(concept) for concept in concepts().find(asked)
    )


def literature_call(
    question: str, results: Sequence[tuple[str, str]], tools: Sequence[dict[str, Any]], choice: str
) -> tuple[dict[str, Any], Known] | None:
    """A call of the literature tool with what is asked, where there is one and the question is for it."""
    tool = next((tool["function"] for tool in tools if tool["function"]["name"] == NAME), None)
    if tool is None or choice != "auto" or results or not (is_clinical(question) or is_worth_a_search(question)):
        return None
    return tool, {"query": _asked_of_papers(question)[:300]}


def _asked_of_papers(question: str) -> str:
    """A question without the words in which it asks for papers; what they are asked stays as it is."""
    asked = question.strip()
    framed = _FRAME.match(asked)
    return framed["rest"] if framed else asked


def heeded(question: str, results: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The results that an answer rests on: a search that was only tried, and found nothing, is none."""
    if is_clinical(question):
        return tuple(results)
    return tuple((name, text) for name, text in results if name != NAME or any(map(_IS.fullmatch, text.splitlines())))


def from_literature(results: Sequence[tuple[str, str]], quoted: int = QUOTED) -> str | None:
    """What the literature tool found: its best sentences, word for word, each with its document; None where it was not
    asked. Retracted papers, and what could not be searched, are told of, too; what the tool says to models is not.

    Args:
        results: (tool name, text) of the tools called since the question.
        quoted: how many sentences are quoted at most.
    """
    told = next((text for name, text in reversed(results) if name == NAME), None)
    if told is None:
        return None
    lines = told.splitlines()
    said = [match for line in lines if (match := _SAID.fullmatch(line))][:quoted]
    found = [match for line in lines if (match := _IS.fullmatch(line))]
    gone = ", ".join(f"retracted [{match['id']}]" for match in found if match["retracted"])
    parts = []
    if said:
        parts += ["Documents disagree."] if DISAGREE in lines else []
        parts += [f"“{match['text'].strip()}” [{match['id']}]" for match in said]
        parts += [f"Found, too: {gone}."] if gone else []
    elif gone:
        all_gone = all(match["retracted"] for match in found)
        parts.append("Only retracted papers bear on this," if all_gone else f"{NOTHING} Retracted papers bear on it,")
        parts.append(f"and nothing is said on them alone: {gone}.")
    else:
        parts.append(NOTHING)
        if not found and not told.startswith(NOTHING):
            parts.append(_TO_MODELS.sub("", lines[0]))
    amiss = [f"{match['source']}: {match['reason']}" for line in lines if (match := _AMISS.fullmatch(line))]
    parts += [f"(Not all could be searched: {'; '.join(amiss).rstrip('.')}.)"] if amiss else []
    return " ".join([*parts, f"({NOTICE})"])
