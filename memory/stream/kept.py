"""`Kept`: a reference to one remembered frame, small enough for a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from tools.errors import StoreError
from tools.media.types import Frame


@dataclass(frozen=True, slots=True)
class Kept:
    """One remembered frame. Pixels are in the frame store, at native resolution whatever the state.

    Attributes:
        frame_id: sha256 of the pixels.
        source: where it came from, with credentials masked.
        t_s: media time in seconds.
        width_px: native width in pixels.
        height_px: native height in pixels.
        state: the detail in which it is to be shown, `clear` or `fuzzy`.
        score: CS (see `Decision`) when it was decided on; None where there was none.
        wall_s: Unix time of capture in seconds for live sources, else None.
    """

    frame_id: str
    source: str
    t_s: float
    width_px: int
    height_px: int
    state: Literal["clear", "fuzzy"]
    score: float | None = None
    wall_s: float | None = None

    @classmethod
    def of(cls, frame: Frame, state: Literal["clear", "fuzzy"], score: float | None) -> Kept:
        """Return the reference to `frame` in a state."""
        wall_s = None if frame.wall_s is None else float(frame.wall_s)
        return cls(frame.id, frame.source, float(frame.t_s), frame.width_px, frame.height_px, state, score, wall_s)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Kept:
        """Read what `to_dict` returned.

        Raises:
            StoreError: if a field is missing, unknown or of the wrong type.
        """
        unknown = sorted(set(data) - set(cls.__dataclass_fields__))
        if unknown:
            raise StoreError(f"a remembered frame has the unknown fields {unknown!r}.", expected=_FIELDS)
        try:
            return TypeAdapter(cls).validate_python(dict(data))
        except ValidationError as error:
            where = ", ".join(str(part["loc"][0]) for part in error.errors() if part["loc"])
            raise StoreError(
                f"a remembered frame is unreadable at {where}: {dict(data)!r}.", expected=_FIELDS
            ) from error


_FIELDS = f"the fields {', '.join(Kept.__dataclass_fields__)}"
