"""Check that the patient banner is in the window that an action goes to, on a desktop with several windows."""

from __future__ import annotations

from collections.abc import Sequence

from tools.gui.types import Point, Rect, Screen


def banner_of(screen: Screen, banner: Rect, points: Sequence[Point]) -> tuple[Rect | None, str]:
    """Return the part of a banner's region in the window that an action goes to, with its dialogs and menus.

    Args:
        screen: the current screen.
        banner: region of the patient banner, on the whole screen.
        points: points of the action; none for keys, which go to the focused window.

    Returns:
        The region, all of it if no windows are known; or None, and the reason.
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
        return None, "the action does not go to a single window, so it is unknown which banner counts"
    inside = banner.overlap(main.rect)
    if inside.area <= 0:
        return (
            None,
            "the banner's region is in another window than the action, so the patient is unknown",
        )
    above = screen.windows[screen.windows.index(main) + 1 :]
    if any(window.group != main.number and window.rect.overlap(inside).area > 0 for window in above):
        return None, "another window covers the banner of the action's window"
    return inside, ""
