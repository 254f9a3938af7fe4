"""The README and the pages of `docs` name what exists, and print the numbers that the benchmarks printed."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from evals.cli import app

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
BENCHMARKS = ROOT / "docs" / "benchmarks.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = {
    "The embedded model on pictures": ["vision"],
    "The embedded model on the street": ["street"],
    "Actions of people": ["actions"],
    "attend-core": ["attend_core"],
    "Speech to text": ["hearing"],
    "Chat: speed and tokens": ["chat"],
    "Memory policies": ["policy"],
    "Streaming memory over 90 minutes": ["stream"],
    "Eight hours of streaming": ["soak"],
    "Narrative memory: retrieval": ["narrative"],
    "Narrative memory: a film": ["narrative_film"],
    "Narrative memory: 100,000 events": ["narrative_scale"],
    "Finding controls on a screen": ["grounding"],
    "Workflows on a screen": ["gui_workflows"],
    "The guard against injected orders": ["redteam"],
    "Literature: search": ["literature"],
    "Literature: answers": ["literature_answers"],
    "The evaluation engine": ["engine"],
}
"""Sections of `docs/benchmarks.md`, and the files in `docs` with their numbers."""


def read(page: Path) -> str:
    return page.read_text("utf-8")


def commands(page: Path) -> list[str]:
    """The `attend` commands in the shell blocks of a page: fenced ones, and the indented ones of older pages."""
    text = read(page).replace("\\\n", " ")
    fenced = re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
    lines = [line for block in fenced for line in block.splitlines()]
    lines += [line.strip() for line in re.findall(r"^    .+", text, re.M)]
    return [line for line in lines if line.startswith("attend ")]


def sections() -> dict[str, str]:
    return dict(part.split("\n", 1) for part in read(BENCHMARKS).split("\n## ")[1:])


def spellings(value: object) -> set[str]:
    """The ways in which a page may write the numbers of a benchmark's output."""
    if isinstance(value, dict):
        return {text for entry in value.values() for text in spellings(entry)}
    if isinstance(value, list):
        return {text for entry in value for text in spellings(entry)}
    if isinstance(value, int | float) and not isinstance(value, bool):
        written = {f"{value:.{places}f}" for places in range(4)}
        return written | {f"{value:,.0f}", f"{round(value, -3):,.0f}", f"{100 * value:.1f}"}
    return set()


def printed(names: list[str]) -> set[str]:
    return {text for name in names for text in spellings(json.loads(read(ROOT / "docs" / f"{name}.json")))}


def table_numbers(text: str) -> set[str]:
    """Numbers in the rows of tables, their first columns left out."""
    rows = re.findall(r"^\|.*\|$", text, re.M)
    cells = [row.split("|", 2)[2] for row in rows]
    return {number for row in cells for number in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?![\d%])", row)}


def test_the_readme_is_short() -> None:
    assert len(read(README).split()) <= 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_flags_exist(page: Path) -> None:
    unknown = []
    for line in commands(page):
        _, *words = shlex.split(line, comments=True)
        command: Any = get_command(app)
        verbs = []
        while hasattr(command, "get_command"):  # plug-ins, such as `eval`, are not among its `commands`
            verbs.append(words[len(verbs)])
            command = command.get_command(None, verbs[-1])
        if command is None:
            unknown.append(line)
            continue
        shown = CliRunner().invoke(app, [*verbs, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
        assert shown.exit_code == 0, shown.output
        flags = {word for word in words if word.startswith("--")}
        unknown += [line] if flags - set(re.findall(r"--[a-z-]+", shown.output)) else []
    assert unknown == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", read(page), re.M)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_pictures_and_paths_resolve(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", read(page)) if "://" not in link]
    files = [link.split("#")[0] for link in links]
    paths = re.findall(r"`((?:agent|tools|memory|evals|tests|docs|examples)/[\w/.]*)`", read(page))
    broken = [name for name in files if not (page.parent / name).exists()]
    assert broken + [path for path in paths if not (ROOT / path).exists()] == []


def test_contributing_lists_where_features_are() -> None:
    _, table = read(ROOT / "CONTRIBUTING.md").split("## Where is X?")
    rows = re.findall(r"^\| [^|]+ \| `([\w/.]+)` \|$", table.split("\n## ")[0], re.M)
    assert len(set(rows)) >= 30
    assert all((ROOT / path).is_file() for path in rows)


def test_the_python_example_compiles_and_imports_what_exists() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", read(ROOT / "docs" / "python.md"), re.S)
    names: dict[str, object] = {}
    exec(compile(example.replace("asyncio.run(main())", ""), "python.md", "exec"), names)
    assert {"open_assistant", "load_config", "main"} <= names.keys()


def test_every_section_of_benchmarks_has_a_source() -> None:
    assert sections().keys() == SOURCES.keys()


@pytest.mark.parametrize("section", SOURCES)
def test_numbers_of_benchmarks_were_printed_by_the_benchmark(section: str) -> None:
    text = re.sub(r"`[^`]*`|\([^)]*\.\w+\)", "", sections()[section])
    decimals = set(re.findall(r"(?<![\w.])-?\d[\d,]*\.\d+(?!%)", text))
    assert sorted((table_numbers(text) | decimals) - printed(SOURCES[section])) == []


def test_numbers_of_the_readme_were_printed_by_a_benchmark() -> None:
    text = read(README).split("## Quick start")[0]
    numbers = table_numbers(text) | set(re.findall(r"(?<![\w.])\d\.\d+", text))
    assert len(numbers) > 10
    assert sorted(numbers - printed(["vision", "attend_core", "street"])) == []


@pytest.mark.parametrize(
    ("key", "row"), [("report", "first words"), ("fifth_hand", "fifth person"), ("sixth_hand", "sixth person")]
)
def test_intervals_of_grounding_are_given_for_all_wordings(key: str, row: str) -> None:
    ahead = json.loads(read(ROOT / "docs" / "grounding.json"))[key]["ahead"]["strings"]
    cells = [
        text
        for name in ("step_hit", "tca")
        for text in (f"{ahead[name]['mean']:+.2f}", f"{ahead[name]['low']:+.2f} to {ahead[name]['high']:+.2f}")
    ]
    assert f"| {row} | {' | '.join(cells)} |" in sections()["Finding controls on a screen"]


def test_wrong_answers_of_grounding_are_given_for_all_wordings() -> None:
    found = json.loads(read(ROOT / "docs" / "grounding.json"))
    hands = [found["report"], found["fifth_hand"], found["sixth_hand"]]
    for way in ("pixels", "tree"):
        false = " | ".join(str(hand["elsewhere"][way]) for hand in hands)
        assert f"| false answers on another screen, {way} | {false} |" in sections()["Finding controls on a screen"]


def test_the_readme_says_what_the_default_model_cannot_do_before_how_to_start() -> None:
    start, _ = read(README).split("## Quick start")
    assert "**It cannot**" in start
    naming = json.loads(read(ROOT / "docs" / "vision.json"))["naming"]["score"]
    assert f"names the main object of a photograph | 10 | {naming:.2f}" in start
    assert re.search(r"ordinary questions .* right and 0\.\d\d wrong", start.replace("\n", " "))
