"""What the README tells people to run exists, and what it shows is there."""

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
README = (ROOT / "README.md").read_text("utf-8")
SHELL = [
    line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()
]


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("attend ")])
def test_each_command_and_flag_exists(line: str) -> None:
    _, *words = shlex.split(line)
    command: Any = get_command(app)
    verbs = []
    while hasattr(command, "get_command"):  # plug-ins, such as `eval`, are not among its `commands`
        verbs.append(words[len(verbs)])
        command = command.get_command(None, verbs[-1])
        assert command is not None, verbs
    shown = CliRunner().invoke(app, [*verbs, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert shown.exit_code == 0, shown.output
    assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", shown.output))


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert set(re.findall(r"`?make ([a-z-]+)", README)) <= targets


def test_each_picture_and_path_is_there() -> None:
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README)
    paths = re.findall(r"`((?:agent|tools|memory|evals|tests|docs)/[\w/.]*)`", README)
    assert pictures
    assert [path for path in pictures + paths if not (ROOT / path).exists()] == []


def test_the_python_example_compiles_and_imports_what_exists() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README, re.S)
    names: dict[str, object] = {}
    exec(compile(example.replace("asyncio.run(main())", ""), "README.md", "exec"), names)
    assert {"open_assistant", "load_config", "main"} <= names.keys()


def test_each_measured_number_was_printed_by_a_benchmark() -> None:
    printed = {
        text for path in sorted((ROOT / "docs").glob("*.json")) for text in _spellings(json.loads(path.read_text()))
    }
    rows = re.findall(r"^\|.*\|$", README.split("## Measured")[1].split("\n## ")[0], re.M)
    numbers = {number for row in rows for number in re.findall(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?", row.split("|", 2)[2])}
    assert len(numbers) > 10
    assert sorted(numbers - printed) == []


def _spellings(value: object) -> set[str]:
    """The ways in which the README may write the numbers of a benchmark's output."""
    if isinstance(value, dict):
        return {text for entry in value.values() for text in _spellings(entry)}
    if isinstance(value, list):
        return {text for entry in value for text in _spellings(entry)}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {
            f"{value:.0f}",
            f"{value:,.0f}",
            f"{value:.1f}",
            f"{value:.2f}",
            f"{round(value, -3):,.0f}",
            f"{value:.3f}",
        }
    return set()
