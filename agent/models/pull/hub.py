"""Downloads from a repository of the Hugging Face hub, or of a mirror, by huggingface_hub.

Its `http_get` is used below `hf_hub_download`, which begins a file anew when an earlier download was killed: here files
are continued by `Range` requests.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import io
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.models.catalogue import Entry
from agent.models.hf.load import WANTED_FILES
from agent.models.pull.staging import Progress, Pulled, PullError, check_space, disk_full, hash_mismatch
from agent.models.store import CHUNK_BYTES, MANIFEST, StoredFile, hash_file

PARTS = ".parts"
"""Subfolder of the staging folder: unfinished files, named by their hash."""

_TIMEOUT_S = 15.0
_LICENCES = ("LICENSE*", "LICENCE*")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class _Remote:
    """A file of the repository: `etag` is its SHA-256, or for small files the id of its git blob."""

    name: str
    bytes: int
    etag: str
    sha256: str
    known: bool


def fetch_from_hub(entry: Entry, staging: Path, progress: Progress, endpoint: str | None) -> Pulled:
    """Download the files of a repository at one commit.

    Args:
        entry: what to download; without a revision, the newest commit is taken and recorded.
        staging: folder for the files.
        progress: receives the bytes as they come.
        endpoint: address of the hub; None takes `HF_ENDPOINT`, else the public hub.

    Raises:
        PullError: if the hub cannot be reached, refuses, has no such repository, revision or file, or sends other bytes
            than it or the catalogue promises; if the disk is full.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.constants import ENDPOINT
    from huggingface_hub.errors import HTTPError
    from huggingface_hub.utils import disable_progress_bars

    disable_progress_bars()
    address = (endpoint or os.environ.get("HF_ENDPOINT") or ENDPOINT).rstrip("/")
    try:
        info = HfApi(endpoint=address).model_info(
            entry.repo, revision=entry.revision or None, files_metadata=True, timeout=_TIMEOUT_S
        )
        commit = str(info.sha)
        if not _HASH.fullmatch(commit) or (_HASH.fullmatch(entry.revision) and commit != entry.revision):
            raise PullError(f"{address} answers with the commit {commit!r} instead of {entry.revision!r}.")
        remotes = _wanted(entry, info.siblings or [], address)
        (staging / PARTS).mkdir(exist_ok=True)
        check_space(staging, sum(remote.bytes - _there(staging, remote) for remote in remotes))
        progress.begin(f"{entry.repo} {commit[:8]}", sum(remote.bytes for remote in remotes))
        files = {remote.name: _fetch(remote, entry, commit, staging, address, progress) for remote in remotes}
    except (HTTPError, OSError, ValueError) as error:
        raise _explain(error, entry, address) from error
    licence = entry.licence or next((tag[8:] for tag in info.tags or [] if tag.startswith("license:")), "")
    return Pulled(files, f"hf:{entry.repo}@{commit}", licence)


def _wanted(entry: Entry, siblings: list[Any], address: str) -> list[_Remote]:
    """Choose the files of a repository, small ones first."""
    top = {sibling.rfilename: sibling for sibling in siblings if "/" not in sibling.rfilename}
    top.pop(MANIFEST, None)
    if entry.kind == "gguf":
        needed = [name for name in (entry.gguf, entry.mmproj) if name]
        names = needed + [name for name in top if any(fnmatch.fnmatch(name, pattern) for pattern in _LICENCES)]
    else:
        patterns = (*WANTED_FILES, *_LICENCES)
        names = [name for name in top if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
        needed = ["config.json", *entry.files]
        if not any(name.endswith(".safetensors") for name in names):
            raise PullError(
                f"the repository {entry.repo!r} has no weights that transformers loads safely (.safetensors).",
                remedy="Choose another one, or run its GGUF files with llama-server and --model openai:MODEL@URL.",
            )
    if missing := [name for name in needed if name not in top]:
        raise PullError(
            f"the repository {entry.repo!r} at {address} has no file {missing[0]!r}.", remedy="Choose another model."
        )
    remotes = []
    for name in dict.fromkeys(names):
        sibling, known = top[name], entry.files.get(name)
        promised = sibling.lfs.sha256 if sibling.lfs else ""
        sha256 = known.sha256 if known and known.sha256 else promised
        if promised and promised != sha256:
            raise hash_mismatch(name, sha256, promised, f"{address} offers another file; use another --endpoint.")
        etag = promised or str(sibling.blob_id)
        if not _HASH.fullmatch(etag):
            raise PullError(f"{address} gives no valid hash for {name!r}: {etag!r}.", remedy="Use another --endpoint.")
        remotes.append(_Remote(name, int(sibling.size or 0), etag, sha256, bool(known and known.sha256)))
    return sorted(remotes, key=lambda remote: remote.bytes)


def _there(staging: Path, remote: _Remote) -> int:
    """Return how many bytes of a file an earlier attempt has left."""
    for path in (staging / remote.name, staging / PARTS / remote.etag):
        if path.is_file():
            return min(path.stat().st_size, remote.bytes)
    return 0


def _fetch(remote: _Remote, entry: Entry, commit: str, staging: Path, address: str, progress: Progress) -> StoredFile:
    """Download the rest of a file, check it, and move it into the staging folder."""
    done, part = staging / remote.name, staging / PARTS / remote.etag
    if done.is_file():
        if found := _checked(remote, done):
            progress.advance(remote.bytes)
            return found
        done.unlink()  # of another revision
    there = part.stat().st_size if part.is_file() else 0
    if there > remote.bytes:
        part.unlink()
        there = 0
    progress.advance(there)
    _download(remote, entry, commit, part, there, address, progress.advance)
    found = _checked(remote, part)
    if found is None:
        actual = hash_file(part)
        part.unlink()
        raise hash_mismatch(
            remote.name,
            remote.sha256 or f"that of the git blob {remote.etag}",
            actual,
            f"It was removed. Run the command again; if it happens again, {address} sends wrong files.",
        )
    part.replace(done)
    return found


def _download(
    remote: _Remote, entry: Entry, commit: str, part: Path, there: int, address: str, advance: Callable[[int], None]
) -> None:
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    url = hf_hub_url(entry.repo, remote.name, revision=commit, endpoint=address)
    with _Counted(part, advance) as stream:
        http_get(url, stream, resume_size=there, headers=build_hf_headers(), expected_size=remote.bytes)


class _Counted(io.BufferedWriter):
    """A file to append to that reports the bytes written."""

    def __init__(self, path: Path, advance: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._advance = advance

    def write(self, data: Any) -> int:
        count = super().write(data)
        self._advance(count)
        return count

    def truncate(self, size: int | None = None) -> int:
        """Cut the file, where a server sends it from its beginning although its rest was asked for."""
        self.flush()
        before = os.fstat(self.fileno()).st_size
        after = super().truncate(size)
        self._advance(after - before)
        return after


def _checked(remote: _Remote, path: Path) -> StoredFile | None:
    """Return the record of a file, or None if it is not the promised one."""
    size = path.stat().st_size
    if size != remote.bytes:
        return None
    sha256 = hash_file(path)
    right = sha256 == remote.sha256 if remote.sha256 else _git_blob(path) == remote.etag
    return StoredFile(bytes=size, sha256=sha256, known=remote.known) if right else None


def _git_blob(path: Path) -> str:
    """Return the id that git gives to the contents of a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _explain(error: Exception, entry: Entry, address: str) -> PullError:
    """Return the error with its cause in words and its remedy."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        OfflineModeIsEnabled,
        RevisionNotFoundError,
    )

    name = f"{entry.repo}@{entry.revision}" if entry.revision else entry.repo
    match error:
        case GatedRepoError():
            return PullError(
                f"{name!r} is gated: its owner asks you to accept terms first.",
                remedy=f"Accept them at {address}/{entry.repo}, then run `hf auth login` or set HF_TOKEN.",
            )
        case RevisionNotFoundError():
            return PullError(f"{entry.repo!r} has no revision {entry.revision!r} at {address}.")
        case HFValidationError():
            return PullError(f"invalid model name {entry.repo!r}: {error}.", expected="hf:OWNER/NAME")
        case OfflineModeIsEnabled():
            return PullError("cannot download: HF_HUB_OFFLINE is set.", remedy="Unset it, or use --from FOLDER.")
        case HfHubHTTPError() if error.response.status_code in (401, 403, 404):
            return PullError(
                f"{address} has no {name!r}, or it is private (HTTP {error.response.status_code}).",
                remedy="Check the name; for a private one set HF_TOKEN to a valid token, or run `hf auth login`.",
            )
        case HfHubHTTPError():
            return PullError(
                f"{address} answers HTTP {error.response.status_code} for {name!r}.",
                remedy="Run the command again later: it continues where it was.",
            )
        case OSError() if error.errno == errno.ENOSPC:
            return disk_full(error)
    return PullError(
        f"cannot download {name!r} from {address}: {str(error) or type(error).__name__}.",
        remedy="Check the network and HTTPS_PROXY, name a mirror with --endpoint, or copy the files with --from. "
        "Run the command again: it continues where it was.",
    )
