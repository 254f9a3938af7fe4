"""Export formats of answers and references: text, BibTeX, RIS, and one HTML page."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from tools.literature.support.answer import Claim, LiteratureAnswer
from tools.literature.support.stance import Stance
from tools.literature.types import Document

_HEADINGS: tuple[tuple[Stance, str], ...] = (("yes", "For"), ("no", "Against"), ("unclear", "Besides"))
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
}  # fmt: skip
_INITIALS = re.compile(r"[A-Z]{1,4}")
_TITLE_WORDS = 12


def answer_text(answer: LiteratureAnswer) -> str:
    """Format an answer as plain text: claims with the ids of their documents, documents, problems, and the notice."""
    lines: list[str] = []
    if answer.abstained:
        lines.append(answer.reason)
    if answer.conflict:
        lines.append(f"The evidence disagrees. {disagreement(answer)}")
    for heading, claims in grouped(answer):
        lines += [f"{heading}:"] if heading else []
        for claim in claims:
            quoted = claim.text if answer.model else f"“{claim.text}”"
            ids = dict.fromkeys(citation.document_id for citation in claim.citations)
            lines.append(f"{'- ' if heading else ''}{quoted} {' '.join(f'[{id_}]' for id_ in ids)}")
            lines += [f"  (caution: {caution})" for caution in claim.cautions]
            lines += _quotes(claim, answer) if answer.model else []
    if answer.cited:
        lines += ["", "Documents:", *(f"  [{document.id}] {reference(document)}" for document in answer.cited)]
    left_out = [document for document in answer.retracted if document not in answer.cited]
    if left_out:
        lines.append(f"Found, but retracted: {', '.join(document.id for document in left_out)}")
    lines += [f"Left out: “{claim.text}”: {claim.reason}" for claim in answer.dropped]
    lines += [f"Missing: {problem.source}: {problem.reason}" for problem in answer.problems]
    return "\n".join([*lines, "", answer.notice])


def _quotes(claim: Claim, answer: LiteratureAnswer) -> list[str]:
    """Return the evidence of a model's claim: the quoted words, and the whole sentence if they are only a part."""
    by_id = {document.id: document for document in answer.documents}
    lines = []
    for citation in claim.citations:
        label = by_id[citation.document_id].sections[citation.span.section].label
        place = ", ".join(part for part in (citation.document_id, label) if part)
        mark = "RETRACTED, " if citation.retracted else ""
        quote, sentence = (" ".join(text.split()) for text in (citation.quote, citation.sentence))
        lines.append(f"  {mark}{place}: “{quote}”")
        if len(sentence) > len(quote) + 2:  # more than its full stop
            lines.append(f"    in: “{sentence}”")
    return lines


def grouped(answer: LiteratureAnswer) -> list[tuple[str, list[Claim]]]:
    """Group claims under headings: for, against and others if the evidence disagrees, else all under an empty one."""
    if not answer.conflict:
        return [("", list(answer.claims))] if answer.claims else []
    found = [(heading, [claim for claim in answer.claims if claim.stance == says]) for says, heading in _HEADINGS]
    return [(heading, claims) for heading, claims in found if claims]


def disagreement(answer: LiteratureAnswer) -> str:
    """Explain how the disagreement of the evidence is known."""
    if answer.model:
        return "Claims that rest on different documents say opposite things."
    return "By their words, sentences of different documents say opposite things; read them before you rely on either."


def reference(document: Document) -> str:
    """Format a document in one line: authors, title, journal, year, and whether it was retracted."""
    authors = document.authors[0] + (" et al." if len(document.authors) > 1 else "") if document.authors else ""
    file = document.source if is_pdf(document) else ""
    parts = (authors, title_of(document), document.journal, document.published[:4], file)
    text = ". ".join(part.rstrip(".") for part in parts if part).replace("?. ", "? ").replace("!. ", "! ")
    return f"{'RETRACTED: ' if document.retracted else ''}{text}."


def title_of(document: Document) -> str:
    """Return the title, or the first words of a document without one."""
    if document.title:
        return document.title
    words = document.text.split()
    return f"(no title) {' '.join(words[:_TITLE_WORDS])}{'…' if len(words) > _TITLE_WORDS else ''}"


def address_of(document: Document) -> str:
    """Return a URL where a document can be read; empty if unknown."""
    if document.pmid.isdigit():
        return f"https://pubmed.ncbi.nlm.nih.gov/{document.pmid}/"
    if re.fullmatch(r"PMC\d+", document.pmcid):
        return f"https://pmc.ncbi.nlm.nih.gov/articles/{document.pmcid}/"
    return f"https://doi.org/{document.doi}" if document.doi.startswith("10.") else ""


def bibtex(documents: Sequence[Document]) -> str:
    """Format documents as BibTeX in UTF-8, with LaTeX's special characters escaped; one entry each, keyed by id."""
    entries = []
    for document, key in zip(documents, _keys(documents), strict=True):
        fields = {
            "title": f"{{{_latex(title_of(document))}}}",
            "author": " and ".join(_bibtex_name(name) for name in document.authors),
            "journal": _latex(document.journal),
            "year": _latex(document.published[:4]),
            "month": _month(document),
            "volume": _latex(document.volume),
            "number": _latex(document.issue),
            "pages": _latex(re.sub(r"(?<=\w)[-–](?=\w)", "--", document.pages)),
            "doi": _latex(document.doi),
            "pmid": _latex(document.pmid),
            "pmcid": _latex(document.pmcid),
            "url": address_of(document).replace("{", "%7B").replace("}", "%7D"),
            "note": "Retracted" if document.retracted else "",
        }
        body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
        entries.append(f"@{'article' if document.journal else 'misc'}{{{key},\n{body}}}\n")
    return "\n".join(entries)


def ris(documents: Sequence[Document]) -> str:
    """Format documents as RIS, in UTF-8."""
    records = []
    for document in documents:
        lines = [("TY", "JOUR" if document.journal else "GEN"), ("ID", document.id), ("TI", title_of(document))]
        lines += [("AU", ", ".join(part for part in _name(name) if part)) for name in document.authors]
        lines += [
            ("JO", document.journal), ("PY", document.published[:4]), ("DA", document.published.replace("-", "/")),
            ("VL", document.volume), ("IS", document.issue), *_first_and_last(document.pages),
            ("DO", document.doi), ("AN", document.pmid), ("LA", document.language), ("AB", _abstract(document)),
            ("L1", document.source if is_pdf(document) else ""),
        ]  # fmt: skip
        lines += [("KW", heading) for heading in document.mesh]
        lines += [("UR", address_of(document)), ("N1", "Retracted" if document.retracted else "")]
        written = [f"{tag}  - {' '.join(value.split())}" for tag, value in lines if value]
        records.append("\n".join([*written, "ER  - ", ""]))
    return "\n".join(records)


def _first_and_last(pages: str) -> list[tuple[str, str]]:
    first, _, last = pages.replace("–", "-").partition("-")
    if first.isdigit() and last.isdigit() and len(last) < len(first):
        last = first[: -len(last)] + last  # PubMed writes 1021-9
    return [("SP", first.strip()), ("EP", last.strip())]


def _abstract(document: Document) -> str:
    """Return the abstract of a document; for a PDF of a whole paper, it is unknown which part that is."""
    return "" if is_pdf(document) else document.text


def is_pdf(document: Document) -> bool:
    """Return whether a document comes from a PDF, so that its `source` is a readable file."""
    return document.source.casefold().removesuffix(".gz").endswith(".pdf")


def answer_html(answer: LiteratureAnswer) -> str:
    """Render an answer as one page: claims beside the evidence, quotes marked. No scripts, no external resources."""
    from jinja2 import Environment, StrictUndefined

    template, style = _parts()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    by_id = {document.id: document for document in answer.documents}
    cited = {document.id for document in answer.cited}
    groups = [(heading, [_shown_claim(claim, by_id) for claim in claims]) for heading, claims in grouped(answer)]
    return environment.from_string(template).render(
        answer=answer,
        by=f"Claims by {answer.model}, checked by code."
        if answer.model
        else "Sentences chosen by rule, word for word.",
        disagreement=disagreement(answer),
        groups=groups,
        others=[_shown(document) for document in answer.documents if document.id not in cited],
        style=_as_is(style),
        policy=f"default-src 'none'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'",
    )


def _shown_claim(claim: Claim, by_id: dict[str, Document]) -> dict[str, Any]:
    evidence = []
    for citation in claim.citations:
        document, span = by_id[citation.document_id], citation.span
        section = document.sections[span.section]
        parts = {
            "label": section.label,
            "before": section.text[: span.start],
            "quote": section.text[span.start : span.end],
            "after": section.text[span.end :],
        }
        evidence.append(_shown(document) | parts)
    return {"text": claim.text, "cautions": claim.cautions, "evidence": evidence}


def _shown(document: Document) -> dict[str, Any]:
    file = f"file {document.source}" if is_pdf(document) else ""
    parts = ("; ".join(document.authors[:6]), document.journal, document.published, file)
    cited = ". ".join(part for part in parts if part)
    return {
        "id": document.id, "title": title_of(document), "reference": f"{cited}." if cited else "",
        "address": address_of(document), "retracted": document.retracted,
    }  # fmt: skip


@cache
def _parts() -> tuple[str, str]:
    folder = files("tools.literature.export") / "page"
    return (folder / "page.html").read_text("utf-8"), (folder / "style.css").read_text("utf-8")


def _as_is(style: str) -> Any:
    from markupsafe import Markup

    return Markup(style)  # our own file: its quotes must stay, or its hash would be another's


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _keys(documents: Sequence[Document]) -> list[str]:
    """Return BibTeX keys: letters and digits of the id, with a number if two would be equal."""
    keys: list[str] = []
    for document in documents:
        plain = re.sub(r"[^A-Za-z0-9]+", "", document.id) or "document"
        key, number = plain, 2
        while key in keys:
            key, number = f"{plain}x{number}", number + 1
        keys.append(key)
    return keys


def _latex(text: str) -> str:
    return "".join(_LATEX.get(sign, sign) for sign in " ".join(text.split()))


def _month(document: Document) -> str:
    month = document.published[5:7]
    return str(int(month)) if month.isdigit() else ""


def _bibtex_name(name: str) -> str:
    family, given = _name(name)
    return f"{_latex(family)}, {_latex(given)}" if given else f"{{{_latex(family)}}}"


def _name(name: str) -> tuple[str, str]:
    """Split an author, as in `types.Document`, into family and given names; all is family for groups or in doubt.

    `van der Berg JA` ends in initials, so all words before them are the family name. Otherwise two words are split.
    """
    words = [name] if _is_group(name) else name.replace(",", " ").split()
    if len(words) > 1 and _INITIALS.fullmatch(words[-1]):
        return " ".join(words[:-1]), words[-1]
    if len(words) >= 2:
        return words[0], " ".join(words[1:])
    return " ".join(name.split()), ""


def _is_group(name: str) -> bool:
    """Return whether a name is that of a group, which has no given names."""
    small = re.search(r"\b(?:group|society|association|committee|consortium|network|investigators|collaborat\w+|"
                      r"organi[sz]ation|institute|university|department|centers?|centres?|foundation|team|board|"
                      r"and|for|of the)\b", name, re.IGNORECASE)  # fmt: skip
    return small is not None or len(name.split()) > 6
