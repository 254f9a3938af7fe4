"""Import of optional packages: each belongs to an extra of the distribution."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tools.errors import ConfigError


class MissingExtra(ConfigError):
    """A package of an extra is not installed; `extra` names the extra."""

    def __init__(self, package: str, extra: str) -> None:
        self.extra = extra
        super().__init__(
            f"the package {package!r} is not installed; it comes with the extra {extra!r}.",
            remedy=f"Run: attend setup {extra}",
        )


def require(module: str, *, extra: str) -> Any:
    """Import a module of an optional package.

    Args:
        module: its dotted name.
        extra: the extra that contains it, a name under `[project.optional-dependencies]`.

    Raises:
        MissingExtra: if the package is not installed. An installed package that fails to import raises its own error.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtra(package, extra) from error
