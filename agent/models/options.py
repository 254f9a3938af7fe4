"""How a model is run, whichever backend runs it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tools.errors import ModelError

Device = Literal["auto", "cpu", "cuda", "mps"]
Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantization = Literal["none", "int8", "int4"]


class ModelOptions(BaseModel):
    """Settings of a model; every default is our choice.

    Attributes:
        device: where local weights run; `auto` takes CUDA, then Apple's MPS, then the processor.
        dtype: the number format of local weights; `auto` is bfloat16 on CUDA and float32 elsewhere.
        quantization: weight-only quantisation of `hf:` models; needs the package bitsandbytes.
        max_tokens: the most tokens of one answer.
        temperature: 0 always takes the likeliest token; higher values sample.
        seed: makes sampling repeatable; None draws a fresh one.
        timeout_s: the longest silence of a server, in seconds, before a call has failed; retries included.
        max_side_px: pictures are scaled down to this longer side before a server or an `hf:` model sees them; None
            keeps their size.
        max_images: the most pictures of one request, where the model's own limit is known; the oldest are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: Device = "auto"
    dtype: Dtype = "auto"
    quantization: Quantization = "none"
    max_tokens: int = Field(default=512, ge=1, le=131_072)
    temperature: float = Field(default=0.0, ge=0.0, le=2.0)
    seed: int | None = Field(default=None, ge=0, lt=2**32)
    timeout_s: float = Field(default=120.0, gt=0.0, le=3600.0)
    max_side_px: int | None = Field(default=1024, ge=32, le=8192)
    max_images: int | None = Field(default=None, ge=0)


def choose_device(device: Device) -> str:
    """Return `cuda`, `mps` or `cpu`.

    Raises:
        ModelError: if the device that was asked for is not there.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return next(name for name, available in there.items() if available)
    if not there[device]:
        raise ModelError(f"the device {device!r} is not available here.", remedy="Set device to auto.")
    return device
