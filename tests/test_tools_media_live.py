"""Live streams from real servers on 127.0.0.1 that are killed, frozen and started again."""

from __future__ import annotations

import functools
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.clips import need, number_of, write_clip
from tools.errors import MediaError
from tools.media import Frame, Gap, MediaOptions, open_source
from tools.media.live import LiveClock, read_camera

QUICK = MediaOptions(
    fps=None, open_timeout_s=15, read_timeout_s=1.5, reconnect_attempts=30, backoff_initial_s=0.1, backoff_max_s=0.4
)
RTSP_SERVER = Path(__file__).parent / "fixtures" / "rtsp_server.py"
PICTURES = ["-re", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=15"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "5", "-threads", "1", "-f", "mpegts"]


class Server:
    """A server process that can be frozen, killed and started again on the same port."""

    def __init__(self, command: Callable[[int], list[str]], address: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._command = command
        self.address = address.format(port=self.port)
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command(self.port), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)

    def freeze(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def mpegts_http(port: int) -> list[str]:
    ffmpeg = need("ffmpeg", "ffmpeg")
    return [ffmpeg, "-loglevel", "error", *PICTURES, *H264, "-listen", "1", f"http://127.0.0.1:{port}/cam.ts"]


def mjpeg_http(port: int) -> list[str]:
    ffmpeg = need("ffmpeg", "ffmpeg")
    slow = [*PICTURES[:-1], "testsrc2=s=160x120:r=8"]
    return [ffmpeg, "-loglevel", "error", *slow, "-f", "mpjpeg", "-listen", "1", f"http://127.0.0.1:{port}/cam"]


def mpegts_udp(port: int) -> list[str]:
    ffmpeg = need("ffmpeg", "ffmpeg")
    return [ffmpeg, "-loglevel", "error", *PICTURES, *H264, f"udp://127.0.0.1:{port}?pkt_size=1316"]


@functools.cache
def has_rtsp_server() -> bool:
    check = "import gi; gi.require_version('GstRtspServer', '1.0')"
    return subprocess.run(["/usr/bin/python3", "-c", check], capture_output=True, check=False).returncode == 0


def rtsp(port: int) -> list[str]:
    if not has_rtsp_server() and os.environ.get("CI") != "true":
        pytest.skip("no RTSP server: apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 and GStreamer's plugins")
    return ["/usr/bin/python3", str(RTSP_SERVER), str(port)]


def rtsp_with_password(port: int) -> list[str]:
    return [*rtsp(port), "nurse", "s3cret"]


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(command: Callable[[int], list[str]], address: str) -> Server:
        servers.append(Server(command, address))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def open_when_up(address: str, options: MediaOptions) -> object:
    """Open a source as soon as its server listens; it takes a moment to start."""
    give_up_s = time.monotonic() + 20
    while True:
        try:
            return open_source(address, options)
        except MediaError as error:
            if time.monotonic() > give_up_s or "refused the connection" not in str(error):
                raise
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("command", "address"),
    [
        (mpegts_http, "http://127.0.0.1:{port}/cam.ts"),
        (mjpeg_http, "http://127.0.0.1:{port}/cam"),
        (rtsp, "rtsp://127.0.0.1:{port}/cam"),
    ],
)
def test_a_killed_server_makes_a_gap_and_is_found_again(
    serve: Callable[..., Server], command: Callable[[int], list[str]], address: str
) -> None:
    server = serve(command, address)
    before_s = time.time()
    frames: list[Frame] = []
    gaps: list[Gap] = []
    with open_when_up(server.address, QUICK) as source:
        assert source.info.live
        assert source.info.duration_s is None
        for event in source:
            if isinstance(event, Gap):
                gaps.append(event)
                continue
            frames.append(event)
            if len(frames) == 10:
                server.kill()
                server.start()
            if gaps and len(frames) > 20:
                break
    assert len(gaps) == 1
    assert gaps[0].end_s is not None
    assert gaps[0].start_s < gaps[0].end_s
    assert not any(gaps[0].start_s < frame.t_s < gaps[0].end_s for frame in frames)
    assert frames[0].t_s == 0
    assert all(a.t_s < b.t_s for a, b in pairwise(frames))
    assert all(frame.wall_s is not None and before_s <= frame.wall_s <= time.time() for frame in frames)
    assert {frame.rgb.shape for frame in frames} == {(source.info.height_px, source.info.width_px, 3)}


@pytest.mark.parametrize(
    ("command", "address"),
    [
        (mpegts_http, "http://127.0.0.1:{port}/cam.ts"),
        (mpegts_udp, "udp://127.0.0.1:{port}"),
        (rtsp, "rtsp://127.0.0.1:{port}/cam"),
    ],
)
def test_a_frozen_server_is_given_up_after_the_timeout_and_said(
    serve: Callable[..., Server], command: Callable[[int], list[str]], address: str
) -> None:
    server = serve(command, address)
    options = QUICK.model_copy(update={"reconnect_attempts": 1, "open_timeout_s": 3.0})
    frames = 0
    with open_when_up(server.address, options) as source:
        for event in source:
            if isinstance(event, Frame):
                frames += 1
                if frames == 10:
                    server.freeze()
                    frozen_s = time.monotonic()
                last = event
    assert isinstance(event, Gap)
    assert event.end_s is None
    assert event.start_s == last.t_s
    assert "given up after 1 new attempts" in event.reason
    # Two waits, each bounded; generous, since the machine may be busy.
    assert time.monotonic() - frozen_s < 40


def test_sampling_thins_a_live_stream(serve: Callable[..., Server]) -> None:
    server = serve(mpegts_http, "http://127.0.0.1:{port}/cam.ts")
    with open_when_up(server.address, QUICK.model_copy(update={"fps": 3.0, "end_s": 2.1})) as source:
        times_s = [event.t_s for event in source if isinstance(event, Frame)]
    assert len(times_s) == 7
    assert times_s == pytest.approx([k / 3 for k in range(7)], abs=0.08)


def test_mjpeg_keeps_its_true_rate(serve: Callable[..., Server]) -> None:
    server = serve(mjpeg_http, "http://127.0.0.1:{port}/cam")
    with open_when_up(server.address, QUICK.model_copy(update={"end_s": 2.0})) as source:
        frames = [event for event in source if isinstance(event, Frame)]
    # 8 a second were sent; FFmpeg alone would call them 25 a second, so that 2 s would hold 50.
    assert len(frames) < 30


def test_passwords_open_cameras_and_are_never_shown(serve: Callable[..., Server]) -> None:
    server = serve(rtsp_with_password, "rtsp://nurse:s3cret@127.0.0.1:{port}/cam")
    with open_when_up(server.address, QUICK) as source:
        frame = next(event for event in source if isinstance(event, Frame))
        assert source.info.name == frame.source == f"rtsp://***@127.0.0.1:{server.port}/cam"
    for address in (server.address.replace("s3cret", "wr0ng"), server.address.replace("nurse:s3cret@", "")):
        with pytest.raises(MediaError, match=r"refused access.*USER:PASSWORD") as caught:
            open_source(address, QUICK)
        assert "s3cret" not in str(caught.value)
        assert "wr0ng" not in str(caught.value)


def test_nobody_there_is_said_at_once() -> None:
    with pytest.raises(MediaError, match=r"rtsp://\*\*\*@127\.0\.0\.1:9/x.*refused the connection"):
        open_source("rtsp://nurse:s3cret@127.0.0.1:9/x")


def test_a_server_that_never_answers_times_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(MediaError, match="did not answer within 1 s"):
            open_source(f"http://127.0.0.1:{silent.getsockname()[1]}/cam", MediaOptions(open_timeout_s=1))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_recording_behind_an_address_ends_like_a_file(tmp_path: Path, web: str) -> None:
    write_clip(tmp_path / "clip.mp4", [n / 25 for n in range(50)])
    with open_source(f"{web}/clip.mp4?token=s3cret", MediaOptions(fps=5)) as source:
        assert (source.info.live, source.info.kind) == (False, "video")
        assert "s3cret" not in source.info.name
        assert [number_of(event.rgb) for event in source] == list(range(0, 50, 5))


def test_what_is_behind_an_address_but_no_video_is_refused(tmp_path: Path, web: str) -> None:
    (tmp_path / "page.html").write_text("<p>hello</p>")
    with pytest.raises(MediaError, match="cannot open"):
        open_source(f"{web}/page.html")
    with pytest.raises(MediaError, match="cannot find"):
        open_source(f"{web}/nothing.mp4")


def test_closing_frees_a_stream_that_was_never_read(serve: Callable[..., Server]) -> None:
    server = serve(mpegts_http, "http://127.0.0.1:{port}/cam.ts")
    source = open_when_up(server.address, QUICK)
    source.close()
    source.close()
    # The server serves one client and ends when it leaves.
    assert server.process.wait(timeout=20) is not None


@pytest.mark.skipif(any(Path("/dev").glob("video*")), reason="there is a camera")
@pytest.mark.parametrize("spec", ["0", "webcam:3"])
def test_a_missing_camera_is_named(spec: str) -> None:
    with pytest.raises(MediaError, match=rf"cannot find camera {spec[-1]} .*cameras found: none"):
        open_source(spec)


def test_camera_pictures_are_rgb_and_end_with_a_reason(tmp_path: Path) -> None:
    # OpenCV reads a file and a camera through the same object; no camera is needed for the rest of the way.
    import cv2

    path = write_clip(tmp_path / "clip.mp4", [n / 25 for n in range(5)])
    pictures = read_camera(cv2.VideoCapture(str(path)), "camera 0", MediaOptions(max_side_px=64))
    assert [next(pictures).rgb().shape for _ in range(5)] == [(48, 64, 3)] * 5
    with pytest.raises(MediaError, match="cannot read a picture from the camera 0"):
        next(pictures)
    with pytest.raises(MediaError, match="cannot open"):
        next(read_camera(cv2.VideoCapture(str(tmp_path / "none.mp4")), "camera 0", MediaOptions()))


@given(
    data=st.lists(
        st.tuples(st.one_of(st.none(), st.floats(-1e5, 1e5)), st.floats(0, 20), st.booleans()), min_size=1, max_size=60
    )
)
def test_live_time_starts_at_zero_and_only_goes_forward(data: list[tuple[float | None, float, bool]]) -> None:
    clock, now_s, times_s = LiveClock(), 1000.0, []
    for pts_s, step_s, lost in data:
        now_s += step_s
        if lost:
            clock.restart()
        times_s.append(clock.place(pts_s, now_s))
    assert times_s[0] == 0
    assert all(a < b for a, b in pairwise(times_s))
    assert times_s[-1] <= now_s - 1000 + 5.0 + 1e-3 * len(times_s) + np.finfo(float).eps * 1e6


def test_a_stream_clock_that_jumps_does_not_stop_or_rush_time() -> None:
    clock = LiveClock()
    times_s = [clock.place(pts_s, 100.0 + n) for n, pts_s in enumerate([50.0, 51.0, 48.0, 49.0, 9000.0, 9001.0, 3.0])]
    assert times_s == pytest.approx([0, 1, 2, 3, 4, 5, 6])
