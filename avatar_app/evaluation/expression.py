"""Measure painted mouths and eyes, and the code that is read from them."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.evaluation.following import rounded
from avatar_app.landmarks import INNER_LIPS
from avatar_app.motion.eyes import lid_gaps
from avatar_app.training.metrics import correlation
from avatar_app.types import Array, Face, Image

LEAST_INSIDE = 12
"""Pixels between the lips from which a mouth counts as open."""

SHUT = 0.12
"""Gap of the lids in widths of the eye up to which eyes count as shut."""

SPREAD = 0.1
"""Standard deviation of a code's number in the driver below which following it cannot be judged."""

EXPRESSION = {
    "inside_flat": "inside_l1 of the one colour that suits the clip best",
    "inside_r": "correlation of the brightness between the lips with the truth's",
    "code_r": "correlation of the expression code read from the picture with the driver's",
}
"""What `ClipExpression` returns beside the figures of each way, and what it means."""


def inside(face: Face | None, image: Image) -> npt.NDArray[np.bool_] | None:
    """Return the pixels (H, W) between a face's lips; None where they are closed."""
    if face is None:
        return None
    mask = np.zeros(image.shape[:2], np.uint8)
    lips = face.points[INNER_LIPS, :2].round().astype(np.int32)
    cv2.fillPoly(mask, [lips], 1)
    cv2.polylines(mask, [lips], isClosed=True, color=0)  # the lips themselves
    return mask.astype(bool) if mask.sum() >= LEAST_INSIDE else None


def eyes_shut(face: Face | None) -> bool:
    return face is not None and bool(lid_gaps(face.points.astype(np.float64)).max() <= SHUT)


class ClipExpression:
    """The insides of mouths and the codes of one clip, collected frame by frame."""

    def __init__(self) -> None:
        self._truth: list[Array] = []
        self._brightness: list[tuple[float, float]] = []
        self._codes: list[tuple[Array, Array]] = []

    def add(self, picture: Image, shown: Face | None, truth: Image, face: Face | None) -> None:
        """Add a picture with the face found in it, and the truth with its own."""
        where = inside(face, truth)
        if where is not None:
            self._truth.append((truth[where] / 255).astype(np.float32))
            self._brightness.append((float(truth[where].mean()), float(picture[where].mean())))
        if face and shown and face.expression is not None and shown.expression is not None:
            self._codes.append((face.expression, shown.expression))

    def figures(self) -> dict[str, float | None]:
        """Return the figures of ``EXPRESSION``; None where there is nothing to measure."""
        flat = [float("nan")]
        if self._truth:
            colour = np.median(np.concatenate(self._truth), 0)
            flat = [float(np.abs(pixels - colour).mean()) for pixels in self._truth]
        wanted, given = np.array(self._brightness or [(0, 0)]).T
        found = {"inside_flat": float(np.mean(flat)), "inside_r": correlation(wanted, given, 1.0)}
        return {name: rounded(value) for name, value in (found | {"code_r": self._code()}).items()}

    def _code(self) -> float:
        if len(self._codes) < 2:
            return float("nan")
        wanted, given = (np.array(codes) for codes in zip(*self._codes, strict=True))
        each = [correlation(*numbers, SPREAD) for numbers in zip(wanted.T, given.T, strict=True)]
        known = [value for value in each if np.isfinite(value)]
        return float(np.mean(known)) if known else float("nan")
