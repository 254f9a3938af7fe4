"""`attend gui run`: option checks, and dispatch to a workflow file, Orthanc, or a planning model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.gui_model import check_model, load_screen_model, parse_strictness
from agent.gui.exit_codes import ACTING_MODES, exit_code, stoppable
from agent.gui.masked_errors import errors_masked
from agent.gui.path_checks import check_folder, check_new
from tools.errors import ConfigError

if TYPE_CHECKING:
    from agent.gui.planner import Planner


@errors_masked
def run(
    what: Annotated[str, typer.Argument(help="A workflow (FILE.yaml), or a request in words.")],
    target: Annotated[str, typer.Option(help="An http(s):// URL, 'desktop', 'orthanc', or orthanc@URL.")] = "",
    mode: Annotated[str, typer.Option(help="observe or suggest (no actions), confirm, or auto.")] = "suggest",
    approve: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a person who approves the workflow's own steps in advance; repeatable. Others are asked. "
            "Names are not verified: whoever starts the run vouches that two names are two people."
        ),
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE for a parameter of the workflow; repeatable.")
    ] = None,
    patient: Annotated[
        str, typer.Option(help="'NAME; BIRTH DATE; ID' as shown on the screen, if the policy requires identity.")
    ] = "",
    pixels: Annotated[bool, typer.Option("--pixels", help="Use pixels only, without the accessibility tree.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write the workflow with the found targets to this new file.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume the run of this journal.")] = None,
    model: Annotated[
        str,
        typer.Option(help="Model that plans requests without a built-in workflow, and locates what is not found."),
    ] = "",
    policy: Annotated[Path | None, typer.Option(help="Policy (YAML) of what a planned request may do.")] = None,
    expect: Annotated[str, typer.Option(help="Words that the screen must show when a planned request is done.")] = "",
    save: Annotated[Path | None, typer.Option(help="Save a planned run as a workflow to this new file.")] = None,
    max_steps: Annotated[int, typer.Option(min=1, max=500, help="Maximum number of steps a model may propose.")] = 30,
    max_seconds: Annotated[float, typer.Option(min=1, help="Time limit of a planned run, in seconds.")] = 600,
    max_tokens: Annotated[int, typer.Option(min=1, help="Token limit of a planned run.")] = 200_000,
    phi: Annotated[
        str, typer.Option(help="Redaction of personal details sent to a remote model: on, or strict (with Presidio).")
    ] = "on",
    downloads: Annotated[Path | None, typer.Option(help="Folder for downloads.")] = None,
    connect: Annotated[str, typer.Option(help="DevTools address of a running Chromium to use.")] = "",
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser window.")] = False,
    window: Annotated[str, typer.Option(help="Browser window size, WIDTHxHEIGHT; larger pages are zoomed out.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Folder for journals and the audit file.")] = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file (default: attend.toml, if found).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: one line per step, then a summary.")] = False,
) -> None:
    """Run a workflow on a screen. Exit code: 0 verified, 3 unverified, 4 halted, 6 to reconcile, 7 cancelled.

    The workflow's policy checks every action; each is bound to the pixels it was planned on, and recorded. Whatever the
    policy does not allow outright needs your approval. Mode 'suggest' does nothing: it shows the plan and where the
    first step would land. If no built-in workflow matches a request, --model plans it one step at a time; every step
    that may change something needs your approval, unless the policy lists it for mode 'auto'.
    """
    from agent.cli.gui_workflow import RunOptions, parse_patient, run_file, run_orthanc
    from agent.config import load_config
    from agent.gui.planner import Planner
    from agent.gui.session import SessionOptions
    from tools.gui.guard.decide import Mode
    from tools.gui.guard.kill_switch import KillSwitch
    from tools.gui.workflow.yaml_format import SUFFIXES

    if mode not in ("observe", "suggest", *ACTING_MODES):
        raise ConfigError(f"unknown mode {mode!r}.", expected="observe, suggest, confirm or auto")
    _check(what, target)
    strictness, size = parse_strictness(phi), _parse_size(window) if window else None
    settings = load_config({"folder": folder}, file=config)
    place = settings.folder / "gui"
    stop = KillSwitch(place.parent)
    with stoppable(stop, as_json):
        stop.check()
    if resume is not None and not resume.is_file():
        raise ConfigError(
            f"cannot find the journal {str(resume)!r}.", remedy="Give the journal file of the run to --resume."
        )
    for option, file in (("--record", record), ("--save", save)):
        check_new(option, file, SUFFIXES)
    check_folder("--downloads", downloads)
    planner = Planner(load_screen_model(model, settings.mllm), strictness) if model else None
    if planner is not None:
        check_model(planner.model)
    session = SessionOptions(target, pixels=pixels, connect=connect, headed=headed, downloads=downloads, size_px=size)
    if _needs_planning(what, target, resume is not None, planner):
        from agent.cli.gui_request import Request, run_request
        from tools.gui.workflow.model_plan import Limits

        assert planner is not None
        if mode == "observe":
            raise ConfigError(
                "cannot use --mode observe for a request that a model plans.", remedy="Use --mode suggest."
            )
        limits = Limits(steps=max_steps, seconds=max_seconds, tokens=max_tokens)
        request = Request(what, _parse_values(values), parse_patient(patient), policy, expect, save, limits)
        with stoppable(stop, as_json):
            done = run_request(request, session, planner, place=place, stop=stop, mode=Mode(mode), as_json=as_json)
        raise typer.Exit(exit_code(done, mode))
    _refuse_unplanned({"--policy": policy, "--expect": expect, "--save": save})
    options = RunOptions(
        session=session,
        mode=Mode(mode),
        values=_parse_values(values),
        patient=patient,
        approvers=tuple(approve or ()),
        planner=planner,
        record=record,
        journal=resume or place / f"run-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.jsonl",
        resumed=resume is not None,
        stop=stop,
        place=place,
        as_json=as_json,
    )
    report = run_file(Path(what), options) if Path(what).suffix in SUFFIXES else run_orthanc(what, options)
    raise typer.Exit(exit_code(report, mode))


def _check(what: str, target: str) -> None:
    """Check early that the request is not empty and the target is valid. Raises ConfigError."""
    from tools.gui.orthanc import plan as orthanc

    if not what.strip():
        raise ConfigError("the request is empty.", expected="a workflow (FILE.yaml), or a request in words")
    orthanc.server_of(target)


def _needs_planning(what: str, target: str, resumed: bool, planner: Planner | None) -> bool:
    """Return whether a model has to plan the request. Raises ConfigError if it has to and none is given."""
    from tools.gui.orthanc import plan as orthanc
    from tools.gui.workflow.yaml_format import SUFFIXES

    if Path(what).suffix in SUFFIXES or (resumed and target.startswith("orthanc")):
        return False
    if resumed:
        raise ConfigError("cannot resume a planned run.", remedy="Check what was done, and request the rest.")
    if target.startswith("orthanc"):
        return planner is not None and not orthanc.is_built_in(what)
    if planner is None:
        raise ConfigError(
            f"{what!r} is not a YAML file.",
            remedy="Give a workflow file, or add --target orthanc or --model to run a request in words.",
        )
    return True


def _refuse_unplanned(options: Mapping[str, object]) -> None:
    if unused := [name for name, value in options.items() if value]:
        raise ConfigError(f"{unused[0]} applies only to requests that a model plans.", remedy="Leave it out.")


def _parse_size(window: str) -> tuple[int, int]:
    from tools.gui.actuators.chromium import LEAST_PX, MOST_PX

    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", window.lower())
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(LEAST_PX <= side <= MOST_PX for side in sides):
        raise ConfigError(
            f"invalid --window {window!r}.",
            expected=f"WIDTHxHEIGHT, e.g. 1280x800, each from {LEAST_PX} to {MOST_PX}",
        )
    return sides


def _parse_values(values: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for entry in values or ():
        name, sign, value = entry.partition("=")
        if not sign or not name:
            raise ConfigError(f"invalid --set {entry!r}.", expected="NAME=VALUE")
        pairs[name] = value
    return pairs
