"""DICOM: times, windows, colours, order, privacy and what is no image. The files come with pydicom."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from tests.fixtures.clips import read
from tools.errors import MediaError
from tools.media import open_source
from tools.media.dicom_render import window


def bundled(name: str) -> Path:
    path = get_testdata_file(name, download=False)
    assert path, f"pydicom no longer brings {name}"
    return Path(str(path))


def write_dicom(path: Path, values: np.ndarray, **elements: object) -> Path:
    """Write a grey image (rows, columns) or cine (frames, rows, columns) of uint16 values."""
    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    data.SOPInstanceUID = generate_uid()
    data.SeriesInstanceUID = "1.2.3.4"
    data.PatientName = "Doe^Jane"
    data.Modality = "CT"
    data.PhotometricInterpretation = "MONOCHROME2"
    data.SamplesPerPixel, data.PixelRepresentation = 1, 0
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit = 15
    data.Rows, data.Columns = values.shape[-2:]
    if values.ndim == 3:
        data.NumberOfFrames = len(values)
    data.PixelData = values.astype("<u2").tobytes()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.save_as(path, enforce_file_format=True)
    return path


RAMP = np.arange(0, 4096, dtype=np.uint16).reshape(64, 64)
CINE = np.stack([np.full((8, 8), 1000 * n, np.uint16) for n in range(6)])


def test_a_colour_cine_has_its_frames_times_and_label() -> None:
    path = bundled("examples_ybr_color.dcm")
    frames, gaps = read(path, fps=None)
    assert len(frames) == 30
    assert frames[29].t_s == pytest.approx(29 * 33.333e-3)
    assert not gaps
    with open_source(str(path)) as source:
        assert source.info.notes[0] == "not for diagnosis"
        assert source.info.fps == pytest.approx(30, abs=0.01)
    expected = pydicom.pixels.pixel_array(path, index=7)
    assert np.abs(frames[7].rgb.astype(int) - expected).max() == 0


@pytest.mark.parametrize(
    ("elements", "times_s"),
    [
        ({"FrameTime": "250"}, [0, 0.25, 0.5, 0.75, 1.0, 1.25]),
        ({"FrameTimeVector": [0, 100, 100, 300, 100, 100]}, [0, 0.1, 0.2, 0.5, 0.6, 0.7]),
        ({"CineRate": 4}, [0, 0.25, 0.5, 0.75, 1.0, 1.25]),
        ({"RecommendedDisplayFrameRate": 2}, [0, 0.5, 1, 1.5, 2, 2.5]),
        ({}, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_the_cine_module_gives_the_times(tmp_path: Path, elements: dict[str, object], times_s: list[float]) -> None:
    path = write_dicom(tmp_path / "cine.dcm", CINE, **elements)
    frames, _ = read(path, fps=None)
    assert [frame.t_s for frame in frames] == pytest.approx(times_s)
    with open_source(str(path)) as source:
        assert any("no frame rate" in note for note in source.info.notes) == (not elements)


def test_a_cine_is_sampled_like_a_video(tmp_path: Path) -> None:
    frames, _ = read(write_dicom(tmp_path / "cine.dcm", CINE, FrameTime="250"), fps=2)
    assert [frame.t_s for frame in frames] == [0, 0.5, 1.0]


def test_the_files_own_window_is_used_and_may_be_overridden(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "ct.dcm", RAMP, WindowCenter=1040, WindowWidth=400, RescaleIntercept=-1500,
                       RescaleSlope=1)  # fmt: skip
    grey = {name: read(path, dicom_window=name)[0][0].rgb[..., 0].ravel() for name in ("file", "full", "lung", "brain")}
    own = read(path, dicom_center=40.0, dicom_width=400.0)[0][0].rgb[..., 0].ravel()
    hu = RAMP.ravel().astype(int) - 1500
    assert (hu[grey["lung"] == 255][0], hu[grey["lung"] == 0][-1]) == (
        pytest.approx(150, abs=5),
        pytest.approx(-1350, abs=5),
    )
    assert (hu[grey["brain"] == 255][0], hu[grey["brain"] == 0][-1]) == (
        pytest.approx(80, abs=2),
        pytest.approx(0, abs=2),
    )
    assert (hu[own == 255][0], hu[own == 0][-1]) == (pytest.approx(240, abs=2), pytest.approx(-160, abs=2))
    assert hu[grey["file"] == 255][0] == pytest.approx(1240, abs=2)
    assert (grey["full"][0], grey["full"][-1], grey["full"][2048]) == (0, 255, 128)


def test_a_ct_preset_on_another_modality_is_not_applied_and_said(tmp_path: Path) -> None:
    path = write_dicom(tmp_path / "mr.dcm", RAMP, Modality="MR", WindowCenter=2048, WindowWidth=4096)
    frames, _ = read(path, dicom_window="lung")
    assert frames[0].id == read(path)[0][0].id
    from tools.media import MediaOptions

    with open_source(str(path), MediaOptions(dicom_window="lung")) as source:
        assert any("'lung' is for CT" in note for note in source.info.notes)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    plain = read(write_dicom(tmp_path / "two.dcm", RAMP))[0][0].rgb
    inverse = read(write_dicom(tmp_path / "one.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))[0][0].rgb
    assert np.abs(plain.astype(int) + inverse - 255).max() <= 1


def test_a_voi_table_is_used(tmp_path: Path) -> None:
    item = Dataset()
    item.LUTDescriptor = [2, 1000, 16]
    item.add_new("LUTData", "US", [0, 65535])
    path = write_dicom(tmp_path / "voi.dcm", RAMP, VOILUTSequence=[item])
    grey = read(path)[0][0].rgb[..., 0].ravel()
    assert (grey[:1001].max(), grey[1001:].min()) == (0, 255)


def test_palette_and_bright_colours_keep_their_range() -> None:
    palette = read(bundled("examples_palette.dcm"))[0][0].rgb
    assert palette.max() > 200
    assert (palette[..., 0] != palette[..., 2]).any()
    deep = read(bundled("SC_rgb_rle_16bit.dcm"))[0][0].rgb
    shallow = read(bundled("SC_rgb_rle.dcm"))[0][0].rgb
    assert np.abs(deep.astype(int) - shallow).max() <= 1


def test_a_folder_is_sorted_by_instance_number_then_by_position(tmp_path: Path) -> None:
    for number, name in ((10, "a"), (2, "b"), (1, "c")):
        write_dicom(tmp_path / name, np.full((4, 4), 100 * number, np.uint16), InstanceNumber=number)
    frames, _ = read(tmp_path, dicom_center=500.0, dicom_width=1000.0)
    assert [frame.t_s for frame in frames] == [0, 1, 2]
    levels = [int(frame.rgb[0, 0, 0]) for frame in frames]
    assert levels == sorted(levels)
    plain = tmp_path / "position"
    plain.mkdir()
    for z_mm, name in ((30.0, "a"), (-5.0, "b"), (12.0, "c")):
        write_dicom(plain / name, np.full((4, 4), 100 + z_mm, np.uint16), ImagePositionPatient=[0, 0, z_mm],
                    ImageOrientationPatient=[1, 0, 0, 0, 1, 0])  # fmt: skip
    levels = [int(frame.rgb[0, 0, 0]) for frame in read(plain, dicom_center=100.0, dicom_width=100.0)[0]]
    assert levels == sorted(levels)
    assert len(set(levels)) == 3


def test_a_folder_with_several_series_says_which_one_is_shown(tmp_path: Path) -> None:
    for number in range(4):
        write_dicom(
            tmp_path / f"{number}.dcm", RAMP, SeriesInstanceUID="1.2.3" if number else "9.9", InstanceNumber=number
        )
    shutil.copy(bundled("test-SR.dcm"), tmp_path)
    with open_source(str(tmp_path)) as source:
        assert sum(1 for _ in source) == 3
        notes = " ".join(source.info.notes)
    assert "2 series" in notes
    assert "1 DICOM files of the folder are not images" in notes


def test_the_patient_is_not_named(tmp_path: Path) -> None:
    folder = tmp_path / "Doe^Jane"
    folder.mkdir()
    write_dicom(folder / "Doe Jane 1.dcm", RAMP, InstanceNumber=1)
    broken = write_dicom(folder / "Doe Jane 2.dcm", RAMP, InstanceNumber=2)
    broken.write_bytes(broken.read_bytes()[:-100])
    frames, gaps = read(folder)
    with open_source(str(folder)) as source:
        shown = f"{source.info} {frames} {gaps}"
    assert len(frames) == len(gaps) == 1
    assert "Doe" not in shown
    assert "Jane" not in shown


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("test-SR.dcm", "Comprehensive SR"),
        ("rtplan.dcm", "RT Plan"),
        ("waveform_ecg.dcm", "ECG Waveform"),
        ("MR_truncated.dcm", "less than expected"),
        ("JPEGLSNearLossless_08.dcm", "no decoder for .* is installed"),
        ("badVR.dcm", "number of frames"),
        ("DICOMDIR", "Name its folder"),
    ],
)
def test_what_is_no_usable_image_is_refused_with_its_reason(name: str, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        open_source(str(bundled(name)))


def test_text_called_dcm_and_folders_of_reports_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_text("this is no DICOM file, " * 20)
    with pytest.raises(MediaError, match=r"x\.dcm"):
        open_source(str(tmp_path / "x.dcm"))
    shutil.copy(bundled("test-SR.dcm"), tmp_path)
    with pytest.raises(MediaError, match=r"none of its .* is an image"):
        open_source(str(tmp_path))


@given(
    center=st.floats(-2000, 2000),
    width=st.floats(1, 5000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_windows_rise_from_black_to_white_through_the_middle(center: float, width: float, function: str) -> None:
    values = np.linspace(center - 3 * width, center + 3 * width, 101)
    grey = window(values, center, width, function)
    assert (np.diff(grey) >= 0).all()
    assert grey[0] < 0.01
    assert grey[-1] > 0.99
    if function != "LINEAR":
        assert window(np.array([center]), center, width, function)[0] == pytest.approx(0.5)


def test_the_linear_window_is_that_of_the_standard() -> None:
    # PS3.3 C.11.2.1.2.1, worked by hand: c=2048, w=4096 maps 0..4095 to 0..1 linearly.
    grey = window(np.array([0.0, 4095.0, 1365.0]), 2048, 4096)
    assert grey == pytest.approx([0.5 - 2047.5 / 4095, 1.0, (1365 - 2047.5) / 4095 + 0.5])
