"""Whether there is literature to search, found out without loading what searches it."""

from __future__ import annotations

from pathlib import Path

from agent.config import Config

FOLDER = "literature"
"""In the folder of the settings: the corpus."""


def folder_of(config: Config) -> Path:
    """Where the corpus lies."""
    return config.folder / FOLDER


def has_corpus(config: Config) -> bool:
    """Whether there is one; asking makes none."""
    folder = folder_of(config)
    if not folder.is_dir():
        return False
    from tools.literature.index.database import FILE_NAME

    return (folder / FILE_NAME).is_file()


def searchable(config: Config) -> list[str]:
    """The sources of the settings that can be asked: `local` only once something is indexed."""
    return [name for name in config.literature.sources if name != "local" or has_corpus(config)]
