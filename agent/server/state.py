"""Application state of the server, and dependencies for routes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from agent.config import Config
from agent.server.auth import Access
from agent.server.schemas import Egress
from agent.server.session import SourceRoom
from tools.errors import AttendError


class NotFound(AttendError):
    """Raised when nothing exists at a URL."""


@dataclass(frozen=True)
class AppState:
    """State of one server.

    Attributes:
        rooms: one for each source.
        access: secrets and access checks.
        egress: what leaves the machine.
        config: the settings.
    """

    rooms: Sequence[SourceRoom]
    access: Access
    egress: Egress
    config: Config

    def room(self, room_id: str) -> SourceRoom:
        """Find a room. Raises NotFound."""
        for room in self.rooms:
            if room.info.id == room_id:
                return room
        raise NotFound(f"unknown room {room_id[:20]!r}.", remedy="Reload the page.")


def get_app_state(connection: HTTPConnection) -> AppState:
    """Return the application state of a request's server."""
    return connection.app.state.attend


def get_room(connection: HTTPConnection, room_id: str) -> SourceRoom:
    """Return the room of a request. Raises NotFound."""
    return get_app_state(connection).room(room_id)


AppStateDep = Annotated[AppState, Depends(get_app_state)]
RoomDep = Annotated[SourceRoom, Depends(get_room)]
