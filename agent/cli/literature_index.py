"""`attend literature index` and `status`: indexing with progress, and a summary."""

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

AUTO_EMBED_LIMIT = 2_000
"""Number of documents up to which vectors are computed by default: a few minutes of one core with MiniLM."""
PROGRESS_INTERVAL_S = 30.0
"""Seconds between progress lines where no bar can be drawn, as in a file or pipe."""
MAX_LISTED = 5
"""Number of items to list individually."""


def index_paths(paths: Sequence[Path], config: Config, console: Console, *, dense: bool | None, as_json: bool) -> None:
    """Index files and folders, by words first, so that they can be searched while vectors are computed.

    Args:
        paths: files and folders to read.
        config: location of the corpus, and the embedder.
        console: for the summary.
        dense: compute vectors; None: if at most `AUTO_EMBED_LIMIT` documents have none.
        as_json: print one JSON object.

    Raises:
        ConfigError: if the embedder is unknown.
        ReadError, StoreError: if a path cannot be read, or the corpus cannot be written.
    """
    maker = embedder(config.literature.embedder) if dense is not False else None
    started = time.monotonic()
    embedded, sent = 0, None
    with open_corpus(literature_folder(config), writer=True) as corpus:
        with _progress(as_json) as report:
            done = [index_path(corpus, path, progress=report) for path in paths]
            status = corpus.status()
            wanted = maker is not None and (bool(dense) or _count_unembedded(status, maker.name) <= AUTO_EMBED_LIMIT)
            if wanted and maker is not None:
                embedded = embed_missing(corpus, maker.documents, maker.name, report)
        if wanted and config.literature.chroma is not None:
            from agent.literature.chroma_index import upload_vectors

            sent = upload_vectors(corpus, config.literature.chroma)
        status = corpus.status()
    total = _total(done, embedded, time.monotonic() - started)
    if as_json:
        known = {"documents": status.documents, "waiting_for_vectors": status.documents - status.embedded}
        print(json.dumps(total.model_dump(mode="json") | known | ({} if sent is None else {"sent": sent})))
        return
    _print_summary(total, status, console, by_meaning=wanted, asked=dense)
    if sent is not None:
        console.print(f"{sent} vectors uploaded to {safe(config.literature.chroma or '')}", soft_wrap=True)


def _count_unembedded(status: Status, model: str) -> int:
    """Return how many documents have no vector of this model."""
    return status.documents - (status.embedded if status.model == model else 0)


def show_status(config: Config, console: Console, *, as_json: bool) -> None:
    """Print the state of the corpus. Raises StoreError if there is none."""
    with open_corpus(literature_folder(config)) as corpus:
        status = corpus.status()
    if as_json:
        print(status.model_dump_json())
        return
    console.print(f"{_describe_counts(status)}, in {safe(status.folder)}", soft_wrap=True)
    if status.waiting:
        message = f"{status.waiting} documents are not in the word index yet: run `attend literature index PATH` again"
        console.print(f"[yellow]{message}[/]", soft_wrap=True)
    for file in status.files:
        cut = "read in part" if file.documents else "could not be read"
        state = "" if file.state == "done" else f" [yellow]({cut if file.state == 'cut' else 'unfinished'})[/]"
        wrong = f", {file.problems} records not used" if file.problems else ""
        console.print(f"  {file.documents:>8} {safe(file.path)}{state}{wrong}", soft_wrap=True)
    _print_duplicates(status, console)
    _print_problems(status.problems, console)


@contextmanager
def _progress(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """Show progress on standard error: a bar on a terminal, else a line now and then."""
    console = Console(stderr=True, highlight=False)
    printed_s = time.monotonic()
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f}"),
        TextColumn("{task.fields[more]}"), TimeRemainingColumn(),
    )  # fmt: skip
    with Bars(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as bars:
        task = bars.add_task("reading", total=1, more="")

        def show(now: Progress) -> None:
            nonlocal printed_s
            name = safe(now.file.name) if now.file else "vectors, for search by meaning"
            more = f"{now.documents} documents" if now.doing == "reading" else "documents"
            if not console.is_terminal and time.monotonic() - printed_s >= PROGRESS_INTERVAL_S:
                printed_s = time.monotonic()
                of = f"file {now.done + 1} of {now.total}, {more}" if now.file else f"{now.done} of {now.total} {more}"
                console.print(f"{now.doing} {name}: {of}", soft_wrap=True)
            bars.update(task, description=f"{now.doing} {name}", completed=now.done, total=max(1, now.total), more=more)

        yield show


def _total(done: Sequence[Indexed], embedded: int, seconds: float) -> Indexed:
    """Add up the reports; a file under two of the paths is read with the first, unchanged in the second."""
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


def _print_summary(total: Indexed, status: Status, console: Console, *, by_meaning: bool, asked: bool | None) -> None:
    changes = ", ".join(
        f"{count} {what}"
        for count, what in ((total.added, "added"), (total.replaced, "replaced"), (total.removed, "removed"))
        if count
    )
    console.print(
        f"{total.read} files read, {changes or 'nothing new'}, in {total.seconds:.1f} s. {_describe_counts(status)}.",
        soft_wrap=True,
    )
    if total.ignored:
        names = ", ".join(Path(name).name for name in total.ignored[:MAX_LISTED])
        console.print(f"[dim]skipped, unknown format: {safe(names)}"
                      f"{' and others' if len(total.ignored) > MAX_LISTED else ''}[/]", soft_wrap=True)  # fmt: skip
    _print_duplicates(status, console)
    _print_problems(total.problems, console)
    left = status.documents - status.embedded
    if left and not by_meaning and asked is None:
        console.print(f"[dim]{left} documents can be found by words only; --dense computes vectors too, "
                      "about a minute per 400 documents.[/]", soft_wrap=True)  # fmt: skip
    if not status.documents:
        console.print("[yellow]Nothing to search yet: no document could be read.[/]")
    else:
        message = 'Search with: attend literature search "..."   Ask with: attend literature answer "..."'
        console.print(message, soft_wrap=True)


def _print_duplicates(status: Status, console: Console) -> None:
    for pair in status.duplicates[:MAX_LISTED]:
        files = ", ".join(Path(path).name for path in pair.files)
        console.print(f"  [yellow]{safe(pair.id)} differs between {safe(files)}; the one in "
                      f"{safe(Path(pair.shown).name)} is shown[/]", soft_wrap=True)  # fmt: skip


def _print_problems(problems: Sequence[BadRecord], console: Console) -> None:
    for bad in problems[:MAX_LISTED]:
        place = f"{Path(bad.file).name}, {bad.record}{', ' + bad.field if bad.field else ''}"
        message = f"{place}: {bad.reason}. {bad.remedy}".strip()
        console.print(f"[yellow]not used:[/] {safe(message)}", soft_wrap=True)
    if len(problems) > MAX_LISTED:
        console.print(f"[yellow]and {len(problems) - MAX_LISTED} more: attend literature status --json lists them[/]")


def _describe_counts(status: Status) -> str:
    by_meaning = f", {status.embedded} of them also by meaning" if status.embedded else ""
    retracted = f", {status.retracted} retracted" if status.retracted else ""
    return f"{status.documents} documents can be searched{by_meaning}{retracted}"
