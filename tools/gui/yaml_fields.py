"""Reads YAML files whose mistakes are told with their line and field."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.errors import ConfigError

Place = tuple[Any, ...]
MOST_LEVELS = 50
"""Levels of lists and fields within each other; our choice: nobody writes so many, and reading takes Python's stack."""
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
_PARTS = ("model_type", "model_attributes_type")
_UNREADABLE = (ValueError, LookupError, AttributeError, OverflowError, yaml.YAMLError)
"""What PyYAML raises for a value that is none of its kind, such as a month 13."""


def read_text(path: Path, what: str) -> str:
    """The text of a file. Raises ConfigError, which calls it the policy, the workflow or whatever it is."""
    told = f"the {what} {str(path)!r} cannot be read"
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{told}: there is no such file.", remedy="Name one that is there.") from error
    except OSError as error:
        raise ConfigError(f"{told}: {error.strerror}.", expected="a file in YAML") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{told}: {error}.", expected="YAML in UTF-8") from error


def read_yaml(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    """What a YAML text holds, and the line of every field.

    Args:
        text: one document.
        name: how errors call the file.

    Raises:
        ConfigError: if it is no YAML, uses an alias, gives a field twice, or is nested too deeply.
    """
    try:
        _check_events(text, name)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, {}
        _check_values(node, name)
        return yaml.safe_load(text), dict(field_lines(node, name))
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} cannot be read: {error}.", expected="YAML") from error


def _check_events(text: str, name: str) -> None:
    level = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"{name}, line {event.start_mark.line + 1 if event.start_mark else 1}"
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{where}: there is an alias (*name).", remedy="Write its value out.")
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > MOST_LEVELS:
            raise ConfigError(f"{where}: more than {MOST_LEVELS} lists or fields lie within each other.")


def _check_values(node: yaml.Node, name: str, place: Place = ()) -> None:
    """Check that every single value is one of its kind, such as a date. Raises ConfigError."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            _check_values(key, name, place)
            _check_values(value, name, (*place, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _check_values(value, name, (*place, index))
    else:
        try:
            yaml.constructor.SafeConstructor().construct_object(node)
        except _UNREADABLE as error:
            kind = node.tag.rpartition(":")[2].replace("timestamp", "date")
            field = f"{'.'.join(map(str, place))}: " if place else ""
            raise ConfigError(
                f"{name}, line {node.start_mark.line + 1}: {field}{node.value[:80]!r} is no {kind}.",
                remedy="Put it in quotes if it is a text.",
            ) from error


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
    message = _message(problem, place, fields)
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(place[-1]), fields(place), n=1)
        message = "there is no such field" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
    elif place and problem["type"] not in ("missing", "value_error"):
        message = f"{problem['input']!r}: {message}"
    field = ".".join(str(part) for part in place) or whole
    end = "" if message.endswith("?") else "."
    return f"{name}, line {lines.get(known, 1)}: {field}: {message}{end}"


def _message(problem: Any, place: Place, fields: Callable[[Place], list[str]]) -> str:
    """What pydantic says, in words of YAML."""
    if problem["type"] in _LISTS:
        return "Input should be a list"
    if problem["type"] == "dict_type":
        return "Input should be fields with values"
    if problem["type"] in _PARTS:
        names = ", ".join(fields((*place, "")))
        return f"Input should be fields with values{': ' if names else ''}{names}"
    return problem["msg"].removeprefix("Value error, ")
