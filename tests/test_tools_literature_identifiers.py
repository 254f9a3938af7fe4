"""Identifiers in whatever usual way they are written, and files in other encodings than UTF-8."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tools.literature.identifiers import normal, normal_id
from tools.literature.index.corpus import open_corpus
from tools.literature.index.ingest import index_path
from tools.literature.types import Filters


@pytest.mark.parametrize(
    ("kind", "written", "one"),
    [
        ("doi", "https://doi.org/10.1111/ABC", "10.1111/ABC"),
        ("doi", "http://dx.doi.org/10.1111/abc.", "10.1111/abc"),
        ("doi", "doi: 10.1000/x(1)y", "10.1000/x(1)y"),
        ("doi", "unknown", "unknown"),
        ("pmid", "PMID: 777", "777"),
        ("pmid", "00777", "777"),
        ("pmid", "https://pubmed.ncbi.nlm.nih.gov/777/", "777"),
        ("pmcid", "777", "PMC777"),
        ("pmcid", "pmc777.1", "PMC777"),
    ],
)
def test_identifiers_have_one_spelling(kind: str, written: str, one: str) -> None:
    assert normal(kind, written) == one


@pytest.mark.parametrize(
    ("written", "id_"),
    [
        ("PMID:20", "pmid:20"), ("pmid 20", "pmid:20"), ("PMC9999999", "pmcid:PMC9999999"), ("pmcid:9", "pmcid:PMC9"),
        ("10.9999/Neph.1", "doi:10.9999/neph.1"), ("https://doi.org/10.1111/ABC", "doi:10.1111/abc"),
        ("https://pmc.ncbi.nlm.nih.gov/articles/PMC7/", "pmcid:PMC7"),
        ("local:MED-10-0123abcd", "local:MED-10-0123abcd"),
        ("epmc:PPR/PPR1", "epmc:PPR/PPR1"), ("20", ""), ("aspirin", ""), ("10.5 mg", ""), ("pmid", ""),
    ],
)  # fmt: skip
def test_what_is_an_id_is_told_from_words(written: str, id_: str) -> None:
    assert normal_id(written) == id_


def test_a_retraction_is_known_however_its_doi_is_written(tmp_path: Path) -> None:
    rows = [
        {"id": "a", "title": "Sugar cures gout", "doi": "https://doi.org/10.1111/ABC", "retracted": True},
        {"id": "b", "title": "Sugar cures gout indeed", "doi": "10.1111/abc"},
        {"title": "Salt and gout", "pmid": "PMID: 777"},
    ]
    for number, row in enumerate(rows):
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(row))
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        index_path(corpus, tmp_path)
        found = corpus.fetch(["doi:10.1111/abc", "pmid:777"])
        assert [hit.document.title for hit in found.hits][1:] == ["Salt and gout"]
        assert found.hits[0].document.retracted
        assert corpus.retracted(["doi:10.1111/abc"]) == {"doi:10.1111/abc"}
        assert len(corpus.search("gout sugar", 5, Filters()).hits) >= 1


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("b.json", '[{"title": "café"}]'.encode("latin-1"), "not UTF-8"),
        ("b.json", '[{"title": "a trial"}, {"title": "caf\xe9"}]'.encode("latin-1"), "not UTF-8"),
        ("b.json", '[{"title": "café"}]'.encode("utf-16"), "not UTF-8"),
        ("b.json.gz", gzip.compress('[{"title": "café"}]'.encode("latin-1"), mtime=0), "not UTF-8"),
        ("b.jsonl", '{"title": "café"}'.encode("utf-16"), "not UTF-8"),
        ("b.json", rb'[{"title": "half \ud800"}]', "unpaired UTF-16 surrogate"),
        ("b.jsonl", rb'{"title": "half \ud800"}', "unpaired UTF-16 surrogate"),
        ("b.xml", "<article>café</article>".encode("latin-1"), "XML is broken"),
        ("b.pdf", b"%PDF-1.4 \xe9", "as a PDF"),
        ("b.json.gz", b"\x1f\x8b\x08\x00\xff\xff", "compressed file is broken"),
    ],
)
def test_a_file_in_another_encoding_is_told_and_the_others_are_read(
    tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(data)
    (tmp_path / "c.json").write_text('[{"title": "A trial of salt"}]')
    with open_corpus(tmp_path / "corpus", writer=True) as corpus:
        done = index_path(corpus, tmp_path)
        assert [hit.document.title for hit in corpus.search("salt", 5, Filters()).hits] == ["A trial of salt"]
    assert any(told in bad.reason for bad in done.problems)
