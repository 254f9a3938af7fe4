"""Where the fields of a YAML file stand, so that a mistake in one is told with its line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from tools.errors import ConfigError

Place = tuple[Any, ...]


def field_lines(node: yaml.Node, name: str, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Where each field below a node stands, counted from 1.

    Args:
        node: as `yaml.compose` gives it.
        name: how errors call the file.
        place: of the node, from the root.

    Raises:
        ConfigError: if a field is given twice.
    """
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ConfigError(
                    f"{name}, line {line}: {key.value!r} is set again; it is in line {seen[key.value]} already.",
                    remedy="Keep one of them.",
                )
            seen[key.value] = line
            yield (*place, key.value), line
            yield from field_lines(value, name, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from field_lines(value, name, (*place, index))


def field_problem(
    problem: Any, place: Place, lines: Mapping[Place, int], name: str, whole: str, fields: Callable[[Place], list[str]]
) -> str:
    """What is wrong with a field, where it stands, and what it may be meant for.

    Args:
        problem: as pydantic tells it.
        place: of the field in the file; pydantic's may name more, such as which of several models was tried.
        lines: of every field.
        name: of the file.
        whole: what the file holds, for mistakes of no single field.
        fields: the names that are known at a place.
    """
    known = place
    while known and known not in lines:
        known = known[:-1]
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(place[-1]), fields(place), n=1)
        message = "there is no such field" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
    elif place and problem["type"] not in ("missing", "value_error"):
        message = f"{problem['input']!r}: {message}"
    field = ".".join(str(part) for part in place) or whole
    return f"{name}, line {lines.get(known, 1)}: {field}: {message}."
