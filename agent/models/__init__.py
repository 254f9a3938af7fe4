"""One model protocol and its backends; `load_mllm` makes any of them from a model string."""

from __future__ import annotations

import difflib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from agent.models.options import ModelOptions
from tools.errors import ModelError
from tools.media.types import mask_credentials
from tools.plugins import find_plugins, load_plugin

if TYPE_CHECKING:
    from agent.models.protocol import MLLM, Abilities

__all__ = ["MLLM", "Abilities", "ModelOptions", "load_mllm"]

log = logging.getLogger(__name__)

_FORMS = {
    "embedded": "`embedded` (the small model that is installed with Attend)",
    "hf": "`hf:ORG/NAME` or `hf:FOLDER` (transformers), or a name of `attend models list`",
    "llama": "`llama:FILE.gguf` (llama.cpp, with what code sees in the frames as text)",
    "openai": "`openai:MODEL@BASE_URL` (vLLM, Ollama, llama.cpp, LM Studio, OpenAI)",
    "scripted": "`scripted:FILE` (fixed answers)",
    "replay": "`replay:FILE` (a recorded cassette)",
}


def __getattr__(name: str) -> Any:
    """The protocol on first use: langchain-core takes a second to load, and settings need only the options."""
    if name in ("MLLM", "Abilities"):
        from agent.models import protocol

        return getattr(protocol, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_mllm(spec: str, options: ModelOptions | None = None) -> MLLM:
    """Make a model from its model string; heavy libraries are imported only by the backend that needs them.

    Args:
        spec: `embedded`, `hf:ORG/NAME`, `hf:FOLDER` (or just an existing folder), the name of a pulled model,
            `llama:FILE.gguf`, `openai:MODEL@BASE_URL`, `scripted:FILE` or `replay:FILE`; a plug-in of
            `attend.models` adds `NAME:REST`, and is called with REST and the options.
        options: how to run it; None takes the defaults.

    Raises:
        PluginError: if the plug-in cannot be loaded.
        ModelError: if the string has none of these forms, or the model cannot be loaded. A server is not contacted yet:
            `preflight` of the model does that.
    """
    options = options or ModelOptions()
    log.debug("load the model %s", mask_credentials(spec))
    kind, _, rest = spec.strip().partition(":")
    if kind == "embedded" and not rest:
        from agent.models.embedded.backend import Embedded

        return Embedded(options=options)
    if kind == "hf" and rest:
        from agent.models.hf.backend import load_hf

        return load_hf(rest, options)
    if kind == "llama" and rest:
        from agent.models.llama.backend import load_llama

        return load_llama(rest, options)
    if kind == "openai" and rest:
        from agent.models.openai.backend import load_openai

        return load_openai(rest, options)
    if kind == "scripted" and rest:
        from agent.models.scripted import load_scripted

        return load_scripted(Path(rest))
    if kind == "replay" and rest:
        from agent.models.cassette import load_replay

        return load_replay(Path(rest))
    if spec and Path(spec).expanduser().is_dir():
        from agent.models.hf.backend import load_hf

        return load_hf(spec, options)
    if rest and (entry := find_plugins("attend.models").get(kind)):
        return cast("MLLM", load_plugin(entry)(rest, options))
    if not rest and (found := _load_pulled(spec, options)):
        return found
    nearest = difflib.get_close_matches(kind.lower(), _FORMS, n=1, cutoff=0.5)
    raise ModelError(
        f"{spec!r} is not a model string.",
        expected="one of "
        + ", ".join([*_FORMS.values(), *(f"`{name}:...`" for name in find_plugins("attend.models"))]),
        remedy=f"Did you mean {_FORMS[nearest[0]]}?" if nearest else "",
    )


def _load_pulled(name: str, options: ModelOptions) -> MLLM | None:
    """Load a model of `attend models` by its name; None if the catalogue does not know it and it was not pulled.

    Raises:
        ModelError: if it was not pulled, or its kind does not run inside this process.
    """
    from agent.models.catalogue import load_catalogue
    from agent.models.store import find_model, read_manifest

    if folder := find_model(name):
        manifest = read_manifest(folder)
        if manifest.kind == "transformers":
            from agent.models.hf.backend import load_hf

            return load_hf(name, options)
        if not manifest.mmproj:
            from agent.models.llama.backend import load_llama

            return load_llama(str(folder / manifest.gguf), options)
        raise ModelError(
            f"the model {name!r} is for llama.cpp and sees pictures, which it does as a server only.",
            remedy=f"Run `llama-server -m {folder / manifest.gguf} --mmproj {folder / manifest.mmproj}`, and choose "
            f"openai:{name}@URL.",
        )
    if name in load_catalogue():
        raise ModelError(f"the model {name!r} is not on this machine.", remedy=f"Run: attend models pull {name}")
    return None
