"""Read a photo of any kind as plain upright RGB."""

from __future__ import annotations

import warnings
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
        with warnings.catch_warnings(), PIL.Image.open(path) as opened:
            warnings.simplefilter("ignore")  # oddities in metadata, and "large picture": a camera's 100 megapixels are welcome
            opened.draft("RGB", (LONGEST, LONGEST))  # lets a JPEG be decoded smaller, which takes less time and memory
            picture: PIL.Image.Image = PIL.ImageOps.exif_transpose(opened)
            picture = _opaque(picture)
    except PIL.UnidentifiedImageError:
        raise PortraitError(f"{path} is not a picture that can be read.", "Use a JPEG, PNG or WebP file.") from None
    except PIL.Image.DecompressionBombError:
        raise PortraitError(f"The photo {path} has far too many pixels.", "Scale it down to 100 megapixels or less.") from None
    except MemoryError:
        raise
    except Exception as problem:  # a damaged file makes the decoders raise nearly anything: OSError, SyntaxError, struct.error ...
        text = str(problem).rstrip(".")
        raise PortraitError(f"The photo {path} is damaged or cut short: {text}.", "Copy or download it again.") from None
    if min(picture.size) < SHORTEST:
        size = f"{picture.width} x {picture.height}"
        raise PortraitError(f"The photo {path} has only {size} pixels.", "Use one in which the face alone is 150 pixels high or more.")
    picture.thumbnail((LONGEST, LONGEST), PIL.Image.Resampling.LANCZOS)
    return np.ascontiguousarray(picture)


def _opaque(picture: PIL.Image.Image) -> PIL.Image.Image:
    """8-bit RGB of a picture of any mode."""
    if picture.mode.startswith("I"):  # grey of 16 bits, which Pillow may hold in 32
        return PIL.Image.fromarray((np.asarray(picture, np.float64) / 257).clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        return PIL.Image.alpha_composite(PIL.Image.new("RGBA", picture.size, (*GROUND, 255)), picture).convert("RGB")
    return picture.convert("RGB")
