"""What goes over the wire between server and page, as JSON; `agent.core.events` are part of it as they are."""

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

TEXT_LENGTH = 4_000
"""The longest question or reply, in characters; our choice."""


TurnStates = Literal["running", "waiting", "done", "stopped", "failed"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_sent(cls, fields: Any) -> Any:
        return well_formed(fields)


class Problem(_Shape):
    """An error in plain words: what is wrong, what would be right, what to do. Credentials are masked."""

    problem: str
    expected: str = ""
    remedy: str = ""

    @classmethod
    def of(cls, error: AttendError) -> Self:
        """Return the words of an error."""
        parts = (error.problem, error.expected, error.remedy)
        problem, expected, remedy = (mask_credentials(part) for part in parts)
        return cls(problem=problem, expected=expected, remedy=remedy)


BROKEN = Problem(problem="the program broke down.", remedy="The terminal of the server says where; please report it.")
"""What people are told of a defect."""


class RoomInfo(_Shape):
    """A source and how it can be watched. `problem` says why a room is `failed`."""

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


class Latency(_Shape):
    """Where the time of an answer went, in seconds; the first three as they were when the model was last given frames.

    Attributes:
        age_s: how old the newest of these frames was: since a live source gave it, it was in line, encoded, remembered
            and chosen. None for recordings.
        late_s: how late frames of a recording at its own speed came after their due time, on average so far; else None.
        queue_s: how long the frame that memory took last had been in line for it. None for a recording read ahead.
        first_token_s: from the question, or the reply, to the first words; None where there were none.
        total_s: from the question, or the reply, to the checked answer.
        tokens_in: tokens of all prompts.
        tokens_out: tokens written.
    """

    age_s: float | None = None
    late_s: float | None = None
    queue_s: float | None = None
    first_token_s: float | None
    total_s: float
    tokens_in: int
    tokens_out: int


class Turn(_Shape):
    """A question with everything that happened since; successive tokens are one event.

    Attributes:
        id: unique in the room.
        question: the person's words.
        state: `waiting` is for the person.
        events: what happened so far.
        asked_s: Unix time of the question; None for turns of an earlier process.
        error: why it `failed`.
        latency: once it is answered.
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


class Happened(_Shape):
    """An event of the running turn."""

    type: Literal["event"] = "event"
    turn: str
    event: Event


class TurnState(_Shape):
    """A turn has come to rest (answered, stopped, failed, or waiting for the person), or goes on after a reply."""

    type: Literal["turn_state"] = "turn_state"
    turn: str
    state: TurnStates
    error: Problem | None = None
    latency: Latency | None = None


class Status(_Shape):
    """How a room stands now.

    Attributes:
        badge: `live` and `playing` go on by themselves, `reading` is read ahead, `stale` shows nothing new.
        position_s: media time of the newest frame in memory.
        process_mb: resident memory of the server's process, all rooms together, in MiB.
        alerts_leave_to: other machines that webhooks send alerts to.
        screens_stopped_by: who stopped work on screens; "" while nobody did.
    """

    type: Literal["status"] = "status"
    badge: Literal["live", "playing", "reading", "ended", "paused", "stale"]
    position_s: float | None
    eyes: SourceNumbers
    process_mb: float
    watches: list[WatchStatus]
    alerts_leave_to: list[str]
    screens_stopped_by: str


class Snapshot(_Shape):
    """All that a page needs of a room to begin; what happens later follows as single messages."""

    type: Literal["snapshot"] = "snapshot"
    room: RoomInfo
    conversation: list[Annotated[Turn | Alert, Field(discriminator="type")]]
    status: Status | None


class Egress(_Shape):
    """What leaves the machine, in words; `local` where nothing does."""

    local: bool
    text: str
    model: str


class ScreenWork(_Shape):
    """Whether work on screens may go on; `stopped_by` says who stopped it, "" while nobody did."""

    stopped_by: str


class Session(_Shape):
    """What a page needs to begin: the token that each change must carry, and the rooms."""

    csrf: str
    egress: Egress
    rooms: list[RoomInfo]


class Words(_Shape):
    """A question, or a reply, which may be empty where a new frame answers."""

    text: str = Field(max_length=TEXT_LENGTH)


class SignIn(_Shape):
    token: str = Field(max_length=512)


class At(_Shape):
    """A moment, in seconds of media time."""

    t_s: float = Field(ge=0, allow_inf_nan=False)


class Between(_Shape):
    """A stretch, in seconds of media time."""

    start_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float = Field(ge=0, allow_inf_nan=False)


class NewWatch(_Shape):
    """A condition to watch for; see `agent.watch.monitor.Watcher.add`."""

    condition: str = Field(max_length=TEXT_LENGTH)
    cooldown_s: float | None = Field(default=None, allow_inf_nan=False)
    webhook: str | None = Field(default=None, max_length=TEXT_LENGTH)


class ShownMoment(_Shape):
    """What is known of a moment: `frame` is None where no picture is left, `moment` where it is not remembered."""

    frame: SeenFrame | None
    moment: Moment | None
    reason: str


class Remembrance(_Shape):
    """The memory was changed by a person: what is shown of it is out of date."""

    type: Literal["memory"] = "memory"
    forgotten: Between | None = None


class Accepted(_Shape):
    """A question was taken; its turn's events come over the room's WebSocket."""

    turn: str
