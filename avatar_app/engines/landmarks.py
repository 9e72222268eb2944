"""Key points of the anchored family: the face landmarks that come with the crop."""

from __future__ import annotations

from avatar_app.errors import PortraitError
from avatar_app.types import Crop, KeyPoints


def landmark_points(crop: Crop) -> KeyPoints:
    """Raises PortraitError for a crop without landmarks."""
    if crop.landmarks is None:
        raise PortraitError(
            "No face was found in the picture.",
            "This model needs one: use a picture of one face, seen from the front.",
        )
    return KeyPoints(value=crop.landmarks[:, :2], depth=crop.landmarks[:, 2])
