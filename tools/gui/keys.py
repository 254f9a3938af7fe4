"""Names of keys: one table for the hands that press them and for the guard that judges them, so that no spelling gets
past one of the two.
"""

from __future__ import annotations

MODIFIERS = ("ctrl", "alt", "shift", "super")
KEYS = frozenset(
    (
        *MODIFIERS,
        *("enter", "tab", "escape", "backspace", "delete", "insert", "space"),
        *("home", "end", "pageup", "pagedown", "up", "down", "left", "right"),
        *(f"f{number}" for number in range(1, 13)),
    )
)
"""Keys that have a name; all others are single characters."""
_ALIASES = {
    **{"control": "ctrl", "return": "enter", "esc": "escape", "del": "delete", "ins": "insert", " ": "space"},
    **{"win": "super", "meta": "super", "cmd": "super", "command": "super", "option": "alt", "pgup": "pageup"},
    **{"pgdn": "pagedown", "arrowup": "up", "arrowdown": "down", "arrowleft": "left", "arrowright": "right"},
}


def key_name(key: str) -> str:
    """A key by its name here, whichever of its names is given; a character stays as it is, also if it is unknown."""
    name = key if len(key) == 1 else key.strip().lower()
    return _ALIASES.get(name, name)


def is_key(name: str) -> bool:
    """Whether a name, as `key_name` gives it, is that of a key."""
    return name in KEYS or (len(name) == 1 and name.isprintable())


def key_set(keys: tuple[str, ...]) -> frozenset[str]:
    """Keys that are pressed together, by their names, letters without case."""
    return frozenset(key_name(key).lower() for key in keys)


def keys_of(combination: str) -> tuple[str, ...]:
    """The keys of a combination as it is written, such as "ctrl+s"; "ctrl++" and "+" hold a plus."""
    if combination in (" ", "+"):
        return (combination,)
    parts = [*combination[:-2].split("+"), "+"] if combination.endswith("++") else combination.split("+")
    return tuple(part.strip() for part in parts)


def unknown_key(combination: str) -> str:
    """What is wrong with the keys of a combination, "" if all are known."""
    unknown = next((key for key in keys_of(combination) if not is_key(key_name(key))), None)
    return "" if unknown is None else f"{combination!r} holds {unknown!r}, which is no key; write keys as in 'ctrl+s'"


def agrees(keys: frozenset[str]) -> bool:
    """Whether keys may press what has the focus, or what a dialog underlines: Enter, space, and a letter alone or
    with Alt.

    Args:
        keys: as `key_set` gives them.
    """
    others = keys - set(MODIFIERS)
    letters = any(len(key) == 1 for key in others) and not keys & {"ctrl", "super"}
    return letters or bool(others & {"enter", "space"})
