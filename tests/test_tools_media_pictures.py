"""Still pictures and folders of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fixtures.clips import number_of, numbered, read
from tools.errors import MediaError
from tools.media import open_source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 10):
        Image.fromarray(numbered(number)).save(tmp_path / f"frame{number}.png")
    return tmp_path


def test_pictures_come_in_natural_order_at_the_given_rate(folder: Path) -> None:
    frames, _ = read(folder, fps=2)
    assert [number_of(frame.rgb) for frame in frames] == [1, 2, 10]
    assert [frame.t_s for frame in frames] == [0, 0.5, 1]
    assert [frame.wall_s for frame in frames] == [None] * 3


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff"])
def test_one_picture_is_a_source_of_one_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"still.{suffix}"
    Image.fromarray(numbered(77)).save(path)
    frames, gaps = read(path)
    assert [(frame.t_s, number_of(frame.rgb)) for frame in frames] == [(0.0, 77)]
    assert not gaps


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # To be turned by 90 degrees clockwise.
    Image.fromarray(numbered(5)).save(tmp_path / "phone.png", exif=exif)
    frames, _ = read(tmp_path / "phone.png")
    assert np.array_equal(frames[0].rgb, np.rot90(numbered(5), -1))


def test_deep_and_transparent_pictures_become_rgb(tmp_path: Path) -> None:
    ramp = np.linspace(1000, 3000, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    Image.fromarray(np.full((8, 8, 4), 128, np.uint8)).save(tmp_path / "glass.png")
    frames, _ = read(tmp_path)
    assert (frames[0].rgb.min(), frames[0].rgb.max()) == (0, 255)
    assert frames[1].rgb.shape == (8, 8, 3)


def test_a_broken_picture_leaves_a_gap_and_the_rest_goes_on(folder: Path) -> None:
    (folder / "frame2.png").write_bytes((folder / "frame10.png").read_bytes()[:100])
    frames, gaps = read(folder)
    assert [number_of(frame.rgb) for frame in frames] == [1, 10]
    assert [(gap.start_s, gap.end_s) for gap in gaps] == [(1.0, 2.0)]
    assert "frame2.png" in gaps[0].reason


def test_a_stretch_of_a_folder(folder: Path) -> None:
    frames, _ = read(folder, start_s=1.0, end_s=1.5)
    assert [number_of(frame.rgb) for frame in frames] == [2]
    with pytest.raises(MediaError, match="after the last"):
        read(folder, start_s=3.0)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "empty"), (b"not a picture", "cannot"), (None, "truncated")],
    ids=["empty", "text", "cut"],
)
def test_a_picture_that_cannot_be_read_is_refused(folder: Path, content: bytes | None, says: str) -> None:
    path = folder / "frame1.png"
    path.write_bytes(path.read_bytes()[:150] if content is None else content)
    with pytest.raises(MediaError, match=says):
        open_source(str(path))


def test_a_folder_of_broken_pictures_is_refused(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(MediaError, match="cannot read any of the 2 pictures"):
        open_source(str(tmp_path))
