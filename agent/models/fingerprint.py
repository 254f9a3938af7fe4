"""`content_of`: what a local model is made of, so that what it answered is told from what another would."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from agent.models.store import find_model

SMALL_BYTES = 2**20
"""Files up to this size, such as scripts and settings, are read; of larger ones the size and the time of the last
change tell. Our choice: to read all weights takes longer than to answer."""
_KINDS = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors", "*.bin", "*.gguf")
_BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # in the cache of Hugging Face, files are named by what they hold


def content_of(spec: str) -> str:
    """A sha256 over the files that a model is read from; "" for a server, whose model is known by its name alone.

    Args:
        spec: the model string (see `agent.models.load_mllm`).
    """
    whole = hashlib.sha256()
    found = False
    for path in _files(spec):
        stat, target = path.stat(), path.resolve().name
        if _BLOB.fullmatch(target):
            told = target
        elif stat.st_size <= SMALL_BYTES:
            told = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            told = f"{stat.st_size} bytes, {stat.st_mtime_ns}"
        whole.update(f"{path.name}: {told}\n".encode())
        found = True
    return whole.hexdigest() if found else ""


def _files(spec: str) -> Iterator[Path]:
    kind, _, rest = spec.partition(":")
    if kind == "embedded":
        from agent.models.embedded.networks import language

        yield from sorted(Path(language.__file__).parent.glob("*.safetensors"))
        yield language.gguf_path()
        return
    if kind == "openai":
        return
    path = Path(rest if kind in ("hf", "llama", "scripted", "replay") else spec).expanduser()
    if not path.exists():
        path = find_model(spec) or (_cached(rest) if kind == "hf" else None) or path
    if path.is_file():
        yield path
    for pattern in _KINDS if path.is_dir() else ():
        yield from sorted(path.glob(pattern))


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
