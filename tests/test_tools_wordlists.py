"""Word lists that are data: sections in order, comments left out, damage named with its line."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.errors import ToolFailed
from tools.wordlists import load_words

ROOT = Path(__file__).parent.parent
LISTS = sorted(
    path for package in ("agent", "tools", "memory", "evals") for path in (ROOT / package).rglob("data/*.txt")
)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `words_of_a_test` with an empty `data`."""
    folder = tmp_path / "words_of_a_test"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield folder / "data"
    sys.modules.pop("words_of_a_test", None)
    load_words.cache_clear()


def test_sections_and_words_keep_their_order(package: Path) -> None:
    (package / "list.txt").write_text("# of a test\n\n[two words]\nb c\n# aside\n  a|(x)\n\n[-1]\n[a|b]\nä\n", "utf-8")
    found = load_words("words_of_a_test", "list")
    assert list(found.items()) == [("two words", ("b c", "a|(x)")), ("-1", ("[a|b]", "ä"))]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"word\n[one]\n", "line 1, 'word', comes before any section"),
        (b"[one]\na\n[one]\n", "line 3 repeats section 'one'"),
        (b"[one]\n\xff\n", "cannot read the word list words_of_a_test/data/list.txt"),
        (None, "cannot read the word list words_of_a_test/data/list.txt"),
    ],
)
def test_a_damaged_list_is_named(text: bytes | None, problem: str, package: Path) -> None:
    if text is not None:
        (package / "list.txt").write_bytes(text)
    with pytest.raises(ToolFailed, match=problem) as told:
        load_words("words_of_a_test", "list")
    assert told.value.remedy == "Install the package again."


def test_each_list_is_read_and_packaged() -> None:
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]
    assert len(LISTS) > 10
    for path in LISTS:
        package = ".".join(path.parent.parent.relative_to(ROOT).parts)
        assert "data/*.txt" in packaged[package], package
        assert all(load_words(package, path.stem).values()), path
