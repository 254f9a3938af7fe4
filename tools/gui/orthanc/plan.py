"""Planner of requests for Orthanc: selects a built-in workflow, the patient and the study.

It uses no model. The server's REST interface lists what exists; a request that matches several patients or studies is
refused, and the person has to be more specific. The workflow then uses the pages of Orthanc Explorer like a person.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tools.errors import ConfigError, StoreError, ToolFailed
from tools.gui.guard.effect_words import affirms, find_verbs
from tools.gui.guard.identity import Patient
from tools.gui.guard.policy import Address, Policy, parse_url
from tools.gui.orthanc.intents import KINDS, read_goal
from tools.gui.workflow.yaml_format import Workflow, parse_workflow
from tools.loopback import is_local
from tools.media.types import mask_credentials

SERVER = "http://127.0.0.1:8042"
"""Orthanc's default address."""
PAGE_PX = (1600, 900)
"""Page size that Orthanc Explorer needs, as in the templates; on a narrower one the birth date is cut off."""
TIMEOUT_S = 20.0
_NO_LOGIN = "Name an Orthanc server, or a local proxy before it, that needs no login."


@dataclass(frozen=True)
class Planned:
    """A planned request.

    Attributes:
        kind: the built-in workflow.
        workflow: the workflow with its values.
        patient: the patient.
        values: of the workflow.
        request: kind, patient and description as requested; empty if unknown.
    """

    kind: str
    workflow: Workflow
    patient: Patient
    values: dict[str, str]
    request: tuple[str, ...] = ()


def server_of(target: str) -> str:
    """Return the server of the target `orthanc` or `orthanc@URL`; "" for any other target.

    Raises:
        ConfigError: if the target only begins like one of these, or its server is invalid.
    """
    if not target.startswith("orthanc"):
        return ""
    name, sign, address = target.partition("@")
    if name != "orthanc" or (sign and not address):
        raise ConfigError(
            f"unknown target {mask_credentials(target)!r}.",
            expected=f"orthanc, or orthanc@URL such as orthanc@{SERVER}",
        )
    return check_server(address or SERVER)


def check_server(address: str) -> str:
    """Return a valid server address without a login. Raises ConfigError."""
    shown = mask_credentials(address)
    if shown != address:
        raise ConfigError(f"invalid address {shown!r}: it contains a login.", remedy=_NO_LOGIN)
    if isinstance(problem := parse_url(address), str):
        raise ConfigError(f"invalid server address {address!r}: {problem}.", expected=f"such as {SERVER}")
    return address


def plan(goal: str, base: str, folder: Path | None = None) -> Planned:
    """Plan a request such as `delete the study of patient Doe^Jane` or `delete the study "CHEST CT" of patient 4711`.

    Args:
        goal: the request, as `tools.gui.orthanc.intents` reads it; the patient by ID, or by name as it is written or
            reversed.
        base: the server's address.
        folder: folder for downloads.

    Raises:
        ConfigError: if the request is not understood, or matches no or several patients or studies.
        ToolFailed: if the server cannot be reached.
    """
    base = base.rstrip("/")
    kind, asked, description = read_goal(goal)
    found = _matching(asked, _entries(f"{base}/patients?expand"))
    if len(found) != 1:
        listed = "; ".join(f"{_tag(one, 'PatientName')} with ID {_tag(one, 'PatientID')}" for one in found[:8])
        raise ConfigError(
            f"{len(found) or 'no'} patients match {asked!r}{': ' + listed if listed else ''}.",
            expected="one patient's ID, or the name as Orthanc shows it",
            details=(asked, *(_tag(one, tag) for one in found[:8] for tag in ("PatientName", "PatientID"))),
        )
    values = {"base": base, "patient_name": _tag(found[0], "PatientName"), "patient_id": _tag(found[0], "PatientID")}
    patient = _patient(found[0])
    if kind != "find_patient":
        values |= _study(base, found[0], description)
    if kind == "download_study":
        if folder is None:
            raise ConfigError(
                "cannot download without a folder.", remedy="Name one without a ZIP file in it with --downloads FOLDER."
            )
        values["folder"] = str(folder)
    return planned_with(kind, values, patient, (kind, asked, description))


def planned_before(path: Path, goal: str, base: str, folder: Path | None = None) -> Planned:
    """Return the plan that `keep_plan` wrote, if a request asks for the same; other arguments as in `plan`.

    The same words mean the same request. Other words are planned again, and have to give the same plan.

    Raises:
        ConfigError: if the plan cannot be read, or the request differs or is not understood.
        ToolFailed: if the server cannot be reached.
    """
    before = load_plan(path)
    remedy = "Give the same request as before, or omit --resume."
    if read_goal(goal) != before.request:
        try:
            again = plan(goal, base, folder)
        except ConfigError as error:
            problem = f"the request {goal!r} differs from the plan {str(path)!r}: {error}"
            raise ConfigError(problem, remedy=remedy, details=error.details) from error
        if (again.kind, again.values, again.workflow.sha256) != (before.kind, before.values, before.workflow.sha256):
            differing = [name for name, value in before.values.items() if again.values.get(name) != value]
            raise ConfigError(
                f"the request {goal!r} differs from the plan {str(path)!r}: other {', '.join(differing) or 'steps'}.",
                expected=f"to {before.kind.replace('_', ' ')} for {before.patient.name} with ID {before.patient.id}",
                remedy=remedy,
                details=(before.patient.name, before.patient.id),
            )
    kept = before.values.get("folder", "")
    if kept and folder is not None and str(folder) != kept:
        raise ConfigError(
            f"invalid --downloads {str(folder)!r}: the run has another folder.", expected=kept, remedy=remedy
        )
    return before


def explorer_policy(base: str, patient: Patient | None = None) -> Policy:
    """Return the policy of Orthanc Explorer: the combined rules of the built-in workflows.

    Args:
        base: the server's address.
        patient: whose rows lead to the record; None for nobody's.

    Raises:
        ConfigError: if the address is invalid.
    """
    flows = [_for_server(template(kind), base) for kind in KINDS]
    named = next(flow.policy for flow in flows if flow.policy.identity == "required")
    labels = dict.fromkeys(label for flow in flows for label in flow.policy.auto_labels)
    named_safely = patient is not None and not _names_effect(patient.name, named)
    rows = (patient.name, f"{patient.name} - *") if patient and named_safely else ()
    leading = dict.fromkeys(label for flow in flows for label in flow.policy.search_labels if "${" not in label)
    verbs = {verb: rule for flow in flows for verb, rule in flow.policy.verbs.items()}
    return named.model_copy(
        update={
            "name": "Orthanc Explorer",
            "auto_labels": tuple(labels),
            "search_labels": (*leading, *rows),
            "verbs": verbs,
        }
    )


def named_patient(request: str, base: str) -> Patient | None:
    """Return the patient that a request names after the word `patient`, by ID or name; None if it names none.

    Raises:
        ConfigError: if several patients match.
        ToolFailed: if the server cannot be reached.
    """
    named = re.search(r"\bpatient(?:en|in|s)?\s+(.+)$", " ".join(request.split()).strip(" .!?"), re.IGNORECASE)
    if named is None:
        return None
    words, patients = named[1].split(), _entries(f"{base.rstrip('/')}/patients?expand")
    # Words after the name may be part of the request, such as "and open its first series".
    for length in range(len(words), 0, -1):
        asked = " ".join(words[:length]).strip(" ,;\"'“”„")
        found = _matching(asked, patients)
        if len(found) > 1:
            raise ConfigError(f"{len(found)} patients match {asked!r}.", remedy="Name one by ID.", details=(asked,))
        if found:
            return _patient(found[0])
    return None


def explorer(base: str) -> str:
    """Return the first page of Orthanc Explorer."""
    return f"{base.rstrip('/')}/app/explorer.html"


def keep_plan(planned: Planned, path: Path) -> None:
    """Write a plan to a file, readable by its owner only, so that an interrupted run resumes with the same one.

    The study may be gone by then, and could not be planned again. Raises StoreError.
    """
    stored = {"kind": planned.kind, "values": planned.values, "patient": planned.patient.model_dump()}
    stored["request"] = list(planned.request)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(stored, file)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(f"cannot write the plan {str(path)!r}: {error}.") from error


def load_plan(path: Path) -> Planned:
    """Read what `keep_plan` wrote. Raises ConfigError."""
    try:
        stored = json.loads(path.read_text("utf-8"))
        patient, request = Patient.model_validate(stored["patient"]), tuple(map(str, stored.get("request", ())))
        return planned_with(stored["kind"], stored["values"], patient, request)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"cannot read the plan {str(path)!r}: {error}.", remedy="It is beside the journal of its run."
        ) from error


def planned_with(kind: str, values: dict[str, str], patient: Patient, request: tuple[str, ...] = ()) -> Planned:
    """Return a built-in workflow with its values. Raises ConfigError if they are invalid."""
    flow = template(kind)
    label = values.get("study_label", "")
    # The row is clicked before the banner can show whose record it is, so its words must not make it a button.
    if label and _names_effect(label, flow.policy):
        verbs = find_verbs(label, flow.policy.all_words)
        named = f"the forbidden verb {verbs[0]!r}" if verbs else "words that confirm something"
        raise ConfigError(
            f"cannot search for the label {label!r}: it contains {named}.",
            expected="a patient's name and a study's description that name no effect",
            remedy="Do it by hand in Orthanc Explorer, or correct name and description in Orthanc first.",
        )
    return Planned(kind, _for_server(flow, values["base"]).bind(values), patient, values, request)


def is_built_in(goal: str) -> bool:
    """Return whether a built-in workflow matches a request."""
    try:
        read_goal(goal)
    except ConfigError:
        return False
    return True


def template(kind: str) -> Workflow:
    """Return a built-in workflow. Raises ConfigError if it is unknown."""
    if kind not in KINDS:
        raise ConfigError(f"unknown Orthanc workflow {kind!r}.", expected=f"one of {', '.join(KINDS)}")
    file = resources.files("tools.gui.orthanc") / "templates" / f"orthanc_{kind}.yaml"
    return parse_workflow(file.read_text("utf-8"), file.name)


def shown_date(date: str) -> str:
    """Format a DICOM date (YYYYMMDD) as Orthanc Explorer does; "?" if it is missing."""
    try:
        day = datetime.strptime(date, "%Y%m%d").date()  # noqa: DTZ007 - a birth date has no time zone
    except ValueError:
        return date or "?"
    return f"{_DAYS[day.weekday()]}, {_MONTHS[day.month - 1]} {day.day}, {day.year}"


_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)


def _study(base: str, patient: dict[str, Any], description: str) -> dict[str, str]:
    studies = _entries(f"{base}/patients/{patient['ID']}/studies")
    fitting = [one for one in studies if not description or _same(_tag(one, "StudyDescription"), description)]
    if len(fitting) != 1:
        names = "; ".join(repr(_tag(one, "StudyDescription")) for one in studies[:8])
        which = f"called {description!r}" if description else "at all"
        raise ConfigError(
            f"the patient has {len(fitting)} studies {which}; those there are: {names or 'none'}.",
            remedy='Name one, as in: open the study "CHEST CT" of patient 4711.',
        )
    study, name = fitting[0], _tag(patient, "PatientName")
    words = _tag(study, "StudyDescription")
    return {
        "study_id": str(study["ID"]),
        "study_uid": _tag(study, "StudyInstanceUID"),
        "study_label": f"{name} - {words}" if words else name,
    }


def _names_effect(label: str, policy: Policy) -> bool:
    return affirms(label) or bool(find_verbs(label, policy.all_words))


def _for_server(workflow: Workflow, base: str) -> Workflow:
    """Return the template with the named server in its policy."""
    parts = urlsplit(check_server(base))
    given = {"host": parts.hostname, "path": "/app/*", "schemes": (parts.scheme,), "port": parts.port}
    policy = workflow.policy.model_copy(update={"urls": (Address.model_validate(given),)})
    return workflow.model_copy(update={"policy": policy})


def _patient(entry: dict[str, Any]) -> Patient:
    """Return a patient as Orthanc Explorer shows one."""
    born = shown_date(_tag(entry, "PatientBirthDate"))
    return Patient(name=_tag(entry, "PatientName"), birth_date=born, id=_tag(entry, "PatientID"))


def _matching(asked: str, patients: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the patients with exactly that ID, else with that name, else with that name reversed."""
    tests = (
        lambda one: _tag(one, "PatientID") == asked,
        lambda one: _words(_tag(one, "PatientName")) == _words(asked),
        lambda one: sorted(_words(_tag(one, "PatientName"))) == sorted(_words(asked)),
    )
    for test in tests:
        if found := [one for one in patients if test(one)]:
            return found
    return []


def _words(name: str) -> list[str]:
    return re.split(r"[\s^,]+", name.casefold().strip("^, "))


def _same(one: str, other: str) -> bool:
    return " ".join(one.casefold().split()) == " ".join(other.casefold().split())


def _tag(entry: dict[str, Any], tag: str) -> str:
    return str(entry.get("MainDicomTags", {}).get(tag, ""))


def _entries(url: str) -> list[dict[str, Any]]:
    """Return patients or studies as listed by Orthanc. Raises ConfigError and ToolFailed."""
    import httpx

    check_server(url)
    try:
        answer = httpx.get(url, timeout=TIMEOUT_S, trust_env=not is_local(url))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ToolFailed(f"cannot reach Orthanc at {url!r}: {error}.", remedy="Is it running there?") from error
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise ToolFailed(f"cannot use Orthanc at {url!r}: it requires a login.", remedy=_NO_LOGIN)
    if not answer.is_success:
        problem = f"it answers {answer.status_code} {answer.reason_phrase}".rstrip()
        raise ToolFailed(f"cannot use Orthanc at {url!r}: {problem}.", remedy="Is it Orthanc that runs there?")
    try:
        entries = answer.json()
    except (ValueError, RecursionError):
        entries = None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise ToolFailed(
            f"the server at {url!r} is not Orthanc.",
            expected="a list of entries with ID and MainDicomTags",
            remedy=f"Name an Orthanc server, as in --target orthanc@{SERVER}.",
        )
    return entries


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("ID"), str)
        and isinstance(entry.get("MainDicomTags", {}), dict)
    )
