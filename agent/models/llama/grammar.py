"""Answers bound to a form by xgrammar's token masks: JSON of a schema, or text in which all tool calls are valid."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.errors import ModelError

if TYPE_CHECKING:
    from agent.models.llama.runtime import Runtime

CALL = "<tool_call>"
_NOTHING = {"type": "object", "properties": {}}


class Grammars:
    """Compiles forms for the vocabulary of a model; the vocabulary is read at the first."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @cached_property
    def _compiler(self) -> Any:
        import xgrammar

        runtime = self._runtime
        pieces = [runtime.piece(token) for token in range(runtime.vocab_size)]
        ends = [token for token in range(runtime.vocab_size) if runtime.ends(token)]
        info = xgrammar.TokenizerInfo(pieces, vocab_size=runtime.vocab_size, stop_token_ids=ends)
        return xgrammar.GrammarCompiler(info, max_threads=1)

    def json(self, schema: dict[str, Any], choose: Choose) -> Choose:
        """Bind answers to JSON of a schema.

        Raises:
            ModelError: if the schema is none that can be compiled.
        """
        return self._bound(choose, lambda: self._compiler.compile_json_schema(json.dumps(schema), any_whitespace=False))

    def one_call(self, tools: Sequence[dict[str, Any]], choose: Choose) -> Choose:
        """Bind answers to one call of these tools, as JSON with `name` and `arguments`."""
        calls = [
            {
                "type": "object",
                "properties": {
                    "name": {"const": tool["function"]["name"]},
                    "arguments": tool["function"].get("parameters", _NOTHING),
                },
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
            for tool in tools
        ]
        return self.json(calls[0] if len(calls) == 1 else {"anyOf": calls}, choose)

    def text_with_calls(self, tools: Sequence[dict[str, Any]], choose: Choose) -> Choose:
        """Leave text free, but bind what follows `<tool_call>` to a call of these tools."""
        tags = [
            {
                "type": "tag",
                "begin": f'{CALL}\n{{"name": {json.dumps(tool["function"]["name"])}, "arguments": ',
                "content": {"type": "json_schema", "json_schema": tool["function"].get("parameters", _NOTHING)},
                "end": "}\n</tool_call>",
            }
            for tool in tools
        ]
        form = {"type": "triggered_tags", "triggers": [CALL], "tags": tags, "stop_after_first": True}
        return self._bound(
            choose, lambda: self._compiler.compile_structural_tag({"type": "structural_tag", "format": form})
        )

    def _bound(self, choose: Choose, compile_form: Callable[[], Any]) -> Choose:
        """Let a function choose only among tokens that continue the form."""
        import xgrammar

        try:
            matcher = xgrammar.GrammarMatcher(compile_form())
        except (ValueError, RuntimeError) as error:
            raise ModelError(
                f"an answer cannot be bound to this form: {str(error).splitlines()[0]}.", expected="a JSON schema"
            ) from error
        mask = xgrammar.allocate_token_bitmask(1, self._runtime.vocab_size)

        def choose_bound(logits: np.ndarray) -> int:
            if matcher.fill_next_token_bitmask(mask):
                allowed = np.unpackbits(mask.numpy().view(np.uint8), bitorder="little")[: len(logits)]
                logits[allowed == 0] = -np.inf
            token = choose(logits)
            matcher.accept_token(token)
            return token

        return choose_bound


Choose = Callable[[np.ndarray], int]
"""Takes the logits (vocabulary,), which it may change, and returns a token."""
