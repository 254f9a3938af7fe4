"""`attend gui`: locate controls on a screen; `run` and `record` execute and record workflows."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.console import make_console, safe
from agent.cli.gui_model import check_model, load_screen_model, parse_strictness
from agent.cli.gui_record import record
from agent.cli.gui_run import run
from agent.gui.path_checks import is_same_file
from tools.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from pydantic import ValidationError

    from tools.gui.grounding import Ask
    from tools.gui.types import Located, Screen
    from tools.privacy.redact import Strictness

gui_app = typer.Typer(no_args_is_help=True, help="Locate controls on screens and run workflows.")
gui_app.command()(run)
gui_app.command()(record)

NOT_FOUND = 5
"""Exit code if nothing was found, or a person has to choose."""
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
"""Format of an overlay, by suffix."""


@gui_app.callback()
def gui() -> None:
    """Locate controls on screens and run workflows."""


@gui_app.command()
def locate(
    instruction: Annotated[
        str, typer.Argument(help='What to find, such as: click the "Delete" button next to Doe^Archibald')
    ],
    image: Annotated[Path | None, typer.Option(help="A screenshot (PNG or JPEG).")] = None,
    screen: Annotated[bool, typer.Option("--screen", help="Capture the screen of this machine.")] = False,
    overlay: Annotated[
        Path | None, typer.Option(help="Write a copy of the picture with the result drawn on it (.png or .jpg).")
    ] = None,
    pixels: Annotated[bool, typer.Option("--pixels", help="Ignore the accessibility tree.")] = False,
    nodes: Annotated[
        Path | None, typer.Option("--tree", help="The picture's accessibility tree (a JSON list of nodes).")
    ] = None,
    model: Annotated[str, typer.Option(help="Model to ask if nothing is found or the result is ambiguous.")] = "",
    phi: Annotated[
        str, typer.Option(help="Redaction of personal details sent to a remote model: on, or strict (with Presidio).")
    ] = "on",
    config: Annotated[
        Path | None, typer.Option("--config", help="Settings file (default: attend.toml, if found).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Locate a control on a screen; exit code 5 if it is not found or ambiguous.

    A result marked `by model` was chosen by the model twice in a row; nothing else has verified it.
    """
    from tools.gui.grounding import LAYERS, PIXELS
    from tools.gui.grounding import locate as find

    strictness = parse_strictness(phi)
    if (image is None) != screen:
        raise ConfigError("expected either --image FILE or --screen.", remedy="Give exactly one of them.")
    if nodes is not None and screen:
        raise ConfigError(
            "cannot combine --tree with --screen: it describes an --image.", remedy="Leave one of them out."
        )
    if overlay is not None:
        _check_overlay(overlay, image)
    shown = _capture() if image is None else _open(image, nodes)
    ask = _grounder(instruction, model, strictness, config) if model else None
    found = find(instruction, shown, layers=PIXELS if pixels else LAYERS, ask=ask)
    if overlay is not None:
        _write(overlay, _draw(shown, found))
    if as_json:
        print(json.dumps(_record(instruction, shown, found)))
    else:
        _print_located(shown, found)
    raise typer.Exit(NOT_FOUND if found.abstained else 0)


def _check_overlay(overlay: Path, image: Path | None) -> None:
    """Check early that the overlay has a picture suffix and does not overwrite the input."""
    if overlay.suffix.lower() not in FORMATS:
        raise ConfigError(
            f"invalid --overlay {str(overlay)!r}: not a picture suffix.", expected=f"one of {', '.join(FORMATS)}"
        )
    if image is not None and is_same_file(overlay, image):
        raise ConfigError(
            f"invalid --overlay {str(overlay)!r}: it would overwrite the input picture.", remedy="Name another file."
        )


def _grounder(instruction: str, spec: str, strictness: Strictness, config: Path | None) -> Ask:
    """Return a function that asks a model where something is. Raises ModelError and PhiError."""
    from agent.config import load_config
    from agent.gui.vlm_grounder import make_grounder, make_veil
    from tools.gui.workflow.placeholders import values_of

    model = load_screen_model(spec, load_config({}, file=config).mllm)
    veil = make_veil(model, values_of(instruction, {}), strictness)

    @functools.cache
    def opened() -> Ask:
        check_model(model)
        return make_grounder(model, veil)

    # Contact the server only if it is needed; if it is unreachable, keep the answer without it.
    return lambda question: opened()(question)


def _open(image: Path, nodes: Path | None) -> Screen:
    import numpy as np
    from PIL import Image, UnidentifiedImageError
    from pydantic import TypeAdapter, ValidationError

    from tools.gui.types import Node, Screen

    try:
        with Image.open(image) as picture:
            rgb = np.asarray(picture.convert("RGB"))
    except Image.DecompressionBombError as error:
        raise ConfigError(
            f"cannot read the picture {str(image)!r}: it is too large: {error}", expected="a screenshot"
        ) from None
    except (OSError, UnidentifiedImageError) as error:
        raise ConfigError(f"cannot read the picture {str(image)!r}: {error}.", expected="a PNG or JPEG file") from None
    if nodes is None:
        return Screen(rgb=rgb)
    try:
        tree = TypeAdapter(tuple[Node, ...]).validate_json(nodes.read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(
            f"cannot read the tree {str(nodes)!r}: {_first(error)}.",
            expected="a JSON list of nodes with role, name and rect (see `tools.gui.types.Node`)",
        ) from None
    return Screen(rgb=rgb, nodes=tree)


def _first(error: OSError | ValidationError) -> str:
    """Return the first problem, without the rest of pydantic's report."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    problem = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    return f"{place}: {problem['msg']}" if place else problem["msg"]


def _capture() -> Screen:
    """Capture the first screen, with the scale between mouse units and pixels where they differ."""
    import mss
    import numpy as np

    from tools.errors import MediaError
    from tools.gui.types import Screen, View

    try:
        with mss.MSS() as screens:
            monitor = screens.monitors[1]
            shot = screens.grab(monitor)
    except (mss.ScreenShotError, IndexError) as error:
        raise MediaError(
            f"cannot capture the screen: {error}.",
            remedy="Run in a graphical session; on Linux, set DISPLAY to an X server (such as Xvfb).",
        ) from error
    rgb = np.frombuffer(shot.rgb, dtype=np.uint8).reshape(shot.height, shot.width, 3)
    return Screen(rgb=rgb, view=View(monitor["left"], monitor["top"], shot.width / monitor["width"]))


def _record(instruction: str, screen: Screen, found: Located) -> dict[str, Any]:
    height, width = screen.rgb.shape[:2]
    targets = []
    for target in found.targets:
        x, y = screen.view.to_screen(target.point)
        shares = {"x": target.point.x_px / width, "y": target.point.y_px / height}
        targets.append({**target.model_dump(), "share": shares, "screen": {"x": x, "y": y}})
    size = {"width_px": width, "height_px": height}
    notes = {"abstained": found.abstained, "asked": found.asked}
    return {"instruction": instruction, "image": size, "targets": targets, **notes}


def _print_located(screen: Screen, found: Located) -> None:
    console = make_console()
    for place, target in enumerate(found.targets):
        x, y = screen.view.to_screen(target.point)
        rect = target.rect
        # Ambiguous targets have no order.
        rank = "runner-up: " if place and not found.abstained else ""
        console.print(
            f"{rank}[bold]{safe(target.label)}[/]  click at {target.point.x_px:.0f}, {target.point.y_px:.0f} "
            f"(on the screen {x:.0f}, {y:.0f})  box {rect.left:.0f}, {rect.top:.0f} to {rect.right:.0f}, "
            f"{rect.bottom:.0f}  {target.confidence:.2f} by {target.layer}",
            soft_wrap=True,
        )
    if found.abstained:
        console.print(f"[yellow]{safe(found.abstained)}[/]", soft_wrap=True)
    if found.asked:
        console.print(f"[yellow]{safe(found.asked)}[/]", soft_wrap=True)


def _draw(screen: Screen, found: Located) -> np.ndarray:
    """Draw the targets on a copy of the picture, with the first point in pixels, as fractions and in screen units."""
    import cv2

    drawn = screen.rgb.copy()
    height, width = drawn.shape[:2]
    for place, target in enumerate(found.targets):
        colour = (220, 40, 40) if place else (0, 150, 60)
        rect = target.rect
        corners = (round(rect.left), round(rect.top)), (round(rect.right), round(rect.bottom))
        cv2.rectangle(drawn, *corners, colour, 2 - (place > 0))
        spot = round(target.point.x_px), round(target.point.y_px)
        cv2.drawMarker(drawn, spot, colour, cv2.MARKER_CROSS, 14, 2)
    if found.targets:
        point = found.targets[0].point
        x, y = screen.view.to_screen(point)
        lines = (
            f"raw {point.x_px:.1f}, {point.y_px:.1f} px",
            f"scaled {point.x_px / width:.4f}, {point.y_px / height:.4f}",
            f"final {x:.1f}, {y:.1f} on the screen",
        )
        left = int(min(point.x_px + 12, max(0, width - 260)))
        top = int(point.y_px + 24 if point.y_px + 80 < height else point.y_px - 70)
        cv2.rectangle(drawn, (left, top - 16), (left + 250, top + 44), (255, 255, 255), -1)
        for row, line in enumerate(lines):
            cv2.putText(
                drawn, line, (left + 4, top + 18 * row), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA
            )
    return drawn


def _write(path: Path, rgb: np.ndarray) -> None:
    from PIL import Image

    try:
        Image.fromarray(rgb).save(path, format=FORMATS[path.suffix.lower()])
    except OSError as error:
        raise ConfigError(
            f"cannot write the overlay {str(path)!r}: {error}.", expected="a file in an existing folder"
        ) from None
