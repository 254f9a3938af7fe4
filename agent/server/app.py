"""FastAPI application: the page, the browser session, and error responses. Entry point: `create_app`."""

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
from agent.server.state import AppState, AppStateDep, NotFound
from tools.errors import AttendError

PAGE = files("agent.server") / "page"
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}


class WrongToken(AttendError):
    """Raised when the browser sends a wrong token."""


def create_app(state: AppState) -> FastAPI:
    """Build the application; its rooms open on startup and close on shutdown."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work) for room in state.rooms for work in (room.live(), room.follow_status())]
        try:
            yield
        finally:
            for room in state.rooms:
                room.close()
            await asyncio.gather(*tasks)

    app = FastAPI(title="Attend", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.attend = state
    app.add_middleware(Guard, access=state.access)
    app.add_exception_handler(AttendError, _error_response)
    app.add_exception_handler(RequestValidationError, _validation_error_response)
    app.add_exception_handler(HTTPException, _http_error_response)
    for router in (
        *(page, conversation.router, memory.router, watches.router, streams.router, stories.router),
        screens.router,
    ):
        app.include_router(router)
    return app


page = APIRouter()


@page.get("/")
async def index(request: Request, state: AppStateDep) -> Response:
    """Return the page, or the sign-in form."""
    return _file("index.html" if state.access.knows(request.headers) else "signin.html")


@page.get("/page/{name}")
async def asset(name: Annotated[str, Path(pattern=r"^[a-z]+\.(js|css|svg)$")]) -> Response:
    """Return an asset of the page."""
    return _file(name)


@page.post("/session")
async def sign_in(words: SignIn, state: AppStateDep) -> Response:
    """Exchange the token for a cookie."""
    if not state.access.fits_token(words.token.strip()):
        raise WrongToken("wrong token.", remedy="Copy it from the address that the server printed.")
    return Response(status_code=204, headers={"set-cookie": state.access.set_cookie()})


@page.get("/session")
async def session(state: AppStateDep) -> Session:
    """Return what the page needs to start."""
    return Session(csrf=state.access.csrf, egress=state.egress, rooms=[room.info for room in state.rooms])


def _file(name: str) -> Response:
    entry = PAGE / name
    if not entry.is_file():
        raise NotFound(f"cannot find {name!r}.")
    return Response(entry.read_bytes(), media_type=f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8")


async def _error_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, AttendError)
    codes = {NotFound: 404, WrongToken: 403, Busy: 409, NotOpen: 409}
    return JSONResponse(Problem.of(error).model_dump(), codes.get(type(error), 400))


async def _http_error_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse(Problem(problem=str(error.detail)).model_dump(), error.status_code)


async def _validation_error_response(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"][1:])
    return JSONResponse(Problem(problem=f"{place or 'the request'}: {first['msg']}.").model_dump(), 422)
