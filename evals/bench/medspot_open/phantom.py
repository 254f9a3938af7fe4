"""A head made of ellipsoids, in the manner of Shepp and Logan's phantom (1974), and DICOM files that pydicom brings."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path

import numpy as np

ELLIPSOIDS = (
    # value, centre and half axes along x, y and z, in halves of the volume
    (1000, (0.0, 0.0, 0.0), (0.72, 0.90, 0.90)),  # the skull
    (-600, (0.0, 0.0, 0.0), (0.66, 0.84, 0.84)),  # the brain within
    (-250, (0.2, -0.05, 0.05), (0.10, 0.30, 0.30)),  # two ventricles
    (-250, (-0.2, -0.05, 0.05), (0.10, 0.30, 0.30)),
    (300, (0.3, 0.4, 0.1), (0.12, 0.12, 0.20)),  # two lesions
    (150, (-0.25, 0.45, -0.1), (0.18, 0.10, 0.20)),
)
"""Our choice."""
SHAPE, VOXEL_MM = (12, 128, 128), (1.5, 1.5, 12.0)
"""Slices, rows and columns, and the size of a voxel along x, y and z."""
FILES = {"chest.dcm": "CT_small.dcm", "knee.dcm": "MR_small.dcm"}
"""Of pydicom, by the name that they bear here."""
WRITTEN_S = 1_705_312_800
"""When files are said to have been written, since that is shown: 2024-01-15, 10:00 UTC."""


def draw_images(folder: Path) -> None:
    """Write `head.nii` and the files of pydicom into a folder."""
    from pydicom.data import get_testdata_file

    (folder / "head.nii").write_bytes(nifti(head(), VOXEL_MM))
    for name, file in FILES.items():
        shutil.copyfile(str(get_testdata_file(file)), folder / name)
    for path in folder.iterdir():
        os.utime(path, (WRITTEN_S, WRITTEN_S))


def head() -> np.ndarray:
    """The phantom: `SHAPE`, int16."""
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, count) for count in SHAPE), indexing="ij")
    voxels = np.zeros(SHAPE, np.int16)
    for value, centre, axes in ELLIPSOIDS:
        distances = [(at - middle) / axis for at, middle, axis in zip((x, y, z), centre, axes, strict=True)]
        voxels[sum(distance**2 for distance in distances) < 1] += np.int16(value)
    return voxels


def nifti(voxels: np.ndarray, voxel_mm: tuple[float, float, float]) -> bytes:
    """A volume as a NIfTI-1 file (header: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h).

    Args:
        voxels: (slices, rows, columns), int16.
        voxel_mm: the size of a voxel along x, y and z.
    """
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)  # its own size
    struct.pack_into("<8h", header, 40, 3, *reversed(voxels.shape), 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, 4, 16)  # signed short, 16 bits
    struct.pack_into("<4f", header, 76, 1.0, *voxel_mm)
    struct.pack_into("<2f", header, 108, len(header), 1.0)  # where voxels begin, and their slope
    header[123] = 2  # millimetres
    header[344:348] = b"n+1\0"
    return bytes(header) + voxels.astype("<i2").tobytes()
