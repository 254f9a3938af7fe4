"""Checks of files and folders that are named on the command line, made before anything is done."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from tools.errors import ConfigError


def check_new(option: str, file: Path | None, suffixes: Collection[str] = ()) -> None:
    """Check, before anything is done, that a file can be written and that nothing is lost.

    Args:
        option: that names it, such as `--save`; "" for an argument.
        file: the file; None is none.
        suffixes: that its name has to end in, one of; any where there are none.

    Raises:
        ConfigError: if it is there already, its folder is not or cannot be written to, or its name ends otherwise.
    """
    if file is None:
        return
    said = f"{option}: " if option else ""
    if os.path.lexists(file):
        raise ConfigError(f"{said}the file {str(file)!r} is there already.", remedy="Name another one.")
    if suffixes and file.suffix not in suffixes:
        raise ConfigError(
            f"{said}{str(file)!r} is no YAML file.", expected=f"a name that ends in {' or '.join(suffixes)}"
        )
    if not file.parent.is_dir():
        raise ConfigError(f"{said}there is no folder {str(file.parent)!r}.", remedy="Make it first.")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{said}the folder {str(file.parent)!r} cannot be written to.", remedy="Name another one.")


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
