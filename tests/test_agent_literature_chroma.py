"""Vectors of the literature on a Chroma server: filled, kept up to date, and done without where it does not answer."""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agent.literature.chroma_index import FILE_NAME, ChromaCorpus, upload_vectors
from evals.cli import app
from tests.literature_helpers import PAPERS, paper, write_papers
from tools.errors import StoreError
from tools.literature.index.corpus import Corpus, open_corpus
from tools.literature.index.ingest import index_path
from tools.literature.types import Filters

DIM = 16


def embed(texts: list[str]) -> np.ndarray:
    """Each text as a unit vector that depends on nothing else."""
    seeds = [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
    vectors = np.stack([np.random.default_rng(seed).normal(size=DIM) for seed in seeds])
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("chroma")
    command = [str(Path(sys.executable).with_name("chroma")), "run", "--path", str(folder), "--host", "127.0.0.1"]
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log)
    try:
        give_up_s = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < give_up_s, (folder / "log").read_text()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.kill()
        running.wait()


def index(folder: Path, documents: tuple) -> None:
    with open_corpus(folder / "kept", writer=True) as corpus:
        index_path(corpus, write_papers(folder / "in", documents), embed=embed, model="test")


def nearest(corpus: Corpus, server: str, limit: int = 3, **filters: object) -> tuple[list[str], list[str]]:
    """The ids nearest to a vector, by the corpus itself and by the server."""
    vector = embed(["a question"])[0]
    served = ChromaCorpus(corpus, server)
    try:
        founds = [source.near(vector, limit, Filters.model_validate(filters)) for source in (corpus, served)]
    finally:
        served.close()
    assert founds[1].problems == ()
    one, other = ([hit.document.id for hit in found.hits] for found in founds)
    return one, other


def test_a_server_finds_what_the_corpus_finds_and_is_kept_up_to_date(tmp_path: Path, server: str) -> None:
    index(tmp_path, PAPERS[:3])
    with open_corpus(tmp_path / "kept") as corpus:
        assert upload_vectors(corpus, server) == 3
        assert upload_vectors(corpus, server) == 0
        one, other = nearest(corpus, server)
        assert one == other
        assert len(one) == 3
        one, other = nearest(corpus, server, exclude_retracted=True)
        assert one == other
        assert "pmid:13" not in one
    index(tmp_path, PAPERS)
    with open_corpus(tmp_path / "kept") as corpus:
        assert upload_vectors(corpus, server) == 2
        one, other = nearest(corpus, server, 5)
        assert one == other
        assert len(one) == 5
    index(tmp_path, (PAPERS[0], paper(50, "Something new about statins.")))
    with open_corpus(tmp_path / "kept") as corpus:
        upload_vectors(corpus, server)
        one, other = nearest(corpus, server, 5)
        assert one == other
        assert set(one) == {"pmid:11", "pmid:50"}


def test_a_server_that_lost_what_it_had_is_filled_again(tmp_path: Path, server: str) -> None:
    import chromadb

    index(tmp_path, PAPERS)
    with open_corpus(tmp_path / "kept") as corpus:
        upload_vectors(corpus, server)
        name = json.loads((tmp_path / "kept" / FILE_NAME).read_text())["name"]
        chromadb.HttpClient("127.0.0.1", int(server.rpartition(":")[2])).delete_collection(name)
        served = ChromaCorpus(corpus, server)
        found = served.near(embed(["x"])[0], 3, Filters())
        served.close()
        assert len(found.hits) == 3
        assert "Vectors were compared locally instead" in found.problems[0].reason
        assert upload_vectors(corpus, server) == 5


def test_without_the_server_vectors_are_compared_here_and_it_is_told(tmp_path: Path, server: str) -> None:
    index(tmp_path, PAPERS)
    with open_corpus(tmp_path / "kept") as corpus:
        found = ChromaCorpus(corpus, server).near(embed(["x"])[0], 3, Filters())
        assert len(found.hits) == 3
        assert "not on this server yet" in found.problems[0].reason
        upload_vectors(corpus, server)
        noted = json.loads((tmp_path / "kept" / FILE_NAME).read_text())
        (tmp_path / "kept" / FILE_NAME).write_text(json.dumps({**noted, "server": "http://127.0.0.1:9"}))
        found = ChromaCorpus(corpus, "http://127.0.0.1:9").near(embed(["x"])[0], 3, Filters())
        assert len(found.hits) == 3
        assert "cannot use the vector index" in found.problems[0].reason
        with pytest.raises(StoreError, match="chroma run"):
            upload_vectors(corpus, "http://127.0.0.1:9")


def test_the_commands_use_the_server_that_is_set(tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.perception.annotator.embed_texts", embed)
    monkeypatch.setattr("agent.models.sentence_encoder.embed_questions", embed)
    monkeypatch.setenv("ATTEND_LITERATURE__CHROMA", server)
    folder = ["--folder", str(tmp_path / "home")]
    made = CliRunner().invoke(app, ["literature", "index", str(write_papers(tmp_path / "in")), *folder])
    assert made.exit_code == 0, made.output
    assert f"5 vectors uploaded to {server}" in made.stdout
    found = CliRunner().invoke(app, ["literature", "search", "statins", *folder, "--json"])
    told = json.loads(found.stdout)
    assert told["problems"] == []
    assert "local dense" in told["hits"][0]["ranks"]
