"""The backend `hf:ORG/NAME` or `hf:FOLDER`: open vision-language models run on this machine by transformers."""

from __future__ import annotations

import contextlib
import queue
import threading
import uuid
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from pydantic import PrivateAttr

from agent.models.answer_parser import AnswerParser, Part
from agent.models.blocks import limit_images, move_tool_images, shrink_images
from agent.models.hf.load import load_weights
from agent.models.hf.prompt import render, supports_tools
from agent.models.options import ModelOptions
from agent.models.protocol import MLLM, Abilities, Request, end
from tools.errors import ModelError

_AHEAD_TOKENS = 4
"""How far generation may run ahead of its reader; it waits there, so that an answer nobody reads costs nothing."""
_POLL_S = 0.1


class HF(MLLM):
    """A transformers image-text-to-text model; made by `load_hf`. Answers are generated one after the other."""

    options: ModelOptions
    _model: Any = PrivateAttr()
    _processor: Any = PrivateAttr()
    _abilities: Abilities = PrivateAttr()
    _grammars: Any = PrivateAttr(default=None)
    # Some models keep state between steps outside their cache, so two answers must not be mixed.
    _busy: Any = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, *, spec: str, options: ModelOptions, model: Any, processor: Any) -> None:
        super().__init__(spec=spec, options=options)  # type: ignore[call-arg]
        self._model, self._processor = model, processor
        # Processors that merge patches keep a picture's proportions and size, so that small pictures cost fewer tokens.
        sizes_count = hasattr(processor.image_processor, "merge_size")
        self._abilities = Abilities(
            images=True,
            max_images=options.max_images,
            tool_calls=supports_tools(processor),
            details=frozenset({"clear", "fuzzy"} if sizes_count else {"clear"}),
            context_tokens=getattr(model.config.get_text_config(), "max_position_embeddings", None),
            max_side_px=options.max_side_px,
        )

    @property
    def abilities(self) -> Abilities:
        return self._abilities

    def reseeded(self, seed: int) -> HF:
        """Return this model with another seed; the weights are shared."""
        return self.model_copy(update={"options": self.options.model_copy(update={"seed": seed})})

    @property
    def _llm_type(self) -> str:
        return "attend-hf"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        inputs, thinking = self._inputs(request.messages, request.tools)
        seen = inputs["input_ids"].shape[1]
        max_tokens = self._room(seen, request.max_tokens or self.options.max_tokens)
        forced = bool(request.tools) and request.tool_choice != "auto"
        settings: dict[str, Any] = {"max_new_tokens": max_tokens, **self._sampling()}
        if request.stop:
            settings |= {"stop_strings": request.stop, "tokenizer": self._processor.tokenizer}
        if forced:
            settings["logits_processor"] = [self._call_grammar(request.tools, request.tool_choice)]

        parser = AnswerParser(request.tools, thinking=thinking and not forced)
        spoken, called = 0, False
        with contextlib.closing(self._generated(inputs, settings)) as generated:
            for spoken, text in generated:  # noqa: B007 - the last count is the usage
                for part in parser.feed(text):
                    called |= part.kind == "call"
                    yield _chunk(part)
        for part in parser.end():
            called |= part.kind == "call"
            yield _chunk(part)
        if forced and not called:
            raise ModelError(
                f"the tool call of {self.spec!r} was cut off after {spoken} tokens.", remedy="Raise max_tokens."
            )
        yield end(seen, spoken, response_metadata={"finish_reason": "length" if spoken >= max_tokens else "stop"})

    def _inputs(self, messages: list[BaseMessage], tools: list[dict[str, Any]]) -> tuple[Any, bool]:
        """Return the model's inputs on its device, and whether the prompt leaves the model thinking."""
        shown = limit_images(move_tool_images(messages), self.abilities.max_images)
        prompt, images = render(self._processor, shrink_images(shown, self.options.max_side_px), tools)
        # The template has written the first token already.
        bos = self._processor.tokenizer.bos_token
        more = {"add_special_tokens": False} if bos and prompt.startswith(bos) else {}
        try:
            inputs = self._processor(text=prompt, images=[images] if images else None, return_tensors="pt", **more)
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            raise ModelError(
                f"the processor of {self.spec!r} refuses {len(images)} pictures with this text: {error}.",
                remedy="Show fewer pictures, or choose a model that takes several.",
            ) from error
        inputs = inputs.to(self._model.device)
        for name, value in inputs.items():
            if value.is_floating_point():
                inputs[name] = value.to(self._model.dtype)
        return inputs, prompt.rstrip().endswith("<think>")

    def _room(self, seen: int, max_tokens: int) -> int:
        context = self.abilities.context_tokens
        if context is None:
            return max_tokens
        if seen >= context:
            raise ModelError(
                f"the conversation of {seen} tokens is longer than the context of {self.spec!r}, {context} tokens.",
                remedy="Show fewer or smaller frames, or start a new conversation.",
            )
        return min(max_tokens, context - seen)

    def _sampling(self) -> dict[str, Any]:
        if self.options.temperature == 0:
            return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        return {"do_sample": True, "temperature": self.options.temperature}

    def _call_grammar(self, tools: list[dict[str, Any]], choice: str) -> Any:
        """Return a logits processor that lets through nothing but a call of the chosen, or of any, tool."""
        import xgrammar
        import xgrammar.contrib.hf

        if self._grammars is None:
            width = self._model.config.get_text_config().vocab_size
            info = xgrammar.TokenizerInfo.from_huggingface(self._processor.tokenizer, vocab_size=width)
            self._grammars = xgrammar.GrammarCompiler(info, max_threads=1)
        calls = [
            {
                "type": "object",
                "properties": {
                    "name": {"const": tool["function"]["name"]},
                    "arguments": tool["function"].get("parameters", {"type": "object", "properties": {}}),
                },
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
            for tool in tools
            if choice in ("required", tool["function"]["name"])
        ]
        schema = calls[0] if len(calls) == 1 else {"anyOf": calls}
        return xgrammar.contrib.hf.LogitsProcessor(self._grammars.compile_json_schema(schema, any_whitespace=False))

    def _generated(self, inputs: Any, settings: dict[str, Any]) -> Generator[tuple[int, str]]:
        """Yield (tokens so far, new text) after each token; generation stops when this iterator is closed.

        Raises:
            ModelError: if the device runs out of memory, or another answer keeps the model busy for too long.
        """
        stopped = threading.Event()
        tokens: queue.Queue[int] = queue.Queue(maxsize=_AHEAD_TOKENS)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="attend-hf") as pool:
            future = pool.submit(self._generate_tokens, inputs, settings, tokens, stopped)
            try:
                yield from self._read(tokens, future)
            finally:
                stopped.set()
                while not future.done() or not tokens.empty():  # a full queue would keep the thread waiting
                    try:
                        tokens.get(timeout=_POLL_S)
                    except queue.Empty:
                        continue

    def _read(self, tokens: queue.Queue[int], future: Future[None]) -> Iterator[tuple[int, str]]:
        import torch

        ids: list[int] = []
        # Text is decoded from a few tokens back, since a token may be part of a letter, or bring a space.
        start = read = 0
        decode = self._processor.tokenizer.decode
        while not (future.done() and tokens.empty()):
            try:
                ids.append(tokens.get(timeout=_POLL_S))
            except queue.Empty:
                continue
            before, now = (decode(ids[start:end], skip_special_tokens=True) for end in (read, len(ids)))
            if len(now) > len(before) and not now.endswith("\ufffd"):
                start, read = read, len(ids)
                yield len(ids), now[len(before) :]
            else:
                yield len(ids), ""
        try:
            future.result()
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"the memory of the device is too small for this request to {self.spec!r}.",
                remedy="Show fewer or smaller frames, or set quantization to int4.",
            ) from error
        rest = decode(ids[start:], skip_special_tokens=True)[len(decode(ids[start:read], skip_special_tokens=True)) :]
        if rest:
            yield len(ids), rest

    def _generate_tokens(
        self, inputs: Any, settings: dict[str, Any], tokens: queue.Queue[int], stopped: threading.Event
    ) -> None:
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList

        class Handover(StoppingCriteria):
            def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
                tokens.put(int(input_ids[0, -1]))
                return torch.full((input_ids.shape[0],), stopped.is_set(), dtype=torch.bool, device=input_ids.device)

        if not self._busy.acquire(timeout=self.options.timeout_s):
            raise ModelError(
                f"{self.spec!r} is still busy with another answer.", remedy="Read or close that one first."
            )
        try:
            seeded = settings["do_sample"] and self.options.seed is not None
            with torch.random.fork_rng(enabled=seeded), torch.inference_mode():
                if seeded:
                    torch.manual_seed(self.options.seed)
                if not stopped.is_set():
                    self._model.generate(**inputs, **settings, stopping_criteria=StoppingCriteriaList([Handover()]))
        finally:
            self._busy.release()


def load_hf(name: str, options: ModelOptions) -> HF:
    """Load an image-text-to-text model by its hub name `ORG/NAME` or its folder.

    Raises:
        ModelError: see `agent.models.hf.load.load_weights`.
    """
    model, processor = load_weights(name, options)
    return HF(spec=f"hf:{name}", options=options, model=model, processor=processor)


def _chunk(part: Part) -> AIMessageChunk:
    if part.kind == "text":
        return AIMessageChunk(content=part.text)
    if part.kind == "reasoning":
        return AIMessageChunk(content="", additional_kwargs={"reasoning_content": part.text})
    call = tool_call_chunk(name=part.name, args=part.text, id=f"call_{uuid.uuid4().hex[:12]}", index=None)
    return AIMessageChunk(content="", tool_call_chunks=[call])
