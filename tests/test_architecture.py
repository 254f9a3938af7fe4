"""Structure that is easier to keep than to mend: import arrows, file sizes, lazy imports."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Set
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.tiers import LISTED

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "tools", "memory", "evals")
MAY_IMPORT = {
    "tools": {"tools"},
    "memory": {
        "memory",
        "tools.media",
        "tools.errors",
        "tools.extras",
        "tools.lazy",
        "tools.sqlite",
        "tools.wordlists",
    },
    "agent": {"agent", "memory", "tools"},
    "evals": {"evals", "agent", "memory", "tools"},
}
HEAVY = {
    "torch",
    "transformers",
    "cv2",
    "av",
    "chromadb",
    "sentence_transformers",
    "pyautogui",
    "matplotlib",
    "rapidocr",
}
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def imported_names(path: Path) -> set[str]:
    """Modules that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_imports_point_one_way() -> None:
    wrong = {}
    for path in SOURCES:
        may = MAY_IMPORT[path.relative_to(ROOT).parts[0]]
        ours = {name for name in imported_names(path) if name.split(".")[0] in PACKAGES}
        if stray := {name for name in ours if not any((name + ".").startswith(one + ".") for one in may)}:
            wrong[str(path.relative_to(ROOT))] = sorted(stray)
    assert wrong == {}


def test_sqlite_is_opened_in_one_place() -> None:
    """Others take `connect` of `tools.sqlite`; the checkpointer of langgraph opens its file by aiosqlite."""
    form = re.compile(r"sqlite3\.connect\b|^\s*from sqlite3 import .*\bconnect\b", re.M)
    opening = {str(path.relative_to(ROOT)) for path in SOURCES if form.search(path.read_text("utf-8"))}
    assert opening == {"tools/sqlite.py"}


def runtime_imports(node: ast.AST, modules: Set[str]) -> set[str]:
    """Our modules that a syntax tree imports when it runs, in functions too, and not for type checkers alone."""
    if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
        return set().union(*(runtime_imports(child, modules) for child in node.orelse))
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & modules
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        named = {f"{node.module}.{alias.name}" for alias in node.names}
        return {name if name in modules else node.module for name in named} & modules
    return set().union(*(runtime_imports(child, modules) for child in ast.iter_child_nodes(node)))


def test_no_imports_go_in_a_circle() -> None:
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCES
    }
    graph = {
        name: runtime_imports(ast.parse(path.read_text("utf-8")), modules.keys()) for name, path in modules.items()
    }
    assert sum(map(len, graph.values())) > 1_000
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' <- '.join(error.args[1])}")


def test_files_stay_readable() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert not {name: length for name, length in lengths.items() if length > 420}
    assert lengths["agent/core/graph.py"] <= 250


@pytest.mark.parametrize(
    "module",
    [
        "agent",
        "tools",
        "memory",
        "evals",
        "agent.cli.main",
        "evals.cli",
        "agent.core.graph",
        "tools.registry",
        "tools.media",
        "memory.stream",
    ],
)
def test_importing_loads_nothing_heavy(module: str) -> None:
    script = f"import json, sys, {module}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not HEAVY & set(json.loads(run.stdout))


def test_nothing_names_a_machine() -> None:
    words = (f"{ROOT}/", f"{Path.home()}/")
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=True).stdout.split()
    texts = [
        ROOT / name for name in listed if name.endswith((".py", ".md", ".toml", ".txt", ".yaml", ".json", "Makefile"))
    ]
    found = [(path.name, word) for path in texts for word in words if word in path.read_text("utf-8")]
    assert found == []


def test_the_table_of_tiers_names_files_that_exist() -> None:
    names = {name.partition("::")[0] for listed in LISTED.values() for name in listed.split()}
    assert {f"{name}.py" for name in names} <= {path.name for path in (ROOT / "tests").glob("test_*.py")}
