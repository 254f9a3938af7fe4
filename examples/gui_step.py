"""Save a record in a drawn program, under a guard: python examples/gui_step.py Ada "seen today" [--approve Ann]

The steps and the policy are in save_record.yaml. Without --approve the guard only suggests: nothing is written.
Every step is recorded in an audit file.
"""

import argparse
import sys
from pathlib import Path

from tools import AttendError, AuditLog, Guard, Mode, Nobody, SimulatedActuator, load_workflow, run_workflow


class Approver(Nobody):
    """Approves every step in the name given with --approve."""

    def approve(self, *_: object, **__: object) -> list[str]:
        """Return the names of the approvers."""
        return [given.approve]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("who")
    parser.add_argument("note")
    parser.add_argument("--approve", metavar="NAME", help="name of the person who approves the steps")
    parser.add_argument("--audit", type=Path, default=Path("audit.jsonl"))
    given = parser.parse_args()
    try:
        workflow = load_workflow(Path(__file__).with_name("save_record.yaml"))
        actuator, mode = SimulatedActuator(), Mode.CONFIRM if given.approve else Mode.SUGGEST
        guard = Guard(workflow.policy, AuditLog(given.audit), mode)
        bound = workflow.bind({"who": given.who, "note": given.note})
        report = run_workflow(bound, actuator, guard, person=Approver() if given.approve else None)
    except AttendError as error:
        sys.exit(f"error: {error}")
    for step in report.steps:
        print(f"{step.name}: {step.outcome.value} {step.reason}".strip())
    print(f"{report.outcome.value}; records: {actuator.program.records}")
