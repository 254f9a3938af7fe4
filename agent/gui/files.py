"""Checks of files and folders that are named on the command line, made before anything is done."""

from __future__ import annotations

import os
from pathlib import Path

from tools.errors import ConfigError


def check_new(option: str, file: Path | None) -> None:
    """Check that a file can be written and that nothing is lost. Raises ConfigError."""
    if file is not None and (file.exists() or file.is_symlink()):
        raise ConfigError(f"{option}: the file {str(file)!r} is there already.", remedy="Name another one.")
    if file is not None and not file.parent.is_dir():
        raise ConfigError(f"{option}: there is no folder {str(file.parent)!r}.", remedy="Make it first.")


def check_folder(option: str, folder: Path | None) -> None:
    """Check that files can be put into a folder, which is made where it is missing. Raises ConfigError."""
    if folder is None:
        return
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists() or place.is_symlink())
    if not there.is_dir():
        raise ConfigError(f"{option}: {str(there)!r} is no folder.", expected="a folder that files can be put into")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(
            f"{option}: nothing can be written to the folder {str(there)!r}.", remedy="Name one that is yours."
        )


def is_same_file(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file, by whatever names and links."""
    try:
        return one.samefile(other)
    except OSError:  # one of them is not there
        return False
