"""`attend literature`: index and search papers, and answer questions from them with citations."""

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
"""Exit code if nothing was found or no answer was given."""
INTERRUPTED = 130
"""Exit code of a program ended by Ctrl-C, by shell convention."""

Folder = Annotated[Path | None, typer.Option(help="Folder for conversations, frames, notes and literature.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="Settings file (default: attend.toml, if found).")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Sources = Annotated[
    list[str] | None,
    typer.Option(
        "--source", help="local, pubmed or europepmc; repeatable (default: from the settings, initially local)."
    ),
]
YearFrom = Annotated[int | None, typer.Option(help="Earliest year of publication.")]
YearTo = Annotated[int | None, typer.Option(help="Latest year of publication.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="Publication type, spelled as in PubMed; repeatable (any matches).")
]
Mesh = Annotated[list[str] | None, typer.Option(help="MeSH heading; repeatable (any matches).")]
NoRetracted = Annotated[bool, typer.Option("--no-retracted", help="Exclude retracted documents (default: flag them).")]
ByMeaning = Annotated[
    bool, typer.Option("--dense/--no-dense", help="Also search by meaning, if there are vectors; loads a model.")
]
Diversity = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Penalty for documents similar to higher-ranked ones, 0 (default) to 1."),
]
Limit = Annotated[int | None, typer.Option(min=1, max=200, help="Maximum number of documents (default 10).")]
ReadLimit = Annotated[
    int | None,
    typer.Option(min=1, max=10, help="Number of top-ranked documents to read (default 10; at most 8 are cited)."),
]


@literature_app.command()
def index(
    paths: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders: PubMedQA JSON, PubMed or JATS XML, JSON Lines, PDF; also gzipped (.gz)."
        ),
    ],
    dense: Annotated[
        bool | None,
        typer.Option(
            "--dense/--no-dense",
            help="Compute vectors for search by meaning (default: only if that takes a few minutes at most).",
        ),
    ] = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Index files; only new and changed ones are read, and an interrupted run can be resumed."""
    from agent.cli.literature_index import index_paths

    try:
        index_paths(paths, _settings(config, folder), make_console(), dense=dense, as_json=as_json)
    except KeyboardInterrupt:
        message = "stopped; what was read so far can be searched. Run the same command again to continue."
        make_console(stderr=True).print(f"[yellow]{message}[/]", soft_wrap=True)
        raise typer.Exit(INTERRUPTED) from None


@literature_app.command()
def status(folder: Folder = None, config: ConfigFile = None, as_json: Json = False) -> None:
    """Show what is indexed, from which files, and what could not be read."""
    from agent.cli.literature_index import show_status

    show_status(_settings(config, folder), make_console(), as_json=as_json)


@literature_app.command()
def forget(
    what: Annotated[
        list[str],
        typer.Argument(metavar="PATH|ID...", help="Files or folders, existing or not, or ids such as pmid:28612165."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Skip the confirmation.")] = False,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Remove documents from the index; the files themselves stay. Documents of a file return if it changes and is
    indexed again. Exit code 5 if none of them is indexed."""
    from agent.config import literature_folder
    from tools.literature.index.corpus import open_corpus
    from tools.literature.index.forget import forget as forget_documents
    from tools.literature.index.forget import meant

    with open_corpus(literature_folder(_settings(config, folder)), writer=True) as corpus:
        found = meant(corpus, what)
        for one in found.unknown:
            message = f"nothing is indexed under {one!r}: `attend literature status` lists the files"
            make_console(stderr=True).print(f"[yellow]{safe(message)}[/]", soft_wrap=True)
        if not found.files and not found.ids:
            raise typer.Exit(NOT_FOUND)
        if not yes:
            if not sys.stdin.isatty():
                raise ConfigError("cannot ask for confirmation without a terminal.", remedy="Add --yes.")
            message = f"{found.documents} documents from {len(found.files)} files and {len(found.ids)} ids"
            if not typer.confirm(f"Forget {message}?", err=True):
                raise typer.Exit(1)
        gone = forget_documents(corpus, found)
    print(json.dumps({"forgotten": gone})) if as_json else make_console().print(f"{gone} documents forgotten.")


@literature_app.command()
def search(
    words: Annotated[str, typer.Argument(help="A question or keywords.")],
    year_from: YearFrom = None,
    year_to: YearTo = None,
    types: Types = None,
    mesh: Mesh = None,
    no_retracted: NoRetracted = False,
    sources: Sources = None,
    dense: ByMeaning = True,
    diversity: Diversity = None,
    limit: Limit = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Find documents, best first; exit code 5 if there are none. Queries are sent only to pubmed and europepmc, after
    you agree."""
    from agent.literature.library import open_library
    from agent.literature.render import show_found

    filters = _filters(year_from, year_to, types, mesh, no_retracted)
    settings = _settings(config, folder, {"literature.diversity": diversity})
    with open_library(settings, names=sources or (), dense=dense, allow=_consent(), show=_print_sent) as library:
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
        typer.Argument(
            metavar="ID", help="An id as listed by a search, such as pmid:28612165; or a PubMed number, PMCID or DOI."
        ),
    ],
    sources: Sources = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Print a document; exit code 5 if it is not found."""
    from agent.literature.library import open_library
    from agent.literature.render import show_document
    from tools.literature.identifiers import normal_id

    settings = _settings(config, folder)
    wanted = f"pmid:{id_.strip().lstrip('0')}" if id_.strip().isdigit() else normal_id(id_) or id_
    with open_library(settings, names=sources or (), dense=False, allow=_consent(), show=_print_sent) as library:
        founds = [source.fetch([wanted]) for source in library.sources]
    documents = [hit.document for found in founds for hit in found.hits]
    if not documents:
        reasons = "; ".join(f"{problem.source}: {problem.reason}" for found in founds for problem in found.problems)
        make_console(stderr=True).print(f"cannot find {safe(repr(id_))}. {safe(reasons)}", soft_wrap=True)
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
        typer.Option(
            help="Model that writes the claims (default: from the settings); the embedded one quotes sentences."
        ),
    ] = None,
    agentic: Annotated[
        bool, typer.Option("--agentic", help="Let the model run its own searches, within a budget.")
    ] = False,
    findings: Annotated[str, typer.Option(help="Imaging findings, in words; included in the search.")] = "",
    html: Annotated[Path | None, typer.Option(help="Write an HTML page with claims and evidence side by side.")] = None,
    bibtex: Annotated[Path | None, typer.Option(help="Write the cited documents as BibTeX.")] = None,
    ris: Annotated[Path | None, typer.Option(help="Write the cited documents as RIS.")] = None,
    year_from: YearFrom = None,
    year_to: YearTo = None,
    types: Types = None,
    mesh: Mesh = None,
    no_retracted: NoRetracted = False,
    sources: Sources = None,
    dense: ByMeaning = True,
    diversity: Diversity = None,
    limit: ReadLimit = None,
    folder: Folder = None,
    config: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Answer a question from the literature, each claim with its sources and quotes; exit code 5 if there is no answer.
    A remote model receives the question and documents; queries are sent to pubmed and europepmc after you agree."""
    from agent.literature.library import open_library
    from agent.literature.render import Files, run_answer

    filters = _filters(year_from, year_to, types, mesh, no_retracted)
    settings = _settings(config, folder, {"model": model, "literature.diversity": diversity})
    if not question.strip():
        raise ConfigError("the question is empty.", expected="some text")
    with open_library(settings, names=sources or (), dense=dense, allow=_consent(), show=_print_sent) as library:
        given = run_answer(
            question, library, settings, make_console(), filters=filters, findings=findings, limit=limit,
            agentic=agentic, files=Files(html=html, bibtex=bibtex, ris=ris), as_json=as_json,
        )  # fmt: skip
    raise typer.Exit(NOT_FOUND if given.abstained else 0)


def _filters(
    year_from: int | None, year_to: int | None, types: list[str] | None, mesh: list[str] | None, no_retracted: bool
) -> Filters:
    from tools.literature.types import Filters

    if year_from is not None and year_to is not None and year_from > year_to:
        raise ConfigError(f"invalid years: --year-from {year_from} is after --year-to {year_to}.", remedy="Swap them.")
    return Filters(
        year_from=year_from,
        year_to=year_to,
        publication_types=tuple(types or ()),
        mesh=tuple(mesh or ()),
        exclude_retracted=no_retracted,
    )


def _consent() -> Callable[[str, str, str], bool] | None:
    """Return a function that asks at the terminal whether a query may be sent; None without a terminal."""
    return _ask if sys.stdin.isatty() else None


def _ask(query: str, source: str, suspected: str) -> bool:
    console = make_console(stderr=True)
    console.print(f"Query for {safe(source)}, over the network: [bold]{safe(query)}[/]", soft_wrap=True)
    scope = (
        f"Your consent covers {safe(source)} until this command ends; each query sent is shown, and one that may still "
    )
    console.print(f"[dim]{scope}contain a name needs your consent again.[/]", soft_wrap=True)
    if suspected:
        message = f"It may contain a name or a place: {suspected}."
        console.print(f"[bold yellow]{safe(message)}[/]", soft_wrap=True)
    return typer.confirm("Send it, and later queries?", err=True)


def _print_sent(query: str, source: str) -> None:
    make_console(stderr=True).print(f"[dim]sent to {safe(source)}: {safe(query)}[/]", soft_wrap=True)


def _settings(config: Path | None, folder: Path | None, flags: Mapping[str, Any] | None = None) -> Config:
    from agent.config import load_config

    return load_config({"folder": folder, **(flags or {})}, file=config)
