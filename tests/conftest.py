"""What all tests share."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest
import typer.main
import typer.testing
from hypothesis import settings

# A busy machine may take any time over an example.
settings.register_profile("attend", deadline=None)
settings.load_profile("attend")


@pytest.fixture(scope="session", autouse=True)
def one_tree_of_commands() -> Iterator[None]:
    """Typer builds all commands of an application at each call, a sixth of a second; here it does so once."""
    once = functools.cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", once)
        patch.setattr(typer.testing, "_get_command", once)
        yield
