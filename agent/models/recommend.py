"""Which model of the catalogue suits this machine, by its memory, GPU and free disk space; nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

import psutil
from pydantic import BaseModel, ConfigDict

from agent.models.catalogue import Entry, load_catalogue
from agent.models.store import models_folder

SHARE_OF_RAM = 0.6
"""Share of all memory that a model may take: the rest is for frames, the page and other programs."""
MAX_CPU_PARAMETERS_M = 1_100
"""Largest model recommended without a GPU, in millions of parameters: larger ones take long for each answer."""


class Machine(BaseModel):
    """Memory, free disk space and GPU of a machine; `gpu_bytes` is what is free on the GPU, 0 without one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ram_bytes: int
    free_ram_bytes: int
    disk_bytes: int
    gpu: str = ""
    gpu_bytes: int = 0


class Choice(BaseModel):
    """A recommendation: the model with pictures, others that fit, and the language model; None where none fits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    machine: Machine
    take: Entry | None
    why: str
    fit_too: tuple[str, ...]
    language: Entry | None


def read_machine() -> Machine:
    """Measure this machine."""
    import torch

    memory = psutil.virtual_memory()
    folder = models_folder()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    machine = Machine(
        ram_bytes=memory.total, free_ram_bytes=memory.available, disk_bytes=shutil.disk_usage(existing).free
    )
    if not torch.cuda.is_available():
        return machine
    gpu = {"gpu": torch.cuda.get_device_name(), "gpu_bytes": torch.cuda.mem_get_info()[0]}
    return machine.model_copy(update=gpu)


def recommend(machine: Machine, entries: Iterable[Entry] | None = None) -> Choice:
    """Choose the largest model that fits: on the GPU if there is one, else in memory, and not too slow there."""
    known = list(load_catalogue().values() if entries is None else entries)
    on_disk = [entry for entry in known if entry.download_mb * 10**6 < machine.disk_bytes]
    seeing = [entry for entry in on_disk if entry.kind == "transformers"]
    on_gpu = [entry for entry in seeing if entry.gpu_bytes <= machine.gpu_bytes]
    in_ram = [entry for entry in seeing if _fits_ram(entry, machine)]
    fit = on_gpu or in_ram
    quick = on_gpu or [entry for entry in in_ram if entry.parameters_m <= MAX_CPU_PARAMETERS_M]
    take = max(quick, key=lambda entry: entry.parameters_m, default=None)
    language = [entry for entry in on_disk if not entry.sees and _fits_ram(entry, machine)]
    return Choice(
        machine=machine,
        take=take,
        why=_reason(take, bool(on_gpu), bool(fit)),
        fit_too=tuple(entry.name for entry in fit if entry is not take),
        language=max(language, key=lambda entry: entry.parameters_m, default=None),
    )


def _fits_ram(entry: Entry, machine: Machine) -> bool:
    return entry.ram_bytes <= min(SHARE_OF_RAM * machine.ram_bytes, machine.free_ram_bytes)


def _reason(take: Entry | None, on_gpu: bool, any_fits: bool) -> str:
    if take is None:
        found = "those that fit are slow without a GPU" if any_fits else "none fits memory and disk"
        return f"No model is recommended here: {found}."
    if on_gpu:
        return f"The largest that fits the GPU: it needs about {take.gpu_bytes / 1e9:.1f} GB there."
    return (
        f"The largest that is quick enough without a GPU: it needs about {take.ram_bytes / 1e9:.1f} GB of memory, "
        "and larger ones take long for each answer."
    )
