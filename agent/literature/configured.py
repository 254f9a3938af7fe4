"""Configured literature: the corpus folder and searchable sources, checked without heavy imports."""

from __future__ import annotations

from pathlib import Path

from agent.config import Config

FOLDER = "literature"
"""Subfolder of the corpus."""


def folder_of(config: Config) -> Path:
    """Return the folder of the corpus."""
    return config.folder / FOLDER


def has_corpus(config: Config) -> bool:
    """Return whether there is a corpus, without creating one."""
    folder = folder_of(config)
    if not folder.is_dir():
        return False
    from tools.literature.index.database import FILE_NAME

    return (folder / FILE_NAME).is_file()


def searchable(config: Config) -> list[str]:
    """Return the configured sources that can be searched; `local` only once something is indexed."""
    return [name for name in config.literature.sources if name != "local" or has_corpus(config)]
