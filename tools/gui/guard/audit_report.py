"""Report of an audit file as a self-contained HTML page: the state of the chain, and every entry, redacted again."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.errors import StoreError
from tools.gui.guard.audit import read_entries, verify_kept
from tools.privacy.redact import Redactor

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Audit of {{ name }}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #16202c; background: #fff }
.holds { color: #0a6b2d } .broken { color: #a60f0f; font-weight: 600 }
table { border-collapse: collapse; width: 100%; margin-top: 1rem }
th, td { text-align: left; vertical-align: top; padding: .35rem .5rem; border-bottom: 1px solid #d6dde6 }
code { font-size: .85em; color: #4a5768 } td { overflow-wrap: anywhere }
tr.halted, tr.asked { background: #fff8e6 } tr.healed { background: #fdecec }
@media (prefers-color-scheme: dark) {
  body { background: #12171e; color: #e5ebf2 } tr.halted, tr.asked { background: #332c16 }
  tr.healed { background: #3a1c1c } .holds { color: #6fd793 } .broken { color: #ff8d8d } code { color: #a5b3c4 }
}
</style></head><body>
<h1>Audit of {{ name }}</h1>
<p class="{{ 'holds' if checked.holds else 'broken' }}">
{% if checked.holds %}The chain of {{ checked.entries }} entries holds.
{% else %}Line {{ checked.line }} does not hold: {{ checked.problem }}.
Only the {{ checked.entries }} entries before it are shown.
{% endif %}</p>
<p>Last hash: <code>{{ checked.head }}</code></p>
<p>{% for kind, count in counts %}{{ kind }}: {{ count }}{{ ", " if not loop.last }}{% endfor %}</p>
<p>Personal details that our detectors know are replaced by their kind.
They miss some: keep this page as you would a record.</p>
<table><thead><tr><th>No.</th><th>When</th><th>What</th><th>Action</th><th>Target</th><th>Outcome</th><th>Why</th>
<th>Who</th><th>Screen</th></tr></thead><tbody>
{% for row in rows %}<tr class="{{ row.kind }}"><td>{{ row.n }}</td><td>{{ row.at }}</td><td>{{ row.kind }}</td>
<td>{{ row.action }}</td><td>{{ row.target }}</td><td>{{ row.outcome }}</td><td>{{ row.why }}</td><td>{{ row.who }}</td>
<td><code title="{{ row.screen }}">{{ row.screen[:12] }}</code></td></tr>
{% endfor %}</tbody></table></body></html>
"""


def write_audit_report(path: Path, out: Path, redactor: Redactor | None = None) -> int:
    """Write the report of an audit file, and return the number of its entries.

    Args:
        path: the audit file; it may be in use.
        out: the page, readable by its owner only; replaced if it exists.
        redactor: redacts personal details once more; None uses one with our own detectors.

    Raises:
        StoreError: if the file cannot be read, the page cannot be written, or the page would overwrite the file.
    """
    import jinja2

    clean = redactor or Redactor()
    checked = verify_kept(path)
    entries = [entry for entry, _ in zip(read_entries(path), range(checked.entries), strict=False)]
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(_PAGE)
    text = page.render(
        name=clean.text(path.name),
        checked=checked,
        counts=sorted(Counter(entry.get("outcome") or entry["kind"] for entry in entries).items()),
        rows=[_row(entry, clean) for entry in entries],
    )
    try:
        if out.exists() and out.samefile(path):
            raise StoreError(
                f"cannot write the report {str(out)!r}: it is the audit file itself.", remedy="Name another file."
            )
        _put(text, out)
    except OSError as error:
        raise StoreError(f"cannot write the report {str(out)!r}: {error}.") from error
    return len(entries)


def _put(text: str, out: Path) -> None:
    """Write a file atomically, readable by its owner only. Raises OSError."""
    # Uses a name that does not exist yet, so that files beside it, such as the audit file, are never touched.
    number, name = tempfile.mkstemp(prefix=f"{out.name[:80]}.", dir=out.parent)
    fresh = Path(name)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        fresh.replace(out)
    except BaseException:
        fresh.unlink()
        raise


def _row(entry: Mapping[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Return one row of the table; hashes stay whole, all else is redacted."""
    action, target = entry.get("action") or {}, entry.get("target") or {}
    told = {
        "action": " ".join(str(part) for part in (action.get("kind"), _detail(action)) if part),
        "target": target.get("label", ""),
        "outcome": entry.get("outcome", ""),
        "why": entry.get("halted_for") or entry.get("reason", ""),
        "who": ", ".join([*entry.get("approved_by", ()), *map(str, (entry.get("about") or {}).values())]),
    }
    return {
        **{key: redactor.text(str(value)) for key, value in told.items()},
        "n": entry["n"],
        "at": entry["at"],
        "kind": entry["kind"],
        "screen": str(entry.get("after_sha256") or entry.get("screen_sha256") or ""),
    }


def _detail(action: Mapping[str, Any]) -> str:
    if action.get("text"):
        return repr(action["text"])
    if action.get("text_length"):
        return f"{action['text_length']} characters"
    if action.get("keys"):
        return "+".join(map(str, action["keys"]))
    point = action.get("point") or action.get("start")
    return f"at ({point['x_px']:g}, {point['y_px']:g})" if isinstance(point, Mapping) else ""
