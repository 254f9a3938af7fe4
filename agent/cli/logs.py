"""Logging of the command line, set up in one place: what `--verbose` and `--log-file` ask for."""

from __future__ import annotations

import logging
from pathlib import Path

from tools.errors import ConfigError
from tools.media.types import mask_credentials

PACKAGES = ("agent", "tools", "memory", "evals")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Masked(logging.Formatter):
    """Lines without credentials, also in tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_credentials(super().format(record))


def set_up_logging(verbose: bool, file: Path | None) -> None:
    """Send all messages of our modules to standard error, to a file, or to both; by default Python prints warnings.

    Args:
        verbose: print them on standard error.
        file: append them to this file.

    Raises:
        ConfigError: if the file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()] if verbose else []
    if file is not None:
        try:
            handlers.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"cannot write the log file {str(file)!r}: {error.strerror}.", remedy="Name another with --log-file."
            ) from error
    for handler in handlers:
        handler.setFormatter(_Masked(FORMAT))
    for name in PACKAGES:
        logging.getLogger(name).handlers = list(handlers)
        logging.getLogger(name).setLevel(logging.DEBUG)
