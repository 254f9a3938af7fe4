"""`attend chat` in the terminal: a prompt with streamed answers and tool calls, and JSON lines for scripts."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from agent.assistant import Assistant, open_assistant
from agent.cli.console import plain, safe
from agent.config import Config
from agent.core.checkpoints import QUESTIONS
from agent.core.events import Answered, Event, Needs, Perceived, Revising, Sent, Token, ToolCalled, ToolReturned
from agent.models.store import stored_models
from tools.ask_user import NEEDS_NEW_FRAME
from tools.errors import AttendError
from tools.media import format_clock

EXIT_OK, EXIT_WAITING = 0, 3

HELP = """Type a question about the video. Ctrl-C stops an answer; at the prompt it exits.
[bold]/kept[/] frames in memory   [bold]/status[/] capture   [bold]/history[/] conversation   [bold]/quit[/]"""


class Opened(BaseModel):
    """First line of `--json`: the source and model, and whether anything leaves the machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "opened"
    source: str
    kind: str
    live: bool
    notes: tuple[str, ...]
    model: str
    local: bool
    thread: str


@dataclass(frozen=True)
class ChatOptions:
    """Options of `attend chat`.

    Attributes:
        ask: questions to answer without a dialogue; empty starts a dialogue.
        as_json: print one JSON object per event instead of text.
        thread: name of the conversation to resume or start.
        realtime: play a file in real time.
        loop: restart a file when it ends.
        until_s: media time in seconds to watch before the first question; None watches files to the end and
            live sources not at all.
        cassette: file to record the model's calls to.
    """

    ask: tuple[str, ...] = ()
    as_json: bool = False
    thread: str | None = None
    realtime: bool = False
    loop: bool = False
    until_s: float | None = None
    cassette: Path | None = None


async def chat(source: str, config: Config, options: ChatOptions, console: Console) -> int:
    """Run a chat and return the exit code: 0, or 3 if a script's question waits for a person."""
    if options.until_s and not options.realtime:
        # A recording is read before the first question: frames after `until_s` must not be seen.
        config = config.model_copy(update={"media": config.media.model_copy(update={"end_s": options.until_s})})
    with console.status("Opening ..."):
        opening = open_assistant(
            source,
            config,
            thread=options.thread,
            realtime=options.realtime,
            loop=options.loop,
            cassette=options.cassette,
        )
        assistant = await opening.__aenter__()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_exit(opening)
        screen = Screen(console, options.as_json)
        screen.opened(assistant)
        if config.model == "embedded" and not options.as_json and console.is_terminal:
            _suggest_model(config.folder, screen)
        if earlier := await assistant.earlier_source():
            screen.notice(f"This conversation was about {earlier} before; times in it belong to that.")
        await _watch(assistant, options, screen)
        if options.ask:
            return await _answer_all(assistant, options.ask, screen)
        await _dialogue(assistant, screen, config.folder / QUESTIONS)
    return EXIT_OK


class Screen:
    """Prints events as text for a person, or as JSON lines."""

    def __init__(self, console: Console, as_json: bool) -> None:
        self.console, self.as_json = console, as_json
        self._streamed = ""
        self._waiting = console.status("looking ...")

    def opened(self, assistant: Assistant) -> None:
        info, abilities = assistant.session.info, assistant.model.abilities
        if self.as_json:
            self._json(
                Opened(
                    source=info.name,
                    kind=info.kind,
                    live=info.live,
                    notes=info.notes,
                    model=assistant.model.spec,
                    local=abilities.local,
                    thread=assistant.thread,
                )
            )
            return
        size = f"{info.width_px}x{info.height_px}" if info.width_px else "size unknown"
        length = "live" if info.live else format_clock(info.duration_s) if info.duration_s else "length unknown"
        self.console.print(f"[bold]{safe(info.name)}[/]  {size}, {length}")
        for note in info.notes:
            self.console.print(f"[yellow]{safe(note)}[/]")
        where = "nothing leaves this machine" if abilities.local else "[bold red]frames and words go to this server[/]"
        self.console.print(f"model [bold]{safe(assistant.model.spec)}[/]: {where}")
        for finding in assistant.findings:
            if finding.what == "no tool images":
                continue  # handled by the prompt
            self.console.print(f"[yellow]{safe(finding.problem)}[/] [dim]{safe(finding.remedy)}[/]")
        self.console.print(f"[dim]conversation {safe(assistant.thread)}[/]")

    def notice(self, text: str, style: str = "yellow") -> None:
        """Print a message that is not an event of a run; not printed with --json."""
        self._waiting.stop()
        self.end_line()
        if not self.as_json:
            self.console.print(f"[{style}]{safe(text)}[/]")

    def question(self, text: str) -> None:
        if not self.as_json:
            self.console.print(f"\n[bold cyan]you>[/] {safe(text)}")

    def wait(self) -> None:
        """Show a spinner until the next event."""
        if not self.as_json:
            self._waiting.start()

    def event(self, event: Event) -> None:
        """Show one event."""
        if self.as_json:
            self._json(event)
            return
        if not isinstance(event, Perceived):
            self._waiting.stop()
        match event:
            case Token():
                self._streamed += event.text
                self.console.print(plain(event.text), end="", markup=False)
            case ToolCalled():
                self.end_line()
                args = ", ".join(f"{name}={value!r}" for name, value in event.args.items() if value not in (None, []))
                self.console.print(f"[dim]→ {safe(f'{event.name}({args})')}[/]")
            case Sent():
                self.end_line()
                self.console.print(f"[dim]sent to {safe(event.source)}: {safe(event.query)}[/]", soft_wrap=True)
            case ToolReturned():
                colour = "dim" if event.ok else "yellow"
                words = re.sub("</?untrusted>", '"', event.text)
                self.console.print(f"[{colour}]← {safe(_shorten(words))}[/]")
                self.wait()
            case Revising():
                self.end_line()
                self.console.print("[yellow]That answer is unreliable; asking again.[/]")
            case Needs():
                self.end_line()
                self._needs(event)
            case Answered():
                self._answered(event)
            case Perceived():
                pass

    def _needs(self, needs: Needs) -> None:
        if needs.problem:
            self.console.print(f"[yellow]{safe(needs.problem)}[/]")
        self.console.print(f"[bold magenta]The agent asks:[/] {safe(needs.request.request)}")
        for number, choice in enumerate(needs.request.choices, 1):
            self.console.print(f"  {number}. {safe(choice)}")

    def _answered(self, event: Answered) -> None:
        if self._streamed.strip() != event.answer.text.strip():
            # The checked text differs from the streamed text and replaces it.
            self.end_line()
            self.console.print(plain(event.answer.text), markup=False, end="")
        self._streamed = "."
        self.end_line()
        moments = [format_clock(citation.t_s) for citation in event.answer.citations]
        cited = safe(", ".join([*moments, *event.answer.documents]))
        first = "" if event.first_token_s is None else f", first words after {event.first_token_s:.1f} s"
        rests = f", based on {cited}" if cited else ""
        self.console.print(f"[dim]{event.seconds:.1f} s{first}, {event.tokens_out} tokens{rests}[/]")
        if event.answer.unverified:
            wrong = ", ".join(format_clock(t_s) for t_s in event.answer.unverified)
            self.console.print(f"[yellow]The model was shown nothing at {wrong}.[/]")
        if event.answer.unverified_documents:
            wrong = safe(", ".join(event.answer.unverified_documents))
            self.console.print(f"[yellow]No tool returned {wrong} to the model.[/]")
        for quote in event.answer.unverified_quotes:
            self.console.print(f"[yellow]No cited document contains “{safe(quote)}”.[/]")
        if event.answer.retracted_documents:
            wrong = safe(", ".join(event.answer.retracted_documents))
            self.console.print(f"[bold red]Retracted: {wrong}.[/]")

    def end_line(self) -> None:
        """End the line of streamed text, if there is one."""
        if self._streamed:
            self.console.print()
        self._streamed = ""

    def _json(self, record: BaseModel) -> None:
        print(record.model_dump_json(), flush=True)


def _suggest_model(folder: Path, screen: Screen) -> None:
    """Say once per folder, while no other model is here, how to get a better one."""
    told = folder / "better-model-suggested"
    if told.exists() or next(stored_models(), None):
        return
    screen.notice("Other models answer better; `attend models recommend` says which suits this machine.", "dim")
    told.touch()


async def _watch(assistant: Assistant, options: ChatOptions, screen: Screen) -> None:
    """Watch the source before the first question; Ctrl-C continues with what was seen so far."""
    info = assistant.session.info
    plays = info.live or options.realtime
    until_s = options.until_s if options.until_s is not None else (0.0 if plays else None)
    total_s = until_s if until_s is not None else info.duration_s
    columns = (TextColumn("watching"), BarColumn(), TextColumn("{task.fields[at]}"))
    with Progress(*columns, console=screen.console, transient=True, disable=screen.as_json) as progress:
        task = progress.add_task("watching", total=total_s, at="")

        def advance(t_s: float) -> None:
            progress.update(task, completed=t_s, at=format_clock(t_s))

        watching = asyncio.ensure_future(assistant.watch(until_s, advance))
        if not await _interruptible(watching, assistant.session.stop_waiting):
            screen.notice("Stopped watching early; answers use what was seen so far.")
    screen.notice(assistant.session.status.summary(), "dim")


async def _answer_all(assistant: Assistant, questions: Sequence[str], screen: Screen) -> int:
    waiting = await assistant.pending()
    if waiting is True:
        screen.notice("Resuming the interrupted question.")
        if not await _show(assistant.resume(), screen, assistant):
            return EXIT_WAITING
    elif isinstance(waiting, Needs):
        first, *questions = questions
        screen.event(waiting)
        screen.question(first)
        if not await _show(assistant.reply(first), screen, assistant):
            return EXIT_WAITING
    for question in questions:
        screen.question(question)
        if not await _show(assistant.ask(question), screen, assistant):
            return EXIT_WAITING
    return EXIT_OK


async def _show(events: AsyncIterator[Event], screen: Screen, assistant: Assistant) -> bool:
    """Show a run; return False if it ends waiting for a person."""
    last: Event | None = None
    screen.wait()
    async for event in events:
        screen.event(event)
        last = event
    if isinstance(last, Needs):
        again = f'--thread {assistant.thread} --ask "YOUR REPLY"'
        screen.notice(f"Reply by running the same command with {again}.")
    return not isinstance(last, Needs)


async def _dialogue(assistant: Assistant, screen: Screen, history_file: Path) -> None:
    read = _line_reader(history_file)
    if not screen.as_json:
        screen.console.print(HELP)
    waiting = await assistant.pending()
    if waiting is True:
        screen.notice("Resuming the interrupted question.")
        waiting = await _dialogue_run(assistant.resume(), screen)
    elif isinstance(waiting, Needs):
        screen.event(waiting)
    while True:
        line = await read("reply> " if isinstance(waiting, Needs) else "you> ")
        if line is None or line.strip() in ("/quit", "/exit", "quit", "exit"):
            return
        text = line.strip()
        if text.startswith("/"):
            await _command(text, assistant, screen.console)
        elif isinstance(waiting, Needs) and (text or waiting.request.kind in NEEDS_NEW_FRAME):
            waiting = await _dialogue_run(assistant.reply(text), screen)
        elif text:
            waiting = await _dialogue_run(assistant.ask(text), screen)


async def _dialogue_run(events: AsyncIterator[Event], screen: Screen) -> Needs | bool:
    """Show a run in a dialogue, where errors and Ctrl-C end the answer, not the program."""
    needs: Needs | bool = False
    screen.wait()

    async def show() -> None:
        nonlocal needs
        async for event in events:
            screen.event(event)
            needs = event if isinstance(event, Needs) else False

    try:
        if not await _interruptible(asyncio.ensure_future(show())):
            screen.notice("Stopped.")
    except AttendError as error:
        screen.notice(str(error), "red")
    return needs


async def _interruptible(task: asyncio.Future[None], stop: Callable[[], None] | None = None) -> bool:
    """Await a task that Ctrl-C ends, by `stop` if given, else by cancelling it; return False if Ctrl-C ended it."""
    stopped = False

    def interrupt() -> None:
        nonlocal stopped
        stopped = True
        if stop:
            stop()
        else:
            task.cancel()

    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
    return not stopped


async def _command(text: str, assistant: Assistant, console: Console) -> None:
    match text:
        case "/kept":
            for frame in assistant.session.view.kept():
                console.print(f"  {format_clock(frame.t_s):>8}  {frame.detail:<6} {frame.frame_id[:12]}")
        case "/status":
            console.print(safe(assistant.session.status.summary()))
        case "/history":
            for message in await assistant.history():
                console.print(f"{'you' if message.type == 'human' else 'attend'}> {safe(message.text)}")
        case _:
            console.print(f"unknown command {safe(text)}.\n{HELP}" if text != "/help" else HELP)


def _line_reader(history_file: Path) -> Callable[[str], Awaitable[str | None]]:
    """Return a reader of lines, with editing and history in a terminal; it returns None at the end of input."""
    if not sys.stdin.isatty():

        async def read_pipe(prompt: str) -> str | None:
            return await asyncio.to_thread(sys.stdin.readline) or None

        return read_pipe
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.patch_stdout import patch_stdout

    session: PromptSession[str] = PromptSession(history=FileHistory(str(history_file)))

    async def read_terminal(prompt: str) -> str | None:
        try:
            with patch_stdout(raw=True):
                return await session.prompt_async(prompt)
        except (EOFError, KeyboardInterrupt):
            return None

    return read_terminal


def _shorten(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else text[:limit] + " ..."
