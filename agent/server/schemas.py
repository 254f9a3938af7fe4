"""JSON messages between server and page; they include `agent.core.events` unchanged."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.core.events import Event, Token
from agent.core.unicode import well_formed
from agent.perception.timeline import Moment, SourceNumbers
from agent.watch.monitor import Alert, WatchStatus
from tools.base import SeenFrame
from tools.errors import AttendError
from tools.media.types import mask_credentials

MAX_TEXT_CHARS = 4_000
"""Maximum length of a question or reply, in characters."""


TurnStates = Literal["running", "waiting", "done", "stopped", "failed"]


class _Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_sent(cls, fields: Any) -> Any:
        return well_formed(fields)


class Problem(_Schema):
    """An error: problem, expected, remedy. Credentials are masked."""

    problem: str
    expected: str = ""
    remedy: str = ""

    @classmethod
    def of(cls, error: AttendError) -> Self:
        """Convert an error."""
        parts = (error.problem, error.expected, error.remedy)
        problem, expected, remedy = (mask_credentials(part) for part in parts)
        return cls(problem=problem, expected=expected, remedy=remedy)


INTERNAL_ERROR = Problem(problem="internal error.", remedy="The server's terminal shows the details; please report it.")
"""Shown for a defect of the program."""


class RoomInfo(_Schema):
    """A room: its source and state. `problem` says why it is `failed`."""

    type: Literal["room"] = "room"
    id: str
    name: str
    state: Literal["opening", "open", "failed"]
    kind: str = ""
    live: bool = False
    plays: bool = True
    width_px: int = 0
    height_px: int = 0
    duration_s: float | None = None
    notes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    thread: str = ""
    about: str = ""
    problem: Problem | None = None


class Latency(_Schema):
    """Latency of an answer, in seconds; the first three were measured when the model was last given frames.

    Attributes:
        age_s: age of the newest of these frames since capture, including queueing, encoding and selection. None for
            recordings.
        late_s: mean delay so far of frames of a recording played in real time; else None.
        queue_s: time that the last frame waited in the queue of memory. None for a recording read ahead.
        first_token_s: from the question, or the reply, to the first token; None if there was none.
        total_s: from the question, or the reply, to the checked answer.
        tokens_in: tokens of all prompts.
        tokens_out: generated tokens.
    """

    age_s: float | None = None
    late_s: float | None = None
    queue_s: float | None = None
    first_token_s: float | None
    total_s: float
    tokens_in: int
    tokens_out: int


class Turn(_Schema):
    """A question and its events so far; successive tokens are merged into one event.

    Attributes:
        id: unique in the room.
        question: the text of the question.
        state: `waiting` means waiting for the person.
        events: the events so far.
        asked_s: Unix time of the question; None for turns of an earlier process.
        error: why it `failed`.
        latency: set once it is answered.
    """

    type: Literal["turn"] = "turn"
    id: str
    question: str
    state: TurnStates = "running"
    events: list[Annotated[Event, Field(discriminator="type")]] = []
    asked_s: float | None = None
    error: Problem | None = None
    latency: Latency | None = None

    def take(self, event: Event) -> None:
        """Add an event."""
        last = self.events[-1] if self.events else None
        if isinstance(event, Token) and isinstance(last, Token):
            self.events[-1] = Token(text=last.text + event.text)
        else:
            self.events.append(event)


class TurnEvent(_Schema):
    """An event of the running turn."""

    type: Literal["event"] = "event"
    turn: str
    event: Event


class TurnState(_Schema):
    """A change of a turn's state: answered, stopped, failed, waiting for the person, or running after a reply."""

    type: Literal["turn_state"] = "turn_state"
    turn: str
    state: TurnStates
    error: Problem | None = None
    latency: Latency | None = None


class Status(_Schema):
    """Current status of a room.

    Attributes:
        badge: `live` and `playing` advance by themselves, `reading` is read ahead, `stale` has no new frames.
        position_s: media time of the newest frame in memory.
        process_mb: resident memory of the server process (all rooms), in MiB.
        alerts_leave_to: other machines to which webhooks send alerts.
        screens_stopped_by: who stopped work on screens; "" if nobody did.
    """

    type: Literal["status"] = "status"
    badge: Literal["live", "playing", "reading", "ended", "paused", "stale"]
    position_s: float | None
    eyes: SourceNumbers
    process_mb: float
    watches: list[WatchStatus]
    alerts_leave_to: list[str]
    screens_stopped_by: str


class Snapshot(_Schema):
    """Initial state of a room for a page; later changes follow as single messages."""

    type: Literal["snapshot"] = "snapshot"
    room: RoomInfo
    conversation: list[Annotated[Turn | Alert, Field(discriminator="type")]]
    status: Status | None


class Egress(_Schema):
    """What leaves the machine, in words; `local` if nothing does."""

    local: bool
    text: str
    model: str


class ScreenWork(_Schema):
    """State of work on screens; `stopped_by` says who stopped it, "" if nobody did."""

    stopped_by: str


class Session(_Schema):
    """What a page needs to start: the CSRF token, and the rooms."""

    csrf: str
    egress: Egress
    rooms: list[RoomInfo]


class TextInput(_Schema):
    """A question, or a reply; a reply may be empty if a new frame answers the request."""

    text: str = Field(max_length=MAX_TEXT_CHARS)


class SignIn(_Schema):
    token: str = Field(max_length=512)


class TimeInput(_Schema):
    """A moment, in seconds of media time."""

    t_s: float = Field(ge=0, allow_inf_nan=False)


class SpanInput(_Schema):
    """A span, in seconds of media time."""

    start_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float = Field(ge=0, allow_inf_nan=False)


class NewWatch(_Schema):
    """A condition to watch for; see `agent.watch.monitor.Watcher.add`."""

    condition: str = Field(max_length=MAX_TEXT_CHARS)
    cooldown_s: float | None = Field(default=None, allow_inf_nan=False)
    webhook: str | None = Field(default=None, max_length=MAX_TEXT_CHARS)


class DetectedThing(_Schema):
    """A detected thing: its box is left, top, right and bottom in shares of the picture. Nobody is identified."""

    label: str
    confidence: float
    box: tuple[float, float, float, float]
    track: int | None


class MomentDetails(_Schema):
    """Details of a moment: `frame` is None if no picture is left, `moment` if it is not in memory.

    `detections` is None if no detector was given the frame.
    """

    frame: SeenFrame | None
    moment: Moment | None
    reason: str
    detections: list[DetectedThing] | None = None


class MemoryChanged(_Schema):
    """A change of memory by a person; what pages show of it is out of date."""

    type: Literal["memory"] = "memory"
    forgotten: SpanInput | None = None


class Accepted(_Schema):
    """Response to an accepted question; its events arrive over the room's WebSocket."""

    turn: str
