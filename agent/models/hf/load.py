"""Find and load the weights of `hf:` models: any image-text-to-text model that transformers knows."""

from __future__ import annotations

import importlib.util
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from agent.models.options import ModelOptions, choose_device
from agent.models.store import find_model
from tools.errors import ModelError
from tools.extras import require

_HUB_TIMEOUT_S = 5.0
WANTED_FILES = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"]
_TRUE = {"1", "ON", "YES", "TRUE"}


def find_weights(name: str) -> Path:
    """Return the folder of a model: a local folder, a pulled model, the hub's cache, or a download into that cache.

    Raises:
        ModelError: if there is no such folder, or the model is neither cached nor to be had from the hub. Without a
            network this takes seconds; with `HF_HUB_OFFLINE` set the network is not tried.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if pulled := find_model(name):
        return pulled
    if name.startswith((".", "/", "~", "\\")) or name.count("/") != 1:
        raise ModelError(f"there is no folder {name!r}.", expected="hf:ORG/NAME, or hf: and an existing folder")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except LocalEntryNotFoundError:
        pass
    except HFValidationError as error:
        raise ModelError(f"{name!r} is not a model name: {error}", expected="hf:ORG/NAME") from error
    _reach_hub(name)
    try:
        return Path(snapshot_download(name, allow_patterns=WANTED_FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ModelError(
            f"the model {name!r} cannot be downloaded: {error}", remedy="Check the name; some need `hf auth login`."
        ) from error


def _reach_hub(name: str) -> None:
    """Fail fast where the hub cannot be reached; its own client would try for more than a minute."""
    remedy = f"On a machine with a network, run `hf download {name} --local-dir FOLDER` and name it hf:FOLDER."
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in _TRUE:
        raise ModelError(f"the model {name!r} is not on this machine, and HF_HUB_OFFLINE is set.", remedy=remedy)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    try:
        urllib.request.urlopen(f"{endpoint}/api/models/{name}", timeout=_HUB_TIMEOUT_S).close()
    except urllib.error.HTTPError:
        return  # it answers: the download will say what is wrong, with the user's login
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the model {name!r} is not on this machine, and {endpoint} cannot be reached: {error}.", remedy=remedy
        ) from error


def load_weights(name: str, options: ModelOptions) -> tuple[Any, Any]:
    """Load a model and its processor, ready to generate.

    Args:
        name: `ORG/NAME` on the hub, or a local folder.
        options: device, dtype and quantisation are used.

    Raises:
        ModelError: if the weights are missing, damaged or incomplete, are not those of a vision model, or lack their
            processor or chat template; if the device or the quantisation is not available.
    """
    folder = find_weights(name)
    if not (folder / "config.json").is_file():
        raise ModelError(f"the folder {str(folder)!r} holds no model: config.json is missing.")
    device = choose_device(options.device)
    for package in ("torchvision", "accelerate"):
        require(package, extra="hf")
    from transformers import AutoModelForImageTextToText

    config = _load_config(folder)
    processor = _load_processor(folder)
    settings: dict[str, Any] = {"config": config, "dtype": _choose_dtype(options, device), "local_files_only": True}
    settings |= _quantization(options, device)
    try:
        model, loading = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True, **settings)
    except _loading_errors() as error:
        raise _damaged(folder, "weights", error) from error
    if missing := sorted(loading["missing_keys"]):
        raise ModelError(
            f"the weights in {str(folder)!r} lack {len(missing)} of the model's tensors, such as {missing[0]!r}.",
            remedy="Download the model again.",
        )
    model.eval()
    return (model if options.quantization != "none" else model.to(device)), processor


def _choose_dtype(options: ModelOptions, device: str) -> Any:
    import torch

    default = "bfloat16" if device == "cuda" else "float32"
    return getattr(torch, default if options.dtype == "auto" else options.dtype)


def _quantization(options: ModelOptions, device: str) -> dict[str, Any]:
    if options.quantization == "none":
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(
            f"the quantization {options.quantization!r} needs a package that is not installed.",
            remedy="Run `pip install bitsandbytes`, or set quantization to none.",
        )
    from transformers import BitsAndBytesConfig

    eight = options.quantization == "int8"
    config = BitsAndBytesConfig(
        load_in_8bit=eight, load_in_4bit=not eight, bnb_4bit_compute_dtype=_choose_dtype(options, device)
    )
    return {"quantization_config": config, "device_map": {"": device}}


def _load_config(folder: Path) -> Any:
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, AutoConfig

    try:
        kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except _loading_errors() as error:
        raise _damaged(folder, "config.json", error) from error
    if type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        raise ModelError(
            f"the model in {str(folder)!r} is of type {kind!r}, which sees no pictures.",
            expected="an image-text-to-text model, such as Qwen2.5-VL, SmolVLM, LLaVA-OneVision or InternVL",
        )
    return config


def _load_processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
    except ImportError as error:
        raise ModelError(f"the processor in {str(folder)!r} needs another package: {error}") from error
    except _loading_errors() as error:
        raise _damaged(folder, "processor", error) from error
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise ModelError(
            f"the folder {str(folder)!r} lacks the files of its processor.",
            expected="preprocessor_config.json or processor_config.json, and the tokenizer's files",
            remedy="Copy them from the original model.",
        )
    if not processor.chat_template:
        raise ModelError(
            f"the model in {str(folder)!r} has no chat template.",
            remedy="Choose a model tuned for chat (its name often ends in -Instruct), or add chat_template.jinja.",
        )
    return processor


def _loading_errors() -> tuple[type[Exception], ...]:
    """Return what transformers raises on missing, damaged or foreign files."""
    from safetensors import SafetensorError

    return OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, SafetensorError


def _damaged(folder: Path, part: str, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())
    return ModelError(
        f"the {part} in {str(folder)!r} cannot be loaded: {reason[:300]}.", remedy="Download the model again."
    )
