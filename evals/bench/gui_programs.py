"""Programs under test of the workflow benchmark, started on demand, with independent access to their state.

Orthanc is queried over REST, the health record is a server in this process, desktop programs leave files. None of these
uses the screen, so they report what a run changed independently of it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from evals.bench.gui_ehr import Ehr, serve_ehr
from tools.errors import ToolFailed

STARTS_WITHIN_S = 60.0
SCREEN = "1280x800"
"""The display of desktop programs."""

STUDIES = (
    # file, patient, name, birth date, study, series
    ("CT_small.dcm", "7700123", "Doe^Archibald", "19800102", "CHEST CT", "THORAX"),
    ("CT_small.dcm", "7700123", "Doe^Archibald", "19800102", "CHEST CT", "SCOUT"),
    ("CT_small.dcm", "7700123", "Doe^Archibald", "19800102", "HEAD CT", "HEAD"),
    ("MR_small.dcm", "7700132", "Doe^Archibalt", "19800201", "KNEE MR", "T2 SAG"),
    ("MR_small.dcm", "7700455", "Müller^Jörg", "19551130", "MRT Schädel", "T1 AX"),
    ("CT_small.dcm", "7700888", "Roe^Richard", "19480517", "ABDOMEN CT", "ARTERIAL"),
    ("CT_small.dcm", "7700888", "Roe^Richard", "19480517", "ABDOMEN CT", "VENOUS"),
)
"""Orthanc's content at the start of a case; patients are invented, pixels are pydicom's. The last two are two
studies."""


@dataclass
class Stage:
    """A program, ready for a case.

    Attributes:
        values: for the workflow, such as the address.
        state: everything stored in the program, a line each.
        writes: requests to write, if the program records them, as the health record does.
        ehr: the health record, if that is the program.
        orthanc: Orthanc's address, if that is the program.
    """

    values: dict[str, str]
    state: Callable[[], set[str]]
    writes: Callable[[], list[str]] = field(default=list)
    ehr: Ehr | None = None
    orthanc: str = ""


class Programs:
    """Starts the programs of cases, and stops them all when the context ends."""

    def __init__(self) -> None:
        self._held = contextlib.ExitStack()
        self._ehr: Ehr | None = None
        self._orthanc: tuple[str, str] | None = None
        self._display = False

    def __enter__(self) -> Programs:
        self._folder = Path(self._held.enter_context(tempfile.TemporaryDirectory(prefix="attend-programs-")))
        return self

    def __exit__(self, *given: object) -> None:
        self._held.close()

    @contextlib.contextmanager
    def stage(self, program: str, folder: Path, tree: bool) -> Iterator[Stage]:
        """Prepare a program for the beginning of a case.

        Args:
            program: `ehr`, `orthanc`, `form` (also `form-de`), `xmedcon` or `amide`.
            folder: an empty one for files.
            tree: whether a desktop program's accessibility tree can be read.

        Raises:
            ToolFailed: if it is not installed, or does not start.
        """
        if program == "ehr":
            if self._ehr is None:
                self._ehr = self._held.enter_context(serve_ehr())
            ehr = self._ehr
            ehr.reset()
            yield Stage({"base": ehr.address}, lambda: ehr.state, lambda: list(ehr.writes), ehr=ehr)
        elif program == "orthanc":
            base, archive = self._orthanc_pair()
            fill(base)
            _empty(archive)
            yield Stage(
                {"base": base, "archive": archive}, lambda: orthanc_state(base, archive) | files(folder), orthanc=base
            )
        else:
            self._need_display()
            with contextlib.ExitStack() as held:
                if tree:
                    held.enter_context(accessibility())
                held.enter_context(desktop_program(program, folder))
                yield Stage({"folder": str(folder)}, lambda: files(folder))

    def _orthanc_pair(self) -> tuple[str, str]:
        if self._orthanc is None:
            port = free_port()
            archive = self._held.enter_context(orthanc(self._folder / "archive", "ARCHIVE", port))
            base = self._held.enter_context(orthanc(self._folder / "pacs", "PACS", free_port()))
            _put(f"{base}/modalities/archive", {"AET": "ARCHIVE", "Host": "127.0.0.1", "Port": port})
            _put(f"{base}/modalities/closed", {"AET": "CLOSED", "Host": "127.0.0.1", "Port": 1, "Timeout": 2})
            self._orthanc = base, archive
        return self._orthanc

    def _need_display(self) -> None:
        if not self._display:
            self._held.enter_context(x_server(self._folder, SCREEN))
            self._held.enter_context(window_manager())
            self._display = True


def need(program: str, package: str) -> str:
    """Return the path of a program. Raises ToolFailed with the name of Debian's package if it is missing."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin")
    if found is None:
        raise ToolFailed(
            f"{program} is not installed.", remedy=f"Debian: apt-get install --no-install-recommends {package}"
        )
    return found


def free_port() -> int:
    """Return an unused port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(holds: Callable[[], object], what: str, seconds: float = STARTS_WITHIN_S) -> None:
    """Wait until a condition is true. Raises ToolFailed on timeout."""
    ends = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > ends:
            raise ToolFailed(f"{what} did not appear within {seconds:g} s.", remedy="Start it manually to see why.")
        time.sleep(0.05)


@contextlib.contextmanager
def running(command: list[str], *, kill: bool = True, **given: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the context lasts; then kill it, or let it finish."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **given)
    try:
        yield process
    finally:
        (process.kill if kill else process.terminate)()
        process.wait()


@contextlib.contextmanager
def window_manager() -> Iterator[None]:
    """Run openbox, and wait until it manages windows: a window opened during its start may never appear."""
    with running([need("openbox", "openbox")]):
        until(_is_managed, "openbox")
        yield


def _is_managed() -> bool:
    from Xlib import X
    from Xlib.display import Display

    display = Display()
    try:
        name = display.intern_atom("_NET_SUPPORTING_WM_CHECK")
        return display.screen().root.get_full_property(name, X.AnyPropertyType) is not None
    finally:
        display.close()


# Orthanc


@contextlib.contextmanager
def orthanc(folder: Path, title: str, dicom_port: int) -> Iterator[str]:
    """Run an empty Orthanc; yields its address."""
    folder.mkdir(parents=True)
    http_port = free_port()
    settings = {
        **{"Name": title, "DicomAet": title, "StorageDirectory": str(folder), "IndexDirectory": str(folder)},
        **{"HttpPort": http_port, "DicomPort": dicom_port, "DicomCheckCalledAet": False, "Locale": "C.UTF-8"},
        **{"AuthenticationEnabled": False, "RemoteAccessAllowed": False, "DicomAlwaysAllowStore": True, "Plugins": []},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings), "utf-8")
    with running([need("Orthanc", "orthanc"), str(folder / "orthanc.json")]):
        base = f"http://127.0.0.1:{http_port}"
        until(lambda: _answers(base), "Orthanc")
        yield base


def fill(base: str) -> None:
    """Fill it with exactly `STUDIES`."""
    import httpx

    _empty(base)
    for body in instances():
        httpx.post(f"{base}/instances", content=body, timeout=30).raise_for_status()


@lru_cache(maxsize=1)
def instances() -> tuple[bytes, ...]:
    """Return the files of `STUDIES`."""
    import pydicom
    from pydicom.data import get_testdata_file
    from pydicom.uid import generate_uid

    bodies = []
    for number, (file, patient, name, born, study, series) in enumerate(STUDIES):
        data = pydicom.dcmread(str(get_testdata_file(file)))
        data.SpecificCharacterSet = "ISO_IR 192"
        data.PatientID, data.PatientName, data.PatientBirthDate = patient, name, born
        data.StudyDescription, data.SeriesDescription = study, series
        data.StudyInstanceUID = generate_uid(entropy_srcs=[patient, study, series if study == "ABDOMEN CT" else ""])
        data.SeriesInstanceUID = generate_uid(entropy_srcs=[patient, study, series])
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(number)])
        stream = io.BytesIO()
        data.save_as(stream)
        bodies.append(stream.getvalue())
    return tuple(bodies)


def orthanc_state(base: str, archive: str) -> set[str]:
    """Return the content of the server, and what was sent to the other one."""
    lines = set()
    own = {entry[1] for entry in STUDIES}
    for one in get(f"{base}/patients?expand"):
        number = one["MainDicomTags"].get("PatientID", "")
        if number in own:
            lines.add(f"patient {number}")
            if get(f"{base}/patients/{one['ID']}/protected", raw=True) == "1":
                lines.add(f"patient {number} protected")
    for level, tag in (("studies", "StudyDescription"), ("series", "SeriesDescription")):
        for one in get(f"{base}/{level}?expand"):
            copied = get(f"{base}/{level}/{one['ID']}/metadata/AnonymizedFrom", raw=True)
            owner = get(f"{base}/{level}/{one['ID']}/patient")["MainDicomTags"].get("PatientID", "")
            name = f"{level} {owner} {one['MainDicomTags'].get(tag, '')}"
            if copied:
                name = f"{level} an anonymous copy of {_name(base, level, copied, tag)}"
            lines.add(name)
            lines |= {f"{name} label {label}" for label in one.get("Labels", ())}
    for one in get(f"{archive}/studies?expand"):
        lines.add(f"archive {one['PatientMainDicomTags']['PatientID']} {one['MainDicomTags']['StudyDescription']}")
    return lines


def _name(base: str, level: str, identifier: str, tag: str) -> str:
    owner = get(f"{base}/{level}/{identifier}/patient")["MainDicomTags"]["PatientID"]
    return f"{owner} {get(f'{base}/{level}/{identifier}')['MainDicomTags'].get(tag, '')}"


def get(url: str, *, raw: bool = False) -> Any:
    """Return a server's answer, as JSON or as text ("" if there is nothing)."""
    import httpx

    answer = httpx.get(url, timeout=30)
    if raw:
        return answer.text if answer.is_success else ""
    answer.raise_for_status()
    return answer.json()


def _put(url: str, told: dict[str, Any]) -> None:
    import httpx

    httpx.put(url, json=told, timeout=30).raise_for_status()


def _empty(base: str) -> None:
    import httpx

    for one in get(f"{base}/patients"):
        httpx.delete(f"{base}/patients/{one}", timeout=30).raise_for_status()


def _answers(base: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{base}/system", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


# Files and the desktop


def files(folder: Path) -> set[str]:
    """Return the files in a folder; for archives, also the studies in them."""
    lines = set()
    for path in folder.rglob("*"):
        if path.suffix == ".zip":
            lines |= set(_studies_in(path))
        elif path.suffix == ".json":
            lines |= {f"record {record}" for record in json.loads(path.read_text("utf-8"))}
        elif path.is_file():
            lines.add(f"file {path.relative_to(folder)}")
    return lines


def _studies_in(path: Path) -> Iterator[str]:
    import pydicom

    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        more = " with DICOMDIR" if "DICOMDIR" in names else ""
        for name in names:
            if name != "DICOMDIR":
                data = pydicom.dcmread(io.BytesIO(archive.read(name)), stop_before_pixels=True)
                yield f"zip of {data.PatientID} {data.StudyDescription}{more}"


@contextlib.contextmanager
def desktop_program(program: str, folder: Path) -> Iterator[None]:
    """Run a program on the display, with an MR image if it shows images."""
    from pydicom.data import get_testdata_file

    program, _, language = program.partition("-")
    commands = {
        "form": lambda: [sys.executable, "-m", "evals.bench.gui_form", str(folder / "records.json"), language],
        "xmedcon": lambda: [need("xmedcon", "xmedcon")],
        "amide": lambda: [need("amide", "amide"), "knee.dcm"],
    }
    if program != "form":
        shutil.copy(str(get_testdata_file("MR_small.dcm")), folder / "knee.dcm")
    here = Path(__file__).parents[2] if program == "form" else folder
    with running(commands[program](), cwd=here):
        titles = {"form": "Records", "xmedcon": "(X)MedCon", "amide": "Study"}
        until(lambda: _shown(titles[program]), program)
        time.sleep(1.0)  # Its windows appear one after the other.
        yield


def _shown(title: str) -> bool:
    from Xlib import display
    from Xlib.error import BadWindow

    connection = display.Display()
    try:
        root = connection.screen().root
        listed = root.get_full_property(connection.intern_atom("_NET_CLIENT_LIST"), 0)
        windows = [connection.create_resource_object("window", number) for number in (listed.value if listed else ())]
        return any(title in str(window.get_wm_name()) for window in windows)
    except BadWindow:
        return False  # A window closed during the query.
    finally:
        connection.close()


@contextlib.contextmanager
def x_server(folder: Path, size: str) -> Iterator[None]:
    """Run an X server, named in $DISPLAY, for as long as the context lasts."""
    need("xdotool", "xdotool")
    read_end, write_end = os.pipe()
    command = [need("Xvfb", "xvfb"), "-displayfd", str(write_end), "-noreset", "-screen", "0", f"{size}x24"]
    with running(command, pass_fds=[write_end]):
        os.close(write_end)
        with os.fdopen(read_end) as numbers:
            display = f":{numbers.readline().strip()}"
        (folder / "authority").touch()
        with environment(DISPLAY=display, XAUTHORITY=str(folder / "authority"), DBUS_SESSION_BUS_ADDRESS=None):
            yield


@contextlib.contextmanager
def accessibility() -> Iterator[None]:
    """Run a session bus with AT-SPI, for the display that $DISPLAY names."""
    launcher = need("/usr/libexec/at-spi-bus-launcher", "at-spi2-core gir1.2-atspi-2.0")
    bus = subprocess.Popen(
        [need("dbus-daemon", "dbus-daemon"), "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert bus.stdout
    try:
        address = bus.stdout.readline().strip()
        # It stops the bus that it started, unless it is killed.
        with environment(DBUS_SESSION_BUS_ADDRESS=address), running([launcher, "--launch-immediately"], kill=False):
            yield
    finally:
        bus.kill()
        bus.wait()
        bus.stdout.close()


@contextlib.contextmanager
def environment(**values: str | None) -> Iterator[None]:
    """Set environment variables (or with None, unset them) for as long as the context lasts."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
