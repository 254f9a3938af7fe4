"""JPEG pictures for the page: the live view, encoded once for all viewers, and thumbnails of remembered frames."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np

from agent.perception.session import SourceSession
from agent.server.options import ServerOptions
from tools.errors import MediaError
from tools.media import Frame, Span

log = logging.getLogger(__name__)

THUMBNAIL_PX = 160
"""Longer side of a thumbnail, in pixels."""

MAX_THUMBNAILS = 512
"""Number of encoded thumbnails to cache, a few kilobytes each."""

POLL_S = 0.02
"""Minimum seconds between checks for a new picture."""

_HEADER = struct.Struct("<dd")  # media time and wall time in seconds, the latter NaN for recordings


def encode_jpeg(rgb: np.ndarray, side_px: int, quality: int) -> bytes:
    """Return a picture (height, width, 3) uint8 as JPEG, its longer side at most `side_px` pixels.

    Raises:
        MediaError: if encoding fails.
    """
    import cv2

    scale = side_px / max(rgb.shape[:2])
    try:
        if scale < 1:
            size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        done, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    except cv2.error as error:
        raise MediaError(
            f"cannot encode a picture of {rgb.shape[1]}x{rgb.shape[0]} pixels as JPEG: {error}."
        ) from error
    if not done:
        raise MediaError(f"cannot encode a picture of {rgb.shape[1]}x{rgb.shape[0]} pixels as JPEG.")
    return bytes(jpeg.data)


class LiveView:
    """The newest picture of a source, for any number of viewers.

    Each picture is encoded once, and only while there are viewers. A viewer asks for the next picture when it has drawn
    the last one, and gets the newest: a slow viewer sees fewer pictures and delays nothing.
    """

    def __init__(self, session: SourceSession, options: ServerOptions) -> None:
        self._session, self._options = session, options
        self._viewers = 0
        self._number = 0
        self._newest = b""
        self._newest_s = 0.0  # its media time
        self._forgettings = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @contextmanager
    def watching(self) -> Iterator[int]:
        """Encode pictures during the block; yields the number to pass to `after`."""
        self._viewers += 1
        begin = self._number - bool(self._newest)  # show the newest picture at once ...
        if self._task is None or self._task.done():
            begin = self._number  # ... unless it dates from the last viewer
            self._task = asyncio.create_task(self._encode())
        try:
            yield begin
        finally:
            self._viewers -= 1

    async def after(self, number: int) -> tuple[int, bytes]:
        """Wait for a picture newer than `number`; return its number and message, empty at the end.

        The message is media time and Unix time in seconds, both as little-endian float64 (the second is NaN for a
        recording), followed by the JPEG.
        """
        # `_newest` is empty after the newest picture was forgotten.
        while (self._number <= number or not self._newest) and not self._closed:
            await self._news.wait()
        return self._number, b"" if self._closed else self._newest

    def close(self) -> None:
        """End all viewers."""
        self._closed = True
        self._news.set()

    def forget(self, span: Span) -> None:
        """Drop the newest picture if it lies in a forgotten span."""
        self._forgettings += 1  # discards the picture being encoded, whose time is unknown
        if self._newest_s in span:
            self._newest = b""

    async def _encode(self) -> None:
        last: Frame | None = None
        while self._viewers and not self._closed:
            frame, forgettings = self._session.live_frame(), self._forgettings
            if frame is not None and frame is not last:
                last = frame
                try:
                    message = await asyncio.to_thread(self._message, frame)
                except (MediaError, MemoryError):
                    # The next picture may work; ending this task would freeze the live view.
                    log.exception("cannot encode a live picture")
                    message = b""
                if forgettings != self._forgettings:
                    last = None
                elif message:
                    self._newest, self._newest_s = message, frame.t_s
                    self._number += 1
                    self._news.set()
                    self._news = asyncio.Event()
            await asyncio.sleep(max(POLL_S, 0.5 / self._options.view_fps))

    def _message(self, frame: Frame) -> bytes:
        jpeg = encode_jpeg(frame.rgb, self._options.view_side_px, self._options.jpeg_quality)
        return _HEADER.pack(frame.t_s, float("nan") if frame.wall_s is None else frame.wall_s) + jpeg


class Thumbnails:
    """JPEGs of remembered frames; thumbnails are cached. Thread-safe."""

    def __init__(self, session: SourceSession, quality: int) -> None:
        self._session, self._quality = session, quality
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def jpeg(self, frame_id: str, side_px: int) -> bytes:
        """Return a frame as JPEG. Raises StoreError if its pixels are gone, also for a cached thumbnail."""
        if side_px > THUMBNAIL_PX:
            return encode_jpeg(self._session.view.picture(frame_id), side_px, self._quality)
        with self._lock:
            cached = self._cache.get(frame_id)
        if cached and self._session.memory.store.has(frame_id):
            return cached
        jpeg = encode_jpeg(self._session.view.picture(frame_id), THUMBNAIL_PX, self._quality)
        with self._lock:
            self._cache[frame_id] = jpeg
            while len(self._cache) > MAX_THUMBNAILS:
                self._cache.popitem(last=False)
        return jpeg

    def forget(self) -> None:
        """Clear the cache."""
        with self._lock:
            self._cache.clear()
