"""Verification of effects, on the screen and outside of it. A click is not evidence that anything happened.

A screen is evidence only of what it shows: a banner may say "saved" where nothing was. If a workflow names an external
check (a URL, a file, a database), only that check can verify, and the screen can only object.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tools.errors import MediaError
from tools.gui.actuators.common import Interrupted
from tools.gui.actuators.screen_text import shows
from tools.gui.grounding.label_match import normal
from tools.gui.guard.kill_switch import KillSwitch
from tools.gui.guard.policy import Region, parse_url
from tools.gui.types import Actuator, Rect, Screen
from tools.loopback import is_local
from tools.sqlite import connect

POLL_S = 0.25
"""Seconds between two looks at an effect that is not there yet."""
MIN_LOOKS = 3
"""Minimum number of looks, however long each takes on a busy machine."""
HTTP_TIMEOUT_S = 10.0
MAX_BYTES = 4_000_000
"""Maximum size of an answer that is read."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NodeState(_Part):
    """A node of the accessibility tree, by its role and name, and its expected state.

    Attributes:
        role: ARIA role; "" is any.
        name: accessible name, compared without case and outer punctuation.
        value: expected value; None is any.
        states: states it must have, such as `checked`.
        lacks: states it must not have.
    """

    role: str = ""
    name: str = ""
    value: str | None = None
    states: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()

    def holds(self, screen: Screen) -> bool | None:
        """Return whether a screen has such a node; None if there is no tree."""
        if screen.nodes is None:
            return None
        return any(
            (not self.role or node.role == self.role)
            and (not self.name or normal(node.name) == normal(self.name))
            and (self.value is None or node.value == self.value)
            and self.states <= node.states
            and not self.lacks & node.states
            for node in screen.nodes
        )


class Expect(_Part):
    """What the screen shows after the effect; every named part has to be true.

    Attributes:
        words: words that are shown.
        gone: words that are no longer shown.
        within: the part of the screen for both; None is all of it.
        node: a node of the accessibility tree.
        changed: whether the pixels within changed; by itself it can object, but not verify.
    """

    words: str = ""
    gone: str = ""
    within: Region | None = None
    node: NodeState | None = None
    changed: bool | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Expect:
        if not (self.words or self.gone or self.node or self.changed is not None):
            raise ValueError("name at least one of 'words', 'gone', 'node' and 'changed'")
        return self

    def holds(self, before: Screen, after: Screen) -> tuple[bool | None, str]:
        """Return whether it is true (None if unknown) and why not. Raises ToolFailed if OCR is missing."""
        where = self.within.on(after) if self.within else None
        if self.words and not shows(after, self.words, where):
            return False, f"{self.words!r} is not shown"
        if self.gone and shows(after, self.gone, where):
            return False, f"{self.gone!r} is still shown"
        if self.changed is not None and _changed(before, after, where) != self.changed:
            return False, "nothing changed on the screen" if self.changed else "the screen changed"
        if self.node is not None and not (there := self.node.holds(after)):
            described = " ".join(part for part in (self.node.role, repr(self.node.name)) if part)
            return there, f"cannot find {described} in the expected state" if there is False else ""
        return (True if self.words or self.gone or self.node else None), ""

    def held(self, before: Screen) -> bool:
        """Return whether a screen shows all of it before the action, so that it proves nothing afterwards."""
        return bool(self.model_copy(update={"changed": None}).holds(before, before)[0])

    @property
    def is_seen(self) -> bool:
        """Whether something has to appear; words that are only gone are also gone from any other screen."""
        return bool(self.words or self.node)


class HttpEffect(_Part):
    """The answer to a GET request: a resource of a REST, FHIR or DICOMweb server.

    Attributes:
        url: http or https; redirects are not followed.
        status: expected status, such as 404 for something that was deleted.
        at: path of a value in the JSON answer, such as `MainDicomTags.PatientID` or `entry.0.id`; "" is all of it, as
            text.
        equals: the expected value, as text; `true` and `false` as in JSON.
        contains: words within it.
        count: expected length of the list.
    """

    kind: Literal["http"] = "http"
    url: str
    status: int = Field(default=200, ge=100, le=599)
    at: str = ""
    equals: str | None = None
    contains: str = ""
    count: int | None = Field(default=None, ge=0)

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        if "${" not in url and isinstance(problem := parse_url(url), str):
            raise ValueError(f"{problem}; expected an http or https address")
        return url

    def holds(self) -> tuple[bool | None, str]:
        """Return whether it is true (None if the server cannot be asked) and why not."""
        import httpx

        try:
            # A proxy set for the web must not receive requests to this machine, which may contain a patient's name.
            answer = httpx.get(
                self.url, timeout=HTTP_TIMEOUT_S, follow_redirects=False, trust_env=not is_local(self.url)
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, f"cannot request {self.url!r}: {type(error).__name__}: {error}"
        if answer.status_code != self.status:
            # An error of the server says nothing about the effect.
            known = None if answer.status_code >= 500 else False
            return known, f"GET {self.url} answers {answer.status_code}, not {self.status}"
        if self.equals is None and not self.contains and self.count is None:
            return True, ""
        if len(answer.content) > MAX_BYTES:
            return None, f"cannot use the answer of {self.url!r}: longer than {MAX_BYTES} bytes"
        if not self.at and self.count is None:
            return self._compare(answer.text)
        try:
            return self._compare(_at(answer.json(), self.at))
        except ValueError:
            return None, f"cannot parse the answer of {self.url!r} as JSON"

    def _compare(self, value: Any) -> tuple[bool | None, str]:
        where = f"{self.at or 'the answer'!r} of {self.url}"
        if value is None:
            return False, f"cannot find {where}"
        if self.count is not None:
            length = len(value) if isinstance(value, list) else -1
            return length == self.count, "" if length == self.count else f"{where} does not have {self.count} entries"
        found = json.dumps(value) if isinstance(value, bool) else str(value)
        meant = self.equals.casefold() if self.equals is not None and isinstance(value, bool) else self.equals
        if meant is not None and found != meant:
            return False, f"{where} is not the expected value"
        if self.contains and self.contains not in found:
            return False, f"{where} does not contain the expected words"
        return True, ""


class FileEffect(_Part):
    """A file that exists, such as a download.

    Attributes:
        folder: its folder.
        pattern: its name, where `*` matches anything.
        least_bytes: minimum size.
    """

    kind: Literal["file"] = "file"
    folder: str
    pattern: str
    least_bytes: int = Field(default=1, ge=0)

    def holds(self) -> tuple[bool | None, str]:
        """Return whether it exists, and why not."""
        try:
            found = [path for path in Path(self.folder).glob(self.pattern) if path.is_file()]
            large = [path for path in found if path.stat().st_size >= self.least_bytes]
        except (OSError, ValueError) as error:
            return None, f"cannot read the folder {self.folder!r}: {error}"
        return bool(large), "" if large else f"no file {self.pattern!r} of {self.least_bytes} bytes in {self.folder!r}"


class SqlEffect(_Part):
    """What a query of a SQLite file gives; the file is opened for reading only.

    Attributes:
        database: the file.
        query: one SELECT.
        values: for its question marks.
        equals: the first value of the first row, as text; None is no row at all.
    """

    kind: Literal["sql"] = "sql"
    database: str
    query: str
    values: tuple[str, ...] = ()
    equals: str | None

    def holds(self) -> tuple[bool | None, str]:
        """Whether it does, None where the file cannot be read, and why not."""
        try:
            with closing(connect(self.database, read_only=True)) as connection:
                row = connection.execute(self.query, self.values).fetchone()
        except sqlite3.Error as error:
            return None, f"the database {self.database!r} cannot be read: {error}"
        found = None if row is None else str(row[0])
        return found == self.equals, "" if found == self.equals else "the query does not give what is expected"


Effect = Annotated[HttpEffect | FileEffect | SqlEffect, Field(discriminator="kind")]


@dataclass
class Check:
    """A check of one action's effect, passed to `guarded` as `verify`; `reason` says what failed.

    Attributes:
        actuator: takes new screenshots while the effect is not there yet.
        before: the screen on which the action was planned.
        expect: what the screen shows; None is nothing.
        effect: the external effect; None is nothing.
        seconds: time the effect may take.
        stop: the kill switch.
        acts: whether the step acts; otherwise the check is of what was already there.
    """

    actuator: Actuator
    before: Screen
    expect: Expect | None
    effect: HttpEffect | FileEffect | SqlEffect | None
    seconds: float
    stop: KillSwitch
    acts: bool = True
    reason: str = ""

    def __call__(self, after: Screen) -> bool | None:
        """Return whether the effect is there; None if that cannot be determined.

        Raises:
            Stopped: if the kill switch is set.
            Interrupted: if a page showed a dialog, or a download failed, meanwhile.
        """
        screen, ends, looks = after, time.monotonic() + self.seconds, 0
        while True:
            verdict, looks = self._look(screen), looks + 1
            if verdict is not False or (time.monotonic() > ends and looks >= MIN_LOOKS):
                return verdict
            self.stop.pause(POLL_S)
            try:
                screen = self.actuator.screen()
            except Interrupted:
                raise
            except MediaError as error:
                self.reason = str(error)
                return None

    def _look(self, screen: Screen) -> bool | None:
        shown, self.reason = self.expect.holds(self.before, screen) if self.expect else (None, "")
        if shown and self.acts and self.expect and self.expect.held(self.before):
            shown, self.reason = None, "the expected state was already shown before"
        if shown is False or self.effect is None:
            return shown
        there, self.reason = self.effect.holds()
        return there


def _changed(before: Screen, after: Screen, where: Rect | None) -> bool:
    one, other = (screen.crop(where) if where else screen.rgb for screen in (before, after))
    return one.shape != other.shape or not np.array_equal(one, other)


def _at(value: Any, place: str) -> Any:
    for part in place.split(".") if place else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
