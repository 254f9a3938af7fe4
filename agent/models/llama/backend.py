"""The backend `llama:FILE.gguf`: a language model of llama.cpp on this machine that answers from evidence as text."""

from __future__ import annotations

import codecs
import uuid
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from pydantic import PrivateAttr

from agent.models.answer_parser import AnswerParser, Part, until
from agent.models.blocks import limit_images
from agent.models.llama.grammar import Choose, Grammars
from agent.models.llama.prompt import Turn, encode, fit, read_turns
from agent.models.llama.runtime import Runtime, chooser, shared_runtime
from agent.models.options import ModelOptions
from agent.models.protocol import MLLM, Abilities, Request, end
from agent.models.store import find_model, read_manifest
from tools.errors import ModelError

if TYPE_CHECKING:
    from agent.models.embedded.model import Perception
    from agent.models.embedded.request import Shown


class Llama(MLLM):
    """A GGUF model of llama.cpp; made by `load_llama`. Frames are handed to it as text, by the embedded model's senses.

    The weights are shared by all that use the file, and answers are generated one after the other.
    """

    options: ModelOptions
    _runtime: Runtime = PrivateAttr()
    _grammars: Grammars = PrivateAttr()

    def __init__(self, *, spec: str, options: ModelOptions, runtime: Runtime) -> None:
        super().__init__(spec=spec, options=options)  # type: ignore[call-arg]
        self._runtime = runtime
        self._grammars = Grammars(runtime)

    @property
    def abilities(self) -> Abilities:
        """It takes pictures, of which it reads what code finds in them."""
        return Abilities(
            images=True,
            max_images=self.options.max_images,
            tool_calls=True,
            structured=True,
            json_schema=True,
            detections=True,
            details=frozenset({"clear"}),
            context_tokens=self._runtime.context_tokens,
            max_side_px=self.options.max_side_px,
        )

    def reseeded(self, seed: int) -> Llama:
        """Return this model with another seed; the weights are shared."""
        return self.model_copy(update={"options": self.options.model_copy(update={"seed": seed})})

    @property
    def _llm_type(self) -> str:
        return "attend-llama"

    def _answer(self, request: Request) -> Generator[AIMessageChunk]:
        max_tokens = request.max_tokens or self.options.max_tokens
        prompt = self._prompt(request, max_tokens)
        forced = bool(request.tools) and request.tool_choice != "auto"
        parser = AnswerParser(request.tools)
        said: list[int] = []
        called = False
        if not self._runtime.busy.acquire(timeout=self.options.timeout_s):
            raise ModelError(
                f"{self.spec!r} is still busy with another answer.", remedy="Read or close that one first."
            )
        try:
            kept = self._runtime.kept_of(prompt)
            tokens = self._runtime.generate(prompt, max_tokens, self._choose(request))
            with closing(tokens):
                for piece in until(self._texts(tokens, said), request.stop):
                    if piece is None:  # an answer that nobody waits for any more is closed here
                        yield AIMessageChunk(content="")
                        continue
                    for part in parser.feed(piece):
                        called |= part.kind == "call"
                        yield _chunk(part)
        finally:
            self._runtime.busy.release()
        for part in parser.end():
            called |= part.kind == "call"
            yield _chunk(part)
        if forced and not called:
            raise ModelError(
                f"the tool call of {self.spec!r} was cut off after {len(said)} tokens.", remedy="Raise max_tokens."
            )
        finish = "length" if len(said) >= max_tokens else "stop"
        yield end(len(prompt), len(said), response_metadata={"finish_reason": finish, "kept_tokens": kept})

    def _texts(self, tokens: Iterator[int | None], said: list[int]) -> Iterator[str | None]:
        """Yield the text of an answer as it is completed, and None between the batches of the prompt.

        Args:
            tokens: what the model generates.
            said: takes the tokens of the answer.
        """
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for token in tokens:
            if token is None:
                yield None
                continue
            said.append(token)
            if text := decoder.decode(self._runtime.piece(token)):
                yield text
        if text := decoder.decode(b"", final=True):
            yield text

    def _choose(self, request: Request) -> Choose:
        """Return the function that chooses tokens for a request, bound to the form that it asks for."""
        choose = chooser(self.options.temperature, self.options.seed)
        if schema := request.options.get("json_schema"):
            return self._grammars.json(schema, choose)
        if not request.tools:
            return choose
        if request.tool_choice == "auto":
            return self._grammars.text_with_calls(request.tools, choose)
        named = [tool for tool in request.tools if request.tool_choice in ("required", tool["function"]["name"])]
        return self._grammars.one_call(named, choose)

    def _prompt(self, request: Request, max_tokens: int) -> list[int]:
        """Return the token ids of a request; what does not fit is dropped, the oldest frames first.

        Raises:
            ModelError: if the newest message alone is longer than the context.
        """
        messages = limit_images(request.messages, self.options.max_images)
        turns = read_turns(messages, request.tools, bound="json_schema" in request.options)
        room = self._runtime.context_tokens - max_tokens
        kept = fit(turns, lambda some: len(self._encode(some)), room)
        if kept is None:
            raise ModelError(
                f"the question is longer than the context of {self.spec!r}: {self._runtime.context_tokens} tokens, of "
                f"which {max_tokens} are kept for the answer.",
                remedy="Ask a shorter question, lower max_tokens, or choose a model with a longer context.",
            )
        return self._encode(kept)

    def _encode(self, turns: Sequence[Turn]) -> list[int]:
        return encode(self._runtime, turns, self._evidence)

    def _evidence(self, frames: Sequence[Shown], question: str) -> str:
        from agent.models.llama.evidence import gather_evidence

        return gather_evidence(shared_perception(), frames, question)


@cache
def shared_perception() -> Perception:
    """Return the senses that find the evidence, loaded once for all models."""
    from agent.models.embedded.model import Perception

    return Perception()


def load_llama(name: str, options: ModelOptions) -> Llama:
    """Load a GGUF file by its path, its folder, or the name that it was pulled by.

    Raises:
        MissingExtra: if the extra `mind` is not installed.
        ModelError: see `agent.models.llama.runtime.Runtime`.
    """
    path = Path(name).expanduser()
    if not path.exists() and (folder := find_model(name)):
        path = folder / read_manifest(folder).gguf
    if path.is_dir():
        path = _only_gguf(path)
    changed_ns = path.stat().st_mtime_ns if path.is_file() else 0
    return Llama(spec=f"llama:{name}", options=options, runtime=shared_runtime(path, changed_ns))


def _only_gguf(folder: Path) -> Path:
    """Return the file with a model's weights in a folder: the GGUF file that is no vision part."""
    found = sorted(path for path in folder.glob("*.gguf") if not path.name.startswith("mmproj"))
    if len(found) != 1:
        raise ModelError(
            f"there are {len(found)} GGUF files in {str(folder)!r}.",
            expected="one, beside a vision part mmproj-*.gguf at most",
            remedy="Name the file: llama:FOLDER/FILE.gguf.",
        )
    return found[0]


def _chunk(part: Part) -> AIMessageChunk:
    if part.kind == "text":
        return AIMessageChunk(content=part.text)
    if part.kind == "reasoning":
        return AIMessageChunk(content="", additional_kwargs={"reasoning_content": part.text})
    call = tool_call_chunk(name=part.name, args=part.text, id=f"call_{uuid.uuid4().hex[:12]}", index=None)
    return AIMessageChunk(content="", tool_call_chunks=[call])
