"""YAML format of workflows; mistakes are reported with their line and field.

    name: note a weight
    parameters: {weight: in kg, as it is typed}
    start: https://ehr.example.org/app/
    policy: {name: weights, urls: [{host: ehr.example.org}], identity: none, verbs: {sign: approve}}
    steps:
      - name: write the weight
        find: the "Weight" field
        do: type
        text: ${weight}
      - name: save
        find: click "Save"
        do: click
        expect: {words: Saved}
        effect: {kind: http, url: "https://ehr.example.org/api/weight", equals: "${weight}"}

`${weight}` is replaced by a value of the run; it is inserted into parsed texts, never into YAML.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tools.errors import ConfigError
from tools.gui.actuators.chromium import MOST_PX
from tools.gui.actuators.verify import Effect, Expect, NodeState
from tools.gui.guard.policy import Policy, Region, policy_fields
from tools.gui.keys import keys_of, unknown_key
from tools.gui.types import Action, Click, Point, PressKey, Read, Scroll, TypeText, WaitFor
from tools.gui.yaml_fields import field_problem, read_text, read_yaml

Do = Literal["click", "double_click", "right_click", "type", "press", "scroll", "wait", "read"]
AIMED = ("click", "double_click", "right_click", "type", "scroll")
"""Actions that need a target."""
HARMLESS = ("wait", "read", "scroll")
"""Actions that may always be repeated."""
SUFFIXES = (".yaml", ".yml")
"""File name suffixes of workflows; other words are requests."""
Side = Annotated[int, Field(ge=1, le=MOST_PX)]
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Recorded(_Part):
    """A target as it was recorded.

    Attributes:
        words: its label.
        role: its kind, as in `tools.gui.grounding.items.Item`; "" is any.
        place: its bounds, in fractions of the screen; distinguishes similar targets.
        icon: its pixels, a PNG in base64, for targets without words.
    """

    words: str = ""
    role: str = ""
    place: Region | None = None
    icon: str = ""

    @field_validator("icon")
    @classmethod
    def _is_a_picture(cls, icon: str) -> str:
        try:
            png = base64.b64decode(icon, validate=True)
        except binascii.Error as error:
            raise ValueError(f"it is not base64: {error}") from error
        if icon and not png.startswith(b"\x89PNG"):
            raise ValueError("it is not a PNG")
        return icon

    @model_validator(mode="after")
    def _says_something(self) -> Recorded:
        if not self.words and not self.icon:
            raise ValueError("name at least one of 'words' and 'icon'")
        return self


class Step(_Part):
    """One action and its expected effect.

    Attributes:
        name: for people and records.
        find: an instruction that names the target; used if nothing was recorded, and to repair a missing target.
        target: the recorded target.
        do: the action.
        text: text to type, or to wait for.
        keys: keys to press, such as `ctrl+s`.
        notches: of the wheel; positive ones scroll down.
        gone: `wait` waits until the text is no longer shown.
        requires: words that the screen has to show before the action, such as the patient's name.
        expect: what the screen shows afterwards.
        effect: the external effect.
        repeatable: whether performing it twice does no harm, as for steps that only navigate.
        patient: whether a patient's record is open. A step without one runs before the identity check is possible, if
            its label is one of the policy's `search_labels`; it is refused if its label names a verb, such as "delete".
        timeout_s: maximum time for its target to appear, and for its effect.
    """

    name: str = Field(min_length=1)
    find: str = ""
    target: Recorded | None = None
    do: Do
    text: str = ""
    keys: str = ""
    notches: int = Field(default=3, ge=-100, le=100)
    gone: bool = False
    requires: tuple[str, ...] = ()
    expect: Expect | None = None
    effect: Effect | None = None
    repeatable: bool = False
    patient: bool = True
    timeout_s: float = Field(default=10.0, gt=0, le=300)

    @model_validator(mode="after")
    def _fits_together(self) -> Step:
        if self.do in AIMED and not self.find and self.target is None:
            raise ValueError(f"'{self.do}' needs a target: 'find' or 'target'")
        if self.do == "press" and not self.keys:
            raise ValueError("'press' needs 'keys', such as ctrl+s")
        # Keys that are a value of the run are checked once it is known.
        if self.do == "press" and not _PLACEHOLDER.search(self.keys) and (problem := unknown_key(self.keys)):
            raise ValueError(problem)
        if self.do == "wait" and not self.text:
            raise ValueError("'wait' needs 'text', the words to wait for")
        return self

    @property
    def may_repeat(self) -> bool:
        """Whether it may be repeated on resuming, without knowing whether it was performed."""
        return self.repeatable or self.do in HARMLESS

    def action(self, point: Point | None) -> Action:
        """Return the action, at a point for those that need one."""
        if self.do == "press":
            return PressKey(keys=keys_of(self.keys))
        if self.do == "wait":
            return WaitFor(words=self.text, gone=self.gone, seconds=self.timeout_s)
        if point is None:
            return Read()
        if self.do == "type":
            return TypeText(point=point, text=self.text)
        if self.do == "scroll":
            return Scroll(point=point, notches=self.notches)
        if self.do == "read":
            return Read()
        return Click(
            point=point,
            button="right" if self.do == "right_click" else "left",
            count=2 if self.do == "double_click" else 1,
        )


class Workflow(_Part):
    """Steps for one program, and their policy.

    Attributes:
        name: for people and records.
        description: its purpose.
        parameters: names of the values that a run needs, with descriptions.
        start: the page to open first, for browsers; "" continues from the current page.
        page_px: width and height that the page needs, in CSS pixels; it is zoomed out to fit a smaller window.
        policy: what is allowed; see `tools.gui.guard.policy`.
        steps: in order.
    """

    name: str = Field(min_length=1)
    description: str = ""
    parameters: dict[str, str] = {}
    start: str = ""
    page_px: tuple[Side, Side] | None = None
    policy: Policy
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_closed(self) -> Workflow:
        used = set(_PLACEHOLDER.findall(json.dumps(self.model_dump(mode="json"))))
        if unknown := sorted(used - set(self.parameters)):
            raise ValueError(f"${{{unknown[0]}}} is used but not listed under 'parameters'")
        return self

    @property
    def sha256(self) -> str:
        """Hash of the workflow with its values."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def bind(self, values: Mapping[str, str]) -> Workflow:
        """Return the workflow with the values of a run in place of their names.

        Raises:
            ConfigError: if one is missing, empty or unknown.
        """
        missing = [name for name in self.parameters if not values.get(name)]
        foreign = [name for name in values if name not in self.parameters]
        if missing or foreign:
            wanted = "; ".join(f"{name} ({description})" for name, description in self.parameters.items()) or "none"
            what = f"lacks a value for {missing[0]!r}" if missing else f"has no parameter {foreign[0]!r}"
            raise ConfigError(f"cannot run the workflow {self.name!r}: it {what}.", expected=f"these values: {wanted}")
        raw = self.model_dump(mode="json", exclude={"parameters"})
        for step in raw["steps"]:
            # What was recorded with one value may be another's.
            if step.get("target") and not _names_in(step["find"]) <= _names_in(step["target"]["words"]):
                step["target"] = None
        try:
            return Workflow.model_validate(_put(raw, values))
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise ConfigError(f"invalid value for {place} of {self.name!r}: {problem['msg']}.") from error


def load_workflow(path: Path) -> Workflow:
    """Read a workflow. Raises ConfigError with file, line and field."""
    return parse_workflow(read_text(path, "workflow"), str(path))


def parse_workflow(text: str, name: str) -> Workflow:
    """Parse a workflow; `name` is the file's name in errors. Raises ConfigError with line and field."""
    values, lines = read_yaml(text, name)
    if not isinstance(values, dict):
        raise ConfigError(f"{name} has no fields.", expected="name, policy and steps")
    try:
        return Workflow.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        # Kinds of effects are parts of pydantic's place, but not of the file's.
        place = tuple(part for part in problem["loc"] if part not in ("http", "file", "sql"))
        raise ConfigError(field_problem(problem, place, lines, name, "the workflow", _fields)) from error


def write_workflow(workflow: Workflow) -> str:
    """Return a workflow as YAML, without default values."""
    raw = workflow.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(raw, sort_keys=False, allow_unicode=True, width=110)


def save_workflow(workflow: Workflow, path: Path, *, new: bool = False) -> None:
    """Write a workflow to a file that only its owner can read, since detectors miss some personal details.

    Args:
        workflow: what to write.
        path: the file.
        new: whether it must not exist yet; else it is replaced.

    Raises:
        ConfigError: if it cannot be written.
    """
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_EXCL if new else os.O_TRUNC), 0o600)
        with os.fdopen(number, "w", encoding="utf-8") as file:
            os.fchmod(number, 0o600)
            file.write(write_workflow(workflow))
    except OSError as error:
        raise ConfigError(f"cannot write the workflow {str(path)!r}: {error}.") from error


def _names_in(text: str) -> set[str]:
    return set(_PLACEHOLDER.findall(text))


def _put(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), value)
    if isinstance(value, list):
        return [_put(entry, values) for entry in value]
    if isinstance(value, dict):
        return {key: _put(entry, values) for key, entry in value.items()}
    return value


def _fields(place: tuple[Any, ...]) -> list[str]:
    if len(place) == 1:
        return list(Workflow.model_fields)
    if place[0] == "policy":
        return policy_fields(place[1:])
    parts: dict[tuple[Any, ...], type[BaseModel]] = {
        (): Step,
        ("target",): Recorded,
        ("target", "place"): Region,
        ("expect",): Expect,
        ("expect", "within"): Region,
        ("expect", "node"): NodeState,
    }
    part = parts.get(place[2:-1])
    return list(part.model_fields) if part else []
