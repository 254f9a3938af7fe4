"""Settings of the package, with defaults and ranges."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

DicomWindow = Literal["file", "full", "abdomen", "bone", "brain", "liver", "lung", "mediastinum"]


class MediaOptions(BaseModel):
    """How sources are opened, sampled and repaired.

    Attributes:
        fps: sampling rate in frames/s: for each tick start_s + k/fps the first frame at or after it is delivered, no
            frame twice. None delivers every frame (for a folder of pictures: one a second; for a screen: 30 a second).
            Pictures of a folder are shown at this rate.
        start_s: start position in a recording, in seconds. Live sources ignore it.
        end_s: no frame after this time is delivered, in seconds; None means the end of the source.
        max_side_px: frames with a longer side above this are scaled down to it; None keeps their size.
        decoder: "pyav" reads everything; "decord" is tried first for recordings, with "pyav" as the fallback.
        transport: transport of RTSP packets; "udp" has less delay and loses some.
        open_timeout_s: time a stream may take to answer, in seconds.
        read_timeout_s: time an open stream may go without a new picture, in seconds.
        reconnect_attempts: consecutive attempts to reconnect a lost live source before it ends; None retries forever, 0
            never.
        backoff_initial_s: pause before the first reconnection, in seconds; it doubles with each failure.
        backoff_max_s: maximum pause between two attempts, in seconds.
        dicom_window: mapping of DICOM values to grey: "file" uses the file's own (VOI LUT, else its first window, else
            the full range), "full" the full range of values, and the others are CT presets in Hounsfield units.
        dicom_center: window centre in the file's units; goes with dicom_width and overrides dicom_window.
        dicom_width: window width in the file's units, at least 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fps: float | None = Field(default=1.0, gt=0, le=1000, allow_inf_nan=False)
    start_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    end_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    max_side_px: int | None = Field(default=None, ge=16)
    decoder: Literal["pyav", "decord"] = "pyav"
    transport: Literal["tcp", "udp"] = "tcp"
    open_timeout_s: float = Field(default=10.0, gt=0, le=600, allow_inf_nan=False)
    read_timeout_s: float = Field(default=5.0, gt=0, le=600, allow_inf_nan=False)
    reconnect_attempts: int | None = Field(default=None, ge=0)
    backoff_initial_s: float = Field(default=0.5, gt=0, allow_inf_nan=False)
    backoff_max_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)
    dicom_window: DicomWindow = "file"
    dicom_center: float | None = Field(default=None, allow_inf_nan=False)
    dicom_width: float | None = Field(default=None, ge=1, allow_inf_nan=False)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.end_s is not None and self.end_s <= self.start_s:
            raise ValueError(f"end_s={self.end_s!r} must be greater than start_s={self.start_s!r}")
        if self.backoff_max_s < self.backoff_initial_s:
            raise ValueError(f"backoff_max_s={self.backoff_max_s!r} must not be less than {self.backoff_initial_s!r}")
        if (self.dicom_center is None) != (self.dicom_width is None):
            raise ValueError("dicom_center and dicom_width must be given together")
        return self
