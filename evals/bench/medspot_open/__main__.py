"""Make the open sequel to MedSPOT: screenshots, annotations in its format, and accessibility trees.

    python -m evals.bench.medspot_open FOLDER [--program Ward --program WardDE ...]

The programs are those of `PROGRAMS`. Those that are pages need chromium (or the one that $CHROMIUM names), Orthanc's
also Debian's packages orthanc and orthanc-webviewer. XMedCon and Amide are desktop programs, shown on an X server of
their own: packages xmedcon, amide, xvfb, openbox, xdotool, dbus-daemon, at-spi2-core, gir1.2-atspi-2.0, python3-gi.
Pictures are not committed: fonts and versions differ from machine to machine, and boxes are taken from what is drawn.
There are two collections, `FOLDER/first` and `FOLDER/second`; `evals.bench.grounding` says which tasks are for tuning.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from evals.bench.medspot_open import orthanc, orthanc_tasks, second_desktop, second_pages, ward_tasks
from evals.bench.medspot_open.amide_tasks import AMIDE
from evals.bench.medspot_open.desktop import Desktop, record_desktop
from evals.bench.medspot_open.record import HEIGHT_PX, WIDTH_PX, Play, record
from evals.bench.medspot_open.xmedcon_tasks import XMEDCON
from tools.errors import AttendError

FLAGS = ("--no-sandbox", "--disable-gpu", "--test-type", "--disable-dev-shm-usage", "--hide-scrollbars")
SERIES = "CT, HEAD/BRAIN WO CONTRAST"


def _series(address: str) -> str:
    """The series that the viewer shows."""
    import httpx

    found = httpx.get(f"{address}/studies?expand").raise_for_status().json()
    study = next(each for each in found if each["MainDicomTags"].get("StudyDescription") == SERIES)
    return str(sorted(study["Series"])[0])


Programs = dict[str, Callable[[str], list[Play]] | Desktop]
"""Tasks by program: of pages from the address of an Orthanc, which the ward's do not need, or a desktop program."""
COLLECTIONS: dict[str, Programs] = {
    "first": {
        "Ward": lambda _: ward_tasks.english(),
        "WardDE": lambda _: ward_tasks.german(),
        "OrthancExplorer": orthanc_tasks.explorer,
        "OrthancViewer": lambda address: orthanc_tasks.viewer(address, _series(address)),
        "XMedCon": XMEDCON,
        "Amide": AMIDE,
    },
    "second": {
        "Ward": lambda _: second_pages.ward(),
        "WardDE": lambda _: second_pages.ward_german(),
        "OrthancExplorer": second_pages.explorer,
        "OrthancViewer": lambda address: second_pages.viewer(address, _series(address)),
        "XMedCon": replace(XMEDCON, plays=second_desktop.xmedcon),
        "Amide": replace(AMIDE, plays=second_desktop.amide),
    },
}
PROGRAMS = tuple(COLLECTIONS["first"])
"""What tasks are played in."""


def make(folder: Path, programs: tuple[str, ...] = PROGRAMS) -> dict[str, int]:
    """Write the tasks of some programs, each collection into a folder of its name.

    Returns:
        Steps by program, of both collections.

    Raises:
        ToolFailed: if a program is missing, or one is not as its tasks expect it.
        NoBindings: if the accessibility tree of desktop programs cannot be read.
    """
    steps: Counter[str] = Counter()
    for collection, tasks in COLLECTIONS.items():
        pages = {name: found for name in programs if not isinstance(found := tasks[name], Desktop)}
        steps.update(_make_pages(folder / collection, pages) if pages else {})
        for name in programs:
            if isinstance(desktop := tasks[name], Desktop):
                steps[name] += record_desktop(desktop, name, desktop.plays(), folder / collection)
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
    parser.add_argument("--program", action="append", choices=PROGRAMS)
    arguments = parser.parse_args()
    try:
        for name, count in make(arguments.folder, tuple(arguments.program or PROGRAMS)).items():
            print(f"{name}: {count} steps")
    except AttendError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
