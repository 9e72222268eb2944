"""Read a photo of any kind as plain upright RGB."""

from __future__ import annotations

import ctypes
import io
import warnings
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps

from avatar_app.errors import PortraitError
from avatar_app.files import natural, require_readable
from avatar_app.text import Text
from avatar_app.types import Image

LONGEST = 2048
"""Side in pixels to which larger photos are reduced: a face crop needs 256 to 1024."""

SHORTEST = 64
"""Least side in pixels: no face can be recognised in smaller photos."""

LARGEST = 100_000_000
"""Limit of pixels: a few bytes can declare gigabytes of them."""

LARGEST_FILE = 1 << 30
"""Limit in bytes. An uncompressed TIFF of 100 megapixels and 16 bits has 600 MB."""

MOST_WORK = 2_000_000_000
"""Limit of pixels times scans. A progressive JPEG has about 10 scans; one of 1 MB can have thousands, each of
which is decoded whole.
"""

HEIF = "HEIF"
KINDS = ("JPEG", "PNG", "WEBP", "AVIF", HEIF, "GIF", "BMP", "TIFF")
"""Formats that are read. Pillow knows more, and passes some, such as PostScript, to other programs."""

ENDINGS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".heic", ".heif", ".hif", ".avif"),
    *(".bmp", ".tif", ".tiff", ".gif"),
)
"""Endings of picture files."""

USE = Text("Use a JPEG, PNG, WebP or HEIC file.")


def _silence_libtiff() -> None:
    """Keep libtiff from writing about damaged files to stderr.

    The app has its own messages. Pillow has no option for it.
    """
    for library in (Path(PIL.__file__).parent.parent / "pillow.libs").glob("libtiff*"):
        with suppress(OSError, AttributeError):
            loaded = ctypes.CDLL(str(library))
            loaded.TIFFSetErrorHandler(None)
            loaded.TIFFSetWarningHandler(None)


_silence_libtiff()

GROUND = (128, 128, 128)
"""Colour behind transparent pixels."""


def read_portrait(path: str | Path) -> Image:
    """Read a photo: upright, opaque, 8 bits, at most ``LONGEST`` pixels a side.

    Raises:
        PortraitError: missing, unreadable, not a picture, cut short, or too small.
    """
    path = Path(path)
    size, picture = _read(path)
    if min(size) < SHORTEST:
        raise PortraitError(
            Text("The photo {} has only {} x {} pixels.", path, size[0], size[1]),
            Text("Use one in which the face alone is 150 pixels high or more."),
        )
    return picture


def read_frame(path: Path) -> Image:
    """Read a picture of any size as `read_portrait` does. Raises PortraitError."""
    return _read(path)[1]


def _read(path: Path) -> tuple[tuple[int, int], Image]:
    """Return the size as stored, and the upright picture. Raises PortraitError."""
    require_readable(path, Text("photo"), PortraitError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # odd metadata, and "large picture": a camera's 100 megapixels are accepted
            size, picture = _decoded(path)
            return size, np.ascontiguousarray(picture)
    except PIL.UnidentifiedImageError:
        raise PortraitError(Text("{} is not a picture that can be read.", path), USE) from None
    except PIL.Image.DecompressionBombError:
        hint = Text("Save it again as a JPEG of 100 megapixels or less.")
        raise PortraitError(Text("The photo {} is far too large to be read.", path), hint) from None
    except MemoryError:
        raise
    except Exception as problem:
        # A damaged file makes the decoders raise almost anything: OSError, SyntaxError, struct.error ...
        text = str(problem).rstrip(".")
        raise PortraitError(
            Text("The photo {} is damaged or cut short: {}.", path, text), Text("Copy or download it again.")
        ) from None


def picture_files(folder: Path) -> list[Path]:
    """List the pictures in a folder, ordered by the numbers in their names.

    Hidden files are left out. Raises OSError if the folder cannot be read.
    """
    files = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()
    )
    return sorted(files, key=lambda path: natural(path.name.casefold()))


def animated_kind(path: Path) -> str:
    """Return the kind of an animated picture that `read_frame` has read, such as WEBP.

    Empty if it holds a single frame.
    """
    with path.open("rb") as file, _opened(file) as opened:
        return str(opened.format) if getattr(opened, "is_animated", False) else ""


def turned(image: Image, turn: int) -> Image:
    """Turn a picture (H, W, 3) clockwise by ``turn`` quarters."""
    return np.ascontiguousarray(np.rot90(image, -turn)) if turn % 4 else image


def _decoded(path: Path) -> tuple[tuple[int, int], PIL.Image.Image]:
    """Return the size as stored, and the upright picture in sRGB, reduced.

    Raises DecompressionBombError, and almost any other error.
    """
    with path.open("rb") as file, _opened(file) as opened:
        _require_modest(file, opened)
        size, profile = opened.size, opened.info.get("icc_profile")
        opened.draft(
            "RGB", (LONGEST, LONGEST)
        )  # lets a JPEG be decoded smaller, which takes less time and memory
        upright = PIL.ImageOps.exif_transpose(opened, in_place=True) or opened
        return size, _opaque(_in_srgb(_reduced(upright), profile))


def _opened(file: BinaryIO) -> PIL.Image.Image:
    """Open a picture; the decoder of HEIF is loaded only for files that may need it."""
    begin = file.read(8)
    file.seek(0)
    if begin[4:] != b"ftyp":
        return PIL.Image.open(file, formats=[kind for kind in KINDS if kind != HEIF])
    import pi_heif

    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
    return PIL.Image.open(file, formats=KINDS)


def _require_modest(file: BinaryIO, opened: PIL.Image.Image) -> None:
    """Raise DecompressionBombError for files that take gigabytes or minutes to decode."""
    at = file.tell()
    try:
        pixels, length = opened.width * opened.height, file.seek(0, io.SEEK_END)
        if (
            pixels > LARGEST
            or length > LARGEST_FILE
            or pixels * _scans(file, opened, MOST_WORK // max(pixels, 1)) > MOST_WORK
        ):
            raise PIL.Image.DecompressionBombError
    finally:
        file.seek(at)


def _scans(file: BinaryIO, opened: PIL.Image.Image, enough: int) -> int:
    """Return the number of scans that a decoder makes over the picture.

    The JPEG scans in the file for each strip or tile; counting stops at ``enough``.
    """
    parts = 1
    if opened.format == "TIFF":
        if opened.info.get("compression") not in ("jpeg", "tiff_jpeg"):
            return 1
        tags = getattr(opened, "tag_v2", {})
        parts = max(1, len(tags.get(324, ())), len(tags.get(273, ())))
    elif opened.format not in ("JPEG", "MPO"):
        return 1
    count, last = 0, b""
    file.seek(0)
    while (block := file.read(1 << 20)) and count <= enough * parts:
        count += (last + block).count(b"\xff\xda")  # compressed data never contains these two bytes
        last = block[-1:]
    return -(-count // parts)


def _reduced(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Reduce to at most ``LONGEST`` pixels a side, in a mode that can be averaged."""
    if picture.mode.startswith("I"):
        picture = _grey_of_16_bits(picture)
    if picture.mode in ("1", "P", "PA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    if max(picture.size) > LONGEST:
        picture.thumbnail((LONGEST, LONGEST), PIL.Image.Resampling.LANCZOS)
    return picture


def _grey_of_16_bits(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Convert grey that Pillow holds in 16 or 32 bits to 8, by a table.

    In floats a large photo would take gigabytes.
    """
    values = np.asarray(picture)
    if values.dtype.itemsize > 2:
        values = np.clip(values, 0, 65535, dtype=values.dtype).astype(np.uint16)
    table = (np.arange(65536) / 257).round().astype(np.uint8)
    return PIL.Image.fromarray(table[values])


def _in_srgb(picture: PIL.Image.Image, profile: bytes | None) -> PIL.Image.Image:
    """Convert a picture from its colour profile to sRGB.

    A damaged profile, or one of another kind of picture, is ignored.
    """
    if not profile or picture.mode not in ("RGB", "RGBA", "L", "CMYK"):
        return picture
    with suppress(PIL.ImageCms.PyCMSError, OSError):
        own = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb, mode = PIL.ImageCms.createProfile("sRGB"), "RGBA" if picture.mode == "RGBA" else "RGB"
        intent, flags = PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC, PIL.ImageCms.Flags.BLACKPOINTCOMPENSATION
        return PIL.ImageCms.profileToProfile(picture, own, srgb, intent, mode, flags=flags) or picture
    return picture


def _opaque(picture: PIL.Image.Image) -> PIL.Image.Image:
    """Return 8-bit RGB of a picture of any mode."""
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return PIL.Image.alpha_composite(
            PIL.Image.new("RGBA", picture.size, (*GROUND, 255)), picture
        ).convert("RGB")
    return picture.convert("RGB")
