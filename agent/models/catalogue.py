"""The catalogue of models that `attend models pull` knows, read from `catalogue.yaml`."""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from tools.errors import ModelError

GB = 10**9

_FREE_FORM = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+?)(?:@(?P<revision>[\w./-]+))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


class KnownFile(BaseModel):
    """Size and SHA-256 of a file, where known beforehand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int | None = None
    sha256: str = ""


class Packages(BaseModel):
    """Python packages with the parts of one file; `{}` in the name is the number of the part, from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    parts: int


class Entry(BaseModel):
    """A model that can be pulled: from a repository of the hub, or from Python packages.

    Attributes:
        name: name for `--model` and `attend models`.
        kind: `transformers`, or `gguf` for llama.cpp.
        parameters_m: parameters in millions.
        download_mb: size of the download in MB.
        repo: repository of the hub.
        revision: commit to take; empty takes the newest and records it.
        unverified: what could not be compared with a second source.
        gguf: file with the weights of a GGUF model.
        mmproj: file with its vision part.
        files: what is known of single files; the repository may have more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: str
    kind: Literal["transformers", "gguf"]
    licence: str
    good_for: str
    parameters_m: int
    download_mb: int
    repo: str = ""
    revision: str = ""
    packages: Packages | None = None
    unverified: tuple[str, ...] = ()
    gguf: str = ""
    mmproj: str = ""
    files: dict[str, KnownFile] = {}

    @property
    def sees(self) -> bool:
        """Whether the model takes pictures."""
        return self.kind == "transformers" or bool(self.mmproj)

    @property
    def ram_bytes(self) -> int:
        """Estimated memory on the processor: transformers computes in float32 there, llama.cpp in the file's format."""
        if self.kind == "gguf":
            return round(self.download_mb * 1e6 * 1.25 + 0.5 * GB)
        return round(self.parameters_m * 1e6 * 4 * 1.15 + 0.7 * GB)

    @property
    def gpu_bytes(self) -> int:
        """Estimated memory on a GPU: transformers computes in bfloat16 there."""
        if self.kind == "gguf":
            return self.ram_bytes
        return round(self.parameters_m * 1e6 * 2 * 1.2 + 0.7 * GB)


@cache
def load_catalogue() -> dict[str, Entry]:
    """Return all entries by name, in the order of the file."""
    rows = yaml.safe_load(files("agent.models").joinpath("catalogue.yaml").read_text("utf-8"))
    return {entry.name: entry for entry in map(Entry.model_validate, rows)}


def find_entry(name: str) -> Entry:
    """Return the entry of a name, or an entry for the free form `hf:OWNER/NAME[@REVISION]`.

    Raises:
        ModelError: if the name is unknown; the nearest is suggested.
    """
    known = load_catalogue()
    if name in known:
        return known[name]
    if free := _FREE_FORM.fullmatch(name):
        revision = free["revision"] or ""
        checked = _COMMIT.fullmatch(revision) is not None
        return Entry(
            name=free["repo"],
            family="",
            kind="transformers",
            licence="",
            good_for="",
            parameters_m=0,
            download_mb=0,
            repo=free["repo"],
            revision=revision,
            unverified=() if checked else ("revision",),
        )
    nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    raise ModelError(
        f"unknown model {name!r}.",
        expected="a name of `attend models list`, or hf:OWNER/NAME[@REVISION]",
        remedy=f"Did you mean {nearest[0]!r}?" if nearest else "",
    )


def markdown_table() -> str:
    """Return the catalogue as the table of `docs/models.md`."""
    lines = [
        "| name | good for | download | memory, CPU | GPU | licence | source |",
        "|---|---|---|---|---|---|---|",
    ]
    for entry in load_catalogue().values():
        sizes = " | ".join(
            f"{count / GB:.1f} GB" for count in (entry.download_mb * 10**6, entry.ram_bytes, entry.gpu_bytes)
        )
        packages = entry.packages
        source = f"PyPI, {packages.parts} packages" if packages else f"`{entry.repo}`"
        doubt = f" (unverified: {', '.join(entry.unverified)})" if entry.unverified else ""
        lines.append(f"| `{entry.name}` | {entry.good_for} | {sizes} | {entry.licence} | {source}{doubt} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown_table(), end="")
