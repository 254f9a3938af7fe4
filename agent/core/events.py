"""What happens while a question is answered, as a stream of small typed records: for the terminal, JSON and pages."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from agent.core.citations import Answer
from agent.core.unicode import well_formed
from tools.ask_user import Intervention
from tools.base import SeenFrame


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _can_be_sent(cls, fields: Any) -> Any:
        return well_formed(fields)


class Perceived(_Event):
    """The frames now before the model: how many, the newest one's time, and frames dropped by capture so far."""

    type: Literal["perceived"] = "perceived"
    frames: int
    newest_s: float | None
    dropped: int


class Token(_Event):
    """A piece of the answer's text, as the model writes it."""

    type: Literal["token"] = "token"
    text: str


class ToolCalled(_Event):
    """The model called a tool."""

    type: Literal["tool_called"] = "tool_called"
    name: str
    args: dict[str, Any]


class Sent(_Event):
    """Words left this machine for a source on the network; they are logged, too."""

    type: Literal["sent"] = "sent"
    source: str
    query: str


class ToolReturned(_Event):
    """A tool answered, or failed (`ok` false): then the text says why. `frames` are the pictures it brought up."""

    type: Literal["tool_returned"] = "tool_returned"
    name: str
    ok: bool
    text: str
    frames: tuple[SeenFrame, ...] = ()


class Revising(_Event):
    """The answer cited moments that were never shown, and the model was asked again; tokens so far are void."""

    type: Literal["revising"] = "revising"
    reason: str


class Needs(_Event):
    """The run waits for a person.

    Attributes:
        request: what is asked for.
        new_frame: whether something is to be shown again: then the reply may be empty, since what is now seen answers.
        problem: what was wrong with the reply before, if there was one.
    """

    type: Literal["needs"] = "needs"
    request: Intervention
    new_frame: bool
    problem: str = ""


class Answered(_Event):
    """The checked answer, and what it took."""

    type: Literal["answered"] = "answered"
    answer: Answer
    steps: int
    tokens_in: int
    tokens_out: int
    seconds: float
    first_token_s: float | None


Event = Perceived | Token | ToolCalled | Sent | ToolReturned | Revising | Needs | Answered
