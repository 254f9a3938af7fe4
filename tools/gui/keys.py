"""Names of keys: one table for the actuators and the guard, so that no spelling can bypass the guard."""

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
"""Named keys; all others are single characters."""
_ALIASES = {
    **{"control": "ctrl", "return": "enter", "esc": "escape", "del": "delete", "ins": "insert", " ": "space"},
    **{"win": "super", "meta": "super", "cmd": "super", "command": "super", "option": "alt", "pgup": "pageup"},
    **{"pgdn": "pagedown", "arrowup": "up", "arrowdown": "down", "arrowleft": "left", "arrowright": "right"},
}


def key_name(key: str) -> str:
    """Return the canonical name of a key; a character is returned unchanged, even if it is unknown."""
    name = key if len(key) == 1 else key.strip().lower()
    return _ALIASES.get(name, name)


def is_key(name: str) -> bool:
    """Return whether a name, as returned by `key_name`, is that of a key."""
    return name in KEYS or (len(name) == 1 and name.isprintable())


def key_set(keys: tuple[str, ...]) -> frozenset[str]:
    """Return the canonical names of keys pressed together, letters without case."""
    return frozenset(key_name(key).lower() for key in keys)


def keys_of(combination: str) -> tuple[str, ...]:
    """Split a combination such as "ctrl+s" into its keys; "ctrl++" and "+" contain a plus."""
    if combination in (" ", "+"):
        return (combination,)
    parts = [*combination[:-2].split("+"), "+"] if combination.endswith("++") else combination.split("+")
    return tuple(part.strip() for part in parts)


def unknown_key(combination: str) -> str:
    """Return what is wrong with the keys of a combination, "" if all are known."""
    unknown = next((key for key in keys_of(combination) if not is_key(key_name(key))), None)
    return "" if unknown is None else f"unknown key {unknown!r} in {combination!r}; write keys as in 'ctrl+s'"


def agrees(keys: frozenset[str]) -> bool:
    """Return whether keys may press the focused or an underlined control: Enter, space, a letter alone or with Alt.

    Args:
        keys: as returned by `key_set`.
    """
    others = keys - set(MODIFIERS)
    letters = any(len(key) == 1 for key in others) and not keys & {"ctrl", "super"}
    return letters or bool(others & {"enter", "space"})
