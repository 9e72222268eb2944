"""Formats of a V4L2 camera, with a fake driver."""

from __future__ import annotations

import struct
from pathlib import Path

from avatar_app.cameras.formats import camera_formats, read_formats
from avatar_app.v4l2 import DISCRETE, ENUM_FORMATS, FORMAT_ENTRY, SIZE_ENTRY

FORMATS = [b"MJPG", b"YUYV", b"GREY"]
SIZES = {
    b"MJPG": [(1, 640, 480, 0, 0, 0, 0), (1, 1920, 1080, 0, 0, 0, 0), (1, 800, 600, 0, 0, 0, 0)],
    b"YUYV": [(3, 48, 1280, 16, 32, 720, 8)],
}


def driver(request: int, shape: struct.Struct, values: tuple[object, ...]) -> tuple[object, ...]:
    index, second = values[:2]
    assert isinstance(index, int)
    assert isinstance(second, int)
    if request == ENUM_FORMATS:
        if index >= len(FORMATS):
            raise OSError
        return (index, second, 0, b"", struct.unpack("=I", FORMATS[index])[0], 0)
    sizes = SIZES.get(struct.pack("=I", second), [])
    if index >= len(sizes):
        raise OSError
    return (index, second, *sizes[index])


def test_the_largest_size_of_each() -> None:
    assert DISCRETE == 1
    assert list(read_formats(driver)) == ["MJPG up to 1920 x 1080", "YUYV up to 1280 x 720", "GREY"]


def test_a_driver_whose_list_never_ends() -> None:
    def endless(request: int, shape: struct.Struct, values: tuple[object, ...]) -> tuple[object, ...]:
        return (
            (0, 1, 0, b"", 0x47504A4D, 0)
            if request == ENUM_FORMATS
            else (0, 0x47504A4D, 1, 640, 480, 0, 0, 0, 0)
        )

    assert set(read_formats(endless)) == {"MJPG up to 640 x 480"}


def test_the_structures_are_as_large_as_the_kernels() -> None:
    assert (FORMAT_ENTRY.size, SIZE_ENTRY.size) == (64, 44)


def test_what_is_no_camera_has_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert camera_formats(str(tmp_path / "file")) == []
    assert camera_formats(str(tmp_path / "missing")) == []
