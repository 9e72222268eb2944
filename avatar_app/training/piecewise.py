"""Move a photo by landmarks, triangle by triangle, as a baseline."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay

from avatar_app.types import Array, Image

Floats = npt.NDArray[np.float64]


def piecewise_affine(photo: Image, source: Array, driving: Array) -> Image:
    """Move a photo's landmarks (P, 2 or more), in pixels, to ``driving``'s.

    The photo is (S, S, 3); its edges stay in place.
    """
    side = photo.shape[0] - 1
    edge = np.array(
        [[x, y] for x in (0, side / 2, side) for y in (0, side / 2, side) if (x, y) != (side / 2, side / 2)]
    )
    goal = np.concatenate([np.clip(driving[:, :2], 0.5, side - 0.5), edge])
    origin = np.concatenate([source[:, :2], edge])
    triangles = Delaunay(
        goal, qhull_options="QJ Qbb Qc"
    )  # jitter separates landmarks at one position, as on shut lids
    pixels, inside, corners, weight = barycentric(triangles, side + 1)
    place = np.einsum("nk,nkd->nd", weight, origin[corners])
    place = (
        np.where(inside[:, None] & np.isfinite(place), place, pixels)
        .astype(np.float32)
        .reshape(side + 1, side + 1, 2)
    )
    return np.asarray(
        cv2.remap(photo, place[..., 0], place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def barycentric(
    triangles: Delaunay, side: int
) -> tuple[Floats, npt.NDArray[np.bool_], npt.NDArray[np.int32], Floats]:
    """Locate the pixels of a picture, x and y (N, 2), row by row, in triangles.

    Returns whether they are within any (N,), its corners (N, 3), and their barycentric weights (N, 3), which
    are undefined outside.
    """
    rows, columns = np.mgrid[:side, :side]
    pixels = np.stack([columns, rows], -1).reshape(-1, 2).astype(np.float64)
    found = triangles.find_simplex(pixels, tol=1e-3)
    affine = triangles.transform[found]
    first = np.einsum("nij,nj->ni", affine[:, :2], pixels - affine[:, 2])
    return (
        pixels,
        found >= 0,
        triangles.simplices[found],
        np.concatenate([first, 1 - first.sum(1, keepdims=True)], 1),
    )
