"""The application: the page, the session, and how errors are told. `create_app` is all that a program needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from agent.server.auth import Guard
from agent.server.conversation_task import Busy
from agent.server.routes import conversation, memory, screens, stories, streams, watches
from agent.server.schemas import Problem, Session, SignIn
from agent.server.session import NotOpen
from agent.server.state import House, NotFound, TheHouse
from tools.errors import AttendError

PAGE = files("agent.server") / "page"
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}


class NotLetIn(AttendError):
    """The browser has not shown the token."""


def create_app(house: House) -> FastAPI:
    """Build the application; its rooms open when it starts and close when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for room in house.rooms for work in (room.live(), room.follow_status())]
        try:
            yield
        finally:
            for room in house.rooms:
                room.close()
            await asyncio.gather(*tasks)

    app = FastAPI(title="Attend", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.house = house
    app.add_middleware(Guard, access=house.access)
    app.add_exception_handler(AttendError, _tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    for router in (
        *(page, conversation.router, memory.router, watches.router, streams.router, stories.router),
        screens.router,
    ):
        app.include_router(router)
    return app


page = APIRouter()


@page.get("/")
async def index(request: Request, house: TheHouse) -> Response:
    """The page, or the form that asks for the token."""
    return _file("index.html" if house.access.knows(request.headers) else "signin.html")


@page.get("/page/{name}")
async def asset(name: Annotated[str, Path(pattern=r"^[a-z]+\.(js|css|svg)$")]) -> Response:
    """A part of the page."""
    return _file(name)


@page.post("/session")
async def sign_in(words: SignIn, house: TheHouse) -> Response:
    """Exchange the token for a cookie."""
    if not house.access.fits_token(words.token.strip()):
        raise NotLetIn("this is not the token.", remedy="The terminal in which the server was started shows it.")
    return Response(status_code=204, headers={"set-cookie": house.access.set_cookie()})


@page.get("/session")
async def session(house: TheHouse) -> Session:
    """What the page needs to begin."""
    return Session(csrf=house.access.csrf, egress=house.egress, rooms=[room.info for room in house.rooms])


def _file(name: str) -> Response:
    entry = PAGE / name
    if not entry.is_file():
        raise NotFound(f"there is no {name!r}.")
    return Response(entry.read_bytes(), media_type=f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8")


async def _tell(request: Request, error: Exception) -> Response:
    assert isinstance(error, AttendError)
    codes = {NotFound: 404, NotLetIn: 403, Busy: 409, NotOpen: 409}
    return JSONResponse(Problem.of(error).model_dump(), codes.get(type(error), 400))


async def _tell_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(Problem(problem=str(error.detail)).model_dump(), error.status_code)


async def _tell_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse(Problem(problem=f"{place or 'the request'}: {first['msg']}.").model_dump(), 422)
