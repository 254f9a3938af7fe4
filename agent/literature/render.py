"""Terminal output and files of `attend literature`: lists, documents and answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from agent.cli.console import make_console, plain, safe
from agent.config import Config
from agent.literature.library import Library
from tools.errors import ConfigError, StoreError
from tools.literature.export.formats import address_of, answer_html, answer_text, bibtex, is_pdf, reference, ris
from tools.literature.retrieval.relevance import FIRST, POOL, best_sentences
from tools.literature.retrieval.retrieve import Retrieved
from tools.literature.support.answer import NOTICE, LiteratureAnswer
from tools.literature.types import Document, Filters

if TYPE_CHECKING:
    from agent.models.protocol import MLLM


MAX_HEADINGS = 6
"""Maximum number of MeSH headings per document in a list; `show` prints all."""


@dataclass(frozen=True)
class Files:
    """Files to write an answer to, besides the terminal; None writes none."""

    html: Path | None = None
    bibtex: Path | None = None
    ris: Path | None = None


def show_found(found: Retrieved, console: Console) -> None:
    """Print search results, each with its best sentence and headings, and any problems of the sources."""
    for number, hit in enumerate(found.hits, start=1):
        mark = "[bold red]RETRACTED[/] " if hit.document.retracted else ""
        cited = safe(reference(hit.document).removeprefix("RETRACTED: "))
        console.print(f"{number:>3}. [bold]{safe(hit.document.id)}[/]  {mark}{cited}", soft_wrap=True)
        for sentence in best_sentences(found.question, [hit.document], 1):
            console.print(f"     [dim]{safe(' '.join(sentence.text.split()))}[/]", soft_wrap=True)
        if headings := "; ".join((*hit.document.publication_types, *hit.document.mesh[:MAX_HEADINGS])):
            console.print(f"     [dim italic]{safe(headings)}[/]", soft_wrap=True)
    if not found.hits:
        console.print("Nothing found.")
    for problem in found.problems:
        console.print(f"[yellow]{safe(problem.source)}:[/] {safe(problem.reason)}", soft_wrap=True)
    console.print(f"[dim]{found.seconds:.2f} s. {NOTICE}[/]")


def show_document(document: Document, console: Console) -> None:
    """Print a whole document."""
    if document.retracted:
        console.print("[bold red]RETRACTED[/]")
    console.print(f"[bold]{safe(document.title or document.id)}[/]", soft_wrap=True)
    file = f"file {document.source}" if is_pdf(document) else ""
    about = (", ".join(document.authors), document.journal, document.published, document.id, address_of(document), file)
    console.print(f"[dim]{safe('. '.join(part for part in about if part))}[/]", soft_wrap=True)
    for section in document.sections:
        label = f"[bold]{safe(section.label)}[/] " if section.label else ""
        console.print(f"\n{label}{safe(section.text)}", soft_wrap=True)
    for name, values in (("Types", document.publication_types), ("MeSH", document.mesh)):
        if values:
            console.print(f"\n[dim]{name}: {safe('; '.join(values))}[/]", soft_wrap=True)
    if document.licence:
        console.print(f"[dim]Licence: {safe(document.licence)}[/]", soft_wrap=True)
    console.print(f"\n[dim]{NOTICE}[/]")


def run_answer(
    question: str,
    library: Library,
    config: Config,
    console: Console,
    *,
    filters: Filters,
    findings: str,
    limit: int | None,
    agentic: bool,
    files: Files,
    as_json: bool,
) -> LiteratureAnswer:
    """Answer a question, print the answer and write the requested files.

    Raises:
        ConfigError: if `agentic` is set and the model cannot run its own searches, or a limit is given.
        ModelError: if it fails.
        StoreError: if a file cannot be written.
    """
    if agentic and limit is not None:
        raise ConfigError(
            f"cannot combine --limit {limit} with --agentic: the model chooses what it opens, within its budget.",
            remedy="Leave one of them out.",
        )
    stderr = make_console(stderr=True)
    model = _model(config, stderr, agentic=agentic)
    with stderr.status("searching ...") as shown:

        def progress(message: str) -> None:
            shown.update(safe(message))

        answer = _answer(question, library, model, filters, findings, limit, agentic, progress)
    if as_json:
        print(answer.model_dump_json())
    else:
        console.print(plain(answer_text(answer)), markup=False, soft_wrap=True)
    _write(answer, files, stderr)
    return answer


def _answer(
    question: str,
    library: Library,
    model: MLLM | None,
    filters: Filters,
    findings: str,
    limit: int | None,
    agentic: bool,
    progress: Callable[[str], None],
) -> LiteratureAnswer:
    from agent.literature.answer import answer_question
    from agent.literature.search_agent import answer_with_search

    if agentic and model is not None:
        answer, _ = answer_with_search(
            question, library.sources, model, filters=filters, embed=library.embed, rerank=library.rerank,
            diversity=library.diversity, findings=findings, progress=progress,
        )  # fmt: skip
        return answer
    asked = " ".join(part for part in (question, findings) if part)
    found = library.retrieve(asked, limit=POOL, filters=filters)
    progress("answering ...")
    return answer_question(question, found, model, findings, limit or FIRST)


def _model(config: Config, stderr: Console, *, agentic: bool) -> MLLM | None:
    """Load the configured model; return None for the embedded one, which quotes."""
    if config.model == "embedded":
        model = None
    else:
        from agent.models import load_mllm

        model = load_mllm(config.model, config.mllm)
        model.preflight()
        if not model.abilities.local:
            stderr.print("[bold red]the question and documents go to the model's server[/]")
    if agentic and (model is None or not model.abilities.structured):
        raise ConfigError(
            f"the model {config.model!r} cannot run its own searches.",
            expected="a model with structured output (JSON)",
            remedy="Choose a larger one with --model, or leave out --agentic.",
        )
    return model


def _write(answer: LiteratureAnswer, files: Files, stderr: Console) -> None:
    made = (
        (files.html, lambda: answer_html(answer)),
        (files.bibtex, lambda: bibtex(answer.cited)),
        (files.ris, lambda: ris(answer.cited)),
    )
    for path, make in made:
        if path is None:
            continue
        if path != files.html and not answer.cited:
            stderr.print(f"[yellow]not written: {safe(str(path))}, because no document is cited[/]", soft_wrap=True)
            continue
        try:
            path.write_text(make(), "utf-8")
        except OSError as error:
            raise StoreError(
                f"cannot write {str(path)!r}: {error.strerror or error}.", remedy="Choose another file."
            ) from error
        stderr.print(f"[dim]written: {safe(str(path))}[/]", soft_wrap=True)
