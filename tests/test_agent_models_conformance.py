"""Runs the conformance suite on every backend."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from agent.models import MLLM, ModelOptions, load_mllm
from agent.models.cassette import load_replay, record
from agent.models.openai.backend import load_openai
from agent.models.scripted import Scripted, Turn
from tests.fake_vllm import FakeVLLM
from tests.fixtures.tiny_gguf import write_gguf
from tests.mllm_conformance import CHECKS, Backend, Kind
from tests.tiny_models import BUILDERS

Check = Callable[[Backend], object]


def make_scripted(kind: Kind) -> Scripted:
    turns = {
        "text": Turn(say="A cyclist crosses the bridge [0:05]."),
        "sampled": Turn(say="A cyclist crosses the bridge [0:05]."),
        "long": Turn(say="word " * 200),
        "tool": Turn(tool="Zoom", args={"side": "left", "times": 3}),
    }
    return Scripted(turns=[turns[kind]])


async def run(check: Check, backend: Backend) -> None:
    done = check(backend)
    if inspect.isawaitable(done):
        await done


@pytest.mark.parametrize("check", CHECKS)
async def test_scripted(check: Check) -> None:
    await run(check, Backend(make_scripted, lambda model: model.produced_tokens))


@pytest.mark.parametrize("check", CHECKS)
async def test_record_then_replay(check: Check, tmp_path: Path) -> None:
    made = 0

    def make_recorder(kind: Kind) -> MLLM:
        nonlocal made
        made += 1
        return record(make_scripted(kind), tmp_path / f"{made}.jsonl")

    def make_replay(kind: Kind) -> MLLM:
        nonlocal made
        made += 1
        return load_replay(tmp_path / f"{made}.jsonl")

    await run(check, Backend(make_recorder, lambda model: model.inner.produced_tokens))
    made = 0
    await run(check, Backend(make_replay))


@pytest.fixture
def server() -> Iterator[FakeVLLM]:
    with FakeVLLM(images_per_prompt=2, token_delay_s=0.005) as server:
        yield server


@pytest.mark.parametrize("check", CHECKS)
async def test_openai(check: Check, server: FakeVLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    def make(kind: Kind) -> MLLM:
        temperature = 0.7 if kind == "sampled" else 0.0
        options = ModelOptions(max_images=2, temperature=temperature, seed=7, max_tokens=400 if kind == "long" else 16)
        return load_openai(f"qwen3-vl@{server.url}", options)

    await run(check, Backend(make, lambda _: server.produced))


@pytest.fixture(scope="module", params=BUILDERS)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """A tiny model of each family, loaded once for each set of options."""
    folder = BUILDERS[request.param](tmp_path_factory.mktemp("weights"))
    max_tokens = {"text": 12, "sampled": 12, "long": 400, "tool": 200}
    steps: dict[str, int] = {}

    def count_step(model: MLLM) -> None:
        steps[model.spec + str(model.options)] = steps.get(model.spec + str(model.options), 0) + 1

    @cache
    def make(kind: Kind) -> MLLM:
        temperature = 0.9 if kind == "sampled" else 0.0
        model = load_mllm(f"hf:{folder}", ModelOptions(max_tokens=max_tokens[kind], temperature=temperature, seed=7))
        model._model.register_forward_hook(lambda *_: count_step(model))
        return model

    return Backend(make, lambda model: steps.get(model.spec + str(model.options), 0))


@pytest.mark.parametrize("check", CHECKS)
async def test_hf(check: Check, tiny: Backend) -> None:
    await run(check, tiny)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """A tiny model in llama.cpp; frames are handed to it as the real evidence."""
    pytest.importorskip("llama_cpp_py_sync")
    path = write_gguf(tmp_path_factory.mktemp("weights") / "tiny.gguf", context=4096)
    max_tokens = {"text": 12, "sampled": 12, "long": 400, "tool": 200}
    read = 0

    def make(kind: Kind) -> MLLM:
        temperature = 0.9 if kind == "sampled" else 0.0
        return load_mllm(f"llama:{path}", ModelOptions(max_tokens=max_tokens[kind], temperature=temperature, seed=7))

    runtime = make("text")._runtime
    read_logits = runtime._logits

    def count() -> np.ndarray:
        nonlocal read
        read += 1
        return read_logits()

    runtime._logits = count
    return Backend(make, lambda _: read)


@pytest.mark.parametrize("check", CHECKS)
async def test_llama(check: Check, llama: Backend) -> None:
    await run(check, llama)


@pytest.fixture(scope="session")
def embedded() -> Backend:
    """The installed model; each set of options is loaded once."""

    @cache
    def make(temperature: float) -> MLLM:
        return load_mllm("embedded", ModelOptions(temperature=temperature, seed=7, max_tokens=24))

    return Backend(lambda kind: make(0.7 if kind == "sampled" else 0.0))


@pytest.mark.parametrize("check", CHECKS)
async def test_embedded(check: Check, embedded: Backend) -> None:
    await run(check, embedded)
