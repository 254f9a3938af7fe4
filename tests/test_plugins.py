"""Plug-ins as a user meets them: a real distribution, installed beside Attend, adds one of each kind."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.fixtures.scenes import write_scenes
from tools import plugins

ROOT = Path(__file__).parent.parent
ATTEND = [sys.executable, "-c", "from agent.cli.main import main; main()"]
PROJECT = """
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "1.0"

[tool.setuptools]
py-modules = ["{module}"]

{entries}
"""
ENTRIES = """
[project.entry-points."attend.tools"]
toss = "lucky:make_toss"
[project.entry-points."attend.models"]
lucky = "lucky:load_model"
[project.entry-points."attend.suites"]
coin = "lucky:SUITE"
[project.entry-points."attend.commands"]
toss = "lucky:app"
"""
LUCKY = """
import typer
from langchain_core.tools import StructuredTool
from pydantic import BaseModel

from agent.models.scripted import Scripted
from evals.engine.suite import Loaded, Sample, Scored, Suite
from tools.base import Shown
from tools.registry import check_tool

app = typer.Typer(add_completion=False)


@app.command()
def toss(times: int = 1) -> None:
    "Toss a coin."
    typer.echo("heads " * times)


class NoArgs(BaseModel):
    model_config = {"extra": "forbid"}


def make_toss(seen):
    def toss_coin():
        return f"heads, with {seen.newest() is not None}", Shown()

    return check_tool(
        StructuredTool.from_function(
            toss_coin, name="toss_coin", description="Toss a coin.", args_schema=NoArgs,
            response_format="content_and_artifact",
        )
    )


def load_model(rest, options):
    tool, _, side = rest.rpartition("+")
    calls = [{"tool": tool}] if tool else []
    return Scripted.model_validate({"turns": [*calls, {"say": f"It fell on {side}."}]})


def score(sample, transcript):
    return Scored(value=float(sample.reference in transcript.answer))


SUITE = Suite(
    name="coin",
    title="Sides of a coin",
    version=1,
    load=lambda data, options: Loaded(
        samples=(Sample(id="1", cluster="1", prompt=("Which side?",), reference="coin"),)
    ),
    score=score,
)
"""
Attend = Callable[..., subprocess.CompletedProcess[str]]


def install(folder: Path, name: str, code: str, entries: str, target: Path) -> None:
    """Install a distribution with one module into a folder, by pip, with its metadata."""
    module = name.replace("-", "_")
    source = folder / name
    source.mkdir()
    (source / f"{module}.py").write_text(code)
    (source / "pyproject.toml").write_text(PROJECT.format(name=name, module=module, entries=entries))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--no-build-isolation"]
    subprocess.run([*pip, "--target", target, source], check=True)


@pytest.fixture(scope="module")
def attend(tmp_path_factory: pytest.TempPathFactory) -> Attend:
    """Run the command in a process that finds two plug-ins: one works, one cannot be imported."""
    folder = tmp_path_factory.mktemp("plugins")
    target = folder / "site"
    write_scenes(folder / "clip.mp4", [("red", 2), ("green", 2)])
    install(folder, "lucky", LUCKY, ENTRIES, target)
    groups = {"tools": "", "models": "broken", "suites": "broken-suite", "commands": "broken"}
    entries = "\n".join(
        f'[project.entry-points."attend.{group}"]\n{name} = "broken_plugin:x"' for group, name in groups.items() if name
    )
    install(folder, "broken-plugin", "import no_such_module\n", entries, target)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{target}", "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*ATTEND, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=200)

    return run


def test_a_plugin_adds_a_command(attend: Attend) -> None:
    run = attend("toss", "--times", 2)
    assert (run.returncode, run.stdout) == (0, "heads heads \n")
    assert "Toss a coin." in attend("--help").stdout


def test_a_plugin_adds_a_model_and_a_tool_that_it_calls(attend: Attend, tmp_path: Path) -> None:
    run = attend(
        "chat",
        "clip.mp4",
        "--model",
        "lucky:toss_coin+its edge",
        "--policy",
        "last",
        "--ask",
        "Toss a coin.",
        "--json",
        "--folder",
        tmp_path,
    )
    assert run.returncode == 0, run.stderr
    events = [json.loads(line) for line in run.stdout.splitlines()]
    returned = [event for event in events if event["type"] == "tool_returned"]
    assert [event["text"] for event in returned] == ["heads, with True"]
    assert "It fell on its edge." in run.stdout


def test_a_plugin_adds_a_suite(attend: Attend, tmp_path: Path) -> None:
    assert "coin  Sides of a coin" in attend("eval", "list").stdout
    run = attend("eval", "run", "coin", "--model", "lucky:the coin", "--fail-under", 1, "--out", tmp_path / "right")
    assert run.returncode == 0, run.stderr
    wrong = attend("eval", "run", "coin", "--model", "lucky:nothing", "--fail-under", 1, "--out", tmp_path / "wrong")
    assert wrong.returncode == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["broken", "--any", "thing"],
        ["chat", "clip.mp4", "--model", "broken:x", "--ask", "?"],
        ["eval", "run", "broken-suite", "--model", "scripted:x"],
    ],
)
def test_a_broken_plugin_is_named_with_its_distribution(attend: Attend, tmp_path: Path, arguments: list[str]) -> None:
    run = attend(*arguments)
    assert run.returncode == 1
    assert "from the distribution 'broken-plugin'" in run.stderr
    assert "No module named 'no_such_module'" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_broken_plugin_leaves_the_others_at_work(attend: Attend) -> None:
    listed = attend("eval", "list")
    assert listed.returncode == 0
    assert "attend-core" in listed.stdout
    assert "broken-plugin" in listed.stdout
    shown = attend("--help")
    assert shown.returncode == 0
    assert "chat" in shown.stdout
    assert "broken-plugin" in shown.stdout


def test_a_name_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [EntryPoint("one", f"{module}:x", "attend.tools") for module in ("first", "second")]
    monkeypatch.setattr(plugins.importlib.metadata, "entry_points", lambda group: twice)
    with pytest.raises(plugins.PluginError, match=r"both first and second add 'one' to attend\.tools"):
        plugins.find_plugins("attend.tools")


def test_a_plugin_of_another_type_is_refused() -> None:
    with pytest.raises(plugins.PluginError, match="os:sep is a str, not a function"):
        plugins.load_plugin(EntryPoint("sep", "os:sep", "attend.tools"))
