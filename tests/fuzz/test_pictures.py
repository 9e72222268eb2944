"""Photos with wrong headers or an early end, and files that are no photos.

The result is a photo or a PortraitError, nothing else.
"""

from __future__ import annotations

import os
import struct
import sys
import zlib
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.features
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_app.cameras.files import read_picture
from avatar_app.errors import CameraError, PortraitError
from avatar_app.media.photo import LONGEST, read_portrait
from tests.fuzz.bounds import bounded, fuzz
from tests.fuzz.material import damaged
from tests.support.media import picture


def saved(kind: str, mode: str = "RGB", **options: object) -> bytes:
    file = BytesIO()
    PIL.Image.fromarray(picture(100, 80)).convert(mode).save(file, kind, **options)
    return file.getvalue()


EXIF = PIL.Image.Exif()
EXIF[0x0112] = 6
WHOLE = [
    saved("JPEG", exif=EXIF),
    saved("JPEG", progressive=True),
    saved("JPEG", mode="CMYK"),
    saved("PNG"),
    saved("PNG", mode="P", transparency=3),
    saved("PNG", mode="LA"),
    saved("PNG", mode="I;16"),
    saved("WEBP", exif=EXIF),
    saved("GIF", mode="P"),
    saved("BMP"),
    saved("TIFF", compression="tiff_lzw"),
    saved("TIFF", mode="F"),
    *([saved("AVIF")] if PIL.features.check("avif") else []),
]


def attempt(path: Path) -> None:
    """Read it as a photo and as a picture of a folder."""
    with bounded():
        with suppress(PortraitError):
            image = read_portrait(path)
            assert image.dtype == np.uint8
            assert image.ndim == 3
            assert image.shape[2] == 3
            assert max(image.shape) <= LONGEST
            assert min(image.shape[:2]) > 0
    with bounded():
        with suppress(CameraError):
            read_picture(path)


@fuzz(120)
@given(data=st.sampled_from(WHOLE).flatmap(damaged) | st.binary(max_size=200))
def test_damaged_pictures(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(data)
    attempt(path)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: int, extra: bytes = b"", colour: int = 6) -> bytes:
    """A PNG of any size with so many empty rows."""
    samples = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(bytes(1 + width * samples)) for _ in range(rows)) + packer.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(3 * 256)) + chunk(b"tRNS", bytes(256)) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + head + palette + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


BOMBS = {
    "declares gigapixels": png(2**31 - 1, 2**31 - 1, 0),
    "179 megapixels": png(13_000, 13_700, 13_700),
    "179 megapixels with a palette": png(13_000, 13_700, 13_700, colour=3),
    "one gigapixel": png(32_000, 32_000, 200),
    "one long row": png(20_000_000, 1, 1),
    "very wide": png(1_000_000, 70, 70, colour=0),
    "text of a gigabyte": png(100, 100, 100, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200 << 20), 1))),
    "profile of a gigabyte": png(
        100, 100, 100, chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(200 << 20), 1))
    ),
}


def many_scans(scans: int) -> bytes:
    """A progressive JPEG of 20 megapixels whose last scan is repeated so many times."""
    file = BytesIO()
    PIL.Image.new("L", (5000, 4000), 90).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:last] + data[last:end] * scans + data[end:]


def test_scans_without_end_are_counted_before_they_are_decoded(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(many_scans(3000))
    assert path.stat().st_size < 20_000_000
    with bounded(), pytest.raises(PortraitError, match="far too large"):
        read_portrait(path)
    path.write_bytes(many_scans(2))
    with bounded():
        assert read_portrait(path).shape == (1638, 2048, 3)


def test_a_file_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    """A valid JPEG followed by a sparse hole of 5 GB."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(saved("JPEG"))
    with path.open("r+b") as file:
        file.truncate(5 << 30)
    attempt(path)


@pytest.mark.parametrize("kind", [b"IDAT", b"tEXt", b"iCCP", b"eXIf"])
def test_a_chunk_that_lies_about_its_length(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png(100, 100, 0)[:33] + struct.pack(">I", 0xFFFFFFF0) + kind + bytes(100))
    attempt(path)


@pytest.mark.parametrize("kind", BOMBS)
def test_a_few_bytes_that_become_gigabytes(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(BOMBS[kind])
    attempt(path)


def test_a_large_photo_is_within_bounds(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(png(8000, 6000, 6000))  # 48 megapixels with transparency: what a good camera makes
    with bounded(seconds=8):
        assert read_portrait(path).shape == (1536, 2048, 3)


def test_a_photo_that_would_have_another_program_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostScript would be passed to Ghostscript."""
    for name in ("gs", "gswin64c", "gswin32c"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(PortraitError, match="is not a picture"):
        read_portrait(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no named pipes among the files")
def test_a_pipe_in_place_of_a_photo_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    os.mkfifo(path)
    with bounded(), pytest.raises(PortraitError, match="is no ordinary file"):
        read_portrait(path)
    with bounded(), pytest.raises(CameraError, match="cannot be read"):
        read_picture(path)
