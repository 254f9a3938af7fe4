"""`attend memory build`, `ask`, `recall` and `reindex`: the narrative memory of films, texts and streams."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

from agent.cli.console import safe
from agent.config import Config
from agent.models import load_mllm
from agent.narrative import prompts
from agent.narrative.answer import answer_question, search
from agent.narrative.build import Built, Material, build
from agent.narrative.build_budget import Plan, model_for, plan, refuse_above
from agent.narrative.cached_llm import Answers, Asker
from agent.narrative.extract_llm import Progress
from agent.narrative.forget import drop_pictures
from agent.narrative.ingest_video import Watched, caption, pictures_of, watch
from agent.narrative.sources import Origin, ambiguous_name, origin_of, read_stream, read_words, short_name
from agent.narrative.speech import cues_of, hear_film
from agent.perception.annotator import embed_texts
from memory.narrative.ingest.cues import Clock
from memory.narrative.options import FILE_NAME, FOLDER
from memory.narrative.retrieval.retrieve import Retrieved
from memory.narrative.store.lineage import successors
from memory.narrative.store.narrative_store import NarrativeStore
from memory.narrative.store.transaction import KINDS, Change
from memory.narrative.types import Record
from memory.store.frames import FrameStore
from tools.errors import ConfigError, MediaError
from tools.media import mask_credentials


@dataclass(frozen=True)
class BuildOptions:
    """Options of `attend memory build`.

    Attributes:
        dry_run: print the plan without building.
        rules: extract events and links by rules, even if the model could.
        as_json: print one JSON object.
    """

    dry_run: bool = False
    rules: bool = False
    as_json: bool = False


@contextmanager
def open_store(config: Config, *, writer: bool = False, make: bool = False) -> Iterator[NarrativeStore]:
    """Open the narrative memory of a folder.

    Args:
        config: its folder and vector server.
        writer: open it for writing.
        make: create it if it does not exist.

    Raises:
        StoreError: if it does not exist, cannot be opened, or another process is writing.
    """
    if writer and not make and not (config.folder / FOLDER / FILE_NAME).exists():
        writer = False  # a reader creates nothing and reports that the memory is missing
    server = config.narrative.server or None
    with NarrativeStore(config.folder / FOLDER, embed_texts, writer=writer, server=server) as store:
        yield store


def build_narrative(spec: str, config: Config, console: Console, options: BuildOptions) -> None:
    """Build or update the narrative memory of a source; unchanged records stay as they are.

    Subtitles, transcripts and stories are read. A film is also watched, and the model captions its pictures. For a
    source that was watched, the stream memory is used. A model with structured output extracts events and links and
    summarises chains; otherwise rules do. Model answers are cached, so that a build that was killed, or stopped at a
    limit, resumes from them.

    Args:
        spec: see `agent.narrative.sources.origin_of`.
        config: the model, and the folder of the memory.
        console: for the summary.
        options: see `BuildOptions`.

    Raises:
        MediaError, StoreError: if the source or the memory cannot be read, or the memory cannot be written.
        ModelError: if the model fails, or a limit would be exceeded.
    """
    origin = origin_of(spec, config)
    stderr = Console(stderr=True)

    printed: set[str] = set()  # the source is read twice, for the plan and for the build

    def warn(message: str) -> None:
        if message not in printed:
            stderr.print(f"[yellow]note:[/] {safe(message)}", soft_wrap=True)
        printed.add(message)

    planned = plan(origin, config, warn, rules=options.rules)
    if options.dry_run:
        _show_plan(planned, origin, config, console, options.as_json)
        return
    refuse_above(planned, config)
    started = time.monotonic()
    folder = config.folder / FOLDER
    with (
        open_store(config, writer=True, make=True) as store,
        Answers(folder) as answers,
        _progress(stderr, options) as progress,
    ):
        model = model_for(origin, config, rules=options.rules)
        if model is not None and not model.abilities.local:
            stderr.print("[bold red]frames and words go to the model's server[/]")
        most_calls, most_tokens = config.narrative.most_calls, config.narrative.most_tokens
        asker = Asker(model, origin.name, answers, most_calls, most_tokens) if model else None
        pictures = pictures_of(config)
        material, inputs = _material(origin, config, answers, pictures, asker, warn, progress)
        structured = asker is not None and asker.model.abilities.structured and not options.rules
        built = build(material, asker if structured else None, embed_texts, progress)
        result = _write(store, origin, material.clock, built, inputs)
        progress("indexing", 0, 1)
        store.index()
        drop_pictures(store, pictures)
    if asker is not None:
        spent = asker.spent
        result |= {"calls": spent.calls, "kept_answers": spent.kept, "tokens": spent.tokens}
        result |= {"model_seconds": round(spent.seconds, 1), "malformed": len(spent.malformed)}
    result |= vars(built.problems) | {"seconds": round(time.monotonic() - started, 1)}
    _show_built(result, built, origin, console, options.as_json)


def ask_narrative(spec: str, question: str, config: Config, console: Console, *, as_json: bool) -> None:
    """Answer a question from the narrative memory, citing the moments that support the answer.

    Raises:
        MediaError: if the source has no narrative memory.
        StoreError, ModelError: if the memory cannot be read, or the model fails.
    """
    if not question.strip():
        raise ConfigError("the question is empty.", expected="some text")
    with open_store(config) as store:
        source, clock = built_source(store, spec, config)
        model = None if config.model == "embedded" else load_mllm(config.model, config.mllm)
        if model is not None:
            model.preflight()
        structured = model is not None and model.abilities.structured
        asker = Asker(model, source) if model is not None and structured else None
        answer = answer_question(store, source, question, clock, asker)
    if as_json:
        print(answer.model_dump_json())
        return
    console.print(safe(answer.text), soft_wrap=True, highlight=False)
    for event in answer.cited:
        when = prompts.when(event.start_s, clock)
        console.print(f"  [dim]{when}  {safe(event.text)}[/]", soft_wrap=True, highlight=False)
    if answer.unverified:
        console.print(f"[yellow]note:[/] left out {len(answer.unverified)} citations of events the model was not shown")


def recall_narrative(spec: str, question: str, config: Config, console: Console, *, as_json: bool) -> None:
    """Print the events relevant to a question, in order of time.

    Raises:
        MediaError: if the source has no narrative memory.
        StoreError: if the memory cannot be read.
    """
    with open_store(config) as store:
        source, clock = built_source(store, spec, config)
        found = search(store, source, [question])
    if as_json:
        print(json.dumps(_plain(found, clock)))
        return
    if not found.told:
        console.print("Nothing in memory is relevant to this question.")
    for scored in found.told:
        when = prompts.when(scored.event.start_s, clock)
        console.print(f"[bold]{when}[/]  {safe(scored.event.summary)}", soft_wrap=True, highlight=False)


def list_narratives(config: Config, console: Console, as_json: bool) -> None:
    """Print the sources with a narrative memory, and the number of records; nothing if there is none.

    Raises:
        StoreError: if the memory cannot be read.
    """
    if not (config.folder / FOLDER / FILE_NAME).exists():
        return
    names = {kind: "entities" if kind == "entity" else f"{kind}s" for kind in KINDS}
    with open_store(config) as store:
        counts = {source: store.count(source) for source in store.sources()}
    rows = [
        {"told": shown, **{names[kind]: counts[source][kind] for kind in KINDS}, "source": source}
        for source, shown in zip(counts, _short_names(list(counts)), strict=True)
    ]
    table = Table("narrative", *names.values(), box=SIMPLE)
    for row in rows:
        if as_json:
            print(json.dumps(row))
        table.add_row(*(safe(str(row[name])) for name in ("told", *names.values())))
    if rows and not as_json:
        console.print(table)


def reindex_narrative(config: Config, console: Console) -> None:
    """Rebuild the index of the narrative memory from SQLite. Raises StoreError if it cannot be written."""
    with open_store(config, writer=True) as store, console.status("indexing"):
        vectors = store.reindex()
    console.print(f"{vectors} vectors indexed")


def built_source(store: NarrativeStore, spec: str, config: Config) -> tuple[str, Clock]:
    """Return the name of a source in the narrative memory, and its clock.

    A file that was moved or removed since is found by its name; an existing file never matches another of that name.

    Raises:
        MediaError: if it has no narrative memory.
        ConfigError: if it does not exist and several sources have its name.
    """
    known = store.sources()
    try:
        name = origin_of(spec, config).name
    except MediaError:
        name = spec
    if name not in known and not Path(spec).is_file():
        named = [one for one in known if short_name(one) == Path(spec).name]
        if len(named) > 1:
            raise ambiguous_name(Path(spec).name, named)
        name = named[0] if named else name
    clock = store.built(name).get("clock")
    if clock is None:
        short = Path(spec).name or spec
        if short in map(short_name, known):
            raise MediaError(
                f"nothing is remembered of {short!r}, only of another file of that name.",
                remedy=f"Build it first: attend memory build {mask_credentials(spec)}",
            )
        raise MediaError(
            f"nothing is remembered of {short!r}.",
            expected=f"one of: {', '.join(_short_names(known))}" if known else "",
            remedy=f"Build it first: attend memory build {short}",
        )
    return name, "sections" if clock == "sections" else "seconds"


def _short_names(sources: Sequence[str]) -> list[str]:
    """Return short names of sources; full ones where several share a short name."""
    known = Counter(map(short_name, sources))
    return [source if known[short_name(source)] > 1 else short_name(source) for source in sources]


def _material(
    origin: Origin,
    config: Config,
    answers: Answers,
    pictures: FrameStore,
    asker: Asker | None,
    warn: Any,
    progress: Progress,
) -> tuple[Material, dict[str, str]]:
    """Return the material of a source, and notes on its origin to store with it."""
    if origin.kind == "stream":
        stream = read_stream(origin, pictures)
        cues = cues_of(stream.spoken)
        material = Material(origin.name, "seconds", cues, texts=stream.texts, duration_s=stream.duration_s)
        begun = {} if stream.begun_wall_s is None else {"begun_wall_s": str(stream.begun_wall_s)}
        shown, labels, inputs = stream.pictures, stream.labels, {"kind": "stream", **begun}
    else:
        words = read_words(origin, warn)
        if words.unsubtitled:
            words = replace(words, cues=hear_film(origin, config, answers, warn))
        watched = (
            watch(origin.path, origin.name, config, answers, pictures, progress) if origin.kind == "film" else None
        )
        lasts_s = watched.duration_s if watched else 0.0
        if words.film_s is None:
            lasts_s = max(lasts_s, *(cue.end_s for cue in words.cues), 0.0)
        material = Material(origin.name, words.clock, words.cues, duration_s=lasts_s)
        shown, labels, inputs = (), (), {"kind": origin.kind}
        if watched:
            material = replace(material, texts=watched.texts, cuts=watched.cuts)
            shown = watched.pictures
            _warn_of_gaps(watched, warn)
    captions = labels
    if asker is not None and asker.model.abilities.images and shown:
        captions = tuple(caption(material.segments(), shown, asker, pictures, progress))
    # Pictures without a caption still illustrate their segment.
    return replace(material, captions=[*captions, *((t_s, id_, "") for t_s, id_ in shown)]), inputs


def _warn_of_gaps(watched: Watched, warn: Any) -> None:
    for start_s, end_s, reason in watched.gaps:
        start, end = (prompts.when(t_s, "seconds") for t_s in (start_s, end_s))
        warn(f"no picture from {start} to {end}: {reason}")


def _write(store: NarrativeStore, origin: Origin, clock: Clock, built: Built, inputs: dict[str, str]) -> dict[str, Any]:
    """Commit the differences from the stored records as one version."""
    wanted: dict[str, Record] = {record.id: record for record in built.records}
    stored = _stored_records(store, origin.name)
    added = tuple(record for id_, record in wanted.items() if id_ not in stored)
    retired = successors((record for id_, record in stored.items() if id_ not in wanted), added)
    if added or retired or store.built(origin.name).get("clock") != clock:
        noted = {**inputs, "clock": clock, "built_wall_s": str(time.time())}
        store.commit(Change(added, retired, "built", {(origin.name, key): value for key, value in noted.items()}))
    return {
        "source": origin.name, "version": store.version, "segments": len(built.segments), "events": len(built.events),
        "links": len(built.links), "chains": len(built.chains), "added": len(added), "retired": len(retired),
        "written": True,
    }  # fmt: skip


def _stored_records(store: NarrativeStore, source: str) -> dict[str, Record]:
    """Return all records of a source, by id."""
    events = store.events(source)
    links = store.links([event.id for event in events])
    records = (*events, *store.segments(source), *store.entities(source), *links, *store.chains(source))
    return {record.id: record for record in records}


@contextmanager
def _progress(console: Console, options: BuildOptions) -> Iterator[Progress]:
    """Show progress on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:.0f} of {task.total:.0f}"))
    with Bars(*columns, console=console, transient=True, disable=options.as_json or not console.is_terminal) as bars:
        task = bars.add_task("reading", total=1)

        def show(what: str, done: int, of: int) -> None:
            bars.update(task, description=what, completed=done, total=max(1, of))

        yield show


def _show_plan(planned: Plan, origin: Origin, config: Config, console: Console, as_json: bool) -> None:
    result = planned.as_json()
    if not planned.calls and origin.kind == "text":  # fast enough to make the plan exact
        words = read_words(origin, lambda message: None)
        lasts_s = max(cue.end_s for cue in words.cues)
        material = Material(origin.name, words.clock, words.cues, duration_s=lasts_s)
        built = build(material)
        stored: dict[str, Record] = {}
        if (config.folder / FOLDER / FILE_NAME).exists():
            with open_store(config) as store:
                stored = _stored_records(store, origin.name)
        wanted = {record.id for record in built.records}
        result |= {"segments": len(built.segments), "events": len(built.events)}
        result |= {"added": len(wanted - stored.keys()), "retired": len(stored.keys() - wanted)}
    if as_json:
        print(json.dumps(result))
        return
    name = safe(short_name(origin.name))
    console.print(f"{name}: {result['segments']} segments, {planned.words} words", highlight=False)
    if "added" in result:
        console.print(
            f"{result['events']} events; {result['added']} records would be added, {result['retired']} retired",
            highlight=False,
        )
    if not planned.calls:
        console.print("no model calls")
        return
    seconds = "unknown time (no calls measured yet)" if planned.seconds is None else f"{planned.seconds:.0f} s"
    number = sum(planned.calls.values())
    by_role = ", ".join(f"{calls} to {role}" for role, calls in planned.calls.items())
    console.print(
        f"at most {number} calls of {safe(planned.model)} ({by_role}), about {planned.tokens:,} tokens, {seconds}; "
        "cached answers cost nothing",
        highlight=False,
        soft_wrap=True,
    )


def _show_built(result: dict[str, Any], built: Built, origin: Origin, console: Console, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result))
        return
    counts = ", ".join(f"{result[name]} {name}" for name in ("segments", "events", "links", "chains"))
    records = f"{result['added']} records added, {result['retired']} retired"
    summary = f"{short_name(origin.name)}: {counts}; {records}"
    console.print(safe(summary), highlight=False, soft_wrap=True)
    if "calls" in result:
        console.print(
            f"{result['calls']} calls, {result['tokens']:,} tokens, {result['model_seconds']:.0f} s of the model; "
            f"{result['kept_answers']} answers from the cache",
            highlight=False,
        )
    problems = built.problems
    if problems.by_rules or problems.unsupported or problems.refused:
        console.print(
            f"[yellow]note:[/] rules replaced {problems.by_rules} unusable answers (build again to retry); left out "
            f"{problems.unsupported} events without supporting text and {problems.refused} impossible links",
            soft_wrap=True,
        )


def _plain(found: Retrieved, clock: str) -> dict[str, object]:
    return {
        "clock": clock,
        "tokens": found.tokens,
        "chains": [chain.summary for chain in found.chains if chain.summary],
        "events": [
            {
                "id": scored.event.id, "start_s": scored.event.start_s, "end_s": scored.event.end_s,
                "text": scored.event.summary, "score": round(scored.score, 6), "ranks": dict(scored.ranks),
                "via": None if scored.via is None else {"type": scored.via.type, "why": scored.via.why},
            }
            for scored in found.told
        ],
    }  # fmt: skip
