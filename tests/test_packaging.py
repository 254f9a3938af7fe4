"""What is installed: the four import packages, owned by nobody else, and one OpenCV."""

import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from agent.cli.doctor import name_intruders

ROOT = Path(__file__).parent.parent
NAMES = {"agent", "tools", "memory", "evals"}


def test_a_wheel_holds_exactly_the_four_packages_and_their_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True
    )
    (wheel,) = tmp_path.glob("attend_agent-*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in files if ".dist-info/" not in name} == NAMES
    missing = [
        str(path.relative_to(ROOT))
        for name in NAMES
        for path in (ROOT / name).rglob("*")
        if path.suffix in {".py", ".md", ".safetensors", ".json", ".npz", ".html", ".js", ".css", ".svg"}
        and str(path.relative_to(ROOT)) not in files
    ]
    assert missing == []


def test_nothing_else_here_owns_our_import_names() -> None:
    assert name_intruders() == {}


def test_an_intruder_is_named() -> None:
    assert name_intruders({"tools": ["attend-agent", "tools"], "agent": ["attend-agent"]}) == {"tools": ["tools"]}


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
