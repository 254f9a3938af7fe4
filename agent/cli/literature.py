"""`attend literature`: index papers on this machine, search them and others, and answer from them with citations."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import make_console, safe
from tools.errors import ConfigError

if TYPE_CHECKING:
    from agent.config import Config
    from tools.literature.types import Filters

literature_app = typer.Typer(no_args_is_help=True, help="Find and cite medical literature. For research use.")

NOT_FOUND = 5
"""The exit code where nothing was found, or no answer given."""
INTERRUPTED = 130
"""The exit code of a program that Ctrl-C ended, by convention of shells."""

Folder = Annotated[Path | None, typer.Option(help="Where conversations, frames, notes and literature are kept.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A settings file; else attend.toml is looked for.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Sources = Annotated[
    list[str] | None,
    typer.Option("--source", help="local, pubmed or europepmc; may be repeated (default: settings, at first local)."),
]
YearFrom = Annotated[int | None, typer.Option(help="Published in this year or later.")]
YearTo = Annotated[int | None, typer.Option(help="Published in this year or earlier.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="A publication type, as PubMed spells it; any of those given.")
]
Mesh = Annotated[list[str] | None, typer.Option(help="A MeSH heading; any of those given.")]
Sound = Annotated[bool, typer.Option("--no-retracted", help="Leave out what was retracted; else it is flagged.")]
ByMeaning = Annotated[
    bool, typer.Option("--dense/--no-dense", help="Search by meaning, too, where there are vectors; it loads a model.")
]
Diversity = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Set back documents that are much like better ones: 0 not at all (default), to 1."),
]
Limit = Annotated[int | None, typer.Option(min=1, max=200, help="Documents, at most (default 10).")]
Looked = Annotated[
    int | None,
    typer.Option(
        min=1, max=10, help="Of the documents found, how many are looked at (default 10); 8 at most are used."
    ),
]


@literature_app.command()
def index(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files or folders: PubMedQA JSON, PubMed or JATS XML, JSON Lines, PDF; also packed (.gz)."),
    ],
    dense: Annotated[
        bool | None,
        typer.Option(
            "--dense/--no-dense", help="Make vectors, to search by meaning (default: only where that takes minutes)."
        ),
    ] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Bring files into the literature on this machine; only what is new or changed is read, and it may be cut off."""
    from agent.cli.literature_index import index_paths

    try:
        index_paths(paths, _settings(config, folder), make_console(), dense=dense, as_json=as_json)
    except KeyboardInterrupt:
        told = "stopped; what was read so far is kept and can be searched. The same command goes on from there."
        make_console(stderr=True).print(f"[yellow]{told}[/]", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


@literature_app.command()
def status(folder: Folder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Say what is indexed, from where, and what could not be read."""
    from agent.cli.literature_index import show_status

    show_status(_settings(config, folder), make_console(), as_json=as_json)


@literature_app.command()
def forget(
    what: Annotated[
        list[str],
        typer.Argument(metavar="PATH|ID...", help="Files or folders, there or gone, or ids such as pmid:28612165."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Take documents out of the literature on this machine; the files themselves stay. What a file holds comes back if
    it changes and is indexed again; exit code 5 if nothing of it is indexed."""
    from agent.config import literature_folder
    from tools.literature.index.corpus import open_corpus
    from tools.literature.index.forget import forget as forget_documents
    from tools.literature.index.forget import meant

    with open_corpus(literature_folder(_settings(config, folder)), writer=True) as corpus:
        found = meant(corpus, what)
        for one in found.unknown:
            told = f"nothing indexed comes from, or is called, {one!r}: `attend literature status` lists the files"
            make_console(stderr=True).print(f"[yellow]{safe(told)}[/]", soft_wrap=True)
        if not found.files and not found.ids:
            raise typer.Exit(NOT_FOUND)
        if not yes:
            if not sys.stdin.isatty():
                raise ConfigError("nobody can be asked whether to forget.", remedy="Add --yes.")
            told = f"{found.documents} documents, of {len(found.files)} files and {len(found.ids)} ids"
            if not typer.confirm(f"Forget {told}?", err=True):
                raise typer.Exit(1)
        gone = forget_documents(corpus, found)
    print(json.dumps({"forgotten": gone})) if as_json else make_console().print(f"{gone} documents forgotten.")


@literature_app.command()
def search(
    words: Annotated[str, typer.Argument(help="A question, or words.")],
    year_from: YearFrom = None,
    year_to: YearTo = None,
    types: Types = None,
    mesh: Mesh = None,
    no_retracted: Sound = False,
    sources: Sources = None,
    dense: ByMeaning = True,
    diversity: Diversity = None,
    limit: Limit = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Find documents, best first; exit code 5 if there are none. Queries leave only for pubmed and europepmc, and after
    you said yes."""
    from agent.literature.library import open_library
    from agent.literature.render import show_found

    filters = _filters(year_from, year_to, types, mesh, no_retracted)
    settings = _settings(config, folder, {"literature.diversity": diversity})
    with open_library(settings, names=sources or (), dense=dense, allow=_allow(), show=_show) as library:
        found = library.retrieve(words, limit=limit, filters=filters)
    if as_json:
        print(found.model_dump_json())
    else:
        show_found(found, make_console())
    raise typer.Exit(0 if found.hits else NOT_FOUND)


@literature_app.command()
def show(
    id_: Annotated[
        str,
        typer.Argument(metavar="ID", help="As a search lists it, such as pmid:28612165; or a number, PMCID or DOI."),
    ],
    sources: Sources = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print a document; exit code 5 if it is not there."""
    from agent.literature.library import open_library
    from agent.literature.render import show_document
    from tools.literature.identifiers import normal_id

    settings = _settings(config, folder)
    wanted = f"pmid:{id_.strip().lstrip('0')}" if id_.strip().isdigit() else normal_id(id_) or id_
    with open_library(settings, names=sources or (), dense=False, allow=_allow(), show=_show) as library:
        founds = [source.fetch([wanted]) for source in library.sources]
    documents = [hit.document for found in founds for hit in found.hits]
    if not documents:
        reasons = "; ".join(f"{problem.source}: {problem.reason}" for found in founds for problem in found.problems)
        make_console(stderr=True).print(f"{safe(repr(id_))} was not found. {safe(reasons)}", soft_wrap=True)
        raise typer.Exit(NOT_FOUND)
    if as_json:
        print(documents[0].model_dump_json())
    else:
        show_document(documents[0], make_console())


@literature_app.command()
def answer(
    question: Annotated[str, typer.Argument(help="A clinical question.")],
    model: Annotated[
        str | None,
        typer.Option(help="Who states the claims (default: settings); the embedded one, at first, quotes sentences."),
    ] = None,
    agentic: Annotated[
        bool, typer.Option("--agentic", help="Let the model search by itself, within a budget.")
    ] = False,
    findings: Annotated[str, typer.Option(help="What was seen in pictures, in words; searched for, too.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write a page with the evidence side by side.")] = None,
    bibtex: Annotated[Path | None, typer.Option(help="Write the cited documents as BibTeX.")] = None,
    ris: Annotated[Path | None, typer.Option(help="Write the cited documents as RIS.")] = None,
    year_from: YearFrom = None,
    year_to: YearTo = None,
    types: Types = None,
    mesh: Mesh = None,
    no_retracted: Sound = False,
    sources: Sources = None,
    dense: ByMeaning = True,
    diversity: Diversity = None,
    limit: Looked = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the literature, each claim with its documents and their words; exit code 5 without one.
    A model on a server is told question and documents; queries leave for pubmed and europepmc after you said yes."""
    from agent.literature.library import open_library
    from agent.literature.render import Files, answer_aloud

    filters = _filters(year_from, year_to, types, mesh, no_retracted)
    settings = _settings(config, folder, {"model": model, "literature.diversity": diversity})
    if not question.strip():
        raise ConfigError("there is no question to answer.", expected="some text")
    with open_library(settings, names=sources or (), dense=dense, allow=_allow(), show=_show) as library:
        given = answer_aloud(
            question, library, settings, make_console(), filters=filters, findings=findings, limit=limit,
            agentic=agentic, files=Files(html=html, bibtex=bibtex, ris=ris), as_json=as_json,
        )  # fmt: skip
    raise typer.Exit(NOT_FOUND if given.abstained else 0)


def _filters(
    year_from: int | None, year_to: int | None, types: list[str] | None, mesh: list[str] | None, no_retracted: bool
) -> Filters:
    from tools.literature.types import Filters

    if year_from is not None and year_to is not None and year_from > year_to:
        raise ConfigError(
            f"no year lies between {year_from} and {year_to}.", remedy="Name the earlier year with --year-from."
        )
    return Filters(
        year_from=year_from,
        year_to=year_to,
        publication_types=tuple(types or ()),
        mesh=tuple(mesh or ()),
        exclude_retracted=no_retracted,
    )


def _allow() -> Callable[[str, str, str], bool] | None:
    """What asks the person at the terminal whether a query may leave; None where nobody sits there."""
    return _ask if sys.stdin.isatty() else None


def _ask(query: str, source: str, suspected: str) -> bool:
    console = make_console(stderr=True)
    console.print(f"To {safe(source)}, on the network, would be sent: [bold]{safe(query)}[/]", soft_wrap=True)
    scope = (
        f"A yes holds for {safe(source)} until this command ends; each query that leaves is shown, and one in which "
    )
    console.print(f"[dim]{scope}a name may be left is asked about again.[/]", soft_wrap=True)
    if suspected:
        told = f"It may hold a name or a place: {suspected}."
        console.print(f"[bold yellow]{safe(told)}[/]", soft_wrap=True)
    return typer.confirm("Send it, and the queries that follow?", err=True)


def _show(query: str, source: str) -> None:
    make_console(stderr=True).print(f"[dim]sent to {safe(source)}: {safe(query)}[/]", soft_wrap=True)


def _settings(config: Path | None, folder: Path | None, flags: Mapping[str, Any] | None = None) -> Config:
    from agent.config import load_config

    return load_config({"folder": folder, **(flags or {})}, file=config)
