"""Text that can be sent and stored: `well_formed`."""

from __future__ import annotations

from typing import Any


def well_formed(data: Any) -> Any:
    """Return plain data in which U+FFFD takes the place of every lone surrogate, in strings at any depth.

    A lone surrogate is half of a character: JSON lets a model write one ("\\ud83d"), file names and broken bytes hold
    others, and neither UTF-8 nor SQLite takes any. Objects other than dicts, lists and tuples are left as they are.
    """
    if isinstance(data, str):
        return data.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(data, dict):
        return {well_formed(key): well_formed(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [well_formed(value) for value in data]
    return data
