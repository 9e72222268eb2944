"""The pictures that leave the app, as I420 planes.

Calls and recordings take planes, so nobody has to convert them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from avatar_app.types import Image

Plane = npt.NDArray[np.uint8]
"""One plane: luma (height, width), or a chroma of half the width and height. BT.601, limited range: black is
16, white 235.
"""

Planes = npt.NDArray[np.uint8]
"""I420, (height * 3 / 2, width): luma, then U, then V, contiguous, in OpenCV's layout."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An avatar on its canvas, or the still card: all that sinks and files accept.

    ``Canvas.compose`` makes it from a ``Picture``. From a camera's ``Frame`` only ``Canvas.compose_wide``
    does, for ``OutputStage._self``.

    Attributes:
        planes: read-only, since preview, recording and call share them.
        captured_at: of the picture or frame.
        avatar: the avatar shown; empty for a card.
        is_card: whether it is the still card, whose text is never mirrored.

    Raises:
        ValueError: the array has another shape, for instance of an RGB picture.
    """

    planes: Planes
    captured_at: float
    avatar: str = ""
    is_card: bool = False

    def __post_init__(self) -> None:
        if (
            self.planes.ndim != 2
            or self.planes.shape[0] % 3
            or self.planes.shape[1] % 2
            or not self.planes.flags.c_contiguous
        ):
            raise ValueError(f"an array of shape {self.planes.shape} is no picture in I420")

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self.planes.shape[1], self.planes.shape[0] * 2 // 3

    def rgb(self) -> Image:
        """Return a new RGB picture, (height, width, 3), for the screen and for files.

        It takes longer than sending.
        """
        import cv2

        return np.asarray(cv2.cvtColor(self.planes, cv2.COLOR_YUV2RGB_I420), np.uint8)


def to_planes(image: Image) -> Planes:
    """Convert RGB of even sides, (height, width, 3), to new planes.

    Each chroma is that of the upper left one of four pixels.
    """
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420), np.uint8)


def split(planes: Planes) -> tuple[Plane, Plane, Plane]:
    """Return luma, U and V as views."""
    rows, width = planes.shape
    height = rows * 2 // 3
    flat, end = planes.reshape(-1), height * width
    # Two rows of a chroma fill one row of the array, so V may begin in the middle of one.
    first, second = flat[end : end * 5 // 4], flat[end * 5 // 4 :]
    half = (height // 2, width // 2)
    return planes[:height], first.reshape(half), second.reshape(half)
