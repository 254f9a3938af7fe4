"""PyAV decoding of packets to pictures, with damage counted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.media.options import MediaOptions
from tools.media.sampling import fitted_size

if TYPE_CHECKING:
    import av

DEFAULT_RATE_FPS = 25.0
"""Frame rate assumed for a container that states none."""
HOLE_S = 0.25
"""Damage that costs less is not reported as a gap."""
DAMAGED = "damaged packets or pictures"
"""Prefix of the reason of a gap caused by damage."""


DISTRUST_S = 1.0
"""Time after a lost packet, or until the next key frame, during which pictures are skipped: FFmpeg repeats or
invents parts of them without reporting it."""


@dataclass
class Damage:
    """Damaged packets and pictures: since the last good picture, in total, and when a packet was last lost."""

    recent: int = 0
    total: int = 0
    lost_at_s: float | None = None

    def add(self) -> None:
        self.recent += 1
        self.total += 1

    def lose(self, packet: av.Packet) -> None:
        self.add()
        self.lost_at_s = float(packet.pts * packet.time_base) if packet.pts is not None and packet.time_base else None

    def trusts(self, frame: av.VideoFrame) -> bool:
        """Return whether a picture is undamaged, as are the packets before it."""
        if frame.key_frame or (
            self.lost_at_s is not None and frame.time is not None and frame.time - self.lost_at_s > DISTRUST_S
        ):
            self.lost_at_s = None
        return not frame.is_corrupt and self.lost_at_s is None


def ffmpeg_options(address: str, options: MediaOptions) -> dict[str, str]:
    """Return FFmpeg's options for opening a URL or path."""
    return {"rtsp_transport": options.transport} if address.lower().startswith("rtsp") else {}


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """Return the first stream of moving pictures; the cover picture of an audio file does not count."""
    import av

    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic and stream.codec_context is not None:
            return stream
    return None


def read_packets(container: av.container.InputContainer, *streams: av.VideoStream) -> Iterator[av.Packet]:
    """Yield the packets of these streams, or of all that existed at the start."""
    while True:
        try:
            yield from container.demux(*streams)
        except IndexError:
            # PyAV fails here for a packet of a stream that begins in the middle, which transport streams allow.
            continue
        return


def decode_packet(packet: av.Packet, damage: Damage) -> list[av.VideoFrame]:
    """Return the undamaged pictures of a packet. Failures and decoding errors are counted and skipped."""
    import av

    if packet.is_corrupt:
        damage.lose(packet)
    try:
        frames = packet.decode()
    except av.error.EOFError:
        return []
    except av.error.FFmpegError:
        damage.lose(packet)
        return []
    good = [frame for frame in frames if damage.trusts(frame)]
    for _ in range(len(frames) - len(good)):
        damage.add()
    return good


def to_rgb(frame: av.VideoFrame, options: MediaOptions) -> np.ndarray:
    """Convert to RGB, shape (height, width, 3), uint8, turned upright and scaled to `options.max_side_px`."""
    width_px, height_px = fitted_size(frame.width, frame.height, options)
    rgb = frame.to_ndarray(format="rgb24", width=width_px, height=height_px)
    # FFmpeg counts rotation counterclockwise, like rot90.
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def native_fps(stream: av.VideoStream) -> float | None:
    """Return the average rate in frames/s that the container states; None if it is missing or absurd."""
    rate = stream.average_rate or stream.guessed_rate
    return float(rate) if rate and 0 < rate <= 1000 else None
