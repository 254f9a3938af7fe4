"""The public names of the four packages: each is there, and is what type checkers are told that it is."""

import ast
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent", "tools", "memory", "evals")


def declared(package: str) -> dict[str, str]:
    """Module of each name under `if TYPE_CHECKING:` of a package."""
    tree = ast.parse((ROOT / package / "__init__.py").read_text("utf-8"))
    blocks = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for block in blocks for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_are_what_type_checkers_see(package: str) -> None:
    module = import_module(package)
    names = declared(package)
    assert sorted(names) == sorted(module.__all__)
    for name, source in names.items():
        assert getattr(module, name) is getattr(import_module(source), name)


@pytest.mark.parametrize("package", PACKAGES)
def test_an_unknown_name_is_refused(package: str) -> None:
    name = "nothing"
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        getattr(import_module(package), name)
