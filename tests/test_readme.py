"""What the README tells people to run exists, and what it shows is there."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
SHELL = [
    line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()
]


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("attend ")])
def test_each_command_and_flag_exists(line: str) -> None:
    _, *words = shlex.split(line)
    verbs = [word for word in words[:2] if word in ("chat", "memory", "show", "doctor", "models")]
    shown = CliRunner().invoke(app, [*verbs, "--help"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert shown.exit_code == 0, shown.output
    assert verbs
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
