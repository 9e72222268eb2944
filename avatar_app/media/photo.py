"""Read a photo of any kind as plain upright RGB."""

from __future__ import annotations

import warnings
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps

from avatar_app.errors import PortraitError
from avatar_app.files import require_readable
from avatar_app.types import Image

LONGEST = 2048
"""Larger photos are reduced to this side, in pixels: a face crop needs 256 to 1024."""

SHORTEST = 64
"""Smaller photos are refused, in pixels: no face can be recognised in them."""

LARGEST = 100_000_000
"""Photos with more pixels are refused: a few bytes can declare gigabytes of them."""

KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
"""What is read. Pillow would know more, and hands some of it, such as PostScript, to other programs."""

GROUND = (128, 128, 128)
"""What shows through transparent pixels."""


def read_portrait(path: str | Path) -> Image:
    """Read a photo: upright, opaque, 8 bits, at most ``LONGEST`` pixels a side.

    Raises:
        PortraitError: missing, unreadable, not a picture, cut short, or too small.
    """
    path = Path(path)
    require_readable(path, "photo", PortraitError)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # oddities in metadata, and "large picture": a camera's 100 megapixels are welcome
            size, picture = _decoded(path)
    except PIL.UnidentifiedImageError:
        raise PortraitError(
            f"{path} is not a picture that can be read.", "Use a JPEG, PNG or WebP file."
        ) from None
    except PIL.Image.DecompressionBombError:
        raise PortraitError(
            f"The photo {path} has far too many pixels.", "Scale it down to 100 megapixels or less."
        ) from None
    except MemoryError:
        raise
    except Exception as problem:  # a damaged file makes the decoders raise nearly anything: OSError, SyntaxError, struct.error ...
        text = str(problem).rstrip(".")
        raise PortraitError(
            f"The photo {path} is damaged or cut short: {text}.", "Copy or download it again."
        ) from None
    if min(size) < SHORTEST:
        raise PortraitError(
            f"The photo {path} has only {size[0]} x {size[1]} pixels.",
            "Use one in which the face alone is 150 pixels high or more.",
        )
    return np.ascontiguousarray(picture)


def is_modest(path: Path) -> bool:
    """Whether a picture's header can be read and declares at most ``LARGEST`` pixels."""
    with warnings.catch_warnings(), suppress(Exception):
        warnings.simplefilter("ignore")
        with PIL.Image.open(path, formats=KINDS) as opened:
            return opened.width * opened.height <= LARGEST
    return False


def _decoded(path: Path) -> tuple[tuple[int, int], PIL.Image.Image]:
    """The size as stored, and the upright picture in RGB, reduced. Raises DecompressionBombError, and nearly anything."""
    with PIL.Image.open(path, formats=KINDS) as opened:
        size = opened.size
        if size[0] * size[1] > LARGEST:
            raise PIL.Image.DecompressionBombError
        opened.draft(
            "RGB", (LONGEST, LONGEST)
        )  # lets a JPEG be decoded smaller, which takes less time and memory
        return size, _opaque(_reduced(PIL.ImageOps.exif_transpose(opened, in_place=True) or opened))


def _reduced(picture: PIL.Image.Image) -> PIL.Image.Image:
    """At most ``LONGEST`` pixels a side, in a mode that can be averaged."""
    if max(picture.size) <= LONGEST:
        return picture
    if picture.mode in ("1", "P", "PA"):
        picture = picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    picture.thumbnail((LONGEST, LONGEST), PIL.Image.Resampling.LANCZOS)
    return picture


def _opaque(picture: PIL.Image.Image) -> PIL.Image.Image:
    """8-bit RGB of a picture of any mode."""
    if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow may hold in 32
        return PIL.Image.fromarray(
            (np.asarray(picture, np.float64) / 257).clip(0, 255).round().astype(np.uint8)
        ).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return PIL.Image.alpha_composite(
            PIL.Image.new("RGBA", picture.size, (*GROUND, 255)), picture
        ).convert("RGB")
    return picture.convert("RGB")
