"""Models for GUI commands: loading, the privacy notice, and their description in the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.cli.console import make_console, safe
from tools.errors import ConfigError

if TYPE_CHECKING:
    from agent.models import MLLM
    from agent.models.options import ModelOptions
    from tools.privacy.redact import Strictness


def parse_strictness(phi: str) -> Strictness:
    """Parse `--phi`. Raises ConfigError."""
    if phi not in ("on", "strict"):
        raise ConfigError(f"invalid --phi {phi!r}.", expected="on or strict")
    return "strict" if phi == "strict" else "on"


def load_screen_model(spec: str, options: ModelOptions) -> MLLM:
    """Load a model. Raises ModelError."""
    from agent.models import load_mllm

    return load_mllm(spec, options)


def check_model(model: MLLM) -> None:
    """Run a model's preflight, and print a notice if screens leave this machine. Raises ModelError."""
    model.preflight()
    if not model.abilities.local:
        notice = "screens go to this server, with detected personal details removed"
        make_console(stderr=True).print(f"model [bold]{safe(model.spec)}[/]: [bold red]{notice}[/]")


def describe_model(model: MLLM) -> dict[str, str]:
    """Return the audit's description of a run's model."""
    from agent.models.fingerprint import content_of

    return {"model": model.spec, "model_sha256": content_of(model.spec)}
