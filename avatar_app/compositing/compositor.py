"""The last step of a landmark-anchored model on a processor: the photo is moved, blended with what was painted, put before its background.

All in bytes and by OpenCV, which moves a photo of 512 x 512 in a fraction of the time that ONNX Runtime takes. In floats the same is
done by `networks.anchored.AnchoredGenerator.decode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.compositing.clean_plate import separate
from avatar_app.compositing.creases import Creases, creases_of, show_creases
from avatar_app.compositing.eyes import Eyes, eyes_of, move_skin, show_eyes
from avatar_app.compositing.teeth import Teeth, show_teeth, teeth_of, wide
from avatar_app.types import Image

AnyArray = npt.NDArray[Any]
Floats = npt.NDArray[np.float32]
Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class PhotoLayers:
    """What a photo's pictures are put together from.

    Attributes:
        cut_out: (S, S, 4), the person's colours and in the last channel the share of person in each pixel. Both are moved at once:
            OpenCV needs half the time for four channels that it needs for three and one.
        background: (S, S, 3), the photo without the person.
        teeth, eyes: what is seen between lips and between lids; None if that is the networks' own.
        creases: what smiles do to its light; None as well.
    """

    cut_out: Image
    background: Image
    teeth: Teeth | None
    eyes: Eyes | None
    creases: Creases | None

    @classmethod
    def of(cls, photo: Image, still: Floats, layers: Mapping[str, AnyArray]) -> PhotoLayers:
        """Of a photo with the landmarks ``still`` (P, 2), and what networks know of it: `onnx_anchored.PHOTO_LAYERS`, a batch of 1."""
        person, filled, teeth, cavity = (
            layers[name][0] for name in ("person", "background", "teeth", "cavity")
        )
        parts = separate(photo, np.ascontiguousarray(person[..., 0]), filled, still)
        cut_out = np.dstack((parts.colours, parts.person))
        if not teeth[..., 3].any():
            return cls(cut_out, parts.background, None, None, None)
        shown = teeth_of(np.ascontiguousarray(teeth), cavity.reshape(3).astype(np.float32), still)
        return cls(
            cut_out, parts.background, shown, eyes_of(parts.colours, still), creases_of(still, len(photo))
        )


def compose(layers: PhotoLayers, painted: Image, alpha: Plane, places: Floats, pose: Floats) -> Image:
    """The picture (S, S, 3). Beyond the photo's sides it is mirrored: hair that they cut goes on as hair and not as stripes.

    Args:
        painted: (s, s, 3), the network's own picture.
        alpha: (s, s), share of the moved photo, the rest is painted.
        places: (2, S, S), column and row of the photo from which each pixel is moved; changed around the eyes.
        pose: (P, 2), landmarks.
    """
    size = layers.background.shape[1::-1]
    share = cv2.resize(_soft(alpha), size)
    eyes = layers.eyes and move_skin(places, share, layers.eyes, pose)
    below_top = np.maximum(places[1], 0)  # above the photo no head stands upside down
    moved = cv2.remap(
        layers.cut_out, places[0], below_top, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    picture = _mixed(cv2.cvtColor(moved, cv2.COLOR_RGBA2RGB), cv2.resize(_soft(painted), size), wide(share))
    if layers.creases is not None:
        show_creases(picture, layers.creases, places, pose)
    composed: Image = _mixed(picture, layers.background, wide(cv2.extractChannel(moved, 3)))
    if layers.teeth is not None:
        show_teeth(composed, layers.teeth, pose)
    if eyes:
        show_eyes(composed, layers.cut_out, eyes)
    return composed


def _soft(picture: Any) -> Any:
    """Weights 1 2 1, as `networks.anchored.blur`."""
    return cv2.GaussianBlur(picture, (3, 3), 0)


def _mixed(front: Any, back: Any, share: Any) -> Any:
    """``front`` where ``share`` is 255, ``back`` where it is 0."""
    return cv2.add(
        cv2.multiply(front, share, scale=1 / 255), cv2.multiply(back, cv2.bitwise_not(share), scale=1 / 255)
    )
