"""Generate pictures that serve as photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

from avatar_app.types import Image


def rough_picture(seed: int, width: int, height: int) -> Image:
    """Coloured spots, different for each seed."""
    rough = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), np.uint8)
    return np.asarray(PIL.Image.fromarray(rough).resize((width, height)), np.uint8)


def save(path: Path, image: Image) -> Path:
    """Write a picture and create its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(image).save(path)
    return path
