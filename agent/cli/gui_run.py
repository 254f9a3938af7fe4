"""`attend gui run`: check the options, and choose what does it: a workflow file, Orthanc, or a plan by a model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.gui_model import ready, screen_model, strictness_of
from agent.gui.exit_codes import DOING, exit_code, stoppable
from agent.gui.masked_errors import errors_masked
from agent.gui.path_checks import check_folder, check_new
from tools.errors import ConfigError

if TYPE_CHECKING:
    from agent.gui.planner import Planner


@errors_masked
def run(
    what: Annotated[str, typer.Argument(help="A workflow (FILE.yaml), or a request in words.")],
    target: Annotated[str, typer.Option(help="An http(s):// address, 'desktop', or 'orthanc' (orthanc@URL).")] = "",
    mode: Annotated[str, typer.Option(help="observe or suggest (nothing is done), confirm, or auto.")] = "suggest",
    approve: Annotated[
        list[str] | None,
        typer.Option(
            help="Who approves the workflow's own steps beforehand; may be repeated. Others are asked. Names are taken "
            "as given: that two names are two people is for whoever starts the run to answer for."
        ),
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE for a parameter of the workflow; may be repeated.")
    ] = None,
    patient: Annotated[
        str, typer.Option(help="'NAME; BIRTH DATE; ID' as the screen writes them, where the policy asks for identity.")
    ] = "",
    pixels: Annotated[bool, typer.Option("--pixels", help="Work by pixels alone, without accessibility tree.")] = False,
    record: Annotated[
        Path | None, typer.Option(help="Write the workflow with the targets that were found, to a new file.")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run of this journal.")] = None,
    model: Annotated[
        str,
        typer.Option(help="A model that plans requests no built-in workflow fits, and points at what is not found."),
    ] = "",
    policy: Annotated[Path | None, typer.Option(help="What a planned request may do: a policy in YAML.")] = None,
    expect: Annotated[str, typer.Option(help="Words that the screen has to show once a planned request is done.")] = "",
    save: Annotated[Path | None, typer.Option(help="Keep a planned run as a workflow, a new file.")] = None,
    max_steps: Annotated[int, typer.Option(min=1, max=500, help="Steps that a model may propose.")] = 30,
    max_seconds: Annotated[float, typer.Option(min=1, help="Seconds that a planned run may take.")] = 600,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens that a model may use in a planned run.")] = 200_000,
    phi: Annotated[
        str, typer.Option(help="How personal details are kept from a model elsewhere: on, or strict (with Presidio).")
    ] = "on",
    downloads: Annotated[Path | None, typer.Option(help="The folder that downloads are kept in.")] = None,
    connect: Annotated[str, typer.Option(help="The DevTools address of a running Chromium to work in.")] = "",
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser's window.")] = False,
    window: Annotated[
        str, typer.Option(help="WIDTHxHEIGHT of the browser's window; a page that needs more is zoomed out.")
    ] = "",
    folder: Annotated[Path | None, typer.Option(help="Where journals and the audit file are kept.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="A settings file; else attend.toml is found.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one step a line, then the whole.")] = False,
) -> None:
    """Do a workflow on a screen. Exit code: 0 verified, 3 unverified, 4 halted, 6 to reconcile, 7 cancelled.

    Every action is checked by the workflow's policy, bound to the pixels it was planned on, and recorded; what a policy
    does not allow at once is asked. In mode 'suggest' nothing is done: the plan is shown, and where the first step
    would land. A request that no built-in workflow fits is planned by --model, one step at a time, and every step of
    it that may change something is asked, unless the policy lists it for mode 'auto'.
    """
    from agent.cli.gui_workflow import RunOptions, patient_of, run_file, run_orthanc
    from agent.config import load_config
    from agent.gui.planner import Planner
    from agent.gui.session import Stage
    from tools.gui.guard.decide import Mode
    from tools.gui.guard.kill_switch import KillSwitch
    from tools.gui.workflow.yaml_format import SUFFIXES

    if mode not in ("observe", "suggest", *DOING):
        raise ConfigError(f"there is no mode {mode!r}.", expected="observe, suggest, confirm or auto")
    _check(what, target)
    strictness, size = strictness_of(phi), _size(window) if window else None
    settings = load_config({"folder": folder}, file=config)
    place = settings.folder / "gui"
    stop = KillSwitch(place.parent)
    with stoppable(stop, as_json):
        stop.check()
    if resume is not None and not resume.is_file():
        raise ConfigError(f"the journal {str(resume)!r} is not there.", remedy="Resume a run by its own journal.")
    for option, file in (("--record", record), ("--save", save)):
        check_new(option, file, SUFFIXES)
    check_folder("--downloads", downloads)
    planner = Planner(screen_model(model, settings.mllm), strictness) if model else None
    if planner is not None:
        ready(planner.model)
    stage = Stage(target, pixels=pixels, connect=connect, headed=headed, downloads=downloads, size_px=size)
    if _is_to_be_planned(what, target, resume is not None, planner):
        from agent.cli.gui_request import Request, do_request
        from tools.gui.workflow.model_plan import Limits

        assert planner is not None
        if mode == "observe":
            raise ConfigError("a request that a model plans is not observed.", remedy="Take --mode suggest.")
        limits = Limits(steps=max_steps, seconds=max_seconds, tokens=max_tokens)
        request = Request(what, _pairs(values), patient_of(patient), policy, expect, save, limits)
        with stoppable(stop, as_json):
            done = do_request(request, stage, planner, place=place, stop=stop, mode=Mode(mode), as_json=as_json)
        raise typer.Exit(exit_code(done, mode))
    _only_planned({"--policy": policy, "--expect": expect, "--save": save})
    options = RunOptions(
        stage=stage,
        mode=Mode(mode),
        values=_pairs(values),
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
    """Check, before anything is asked, that there is a request, and a target that can be used. Raises ConfigError."""
    from tools.gui.orthanc import plan as orthanc

    if not what.strip():
        raise ConfigError("the request is empty.", expected="a workflow (FILE.yaml), or a request in words")
    orthanc.server_of(target)


def _is_to_be_planned(what: str, target: str, resumed: bool, planner: Planner | None) -> bool:
    """Whether a model has to plan. Raises ConfigError where it would have to, and there is none."""
    from tools.gui.orthanc import plan as orthanc
    from tools.gui.workflow.yaml_format import SUFFIXES

    if Path(what).suffix in SUFFIXES or (resumed and target.startswith("orthanc")):
        return False
    if resumed:
        raise ConfigError("a planned run cannot be resumed.", remedy="Look at what was done, and ask for what is left.")
    if target.startswith("orthanc"):
        return planner is not None and not orthanc.is_built_in(what)
    if planner is None:
        raise ConfigError(
            f"{what!r} is no YAML file.",
            remedy="Name one, or add --target orthanc to ask in words, or --model to have it planned.",
        )
    return True


def _only_planned(options: Mapping[str, object]) -> None:
    if unused := [name for name, value in options.items() if value]:
        raise ConfigError(f"{unused[0]} goes with requests that a model plans.", remedy="Leave it out.")


def _size(window: str) -> tuple[int, int]:
    from tools.gui.actuators.chromium import LEAST_PX, MOST_PX

    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", window.lower())
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(LEAST_PX <= side <= MOST_PX for side in sides):
        raise ConfigError(
            f"--window {window!r} is no size.",
            expected=f"WIDTHxHEIGHT, such as 1280x800; each from {LEAST_PX} to {MOST_PX}",
        )
    return sides


def _pairs(values: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for entry in values or ():
        name, sign, value = entry.partition("=")
        if not sign or not name:
            raise ConfigError(f"--set {entry!r} is no value.", expected="NAME=VALUE")
        pairs[name] = value
    return pairs
