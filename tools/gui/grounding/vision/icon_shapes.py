"""Shapes of common icons as strokes and fills in coordinates of 0 to 1, in several drawing styles, and their names."""

from __future__ import annotations

import math
from functools import cache

Part = tuple[str | tuple[float, float], ...]
"""`line`, `ring` (a closed line), `fill` or `clear`, then points."""
Shape = tuple[Part, ...]


def _arc(x: float, y: float, radius: float, start: float = 0, end: float = 360, kind: str = "line") -> Part:
    """Return an arc of a circle, clockwise from the right, in degrees."""
    steps = max(6, int(abs(end - start) / 12))
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return (kind, *((x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles))


def _lines(*strokes: tuple[tuple[float, float], ...]) -> Shape:
    return tuple(("line", *stroke) for stroke in strokes)


def _cog(teeth: int, inner: float, outer: float, kind: str) -> Part:
    points = []
    for step in range(teeth * 4):
        angle = 2 * math.pi * (step + 0.5) / (teeth * 4)
        radius = outer if step % 4 in (0, 1) else inner
        points.append((0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle)))
    return (kind, *points)


def _turned(shape: Shape, quarters: int) -> Shape:
    """Rotate clockwise by quarter turns."""

    def turn(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        for _ in range(quarters):
            x, y = 1 - y, x
        return x, y

    return tuple((part[0], *(turn(point) for point in part[1:] if not isinstance(point, str))) for part in shape)


_CIRCLE = _arc(0.5, 0.5, 0.5, kind="ring")
_DISC = _arc(0.5, 0.5, 0.5, kind="fill")
_CROSS = _lines(((0, 0), (1, 1)), ((1, 0), (0, 1)))
_SMALL_CROSS = _lines(((0.32, 0.32), (0.68, 0.68)), ((0.68, 0.32), (0.32, 0.68)))
_GLASS: Shape = (_arc(0.4, 0.4, 0.4, kind="ring"), ("line", (0.69, 0.69), (1, 1)))
_SMALL_GLASS: Shape = (_arc(0.38, 0.38, 0.34, kind="ring"), ("line", (0.62, 0.62), (1, 1)))
_TRAY = _lines(((0, 0.72), (0, 1), (1, 1), (1, 0.72)))
_BASE = _lines(((0.05, 1), (0.95, 1)))
_DOWN = _lines(((0.5, 0), (0.5, 0.7)), ((0.2, 0.42), (0.5, 0.72), (0.8, 0.42)))
_UP = _lines(((0.5, 0.72), (0.5, 0)), ((0.2, 0.3), (0.5, 0), (0.8, 0.3)))
_CHEVRON = _lines(((0.3, 0), (0.8, 0.5), (0.3, 1)))
_ARROW = _lines(((0, 0.5), (1, 0.5)), ((0.58, 0.1), (1, 0.5), (0.58, 0.9)))
_WEDGE: Shape = (("fill", (0.2, 0), (0.85, 0.5), (0.2, 1)),)
_CHECK = _lines(((0, 0.55), (0.36, 0.9), (1, 0.12)))
_HOUSE = _lines(((0, 0.5), (0.5, 0.03), (1, 0.5)), ((0.15, 0.4), (0.15, 1), (0.85, 1), (0.85, 0.4)))
_BIN = _lines(((0.05, 0.2), (0.95, 0.2)), ((0.16, 0.2), (0.24, 1), (0.76, 1), (0.84, 0.2)))
_LID = _lines(((0.35, 0.2), (0.37, 0.03), (0.63, 0.03), (0.65, 0.2)))
_DISK: Shape = (("ring", (0, 0), (0.76, 0), (1, 0.24), (1, 1), (0, 1)),)
_PAPER: Shape = (("ring", (0.24, 0.6), (0.76, 0.6), (0.76, 1), (0.24, 1)),)
_PRINTER = (
    *_lines(
        ((0.22, 0.78), (0, 0.78), (0, 0.32), (1, 0.32), (1, 0.78), (0.78, 0.78)),
        ((0.24, 0.32), (0.24, 0), (0.76, 0), (0.76, 0.32)),
    ),
    *_PAPER,
)
_PENCIL: Shape = (("ring", (0, 1), (0.06, 0.72), (0.74, 0.04), (0.96, 0.26), (0.28, 0.94)),)
_LETTER_I = (("line", (0.5, 0.44), (0.5, 0.76)), ("line", (0.5, 0.26), (0.5, 0.28)))
_QUESTION = (_arc(0.5, 0.38, 0.15, 190, 420), ("line", (0.57, 0.51), (0.5, 0.6)), ("line", (0.5, 0.74), (0.5, 0.76)))
_TURN = (_arc(0.5, 0.5, 0.46, -30, 250), ("fill", (0.98, 0.02), (0.98, 0.44), (0.58, 0.4)))
_TURN_OPEN = (_arc(0.5, 0.5, 0.46, 30, 320), ("line", (0.95, 0.02), (0.95, 0.3), (0.66, 0.3)))

SHAPES: dict[str, tuple[Shape, ...]] = {
    "close": (_CROSS, (_CIRCLE, *_SMALL_CROSS)),
    "menu": (
        _lines(((0, 0.12), (1, 0.12)), ((0, 0.5), (1, 0.5)), ((0, 0.88), (1, 0.88))),
        _lines(((0, 0.2), (1, 0.2)), ((0, 0.5), (1, 0.5)), ((0, 0.8), (1, 0.8))),
    ),
    "more": tuple(_turned(tuple(_arc(0.5, y, 0.1, kind="fill") for y in (0.1, 0.5, 0.9)), turn) for turn in (0, 1)),
    "search": (_GLASS, _SMALL_GLASS, (_arc(0.6, 0.4, 0.4, kind="ring"), ("line", (0.31, 0.69), (0, 1)))),
    "zoom in": ((*_GLASS, *_lines(((0.4, 0.22), (0.4, 0.58)), ((0.22, 0.4), (0.58, 0.4)))),),
    "zoom out": ((*_GLASS, *_lines(((0.22, 0.4), (0.58, 0.4)))),),
    "settings": (
        (_cog(8, 0.36, 0.5, "ring"), _arc(0.5, 0.5, 0.17, kind="ring")),
        (_cog(8, 0.37, 0.5, "fill"), _arc(0.5, 0.5, 0.17, kind="clear")),
        (_cog(6, 0.36, 0.5, "ring"), _arc(0.5, 0.5, 0.15, kind="ring")),
        (
            _arc(0.5, 0.5, 0.22, kind="ring"),
            *_lines(
                *(
                    (
                        (0.5 + 0.32 * math.cos(a), 0.5 + 0.32 * math.sin(a)),
                        (0.5 + 0.5 * math.cos(a), 0.5 + 0.5 * math.sin(a)),
                    )
                    for a in (turn * math.pi / 4 for turn in range(8))
                )
            ),
        ),
    ),
    "delete": (
        (*_BIN, *_LID),
        (*_BIN, *_LID, *_lines(((0.4, 0.4), (0.4, 0.82)), ((0.6, 0.4), (0.6, 0.82)))),
        (
            ("fill", (0.14, 0.26), (0.22, 1), (0.78, 1), (0.86, 0.26)),
            ("fill", (0.03, 0.08), (0.97, 0.08), (0.97, 0.2), (0.03, 0.2)),
        ),
    ),
    "add": (
        _lines(((0.5, 0), (0.5, 1)), ((0, 0.5), (1, 0.5))),
        (_CIRCLE, *_lines(((0.5, 0.26), (0.5, 0.74)), ((0.26, 0.5), (0.74, 0.5)))),
    ),
    "minus": (_lines(((0, 0.5), (1, 0.5))), (_CIRCLE, *_lines(((0.26, 0.5), (0.74, 0.5))))),
    "right": (_CHEVRON, _ARROW, _WEDGE, (_CIRCLE, *_lines(((0.42, 0.28), (0.64, 0.5), (0.42, 0.72))))),
    "down": tuple(_turned(shape, 1) for shape in (_CHEVRON, _ARROW, _WEDGE)),
    "left": tuple(_turned(shape, 2) for shape in (_CHEVRON, _ARROW, _WEDGE)),
    "up": tuple(_turned(shape, 3) for shape in (_CHEVRON, _ARROW, _WEDGE)),
    "download": ((*_DOWN, *_TRAY), (*_DOWN, *_BASE)),
    "upload": ((*_UP, *_TRAY), (*_UP, *_BASE)),
    "print": (
        _PRINTER,
        (
            ("fill", (0, 0.3), (1, 0.3), (1, 0.78), (0, 0.78)),
            ("fill", (0.22, 0), (0.78, 0), (0.78, 0.22), (0.22, 0.22)),
            ("clear", (0.22, 0.58), (0.78, 0.58), (0.78, 1), (0.22, 1)),
            *_PAPER,
        ),
    ),
    "save": (
        (
            *_DISK,
            *_lines(((0.24, 0), (0.24, 0.32), (0.68, 0.32), (0.68, 0)), ((0.2, 1), (0.2, 0.58), (0.8, 0.58), (0.8, 1))),
        ),
        (
            ("fill", (0, 0), (0.76, 0), (1, 0.24), (1, 1), (0, 1)),
            ("clear", (0.2, 0.08), (0.7, 0.08), (0.7, 0.34), (0.2, 0.34)),
            _arc(0.5, 0.68, 0.17, kind="clear"),
        ),
    ),
    "home": (
        _HOUSE,
        (*_HOUSE, *_lines(((0.4, 1), (0.4, 0.64), (0.6, 0.64), (0.6, 1)))),
        (("fill", (0.5, 0), (1, 0.5), (0.86, 0.5), (0.86, 1), (0.14, 1), (0.14, 0.5), (0, 0.5)),),
    ),
    "refresh": (
        _TURN,
        _TURN_OPEN,
        (
            _arc(0.5, 0.5, 0.45, 200, 340),
            ("fill", (1, 0.1), (1, 0.46), (0.68, 0.4)),
            _arc(0.5, 0.5, 0.45, 20, 160),
            ("fill", (0, 0.9), (0, 0.54), (0.32, 0.6)),
        ),
    ),
    "info": (
        (_CIRCLE, *_LETTER_I),
        (_DISC, ("clear", (0.43, 0.42), (0.57, 0.42), (0.57, 0.8), (0.43, 0.8)), _arc(0.5, 0.26, 0.08, kind="clear")),
    ),
    "help": ((_CIRCLE, *_QUESTION),),
    "warning": (
        (
            ("ring", (0.5, 0.04), (1, 0.94), (0, 0.94)),
            ("line", (0.5, 0.36), (0.5, 0.64)),
            ("line", (0.5, 0.76), (0.5, 0.78)),
        ),
    ),
    "check": (_CHECK, (_CIRCLE, *_lines(((0.28, 0.52), (0.44, 0.68), (0.73, 0.34))))),
    "edit": (
        _PENCIL,
        (*_PENCIL, *_lines(((0.6, 0.18), (0.82, 0.4)))),
        (
            *_lines(((0.45, 0.12), (0.05, 0.12), (0.05, 0.95), (0.88, 0.95), (0.88, 0.55))),
            ("ring", (0.34, 0.66), (0.38, 0.48), (0.84, 0.02), (0.98, 0.16), (0.52, 0.62)),
        ),
    ),
    "play": (_WEDGE, (("ring", (0.2, 0), (0.9, 0.5), (0.2, 1)),)),
    "pause": (
        (("fill", (0.1, 0), (0.36, 0), (0.36, 1), (0.1, 1)), ("fill", (0.64, 0), (0.9, 0), (0.9, 1), (0.64, 1))),
        _lines(((0.25, 0), (0.25, 1)), ((0.75, 0), (0.75, 1))),
    ),
    "user": ((_arc(0.5, 0.26, 0.24, kind="ring"), _arc(0.5, 1.0, 0.44, 180, 360)),),
    "calendar": (
        (
            ("ring", (0, 0.14), (1, 0.14), (1, 1), (0, 1)),
            *_lines(((0, 0.4), (1, 0.4)), ((0.28, 0), (0.28, 0.24)), ((0.72, 0), (0.72, 0.24))),
        ),
    ),
}
"""Each icon in its drawing styles."""

NAMES: dict[str, tuple[str, ...]] = {
    "close": ("close", "x", "cross", "cancel", "dismiss", "schließen", "kreuz", "cerrar", "fermer", "chiudi"),
    "menu": ("menu", "hamburger", "hamburger menu", "three lines", "menü", "menú"),
    "more": ("more", "dots", "three dots", "ellipsis", "options", "kebab menu", "mehr"),
    "search": (
        "search",
        "magnifier",
        "magnifying glass",
        "find",
        "lookup",
        "lupe",
        "lupen",
        "lupensymbol",
        "suchen",
        "suche",
        "buscar",
        "lupa",
        "recherche",
        "loupe",
    ),
    "zoom in": (
        "zoom in",
        "magnifier with plus",
        "magnifier with a plus",
        "magnifying glass with plus",
        "enlarge",
        "vergrößern",
        "acercar",
    ),
    "zoom out": (
        "zoom out",
        "magnifier with minus",
        "magnifier with a minus",
        "magnifying glass with minus",
        "verkleinern",
        "alejar",
    ),
    "settings": (
        "settings",
        "gear",
        "cog",
        "cog wheel",
        "preferences",
        "configuration",
        "options",
        "zahnrad",
        "einstellungen",
        "ajustes",
        "paramètres",
    ),
    "delete": (
        "delete",
        "trash",
        "trash can",
        "bin",
        "rubbish bin",
        "garbage",
        "remove",
        "löschen",
        "papierkorb",
        "mülleimer",
        "eliminar",
        "papelera",
        "supprimer",
        "corbeille",
    ),
    "add": ("add", "plus", "+", "new", "create", "hinzufügen", "neu", "añadir", "ajouter"),
    "minus": ("minus", "-", "collapse", "less", "weniger"),
    "right": (
        "right",
        "right arrow",
        "arrow right",
        "next",
        "next page",
        "forward",
        "right chevron",
        "chevron",
        "weiter",
        "rechts",
        "nach rechts",
        "siguiente",
        "suivant",
    ),
    "left": (
        "left",
        "left arrow",
        "arrow left",
        "previous",
        "previous page",
        "back",
        "left chevron",
        "zurück",
        "links",
        "nach links",
        "anterior",
        "précédent",
    ),
    "up": ("up", "up arrow", "arrow up", "nach oben", "arriba"),
    "down": ("down", "down arrow", "arrow down", "drop-down arrow", "nach unten", "abajo"),
    "download": ("download", "herunterladen", "descargar", "télécharger"),
    "upload": ("upload", "hochladen", "subir", "téléverser"),
    "print": ("print", "printer", "drucken", "drucker", "imprimir", "impresora", "imprimer"),
    "save": ("save", "disk", "floppy", "floppy disk", "diskette", "speichern", "guardar", "enregistrer"),
    "home": ("home", "house", "start page", "startseite", "haus", "inicio", "accueil"),
    "refresh": (
        "refresh",
        "reload",
        "update",
        "circular arrow",
        "aktualisieren",
        "neu laden",
        "actualizar",
        "actualiser",
    ),
    "info": ("info", "information", "about", "i"),
    "help": ("help", "question mark", "question", "hilfe", "fragezeichen", "ayuda", "aide"),
    "warning": ("warning", "alert", "exclamation mark", "caution", "warnung", "advertencia", "avertissement"),
    "check": ("check", "check mark", "checkmark", "tick", "ok", "done", "confirm", "häkchen", "haken"),
    "edit": (
        "edit",
        "pencil",
        "pen",
        "change",
        "modify",
        "bearbeiten",
        "stift",
        "editar",
        "lápiz",
        "modifier",
        "crayon",
    ),
    "play": ("play", "start", "abspielen", "wiedergabe"),
    "pause": ("pause", "anhalten"),
    "user": ("user", "person", "profile", "account", "benutzer", "profil", "usuario"),
    "calendar": ("calendar", "date", "kalender", "calendario", "calendrier"),
}
"""Names of each icon in instructions."""


@cache
def same_icon(words: str) -> frozenset[str]:
    """Return all names of the icon with this name: a program calls it "Settings", an instruction "gear"."""
    wanted = words.casefold()
    return frozenset(name for names in NAMES.values() if wanted in names for name in names) - {wanted}
