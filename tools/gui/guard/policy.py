"""Policy of a screen: a YAML file, read into a frozen `Policy`; mistakes are reported with their line.

    name: look up results
    urls:
      - host: ehr.example.org
        path: /app/*
    banner: {left: 0.0, top: 0.05, right: 1.0, bottom: 0.12}
    verbs: {sign: two_person, submit: approve}    # all other known verbs are forbidden
    auto_labels: [Next, Search]                   # the only ones that mode `auto` presses without asking

What is not named is not allowed. Regions are fractions of the screenshot, so that they fit every resolution.
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
"""Keys that leave the program, open an address or show a console."""


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
    """A part of every screen in its own units (CSS pixels in a browser), for layouts that do not scale."""

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
        path: a pattern for the path, where `*` matches anything; `..` is resolved first.
        schemes: the allowed ones of http and https.
        port: None is the scheme's own.
    """

    host: str = Field(min_length=1)
    path: str = "/*"
    schemes: tuple[Literal["http", "https"], ...] = ("https",)
    port: int | None = Field(default=None, ge=1, le=65_535)

    @field_validator("host")
    @classmethod
    def _is_a_host(cls, host: str) -> str:
        if host.count(":") == 1 or "[" in host:  # more colons are an IPv6 number, which an address has in brackets
            raise ValueError(f"invalid host {host!r}; leave out brackets, and name a port under 'port'")
        if "*" in host.removeprefix("*.") or "/" in host or "@" in host:
            raise ValueError(f"invalid host name {host!r}; a star is allowed only at its start, as in '*.example.org'")
        return _ascii_host(host)

    def allows(self, url: SplitResult) -> bool:
        """Return whether a parsed address is one of these."""
        return not self.differences(url)

    def differences(self, url: SplitResult) -> list[str]:
        """Return the parts of a parsed address that differ, each with its expected value."""
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
    """What is allowed on a screen.

    Attributes:
        name: for records.
        windows: titles, where `*` matches anything; empty is every title, if `urls` decides.
        urls: addresses; if some are named, pages of others are refused, and so are screens without an address.
        regions: where actions may land.
        forbidden_regions: where they may not, even within `regions`.
        verbs: what happens to actions whose label or text names an effect: `forbid` in every mode, `two_person` (two
            people have to approve), or `approve` (one has to, in mode `auto` too). Known ones that are left out are
            forbidden.
        words: more words for a verb, or new verbs; a word that ends in `*` matches all with that prefix.
        auto_labels: labels that mode `auto` clicks, and fields it types into, without asking.
        search_labels: labels that lead to a patient's record and are clicked, typed into or scrolled before its banner
            can name the patient; one that ends in `*` matches all with that prefix. Labels that name an effect never
            count.
        auto_regions: where those labels count; best the program's own bars, since a document may contain any text.
        auto_keys: keys that it presses without asking, such as "tab" or "ctrl+f". For keys that press something (Enter,
            space, letters in a dialog) it still asks if the tree does not show the focus; if the focus is on a
            button, the button has to be listed as for a click.
        scroll_regions: where the wheel only scrolls, and may be used without a tree that shows what is under it.
        forbidden_keys: keys that are never pressed.
        actions_per_minute: maximum number of actions on the screen within 60 s.
        approval_s: lifetime of an approval in seconds.
        approvers: names of those who may approve; empty is everybody.
        identity: `required` compares the banner with the expected patient before every write; `none` is for programs
            that show no patient.
        banner: region of the patient banner.
        banner_px: the same for a layout that does not scale with the window; only one of the two.
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
            raise ValueError("name at least one of 'windows' and 'urls'; without them nothing is allowed")
        if self.banner and self.banner_px:
            raise ValueError("'banner' and 'banner_px' are alternatives; leave out one of them")
        if self.identity == "required" and not (self.banner or self.banner_px):
            raise ValueError("'banner' is missing; name the patient's region, or set 'identity: none' deliberately")
        unknown = [verb for verb in self.verbs if verb not in VERBS and verb not in self.words]
        if unknown:
            nearest = difflib.get_close_matches(unknown[0], [*VERBS, *self.words], n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"the known ones are {', '.join(VERBS)}"
            raise ValueError(f"unknown verb {unknown[0]!r}: add some under 'words', or {hint}")
        for verb, entries in self.words.items():
            short = [entry for entry in entries if len(fold(entry.rstrip("*"))) < 2]
            if short:
                raise ValueError(f"the word {short[0]!r} of {verb!r} is too short")
        for label in self.search_labels:
            if len(fold(label.rstrip("*"))) < 2:
                raise ValueError(f"the label {label!r} of 'search_labels' is too unspecific")
            if affirms(label) or find_verbs(label, self.all_words):
                raise ValueError(f"the label {label!r} names an effect, so 'search_labels' may not contain it")
        if "two_person" in self.verbs.values() and len({fold(name) for name in self.approvers}) == 1:
            raise ValueError("'two_person' needs two different names in 'approvers', or none for everybody")
        return self

    @property
    def all_words(self) -> dict[str, tuple[str, ...]]:
        """Return every verb with its words, the known ones and those of this policy."""
        return {verb: (*VERBS.get(verb, ()), *self.words.get(verb, ())) for verb in {**VERBS, **self.words}}

    def rule_for(self, verb: str) -> VerbRule:
        """Return what happens to actions that name a verb."""
        return self.verbs.get(verb, "forbid")

    def banner_on(self, screen: Screen) -> Rect | None:
        """Return the region of the patient banner on a screen, in pixels; None if no region is set."""
        place = self.banner or self.banner_px
        return place.on(screen) if place else None

    def may_touch(self, screen: Screen, point: Point) -> bool:
        """Return whether an action may land on a point of a screen."""
        within = any(region.on(screen).holds(point) for region in self.regions)
        return within and not any(region.on(screen).holds(point) for region in self.forbidden_regions)


def load_policy(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        ConfigError: if it cannot be read, or names something unknown or out of range; with file, line and field.
    """
    values, lines = read_yaml(read_text(path, "policy"), str(path))
    if not isinstance(values, dict):
        raise ConfigError(
            f"invalid policy {str(path)!r}: it contains {type(values).__name__}.", expected="fields with values"
        )
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise ConfigError(
            field_problem(problem, problem["loc"], lines, str(path), "the policy", policy_fields)
        ) from error


def parse_url(url: str) -> SplitResult | str:
    """Parse an address strictly; a text is the reason of a refusal.

    Only http and https are accepted, never `data:`, `blob:`, `file:` or `javascript:`; user names, backslashes
    and control characters are refused, since programs interpret them differently.
    """
    if any(ord(mark) <= 32 or ord(mark) == 127 or mark == "\\" for mark in url):
        return "it contains a space, a control character or a backslash"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in {"http", "https"}:
        return f"its scheme {parts.scheme!r} is not http or https"
    if parts.username is not None or parts.password is not None or not parts.hostname or port == 0:
        return "it contains a user name or lacks a host"
    return parts


def _ascii_host(host: str) -> str:
    """Return a host in lower case and, if its letters are not Latin, in IDNA form."""
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
    """Return the names of the fields beside a place in a policy file."""
    if "urls" in place:
        return list(Address.model_fields)
    if place[0] == "banner_px":
        return list(Edges.model_fields)
    return list((Region if len(place) > 1 else Policy).model_fields)
