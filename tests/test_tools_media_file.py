"""Recordings: true times, sampling, seeking, rotation, and every way in which a file can be damaged."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.fixtures.clips import ffmpeg, number_of, numbered, read, write_clip
from tools.errors import MediaError
from tools.media import MediaOptions, open_source

FOUR_SECONDS = [index / 25 for index in range(100)]
UNEVEN = [0.0, 0.1, 0.5, 1.2, 1.25, 3.0, 3.5]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "even.mp4", FOUR_SECONDS)
    write_clip(folder / "uneven.mp4", UNEVEN)
    write_clip(folder / "noisy.mp4", FOUR_SECONDS, noise=True)
    return folder


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("clip.mkv", "libx264", "yuv420p"),
        ("clip.ts", "libx264", "yuv420p"),
        ("clip.webm", "libvpx-vp9", "yuv420p"),
        ("clip.avi", "mjpeg", "yuvj420p"),
        ("av1.mp4", "libsvtav1", "yuv420p"),
    ],
)
def test_every_frame_of_a_container_has_its_picture_and_time(
    tmp_path: Path, name: str, codec: str, pixels: str
) -> None:
    frames, gaps = read(write_clip(tmp_path / name, FOUR_SECONDS[:60], codec, pixels=pixels), fps=None)
    assert [number_of(frame.rgb) for frame in frames] == list(range(60))
    assert [frame.t_s for frame in frames] == pytest.approx(FOUR_SECONDS[:60], abs=1e-3)
    assert not gaps


def test_sampling_takes_the_first_frame_at_or_after_each_tick(clips: Path) -> None:
    frames, gaps = read(clips / "uneven.mp4", fps=2)
    # Ticks 0, 0.5, 1 (nothing until 1.2), 1.5 to 3 (nothing until 3.0), 3.5.
    assert [number_of(frame.rgb) for frame in frames] == [0, 2, 3, 5, 6]
    assert [frame.t_s for frame in frames] == pytest.approx([0, 0.5, 1.2, 3.0, 3.5], abs=1e-3)
    assert not gaps


def test_all_frames_of_a_variable_rate_have_their_own_times(clips: Path) -> None:
    frames, _ = read(clips / "uneven.mp4", fps=None)
    assert [frame.t_s for frame in frames] == pytest.approx(UNEVEN, abs=1e-3)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 1.0), (0.5, 1.5), (2.53, 3.1), (3.9, None)])
def test_a_stretch_holds_exactly_its_frames(tmp_path: Path, suffix: str, start_s: float, end_s: float | None) -> None:
    path = write_clip(tmp_path / f"clip.{suffix}", FOUR_SECONDS)
    frames, gaps = read(path, fps=None, start_s=start_s, end_s=end_s)
    expected = [n for n, t_s in enumerate(FOUR_SECONDS) if start_s - 1e-3 <= t_s <= (end_s or 9) + 1e-6]
    assert [number_of(frame.rgb) for frame in frames] == expected
    assert not gaps


def test_ticks_count_from_the_start(clips: Path) -> None:
    frames, _ = read(clips / "even.mp4", fps=1, start_s=0.52)
    assert [number_of(frame.rgb) for frame in frames] == [13, 38, 63, 88]


def test_rotation_is_applied(clips: Path, tmp_path: Path) -> None:
    ffmpeg("-display_rotation", 90, "-i", clips / "even.mp4", "-c", "copy", tmp_path / "turned.mp4")
    ffmpeg("-i", tmp_path / "turned.mp4", "-frames:v", 1, tmp_path / "by_ffmpeg.png")
    frames, _ = read(tmp_path / "turned.mp4")
    upright = np.asarray(Image.open(tmp_path / "by_ffmpeg.png").convert("RGB")).astype(int)
    assert frames[0].rgb.shape == upright.shape == (128, 96, 3)
    assert np.abs(frames[0].rgb - upright).mean() < 3
    with open_source(str(tmp_path / "turned.mp4")) as source:
        assert (source.info.width_px, source.info.height_px) == (96, 128)


def test_a_late_first_picture_keeps_its_time(clips: Path, tmp_path: Path) -> None:
    ffmpeg("-itsoffset", 5, "-i", clips / "even.mp4", "-c", "copy", tmp_path / "late.mp4")
    frames, _ = read(tmp_path / "late.mp4")
    assert frames[0].t_s == pytest.approx(5.0)
    frames, _ = read(tmp_path / "late.mp4", start_s=6)
    assert (frames[0].t_s, number_of(frames[0].rgb)) == (pytest.approx(6.0), 25)


def test_a_transport_stream_counts_from_its_own_start(clips: Path, tmp_path: Path) -> None:
    ffmpeg("-i", clips / "even.mp4", "-c", "copy", "-output_ts_offset", 1000, tmp_path / "offset.ts")
    frames, _ = read(tmp_path / "offset.ts")
    assert [frame.t_s for frame in frames] == pytest.approx([0, 1, 2, 3], abs=1e-3)


def test_an_edit_list_cuts_the_front(clips: Path, tmp_path: Path) -> None:
    ffmpeg("-ss", 1.0, "-i", clips / "even.mp4", "-c", "copy", tmp_path / "cut.mp4")
    frames, _ = read(tmp_path / "cut.mp4", fps=None)
    assert (frames[0].t_s, number_of(frames[0].rgb)) == (pytest.approx(0.0, abs=1e-3), 25)


def test_joined_transport_streams_go_on_in_time(tmp_path: Path) -> None:
    part = write_clip(tmp_path / "part.ts", FOUR_SECONDS[:50]).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    frames, _ = read(tmp_path / "joined.ts", fps=None)
    times_s = [frame.t_s for frame in frames]
    assert len(frames) >= 98
    assert np.diff(times_s).min() > 0
    assert times_s[-1] == pytest.approx(3.96, abs=0.1)


def test_large_frames_are_scaled_down(clips: Path) -> None:
    frames, _ = read(clips / "even.mp4", max_side_px=64)
    assert frames[0].rgb.shape == (48, 64, 3)


def test_one_picture_is_enough(tmp_path: Path) -> None:
    frames, gaps = read(write_clip(tmp_path / "one.mp4", [0.0]))
    assert ([number_of(frame.rgb) for frame in frames], gaps) == ([0], [])


def test_the_same_source_can_be_read_again_and_closed_twice(clips: Path) -> None:
    source = open_source(str(clips / "even.mp4"))
    assert [frame.id for frame in source] == [frame.id for frame in source]
    source.close()
    source.close()
    assert list(source) == []


def test_closing_from_another_thread_ends_the_iteration(clips: Path) -> None:
    source = open_source(str(clips / "even.mp4"), MediaOptions(fps=None))
    events = iter(source)
    next(events)
    thread = threading.Thread(target=source.close)
    thread.start()
    thread.join()
    assert list(events) == []


def test_a_truncated_file_ends_with_a_gap(clips: Path, tmp_path: Path) -> None:
    ffmpeg("-i", clips / "noisy.mp4", "-c", "copy", "-movflags", "+faststart", tmp_path / "whole.mp4")
    whole = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: int(len(whole) * 0.6)])
    frames, gaps = read(tmp_path / "cut.mp4", fps=None)
    assert [number_of(frame.rgb) for frame in frames] == list(range(len(frames)))
    assert 40 < len(frames) < 70
    assert len(gaps) == 1
    assert gaps[0].start_s == pytest.approx(frames[-1].t_s + 0.04, abs=1e-3)
    assert gaps[0].end_s == pytest.approx(4.0, abs=0.01)
    assert "4.0 s" in gaps[0].reason


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_a_hole_is_stepped_over_and_reported(clips: Path, tmp_path: Path, decoder: str) -> None:
    data = bytearray((clips / "noisy.mp4").read_bytes())
    hole = range(int(len(data) * 0.4), int(len(data) * 0.4) + 60_000)
    data[hole.start : hole.stop] = bytes(len(hole))
    (tmp_path / "hole.mp4").write_bytes(data)
    frames, gaps = read(tmp_path / "hole.mp4", fps=None, decoder=decoder)
    assert number_of(frames[-1].rgb) == 99
    assert gaps
    for gap in gaps:
        assert gap.end_s is not None
        assert not any(gap.start_s <= frame.t_s < gap.end_s for frame in frames)
    # What is shown was not made up by the decoder: numbers and times agree.
    assert [number_of(frame.rgb) for frame in frames] == [round(frame.t_s * 25) for frame in frames]


def test_random_damage_never_ends_the_reading(clips: Path, tmp_path: Path) -> None:
    data = bytearray((clips / "noisy.mp4").read_bytes())
    chance = random.Random(7)
    for _ in range(60):
        data[chance.randrange(2000, len(data) - 8000)] ^= chance.randrange(1, 256)
    (tmp_path / "flips.mp4").write_bytes(data)
    frames, gaps = read(tmp_path / "flips.mp4", fps=None)
    assert frames[-1].t_s > 3.5
    assert len(frames) > 60
    for before, after in pairwise(frames):
        lost = after.t_s - before.t_s > 0.3
        assert not lost or any(before.t_s <= gap.start_s < after.t_s for gap in gaps)


@settings(max_examples=30)
@given(at=st.integers(0, 250_000), junk=st.binary(min_size=1, max_size=3000))
def test_any_damage_gives_frames_gaps_or_a_media_error(clips: Path, at: int, junk: bytes) -> None:
    data = bytearray((clips / "noisy.mp4").read_bytes())
    at %= len(data)
    data[at : at + len(junk)] = junk
    path = clips / "any.mp4"
    path.write_bytes(data)
    try:
        frames, _ = read(path, fps=5)
    except MediaError:
        return
    assert frames
    assert all(a.t_s < b.t_s for a, b in pairwise(frames))


def _no_index(path: Path) -> None:
    whole = write_clip(path.with_name("whole.mp4"), FOUR_SECONDS, noise=True).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def _sound_only(path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", path)


def _sound_with_cover(path: Path) -> None:
    Image.fromarray(numbered(3)).save(path.with_name("cover.jpg"))
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-i", path.with_name("cover.jpg"), "-map", 0, "-map", 1, "-c:v", "mjpeg",
           "-disposition:v:0", "attached_pic", path)  # fmt: skip


def _no_decodable_picture(path: Path) -> None:
    write_clip(path, FOUR_SECONDS)
    data = path.read_bytes()
    start, length = data.index(b"mdat") + 4, int.from_bytes(data[data.index(b"mdat") - 4 : data.index(b"mdat")], "big")
    path.write_bytes(data[:start] + bytes(length - 8) + data[start + length - 8 :])


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("empty.mp4", lambda path: path.touch(), "empty (0 bytes)"),
        ("text.mp4", lambda path: path.write_text("Dear diary,\n"), "is a text file"),
        ("noise.mp4", lambda path: path.write_bytes(random.Random(1).randbytes(5000)), "as a video"),
        ("index.mp4", _no_index, "index (moov)"),
        ("sound.m4a", _sound_only, "only audio"),
        ("song.m4a", _sound_with_cover, "has no pictures"),
        ("zeros.mp4", _no_decodable_picture, "cannot decode any picture"),
    ],
)
def test_a_file_without_video_is_refused_with_its_reason(tmp_path: Path, name: str, make: object, says: str) -> None:
    make(tmp_path / name)
    with pytest.raises(MediaError) as caught:
        open_source(str(tmp_path / name))
    assert says in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("options", "says"), [({"start_s": 9.0}, "after the end"), ({"start_s": 3.97}, "cannot find a readable picture")]
)
def test_a_stretch_without_pictures_is_refused(clips: Path, options: dict[str, float], says: str) -> None:
    with pytest.raises(MediaError, match=says):
        read(clips / "even.mp4", **options)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
def test_a_file_that_may_not_be_read_is_refused(clips: Path, tmp_path: Path) -> None:
    path = tmp_path / "private.mp4"
    path.write_bytes((clips / "even.mp4").read_bytes())
    path.chmod(0)
    script = (
        "import os, sys\n"
        "from tools.media import open_source\n"
        "from tools.errors import MediaError\n"
        "import tools.media.dicom, tools.media.file\n"
        "os.geteuid() or os.seteuid(65534)\n"
        "try: open_source(sys.argv[1])\n"
        "except MediaError as error: print(error)\n"
    )
    for folder in [tmp_path, *tmp_path.parents]:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o111)
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert "Permission denied" in run.stdout
    assert "Check its permissions" in run.stdout


def test_decord_gives_the_same_frames_and_times(clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("decord")
    ffmpeg("-itsoffset", 2, "-i", clips / "even.mp4", "-c", "copy", tmp_path / "late.mp4")
    for path in (clips / "uneven.mp4", tmp_path / "late.mp4"):
        plain, _ = read(path, fps=5)
        fast, _ = read(path, fps=5, decoder="decord")
        assert [number_of(frame.rgb) for frame in fast] == [number_of(frame.rgb) for frame in plain]
        assert [frame.t_s for frame in fast] == pytest.approx([frame.t_s for frame in plain], abs=1e-3)


def test_what_decord_cannot_read_is_read_all_the_same(tmp_path: Path) -> None:
    pytest.importorskip("decord")
    frames, _ = read(write_clip(tmp_path / "av1.mp4", FOUR_SECONDS[:30], "libsvtav1"), fps=None, decoder="decord")
    assert [number_of(frame.rgb) for frame in frames] == list(range(30))
