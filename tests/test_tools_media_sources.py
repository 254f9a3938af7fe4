"""What may be typed as a source, what is said about the rest, and that no credential is shown."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fixtures.clips import write_clip
from tools.errors import MediaError
from tools.media import MediaOptions, mask_credentials, open_source
from tools.media.sampling import TICK_TOLERANCE_S, Sampler, Timeline


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "it is empty"),
        ("ftp://host/clip.mp4", "unknown scheme 'ftp'"),
        ("screen:", "no number"),
        ("webcam:front", "no number"),
        ("~nobody-of-this-name/clip.mp4", "invalid path"),
        ("no/such/folder/clip.mp4", "no folder"),
        ("clip\0.mp4", "does not exist"),
        ("/dev/null", "neither a file nor a folder"),
    ],
)
def test_what_is_no_source_is_named_with_what_would_be(spec: str, says: str) -> None:
    with pytest.raises(MediaError) as caught:
        open_source(spec)
    assert says in str(caught.value)
    assert "screen:1" in str(caught.value)


def test_a_misspelt_file_is_suggested(tmp_path: Path) -> None:
    (tmp_path / "corridor.mp4").touch()
    with pytest.raises(MediaError, match=r"Did you mean .*corridor\.mp4"):
        open_source(str(tmp_path / "coridor.mp4"))


def test_home_and_file_addresses_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_clip(tmp_path / "my clip.mp4", [0.0, 0.04])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for spec in ("~/my clip.mp4", (tmp_path / "my clip.mp4").as_uri()):
        with open_source(spec) as source:
            assert (source.info.name, source.info.kind, source.info.live) == ("my clip.mp4", "video", False)


def test_folders_without_pictures_say_what_they_hold(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="it is empty"):
        open_source(str(tmp_path))
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(MediaError, match=r"notes\.txt"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    "options",
    [
        {"fps": 0},
        {"fps": float("nan")},
        {"start_s": -1},
        {"start_s": 5, "end_s": 5},
        {"decoder": "vlc"},
        {"dicom_center": 40.0},
        {"backoff_initial_s": 5, "backoff_max_s": 1},
        {"frames": 3},
    ],
)
def test_settings_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MediaOptions(**options)


@given(
    user=st.text("abcXYZ0189._-", min_size=1),
    password=st.text("abcXYZ0189@:/?#&=!$", min_size=6).filter(lambda p: not p.rstrip("@")[:1].isdigit()),
)
def test_no_password_survives_masking(user: str, password: str) -> None:
    for secret in (password, quote(password, safe="")):
        masked = mask_credentials(f"cannot open rtsp://{user}:{secret}@camera.example:554/live?x=1 (refused)")
        assert secret not in masked.replace("camera.example:554/live", "")
        assert "camera.example:554/live?x=1 (refused)" in masked


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("http://host/cgi?user=admin&password=s3cret&ch=1", "http://host/cgi?user=***&password=***&ch=1"),
        ("rtsp://10.0.0.2:554/user=admin&passwd=s3cret", "rtsp://10.0.0.2:554/user=***&passwd=***"),
        ("https://host/live?access_token=abc.def#x", "https://host/live?access_token=***#x"),
        ("rtsp://host:554/path@1", "rtsp://host:554/path@1"),
        ("http://host/monkey=3?speed=fast", "http://host/monkey=3?speed=fast"),
    ],
)
def test_secrets_are_masked_wherever_cameras_put_them(address: str, masked: str) -> None:
    assert mask_credentials(address) == masked


@given(fps=st.floats(0.1, 120), start_s=st.floats(0, 100), steps=st.lists(st.floats(0.002, 3), min_size=1, max_size=80))
def test_each_tick_gets_the_first_frame_at_or_after_it(fps: float, start_s: float, steps: list[float]) -> None:
    sampler, t_s = Sampler(fps, start_s), 0.0
    times_s, taken = [], []
    for step in steps:
        t_s += step
        times_s.append(t_s)
        if sampler.wants(t_s):
            sampler.took(t_s)
            taken.append(t_s)
    ticks = (start_s + k / fps for k in range(int(max(0, t_s - start_s) * fps) + 2))
    edge = TICK_TOLERANCE_S
    for tick in ticks:
        first = next((t for t in times_s if t >= tick + edge * 1.01), None)
        early = [t for t in taken if tick - edge * 1.01 <= t <= (first or t)]
        assert first is None or early or any(t <= first and t > tick for t in taken)
    assert len(set(taken)) == len(taken)
    assert all(t >= start_s - edge for t in taken)


@given(
    restarts=st.booleans(),
    zero_s=st.floats(-10, 1e5),
    pts=st.lists(st.one_of(st.none(), st.floats(-1e4, 1e6)), min_size=1, max_size=60),
)
def test_media_time_only_goes_forward(restarts: bool, zero_s: float, pts: list[float | None]) -> None:
    timeline = Timeline(zero_s, 0.04, restarts)
    times_s = [t_s for value in pts if (t_s := timeline.place(value)) is not None]
    assert times_s[0] >= 0
    assert all(a < b for a, b in pairwise(times_s))
