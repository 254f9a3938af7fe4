"""Settings: one frozen `Config`, read from flags, environment, `attend.toml` and defaults, in this order of precedence.

Environment variables are `ATTEND_` and the path of the setting, joined by two underscores: `ATTEND_MODEL`,
`ATTEND_MEMORY__CAPACITY`; lists are JSON arrays or comma-separated values. The file is `attend.toml` in the working
folder, else in the user's configuration folder.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_origin

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.models.options import ModelOptions
from agent.server.options import ServerOptions
from agent.watch.options import WatchOptions
from memory.narrative.options import NarrativeOptions
from memory.stream.options import StreamOptions
from tools.errors import ConfigError
from tools.hearing.options import HearingOptions
from tools.literature.options import LiteratureOptions
from tools.media.options import MediaOptions
from tools.perception.options import PerceptionOptions

log = logging.getLogger(__name__)

FILE_NAME = "attend.toml"

LITERATURE = "literature"
"""Subfolder of the literature corpus."""


class Limits(BaseModel):
    """Limits per question; once one is reached, the model must answer with what it has.

    Attributes:
        steps: model calls; LangGraph's default (about 10,000) is no effective limit.
        seconds: working time without waiting for a person; the final answer may take another quarter of it.
        tokens: input and output tokens over all model calls.
        frames: frames shown with a question.
        history: earlier questions and answers shown to the model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: int = Field(default=6, ge=1, le=100)
    seconds: float = Field(default=120.0, gt=0, le=86_400)
    tokens: int = Field(default=50_000, ge=100)
    frames: int = Field(default=20, ge=0, le=1_000)
    history: int = Field(default=6, ge=0, le=100)


class Config(BaseModel):
    """Every setting of a run.

    Attributes:
        model: the model string, such as `embedded` or `openai:qwen3-vl@http://127.0.0.1:8000/v1`.
        source: the source for `langgraph dev`; commands take theirs as an argument.
        folder: folder for conversations, frames and notes.
        quota_mb: maximum size of stored frames, in MiB; the oldest are dropped.
        take_notes: note objects and text of key moments, for `recall` and for models without images.
        mllm: settings of the model.
        media: settings for opening and sampling sources.
        memory: settings of stream memory.
        perception: what is detected while a source is watched, and named zones.
        hearing: settings of speech to text.
        limits: limits per question.
        server: settings of the server.
        watch: settings of watches.
        narrative: settings of narrative memory.
        literature: settings of literature search.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = "embedded"
    folder: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("attend")))
    source: str = ""
    quota_mb: int = Field(default=512, ge=16, le=1 << 20)
    take_notes: bool = True
    mllm: ModelOptions = ModelOptions()
    media: MediaOptions = MediaOptions()
    memory: StreamOptions = StreamOptions()
    perception: PerceptionOptions = PerceptionOptions()
    hearing: HearingOptions = HearingOptions()
    limits: Limits = Limits()
    server: ServerOptions = ServerOptions()
    watch: WatchOptions = WatchOptions()
    narrative: NarrativeOptions = NarrativeOptions()
    literature: LiteratureOptions = LiteratureOptions()


def load_config(
    flags: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Build the settings of a run.

    Args:
        flags: settings by dotted path, such as `{"memory.capacity": 10}`; None values are ignored.
        file: a TOML file that must exist; None looks in the two default places.
        environment: the environment variables; None takes those of the process.

    Raises:
        ConfigError: for an unreadable file, an unknown setting (suggesting the nearest) or an invalid value.
    """
    merged: dict[str, Any] = {}
    path = _find_file(file)
    if path:
        log.debug("read settings from %s", path)
        _merge(merged, _read_toml(path), str(path))
    for name, value in (os.environ if environment is None else environment).items():
        if name.startswith("ATTEND_"):
            parts = name.removeprefix("ATTEND_").lower().split("__")
            _put(merged, parts, _read_variable(name, parts, value), name, spell=_variable)
    for name, value in (flags or {}).items():
        if value is not None:
            _put(merged, name.split("."), value, f"the flag for {name}")
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        raise ConfigError(_first_problem(error)) from error


def literature_folder(config: Config) -> Path:
    """Return the folder of the literature corpus."""
    return config.folder / LITERATURE


def has_corpus(config: Config) -> bool:
    """Return whether there is a literature corpus, without creating one."""
    folder = literature_folder(config)
    if not folder.is_dir():
        return False
    from tools.literature.index.database import FILE_NAME

    return (folder / FILE_NAME).is_file()


def searchable_literature(config: Config) -> list[str]:
    """Return the configured literature sources that can be searched; `local` only once something is indexed."""
    return [name for name in config.literature.sources if name != "local" or has_corpus(config)]


def known_settings(model: type[BaseModel] = Config, prefix: str = "") -> list[str]:
    """Return the dotted paths of all settings."""
    paths: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            paths += known_settings(kind, f"{prefix}{name}.")
        else:
            paths.append(prefix + name)
    return paths


def user_file() -> Path:
    """Return the settings file in the user's configuration folder; it need not exist."""
    return Path(platformdirs.user_config_dir("attend")) / FILE_NAME


def write_setting(file: Path, name: str, value: str) -> None:
    """Set a top-level text in a settings file; comments, order and all other settings stay.

    Raises:
        ConfigError: if the file cannot be read or written, or spells the setting in a way that is not understood here.
    """
    settings = _read_toml(file) if file.exists() else {}
    written = f"{name} = {json.dumps(value, ensure_ascii=False)}"
    text = file.read_bytes().decode() if file.exists() else ""
    lines = text.splitlines(keepends=True)
    first_table = next((number for number, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    spelled = re.compile(rf"""\s*{re.escape(name)}\s*=\s*("[^"\n]*"|'[^'\n]*')""")
    for number in range(first_table):
        if spelled.match(lines[number]):
            lines[number] = spelled.sub(lambda _: written, lines[number], count=1)
            break
    else:
        lines.insert(0, written + ("\r\n" if "\r\n" in text else "\n"))
    changed = "".join(lines)
    if not _says(changed, {**settings, name: value}):
        raise ConfigError(f"cannot change {name} in {str(file)!r}.", remedy=f"Write it there yourself: {written}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        target = file.resolve()  # where it is a link, the link stays
        beside = target.with_name(f".{target.name}.new")
        beside.write_bytes(changed.encode())
        if target.exists():
            shutil.copymode(target, beside)
        beside.replace(target)
    except OSError as error:
        raise ConfigError(f"cannot write the settings file {str(file)!r}: {error}.") from error


def _says(text: str, settings: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text.replace("\r\n", "\n")) == settings
    except tomllib.TOMLDecodeError:
        return False


def _find_file(file: Path | None) -> Path | None:
    if file:
        if not file.is_file():
            raise ConfigError(f"cannot find the settings file {str(file)!r}.", expected="a TOML file")
        return file
    places = (Path(FILE_NAME), user_file())
    return next((place for place in places if place.is_file()), None)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read the settings file {str(path)!r}: {error}.", expected="TOML in UTF-8") from error


def _merge(into: dict[str, Any], values: Mapping[str, Any], origin: str, path: tuple[str, ...] = ()) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping):
            _merge(into, value, origin, (*path, name))
        else:
            _put(into, [*path, name], value, origin)


def _variable(dotted: str) -> str:
    return "ATTEND_" + dotted.upper().replace(".", "__")


def _read_variable(name: str, path: list[str], value: str) -> Any:
    """Parse the value of a variable; for a list, a JSON array or comma-separated values."""
    if ".".join(path) not in _lists():
        return value
    if not value.lstrip().startswith("["):
        return [item.strip() for item in value.split(",") if item.strip()]
    try:
        return json.loads(value)
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"invalid {name}: not a JSON array: {error}.",
            expected='["a", "b"], or comma-separated values such as a,b',
        ) from error


def _lists(model: type[BaseModel] = Config, prefix: str = "") -> set[str]:
    """Return the dotted paths of settings that are lists."""
    paths: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            paths |= _lists(kind, f"{prefix}{name}.")
        elif get_origin(kind) in (tuple, list):
            paths.add(prefix + name)
    return paths


def _put(into: dict[str, Any], path: list[str], value: Any, origin: str, spell: Callable[[str], str] = str) -> None:
    dotted = ".".join(path)
    known = known_settings()
    if dotted not in known:
        nearest = difflib.get_close_matches(dotted, known, n=1, cutoff=0.4)
        raise ConfigError(
            f"unknown setting {dotted!r} in {origin}.",
            remedy=f"Did you mean {spell(nearest[0])!r}?" if nearest else f"The settings are: {', '.join(known)}.",
        )
    for part in path[:-1]:
        into = into.setdefault(part, {})
    into[path[-1]] = value


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    path = ".".join(str(part) for part in problem["loc"])
    return f"{path} is set to {problem['input']!r}: {problem['msg']}."
