"""`attend audit` and `attend stop`: check and report GUI audit files, and the kill switch."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from agent.cli.console import make_console, safe
from agent.gui.path_checks import check_new

audit_app = typer.Typer(no_args_is_help=True, help="Verify and report audit files of screen actions.")

AuditFile = Annotated[Path, typer.Argument(help="An audit file (JSON lines).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@audit_app.command("verify")
def verify_audit(
    file: AuditFile,
    entries: Annotated[int | None, typer.Option(min=0, help="Expected number of entries, noted elsewhere.")] = None,
    head: Annotated[str | None, typer.Option(help="Expected last hash, noted elsewhere.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check that no line of an audit file was changed, removed or moved; exit code 1 if one was or the file is empty.

    Truncation at the end, and a rewritten file, are detected only with --entries and --head.
    """
    from tools.gui.guard.audit import verify_kept

    checked = verify_kept(file, entries=entries, head=head)
    if as_json:
        _print_json({"holds": checked.holds, **vars(checked)})
    elif checked.holds:
        make_console().print(f"[green]valid[/]  {checked.entries} entries, last hash {checked.head}", soft_wrap=True)
    else:
        message = f"line {checked.line}: {checked.problem}. {checked.entries} entries before it are valid."
        make_console().print(f"[bold red]not valid[/]  {safe(message)}", soft_wrap=True)
    raise typer.Exit(0 if checked.holds else 1)


@audit_app.command("report")
def report_audit(
    file: AuditFile,
    html: Annotated[
        Path | None,
        typer.Option(help="Write the page to this new file (default: FILE.html, overwritten)."),
    ] = None,
    known: Annotated[list[str] | None, typer.Option(help="Text to redact, such as a name; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a redacted, self-contained HTML report of an audit file; exit codes as for `audit verify`.

    Like the audit file, the page is readable by its owner only.
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
            message = f"line {checked.line}: {checked.problem}"
            make_console().print(f"[bold red]not valid[/]  {safe(message)}", soft_wrap=True)
    raise typer.Exit(0 if checked.holds else 1)


def stop(
    clear: Annotated[bool, typer.Option("--clear", help="Allow work again.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Folder for conversations, frames and notes.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file (default: attend.toml, if found).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Stop all work on screens at once, in every process that uses this folder, until `attend stop --clear`.

    Runs started with another --folder continue: each folder has its own stop.
    """
    from agent.config import load_config
    from tools.gui.guard.kill_switch import clear_command, clear_stop, read_stop, write_stop

    place = load_config({"folder": folder}, file=config).folder
    if clear:
        cleared = clear_stop(place)
        message = f"{'work is allowed again' if cleared else 'nothing was stopped'} in the folder {place}"
    else:
        write_stop(place, f"attend stop ({getpass.getuser()})")
        message = (
            f"stopped by {read_stop(place)}: all runs of the folder {place}\n"
            "Runs started with another --folder are not stopped.\n"
            f"To allow work again: {clear_command(place)}"
        )
    if as_json:
        _print_json({"stopped": bool(read_stop(place)), "by": read_stop(place), "folder": str(place)})
    else:
        make_console().print(safe(message), soft_wrap=True)


def _print_json(message: dict[str, Any]) -> None:
    typer.echo(json.dumps(message))
