"""What is written for other programs is read back by libraries for these formats, and a page shows text as text."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import bibtexparser
import pytest
import rispy
from hypothesis import given
from hypothesis import strategies as st

from tests.literature_helpers import AGAINST, FOR, PAPERS, RETRACTED, STATIN, Shelf, paper
from tools.literature.export.formats import address_of, answer_html, answer_text, bibtex, reference, ris
from tools.literature.retrieval.retrieve import retrieve
from tools.literature.support.answer import NOTICE, Dropped, LiteratureAnswer, quote_evidence
from tools.literature.types import Document, Problem

HARD = paper(
    1,
    "Costs fell by 5% & risks {rose} to 10$, see #3_a~b^c \\ end.",
    title="50% of A&B_{x}: a #1 \\study\\ of {braces}, ~tilde^ and $",
    authors=("O'Neil J", "van der Berg KA", "World Health Organization", "Müller Änne Maria", "Plato"),
    journal="J Test & Eval",
    published="2021-03-09",
    doi="10.1000/a_b(1)",
    mesh=("Heart Failure", "Costs & Cost Analysis"),
)
titles = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Co", "Cn"]), min_size=1, max_size=60)


def unlatex(text: str) -> str:
    """The plain text of what BibTeX files hold here."""
    for command, sign in (("textbackslash", "\\"), ("textasciicircum", "^"), ("textasciitilde", "~")):
        text = text.replace(f"\\{command}{{}}", f"\0{ord(sign)}\0")
    text = re.sub(r"\\([{}$&#%_])", lambda match: f"\0{ord(match[1])}\0", text)
    assert not set("\\$&#%_^~") & set(text)
    return re.sub("\0(\\d+)\0", lambda match: chr(int(match[1])), text.removeprefix("{").removesuffix("}"))


def read_bibtex(text: str) -> list[dict[str, str]]:
    library = bibtexparser.parse_string(text)
    assert not library.failed_blocks
    return [{field.key: field.value for field in entry.fields} | {"key": entry.key} for entry in library.entries]


def test_bibtex_is_read_back() -> None:
    entry, other = read_bibtex(bibtex([HARD, RETRACTED]))
    assert unlatex(entry["title"]) == HARD.title
    names = [unlatex(name) for name in entry["author"].split(" and ")]
    assert names == ["O'Neil, J", "van der Berg, KA", "World Health Organization", "Müller, Änne Maria", "Plato"]
    assert (entry["year"], entry["month"], entry["pmid"]) == ("2021", "3", "1")
    assert unlatex(entry["doi"]) == HARD.doi
    assert other["note"] == "Retracted"


@given(titles, titles)
def test_any_title_survives_bibtex(title: str, journal: str) -> None:
    document = paper(1, "x", title=title, journal=journal)
    entry = read_bibtex(bibtex([document, document]))[0]
    assert unlatex(entry["title"]).split() == (title if title else "x").split()
    assert unlatex(entry.get("journal", "")).split() == journal.split()


@pytest.mark.parametrize("name", ["pmid", "pmcid", "doi", "published", "journal"])
def test_no_field_can_add_another_to_bibtex(name: str) -> None:
    evil = "1},\n  note = {evil"
    (entry,) = read_bibtex(bibtex([Document(id="local:1", title="t", **{name: evil})]))
    assert "note" not in entry


def test_keys_of_bibtex_differ() -> None:
    keys = [entry["key"] for entry in read_bibtex(bibtex([Document(id="doi:a/b"), Document(id="doi:ab")]))]
    assert len(set(keys)) == 2


def test_ris_is_read_back() -> None:
    entry, other = rispy.loads(ris([HARD, RETRACTED]))
    assert entry["type_of_reference"] == "JOUR"
    assert entry["title"] == HARD.title
    assert entry["authors"] == [
        "O'Neil, J", "van der Berg, KA", "World Health Organization", "Müller, Änne Maria", "Plato",
    ]  # fmt: skip
    assert entry["abstract"] == HARD.text
    assert entry["keywords"] == list(HARD.mesh)
    assert (entry["year"], entry["date"], entry["doi"]) == ("2021", "2021/03/09", HARD.doi)
    assert other["notes"] == ["Retracted"]


@given(titles, titles)
def test_no_text_can_end_or_begin_a_record_of_ris(title: str, text: str) -> None:
    document = paper(1, f"{text}\nER  - \nTY  - BOOK\n{text}", title=f"{title}\r\nAU  - Nobody")
    entries = rispy.loads(ris([document, FOR]))
    assert len(entries) == 2
    assert "authors" not in entries[0]
    assert entries[0]["title"].split() == document.title.split()


def test_a_document_in_one_line() -> None:
    assert reference(FOR) == "Smith JA et al. Statins in heart failure: a trial. Journal of Tests. 2019."
    assert reference(RETRACTED).startswith("RETRACTED: A wonder drug")
    asked = FOR.model_copy(update={"title": "Do statins help?"})
    assert reference(asked) == "Smith JA et al. Do statins help? Journal of Tests. 2019."
    assert "(no title) one two" in reference(Document(id="local:1", sections=({"text": "one two"},)))  # type: ignore[arg-type]
    assert address_of(FOR) == "https://pubmed.ncbi.nlm.nih.gov/11/"
    assert address_of(Document(id="local:1", doi="javascript:alert(1)")) == ""


def answered() -> LiteratureAnswer:
    return quote_evidence(STATIN, retrieve(STATIN, [Shelf()]))


def test_text_shows_both_sides_what_was_retracted_and_what_it_is_for() -> None:
    told = answer_text(answered())
    assert "The evidence disagrees." in told
    assert told.index("For:") < told.index("[pmid:11]") < told.index("Against:") < told.index("[pmid:12]")
    assert "Found, but retracted: pmid:13" in told
    assert told.endswith(NOTICE)
    nothing = quote_evidence("Does chewing gum help?", retrieve("zzz", [Shelf()]))
    assert answer_text(nothing).startswith("The literature at hand says nothing about this.")
    assert answer_text(nothing).endswith(NOTICE)


class Page(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.told = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.told += data


def test_the_page_shows_claims_beside_the_marked_words() -> None:
    page = answer_html(answered())
    assert "<mark>Statins reduced mortality by 21% in patients with heart failure (P = 0.01).</mark>" in page
    assert "Patients with heart failure were followed for two years." in page
    assert page.count("Retracted") >= 1
    assert page.count(NOTICE) == 2
    parsed = Page(page)
    policy = next(attrs["content"] for tag, attrs in parsed.tags if attrs.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", page, re.S)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not [tag for tag, _ in parsed.tags if tag in ("script", "img", "link", "iframe", "object")]


@given(st.text(max_size=40))
def test_no_text_becomes_a_tag(text: str) -> None:
    """Whatever stands in a question, a document, a model's claim or a problem."""
    evil = f"<script>alert(1)</script>{{{{ 7 * 7 }}}}\"' onload=x {text}"
    document = paper(1, f"Statins help in heart failure {evil} so much.", title=evil, journal=evil)
    answer = quote_evidence("Do statins help in heart failure?", retrieve("Do statins help?", [Shelf([document])]))
    problem, left_out = Problem(source=evil, reason=evil), Dropped(text=evil, reason=evil)
    page = answer_html(answer.model_copy(update={"question": evil, "problems": (problem,), "dropped": (left_out,)}))
    parsed = Page(page)
    assert {tag for tag, _ in parsed.tags} <= {
        "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main", "section", "div", "article",
        "h2", "h3", "a", "mark", "strong", "ul", "li", "s", "span", "footer",
    }  # fmt: skip
    assert not any(name.startswith("on") for _, attrs in parsed.tags for name in attrs)
    assert "49" not in parsed.told.replace(text, "")


@pytest.mark.parametrize("document", PAPERS)
def test_an_answer_survives_json(document: Document) -> None:
    answer = quote_evidence(STATIN, retrieve(STATIN, [Shelf([document, AGAINST])]))
    assert LiteratureAnswer.model_validate_json(answer.model_dump_json()) == answer
