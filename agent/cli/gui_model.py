"""The model that a GUI command shows a screen: how it is loaded, announced and named in the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.console import make_console, safe
from tools.errors import ConfigError

if TYPE_CHECKING:
    from agent.models import MLLM
    from agent.models.options import ModelOptions
    from tools.privacy.redact import Strictness


def strictness_of(phi: str) -> Strictness:
    """How strictly personal details are kept from a model elsewhere. Raises ConfigError for an unknown word."""
    if phi not in ("on", "strict"):
        raise ConfigError(f"--phi {phi!r} is no strictness.", expected="on or strict")
    return "strict" if phi == "strict" else "on"


def screen_model(spec: str, options: ModelOptions) -> MLLM:
    """A model that is to be shown a screen. Raises ModelError if there is none."""
    from agent.models import load_mllm

    return load_mllm(spec, options)


def ready(model: MLLM) -> None:
    """Find out what a model can do, and tell where a screen goes that it is shown. Raises ModelError."""
    model.preflight()
    if not model.abilities.local:
        told = "the screen goes to this server, less the personal details that were found on it"
        make_console(stderr=True).print(f"model [bold]{safe(model.spec)}[/]: [bold red]{told}[/]")


def about_model(model: MLLM) -> dict[str, str]:
    """What an audit says of the model of a run."""
    from agent.models.fingerprint import content_of

    return {"model": model.spec, "model_sha256": content_of(model.spec)}
