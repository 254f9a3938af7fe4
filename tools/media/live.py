"""Live sources: network streams and webcams, with reconnection after outages."""

from __future__ import annotations

import functools
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.errors import MediaError
from tools.media.file import open_recording
from tools.media.options import MediaOptions
from tools.media.pyav_decoder import (
    DAMAGED,
    HOLE_S,
    Damage,
    decode_packet,
    ffmpeg_options,
    native_fps,
    read_packets,
    to_rgb,
    video_stream,
)
from tools.media.sampling import Events, ReadableSource, Sampler, fit
from tools.media.sound import Resampler, Sound, SoundTap, audio_stream
from tools.media.types import Frame, Gap, SourceInfo, mask_credentials

if TYPE_CHECKING:
    import av
    import cv2

CLOCKLESS_FORMATS = frozenset({"mpjpeg", "mjpeg", "jpeg_pipe", "h264", "hevc", "m4v"})
"""FFmpeg's names of formats without timestamps; FFmpeg would assume 25 frames/s, whatever the true rate."""
DRIFT_S = 5.0
"""Maximum drift of a stream's clock before it is reset; streams often begin with a burst."""
MAX_DOUBLINGS = 30
"""Maximum doublings of the pause between attempts; more would overflow."""
STEP_S = 1e-3
"""Minimum distance of two times when a clock would run backwards."""


@dataclass(frozen=True)
class Picture:
    """A picture on arrival: its time by the stream's clock (or None), its pixels on demand (RGB), and the number of
    damaged pictures skipped before it."""

    pts_s: float | None
    rgb: Callable[[], np.ndarray]
    damaged: int = 0


@dataclass(frozen=True)
class Heard:
    """Sound on arrival: the time of its first sample by the stream's clock, and its samples (see `Sound`)."""

    pts_s: float
    samples: np.ndarray


Pictures = Generator[Picture, None, None]
Arrivals = Generator[Picture | Heard, None, None]
Connect = Callable[[threading.Event], Arrivals]


class LiveClock:
    """Media time of a live source: seconds since its first picture, strictly increasing, even across outages.

    Pictures keep the intervals of the stream's own clock, which is tied to the monotonic clock of this machine.
    """

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._offset_s: float | None = None
        self.last_s: float | None = None

    def restart(self) -> None:
        """Forget the stream's clock, as after an outage."""
        self._offset_s = None

    def time_of(self, pts_s: float) -> float | None:
        """Return the media time of this stream time, by the last picture; None before the first of a connection."""
        return None if self._offset_s is None else pts_s + self._offset_s

    def place(self, pts_s: float | None, now_s: float) -> float:
        """Return the media time of a picture with this stream time that arrived at now_s (monotonic)."""
        if self._first_s is None:
            self._first_s = now_s
        t_s = elapsed_s = now_s - self._first_s
        if pts_s is not None:
            t_s = pts_s + (elapsed_s - pts_s if self._offset_s is None else self._offset_s)
            went_back = self.last_s is not None and t_s <= self.last_s
            if self._offset_s is None or went_back or abs(t_s - elapsed_s) > DRIFT_S:
                self._offset_s = elapsed_s - pts_s
                t_s = elapsed_s
        if self.last_s is not None and t_s <= self.last_s:
            t_s = self.last_s + STEP_S
        self.last_s = t_s
        return t_s


def watch(
    connect: Connect,
    opening: list[tuple[Picture, Arrivals]],
    name: str,
    options: MediaOptions,
    closed: threading.Event,
    tap: SoundTap | None = None,
) -> Events:
    """Yield the sampled frames of a live source, and a `Gap` for each outage.

    An outage ends with a gap that states its length, or, after `options.reconnect_attempts` consecutive failures, with
    a gap without an end, after which the source ends.

    Args:
        connect: starts a connection; it is lost when it ends or raises `MediaError`.
        opening: a connection that is already open, if any, with its first picture; it is removed and used first.
        name: name of the source.
        options: see `MediaOptions`.
        closed: stops the watching when set.
        tap: gets the sound that comes between the pictures.
    """
    clock, sampler = LiveClock(), Sampler(options.fps)
    lost: str | None = None
    failures = 0
    while not closed.is_set():
        pictures: Arrivals | None = None
        try:
            first, pictures = opening.pop() if opening else (None, connect(closed))
            clock.restart()
            for picture in chain([first] if first else [], _tapped(pictures, clock, tap)):
                if closed.is_set():
                    return
                before_s = clock.last_s or 0.0
                t_s = clock.place(picture.pts_s, time.monotonic())
                if lost is not None:
                    # Nothing was missed if the outage came before the first picture.
                    if t_s > before_s:
                        yield Gap(name, before_s, t_s, lost)
                    lost, failures = None, 0
                elif picture.damaged and t_s - before_s > HOLE_S:
                    yield Gap(name, before_s, t_s, f"{DAMAGED}: {picture.damaged}")
                if options.end_s is not None and t_s > options.end_s:
                    return
                if sampler.wants(t_s):
                    sampler.took(t_s)
                    yield Frame(name, t_s, picture.rgb(), wall_s=time.time())
            reason = "the connection was closed by the other side"
        except MediaError as error:
            reason = error.problem
        finally:
            if pictures is not None:
                pictures.close()
        lost = lost or reason
        if options.reconnect_attempts is not None and failures >= options.reconnect_attempts:
            yield Gap(name, clock.last_s or 0.0, None, f"{lost}; given up after {failures} new attempts ({reason})")
            return
        closed.wait(min(options.backoff_initial_s * 2.0 ** min(failures, MAX_DOUBLINGS), options.backoff_max_s))
        failures += 1


def _tapped(pictures: Arrivals, clock: LiveClock, tap: SoundTap | None) -> Iterator[Picture]:
    """Yield the pictures of a connection, and hand the sound between them to the listener."""
    for item in pictures:
        if isinstance(item, Picture):
            yield item
            continue
        heard_s = clock.time_of(item.pts_s)
        if tap and tap.listener and heard_s is not None and heard_s >= 0:
            tap.listener(Sound(heard_s, item.samples))


def open_stream(address: str, options: MediaOptions) -> ReadableSource:
    """Open a network stream, or a recording of known length behind a URL.

    Raises:
        MediaError: if the server does not answer or refuses access, or the stream has no pictures; masks credentials.
    """
    name = mask_credentials(address)
    container = _connect(address, name, options)
    if container.duration:
        container.close()
        return open_recording(address, name, options)
    tap = SoundTap()
    pictures = _stream_pictures(container, name, options, tap)
    first = next((picture for picture in pictures if isinstance(picture, Picture)), None)
    if first is None:
        raise MediaError(f"cannot watch {name!r}: it ended before its first picture.", remedy="Check the server.")
    shape = first.rgb().shape
    stream = video_stream(container)
    fps = native_fps(stream) if stream and container.format.name not in CLOCKLESS_FORMATS else None
    info = SourceInfo(name, "stream", True, shape[1], shape[0], fps=fps)

    def connect(closed: threading.Event) -> Arrivals:
        return _stream_pictures(_connect(address, name, options), name, options, tap)

    read = functools.partial(watch, connect, [(first, pictures)], name, options, tap=tap)
    return ReadableSource(info, read, release=pictures.close, tap=tap)


def _connect(address: str, name: str, options: MediaOptions) -> av.container.InputContainer:
    import av

    # FFmpeg's RTSP reader survives the first interruption, and gives up only at the second.
    read_timeout_s = options.read_timeout_s / 2 if address.lower().startswith("rtsp") else options.read_timeout_s
    try:
        return av.open(
            address,
            timeout=(options.open_timeout_s, read_timeout_s),
            options=ffmpeg_options(address, options),
            metadata_errors="replace",
        )
    except (av.error.ExitError, av.error.TimeoutError) as error:
        raise MediaError(
            f"cannot open {name!r}: it did not answer within {options.open_timeout_s:g} s.",
            remedy="Check address, network and server, or allow more time with open_timeout_s.",
        ) from error
    except av.error.ConnectionRefusedError as error:
        raise MediaError(
            f"cannot open {name!r}: it refused the connection.", remedy="Start the server, or check the port."
        ) from error
    except (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError, av.error.PermissionError) as error:
        raise MediaError(
            f"cannot open {name!r}: it refused access.",
            remedy="Put user and password into the address: scheme://USER:PASSWORD@host/...",
        ) from error
    except av.error.HTTPNotFoundError as error:
        raise MediaError(f"cannot find {name!r} on the server.", remedy="Check the path.") from error
    except av.error.FFmpegError as error:
        raise MediaError(
            f"cannot open {name!r} ({mask_credentials(error.strerror or str(error))}).",
            expected="a stream of pictures that FFmpeg can read",
            remedy="Check the address, for example with `ffprobe`.",
        ) from error


def _stream_pictures(
    container: av.container.InputContainer, name: str, options: MediaOptions, tap: SoundTap
) -> Arrivals:
    """Yield the pictures of an open connection, and its sound while somebody listens.

    Raises `MediaError` when no picture comes for too long.
    """
    import av

    with container:
        stream = video_stream(container)
        if stream is None:
            raise MediaError(f"cannot watch {name!r}: it has no pictures.", expected="a stream with video")
        has_clock = container.format.name not in CLOCKLESS_FORMATS
        voice = audio_stream(container)
        tap.present, resample = voice is not None, None if voice is None else Resampler()
        damage = Damage()
        patience_s, since_s = options.open_timeout_s, time.monotonic()
        try:
            # All streams are read: one that sends only sound must not count as alive.
            for packet in read_packets(container):
                if tap.listener and resample and packet.stream is voice:
                    yield from _sound_of(packet, resample)
                for frame in decode_packet(packet, damage) if packet.stream is stream else []:
                    pts_s = frame.time if has_clock else None
                    yield Picture(pts_s, functools.partial(to_rgb, frame, options), damage.recent)
                    damage.recent = 0
                    patience_s, since_s = options.read_timeout_s, time.monotonic()
                if time.monotonic() - since_s > patience_s:
                    why = f"{DAMAGED}: {damage.recent}; no good one" if damage.recent else "no new picture"
                    raise MediaError(f"{why} for {patience_s:g} s")
        except (av.error.ExitError, av.error.TimeoutError) as error:
            raise MediaError(f"no data for {options.read_timeout_s:g} s") from error
        except av.error.FFmpegError as error:
            raise MediaError(f"the connection was lost ({mask_credentials(error.strerror or str(error))})") from error


def _sound_of(packet: av.Packet, resample: Resampler) -> Iterator[Heard]:
    """Yield the sound of a packet; a damaged one has none."""
    import av

    try:
        frames = packet.decode()
    except av.error.FFmpegError:
        return
    for frame in frames:
        if frame.time is not None and len(samples := resample(frame)):
            yield Heard(frame.time, samples)


def open_webcam(number: int, options: MediaOptions) -> ReadableSource:
    """Open a camera of this machine by its number.

    Raises:
        MediaError: if there is no such camera, or another program uses it; lists the cameras found.
    """
    name = f"webcam:{number}"
    pictures = _camera_pictures(number, options, threading.Event())
    first = next(pictures)
    shape = first.rgb().shape
    info = SourceInfo(name, "webcam", True, shape[1], shape[0])
    connect = functools.partial(_camera_pictures, number, options)
    return ReadableSource(
        info, functools.partial(watch, connect, [(first, pictures)], name, options), release=pictures.close
    )


def _camera_pictures(number: int, options: MediaOptions, closed: threading.Event) -> Pictures:
    if sys.platform == "linux" and not Path(f"/dev/video{number}").exists():
        seen = sorted(str(path) for path in Path("/dev").glob("video*"))
        raise MediaError(
            f"cannot find camera {number} (/dev/video{number}); cameras found: {', '.join(seen) or 'none'}.",
            remedy="Plug one in, choose another number, or pass the device to the container or virtual machine.",
        )
    import cv2

    return read_camera(cv2.VideoCapture(number), f"camera {number}", options)


def read_camera(camera: cv2.VideoCapture, name: str, options: MediaOptions) -> Pictures:
    """Yield the pictures of an OpenCV camera, and release it at the end. Raises `MediaError` when there are no more."""
    try:
        if not camera.isOpened():
            raise MediaError(
                f"cannot open the {name}.",
                remedy="Close other programs that use it, and check your permission to read it (group `video`).",
            )
        while True:
            there, bgr = camera.read()
            if not there:
                raise MediaError(f"cannot read a picture from the {name}")
            yield Picture(None, functools.partial(_camera_rgb, bgr, options))
    finally:
        camera.release()


def _camera_rgb(bgr: np.ndarray, options: MediaOptions) -> np.ndarray:
    import cv2

    return fit(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), options)
