"""Debian's Orthanc, started with the DICOM files that pydicom brings, and stopped again."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tools.errors import ToolFailed

PACKAGES = "orthanc orthanc-webviewer chromium"
VIEWER = Path("/usr/share/orthanc/plugins/libOrthancWebViewer.so")
STARTS_WITHIN_S = 30.0


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Yield the address of an Orthanc that holds pydicom's test files; its store is removed afterwards.

    Raises:
        ToolFailed: if Orthanc or its viewer is not installed, or does not start.
    """
    program = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
    if program is None or not VIEWER.exists():
        raise ToolFailed(
            f"{'Orthanc' if program is None else str(VIEWER)} is not installed.",
            remedy=f"Run: apt-get install --no-install-recommends {PACKAGES}",
        )
    with tempfile.TemporaryDirectory(prefix="attend-orthanc-") as folder, socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        held.close()
        settings = {
            "Name": "Attend",
            "StorageDirectory": folder,
            "IndexDirectory": folder,
            "HttpPort": port,
            "DicomServerEnabled": False,
            "AuthenticationEnabled": False,
            "RemoteAccessAllowed": False,
            "Plugins": [str(VIEWER)],
        }
        file = Path(folder) / "orthanc.json"
        file.write_text(json.dumps(settings), "utf-8")
        process = subprocess.Popen([program, file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            address = f"http://127.0.0.1:{port}"
            _fill(address, process)
            yield address
        finally:
            process.terminate()
            process.wait()


def _fill(address: str, process: subprocess.Popen[bytes]) -> None:
    import httpx
    import pydicom.data

    ends_s = time.monotonic() + STARTS_WITHIN_S
    with httpx.Client(base_url=address, timeout=30) as client:
        while True:
            try:
                client.get("/system").raise_for_status()
                break
            except httpx.TransportError as error:
                if process.poll() is not None or time.monotonic() > ends_s:
                    raise ToolFailed(
                        f"Orthanc did not answer within {STARTS_WITHIN_S:g} s: {error}.",
                        remedy="Start it by hand to see why.",
                    ) from error
                time.sleep(0.1)
        files = Path(pydicom.data.__file__).parent / "test_files"
        # Files that are broken on purpose are refused, which is right.
        accepted = [
            client.post("/instances", content=path.read_bytes()).is_success
            for path in sorted(files.rglob("*"))
            if path.is_file()
        ]
        if not any(accepted):
            raise ToolFailed("Orthanc took none of pydicom's files.", expected="files in pydicom's folder test_files")
