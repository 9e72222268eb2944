"""Place a person in the frame.

As large as the user wants, the head whole, the body down to the lower edge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from avatar_app.types import Area, Framing, Scene

NARROW = 0.8
"""Width of an upright frame, in sides of the square."""

HEADROOM, LEAST_HEADROOM = 0.12, 0.08
"""Space above the hair, in heights of the frame: by default, and the least that the user may choose. A driver
who sits up moves the head by about the second.
"""

BELOW_CHIN = 0.05
"""Sides of the square below the chin that stay in the frame, even if the hair does not fit."""

SMALLEST = 0.6
"""Height of the frame, in sides of the square, where a photo cuts both the hair and the body."""

EYES = 0.25
"""Sides of the square from the chin up to the middle of the face."""

SWAY, LIFT = 16, 3
"""Divisors of the side: how far a person moves outside of the square, beside it, above and below."""

AS_IT_COMES = Framing()


@dataclass(frozen=True, slots=True)
class Placement:
    """The frame in pixels of the square.

    Attributes:
        left, top: its upper left corner.
        width, height: its size.
    """

    left: float
    top: float
    width: float
    height: float


def place(
    scene: Scene, size: tuple[int, int], framing: Framing = AS_IT_COMES, mirror: bool = False
) -> Placement:
    """Place a person in a frame of ``size`` (width, height) pixels.

    With ``mirror`` the frame is mirrored later.
    """
    if framing.whole:
        return _whole(scene.photo, size)
    whole = _height(scene, size, 1.0)
    height = _height(scene, size, framing.zoom)
    hair, chin = scene.head
    eyes = chin - EYES * scene.side
    usual = min(0.0, hair - HEADROOM * whole)
    top = eyes - (eyes - usual) / whole * height - framing.pan_y * height
    top = max(top, eyes - 0.9 * height)
    top = min(top, max(hair - LEAST_HEADROOM * height, chin + BELOW_CHIN * scene.side - height))
    above, below = scene.ends
    if above is not None:
        top = max(top, above)
    if below is not None:
        top = min(top, below - height)
    width = height * size[0] / size[1]
    pan = min(0.4, max(-0.4, -framing.pan_x if mirror else framing.pan_x))
    return Placement(scene.side / 2 - width / 2 - pan * width, top, width, height)


def _whole(photo: Area, size: tuple[int, int]) -> Placement:
    """Place the whole photo in the middle."""
    rows, columns = photo.shape
    height = max(rows, columns * size[1] / size[0])
    width = height * size[0] / size[1]
    left, top = photo.left + (columns - width) / 2, photo.top + (rows - height) / 2
    return Placement(left, top, width, height)


def _height(scene: Scene, size: tuple[int, int], zoom: float) -> float:
    """Return the frame's height in pixels of the square."""
    height = scene.side * max(1.0, NARROW * size[1] / size[0]) / min(2.0, max(0.5, zoom))
    above, below = scene.ends
    if above is None or below is None:
        return height
    return min(height, max(SMALLEST * scene.side, below - above))


def moving_area(
    scene: Scene, size: tuple[int, int], framing: Framing = AS_IT_COMES, mirror: bool = False
) -> Area:
    """Return the part of the square and its surroundings that every frame redraws.

    In whole chroma pixels, rows in fours.
    """
    placement = place(scene, size, framing, mirror)
    side, sway, lift = scene.side, scene.side // SWAY, scene.side // LIFT
    left, right = _whole_steps(placement.left, placement.width, -sway, side + sway, 2)
    top, bottom = _whole_steps(placement.top, placement.height, -lift, side + lift, 4)
    return Area(left, top, right, bottom)


def _whole_steps(start: float, length: float, least: int, most: int, step: int) -> tuple[int, int]:
    """Return start and end of the visible part between ``least`` and ``most``.

    Rounded to a multiple of ``step``, upwards where there is room.
    """
    first, end = max(least, math.floor(start)), min(most, math.ceil(start + length))
    missing = (first - end) % step
    if first - missing >= least:
        return first - missing, end
    if end + missing <= most:
        return first, end + missing
    return first, end - (end - first) % step
