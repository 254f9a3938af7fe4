"""The verbs `attend audit` and `attend stop`: what was done on screens, and how to end it at once."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.console import make_console, safe
from agent.gui.path_checks import check_new

audit_app = typer.Typer(no_args_is_help=True, help="What was asked, decided and done on screens.")

AuditFile = Annotated[Path, typer.Argument(help="An audit file, JSON lines.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@audit_app.command("verify")
def verify_audit(
    file: AuditFile,
    entries: Annotated[int | None, typer.Option(min=0, help="The number of lines that was noted elsewhere.")] = None,
    head: Annotated[str | None, typer.Option(help="The last hash that was noted elsewhere.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no line of an audit file was changed, removed or moved; exit code 1 if one was, or if there is none.

    Lines cut off at the end, and a file written anew as a whole, are found only with --entries and --head.
    """
    from tools.gui.guard.audit import verify_kept

    checked = verify_kept(file, entries=entries, head=head)
    if as_json:
        _print_json({"holds": checked.holds, **vars(checked)})
    elif checked.holds:
        make_console().print(f"[green]holds[/]  {checked.entries} entries, last hash {checked.head}", soft_wrap=True)
    else:
        told = f"line {checked.line}: {checked.problem}. {checked.entries} entries before it hold."
        make_console().print(f"[bold red]does not hold[/]  {safe(told)}", soft_wrap=True)
    raise typer.Exit(0 if checked.holds else 1)


@audit_app.command("report")
def report_audit(
    file: AuditFile,
    html: Annotated[
        Path | None,
        typer.Option(help="Where the page is written, a new file (default FILE.html, which is replaced)."),
    ] = None,
    known: Annotated[
        list[str] | None, typer.Option(help="A detail to take out, such as a name; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write an audit file as one page, redacted, that needs nothing else; exit codes are those of `audit verify`.

    The page can be read by its owner only, as the file can.
    """
    from tools.gui.guard.audit import verify_kept
    from tools.gui.guard.audit_report import write_audit_report
    from tools.privacy.redact import Redactor

    check_new("--html", html)
    checked = verify_kept(file)
    out = html or file.with_name(file.name + ".html")
    entries = write_audit_report(file, out, Redactor(known=known or ()))
    if as_json:
        _print_json({"entries": entries, "html": str(out), "holds": checked.holds})
    else:
        make_console().print(f"{entries} entries: {safe(str(out))}", soft_wrap=True)
        if not checked.holds:
            told = f"line {checked.line}: {checked.problem}"
            make_console().print(f"[bold red]does not hold[/]  {safe(told)}", soft_wrap=True)
    raise typer.Exit(0 if checked.holds else 1)


def stop(
    clear: Annotated[bool, typer.Option("--clear", help="Let work begin again.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where conversations, frames and notes are kept.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file; else attend.toml is found.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stop all work on screens at once, in every process that shares this folder; it stays stopped until --clear.

    Runs that were begun with another --folder go on: each folder is stopped by itself.
    """
    from agent.config import load_config
    from tools.gui.guard.kill_switch import clear_command, clear_stop, read_stop, write_stop

    place = load_config({"folder": folder}, file=config).folder
    if clear:
        cleared = clear_stop(place)
        told = f"{'work may begin again' if cleared else 'nothing was stopped'}, in the folder {place}"
    else:
        write_stop(place, f"attend stop ({getpass.getuser()})")
        told = (
            f"stopped by {read_stop(place)}: all runs of the folder {place}\n"
            "Runs that were begun with another --folder are not stopped.\n"
            f"Let work begin again with: {clear_command(place)}"
        )
    if as_json:
        _print_json({"stopped": bool(read_stop(place)), "by": read_stop(place), "folder": str(place)})
    else:
        make_console().print(safe(told), soft_wrap=True)


def _print_json(told: dict[str, Any]) -> None:
    typer.echo(json.dumps(told))
