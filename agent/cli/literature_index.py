"""`attend literature index` and `status`: progress while it works, and what came of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from agent.cli.console import safe
from agent.config import Config, literature_folder
from agent.literature.embedders import embedder
from tools.literature.index.corpus import open_corpus
from tools.literature.index.ingest import embed_missing, index_path
from tools.literature.index.status import BadRecord, Indexed, Progress, Status

UNASKED = 2_000
"""Documents that vectors are made of without being asked to; our choice: a few minutes of one core with MiniLM."""
EVERY_S = 30.0
"""Seconds between two lines of progress where no bar can be drawn, as in a file or a pipe; our choice."""
SHOWN = 5
"""Records with problems that are told one by one; our choice."""


def index_paths(paths: Sequence[Path], config: Config, console: Console, *, dense: bool | None, as_json: bool) -> None:
    """Bring files and folders into the corpus, by words first, so that they can be searched while vectors are made.

    Args:
        paths: what to read.
        config: where the corpus lies, and which embedder makes vectors.
        console: for people.
        dense: make vectors; None: where there are at most `UNASKED` documents to be embedded.
        as_json: print one JSON object.

    Raises:
        ConfigError: if there is no embedder of the name.
        ReadError, StoreError: if a path cannot be read, or the corpus not be written.
    """
    maker = embedder(config.literature.embedder) if dense is not False else None
    started = time.monotonic()
    embedded, sent = 0, None
    with open_corpus(literature_folder(config), writer=True) as corpus:
        with _progress(as_json) as told:
            done = [index_path(corpus, path, progress=told) for path in paths]
            held = corpus.status()
            wanted = maker is not None and (bool(dense) or _left(held, maker.name) <= UNASKED)
            if wanted and maker is not None:
                embedded = embed_missing(corpus, maker.documents, maker.name, told)
        if wanted and config.literature.chroma is not None:
            from agent.literature.chroma_index import fill

            sent = fill(corpus, config.literature.chroma)
        held = corpus.status()
    total = _total(done, embedded, time.monotonic() - started)
    if as_json:
        known = {"documents": held.documents, "waiting_for_vectors": held.documents - held.embedded}
        print(json.dumps(total.model_dump(mode="json") | known | ({} if sent is None else {"sent": sent})))
        return
    _tell(total, held, console, by_meaning=wanted, asked=dense)
    if sent is not None:
        console.print(f"{sent} vectors were put on {safe(config.literature.chroma or '')}", soft_wrap=True)


def _left(held: Status, model: str) -> int:
    """How many documents a model has to embed; what another one did counts for nothing."""
    return held.documents - (held.embedded if held.model == model else 0)


def show_status(config: Config, console: Console, *, as_json: bool) -> None:
    """Print what the corpus holds. Raises StoreError if there is none."""
    with open_corpus(literature_folder(config)) as corpus:
        held = corpus.status()
    if as_json:
        print(held.model_dump_json())
        return
    console.print(f"{_counted(held)}, in {safe(held.folder)}", soft_wrap=True)
    if held.waiting:
        told = f"{held.waiting} documents wait for the index of words: run `attend literature index PATH` again"
        console.print(f"[yellow]{told}[/]", soft_wrap=True)
    for file in held.files:
        cut = "read in part" if file.documents else "could not be read"
        state = "" if file.state == "done" else f" [yellow]({cut if file.state == 'cut' else 'unfinished'})[/]"
        wrong = f", {file.problems} records not used" if file.problems else ""
        console.print(f"  {file.documents:>8} {safe(file.path)}{state}{wrong}", soft_wrap=True)
    _tell_duplicates(held, console)
    _tell_problems(held.problems, console)


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """Shows how far it is: a bar at a terminal, else a line now and then; to the error stream, so that output can be
    taken on."""
    console = Console(stderr=True, highlight=False)
    told_s = time.monotonic()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        TextColumn("{task.fields[more]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bars(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as bars:
        task = bars.add_task("reading", total=1, more="")

        def show(now: Progress) -> None:
            nonlocal told_s
            name = safe(now.file.name) if now.file else "vectors, for searching by meaning"
            more = f"{now.documents} documents" if now.doing == "reading" else "documents"
            if not console.is_terminal and time.monotonic() - told_s >= EVERY_S:
                told_s = time.monotonic()
                of = f"file {now.done + 1} of {now.total}, {more}" if now.file else f"{now.done} of {now.total} {more}"
                console.print(f"{now.doing} {name}: {of}", soft_wrap=True)
            bars.update(task, description=f"{now.doing} {name}", completed=now.done, total=max(1, now.total), more=more)

        yield show


def _total(done: Sequence[Indexed], embedded: int, seconds: float) -> Indexed:
    """What was done in all; a file of two of the paths is read with the first, and unchanged in the second."""
    counts = {
        name: sum(getattr(one, name) for one in done)
        for name in ("read", "unchanged", "vanished", "added", "replaced", "removed", "kept", "bad")
    }
    return Indexed(
        **counts,
        embedded=embedded,
        ignored=tuple(dict.fromkeys(name for one in done for name in one.ignored)),
        problems=tuple(dict.fromkeys(problem for one in done for problem in one.problems)),
        seconds=round(seconds, 3),
    )


def _tell(total: Indexed, held: Status, console: Console, *, by_meaning: bool, asked: bool | None) -> None:
    changes = ", ".join(
        f"{count} {what}"
        for count, what in ((total.added, "added"), (total.replaced, "replaced"), (total.removed, "removed"))
        if count
    )
    console.print(
        f"{total.read} files read, {changes or 'nothing new'}, in {total.seconds:.1f} s. {_counted(held)}.",
        soft_wrap=True,
    )
    if total.ignored:
        names = ", ".join(Path(name).name for name in total.ignored[:SHOWN])
        console.print(f"[dim]not read, of unknown formats: {safe(names)}"
                      f"{' and others' if len(total.ignored) > SHOWN else ''}[/]", soft_wrap=True)  # fmt: skip
    _tell_duplicates(held, console)
    _tell_problems(total.problems, console)
    left = held.documents - held.embedded
    if left and not by_meaning and asked is None:
        console.print(f"[dim]{left} documents are found by words only; --dense makes vectors, too, in the time of "
                      "about a minute for 400 of them.[/]", soft_wrap=True)  # fmt: skip
    if not held.documents:
        console.print("[yellow]There is nothing to search yet: no document could be read.[/]")
    else:
        told = 'Search with: attend literature search "..."   Ask with: attend literature answer "..."'
        console.print(told, soft_wrap=True)


def _tell_duplicates(held: Status, console: Console) -> None:
    for pair in held.duplicates[:SHOWN]:
        files = ", ".join(Path(path).name for path in pair.files)
        console.print(f"  [yellow]{safe(pair.id)} differs between {safe(files)}; shown is that of "
                      f"{safe(Path(pair.shown).name)}[/]", soft_wrap=True)  # fmt: skip


def _tell_problems(problems: Sequence[BadRecord], console: Console) -> None:
    for bad in problems[:SHOWN]:
        place = f"{Path(bad.file).name}, {bad.record}{', ' + bad.field if bad.field else ''}"
        told = f"{place}: {bad.reason}. {bad.remedy}".strip()
        console.print(f"[yellow]not used:[/] {safe(told)}", soft_wrap=True)
    if len(problems) > SHOWN:
        console.print(f"[yellow]and {len(problems) - SHOWN} more: attend literature status --json lists them[/]")


def _counted(held: Status) -> str:
    by_meaning = f", {held.embedded} of them found by meaning, too" if held.embedded else ""
    retracted = f", {held.retracted} retracted" if held.retracted else ""
    return f"{held.documents} documents can be searched{by_meaning}{retracted}"
