"""What may be done on a screen: a YAML file, read into a frozen `Policy`; mistakes are named with their line.

    name: look up results
    urls:
      - host: ehr.example.org
        path: /app/*
    banner: {left: 0.0, top: 0.05, right: 1.0, bottom: 0.12}
    verbs: {sign: two_person, submit: approve}    # all others that are known are forbidden
    auto_labels: [Next, Search]                   # the only ones that mode `auto` does without asking

What is not named is not allowed. Regions are fractions of the screenshot, so that they hold at every resolution.
"""

from __future__ import annotations

import difflib
import fnmatch
import posixpath
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from tools.errors import ConfigError
from tools.gui.guard.effect_words import VERBS, affirms, find_verbs, fold
from tools.gui.keys import unknown_key
from tools.gui.types import Point, Rect, Screen
from tools.gui.yaml_fields import Place, field_problem, read_text, read_yaml

VerbRule = Literal["forbid", "two_person", "approve"]
FORBIDDEN_KEYS = (
    *("alt+f4", "alt+tab", "alt+f2", "ctrl+alt+t", "ctrl+alt+delete", "super", "win", "meta", "cmd", "command"),
    *("ctrl+l", "ctrl+t", "ctrl+n", "ctrl+o", "ctrl+w", "ctrl+shift+i", "ctrl+shift+j", "ctrl+shift+n", "f6", "f12"),
)
"""Keys that leave the program, open an address or show a console; our choice."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Region(_Part):
    """A part of every screenshot, in fractions of its width and height."""

    left: float = Field(default=0.0, ge=0, le=1)
    top: float = Field(default=0.0, ge=0, le=1)
    right: float = Field(default=1.0, ge=0, le=1)
    bottom: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="after")
    def _has_an_area(self) -> Region:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left must be less than right, and top less than bottom")
        return self

    def on(self, screen: Screen) -> Rect:
        """The region in pixels of a screenshot."""
        height, width = screen.rgb.shape[:2]
        return Rect(
            left=self.left * width, top=self.top * height, right=self.right * width, bottom=self.bottom * height
        )


class Edges(_Part):
    """A part of every screen in its own units (CSS pixels in a browser), for layouts that do not grow with a window."""

    left: float = Field(ge=0)
    top: float = Field(ge=0)
    right: float
    bottom: float

    @model_validator(mode="after")
    def _has_an_area(self) -> Edges:
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("left must be less than right, and top less than bottom")
        return self

    def on(self, screen: Screen) -> Rect:
        """The part in pixels of a screenshot."""
        scale = screen.view.scale
        return Rect(
            left=self.left * scale, top=self.top * scale, right=self.right * scale, bottom=self.bottom * scale
        ).overlap(screen.rect)


class Address(_Part):
    """Addresses of one host.

    Attributes:
        host: a name or number; `*.example.org` is every host below it.
        path: a pattern for the path, in which `*` stands for anything; `..` is resolved first.
        schemes: of http and https, those allowed.
        port: None is the scheme's own.
    """

    host: str = Field(min_length=1)
    path: str = "/*"
    schemes: tuple[Literal["http", "https"], ...] = ("https",)
    port: int | None = Field(default=None, ge=1, le=65_535)

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if host.count(":") == 1 or "[" in host:  # more colons are a number of IPv6, which an address has in brackets
            raise ValueError(f"{host!r} is not a host alone; leave brackets out, and name a port under 'port'")
        if "*" in host.removeprefix("*.") or "/" in host or "@" in host:
            raise ValueError(f"{host!r} is no host name; a star may only begin it, as in '*.example.org'")
        return _ascii_host(host)

    def allows(self, url: SplitResult) -> bool:
        """Whether a parsed address is one of these."""
        return not self.differences(url)

    def differences(self, url: SplitResult) -> list[str]:
        """Each part of a parsed address that keeps it from being one of these, with what is expected."""
        host = _ascii_host(url.hostname or "")
        usual = {"http": 80, "https": 443}.get(url.scheme)
        port, expected = url.port or usual, self.port or usual
        found = []
        if not (host.endswith(self.host[1:]) if self.host.startswith("*.") else host == self.host):
            found.append(f"host {host!r}, expected {self.host!r}")
        if url.scheme not in self.schemes:
            found.append(f"scheme {url.scheme}, expected {' or '.join(self.schemes)}")
        if port != expected:
            found.append(f"port {port}, expected {expected}")
        if not fnmatch.fnmatchcase(_plain_path(url.path), self.path):
            found.append(f"another path, expected {self.path!r}")
        return found


class Policy(_Part):
    """What may be done.

    Attributes:
        name: for records.
        windows: titles, in which `*` stands for anything; empty is every title, where `urls` decides.
        urls: addresses; where some are named, a page of another one is refused, and so is a screen without an address.
        regions: where actions may land.
        forbidden_regions: where they may not, even within `regions`.
        verbs: what happens to actions whose label or text names an effect: `forbid` in every mode, `two_person` (two
            people have to approve), or `approve` (one has to, in mode `auto` too). Known ones that are left out are
            forbidden.
        words: more words for a verb, or verbs of your own; a word that ends in `*` stands for all that begin so.
        auto_labels: labels that mode `auto` clicks, and fields it types into, without asking.
        search_labels: labels that lead to a patient's record and are clicked, typed into or scrolled before its banner
            can name the patient; one that ends in `*` stands for all that begin so. Labels that name an effect never
            count.
        auto_regions: where those labels count; best the program's own bars, since a document may hold any text.
        auto_keys: keys that it presses without asking, such as "tab" or "ctrl+f". Of those that press something, as
            Enter and space do, and letters in a dialog, it asks all the same where the tree does not tell what has the
            focus; if that is a button, it has to be listed as for a click.
        scroll_regions: where the wheel only scrolls, and may be turned without a tree that tells what is under it.
        forbidden_keys: keys that are never pressed.
        actions_per_minute: the most actions that reach the screen within 60 s.
        approval_s: seconds that an approval lives.
        approvers: the names of those who may approve; empty is everybody.
        identity: `required` compares the banner with the expected patient before every write; `none` is for programs
            that show no patient.
        banner: where the patient is named.
        banner_px: the same for a layout that does not grow with the window; one of the two.
    """

    name: str = Field(min_length=1)
    windows: tuple[str, ...] = ()
    urls: tuple[Address, ...] = ()
    regions: tuple[Region, ...] = (Region(),)
    forbidden_regions: tuple[Region, ...] = ()
    verbs: dict[str, VerbRule] = {}
    words: dict[str, tuple[str, ...]] = {}
    auto_labels: tuple[str, ...] = ()
    search_labels: tuple[str, ...] = ()
    auto_regions: tuple[Region, ...] = (Region(),)
    auto_keys: tuple[str, ...] = ()
    scroll_regions: tuple[Region, ...] = ()
    forbidden_keys: tuple[str, ...] = FORBIDDEN_KEYS
    actions_per_minute: int = Field(default=20, ge=1, le=600, description="our choice")
    approval_s: float = Field(default=60.0, gt=0, le=600, description="our choice")
    approvers: tuple[str, ...] = ()
    identity: Literal["required", "none"] = "required"
    banner: Region | None = None
    banner_px: Edges | None = None

    @field_validator("auto_keys", "forbidden_keys")
    @classmethod
    def _are_keys(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        for entry in entries:
            if problem := unknown_key(entry):
                raise ValueError(problem)
        return entries

    @model_validator(mode="after")
    def _holds_together(self) -> Policy:
        if not self.windows and not self.urls:
            raise ValueError("name at least one of 'windows' and 'urls'; nothing is allowed without")
        if self.banner and self.banner_px:
            raise ValueError("'banner' and 'banner_px' say the same; leave one of them out")
        if self.identity == "required" and not (self.banner or self.banner_px):
            raise ValueError("'banner' says where the patient is named; without one, set 'identity: none' knowingly")
        unknown = [verb for verb in self.verbs if verb not in VERBS and verb not in self.words]
        if unknown:
            nearest = difflib.get_close_matches(unknown[0], [*VERBS, *self.words], n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"the known ones are {', '.join(VERBS)}"
            raise ValueError(f"the verb {unknown[0]!r} has no words; add some under 'words', or {hint}")
        for verb, entries in self.words.items():
            short = [entry for entry in entries if len(fold(entry.rstrip("*"))) < 2]
            if short:
                raise ValueError(f"the word {short[0]!r} of {verb!r} is too short to be looked for")
        for label in self.search_labels:
            if len(fold(label.rstrip("*"))) < 2:
                raise ValueError(f"the label {label!r} of 'search_labels' says too little")
            if affirms(label) or find_verbs(label, self.all_words):
                raise ValueError(f"the label {label!r} names an effect, so that 'search_labels' may not hold it")
        if "two_person" in self.verbs.values() and len({fold(name) for name in self.approvers}) == 1:
            raise ValueError("'two_person' needs two different names in 'approvers', or none for everybody")
        return self

    @property
    def all_words(self) -> dict[str, tuple[str, ...]]:
        """Every verb with its words, the known ones and those of this policy."""
        return {verb: (*VERBS.get(verb, ()), *self.words.get(verb, ())) for verb in {**VERBS, **self.words}}

    def rule_for(self, verb: str) -> VerbRule:
        """What happens to actions that name a verb."""
        return self.verbs.get(verb, "forbid")

    def banner_on(self, screen: Screen) -> Rect | None:
        """Where the patient is named on a screen, in pixels; None where no place is set."""
        place = self.banner or self.banner_px
        return place.on(screen) if place else None

    def may_touch(self, screen: Screen, point: Point) -> bool:
        """Whether an action may land on a point of a screen."""
        within = any(region.on(screen).holds(point) for region in self.regions)
        return within and not any(region.on(screen).holds(point) for region in self.forbidden_regions)


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        ConfigError: if it cannot be read, or names something unknown or out of range; file, line and field are named.
    """
    values, lines = read_yaml(read_text(path, "policy"), str(path))
    if not isinstance(values, dict):
        raise ConfigError(f"the policy {str(path)!r} holds {type(values).__name__}.", expected="fields with values")
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            field_problem(problem, problem["loc"], lines, str(path), "the policy", policy_fields)
        ) from error


def parse_url(url: str) -> SplitResult | str:
    """Parse an address strictly; a text says why it is refused.

    Only http and https are let through, never `data:`, `blob:`, `file:` or `javascript:`; names and passwords, back
    slashes and control characters are refused, since programs disagree on what they mean.
    """
    if any(ord(mark) <= 32 or ord(mark) == 127 or mark == "\\" for mark in url):
        return "it holds a space, a control character or a back slash"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in {"http", "https"}:
        return f"its scheme {parts.scheme!r} is not http or https"
    if parts.username is not None or parts.password is not None or not parts.hostname or port == 0:
        return "it holds a user name or lacks a host"
    return parts


def _ascii_host(host: str) -> str:
    """A host in lower case and, where its letters are not Latin, in the form that is looked up."""
    lowered = host.rstrip(".").lower()
    if lowered.isascii():
        return lowered
    try:
        return lowered.encode("idna").decode()
    except UnicodeError:
        return lowered


def _plain_path(path: str) -> str:
    decoded = unquote(path or "/")
    plain = posixpath.normpath("/" + decoded.lstrip("/"))
    return plain + "/" if decoded.endswith("/") and plain != "/" else plain


def policy_fields(place: Place) -> list[str]:
    """The names of the fields beside a place in a policy file."""
    if "urls" in place:
        return list(Address.model_fields)
    if place[0] == "banner_px":
        return list(Edges.model_fields)
    return list((Region if len(place) > 1 else Policy).model_fields)
