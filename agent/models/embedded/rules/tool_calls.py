"""When the embedded model calls a tool, and with which arguments; the arguments meet the tool's schema in any case."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from typing import Any

from langchain_core.messages import ToolCallChunk

from agent.models.embedded.model import Mind
from agent.models.embedded.networks.language import turn
from agent.models.embedded.request import Request
from agent.models.embedded.rules import temporal
from agent.models.embedded.rules.evidence import SHOWS, Fact
from agent.models.embedded.rules.question import Question, asks_for_all_words, side_of
from tools.ask_user import STAYS
from tools.media.clock import format_clock
from tools.recall import TELLS

MAX_ARGUMENT_TOKENS = 160
Known = dict[str, Any]
_ASKED = frozenset({"query", "question", "request", "message", "text", "prompt"})
"""Arguments that take the user's own words."""
_WHO_OR_WHY = re.compile(r"\b(who|whom|whose|why)\b", re.IGNORECASE)
# What is asked of a person for each defect: a kind of `ask_user`, and the words.
_HELP = {
    "covered": ("move_occluder", "Something covers the view. Could you take it away?"),
    "too dark": ("better_light", "It is too dark for me to see. Could you turn on a light?"),
    "overexposed": ("better_light", "The picture is burnt out. Could you reduce the light?"),
    "blurry": ("clearer_image", "The picture is blurry. Could you hold the camera still and in focus?"),
    "noisy": ("clearer_image", "The picture is very noisy. Could you show it again, with more light?"),
}


def wanted_call(
    mind: Mind,
    question: Question,
    request: Request,
    facts: Sequence[Fact],
    tools: Sequence[dict[str, Any]],
    choice: str,
) -> tuple[dict[str, Any], Known] | None:
    """Return the tool to call with the arguments that are known, or None to answer.

    Left to itself the model calls one tool a question: it reads words that are asked for, asks the person when what it
    is asked about cannot be seen, and searches its memory for what the frames do not show. After a result it answers.
    """
    named = {tool["function"]["name"]: tool["function"] for tool in tools}
    if not named or choice == "none":
        return None
    # What is over, and what is recorded, nobody can show better.
    helps = not question.past and STAYS not in named.get("ask_user", {}).get("description", "")
    proposed = _proposal(mind, question, request, facts, helps)
    if choice == "auto":
        if request.results or proposed is None or not _fits(named.get(proposed[0]), proposed[1]):
            return None
        return named[proposed[0]], proposed[1]
    name = choice if choice in named else proposed[0] if proposed and proposed[0] in named else next(iter(named))
    if proposed and proposed[0] == name and _fits(named[name], proposed[1]):
        return named[name], proposed[1]
    properties = named[name].get("parameters", {}).get("properties", {})
    asked = {key: request.question for key in properties if key in _ASKED and _takes(properties[key], request.question)}
    return named[name], asked


def told_call(
    question: Question, request: Request, tools: Sequence[dict[str, Any]], choice: str
) -> tuple[dict[str, Any], Known] | None:
    """Return a call of `recall` with the whole question, where what is told in the video may answer it; else None."""
    recall: dict[str, Any] = next((tool["function"] for tool in tools if tool["function"]["name"] == "recall"), {})
    known = {"query": request.question[:300]}
    times_s = [question.span.start_s, question.span.end_s] if question.span else question.times_s
    if times_s:
        known |= {"start": format_clock(min(times_s)), "end": format_clock(max(times_s))}
    if choice != "auto" or request.results or TELLS not in recall.get("description", "") or not _fits(recall, known):
        return None
    if question.kind == "talk" or question.about_model or question.present or question.unwatched:
        return None
    return recall, known


def rarely_seen(question: Question) -> bool:
    """Whether it is asked who does something, or why: what is told is asked before what is seen."""
    return _WHO_OR_WHY.search(question.text) is not None


def call(mind: Mind, request: Request, tool: dict[str, Any], known: Known) -> ToolCallChunk:
    """Write the call: known arguments as they are, missing required ones by decoding under the tool's schema."""
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    missing = [name for name in schema.get("required", []) if name not in known]
    args = json.dumps(known)
    if missing:
        needed = {
            **schema,
            "properties": {name: schema["properties"][name] for name in missing},
            "required": missing,
            "additionalProperties": False,
        }
        text = f"{tool['name']}: {tool.get('description', '')}\nUser: {request.question}"
        prompt = [*turn("user", text), *turn("assistant")]
        written = "".join(
            mind.language.generate(prompt, pictures=False, max_tokens=MAX_ARGUMENT_TOKENS, schema=_bounded(needed))
        )
        args = json.dumps({**json.loads(written), **known})
    return ToolCallChunk(name=tool["name"], args=args, id=f"call_{uuid.uuid4().hex[:12]}", index=0)


def _proposal(
    mind: Mind, question: Question, request: Request, facts: Sequence[Fact], helps: bool
) -> tuple[str, Known] | None:
    if question.unwatched:
        return None
    newest = facts[-1] if facts else None
    if newest is None:
        named = (question.span.start_s, question.span.end_s) if question.span else question.times_s
        if request.frames and named:
            return "look", {"start": format_clock(named[0]), "end": format_clock(named[-1])}
        return ("recall", {"query": request.question[:300]}) if question.earlier else None
    if question.kind == "talk" or (question.unseen and question.kind != "words"):
        return None
    problem = newest.problem
    answered = question.kind in ("quality", "change") or (question.kind in ("when", "order") and len(facts) > 1)
    sees_elsewhere = not question.present and any(fact.usable for fact in facts)
    if helps and problem and not answered and not question.shapes and not sees_elsewhere:
        kind, words = _HELP[problem]
        return "ask_user", {"kind": kind, "request": words}
    if (
        question.phrase
        and question.past
        and question.kind in ("when", "exists", "times")
        and not (question.side or question.span)
    ):
        # A moment that is not among the frames, or not clear enough there, may have been noted.
        return None if temporal.written(mind, question.phrase, facts) else ("recall", {"query": question.phrase[:300]})
    whole = question.span or question.side or side_of(question.text) or asks_for_all_words(question)
    if question.kind == "words" and whole:
        return None  # these it reads by itself, in as many frames as it takes
    if question.kind == "words":
        return "read_text", {} if newest.frame.t_s is None else {"at": format_clock(newest.frame.t_s)}
    if question.kind in ("when", "exists") and (question.targets or question.earlier) and not question.present:
        shown = any(fact.shows(target) >= SHOWS for fact in facts for target in question.targets)
        if not shown and (question.kind == "when" or question.earlier):
            return "recall", {"query": (" ".join(question.targets) or request.question)[:300]}
    return None


def _takes(schema: Known, text: str) -> bool:
    """Whether an argument is a free text that may hold this one."""
    free = schema.get("type") == "string" and not {"enum", "const", "pattern", "format"} & set(schema)
    return free and schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))


def _fits(tool: dict[str, Any] | None, known: Known) -> bool:
    """Whether a tool of that name takes these arguments; another program's tool may share the name."""
    schema = (tool or {}).get("parameters", {})
    properties = schema.get("properties", {})
    return tool is not None and set(known) <= set(properties) and set(schema.get("required", [])) <= set(known)


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    """Bound free texts and lists, so that the call ends within its tokens."""
    bounded: dict[str, Any] = {}
    for key, value in schema.items():
        if isinstance(value, dict):
            bounded[key] = _bounded(value)
        elif isinstance(value, list):
            bounded[key] = [_bounded(entry) if isinstance(entry, dict) else entry for entry in value]
        else:
            bounded[key] = value
    if _takes(bounded, "x" * int(bounded.get("minLength", 0))):
        bounded["maxLength"] = max(int(bounded.get("minLength", 0)), min(int(bounded.get("maxLength", 80)), 80))
    if bounded.get("type") == "array":
        bounded["maxItems"] = min(int(bounded.get("maxItems", 3)), max(3, int(bounded.get("minItems", 0))))
    return bounded
