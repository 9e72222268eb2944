"""Key points of a crop: its landmarks, or those found by a model's own detector."""

from __future__ import annotations

from avatar_app.errors import PortraitError
from avatar_app.onnx_runtime import OnnxSession
from avatar_app.text import Text
from avatar_app.types import NO_EXPRESSION, Crop, Image, KeyPoints, key_points


def landmark_points(crop: Crop) -> KeyPoints:
    """Return a crop's landmarks as key points; raise PortraitError without landmarks."""
    if crop.landmarks is None:
        raise PortraitError(
            Text("No face was found in the picture."),
            Text("This model needs one: use a picture of one face, seen from the front."),
        )
    expression = NO_EXPRESSION if crop.expression is None else crop.expression
    return KeyPoints(value=crop.landmarks[:, :2], depth=crop.landmarks[:, 2], expression=expression)


def detected(session: OnnxSession, image: Image) -> KeyPoints:
    """Run a bundle's ``detect.onnx``, an open session, on a picture (S, S, 3)."""
    found = session.run(None, {"image": image[None]})
    return key_points({name: part[0] for name, part in zip(session.outputs, found, strict=True)})
