"""Compute the moved person in the square and its margin, the layer for a canvas.

Only the part where the person may be, half of the square, is moved.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from avatar_app.compositing.compositor import (
    TILE,
    FaceCrops,
    Floats,
    PhotoLayers,
    Plane,
    moved,
    paint,
    paint_face,
    shift,
)
from avatar_app.landmarks import CHIN
from avatar_app.types import Area, Image, Layer

SWAY, LIFT, DROP = 16, 2, 3
"""Divisors of the side: distances over which motion fades out outside of the square, beside it, above and
below.
"""

SHOULDERS = 4
"""Divisor of the side: distance inside the square's sides from which shoulders stand still."""

NECK = -0.05, 0.1
"""Depths below the chin, in sides of the square, between which shoulders begin."""

BANDS = 4
"""Number of bands, one above the other, in which the person is located: a head is narrower than shoulders."""


def compose_layer(
    layers: PhotoLayers,
    painted: Image,
    alpha: Plane,
    grid: Floats,
    pose: Floats,
    area: Area,
    face: FaceCrops | None = None,
) -> Layer:
    """Do what `compositor.move_person` does, over an area beyond the square.

    Outside, the motion at the square's edge fades out.

    Args:
        grid: as in `move_person`; shoulders at the sides are damped.
        pose: (P, 2), landmarks.
    """
    side, (top, left) = layers.side, (area.top, area.left)
    damp_shoulders(grid, (pose[CHIN, 1] + 1) * (side - 1) / 2)
    shift(layers, grid)
    image, person = np.zeros((*area.shape, 3), np.uint8), np.zeros(area.shape, np.uint8)
    inner = area.common(Area(0, 0, side, side))
    for part in _occupied(layers, grid, inner):
        there = moved(layers, grid[0][part.slices], grid[1][part.slices])
        into = part.moved(-left, -top).slices
        cv2.cvtColor(there, cv2.COLOR_RGBA2RGB, dst=image[into])
        cv2.extractChannel(there, 3, dst=person[into])
    within = inner.moved(-left, -top).slices
    paint(image[within], inner, side, painted, alpha)
    paint_face(image[within], inner, side, face)
    for strip in (
        Area(left, inner.top, 0, inner.bottom),
        Area(side, inner.top, area.right, inner.bottom),
        Area(left, top, area.right, 0),
        Area(left, side, area.right, area.bottom),
    ):
        if min(strip.shape) > 0:
            into = strip.moved(-left, -top).slices
            _continue(layers, grid, (person[within], inner), strip, image[into], person[into])
    return Layer(image, person, (left, top))


def _occupied(layers: PhotoLayers, grid: Floats, inner: Area) -> list[Area]:
    """Return the parts of ``inner``, one above the other, where the person may be."""
    if layers.tiles is None:
        return [inner]
    columns, rows = grid[:, ::TILE, ::TILE] * np.float32(1 / TILE)
    # A tile's first pixel represents all of it, so its neighbours are included: they may be moved from
    # elsewhere.
    found = cv2.remap(layers.tiles, columns, rows, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
    found = cv2.dilate(found, np.ones((3, 3), np.uint8))
    parts, height = [], -(-len(found) // BANDS)
    for first in range(0, len(found), height):
        x, y, across, down = cv2.boundingRect(found[first : first + height])
        tiles = Area(x, first + y, x + across, first + y + down)
        part = tiles.times(TILE).common(inner)
        if min(part.shape) > 0:
            parts.append(part)
    return parts


def _continue(
    layers: PhotoLayers,
    grid: Floats,
    inside: tuple[Plane, Area],
    strip: Area,
    image: Image,
    person: Plane,
) -> None:
    """Fill a strip outside the square as far as the person reaches into it.

    Args:
        grid: that of the cut-out.
        inside: alpha in a part of the square, and which part that is.
        image, person: colours and alpha of the strip, all 0; changed.
    """
    side, (x, y) = layers.side, layers.corner
    columns, rows = (
        np.arange(*ends, dtype=np.float32) for ends in ((strip.left, strip.right), (strip.top, strip.bottom))
    )
    edge_x, edge_y = (line.clip(0, side - 1).astype(int) for line in (columns, rows))
    still = layers.cut_out[strip.moved(x, y).slices][..., 3]
    alpha, area = inside
    lying = strip.bottom <= 0 or strip.top >= side
    at_edge = alpha[edge_y[0] - area.top, edge_x - area.left] if lying else alpha[:, edge_x[0] - area.left]
    found = np.flatnonzero(still.any(0 if lying else 1) | (at_edge > 0))
    if not len(found):
        return
    some = slice(max(0, found[0] - 4), found[-1] + 5)
    part = (slice(None), some) if lying else (some, slice(None))
    columns, edge_x, rows, edge_y = columns[part[1]], edge_x[part[1]], rows[part[0]], edge_y[part[0]]
    fade = np.outer(_fade(rows, side, LIFT, DROP), _fade(columns, side, SWAY, SWAY))
    edge = (edge_y[:1, None], edge_x[None]) if lying else (edge_y[:, None], edge_x[None, :1])
    from_x = columns[None] + np.float32(x) + fade * (grid[0][edge] - (edge[1] + x).astype(np.float32))
    from_y = rows[:, None] + np.float32(y) + fade * (grid[1][edge] - (edge[0] + y).astype(np.float32))
    there = moved(layers, from_x, from_y)
    image[part], person[part] = there[..., :3], there[..., 3]


def _fade(line: Floats, side: int, before: int, after: int) -> Floats:
    """Return the factor, 0 to 1, on the edge's motion outside of the square."""
    beyond = np.maximum(np.maximum(-line * before, (line - (side - 1)) * after), 0)
    return np.asarray(np.clip(1 - beyond / side, 0, 1), np.float32)


def damp_shoulders(grid: Floats, chin: float) -> None:
    """Damp the motion of shoulders at the sides of a sampling ``grid`` (2, S, S).

    The part beyond the photo's crop stands still, so the shoulders next to it must not move.

    Args:
        chin: its row.
    """
    side = grid.shape[1]
    first = max(0, int(chin + NECK[0] * side))
    line = np.arange(side, dtype=np.float32)
    factor = _damped(side)[: side - first]
    few = factor.shape[1]
    for columns, still in ((slice(0, few), factor), (slice(side - few, side), factor[:, ::-1])):
        for place, here in zip(grid, (line[None, columns], line[first:, None]), strict=True):
            part = place[first:, columns]
            part += still * (here - part)


@cache
def _damped(side: int) -> Floats:
    """Return the fraction of motion removed, (side, side // SHOULDERS).

    Rows begin where shoulders do, columns at the left side.
    """
    rows = np.arange(side, dtype=np.float32)[:, None]
    below = np.clip(rows / np.float32((NECK[1] - NECK[0]) * side), 0, 1)
    return np.asarray(below * np.linspace(1, 0, side // SHOULDERS, dtype=np.float32) ** 2, np.float32)
