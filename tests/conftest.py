"""Fixtures that all tests share, and the tiers of the suite (see `tests/tiers.py`)."""

from __future__ import annotations

import functools
import os
import resource
import sys
import time
from collections.abc import Iterator

import hypothesis
import pytest
import typer.main
import typer.testing

from tests.tiers import SLOW_S, TIERS, markers_of

# A busy machine is slow: no example of a property test fails for the time that it takes.
hypothesis.settings.register_profile("attend", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("attend")


@pytest.fixture(scope="session", autouse=True)
def one_tree_of_commands() -> Iterator[None]:
    """Typer builds all commands of an application at each call, a sixth of a second; here it does so once."""
    once = functools.cache(typer.main.get_command)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", once)
        patch.setattr(typer.testing, "_get_command", once)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in markers_of(item.path.stem, item.name):
            item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test of the quick tier that takes over `SLOW_S` seconds."""
    begun_s, begun_cpu_s, begun_loaded = time.monotonic(), _cpu_s(), _loaded()
    yield
    # On a busy machine a quick test takes long, but little of the processor; threads take more of it than of the clock.
    taken_s = min(time.monotonic() - begun_s, _cpu_s() - begun_cpu_s)
    unmarked = not TIERS & {marker.name for marker in item.iter_markers()}
    if unmarked and taken_s > SLOW_S * _crowding() and _loaded() == begun_loaded:
        pytest.fail(f"took {taken_s:.1f} s of processor time; make it quicker, or list it in tests/tiers.py")


def _crowding() -> float:
    """How many processes there are to a processor, at least 1: those that share its caches take more of its time."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def _cpu_s() -> float:
    """Processor time of this process and of those that it has waited for, in seconds."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _loaded() -> tuple[int, int]:
    """Return what grows where libraries are imported or weights loaded: the first test to do so pays for all others."""
    most_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return len(sys.modules) // 20, most_kib // (50 << 10)
