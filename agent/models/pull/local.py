"""Models from files that are already on this machine: found by name or size, and checked by their hash."""

from __future__ import annotations

import fnmatch
import hashlib
from pathlib import Path

from agent.models.catalogue import Entry
from agent.models.hf.load import WANTED_FILES
from agent.models.pull.staging import Progress, Pulled, PullError, check_space, hash_mismatch
from agent.models.store import CHUNK_BYTES, MANIFEST, StoredFile


def copy_from_files(entry: Entry, staging: Path, progress: Progress, origin: Path) -> Pulled:
    """Copy the files of a model from a folder, or its only file, into the staging folder.

    Args:
        entry: which model it is; files whose hash it knows must have that hash.
        staging: folder for the copies.
        progress: receives the bytes as they are copied.
        origin: the folder or file; it is left as it is.

    Raises:
        PullError: if a file is missing or has another hash than the known one.
    """
    if not origin.exists():
        raise PullError(f"there is no file or folder {str(origin)!r}.", expected="--from with an existing path")
    chosen = _choose(entry, origin)
    total = sum(path.stat().st_size for path in chosen.values())
    check_space(staging, total)
    progress.begin(f"copy from {origin.name}", total)
    files = {}
    for name, path in chosen.items():
        stored = _copy(path, staging / name, progress)
        known = entry.files.get(name)
        if known and known.sha256 and known.sha256 != stored.sha256:
            (staging / name).unlink()
            raise hash_mismatch(str(path), known.sha256, stored.sha256, "It is another file, or damaged; get it again.")
        files[name] = stored.model_copy(update={"known": bool(known and known.sha256)})
    return Pulled(files, f"file:{origin.resolve()}", entry.licence)


def _choose(entry: Entry, origin: Path) -> dict[str, Path]:
    """Return the file for each wanted name."""
    if entry.kind == "transformers":
        if not (origin / "config.json").is_file() or not any(origin.glob("*.safetensors")):
            raise PullError(
                f"{str(origin)!r} holds no model of transformers.",
                expected="a folder with config.json and .safetensors",
            )
        return {
            path.name: path
            for path in sorted(origin.iterdir())
            if path.is_file()
            and path.name != MANIFEST
            and any(fnmatch.fnmatch(path.name, pattern) for pattern in WANTED_FILES)
        }
    wanted = [name for name in (entry.gguf, entry.mmproj) if name]
    if origin.is_file():
        if len(wanted) > 1:
            raise PullError(
                f"{entry.name!r} has {len(wanted)} files.", expected=f"a folder with {' and '.join(wanted)}"
            )
        return {wanted[0]: origin}
    return {name: _find(entry, name, origin) for name in wanted}


def _find(entry: Entry, name: str, folder: Path) -> Path:
    """Return the file of this name, or else one of the known size."""
    if (folder / name).is_file():
        return folder / name
    size = known.bytes if (known := entry.files.get(name)) else None
    for path in sorted(folder.iterdir()):
        if size and path.is_file() and path.stat().st_size == size:
            return path
    raise PullError(f"{str(folder)!r} has no file {name!r}.", expected=f"the file {name!r}, or one of its size")


def _copy(source: Path, target: Path, progress: Progress) -> StoredFile:
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            digest.update(chunk)
            writer.write(chunk)
            progress.advance(len(chunk))
    return StoredFile(bytes=target.stat().st_size, sha256=digest.hexdigest(), known=False)
