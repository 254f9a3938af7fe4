"""Which questions are for the medical literature, and what its tool found, in an answer.

A question is, if it asks how something clinical bears on something else, or for studies of it, and points at nothing
that is seen: "Does aspirin prevent strokes?" is, "Is the patient holding aspirin?" is not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tools.literature.answer import NOTHING, NOTICE
from tools.literature.expand import synonyms
from tools.literature.tool import DISAGREE, NAME, SAYS

QUOTED = 3
"""Sentences that an answer quotes; our choice."""
Known = dict[str, Any]

_TECHNICAL = re.compile(
    r"\b(?:clinical(?:ly)?|placebo|syndromes?|carcinomas?|tumou?rs?|mortality|morbidity|prognos\w+|comorbid\w+|"
    r"polymorphisms?|mutations?|receptors?|serum|plasma|hepatic|renal|pulmonary|cardiac|cerebral|esophageal|gastric|"
    r"neonat\w+|preterm|perinatal|prenatal|obstetric\w*|p(?:a)?ediatric\w*|geriatric\w*|oncolog\w+|neoadjuvant|adjuvant|"
    r"intra\w+|laparoscop\w+|endoscop\w+|tomograph\w+|histo\w+|immuno\w+|anti(?:biotic|coagula|body|bodies|viral|"
    r"microbial|hypertensive|depressant)\w*|chemotherap\w+|radiotherap\w+|transplant\w*|insulin|cholesterol|hba1c|"
    r"cancers?|infections?|diseases?|therap(?:y|ies|eutic)|vaccin\w+|[a-z]+(?:itis|osis|aemia|emia|oma|omas|opathy|"
    r"opathies|ectomy|plasty|otomy|ostomy|oscopy|uria|algia|plegia|penia|statins?|mab|tinib|prils?|sartans?|olols?|"
    r"cillins?|mycin|azoles?|thiazides?|gliptins?|parin|parins|sclerosis|trophy|rrhea|rrhoea|rrhage|cytes?|globin|"
    r"globulins?))\b",
    re.IGNORECASE,
)
_MEDICAL = re.compile(
    r"\b(?:patients?|disorders?|infected|injur(?:y|ies)|symptoms?|drugs?|medications?|medicines?|treatments?|surgery|"
    r"surgical|operations?|diagnos\w+|biops\w+|lesions?|pregnan\w+|births?|infants?|blood|vascular|arter(?:y|ies|ial)|"
    r"genes?|hormones?|doctors?|physicians?|surgeons?|nurses?|hospitals?|health|medical|dental|obes\w+|"
    r"smok(?:ing|ers?)|alcohol|diets?|vitamins?|pain|wounds?|fractures?)\b",
    re.IGNORECASE,
)
_BEARS = re.compile(
    r"\b(?:associat\w+|correlat\w+|relat(?:ed|ion\w*)|links?|linked|risks?|effects?|effective\w*|efficac\w+|"
    r"efficien\w+|benefi\w+|improv\w+|reduc\w+|increas\w+|decreas\w+|lower(?:s|ed|ing)?|rais(?:es|ed)|prevent\w*|"
    r"protect\w*|caus(?:es|ed|al)|causes? of|treat(?:s|ed|ing|ment|ments)?|therap\w+|management|dos(?:e|es|age)|"
    r"side effects?|adverse|complications?|prognos\w+|surviv\w+|mortality|incidence|prevalence|sensitiv\w+|"
    r"specificity|accura\w+|diagnos\w+|screening|screened|predict\w*|markers?|biomarkers?|factors?|indicat\w+|"
    r"contraindicat\w+|safe(?:ty|r|ly)?|recommend\w*|guidelines?|evidence|studies|trials?|influenc\w+|affects?|"
    r"impacts?|roles?|first-line|differential|outcomes?|differ(?:s|ent|ence|ences)?|useful|necessary|justified|"
    r"superior|inferior|compar\w+|versus|vs|reliable|feasible|worsen\w*|cure[sd]?)\b",
    re.IGNORECASE,
)
_PAPERS = re.compile(
    r"\b(?:pubmed|medline|literature|systematic reviews?|meta-?analys[ie]s|randomi[sz]ed|clinical trials?|"
    r"(?:studies|papers|trials|evidence|research) (?:on|of|for|about|say|says|show|shows|that|is there))\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"(?:^|[:,.] )(?:is|are|does|do|can|could|should|may|might|will|would|has|have)\b(?! there)", re.I)
_SEEN = re.compile(
    r"\b(?:see|seen|saw|look|looks|looking|shown|visible|appears?|appeared|watch\w*|frames?|pictures?|photos?|videos?|"
    r"clips?|scenes?|screen|camera|footage|recording|film|on (?:the|this) (?:left|right|table|wall|label|sign|box)|"
    r"in the (?:background|foreground|room|corner)|wear(?:s|ing)?|holding|standing|sitting|walking|colou?rs?|read|"
    r"written|label|sign says|say here|right now|currently|at the moment|just now|so far|earlier|"
    r"(?:this|that) (?:image|scan|x-ray|slide|one|bottle|box|pill|drug|thing|object|device|medication|medicine)|"
    r"(?:the|this|that|his|her|their) (?:patient|man|woman|person|child|boy|girl|doctor|nurse|surgeon|physician|baby)|"
    r"he|she|him|his|her|hers|here)\b|\d{1,2}:\d{2}",
    re.IGNORECASE,
)
"""What is seen: the words for seeing, for places in a picture, and for somebody who is in it."""
_STORY = re.compile(
    r"^(?:who|whose|whom|where)\b|^(?:why|how|what|which|when)\b[^?]*\b(?:did|didn't|was|were|will|couldn't|wouldn't)\b",
    re.IGNORECASE,
)
"""Questions of what happened to somebody, as in a film that tells a story."""
_SAID = re.compile(rf"\[(?P<id>[^\]\s]+)\] {SAYS}: <untrusted>(?P<text>.*)</untrusted>")


def is_clinical(question: str) -> bool:
    """Whether the medical literature is to be asked."""
    asked = question.strip()
    if _SEEN.search(asked) or _STORY.search(asked):
        return False
    technical = bool(_TECHNICAL.search(asked)) or bool(synonyms(asked))
    if technical or _MEDICAL.search(asked):
        return bool(_BEARS.search(asked) or _PAPERS.search(asked)) or (technical and bool(_YES_NO.search(asked)))
    return False


def literature_call(
    question: str, results: Sequence[tuple[str, str]], tools: Sequence[dict[str, Any]], choice: str
) -> tuple[dict[str, Any], Known] | None:
    """A call of the literature tool with the whole question, where there is one and the question is for it."""
    tool = next((tool["function"] for tool in tools if tool["function"]["name"] == NAME), None)
    if tool is None or choice != "auto" or results or not is_clinical(question):
        return None
    return tool, {"query": question[:300]}


def from_literature(results: Sequence[tuple[str, str]]) -> str | None:
    """What the literature tool found: its best sentences, word for word, each with its document; None where it was not
    asked."""
    told = next((text for name, text in reversed(results) if name == NAME), None)
    if told is None:
        return None
    said = [match for line in told.splitlines() if (match := _SAID.fullmatch(line))][:QUOTED]
    if not said:
        failed = "" if told.startswith(NOTHING) else f" {told.splitlines()[0]}"
        return f"{NOTHING}{failed} ({NOTICE})"
    quotes = " ".join(f"“{match['text'].strip()}” [{match['id']}]" for match in said)
    disagree = "Documents disagree. " if DISAGREE in told.splitlines() else ""
    return f"{disagree}{quotes} ({NOTICE})"
