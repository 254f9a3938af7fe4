"""`attend serve` and `attend chat --web`: the server process, from listening to shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rich.console import Console

from agent.cli.console import safe
from agent.config import Config
from agent.models import load_mllm
from agent.models.cassette import record
from agent.models.protocol import MLLM
from agent.server.auth import Access, printed_url
from agent.server.options import ServerOptions
from agent.server.schemas import Egress
from agent.server.session import SourceRoom
from agent.server.state import AppState
from tools.errors import ConfigError
from tools.media.types import mask_credentials

if TYPE_CHECKING:
    import uvicorn

PORTS_TRIED = 20
"""Number of ports to try after the default one."""

MAX_MESSAGE_BYTES = 4096
"""Maximum size of a WebSocket message from a page, which only ever asks for the next picture."""

SHUTDOWN_S = 3
"""Seconds that open connections have to end on shutdown."""


@dataclass(frozen=True)
class ServeOptions:
    """Options of the server process.

    Attributes:
        realtime: play recordings in real time.
        loop: restart recordings when they end.
        thread: name of the conversation to resume or start; numbered if there are several sources.
        browser: open the page in a browser.
        cassette: file to record the model's calls to.
    """

    realtime: bool = True
    loop: bool = False
    thread: str | None = None
    browser: bool = False
    cassette: Path | None = None


async def serve(sources: Sequence[str], config: Config, options: ServeOptions, console: Console) -> None:
    """Serve sources until Ctrl-C. A source that cannot be opened is reported; the others continue.

    Raises:
        ConfigError: if listening on the address fails.
        ModelError: if the model cannot be loaded or used.
    """
    if options.loop and not options.realtime:
        raise ConfigError("--loop needs a recording played in real time.", remedy="Add --realtime.")
    with listen(config.server, console) as listening:
        port = listening.getsockname()[1]
        with console.status("Loading the model ..."):
            model = await asyncio.to_thread(load_mllm, config.model, config.mllm)
            await asyncio.to_thread(model.preflight)
        if options.cassette:
            model = record(model, options.cassette)
        state = make_app_state(sources, config, options, model, port)
        url = printed_url(config.server.host, port, state.access.token)
        server = make_server(state)
        announcing = asyncio.create_task(_announce(state, url, options, console))
        try:
            await server.serve(sockets=[listening])
        finally:
            announcing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await announcing


def make_app_state(sources: Sequence[str], config: Config, options: ServeOptions, model: MLLM, port: int) -> AppState:
    """Create a room for each source; they open when the server starts."""
    several = len(sources) > 1
    rooms = [
        SourceRoom(
            str(number),
            source,
            config,
            model,
            thread=f"{options.thread}-{number}" if options.thread and several else options.thread,
            realtime=options.realtime,
            loop=options.loop,
        )
        for number, source in enumerate(sources, 1)
    ]
    return AppState(rooms, Access(config.server, port), describe_egress(model), config)


def make_server(state: AppState) -> uvicorn.Server:
    """Create the server; its `serve(sockets=[listening])` ends on a signal or `should_exit`."""
    import uvicorn

    from agent.server.app import create_app

    settings = uvicorn.Config(
        create_app(state),
        log_level="warning",
        access_log=False,  # it would log every client address
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # JPEGs do not compress further
        timeout_graceful_shutdown=SHUTDOWN_S,
        server_header=False,
    )
    return uvicorn.Server(settings)


def describe_egress(model: MLLM) -> Egress:
    """Say what leaves the machine with this model."""
    spec = mask_credentials(model.spec)
    if model.abilities.local:
        return Egress(local=True, text="Nothing leaves this machine", model=spec)
    address = re.search(r"@(\w+://.+)", model.spec)
    host = (urlsplit(address[1]).hostname if address else None) or "another machine"
    return Egress(local=False, text=f"Frames and words go to {host}", model=spec)


@contextlib.contextmanager
def listen(options: ServerOptions, console: Console) -> Iterator[socket.socket]:
    """Listen on the configured address; if the default port is in use, on one of the next ports.

    Raises:
        ConfigError: if listening fails.
    """
    chosen = "port" in options.model_fields_set
    last = options.port if chosen else min(options.port + PORTS_TRIED, 65_535)
    for port in range(options.port, last + 1):
        try:
            listening = _bind(options.host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and port < last:
                continue
            raise _cannot_listen(options.host, port, error) from error
        if port != options.port:
            console.print(f"[yellow]Port {options.port} is in use; serving on port {port}.[/]")
        with listening:
            yield listening
        return


def _bind(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        remedy = f"Another program uses it, perhaps another attend. Choose --port {port + 1}, or --port 0 for any."
    elif error.errno == errno.EACCES:
        remedy = "Ports below 1024 need privileges: choose a higher one with --port."
    else:
        remedy = "Choose an address of this machine with --host, such as 127.0.0.1."
    return ConfigError(f"cannot listen on port {port} of {host!r}: {error.strerror or error}.", remedy=remedy)


async def _announce(state: AppState, url: str, options: ServeOptions, console: Console) -> None:
    """Print each source as it opens or fails, then the address of the page."""
    for room in state.rooms:
        await room.settled()
        info = room.info
        if info.problem:
            words = " ".join(filter(None, (info.problem.problem, info.problem.remedy)))
            console.print(f"cannot open [bold red]{safe(info.name)}[/]: {safe(words)}", soft_wrap=True)
        else:
            kind = "live" if info.live else "playing" if info.plays else "reading"
            console.print(f"[bold]{safe(info.name)}[/]  {kind}", soft_wrap=True)
    colour = "" if state.egress.local else "[bold red]"
    console.print(f"model [bold]{safe(state.egress.model)}[/]: {colour}{safe(state.egress.text)}")
    if state.access.token:
        console.print(
            "[yellow]Others can reach this address: anyone with the link can watch and ask. The connection is not "
            "encrypted: use it only in a trusted network or behind a TLS proxy.[/]",
            soft_wrap=True,
        )
    console.print(f"Open [bold]{safe(url)}[/]  (Ctrl-C to stop)", soft_wrap=True)
    if options.browser and not os.environ.get("CI") and _has_display():
        await asyncio.to_thread(webbrowser.open, url)


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
