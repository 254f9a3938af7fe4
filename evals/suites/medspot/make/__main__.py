"""Make the open sequel to MedSPOT: screenshots, annotations in its format, and accessibility trees.

    python -m evals.suites.medspot.make FOLDER [--program Ward --program WardDE ...]

The programs are those of `PROGRAMS`. Those that are pages need chromium (or the one that $CHROMIUM names), Orthanc's
also Debian's packages orthanc and orthanc-webviewer. XMedCon and Amide are desktop programs, shown on an X server of
their own: packages xmedcon, amide, xvfb, openbox, xdotool, dbus-daemon, at-spi2-core, gir1.2-atspi-2.0, python3-gi.
Pictures are not committed: fonts and versions differ from machine to machine, and boxes are taken from what is drawn.
Even task numbers are for tuning, odd ones for reporting; see `evals.bench.grounding`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from evals.suites.medspot.make import orthanc, orthanc_tasks, ward_tasks
from evals.suites.medspot.make.amide_tasks import AMIDE
from evals.suites.medspot.make.desktop import Desktop, record_desktop
from evals.suites.medspot.make.play import HEIGHT_PX, WIDTH_PX, Play, record
from evals.suites.medspot.make.xmedcon_tasks import XMEDCON
from tools.errors import AttendError

FLAGS = ("--no-sandbox", "--disable-gpu", "--test-type", "--disable-dev-shm-usage", "--hide-scrollbars")
SERIES = "CT, HEAD/BRAIN WO CONTRAST"


def _viewer(address: str) -> list[Play]:
    import httpx

    found = httpx.get(f"{address}/studies?expand").raise_for_status().json()
    study = next(each for each in found if each["MainDicomTags"].get("StudyDescription") == SERIES)
    return orthanc_tasks.viewer(address, sorted(study["Series"])[0])


PROGRAMS: dict[str, Callable[[str], list[Play]] | Desktop] = {
    "Ward": lambda _: ward_tasks.english(),
    "WardDE": lambda _: ward_tasks.german(),
    "OrthancExplorer": orthanc_tasks.explorer,
    "OrthancViewer": _viewer,
    "XMedCon": XMEDCON,
    "Amide": AMIDE,
}
"""Tasks by program: of pages from the address of an Orthanc, which the ward's do not need, or a desktop program."""


def make(folder: Path, programs: tuple[str, ...] = tuple(PROGRAMS)) -> dict[str, int]:
    """Write the tasks of some programs.

    Returns:
        Steps by program.

    Raises:
        ToolFailed: if a program is missing, or one is not as its tasks expect it.
        NoBindings: if the accessibility tree of desktop programs cannot be read.
    """
    pages = {name: found for name in programs if not isinstance(found := PROGRAMS[name], Desktop)}
    steps = _make_pages(folder, pages) if pages else {}
    for name in programs:
        if isinstance(desktop := PROGRAMS[name], Desktop):
            steps[name] = record_desktop(desktop, name, desktop.plays(), folder)
    return steps


def _make_pages(folder: Path, programs: dict[str, Callable[[str], list[Play]]]) -> dict[str, int]:
    from playwright.sync_api import sync_playwright

    steps = {}
    with contextlib.ExitStack() as held:
        address = held.enter_context(orthanc.serving()) if any("Orthanc" in name for name in programs) else ""
        browser = held.enter_context(sync_playwright()).chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=list(FLAGS)
        )
        held.callback(browser.close)
        for name, tasks in programs.items():
            page = browser.new_page(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
            steps[name] = record(page, name, tasks(address), folder)
            page.close()
    return steps


def main() -> None:
    """Make them and say how many there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--program", action="append", choices=list(PROGRAMS))
    arguments = parser.parse_args()
    try:
        for name, count in make(arguments.folder, tuple(arguments.program or PROGRAMS)).items():
            print(f"{name}: {count} steps")
    except AttendError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
