"""Label person and background by GrabCut (Rother et al. 2004), from landmarks.

Correct for nearly all pictures with a plain background and most others; a network trained on many of them
averages the errors out.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import CHIN, FOREHEAD, LEFT_EAR, NOSE_TIP, NOSE_TOP, RIGHT_EAR

Mask = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

# Outlines in the head's own frame: face widths to the side of the chin, face heights above it.
NECK_AND_SHOULDERS = (
    (-0.35, 0.1),
    (0.35, 0.1),
    (0.55, -0.25),
    (1.25, -0.45),
    (1.6, -3.0),
    (-1.6, -3.0),
    (-1.25, -0.45),
    (-0.55, -0.25),
)
NECK_AND_CHEST = (
    (-0.22, 0.0),
    (0.22, 0.0),
    (0.3, -0.3),
    (0.5, -0.6),
    (0.6, -3.0),
    (-0.6, -3.0),
    (-0.5, -0.6),
    (-0.3, -0.3),
)

BESIDE, ABOVE = 1.15, 1.75
"""Limits of the person above the chin: distance to the side, and height."""

ROUNDS = 4


class HeadFrame:
    """Positions relative to the chin: along the face's width and height.

    ``points`` are (88, 2) in pixels.
    """

    def __init__(self, points: Points) -> None:
        self.chin = points[CHIN]
        self.height = max(float(np.linalg.norm(points[FOREHEAD] - points[CHIN])), 1.0)
        self.width = max(float(np.linalg.norm(points[LEFT_EAR] - points[RIGHT_EAR])), 1.0)
        up = points[NOSE_TOP] - points[CHIN]
        self.up = up / max(float(np.linalg.norm(up)), 1e-6)
        self.right = np.array([-self.up[1], self.up[0]])

    def polygon(self, outline: tuple[tuple[float, float], ...]) -> npt.NDArray[np.int32]:
        corners = [
            self.chin + across * self.width * self.right + along * self.height * self.up
            for across, along in outline
        ]
        return np.round(corners).astype(np.int32)

    def place(self, side: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return each pixel's distance to the side and height over the chin.

        (side, side) each, in widths and heights of the face.
        """
        y, x = np.mgrid[0:side, 0:side]
        from_chin = np.stack([x, y], -1) - self.chin
        return from_chin @ self.right / self.width, from_chin @ self.up / self.height


def guess(points: Points, side: int) -> Mask:
    """Return GrabCut's initial mask: surely or probably the person.

    For a picture of ``side`` pixels.
    """
    frame = HeadFrame(points)
    mask = np.full((side, side), cv2.GC_PR_BGD, np.uint8)
    middle = points[[NOSE_TOP, CHIN]].mean(0) + 0.12 * frame.height * frame.up
    tilt = float(np.degrees(np.arctan2(frame.right[1], frame.right[0])))
    center, axes = (
        (round(middle[0]), round(middle[1])),
        (round(0.72 * frame.width), round(0.78 * frame.height)),
    )
    cv2.ellipse(mask, center, axes, tilt, 0, 360, int(cv2.GC_PR_FGD), -1)
    cv2.fillPoly(mask, [frame.polygon(NECK_AND_SHOULDERS)], int(cv2.GC_PR_FGD))
    face = np.zeros_like(mask)
    cv2.fillPoly(face, [cv2.convexHull(points.astype(np.float32)).astype(np.int32)], 1)
    mask[cv2.erode(face, np.ones((side // 36, side // 36), np.uint8)) > 0] = cv2.GC_FGD
    cv2.fillPoly(mask, [frame.polygon(NECK_AND_CHEST)], int(cv2.GC_FGD))
    across, along = frame.place(side)
    mask[((np.abs(across) > BESIDE) & (along > 0)) | (along > ABOVE)] = cv2.GC_BGD
    if not (mask == cv2.GC_BGD).any():  # a face fills the picture: use its upper corners
        mask[0, :3] = mask[0, -3:] = cv2.GC_BGD
    return mask


def person(picture: npt.NDArray[np.uint8], points: Points) -> Mask:
    """Return a mask (S, S) of the person in a BGR picture (S, S, 3).

    Landmarks (88, 2) are in pixels. The mask is in one piece and without small holes.
    """
    side = len(picture)
    mask = guess(points, side)
    cv2.grabCut(
        picture,
        mask,
        (0, 0, 1, 1),
        np.zeros((1, 65)),  # not landmarks: what GrabCut keeps
        np.zeros((1, 65)),  # not landmarks: what GrabCut keeps
        ROUNDS,
        cv2.GC_INIT_WITH_MASK,
    )
    found = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    whole = without_holes(one_piece(found, points[NOSE_TIP]))
    return np.asarray(cv2.morphologyEx(whole, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)


def one_piece(mask: Mask, inside: npt.NDArray[np.float64]) -> Mask:
    """Return the part of the mask that contains the point ``inside``."""
    _, labels = cv2.connectedComponents(mask)
    column, row = np.clip(np.round(inside), 0, len(mask) - 1).astype(int)
    return np.asarray((labels == labels[row, column]) & (mask > 0), np.uint8)


def without_holes(mask: Mask, largest: float = 0.01) -> Mask:
    """Fill holes of at most ``largest`` of the picture that do not reach its edge."""
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(1 - mask)
    side = len(mask)
    for label, (x, y, width, height, area) in enumerate(boxes):
        if (
            label
            and area < largest * side * side
            and x > 0
            and y > 0
            and x + width < side
            and y + height < side
        ):
            mask = np.where(labels == label, 1, mask).astype(np.uint8)
    return mask
