"""Errors that people can act on. Every error the project raises on purpose derives from `AttendError`."""

from __future__ import annotations


class AttendError(Exception):
    """A failure with its cause and remedy, shown to people without a traceback.

    Args:
        problem: what went wrong, naming the offending value with `!r`.
        expected: what would have been accepted.
        remedy: what to do now.
        details: personal details (names, numbers) that occur in these texts; removed before the texts are stored.
    """

    def __init__(self, problem: str, *, expected: str = "", remedy: str = "", details: tuple[str, ...] = ()) -> None:
        self.problem, self.expected, self.remedy, self.details = problem, expected, remedy, details
        parts = [problem, f"Expected {expected}." if expected else "", remedy]
        super().__init__(" ".join(part for part in parts if part))


class ConfigError(AttendError):
    """A setting is unknown, out of range, or of the wrong type."""


class MediaError(AttendError):
    """A video, picture, camera, stream or DICOM object cannot be opened or read."""


class StoreError(AttendError):
    """The frame store or another file of the memory cannot be read or written."""


class ModelError(AttendError):
    """A model cannot be loaded or reached, or lacks an ability that the call needs."""


class ToolRetry(AttendError):
    """A tool call failed in a way that the model can correct; `remedy` is the hint it receives."""


class ToolFailed(AttendError):
    """A tool call failed for good; the model reads the error, and the run continues without a result."""


class Stopped(AttendError):
    """A person stopped the work on a screen: all keys and buttons are released, and no further action is taken."""
