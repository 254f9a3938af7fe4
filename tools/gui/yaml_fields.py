"""Reader of YAML files that reports mistakes with their line and field."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tools.errors import ConfigError

Place = tuple[Any, ...]
MAX_LEVELS = 50
"""Maximum nesting of lists and fields: nobody writes so many, and each level uses Python's stack."""
_LISTS = ("tuple_type", "list_type", "set_type", "frozen_set_type")
_PARTS = ("model_type", "model_attributes_type")
_UNREADABLE = (ValueError, LookupError, AttributeError, OverflowError, yaml.YAMLError)
"""Errors of PyYAML for a value that is invalid for its type, such as month 13."""


def read_text(path: Path, what: str) -> str:
    """Read a text file. Raises ConfigError, which names it by `what`: the policy, the workflow and so on."""
    problem = f"cannot read the {what} {str(path)!r}"
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{problem}: it does not exist.", remedy="Name an existing file.") from error
    except OSError as error:
        raise ConfigError(f"{problem}: {error.strerror}.", expected="a file in YAML") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{problem}: {error}.", expected="YAML in UTF-8") from error


def read_yaml(text: str, name: str) -> tuple[Any, dict[Place, int]]:
    """Parse a YAML text to its content and the line of every field.

    Args:
        text: one document.
        name: name of the file in errors.

    Raises:
        ConfigError: if it is not YAML, uses an alias, sets a field twice, or is nested too deeply.
    """
    try:
        _check_events(text, name)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return None, {}
        _check_values(node, name)
        return yaml.safe_load(text), dict(field_lines(node, name))
    except yaml.YAMLError as error:
        raise ConfigError(f"cannot read {name}: {error}.", expected="YAML") from error


def _check_events(text: str, name: str) -> None:
    level = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"{name}, line {event.start_mark.line + 1 if event.start_mark else 1}"
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{where}: aliases (*name) are not allowed.", remedy="Write its value out.")
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > MAX_LEVELS:
            raise ConfigError(f"{where}: more than {MAX_LEVELS} levels of nesting.")


def _check_values(node: yaml.Node, name: str, place: Place = ()) -> None:
    """Check that every single value is valid for its type, such as a date. Raises ConfigError."""
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
                f"{name}, line {node.start_mark.line + 1}: {field}{node.value[:80]!r} is not a valid {kind}.",
                remedy="Quote it if it is text.",
            ) from error


def field_lines(node: yaml.Node, name: str, place: Place = ()) -> Iterator[tuple[Place, int]]:
    """Yield each field below a node with its line, counted from 1.

    Args:
        node: as returned by `yaml.compose`.
        name: name of the file in errors.
        place: place of the node, from the root.

    Raises:
        ConfigError: if a field is set twice.
    """
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.value in seen:
                raise ConfigError(
                    f"{name}, line {line}: {key.value!r} is set again; it is already in line {seen[key.value]}.",
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
    """Describe a problem of a field, with its line and what was probably meant.

    Args:
        problem: pydantic's error.
        place: place of the field in the file; pydantic's may have more parts, such as which model was tried.
        lines: lines of all fields.
        name: name of the file.
        whole: name of the file's content, for problems of no single field.
        fields: returns the known names at a place.
    """
    known = place
    while known and known not in lines:
        known = known[:-1]
    message = _message(problem, place, fields)
    if problem["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(place[-1]), fields(place), n=1)
        message = "unknown field" + (f"; did you mean {nearest[0]!r}?" if nearest else "")
    elif place and problem["type"] not in ("missing", "value_error"):
        message = f"{problem['input']!r}: {message}"
    field = ".".join(str(part) for part in place) or whole
    end = "" if message.endswith("?") else "."
    return f"{name}, line {lines.get(known, 1)}: {field}: {message}{end}"


def _message(problem: Any, place: Place, fields: Callable[[Place], list[str]]) -> str:
    """Translate pydantic's message to terms of YAML."""
    if problem["type"] in _LISTS:
        return "Input should be a list"
    if problem["type"] == "dict_type":
        return "Input should be fields with values"
    if problem["type"] in _PARTS:
        names = ", ".join(fields((*place, "")))
        return f"Input should be fields with values{': ' if names else ''}{names}"
    return problem["msg"].removeprefix("Value error, ")
