"""The last step of a landmark-anchored model on a processor: the photo is moved, blended with what was painted, put before its background.

All in bytes and by OpenCV, which moves a photo of 512 x 512 in a fraction of the time that ONNX Runtime takes. In floats the same is
done by `networks.anchored.AnchoredGenerator.decode`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.types import Image

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PhotoLayers:
    """What a photo's pictures are put together from.

    Attributes:
        photo: (S, S, 3).
        person: (S, S), share of person in each pixel.
        background: (S, S, 3), the photo without the person.
    """

    photo: Image
    person: Plane
    background: Image


def compose(layers: PhotoLayers, painted: Image, alpha: Plane, places: npt.NDArray[np.float32]) -> Image:
    """The picture (S, S, 3).

    Args:
        painted: (s, s, 3), the network's own picture.
        alpha: (s, s), share of the moved photo, the rest is painted.
        places: (2, S, S), column and row of the photo from which each pixel is moved.
    """
    rounded = cv2.convertMaps(places[0], places[1], cv2.CV_16SC2)
    moved = _moved(layers.photo, rounded)
    size = layers.photo.shape[1::-1]
    share = _wide(cv2.resize(_soft(alpha), size))
    picture = _mixed(moved, cv2.resize(_soft(painted), size), share)
    composed: Image = _mixed(picture, layers.background, _wide(_moved(layers.person, rounded)))
    return composed


def _moved(picture: Any, places: Any) -> Any:
    return cv2.remap(picture, places[0], places[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _soft(picture: Any) -> Any:
    """Weights 1 2 1, as `networks.anchored.blur`."""
    return cv2.GaussianBlur(picture, (3, 3), 0)


def _wide(share: Any) -> Any:
    return cv2.merge((share, share, share))


def _mixed(front: Any, back: Any, share: Any) -> Any:
    """``front`` where ``share`` is 255, ``back`` where it is 0."""
    return cv2.add(cv2.multiply(front, share, scale=1 / 255), cv2.multiply(back, cv2.bitwise_not(share), scale=1 / 255))
