"""Identifiers of papers in all usual spellings: PMID, PMCID and DOI.

DOIs are compared without letter case (ISO 26324), and keep their spelling except for the prefix.
"""

from __future__ import annotations

import re

_DOI = re.compile(r"(?i)^(?:(?:https?://)?(?:dx\.|www\.)?doi\.org/|doi\s*[:=]?\s*)*(?P<doi>10\.\d{4,9}(?:\.\d+)*/\S+)$")
_PMID = re.compile(
    r"(?i)^(?:(?:https?://)?(?:www\.)?(?:pubmed\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pubmed)/"
    r"|(?:pmid|pubmed)(?:\s*id)?\s*[:#=]?\s*)?0*(?P<pmid>[1-9]\d{0,8})/?$"
)
_PMCID = re.compile(
    r"(?i)^(?:(?:https?://)?(?:www\.)?(?:pmc\.ncbi\.nlm\.nih\.gov|ncbi\.nlm\.nih\.gov/pmc)/articles/"
    r"|pmcid\s*[:#=]?\s*)?(?:PMC)?(?P<pmcid>\d+)(?:\.\d+)?/?$"
)
_PATTERNS = {"pmid": _PMID, "pmcid": _PMCID, "doi": _DOI}


def normal(kind: str, text: str) -> str:
    """Normalise an identifier of a kind, `pmid`, `pmcid` or `doi`: `777`, `PMC777`, `10.1111/ABC`.

    Invalid identifiers are returned unchanged.
    """
    found = _PATTERNS[kind].match(text.strip())
    if not found:
        return text.strip()
    return f"PMC{found[kind]}" if kind == "pmcid" else found[kind].rstrip(".,;")


def normal_id(text: str) -> str:
    """Normalise an id to that of documents: `PMID: 777`, `PMC777` and `https://doi.org/10.1111/ABC` become `pmid:777`,
    `pmcid:PMC777` and `doi:10.1111/abc`. Other text, and bare numbers, give "".

    Ids of other kinds, such as `local:` and `epmc:`, are returned unchanged.
    """
    bare = text.strip()
    if re.match(r"(?i)(?:local|epmc):\S", bare):
        kind, _, name = bare.partition(":")
        return f"{kind.lower()}:{name}"
    if found := _DOI.match(bare):
        return f"doi:{found['doi'].rstrip('.,;').lower()}"
    if re.match(r"(?i)(?:pmcid|pmc|https?://|www\.)", bare) and (found := _PMCID.match(bare)):
        return f"pmcid:PMC{found['pmcid']}"
    if not bare.isdigit() and (found := _PMID.match(bare)):
        return f"pmid:{found['pmid']}"
    return ""
