"""What failures of an OpenAI-compatible server mean: which to retry, and how to explain the others."""

from __future__ import annotations

import importlib
import re
import ssl
from collections.abc import Iterator
from functools import cache
from typing import Any

from tools.errors import ModelError

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_BUSY = frozenset({429, 502, 503, 504})

# What servers say, and what to do about it; the first match counts. Texts of vLLM, llama.cpp, Ollama and OpenAI.
_MEANINGS: dict[str, tuple[str, str, str]] = {
    "context": (
        r"context.{0,12}length|context.{0,8}(window|size)|prompt is too long|longer than the maximum model length",
        "the conversation is longer than the server's context",
        "Show fewer or smaller frames, start a new conversation, or serve the model with a longer context.",
    ),
    "tools": (
        r"enable-auto-tool-choice|tool-call-parser|not support tools|tools param requires|tool use is not supported",
        "the server does not call tools",
        "Start vLLM with --enable-auto-tool-choice and --tool-call-parser (llama.cpp: --jinja), or change models.",
    ),
    "image limit": (
        r"at most \d+ images?|too many images|limit-mm-per-prompt",
        "the request holds more pictures than the server takes",
        "Start vLLM with a larger --limit-mm-per-prompt, or set max_images.",
    ),
    "vision": (
        r"not a multimodal model|(image|vision|modal).{0,40}not support|not support.{0,20}(image|vision|modal)"
        r"|unknown part type: image|mmproj|invalid content type.{0,12}image",
        "the model cannot see pictures",
        "Choose a vision model (llama.cpp: add its --mmproj file).",
    ),
}


@cache
def failures() -> tuple[type[Exception], ...]:
    """Return the exceptions that a call to a server may end with."""
    import openai

    # Of httpx or its successor, whichever this openai uses: a stream that breaks off raises its errors unwrapped.
    bases = [base.__module__.partition(".")[0] for base in openai.DefaultHttpxClient.__mro__]
    http = importlib.import_module(next(name for name in bases if name.startswith("httpx")))
    # The last four: what the client stumbles over when the answer is no chat completion.
    return openai.APIError, http.TransportError, TimeoutError, ValueError, TypeError, KeyError, AttributeError


def meaning(text: str) -> str | None:
    """Return which known limit an error text speaks of: `context`, `tools`, `image limit`, `vision`, or None."""
    return next((kind for kind, (said, _, _) in _MEANINGS.items() if re.search(said, text, re.IGNORECASE)), None)


def refuses_stream_options(error: Exception) -> bool:
    """Return whether the server refused the request for usage while streaming, as older ones do."""
    return _status(error) in (400, 422) and bool(re.search("stream_options|include_usage", str(error)))


def retry_after_s(error: Exception, attempt: int) -> float | None:
    """Return the seconds to wait before trying again; None where trying again cannot help.

    Busy servers (429, 502, 503, 504) and broken connections are worth it; their `Retry-After` in seconds is honoured.
    """
    status = _status(error)
    if status is None:
        retry = _is_broken_connection(error)
    else:
        retry = status in _BUSY and "insufficient_quota" not in str(error)
    if not retry:
        return None
    wanted = error.response.headers.get("retry-after", "") if status is not None else ""  # type: ignore[attr-defined]
    try:
        return max(0.0, float(wanted))
    except ValueError:
        return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2**attempt)


def explain(error: Exception, spec: str, key: str, *, tries: int = 1, streamed: int = 0) -> ModelError:
    """Return the ModelError for a failed call; the key never appears in it."""
    status = _status(error)
    said = server_text(error, key)
    server = f"the server of {spec!r}"
    known = meaning(said) if status is None or status in (400, 404, 413, 422, 500) else None
    if streamed:
        return ModelError(
            f"{server} broke off within an answer: {said}.", remedy="Ask again; look at the server's log."
        )
    if known:
        _, problem, remedy = _MEANINGS[known]
        return ModelError(f"{problem} ({spec!r} says: {said}).", remedy=remedy)
    if status in (401, 403):
        return ModelError(f"{server} refuses the key (HTTP {status}).", remedy="Set OPENAI_API_KEY to a valid key.")
    if status == 404:
        return ModelError(
            f"{server} knows no such model or address (HTTP 404: {said}).",
            remedy="Check the model's name with the server; most addresses end in /v1.",
        )
    if status in _BUSY:
        return ModelError(
            f"{server} is too busy (HTTP {status} after {_times(tries)}: {said}).", remedy="Try again later."
        )
    if status is not None:
        return ModelError(f"{server} refuses the request (HTTP {status}: {said}).", remedy="Look at the server's log.")
    return _explain_connection(error, server, said, tries)


def _explain_connection(error: Exception, server: str, said: str, tries: int) -> ModelError:
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLError) for cause in causes) or "CERTIFICATE_VERIFY" in said:
        return ModelError(
            f"{server} could not prove who it is (TLS: {said}).",
            remedy="Use http:// for a server without TLS, or name its certificate in SSL_CERT_FILE.",
        )
    if any(isinstance(cause, TimeoutError) or "Timeout" in type(cause).__name__ for cause in causes):
        return ModelError(f"{server} did not answer in time ({said}).", remedy="Try again, or raise timeout_s.")
    if _is_broken_connection(error):
        return ModelError(
            f"{server} broke the connection {_times(tries)} ({said}).", remedy="Look at the server's log."
        )
    if any(isinstance(cause, ConnectionError | OSError) or "Connect" in type(cause).__name__ for cause in causes):
        return ModelError(f"no server answers for {server[14:]} ({said}).", remedy="Start it, or check the address.")
    return ModelError(f"{server} sent something that is not a chat completion: {said}.", remedy="Check the address.")


def server_text(error: Exception, key: str) -> str:
    """Return what the server, or else the connection, said: one line, shortened, the key masked."""
    body: Any = getattr(error, "body", None)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    said = body.get("message") if isinstance(body, dict) else None
    if not said and _status(error) is not None:
        said = getattr(error, "message", None)
    if not said:
        deepest = list(_causes(error))[-1]
        said = str(deepest) or type(deepest).__name__
    said = " ".join(str(said).replace(key, "***").split()).rstrip(".")
    return said if len(said) <= 300 else said[:297] + "..."


def _status(error: Exception) -> int | None:
    status = getattr(error, "status_code", None)
    return status if isinstance(status, int) else None


def _is_broken_connection(error: Exception) -> bool:
    names = {type(cause).__name__ for cause in _causes(error)}
    return bool(names & {"ReadError", "WriteError", "RemoteProtocolError", "ConnectionResetError", "BrokenPipeError"})


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _times(tries: int) -> str:
    return "once" if tries == 1 else f"{tries} times"
