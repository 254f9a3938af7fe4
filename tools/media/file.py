"""Recordings: video files, and videos of known length behind a URL."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from tools.errors import MediaError
from tools.media.options import MediaOptions
from tools.media.pyav_decoder import (
    DAMAGED,
    DEFAULT_RATE_FPS,
    HOLE_S,
    Damage,
    decode_packet,
    ffmpeg_options,
    native_fps,
    read_packets,
    to_rgb,
    video_stream,
)
from tools.media.sampling import TICK_TOLERANCE_S, Events, ReadableSource, Sampler, Timeline
from tools.media.types import Frame, Gap, SourceInfo, mask_credentials

if TYPE_CHECKING:
    import av

logger = logging.getLogger(__name__)

PROBE_PACKETS = 2000
"""A file without a picture in its first packets is taken to have none; this many packets are read."""
BROKEN_READS = 100
"""Reading ends after this many consecutive failures of the container."""
HOLE_PERIODS = 3
"""Damage is reported as a gap if it costs more frame periods than this, and more than HOLE_S."""
RESTARTING_CLOCK = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT: a format, such as MPEG-TS, whose clock starts at any value."""


@dataclass(frozen=True)
class _Recording:
    """An open container. Times are container seconds; `end_s` is media time and None if unknown."""

    container: av.container.InputContainer
    stream: av.VideoStream
    zero_s: float
    fps: float | None
    end_s: float | None
    end_margin_s: float
    restarts: bool

    @property
    def period_s(self) -> float:
        return 1 / (self.fps or DEFAULT_RATE_FPS)

    @property
    def hole_s(self) -> float:
        return max(HOLE_S, HOLE_PERIODS * self.period_s)


def open_file(path: Path, options: MediaOptions) -> ReadableSource:
    """Open a video file.

    Raises:
        MediaError: if it is empty, not a video, without pictures, or unreadable; the message says which.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise MediaError(
            f"cannot read {str(path)!r}: {error.strerror}.", remedy="Check its permissions and the disk."
        ) from error
    if not head:
        raise MediaError(
            f"cannot read {str(path)!r}: it is empty (0 bytes).", expected="a video", remedy="Copy or record it again."
        )
    return open_recording(str(path.absolute()), path.name, options, head=head)


def open_recording(address: str, name: str, options: MediaOptions, *, head: bytes = b"") -> ReadableSource:
    """Open a recording that PyAV can read: a path, or an http(s) URL of known length.

    Args:
        address: absolute path or URL.
        name: name of the source in frames and messages.
        options: see `MediaOptions`.
        head: its first bytes, for a better message if it is not a video.

    Raises:
        MediaError: if no picture of it can be decoded, or `start_s` is after its end.
    """
    with _opened(address, name, options, head) as recording:
        first = _first_frame(recording, name)
        rgb = to_rgb(first, options)
        info = SourceInfo(
            name=name,
            kind="video",
            live=False,
            width_px=rgb.shape[1],
            height_px=rgb.shape[0],
            fps=recording.fps,
            duration_s=recording.end_s,
        )
        if recording.end_s is not None and options.start_s >= recording.end_s:
            raise MediaError(
                f"invalid start_s={options.start_s!r}: it is after the end of {name!r} ({recording.end_s:.1f} s).",
                expected="a start within the recording",
            )
        first_s = max(0.0, (first.time or 0.0) - recording.zero_s)
    return ReadableSource(info, functools.partial(_read, address, name, first_s, info.duration_s, options))


@contextmanager
def _opened(address: str, name: str, options: MediaOptions, head: bytes = b"") -> Iterator[_Recording]:
    import av

    try:
        container = av.open(
            address,
            timeout=(options.open_timeout_s, options.read_timeout_s),
            options=ffmpeg_options(address, options),
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        raise _not_a_video(name, head, error) from error
    with container:
        stream = video_stream(container)
        if stream is None:
            kinds = sorted({stream.type for stream in container.streams})
            raise MediaError(
                f"cannot show {name!r}: it has no pictures, only {' and '.join(kinds) or 'nothing'}.",
                expected="a video",
            )
        yield _measure(container, stream)


def _measure(container: av.container.InputContainer, stream: av.VideoStream) -> _Recording:
    """Determine where media time starts and ends."""
    import av

    start_s = (container.start_time or 0) / av.time_base
    # MP4 and Matroska start at a true zero, and the first picture may come later; MPEG-TS starts at any value.
    restarts = bool(container.format.flags & RESTARTING_CLOCK)
    zero_s = start_s if restarts else min(start_s, 0.0)
    fps = native_fps(stream)
    margin_s = HOLE_PERIODS / (fps or DEFAULT_RATE_FPS)
    end_s = None
    if stream.duration and stream.time_base:
        end_s = float(((stream.start_time or 0) + stream.duration) * stream.time_base) - zero_s
        margin_s = max(margin_s, 0.5)
    elif container.duration:
        # This includes the sound, which often outlasts the pictures a little.
        end_s = start_s + container.duration / av.time_base - zero_s
        margin_s = max(margin_s, 1.0)
    return _Recording(container, stream, zero_s, fps, end_s if end_s and end_s > 0 else None, margin_s, restarts)


def _not_a_video(name: str, head: bytes, error: Exception) -> MediaError:
    reason = mask_credentials(str(error))
    if b"ftyp" in head[:16]:
        return MediaError(
            f"cannot read {name!r}: the MP4 has no usable index (moov); it was probably cut off.",
            remedy="Copy it again, or repair it with a tool such as untrunc.",
        )
    if head and _is_text(head):
        return MediaError(
            f"cannot read {name!r}: it is a text file, not a video.", expected="a video that FFmpeg can read"
        )
    return MediaError(
        f"cannot read {name!r} as a video ({reason}).",
        expected="a video that FFmpeg can read, such as mp4, mkv, webm, avi, mov or ts",
        remedy="Check it with `ffprobe`; it may be damaged or of another kind.",
    )


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", errors="ignore")
    return len(text.encode()) >= len(head) - 3 and all(char.isprintable() or char.isspace() for char in text)


def _first_frame(recording: _Recording, name: str) -> av.VideoFrame:
    damage = Damage()
    for frame in _decoded(recording, damage, most_packets=PROBE_PACKETS):
        return frame
    codec = recording.stream.codec_context.name
    raise MediaError(
        f"cannot decode any picture of {name!r} ({codec}, {damage.total} damaged packets).",
        remedy="Copy or record it again; it is too damaged to use.",
    )


def _decoded(recording: _Recording, damage: Damage, most_packets: int | None = None) -> Iterator[av.VideoFrame]:
    """Yield the undamaged pictures from the current position on, skipping damage."""
    import av

    packets = read_packets(recording.container, recording.stream)
    broken = seen = 0
    while broken < BROKEN_READS and (most_packets is None or seen < most_packets):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            damage.add()
            broken += 1
            packets = read_packets(recording.container, recording.stream)
            continue
        if packet is None:
            return
        broken = 0
        seen += 1
        yield from decode_packet(packet, damage)


def _from_start(recording: _Recording, damage: Damage, start_s: float) -> Iterator[av.VideoFrame]:
    """Yield the undamaged pictures from the last key frame before start_s on.

    MPEG-TS may seek past the key frame, so that its first picture comes too late: seek further back then.
    """
    import av

    margin_s = 0.0
    while start_s - margin_s > 0:
        target_s = start_s - margin_s + recording.zero_s
        try:
            recording.container.seek(int(target_s / recording.stream.time_base), stream=recording.stream)
        except av.error.FFmpegError:
            break
        frames = _decoded(recording, damage)
        first = next(frames, None)
        if first is not None and first.time is not None and first.time - recording.zero_s <= start_s + TICK_TOLERANCE_S:
            return chain([first], frames)
        margin_s = margin_s * 2 or 1.0
    if margin_s:
        recording.container.seek(0)
    return _decoded(recording, damage)


def _read(
    address: str, name: str, first_s: float, end_s: float | None, options: MediaOptions, closed: threading.Event
) -> Events:
    sampler = Sampler(options.fps, options.start_s)
    start_s: float | None = options.start_s
    if options.decoder == "decord":
        from tools.media.decord_decoder import read_with_decord

        start_s = yield from read_with_decord(address, name, (first_s, end_s), options, sampler, closed)
    if start_s is not None and not closed.is_set():
        with _opened(address, name, options) as recording:
            yield from _read_recording(recording, name, start_s, options, sampler, closed)


def _read_recording(
    recording: _Recording, name: str, start_s: float, options: MediaOptions, sampler: Sampler, closed: threading.Event
) -> Events:
    damage = Damage()
    timeline = Timeline(recording.zero_s, recording.period_s, recording.restarts)
    end_s = options.end_s if options.end_s is not None else float("inf")
    seen_until_s, delivered = start_s, start_s > options.start_s
    frames = _from_start(recording, damage, start_s) if start_s else _decoded(recording, damage)
    for frame in frames:
        if closed.is_set():
            return
        t_s = timeline.place(frame.time)
        if t_s is None:
            damage.add()
            continue
        if damage.recent and min(t_s, end_s) - seen_until_s > recording.hole_s:
            yield Gap(name, seen_until_s, min(t_s, end_s), f"{DAMAGED}: {damage.recent}")
        damage.recent = 0
        if t_s > end_s:
            break
        if sampler.wants(t_s):
            sampler.took(t_s)
            delivered = True
            yield Frame(name, t_s, to_rgb(frame, options))
        length_s = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else recording.period_s
        seen_until_s = max(start_s, t_s + length_s)
    else:
        claimed_s = min(recording.end_s or 0.0, end_s)
        if claimed_s - seen_until_s > recording.end_margin_s:
            yield Gap(
                name,
                seen_until_s,
                claimed_s,
                f"the recording should last {recording.end_s:.1f} s, but its pictures end at {seen_until_s:.1f} s; "
                "it is cut off or damaged",
            )
    if damage.total:
        logger.warning("%s: skipped damaged packets or pictures: %d", name, damage.total)
    if not delivered:
        raise MediaError(
            f"cannot find a readable picture of {name!r} from start_s={options.start_s!r} to end_s={options.end_s!r}.",
            remedy="Choose another span of the recording.",
        )
