"""Manifest of a run: everything that affects its answers, for comparing runs and resuming one."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from importlib.resources import files as files_of
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, ConfigDict, ValidationError

from agent.config import Config
from evals.engine.suite import Sample, Suite
from tools.base import Seen
from tools.errors import ConfigError, StoreError
from tools.media import mask_credentials
from tools.registry import make_tools

FORMAT = 1
MANIFEST = "manifest.json"
CONFIG_PARTS = ("mllm", "media", "memory", "limits", "quota_mb", "take_notes")
"""The settings that affect an answer; others, such as webhook addresses for alerts, stay out of manifests."""

HASHED = ("prompts", "files")
"""Parts of a manifest that are hashes by name: messages report which names differ, without the digits."""

_BLOB = re.compile(r"[0-9a-f]{64}")
_WEIGHTS = ("*.safetensors", "*.gguf", "*.bin", "*.pt", "*.onnx")
GIT_S = 10.0


class Manifest(BaseModel):
    """The description of a run.

    Attributes:
        suite: its name, or its file.
        version: of the suite when it was asked; the scoring version is in the results.
        attend: the project's version.
        git: the commit of the checkout; with changes, "+" and a hash of them; "" without one.
        packages: sha256 over names and versions of all installed packages.
        python, machine: the platform.
        device: device of local weights, as set.
        model: the model string, credentials masked.
        weights: sha256 of local weights or of a script, by file name.
        prompts: sha256 of the suite's templates, by name; for the agent, also of its prompts; for a suite in a file of
            its own, of that file.
        asked: sha256 over the questions of all drawn samples, as far as they are known; "" in older runs.
        files: sha256 of the annotation, by file name.
        options: the suite's own options.
        data: the data folder, or "".
        seed, attempts, limit, skip_bad, limit_s, blind: of the run; see `evals.engine.run.RunOptions`.
        settings: those of the agent and the model that affect answers.
        samples: number of drawn samples, including broken ones.
        bad: descriptions of the skipped broken ones.
        started: start time, UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int = FORMAT
    suite: str
    version: int
    attend: str
    git: str
    packages: str
    python: str
    machine: str
    device: str
    model: str
    weights: dict[str, str]
    prompts: dict[str, str]
    asked: str = ""
    files: dict[str, str]
    options: dict[str, Any]
    data: str
    seed: int
    attempts: int
    limit: int | None
    skip_bad: bool
    limit_s: float | None
    blind: bool
    settings: dict[str, Any]
    samples: int
    bad: tuple[str, ...]
    started: str


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a run.

    Raises:
        ConfigError: if the folder has no run.
        StoreError: if its manifest is damaged; names the field.
    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            f"{str(folder)!r} has no run.", expected=f"a folder with {MANIFEST}, as `attend eval run` writes it"
        ) from error
    except OSError as error:
        raise StoreError(f"cannot read the manifest {str(path)!r}: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise StoreError(
            f"the manifest {str(path)!r}" + (f", field {field!r}" if field else "") + f": {first['msg']}.",
            remedy="Repair it, manually or from a copy; the first line of results.jsonl, if there is one, has the "
            "same values. The attempts are not lost: start the run again with the same arguments and another --out, "
            "stop it, copy transcripts.jsonl there, and continue with `attend eval resume`.",
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest atomically. Raises OSError if it cannot be written."""
    unfinished = folder / f".{MANIFEST}.{os.getpid()}"
    try:
        unfinished.write_text(manifest.model_dump_json(indent=1), "utf-8")
        unfinished.replace(folder / MANIFEST)
    finally:
        unfinished.unlink(missing_ok=True)


def environment(parts: Iterable[str] = ("attend", "git", "packages", "python", "machine")) -> dict[str, Any]:
    """Return the parts of a manifest that describe where a run took place."""
    tell: dict[str, Callable[[], str]] = {
        "attend": lambda: importlib.metadata.version("attend-agent"),
        "git": lambda: git_revision(Path(__file__).parent),
        "packages": package_hash,
        "python": platform.python_version,
        "machine": lambda: f"{platform.system()} {platform.machine()}",
    }
    return {part: tell[part]() for part in parts}


def shaping(suite: Suite, name: str, spec: str, config: Config, files: Iterable[Path]) -> dict[str, Any]:
    """Return the parts of a manifest that describe how a suite, by its name or its file's, asks, and who answered."""
    return {
        "version": suite.version,
        "device": config.mllm.device,
        "model": mask_credentials(spec),
        "weights": weight_hashes(spec),
        "prompts": {
            **{name: _sha256(text.encode()) for name, text in sorted(suite.prompts.items())},
            **(agent_prompts() if suite.solve in ("agent", "stream") else {}),
            **({Path(name).name: file_hash(Path(name))} if name.endswith(".py") else {}),
        },
        "files": data_hashes(files),
        "settings": config.model_dump(mode="json", include=set(CONFIG_PARTS)),
    }


def asked_hash(samples: Iterable[Sample]) -> str:
    """Return a sha256 over the words and picture names of some samples: the question as a person reads it."""
    digest = hashlib.sha256()
    for sample in samples:
        words = [part if isinstance(part, str) else part.path.name if part.path else "" for part in sample.prompt]
        told = [sample.task, sample.id, sample.system, Path(sample.source).name, *words, *sample.questions]
        told += [sample.clip.prompt, *map(str, sample.clip.moments_s)] if sample.clip else []
        digest.update(json.dumps(told, ensure_ascii=False).encode())
    return digest.hexdigest()


def agent_prompts() -> dict[str, str]:
    """Return the sha256 of the agent's prompts: its system text, and the definition of each tool."""
    system = files_of("agent").joinpath("prompts", "system.md").read_text("utf-8")
    found = {"agent: system": _sha256(system.encode())}
    # Some words depend on whether the source plays and whether there are notes: include both forms.
    forms = [make_tools(cast(Seen, SimpleNamespace(plays=some, tells=some))) for some in (True, False)]
    for both in zip(*forms, strict=True):
        text = json.dumps([convert_to_openai_tool(tool) for tool in both], sort_keys=True)
        found[f"agent: {both[0].name}"] = _sha256(text.encode())
    return found


def data_hashes(files: Iterable[Path]) -> dict[str, str]:
    """Return the sha256 of some data files, by name. Raises StoreError if one cannot be read."""
    return {path.name: file_hash(path) for path in files}


def git_revision(folder: Path) -> str:
    """Return the commit of a checkout, with "+" and a hash of the diff of tracked files; "" without one."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "diff", "HEAD", "--binary")
        return commit + (f"+{_sha256(changes.encode())[:12]}" if changes else "")
    except (OSError, subprocess.SubprocessError):
        return ""


@cache
def package_hash() -> str:
    """Return a sha256 over the names and versions of all installed packages, cached at the first call."""
    # Each access to a distribution's fields reads its file again.
    found = (distribution.metadata for distribution in importlib.metadata.distributions())
    installed = {f"{str(told['Name']).lower()}=={told['Version']}" for told in found}
    return _sha256("\n".join(sorted(installed)).encode())


def weight_hashes(spec: str) -> dict[str, str]:
    """Return the sha256 of a local model's files, by name; empty for servers."""
    kind, _, rest = spec.partition(":")
    if kind in ("openai", "baseline"):
        return {}
    if kind in ("scripted", "replay"):
        return {Path(rest).name: file_hash(Path(rest))}
    if kind == "embedded":
        from agent.models.embedded.networks import language

        package = Path(language.__file__).parent
        return {path.name: file_hash(path) for path in (*sorted(package.glob("*.safetensors")), language.gguf_path())}
    folder = Path(rest if kind in ("hf", "llama") else spec).expanduser()
    if kind == "llama" and folder.is_file():
        return {folder.name: _weight_hash(folder)}
    if kind == "hf" and not folder.is_dir():
        folder = _cached_snapshot(rest) or folder
    return {path.name: _weight_hash(path) for pattern in _WEIGHTS for path in sorted(folder.glob(pattern))}


def differing(old: Manifest, new: Mapping[str, Any], names: Collection[str] = ()) -> list[str]:
    """Describe the differences of some parts, or of those named, from a manifest; of hashes, only the names."""
    held, found = old.model_dump(mode="json"), []
    for name in names or new:
        was, now = held[name], new[name]
        if was == now:
            continue
        if name in HASHED:
            changed = ", ".join(repr(one) for one in sorted({*was, *now}) if was.get(one) != now.get(one))
            found.append(f"{name} changed in {changed}")
        else:
            found.append(f"{name} was {_short(was)}, is {_short(now)}")
    return found


def file_hash(path: Path) -> str:
    """Return the sha256 of a file. Raises StoreError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"cannot read {str(path)!r}: {error}.") from error


def _weight_hash(path: Path) -> str:
    # Hugging Face's cache names large files by their sha256: no need to read them.
    target = path.resolve().name
    return target if _BLOB.fullmatch(target) else file_hash(path)


def _cached_snapshot(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=GIT_S, check=True)
    return done.stdout.strip()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
