"""Arrange the parts of the window so that the picture is as large as possible."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRect, QSize

EDGE, GAP = 12, 8
DRAWER = 300
SIDE = 236
"""Width of the gallery beside the pictures, with two columns."""

BESIDE = 1150
"""Width of the window from which the drawer is beside the pictures instead of over it."""

SIDE_FROM, SIDE_GAIN = 1500, 1.03
"""The gallery moves beside the pictures in a window of at least this width, and only if the picture becomes
wider by this factor.
"""


@dataclass(frozen=True, slots=True)
class Heights:
    """Heights of parts whose height is fixed, pixels."""

    header: int
    tools: int
    strip: int


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Arrangement of the window's parts.

    Attributes:
        side: the gallery is a column beside the pictures.
        over: the drawer lies over the pictures.
    """

    header: QRect
    area: QRect
    tools: QRect
    gallery: QRect
    drawer: QRect
    side: bool
    over: bool


def arrange(size: QSize, heights: Heights, drawer: bool, proportion: float = 16 / 9) -> Arrangement:
    """Return the arrangement with the largest picture.

    Args:
        size: of the window's content.
        drawer: it is open.
        proportion: width of the picture divided by its height.
    """
    strip = _arranged(size, heights, drawer, side=False)
    if size.width() < SIDE_FROM:
        return strip
    side = _arranged(size, heights, drawer, side=True)
    gain = picture_width(side.area, proportion) / max(1.0, picture_width(strip.area, proportion))
    return side if gain >= SIDE_GAIN else strip


def picture_width(place: QRect, proportion: float) -> float:
    """Return the width of a picture that fills a rectangle."""
    return min(place.width(), place.height() * proportion)


def _arranged(size: QSize, heights: Heights, drawer: bool, side: bool) -> Arrangement:
    wide, high = size.width(), size.height()
    over = wide < BESIDE
    top = GAP + heights.header + GAP
    left = EDGE + (SIDE + GAP if side else 0)
    right = wide - EDGE - (DRAWER + GAP if drawer and not over else 0)
    bottom = high - GAP
    below = bottom - (0 if side else heights.strip + GAP)
    tools = QRect(left, below - heights.tools, right - left, heights.tools)
    area = QRect(left, top, right - left, tools.top() - GAP - top)
    gallery = (
        QRect(EDGE, top, SIDE, bottom - top)
        if side
        else QRect(EDGE, bottom - heights.strip, right - EDGE, heights.strip)
    )
    return Arrangement(
        header=QRect(EDGE, GAP, wide - 2 * EDGE, heights.header),
        area=area,
        tools=tools,
        gallery=gallery,
        drawer=QRect(wide - EDGE - DRAWER, top, DRAWER, bottom - top),
        side=side,
        over=over,
    )
