"""Checks of files and folders given on the command line, made before any work starts."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from tools.errors import ConfigError


def check_new(option: str, file: Path | None, suffixes: Collection[str] = ()) -> None:
    """Check that a new file can be written without overwriting anything.

    Args:
        option: the option that names it, such as `--save`; "" for an argument.
        file: the file; None skips the check.
        suffixes: allowed suffixes; empty allows any.

    Raises:
        ConfigError: if it exists, its folder does not exist or is not writable, or it has another suffix.
    """
    if file is None:
        return
    prefix = f"{option}: " if option else ""
    if os.path.lexists(file):
        raise ConfigError(f"{prefix}the file {str(file)!r} already exists.", remedy="Choose another name.")
    if suffixes and file.suffix not in suffixes:
        raise ConfigError(
            f"{prefix}{str(file)!r} is not a YAML file.", expected=f"a name ending in {' or '.join(suffixes)}"
        )
    if not file.parent.is_dir():
        raise ConfigError(f"{prefix}cannot find the folder {str(file.parent)!r}.", remedy="Create it first.")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{prefix}cannot write to the folder {str(file.parent)!r}.", remedy="Choose another one.")


def check_folder(option: str, folder: Path | None) -> None:
    """Check that a folder can be created or written to. Raises ConfigError."""
    if folder is None:
        return
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists() or place.is_symlink())
    if not there.is_dir():
        raise ConfigError(f"{option}: {str(there)!r} is not a folder.", expected="a writable folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"{option}: cannot write to the folder {str(there)!r}.", remedy="Choose a writable one.")


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether two paths lead to the same file, also through links."""
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return False
