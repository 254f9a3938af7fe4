"""Readers of literature: what is in a file is told as it is, and what is broken by file, record and reason."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.literature.readers import Bad, Read, ReadError, Withdrawn, literature_files, read_file
from tools.literature.types import Document

PUBMED = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2025//EN"
 "https://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_250101.dtd">
<PubmedArticleSet>
<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="1">11</PMID>
 <DateRevised><Year>2022</Year><Month>03</Month><Day>07</Day></DateRevised>
 <Article><Journal><JournalIssue><PubDate><Year>2020</Year><Month>Feb</Month></PubDate></JournalIssue>
  <Title>Journal of Tests</Title></Journal><ArticleTitle>Aspirin after a stroke</ArticleTitle>
  <Abstract><AbstractText Label="METHODS">We gave &lt;100 mg.</AbstractText>
  <AbstractText Label="RESULTS">No bleeding in 10<sup>3</sup> patients.</AbstractText></Abstract>
  <PublicationTypeList><PublicationType UI="D016449">Randomized Controlled Trial</PublicationType>
  </PublicationTypeList></Article>
 <CommentsCorrectionsList><CommentsCorrections RefType="RetractionIn"><RefSource>x</RefSource></CommentsCorrections>
 </CommentsCorrectionsList>
 <MeshHeadingList><MeshHeading><DescriptorName>Stroke</DescriptorName></MeshHeading></MeshHeadingList>
</MedlineCitation></PubmedArticle>
<PubmedArticle><MedlineCitation><PMID Version="1">12</PMID></MedlineCitation></PubmedArticle>
<PubmedBookArticle><BookDocument><PMID Version="1">13</PMID><Book><BookTitle>A Handbook</BookTitle>
 <PubDate><Year>2019</Year></PubDate></Book><ArticleTitle>Dry eye</ArticleTitle>
 <Abstract><AbstractText>Tears are few.</AbstractText></Abstract></BookDocument></PubmedBookArticle>
<DeleteCitation><PMID Version="1">14</PMID><PMID Version="1">0015</PMID></DeleteCitation>
</PubmedArticleSet>
"""
JATS = """<?xml version="1.0"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS//EN" "JATS-archivearticle1.dtd">
<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="{kind}" xml:lang="en"><front>
<journal-meta><journal-title-group><journal-title>Open Tests</journal-title></journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="pmid">21</article-id><article-id pub-id-type="pmc">777</article-id>
<article-id pub-id-type="doi">10.1000/ABC.1</article-id>
<title-group><article-title>{title}</article-title></title-group>
<contrib-group>
<contrib contrib-type="author"><name><surname>Lee</surname><given-names>Ann</given-names></name></contrib>
<contrib contrib-type="editor"><name><surname>No</surname></name></contrib>
<contrib contrib-type="author"><collab>The Group</collab></contrib></contrib-group>
<pub-date pub-type="ppub"><year>2018</year></pub-date>
<pub-date pub-type="epub"><day>5</day><month>11</month><year>2017</year></pub-date>
{related}
<permissions><license xlink:href="https://creativecommons.org/licenses/by/4.0/"><license-p>Open.</license-p></license>
</permissions>
<abstract><sec><title>Aims</title><p>To test&nbsp;it.</p></sec>
<sec><title>Results</title><p>It held.</p></sec></abstract>
<abstract abstract-type="graphical"><p>A picture.</p></abstract>
</article-meta></front>
<body><p>Before.</p><sec><title>Methods</title><p>We read <xref>1</xref>
<table-wrap><table><tr><td>99</td></tr></table></table-wrap>all of it.</p>
<sec><title>Statistics</title><p>Few.</p></sec>
</sec></body><back><ref-list><ref><mixed-citation>Someone else.</mixed-citation></ref></ref-list></back></article>
"""


def jats(kind: str = "research-article", title: str = "A trial", related: str = "") -> str:
    return JATS.format(kind=kind, title=title, related=related)


def read(path: Path, text: str | bytes) -> list[Read | Withdrawn | Bad]:
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return list(read_file(path))


def documents(records: list[Read | Withdrawn | Bad]) -> list[Document]:
    return [record.document for record in records if isinstance(record, Read)]


def bad(records: list[Read | Withdrawn | Bad]) -> list[Bad]:
    return [record for record in records if isinstance(record, Bad)]


def pdf(text: str, about: str = "") -> bytes:
    """A PDF of one page, in Helvetica, written by hand."""
    content = f"BT /F1 12 Tf 50 700 Td 14 TL {' '.join(f'({line}) Tj T*' for line in text.splitlines())} ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        f"<<{about}>>",
    ]
    made, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj{body}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        f"{made}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer<</Size {len(objects) + 1}/Root 1 0 R/Info 6 0 R>>\nstartxref\n{len(made)}\n%%EOF"
    ).encode("latin-1")


@pytest.mark.parametrize("name", ["p.xml", "p.xml.gz"])
def test_pubmed_xml_gives_papers_books_deletions_and_what_is_wrong(tmp_path: Path, name: str) -> None:
    records = read(tmp_path / name, PUBMED)
    paper, book = documents(records)
    assert (paper.id, paper.title, paper.published) == ("pmid:11", "Aspirin after a stroke", "2020-02")
    assert paper.text == "We gave <100 mg.\n\nNo bleeding in 10^3 patients."
    assert [section.label for section in paper.sections] == ["METHODS", "RESULTS"]
    assert paper.retracted
    assert paper.mesh == ("Stroke",)
    assert paper.publication_types == ("Randomized Controlled Trial",)
    assert paper.source == name
    assert next(record.revised for record in records if isinstance(record, Read)) == "2022-03-07"
    assert (book.id, book.title, book.journal, book.retracted) == ("pmid:13", "Dry eye", "A Handbook", False)
    assert [record.id for record in records if isinstance(record, Withdrawn)] == ["pmid:14", "pmid:15"]
    (broken,) = bad(records)
    assert (broken.id, broken.field, broken.rest) == ("pmid:12", "Article", False)
    assert "pmid:12" in broken.record


def test_old_medline_files_without_articles_around_are_read(tmp_path: Path) -> None:
    text = (
        "<MedlineCitationSet><MedlineCitation><PMID>5</PMID><Article><ArticleTitle>Old</ArticleTitle>"
        "<Abstract><AbstractText>Words.</AbstractText></Abstract></Article></MedlineCitation></MedlineCitationSet>"
    )
    (paper,) = documents(read(tmp_path / "m.xml", text))
    assert (paper.id, paper.title, paper.text) == ("pmid:5", "Old", "Words.")


@pytest.mark.parametrize("name", ["a.xml", "a.nxml", "a.nxml.gz"])
def test_jats_gives_abstract_and_full_text_by_sections(tmp_path: Path, name: str) -> None:
    (paper,) = documents(read(tmp_path / name, jats()))
    assert (paper.id, paper.pmid, paper.pmcid, paper.doi) == ("pmcid:PMC777", "21", "PMC777", "10.1000/ABC.1")
    assert [(section.label, section.text) for section in paper.sections] == [
        ("Aims", "To test it."),
        ("Results", "It held."),
        ("", "Before."),
        ("Methods", "We read 1 all of it."),
        ("Methods / Statistics", "Few."),
    ]
    assert paper.authors == ("Lee Ann", "The Group")
    assert (paper.published, paper.journal, paper.language) == ("2017-11-05", "Open Tests", "en")
    assert paper.publication_types == ("Journal Article",)
    assert paper.licence == "https://creativecommons.org/licenses/by/4.0/"
    assert not paper.retracted


def test_items_of_a_list_do_not_run_together(tmp_path: Path) -> None:
    body = "<p>Signs were<list><list-item><label>1</label><p>fever</p></list-item><list-item><p>10<sup>5</sup></p>"
    text = jats().replace("<p>Before.</p>", f"{body}</list-item></list>in <italic>T</italic>2.</p>")
    (paper,) = documents(read(tmp_path / "a.xml", text))
    assert paper.sections[2].text == "Signs were 1 fever 10^5 in T2."


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "retracted-article"},
        {"title": "RETRACTED: A trial"},
        {"title": "Retracted Article: A trial"},
        {"title": "[Withdrawn] A trial"},
        {"related": '<related-article related-article-type="retraction-forward" xlink:href="10.1/x"/>'},
    ],
)
def test_a_retracted_paper_in_jats_is_flagged(tmp_path: Path, changes: dict[str, str]) -> None:
    assert documents(read(tmp_path / "a.xml", jats(**changes)))[0].retracted


@pytest.mark.parametrize("title", ["Retracted eyelids after surgery", "Why papers are withdrawn: a survey"])
def test_a_title_about_retraction_is_no_retraction(tmp_path: Path, title: str) -> None:
    assert not documents(read(tmp_path / "a.xml", jats(title=title)))[0].retracted


def test_several_articles_in_one_file_and_in_a_namespace(tmp_path: Path) -> None:
    body = jats().split("?>", 1)[1].split("]>")[-1].split('.dtd">')[1].replace("&nbsp;", " ")
    other = body.replace(">777<", ">778<").replace("<article ", '<article xmlns="https://jats.nlm.nih.gov/ns/x/" ')
    found = documents(read(tmp_path / "set.xml", f"<pmc-articleset>{body}{other}</pmc-articleset>"))
    assert [paper.id for paper in found] == ["pmcid:PMC777", "pmcid:PMC778"]
    assert found[0].text == found[1].text


def test_entities_are_not_expanded_and_nothing_is_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("password")
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(9)
    )
    for head in (bomb + "]>", f'<!DOCTYPE a [<!ENTITY j SYSTEM "{secret.as_uri()}">]>'):
        text = head + PUBMED.split('.dtd">')[1].replace("Aspirin", "&j;")
        (record,) = read(tmp_path / "x.xml", text)
        assert isinstance(record, Bad)
        assert record.rest
        assert "entities" in record.reason
        assert "password" not in str(record)


def test_a_truncated_file_gives_what_stands_before_and_says_where_it_ends(tmp_path: Path) -> None:
    records = read(tmp_path / "p.xml", PUBMED[: PUBMED.index("<PubmedBookArticle>") + 40])
    assert [paper.id for paper in documents(records)] == ["pmid:11"]
    assert bad(records)[-1].rest
    packed = gzip.compress(PUBMED.encode())
    (tmp_path / "q.xml.gz").write_bytes(packed[:-60])
    last = list(read_file(tmp_path / "q.xml.gz"))[-1]
    assert isinstance(last, Bad)
    assert last.rest
    (tmp_path / "r.xml.gz").write_bytes(PUBMED.encode())
    (last,) = read_file(tmp_path / "r.xml.gz")
    assert isinstance(last, Bad)
    assert "compressed" in last.reason


@pytest.mark.parametrize("text", ["<html><p>No.</p></html>", "", "plain"])
def test_other_xml_is_named(tmp_path: Path, text: str) -> None:
    (record,) = read(tmp_path / "x.xml", text)
    assert isinstance(record, Bad)
    assert record.rest


def test_pubmedqa_gives_question_contexts_and_conclusion(tmp_path: Path) -> None:
    entry = {
        "QUESTION": "Is it so?", "CONTEXTS": ["One.", " ", "Two."], "LABELS": ["AIM", "X", "RESULTS"],
        "MESHES": ["Humans"], "YEAR": "2011", "final_decision": "yes", "LONG_ANSWER": "It is so.",
    }  # fmt: skip
    records = read(tmp_path / "q.json", json.dumps({"31": entry, "x": {"QUESTION": 1}, "33": {"CONTEXTS": "One."}}))
    (paper,) = documents(records)
    assert (paper.id, paper.pmid, paper.published, paper.mesh) == ("pmid:31", "31", "2011", ("Humans",))
    told = [("AIM", "One."), ("RESULTS", "Two."), ("CONCLUSION", "It is so.")]
    assert [(section.label, section.text) for section in paper.sections] == told
    assert paper.title == "Is it so?"
    assert [(one.record, one.field) for one in bad(records)] == [("local:x", "CONTEXTS"), ("pmid:33", "CONTEXTS")]


def test_of_pubmedqa_question_and_conclusion_may_be_missing_but_not_be_something_else(tmp_path: Path) -> None:
    entries = {"1": {"CONTEXTS": ["One."]}, "2": {"CONTEXTS": ["Two."], "QUESTION": None, "LONG_ANSWER": ["It is."]}}
    records = read(tmp_path / "q.json", json.dumps(entries))
    (paper,) = documents(records)
    assert (paper.title, [section.text for section in paper.sections]) == ("", ["One."])
    assert [(one.record, one.field) for one in bad(records)] == [("pmid:2", "LONG_ANSWER")]


def test_papers_of_cure_keep_their_ids_and_types(tmp_path: Path) -> None:
    lines = (Path(__file__).parent.parent / "evals/suites/cure/sample/documents.jsonl").read_text("utf-8").splitlines()
    told = [json.loads(line) for line in lines]
    papers = documents(read(tmp_path / "documents.jsonl", "\n".join(lines)))
    assert [paper.id for paper in papers] == [one["doc_id"] for one in told]
    assert [list(paper.publication_types) for paper in papers] == [one.get("pubtypes", []) for one in told]
    assert [paper.retracted for paper in papers] == [one.get("retracted", False) for one in told]
    assert any("Case Reports" in paper.publication_types for paper in papers)


def test_an_object_of_something_else_is_told_once(tmp_path: Path) -> None:
    (record,) = read(tmp_path / "truth.json", json.dumps({str(number): "yes" for number in range(500)}))
    assert isinstance(record, Bad)
    assert record.rest
    assert "'yes'" in record.reason


def test_json_lines_of_three_forms(tmp_path: Path) -> None:
    lines = [
        {"id": "pmid:1", "title": "Ours", "sections": [{"label": "A", "text": "a"}], "retracted": True, "year": 2020},
        {"_id": "MED-10", "title": "BEIR", "text": "b", "metadata": {}},
        {"id": "pubmed23n0001_0", "title": "MedRAG", "content": "c", "PMID": 3},
        {"title": "No id", "abstract": "d", "doi": None},
        {"title": "No id", "abstract": "d!"},
        {"doi": "10.1000/X", "title": "DOI"},
    ]
    found = documents(read(tmp_path / "d.jsonl", "\n".join(map(json.dumps, lines)) + "\n\n"))
    assert [one.id for one in found[:3]] == ["pmid:1", f"local:MED-10-{found[1].id[-8:]}", "pmid:3"]
    assert [one.text for one in found] == ["a", "b", "c", "d", "d!", ""]
    assert found[3].id != found[4].id
    assert found[3].id.startswith("local:")
    assert found[5].id == "doi:10.1000/x"
    assert (found[0].retracted, found[0].year) == (True, 2020)


def test_broken_lines_are_told_one_by_one(tmp_path: Path) -> None:
    lines = [
        b'{"title": "Good"}',
        b"{",
        b"[1]",
        b'{"title": 5}',
        b'{"id": "x"}',
        b'{"title": "\xff"}',
        b'{"title": "Too"}',
    ]
    records = read(tmp_path / "d.jsonl", b"\n".join(lines))
    assert [one.title for one in documents(records)] == ["Good", "Too"]
    assert [one.record.split(",")[0] for one in bad(records)] == ["line 2", "line 3", "line 4", "line 5", "line 6"]
    assert bad(records)[2].field == "title"


def test_a_list_of_documents_and_broken_json(tmp_path: Path) -> None:
    assert [one.title for one in documents(read(tmp_path / "l.json", '[{"title": "A"}, {"title": "B"}]'))] == ["A", "B"]
    assert read(tmp_path / "l.json", "{}") == []
    records = read(tmp_path / "l.json", '[{"title": "A"}, {"title": ]')
    assert [one.title for one in documents(records)] == ["A"]
    assert bad(records)[0].rest
    for text in ("", "5", '{"1"}', "[" * 100_000):
        assert bad(read(tmp_path / "l.json", text))[0].rest


def test_records_that_are_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    long = ["é" * 1_500_000, "b" * 3_000_000, "c"]
    found = documents(read(tmp_path / "l.json", json.dumps([{"title": "T", "text": t} for t in long], indent=1)))
    assert [one.text for one in found] == long


def test_pdf_gives_a_section_a_page(tmp_path: Path) -> None:
    text = "Dry eye in winter\nWe studied 40 adults who wear con-\ntact lenses. doi:10.1000/xyz-1."
    (paper,) = documents(read(tmp_path / "a.pdf", pdf(text, "/Title(Dry eye)/Author(Ann Lee; Bo Ek)")))
    assert (paper.doi, paper.title, paper.authors) == ("10.1000/xyz-1", "Dry eye", ("Ann Lee", "Bo Ek"))
    assert paper.sections[0].label == "page 1"
    assert "wear contact lenses" in paper.text
    (paper,) = documents(read(tmp_path / "b.pdf", pdf("Untitled work on dry eyes")))
    assert paper.title == "Untitled work on dry eyes"
    assert paper.id.startswith("local:")


@pytest.mark.parametrize(
    ("text", "about", "doi"),
    [
        ("Dry eye in winter\ndoi:10.1000/xyz-1\nWe studied 40 adults", "", "10.1000/xyz-1"),
        ("Dry eye in winter\nSee 10.1000/other for the trial", "", ""),
        ("Dry eye in winter\n[1] Lee A. SourceSession. doi:10.1000/other", "", ""),
        ("Dry eye in winter\nReferences\nLee A. SourceSession. doi:10.1000/other", "", ""),
        ("Dry eye in winter\ndoi:10.1000/one\nand also 10.1000/two", "", ""),
        ("Dry eye in winter\nSee 10.1000/other", "/Subject(J SourceSession, doi:10.1000/own-2)", "10.1000/own-2"),
    ],
)
def test_the_doi_of_a_pdf_is_its_own_or_none(tmp_path: Path, text: str, about: str, doi: str) -> None:
    (paper,) = documents(read(tmp_path / "a.pdf", pdf(text, about)))
    assert paper.doi == doi
    assert paper.id.startswith("local:")


def test_ids_of_europe_pmc_are_kept(tmp_path: Path) -> None:
    (paper,) = documents(read(tmp_path / "d.jsonl", '{"id": "epmc:PPR/PPR5", "title": "Preprint"}'))
    assert paper.id == "epmc:PPR/PPR5"


def test_pdfs_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    from pypdf import PdfReader, PdfWriter

    (tmp_path / "a.pdf").write_bytes(pdf("Some text that can be read by all"))
    writer = PdfWriter(clone_from=PdfReader(tmp_path / "a.pdf"))
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")
    for data, word in (
        (pdf(""), "pictures"),
        (b"%PDF-1.4 no", "cannot|no PDF"),
        ((tmp_path / "locked.pdf").read_bytes(), "password"),
    ):
        (record,) = read(tmp_path / "x.pdf", data)
        assert isinstance(record, Bad)
        assert any(part in record.reason for part in word.split("|"))
        assert record.remedy


def test_files_of_a_folder_are_found_and_others_told(tmp_path: Path) -> None:
    for name in ("b.json", "sub/a.xml.gz", "notes.txt", ".hidden/x.json", ".x.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    known, other = literature_files(tmp_path)
    assert [file.name for file in known] == ["b.json", "a.xml.gz"]
    assert [file.name for file in other] == ["notes.txt"]
    for path in (tmp_path / "notes.txt", tmp_path / "none"):
        with pytest.raises(ReadError, match=path.name):
            literature_files(path)


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory of a process is read from /proc")
def test_memory_does_not_grow_with_a_file(tmp_path: Path) -> None:
    """Two files, one eight times as long; what reading takes is compared in processes of their own."""
    record = PUBMED[PUBMED.index("<PubmedArticle>") : PUBMED.index("</PubmedArticle>") + 16]
    record = record.replace("We gave", "We gave " + "much of it " * 300)
    grown = []
    for count in (1_000, 8_000):
        xml, text = tmp_path / f"{count}.xml", tmp_path / f"{count}.json"
        xml.write_text(f"<PubmedArticleSet>{record * count}</PubmedArticleSet>")
        entry = json.dumps({"CONTEXTS": ["word " * 600]})
        text.write_text("{" + ",".join(f'"{number}": {entry}' for number in range(count)) + "}")
        script = (
            "import sys; from pathlib import Path; from tools.literature.readers import read_file\n"
            "n = sum(1 for name in sys.argv[1:] for _ in read_file(Path(name)))\n"
            "print(n, next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        )
        run = subprocess.run(
            [sys.executable, "-c", script, xml, text], capture_output=True, text=True, check=True,
            cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        records, peak_kb = map(int, run.stdout.split())
        assert records == 2 * count
        grown.append(peak_kb / 1024)
    assert grown[1] - grown[0] < 15, "of 50 MB that are read more"


def test_where_in_its_journal_a_paper_stands_is_read(tmp_path: Path) -> None:
    issue = "<Journal><JournalIssue><Volume>12</Volume><Issue>3</Issue></JournalIssue></Journal>"
    text = (
        f"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>5</PMID><Article>{issue}<ArticleTitle>Old"
        "</ArticleTitle><Pagination><MedlinePgn>100-9</MedlinePgn></Pagination></Article></MedlineCitation>"
        "</PubmedArticle></PubmedArticleSet>"
    )
    (paper,) = documents(read(tmp_path / "m.xml", text))
    assert (paper.volume, paper.issue, paper.pages) == ("12", "3", "100-9")
    place = "<volume>7</volume><issue>2</issue><fpage>11</fpage><lpage>19</lpage>"
    (paper,) = documents(read(tmp_path / "j.xml", jats().replace("<abstract", f"{place}<abstract", 1)))
    assert (paper.volume, paper.issue, paper.pages) == ("7", "2", "11-19")


def test_a_placeholder_is_no_author_of_a_pdf(tmp_path: Path) -> None:
    text = "A paper on gout and its many causes in adults."
    (paper,) = documents(read(tmp_path / "a.pdf", pdf(text, "/Author (\\(anonymous\\))")))
    assert paper.authors == ()
    (paper,) = documents(read(tmp_path / "b.pdf", pdf(text, "/Author (Ann Smith)")))
    assert paper.authors == ("Ann Smith",)
