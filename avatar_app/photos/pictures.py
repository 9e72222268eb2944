"""The library's pictures: checked, cropped, and identified by their content."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from avatar_app.errors import PortraitError
from avatar_app.faces.crop import crop_picture
from avatar_app.media.photo import LONGEST, SHORTEST, USE, read_portrait, turned
from avatar_app.photos.photo_files import Entry, read_json, sidecar, stamp
from avatar_app.text import Text
from avatar_app.types import Box, Image

KEPT = 400
"""Limit of thumbnails in memory."""

FindFace = Callable[[Image], tuple[int, Box] | None]
"""From a picture to its rotation in clockwise quarter turns and the square around its face; None
without one.
"""


class Thumbnails:
    """Small pictures of photos, kept in memory. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[object, ...], Image] = {}

    def of(self, entry: Entry, side: int, find_face: FindFace | None) -> Image:
        """Return a photo's crop, (side, side, 3); slow at first. Raises PortraitError."""
        key = (entry.path, stamp(entry.path), entry.box, entry.turn, side, find_face is not None)
        with self._lock:
            known = self._made.get(key)
        if known is not None:
            return known
        small = _cropped(read_portrait(entry.path), entry, find_face, side)
        with self._lock:
            while len(self._made) >= KEPT:
                del self._made[next(iter(self._made))]
            self._made[key] = small
        return small


class Digests:
    """Digests of the pictures that photos were made from, computed unless stored."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[object, str]] = {}

    def of(self, path: Path, bundled: bool) -> str | None:
        """Return the digest of a photo; None for an unreadable one, which equals no other."""
        stored = None if bundled else read_json(sidecar(path)).get("picture")
        if isinstance(stored, str):
            return stored
        now = stamp(path)
        known = self._known.get(path)
        if known is not None and known[0] == now:
            return known[1]
        with suppress(PortraitError):
            self._known[path] = (now, digest_of(read_portrait(path)))
            return self._known[path][1]
        return None


def _cropped(image: Image, entry: Entry, find_face: FindFace | None, side: int) -> Image:
    """Return a photo's square as (side, side, 3).

    The user's, else the one around the face, else the middle.
    """
    turn, box = entry.turn or 0, entry.box
    if box is None and find_face is not None and (found := find_face(turned(image, turn))):
        turn, box = (turn if entry.turn is not None else found[0]), found[1]
    upright = turned(image, turn)
    return crop_picture(upright, box or middle_box(upright), side)


def middle_box(image: Image) -> Box:
    """Return the largest square of a picture, as a fallback without a face.

    In a tall picture somewhat above the middle, where faces are.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    return Box((width - 1) / 2, (side - 1) / 2 + 0.25 * (height - side), side)


def usable(image: Image) -> Image:
    """Check and reduce a picture from elsewhere like a photo from a file."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise PortraitError(
            Text("A picture of shape {} and type {} is not RGB of 8 bits.", image.shape, image.dtype), USE
        )
    height, width = image.shape[:2]
    if min(height, width) < SHORTEST:
        raise PortraitError(
            Text("The picture has only {} x {} pixels.", width, height),
            Text("Use one in which the face alone is 150 pixels high or more."),
        )
    scale = LONGEST / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def digest_of(image: Image) -> str:
    """Return a digest of a picture's size and content."""
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()
