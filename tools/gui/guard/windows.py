"""The banner has to stand in the window that an action goes to, where several lie on a desktop."""

from __future__ import annotations

from collections.abc import Sequence

from tools.gui.types import Point, Rect, Screen


def banner_of(screen: Screen, banner: Rect, points: Sequence[Point]) -> tuple[Rect | None, str]:
    """The part of a banner's region that lies in the window an action goes to, with its dialogs and menus.

    Args:
        screen: as it is now.
        banner: where the patient is named, on the whole screen.
        points: where the action lands; none for keys, which go to the window that has them.

    Returns:
        The region, all of it where no windows are told of; or None, and why there is none.
    """
    if not screen.windows:
        return banner, ""
    if points:
        at = [next((one for one in reversed(screen.windows) if one.rect.holds(point)), None) for point in points]
    else:
        at = [next((one for one in reversed(screen.windows) if one.focused), screen.windows[-1])]
    groups = {window.group if window else 0 for window in at}
    main = next((window for window in screen.windows if groups == {window.number}), None)
    if main is None:
        return None, "the action does not go to one window, so that nobody can tell whose banner counts"
    inside = banner.overlap(main.rect)
    if inside.area <= 0:
        return (
            None,
            "the banner's region lies in another window than the action, so that nobody knows whose record it is",
        )
    above = screen.windows[screen.windows.index(main) + 1 :]
    if any(window.group != main.number and window.rect.overlap(inside).area > 0 for window in above):
        return None, "another window lies over the banner of the window that the action goes to"
    return inside, ""
