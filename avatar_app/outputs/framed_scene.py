"""Prepare a scene for a frame, and put the moved person before it.

The static part is drawn once. The person and its alpha are enlarged once, as planes: in RGB there would be
twice as many values.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.outputs.i420 import Plane, Planes, split, to_planes
from avatar_app.outputs.placement import moving_area, place
from avatar_app.outputs.square import layer_planes
from avatar_app.types import Area, Framing, Image, Layer, Scene

BLUR = 0.03
"""Standard deviation of a blurred background, in heights of the frame."""

BANDS = 3
"""Number of bands in which the person is blended with the background: half of the area is empty."""

AREA_SHRINKS = 0.6
"""Scale below which pixels are averaged: a large photo in a small frame would flicker."""


@dataclass(frozen=True, slots=True)
class _Spot:
    """Position of the moved person in one plane, and the background there."""

    rows: slice
    columns: slice
    behind: Plane

    @property
    def size(self) -> tuple[int, int]:
        return self.behind.shape[1], self.behind.shape[0]

    def put(self, plane: Plane, front: Plane, alpha: Plane, bands: list[Area]) -> None:
        """Enlarge the person, and blend it with the background.

        Args:
            plane: of the frame, with the background; changed.
            front: the person at its own size.
            alpha: alpha at the size of the spot, nothing outside of ``bands``.
        """
        person = cv2.resize(front, self.size, interpolation=cv2.INTER_CUBIC)
        here = plane[self.rows, self.columns]
        for band in bands:
            part = band.slices
            own, rest = person[part], cv2.bitwise_not(alpha[part])
            cv2.multiply(own, alpha[part], dst=own, scale=1 / 255)
            cv2.multiply(self.behind[part], rest, dst=rest, scale=1 / 255)
            cv2.add(own, rest, dst=here[part])


class FramedScene:
    """One avatar before one background in a frame of ``size`` (width, height).

    Args:
        background: (height, width, 3); None: the photo's own.
        blurred: blur the photo's own.
        mirror: mirror the person and the photo's own background.
    """

    def __init__(
        self,
        scene: Scene,
        size: tuple[int, int],
        framing: Framing,
        background: Image | None = None,
        blurred: bool = False,
        mirror: bool = False,
    ) -> None:
        placement = place(scene, size, framing, mirror)
        self.area = moving_area(scene, size, framing, mirror)
        self._mirror = mirror
        self._spot = _on_frame(self.area, placement.left, placement.top, size[1] / placement.height, size)
        self._view = _view(self.area, self._spot, scene.corner)
        self._size = size
        self._still = self._drawn(scene.person)
        if background is None:
            background = self._drawn(scene.background)
            if blurred:
                background = _blurred(background)
        elif mirror:
            background = np.ascontiguousarray(background[:, ::-1])
        self._spots = self._parts(background)
        self._planes = self._prepared(background)

    def put(self, layer: Layer) -> Planes:
        """Return new planes with the moved person."""
        planes = self._planes.copy()
        image, alpha = self._fitting(layer)
        luma, *chromas = zip(self._spots, split(planes), layer_planes(image), strict=True)
        alpha = np.asarray(cv2.resize(alpha, luma[0].size, interpolation=cv2.INTER_LINEAR), np.uint8)
        half = np.asarray(cv2.resize(alpha, chromas[0][0].size, interpolation=cv2.INTER_AREA), np.uint8)
        bands = _bands(half)
        luma[0].put(luma[1], luma[2], alpha, [band.times(2) for band in bands])
        for spot, plane, front in chromas:
            spot.put(plane, front, half, bands)
        return planes

    def cut_out(self, layer: Layer) -> Image:
        """Return the person alone, (height, width, 4), for outputs with transparency.

        It takes longer than `put`.
        """
        rows, columns = self._spots[0].rows, self._spots[0].columns
        whole = self._still[:, ::-1].copy() if self._mirror else self._still.copy()
        image, alpha = self._fitting(layer)
        size = self._spots[0].size
        whole[rows, columns, :3] = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        whole[rows, columns, 3] = cv2.resize(alpha, size, interpolation=cv2.INTER_LINEAR)
        return whole

    def _fitting(self, layer: Layer) -> tuple[Image, Plane]:
        """Return the layer's colours and alpha over `area`, transparent where unknown."""
        assert layer.alpha is not None
        own = Area(
            *layer.corner, layer.corner[0] + layer.image.shape[1], layer.corner[1] + layer.image.shape[0]
        )
        image, alpha = layer.image, layer.alpha
        if own != self.area:  # a frame that was rendered before the user moved the person
            image, alpha = _refitted(image, own, self.area), _refitted(alpha, own, self.area)
        if self._mirror:
            image, alpha = np.asarray(cv2.flip(image, 1), np.uint8), np.asarray(cv2.flip(alpha, 1), np.uint8)
        return image, alpha

    def _drawn(self, picture: Image) -> Image:
        return _seen(picture, self._view, self._size)

    def _prepared(self, background: Image) -> Planes:
        """Return the background with the person at rest, without the moving part."""
        still, behind = self._still, background
        if self._mirror:
            still, behind = still[:, ::-1], behind[:, ::-1]
        alpha = still[..., 3:].astype(np.float32) / 255
        mixed = still[..., :3] * alpha + behind * (1 - alpha)
        planes = to_planes(np.asarray(mixed.round(), np.uint8))
        for spot, plane in zip(self._spots, split(planes), strict=True):
            plane[spot.rows, spot.columns] = spot.behind
        return planes

    def _parts(self, background: Image) -> list[_Spot]:
        x, y = self._spot.left, self._spot.top
        height, width = self._spot.shape
        if self._mirror:
            x, background = self._size[0] - x - width, background[:, ::-1]
        behind = split(to_planes(np.ascontiguousarray(background)))
        spots = []
        for plane, step in zip(behind, (1, 2, 2), strict=True):
            rows = slice(y // step, (y + height) // step)
            columns = slice(x // step, (x + width) // step)
            spots.append(_Spot(rows, columns, np.ascontiguousarray(plane[rows, columns])))
        return spots


def _bands(alpha: Plane) -> list[Area]:
    """Return the non-empty parts, one above the other.

    A head is narrower than shoulders.
    """
    found = []
    height = -(-len(alpha) // BANDS)
    for first in range(0, len(alpha), height):
        x, y, across, down = cv2.boundingRect(alpha[first : first + height])
        if across:
            found.append(Area(x, first + y, x + across, first + y + down))
    return found


def _on_frame(area: Area, left: float, top: float, scale: float, size: tuple[int, int]) -> Area:
    """Return the area's position in the frame, even because of the chromas."""

    def even(value: float, most: int) -> int:
        return min(most, max(0, round(value / 2) * 2))

    x, y = even((area.left - left) * scale, size[0] - 2), even((area.top - top) * scale, size[1] - 2)
    right = max(x + 2, even((area.right - left) * scale, size[0]))
    return Area(x, y, right, max(y + 2, even((area.bottom - top) * scale, size[1])))


def _view(area: Area, spot: Area, corner: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Return the map (2, 3) from the frame's pixels to a scene's.

    The scene's square begins at ``corner``.
    """
    across = (area.right - area.left) / (spot.right - spot.left)
    down = (area.bottom - area.top) / (spot.bottom - spot.top)
    x = area.left + corner[0] - spot.left * across + (across - 1) / 2
    y = area.top + corner[1] - spot.top * down + (down - 1) / 2
    return np.array([[across, 0, x], [0, down, y]])


def _seen(picture: Image, view: npt.NDArray[np.float64], size: tuple[int, int]) -> Image:
    """Return a scene's picture in the frame, mirrored beyond its edges."""
    scale = 1 / max(view[0, 0], view[1, 1])
    if scale < AREA_SHRINKS:
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        across, down = picture.shape[1] / small.shape[1], picture.shape[0] / small.shape[0]
        view = view.copy()
        view[0] /= across
        view[1] /= down
        view[:, 2] += (0.5 / across - 0.5, 0.5 / down - 0.5)
        picture = np.asarray(small, np.uint8)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(picture, view, size, flags=flags, borderMode=cv2.BORDER_REFLECT_101), np.uint8
    )


def _blurred(picture: Image) -> Image:
    """Blur on a small copy; a blur needs no more pixels."""
    height, width = picture.shape[:2]
    few = (max(1, width // 4), max(1, height // 4))
    small = cv2.resize(picture, few, interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), BLUR * few[1], borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def _refitted(values: Image, own: Area, wanted: Area) -> Image:
    """Return ``values`` of the area ``own`` over ``wanted``; 0 where unknown."""
    fitted = np.zeros((*wanted.shape, *values.shape[2:]), np.uint8)
    left, right = max(own.left, wanted.left), min(own.right, wanted.right)
    top, bottom = max(own.top, wanted.top), min(own.bottom, wanted.bottom)
    if left < right and top < bottom:
        both = Area(left, top, right, bottom)
        into, of = both.moved(-wanted.left, -wanted.top), both.moved(-own.left, -own.top)
        fitted[into.slices] = values[of.slices]
    return fitted
