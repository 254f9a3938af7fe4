"""Ask an OpenAI-compatible server what it can do, before a conversation runs into it."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agent.models.blocks import image_block
from agent.models.openai.errors import explain, failures, meaning, server_text
from agent.models.protocol import Abilities, Finding
from tools.errors import ModelError

_PROBE_SIDE_PX = 56
# As many as a full prompt; then two, for servers that refuse the first number for its length and not for its pictures.
_PROBE_IMAGES = (20, 2)
_PROBE_TOOL = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Look closer.",
        "parameters": {"type": "object", "properties": {"t_s": {"type": "number"}}},
    },
}


@dataclass(frozen=True)
class Server:
    """A server, and the model that it is asked for.

    Attributes:
        client: the `openai.OpenAI` client.
        model_name: the model, as the server calls it.
        spec: the model, as the settings name it.
        key: the secret key, which no message may hold.
    """

    client: Any
    model_name: str
    spec: str
    key: str = field(repr=False)


def probe_server(server: Server, abilities: Abilities) -> tuple[Abilities, list[Finding]]:
    """Find out what a server can do, with at most six requests of one token.

    Args:
        server: the server, and the model to ask for.
        abilities: those that hold for a server that can do everything.

    Returns:
        the model's abilities, and what it lacks: nothing, for a server that can do everything. `no tool images` needs
        no action, since pictures in tool results are always sent in a user message instead.

    Raises:
        ModelError: if no server answers, it cannot prove who it is, it refuses the key, or it lacks the model.
    """
    served = _served_models(server)
    # The list alone does not decide: Ollama leaves tags out, and llama.cpp serves its one model under any name.
    if refusal := _probe(server, [{"role": "user", "content": "Hi"}]):
        if served and server.model_name not in served:
            raise _missing(server, list(served))
        raise explain(refusal, server.spec, server.key) from None
    abilities = abilities.model_copy(update={"context_tokens": served.get(server.model_name)})
    findings: list[Finding] = []
    gray = np.full((_PROBE_SIDE_PX, _PROBE_SIDE_PX, 3), 128, np.uint8)
    url = f"data:image/jpeg;base64,{image_block(gray)['base64']}"
    picture = {"type": "image_url", "image_url": {"url": url}}
    text = {"type": "text", "text": "Hi"}

    if _probe(server, [{"role": "user", "content": [picture, text]}]):
        abilities = abilities.model_copy(update={"images": False, "max_images": 0})
        findings.append(
            Finding(
                "no vision",
                f"{server.model_name!r} cannot see pictures.",
                "Choose a vision model (llama.cpp: add its --mmproj file).",
            )
        )
    elif (limit := _image_limit(server, picture)) is not None:
        abilities = abilities.model_copy(update={"max_images": limit})
        findings.append(
            Finding(
                "image limit",
                f"the server takes at most {limit} picture{'s' * (limit != 1)} a request; older ones are left out.",
                """Start vLLM with --limit-mm-per-prompt '{"image": 20}'.""",
            )
        )
    if refusal := _probe(server, [{"role": "user", "content": "Hi"}], tools=[_PROBE_TOOL]):
        abilities = abilities.model_copy(update={"tool_calls": False})
        findings.append(
            Finding(
                "no tools",
                f"the server does not call tools ({server_text(refusal, server.key)}).",
                "Start vLLM with --enable-auto-tool-choice and --tool-call-parser; llama.cpp with --jinja.",
            )
        )
    elif abilities.images:
        call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"t_s": 1}'}}
        exchange: list[dict[str, Any]] = [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": [text, picture]},
        ]
        if _probe(server, exchange, tools=[_PROBE_TOOL]):
            findings.append(
                Finding(
                    "no tool images",
                    "the server refuses pictures in tool results.",
                    "Nothing to do: they are sent in a user message.",
                )
            )
    return abilities, findings


def _image_limit(server: Server, picture: dict[str, Any]) -> int | None:
    """Return how many pictures one request may hold, or None if as many as are ever shown at once."""
    for shown in _PROBE_IMAGES:
        refusal = _probe(server, [{"role": "user", "content": [picture] * shown}])
        if refusal is None:
            return None
        said = server_text(refusal, server.key)
        number = re.search(r"at most (\d+)", said, re.IGNORECASE)
        if meaning(said) == "image limit" and number:
            return int(number[1])
    return 1


def _missing(server: Server, served: list[str]) -> ModelError:
    nearest = difflib.get_close_matches(server.model_name, served, n=1, cutoff=0.4)
    return ModelError(
        f"the server of {server.spec!r} has no model {server.model_name!r}.",
        expected="one of " + ", ".join(repr(name) for name in served[:20]),
        remedy=f"Did you mean {nearest[0]!r}?" if nearest else "",
    )


def _served_models(server: Server) -> dict[str, int | None]:
    """Return the context length in tokens (None: not said) of each model that the server lists."""
    try:
        page = server.client.models.list()
    except failures() as error:
        status = getattr(error, "status_code", None)
        if status is not None and status >= 500:
            return {}  # some servers cannot list their models, but serve them
        if status == 404:
            raise ModelError(
                f"the server of {server.spec!r} has no list of models (HTTP 404).",
                expected="an address that ends in /v1, such as http://127.0.0.1:8000/v1",
            ) from None
        raise explain(error, server.spec, server.key) from None
    if not isinstance(getattr(page, "data", None), list):
        raise ModelError(
            f"{server.spec!r} answers, but not as a model server.",
            expected="an address that ends in /v1, such as http://127.0.0.1:8000/v1",
        )
    # vLLM alone says the context length here.
    return {entry.id: getattr(entry, "max_model_len", None) for entry in page.data}


def _probe(server: Server, messages: list[dict[str, Any]], **more: Any) -> Exception | None:
    """Send a request for one token; return the refusal of its content, or None if it was answered.

    Raises:
        ModelError: on any other failure, such as a refused key.
    """
    try:
        server.client.chat.completions.create(
            model=server.model_name, messages=messages, extra_body={"max_tokens": 1}, **more
        )
    except failures() as error:
        if getattr(error, "status_code", None) in (400, 404, 413, 415, 422, 500):
            return error
        raise explain(error, server.spec, server.key) from None
    return None
