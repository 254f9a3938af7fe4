"""Evaluation suites: published benchmarks and our own, each a loader, prompts and a scorer, by name.

`NAMES` lists the built-in ones; each implements `evals.engine.suite`, and `attend eval run` runs it.
"""

from __future__ import annotations

import difflib
import importlib.util
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

from evals.engine.suite import Suite
from tools.errors import AttendError, ConfigError
from tools.plugins import find_plugins, load_plugin

NAMES: tuple[str, ...] = (
    "attend-core",
    "cure",
    "freak",
    "hlv",
    "medq-bench",
    "medspot",
    "na-vqa",
    "ovobench",
    "proactivebench",
    "pubmedqa",
    "streamingbench",
)


def suite_names() -> tuple[str, ...]:
    """Return the names that `load_suite` accepts: the built-in ones, then those of the plug-ins of `attend.suites`."""
    return NAMES + tuple(name for name in find_plugins("attend.suites") if name not in NAMES)


def load_suite(name: str) -> Suite:
    """Load a suite by name, or from a file `FILE.py` with a constant `SUITE`.

    Raises:
        ConfigError: if the name is unknown; suggests the nearest one.
        PluginError: if a plug-in's suite cannot be loaded.
    """
    if name.endswith(".py"):
        return _suite_of_file(Path(name))
    if name not in NAMES and (entry := find_plugins("attend.suites").get(name)):
        return cast(Suite, load_plugin(entry, Suite))
    suite: Suite = _task_of(name, suite_names()).SUITE
    return suite


def _task_of(name: str, names: tuple[str, ...]) -> Any:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise ConfigError(
            f"unknown suite {name!r}.",
            expected=f"one of {', '.join(names)}" if names else "a file FILE.py that defines SUITE",
            remedy=f"Did you mean {near[0]!r}?" if near else "",
        )
    return import_module(f"evals.suites.{name.replace('-', '_')}.task")


def _suite_of_file(path: Path) -> Suite:
    module = _module_of_file(path)
    suite = getattr(module, "SUITE", None)
    if not isinstance(suite, Suite):
        raise ConfigError(
            f"{str(path)!r} defines no suite.", expected="a constant SUITE, an `evals.engine.suite.Suite`"
        )
    return suite


class _FromText(SourceFileLoader):
    """A loader without bytecode, which would look current if a file changes within a second and keeps its length."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _module_of_file(path: Path) -> ModuleType:
    # The name includes the whole path: two files of one name may both be loaded, and pydantic looks modules up.
    name = f"attend_suite_{path.resolve().as_posix().replace('/', '_').removesuffix('.py')}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_FromText(name, str(path)))
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"the suite file {str(path)!r} does not exist.", expected="a Python file with a SUITE")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except AttendError:
        raise
    except Exception as error:  # it is third-party code
        raise ConfigError(
            f"cannot load the suite file {str(path)!r}: {type(error).__name__}: {error}.",
            remedy=f"Fix it: `python {path}` shows where.",
        ) from error
    return module
