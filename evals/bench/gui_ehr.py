"""Small electronic health record for the workflow benchmark: a page in two languages, and a server that stores
everything.

Patients are invented. Writes are recorded in the process of the benchmark, independently of the page. Faults are those
of real systems: slow, lying, failing, signed out, changed by somebody else.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

LISTS = ("orders", "weights", "drafts", "signed", "phones", "booked")
"""Append-only parts."""


@dataclass
class Ehr:
    """A running record.

    Attributes:
        address: of the server.
        patients: by number.
        writes: requests to write, in order, including rejected ones.
        setup: options of the page: `moved`, `renamed`, `notice`, `completes`, `cuts`, `native`, `live`.
        live: the next push to a page with `live`: `other`, another patient's number; `pushed`, pixels.
        slow_s: duration of each answer.
        lies: reports success without storing.
        fails: answers writes with a server error.
        signed_out: asks to sign in on a write.
    """

    address: str = ""
    patients: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: list[str] = field(default_factory=list)
    setup: dict[str, bool] = field(default_factory=dict)
    live: dict[str, Any] = field(default_factory=dict)
    slow_s: float = 0.0
    lies: bool = False
    fails: bool = False
    signed_out: bool = False

    def reset(self) -> None:
        """Restore the initial state."""
        self.__init__(self.address, _patients())  # type: ignore[misc]

    @property
    def state(self) -> set[str]:
        """Return everything stored, a line each."""
        lines = set()
        for number, record in self.patients.items():
            for name, held in record.items():
                entries = held if isinstance(held, list) else [held]
                lines |= {f"{number} {name} {_line(entry)}" for entry in entries}
        return lines

    def write(self, number: str, what: str, told: dict[str, Any]) -> int:
        """Store an entry; return the HTTP status."""
        self.writes.append(f"{number} {what} {_line(told)}")
        if self.signed_out or self.fails:
            return 401 if self.signed_out else 500
        record = self.patients.get(number)
        if record is None:
            return 404
        if self.lies:
            return 200
        if what in LISTS:
            record[what].append(told)
        elif what == "allergies":
            record[what].append(told["substance"])
        elif what == "seen":
            _named(record["results"], test=told["test"])["seen"] = True
        elif what == "given":
            _named(record["meds"], drug=told["drug"])["given"] = True
        elif what == "stopped":
            record["meds"].remove(_named(record["meds"], drug=told["drug"]))
        elif what == "changed":
            _named(record["meds"], drug=told["drug"])["dose"] = told["dose"]
        else:
            return 404
        return 200


def _named(entries: list[dict[str, Any]], **keys: str) -> dict[str, Any]:
    return next(entry for entry in entries if keys.items() <= entry.items())


def _line(entry: Any) -> str:
    return " ".join(str(value) for value in entry.values()) if isinstance(entry, dict) else str(entry)


def _patients() -> dict[str, dict[str, Any]]:
    rows: tuple[tuple[str, str, str, list[str], str], ...] = (
        ("4471902", "Doe, Jane", "1980-01-02", ["Penicillin"], "12 A"),
        ("4471920", "Doe, Jan", "1980-01-02", [], "12 B"),
        ("5150077", "Müller, Jörg", "1955-11-30", ["Latex"], "14 A"),
        ("6203311", "Roe, Richard", "1948-05-17", [], "15 A"),
        ("6203419", "Roe, Richard", "1984-05-17", [], "15 B"),
    )
    return {
        number: {
            **{"id": number, "name": name, "born": born, "bed": bed, "allergies": list(allergies)},
            **{what: [] for what in LISTS},
            "meds": [
                {"drug": "Ramipril", "dose": "5 mg", "given": False},
                {"drug": "Metoprolol", "dose": "47.5 mg", "given": False},
            ],
            "results": [
                {"test": "Potassium", "value": "3.1 mmol/L", "seen": False},
                {"test": "Creatinine", "value": "88 µmol/L", "seen": False},
            ],
        }
        for number, name, born, allergies, bed in rows
    }


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, ehr: Ehr, page: bytes, *given: Any) -> None:
        self.ehr, self.page = ehr, page
        super().__init__(*given)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        parts = address.path.strip("/").split("/")
        if parts[0] == "app":
            self._answer(200, self.page, "text/html; charset=utf-8")
        elif parts == ["api", "setup"]:
            self._json(200, self.ehr.setup)
        elif parts == ["api", "live"]:
            self._json(200, self.ehr.live)
        elif parts == ["api", "patients"]:
            asked = parse_qs(address.query).get("search", [""])[0].casefold()
            held = self.ehr.patients.values()
            found = [one for one in held if asked and asked in f"{one['name']} {one['id']}".casefold()]
            self._json(200, found)
        elif parts[:2] == ["api", "patients"] and parts[2] in self.ehr.patients:
            self._json(200, self.ehr.patients[parts[2]])
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        _, _, number, what = self.path.strip("/").split("/")
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.ehr.write(number, what, told)
        self._json(status, self.ehr.patients[number] if status == 200 else {})

    def _json(self, status: int, told: Any) -> None:
        self._answer(status, json.dumps(told).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        time.sleep(self.ehr.slow_s)
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The browser was closed.


@contextmanager
def serve_ehr() -> Iterator[Ehr]:
    """Serve the page at /app/ and the interface at /api/."""
    ehr = Ehr(patients=_patients())
    page = (resources.files("evals.bench") / "gui_set" / "ehr.html").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, ehr, page))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    ehr.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield ehr
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
