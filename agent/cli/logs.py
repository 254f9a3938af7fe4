"""Logging setup for `--verbose` and `--log-file`."""

from __future__ import annotations

import logging
from pathlib import Path

from tools.errors import ConfigError
from tools.media.types import mask_credentials

PACKAGES = ("agent", "tools", "memory", "evals")
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _Masked(logging.Formatter):
    """Masks credentials in log lines and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return mask_credentials(super().format(record))


def set_up_logging(verbose: bool, file: Path | None) -> None:
    """Log all messages of Attend's packages to standard error, a file, or both; by default Python prints warnings.

    Args:
        verbose: log to standard error.
        file: append to this file.

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
