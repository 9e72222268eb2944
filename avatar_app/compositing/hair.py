"""Find hair beside a person that the matte has missed."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.extension import filled
from avatar_app.compositing.planes import grown, highest, smooth, to_bytes
from avatar_app.types import Image

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Plane = npt.NDArray[np.uint8]

REACH = 12
"""Part of the side around the person in which hair lies."""

THIN = 40
"""Part of the side; a hair is thinner."""

FINER = 1.6, 1.5
"""Contrast of a thin thing above which it is hair: times the usual contrast farther out, plus levels."""

LEAST = 0.03
"""Fraction of a row below which it does not show what is usual, and the whole picture is taken."""

SEEN = 64
"""Alpha from colours above which hair is visible."""

SURE = 242
"""Alpha from which on a pixel belongs to the person alone."""

UNLIKE = 20.0, 60.0
"""Difference of person and wall, in levels: below the first colours do not determine alpha, above the second
they alone do.
"""


def stray_hair(photo: Image, person: Plane, covered: Flags, side: int, nose: float) -> Flags:
    """Return where hair of any colour is that the matte has missed.

    Hair is thin, close to the person, of more contrast than thin things farther out in the same rows, and
    connected with the head. A median keeps the edges of larger things, so they are not taken for hair.

    Args:
        photo: (h, w, 3).
        person: (h, w), alpha.
        covered: (h, w), where the person hides the background.
        side: of the square crop, the unit of all lengths.
        nose: row of its tip. Hair is connected with the head above it; what is connected farther down may
            stand behind a shoulder.
    """
    distance = cv2.distanceTransform((~covered).astype(np.uint8), cv2.DIST_L2, 5)
    far = (distance > side / REACH).astype(np.float32)
    thin = highest(cv2.absdiff(photo, cv2.medianBlur(photo, side // THIN | 1))).astype(np.float32)
    squares = thin * thin * far
    anywhere = LEAST * squares.mean() / max(float(far.mean()), 1e-4)
    usual = np.sqrt((_along_rows(squares, side) + anywhere) / (_along_rows(far, side) + LEAST))
    times, levels = FINER
    found = smooth(thin, side / 170) > times * usual + levels
    found &= (distance < side / REACH) & (person < SURE)
    head = covered & (np.arange(len(photo))[:, None] < nose)
    growing = _reaching(grown(found & ~covered, side // (3 * THIN)), head)
    return np.asarray(found & (growing | covered), np.bool_)


def alpha_by_colours(photo: Image, person: Plane, hair: Flags, background: Image) -> Plane:
    """Return alpha as the colours determine it, where person and background differ.

    Connected hair becomes part of the person. Elsewhere alpha only decreases: a soft rim of wall around the
    head would move with it like a shadow.
    """
    sure = person >= SURE
    inner = cv2.erode(sure.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(np.float32)
    picture, behind = photo.astype(np.float32), background.astype(np.float32)
    apart = filled(picture * inner[..., None], inner) - behind
    length = np.square(apart).sum(2)
    seen = 255 * ((picture - behind) * apart).sum(2) / np.maximum(length, 1)
    certain = np.clip((np.sqrt(length) - UNLIKE[0]) / (UNLIKE[1] - UNLIKE[0]), 0, 1) * ~sure
    most = np.where(_reaching(hair & (seen > SEEN), sure), np.float32(255), person)
    return to_bytes(person + certain * (np.clip(seen, 0, most) - person))


def _reaching(parts: Flags, goal: Flags) -> Flags:
    """Return the parts that are connected with ``goal``."""
    _, number = cv2.connectedComponents((parts | goal).astype(np.uint8))
    return np.isin(number, np.unique(number[goal]))


def _along_rows(values: Floats, side: int) -> Floats:
    """Return means over an eighth of the side and a small height, on a reduced copy."""
    height, width = values.shape[:2]
    size = max(1, width // 8), max(1, height // 2)
    few = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(smooth(few, side / 64, side / 160), (width, height)), np.float32)
