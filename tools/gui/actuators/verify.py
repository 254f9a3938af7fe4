"""Whether an action had its effect: on the screen, and outside of it. Nothing is taken as done because it was clicked.

What the screen shows is evidence only of what it shows: a banner may say "saved" where nothing was. Where a workflow
names a check outside (a web address, a file, a database), that check alone can verify, and the screen can only object.
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
"""Seconds between two looks at an effect that is not there yet; our choice."""
LEAST_LOOKS = 3
"""An effect is looked for so often, however long each look takes a busy machine; our choice."""
HTTP_TIMEOUT_S = 10.0
MOST_BYTES = 4_000_000
"""Of an answer that is looked into; our choice."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NodeState(_Part):
    """A node of the accessibility tree, by its role and name, and what it must be.

    Attributes:
        role: as ARIA names it; "" is any.
        name: its accessible name, compared without case and outer punctuation.
        value: what it holds; None is anything.
        states: that it has, such as `checked`.
        lacks: states that it does not have.
    """

    role: str = ""
    name: str = ""
    value: str | None = None
    states: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()

    def holds(self, screen: Screen) -> bool | None:
        """Whether a screen has such a node; None where there is no tree."""
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
    """What the screen shows once an action had its effect; all that is named has to hold.

    Attributes:
        words: are shown.
        gone: words that are no longer shown.
        within: the part of the screen for both; None is all of it.
        node: a node of the accessibility tree.
        changed: the pixels within changed, or did not; by itself it can object, and verifies nothing.
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
        """Whether it does, None where the screen cannot tell, and why not. Raises ToolFailed where OCR is missing."""
        where = self.within.on(after) if self.within else None
        if self.words and not shows(after, self.words, where):
            return False, f"{self.words!r} is not shown"
        if self.gone and shows(after, self.gone, where):
            return False, f"{self.gone!r} is still shown"
        if self.changed is not None and _changed(before, after, where) != self.changed:
            return False, "nothing changed on the screen" if self.changed else "the screen changed"
        if self.node is not None and not (there := self.node.holds(after)):
            told = " ".join(part for part in (self.node.role, repr(self.node.name)) if part)
            return there, f"there is no {told} in the state that is expected" if there is False else ""
        return (True if self.words or self.gone or self.node else None), ""

    def held(self, before: Screen) -> bool:
        """Whether a screen shows all of it before anything was done, so that it tells nothing afterwards."""
        return bool(self.model_copy(update={"changed": None}).holds(before, before)[0])

    @property
    def is_seen(self) -> bool:
        """Whether something has to be there; what is only gone is gone from any other screen, too."""
        return bool(self.words or self.node)


class HttpEffect(_Part):
    """What a GET answers: a resource of a REST, FHIR or DICOMweb server.

    Attributes:
        url: http or https; redirects are not followed.
        status: that the answer has, such as 404 for something that was deleted.
        at: the place of a value in the JSON answer, such as `MainDicomTags.PatientID` or `entry.0.id`; "" is all of it,
            as text.
        equals: what stands there, as text; `true` and `false` as JSON has them.
        contains: words within it.
        count: how many entries the list there has.
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
        """Whether it does, None where the server cannot be asked, and why not."""
        import httpx

        try:
            # A proxy set for the web must not catch what is meant for this machine, such as a patient's name.
            answer = httpx.get(
                self.url, timeout=HTTP_TIMEOUT_S, follow_redirects=False, trust_env=not is_local(self.url)
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return None, f"{self.url!r} cannot be asked: {type(error).__name__}: {error}"
        if answer.status_code != self.status:
            # A server that fails says nothing of the effect.
            known = None if answer.status_code >= 500 else False
            return known, f"GET {self.url} answers {answer.status_code}, not {self.status}"
        if self.equals is None and not self.contains and self.count is None:
            return True, ""
        if len(answer.content) > MOST_BYTES:
            return None, f"the answer of {self.url!r} is longer than {MOST_BYTES} bytes"
        if not self.at and self.count is None:
            return self._compare(answer.text)
        try:
            return self._compare(_at(answer.json(), self.at))
        except ValueError:
            return None, f"the answer of {self.url!r} is no JSON"

    def _compare(self, value: Any) -> tuple[bool | None, str]:
        where = f"{self.at or 'the answer'!r} of {self.url}"
        if value is None:
            return False, f"there is no {where}"
        if self.count is not None:
            length = len(value) if isinstance(value, list) else -1
            return length == self.count, "" if length == self.count else f"{where} has not {self.count} entries"
        told = json.dumps(value) if isinstance(value, bool) else str(value)
        meant = self.equals.casefold() if self.equals is not None and isinstance(value, bool) else self.equals
        if meant is not None and told != meant:
            return False, f"{where} is not what is expected"
        if self.contains and self.contains not in told:
            return False, f"{where} does not hold what is expected"
        return True, ""


class FileEffect(_Part):
    """A file that is there, such as a download.

    Attributes:
        folder: where to look.
        pattern: the name, in which `*` stands for anything.
        least_bytes: its least size.
    """

    kind: Literal["file"] = "file"
    folder: str
    pattern: str
    least_bytes: int = Field(default=1, ge=0)

    def holds(self) -> tuple[bool | None, str]:
        """Whether it does, and why not."""
        try:
            found = [path for path in Path(self.folder).glob(self.pattern) if path.is_file()]
            large = [path for path in found if path.stat().st_size >= self.least_bytes]
        except (OSError, ValueError) as error:
            return None, f"the folder {self.folder!r} cannot be read: {error}"
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
    """A check of one action's effect, to be given to `guarded` as `verify`; `reason` says what it objected to.

    Attributes:
        actuator: looks again while the effect is not there yet.
        before: the screen on which the action was planned.
        expect: what the screen shows; None is nothing.
        effect: what is true outside; None is nothing.
        seconds: how long the effect may take.
        stop: the kill switch.
        acts: whether something is done; else what was there before is what is looked for.
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
        """Whether the effect is there; None where nothing could tell.

        Raises:
            Stopped: if the kill switch is set.
            Interrupted: if a page asked something, or a download failed, meanwhile.
        """
        screen, ends, looks = after, time.monotonic() + self.seconds, 0
        while True:
            verdict, looks = self._look(screen), looks + 1
            if verdict is not False or (time.monotonic() > ends and looks >= LEAST_LOOKS):
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
            shown, self.reason = None, "what is expected was shown before, too"
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
