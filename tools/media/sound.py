"""Sound of sources: decoding to 16 kHz mono, and the types of what is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tools.errors import MediaError
from tools.media.options import MediaOptions
from tools.media.pyav_decoder import ffmpeg_options
from tools.media.types import mask_credentials

if TYPE_CHECKING:
    import av

RATE_HZ = 16_000
"""Sampling rate of decoded sound, as Whisper and Silero take it."""
CHUNK_S = 0.5
"""Least length of the sound of a file that is handed on at once."""
HOLE_S = 0.2
"""A jump of the stream's clock larger than this begins a new stretch of sound."""
RESTARTING_CLOCK = 0x0200
"""FFmpeg's AVFMT_TS_DISCONT: a format, such as MPEG-TS, whose clock starts at any value."""


class NoSound(MediaError):
    """A source without an audio track."""


@dataclass(frozen=True, eq=False)
class Sound:
    """A stretch of sound.

    Attributes:
        t_s: media time of its first sample, in seconds.
        samples: float32 from -1 to 1, mono, `RATE_HZ`.
    """

    t_s: float
    samples: np.ndarray = field(repr=False)

    @property
    def end_s(self) -> float:
        return self.t_s + len(self.samples) / RATE_HZ


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word with the media times of its start and end, in seconds."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """A spoken sentence, or a part of one, with its times and words."""

    start_s: float
    end_s: float
    text: str
    words: tuple[SpokenWord, ...] = ()


class SoundTap:
    """The place where a live source leaves its sound while it is read for pictures.

    Attributes:
        present: whether the stream has an audio track; None before that is known.
        listener: called in the reading thread, so it must be quick; None skips the sound without decoding it.
    """

    def __init__(self) -> None:
        self.present: bool | None = None
        self.listener: Callable[[Sound], None] | None = None


class Resampler:
    """Turns decoded frames into samples (`RATE_HZ`, mono, float32)."""

    def __init__(self) -> None:
        import av

        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)

    def __call__(self, frame: av.AudioFrame | None) -> np.ndarray:
        """Return the samples of a frame; None returns what is left at the end."""
        parts = [part.to_ndarray().reshape(-1) for part in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def audio_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """Return the first audio stream that can be decoded, or None."""
    return next((stream for stream in container.streams.audio if stream.codec_context is not None), None)


def read_sound(address: str, options: MediaOptions) -> Iterator[Sound]:
    """Yield the sound of a recording in order, from `options.start_s` to `options.end_s`; damaged packets are skipped.

    Times agree with those of its pictures (see `tools.media.file`).

    Args:
        address: path or URL.
        options: see `MediaOptions`.

    Raises:
        NoSound: if it has no audio track.
        MediaError: if it cannot be opened.
    """
    import av

    with _opened(address, options) as container:
        stream = audio_stream(container)
        if stream is None:
            raise NoSound(f"{mask_credentials(address)!r} has no audio track.", expected="a source with sound")
        begin_s = (container.start_time or 0) / av.time_base
        zero_s = begin_s if container.format.flags & RESTARTING_CLOCK else min(begin_s, 0.0)
        if options.start_s:
            container.seek(int((options.start_s + zero_s) * av.time_base))
        for sound in _joined(_decoded(container, stream), zero_s):
            if options.end_s is not None and sound.t_s >= options.end_s:
                return
            if sound.end_s > options.start_s:
                yield sound


def _opened(address: str, options: MediaOptions) -> av.container.InputContainer:
    import av

    try:
        return av.open(
            address,
            timeout=(options.open_timeout_s, options.read_timeout_s),
            options=ffmpeg_options(address, options),
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        reason = mask_credentials(str(error))
        raise MediaError(f"cannot read the sound of {mask_credentials(address)!r}: {reason}.") from error


def _decoded(container: av.container.InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                return
            yield from packet.decode()
        except av.error.EOFError:
            return
        except av.error.InvalidDataError:
            continue
        except av.error.FFmpegError:  # the container is damaged, and what follows cannot be read
            return


def _joined(frames: Iterator[av.AudioFrame], zero_s: float) -> Iterator[Sound]:
    """Resample frames and join them to chunks; a hole in the stream's clock begins a new one."""
    resample = Resampler()
    parts: list[np.ndarray] = []
    start_s = end_s = 0.0
    for frame in frames:
        at_s = end_s if frame.time is None else max(0.0, frame.time - zero_s)
        if at_s < end_s - HOLE_S:  # the clock was started anew, as in joined transport streams
            zero_s -= end_s - at_s
            at_s = end_s
        if at_s > end_s + HOLE_S:
            if parts:
                yield Sound(start_s, np.concatenate(parts))
            parts, start_s, end_s = [], at_s, at_s
        samples = resample(frame)
        parts.append(samples)
        end_s += len(samples) / RATE_HZ
        if end_s - start_s >= CHUNK_S:
            yield Sound(start_s, np.concatenate(parts))
            parts, start_s = [], end_s
    parts.append(resample(None))
    if sum(map(len, parts)):
        yield Sound(start_s, np.concatenate(parts))
