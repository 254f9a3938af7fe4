"""`House`: what one server serves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from agent.config import Config
from agent.server.auth import Access
from agent.server.schemas import Egress
from agent.server.session import Room
from tools.errors import AttendError


class NotFound(AttendError):
    """There is nothing under this address."""


@dataclass(frozen=True)
class House:
    """What one server serves.

    Attributes:
        rooms: one for each source.
        access: who may come in.
        egress: what leaves the machine.
        config: the settings, by which what was built is found.
    """

    rooms: Sequence[Room]
    access: Access
    egress: Egress
    config: Config

    def room(self, room_id: str) -> Room:
        """Find a room. Raises NotFound."""
        for room in self.rooms:
            if room.info.id == room_id:
                return room
        raise NotFound(f"there is no room {room_id[:20]!r}.", remedy="Reload the page.")


def find_house(connection: HTTPConnection) -> House:
    """The house of a request's server."""
    return connection.app.state.house


def find_room(connection: HTTPConnection, room_id: str) -> Room:
    """The room that a request names. Raises NotFound."""
    return find_house(connection).room(room_id)


TheHouse = Annotated[House, Depends(find_house)]
TheRoom = Annotated[Room, Depends(find_room)]
