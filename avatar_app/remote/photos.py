"""Send the avatar's photo to a server, and read its scene, once for each photo."""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image

from avatar_app.errors import PortraitError
from avatar_app.remote.messages import (
    LARGEST_PHOTO,
    Around,
    MalformedMessage,
    Photo,
    Rectangle,
    SceneMessage,
)
from avatar_app.remote.points import FARTHEST, unpacked_floats
from avatar_app.text import Text
from avatar_app.types import NO_EXPRESSION, Area, Crop, Image, Scene, Surroundings

LANDMARKS = 88

MOST_OTHERS = 16
"""Limit of other faces in a photo."""

REACH = 16, 3
"""Divisors of the side: how far a layer extends beyond the square, beside it, above and below."""

MOST_AROUND = 4
"""Limit of width and height of the surroundings, in sides of the square. Calls need 2.5; a large photo is not
sent whole.
"""

QUALITY, FAST = 95, 3
"""JPEG quality, and effort of PNG, for pictures sent once for each photo."""


def packed_photo(number: int, crop: Crop) -> Photo:
    """Pack a photo's crop as a message. Raises PortraitError if it cannot be sent."""
    landmarks = None if crop.landmarks is None else crop.landmarks.astype("<f4").tobytes()
    near = (other for other in crop.others if np.abs(other).max() < FARTHEST)
    others = [other.astype("<f4").tobytes() for other in near][:MOST_OTHERS]
    expression = None if crop.expression is None else crop.expression.astype("<f4").tobytes()
    png = _encoded(crop.image, ".png", [cv2.IMWRITE_PNG_COMPRESSION, FAST])
    return Photo(number, png, landmarks, others, expression, _packed_around(crop))


def _packed_around(crop: Crop) -> Around | None:
    around = crop.around
    if around is None or max(around.image.shape) > MOST_AROUND * len(crop.image):
        return None
    return Around(_jpeg(around.image), around.corner, rectangle(around.photo))


def read_photo(photo: Photo, size: int) -> Crop:
    """Decode a photo of the model's ``size``. Its size is read before it is decoded.

    Raises MalformedMessage.
    """
    if len(photo.png) > LARGEST_PHOTO:
        raise MalformedMessage(f"a photo of {len(photo.png)} bytes")
    image = _decoded(photo.png, "PNG", (size, size))
    landmarks = None if photo.landmarks is None else _face(photo.landmarks)
    others = tuple(_face(other) for other in photo.others[:MOST_OTHERS])
    expression = None if photo.expression is None else unpacked_floats(photo.expression)
    if expression is not None and expression.shape != NO_EXPRESSION.shape:
        raise MalformedMessage(f"{len(expression)} numbers for an expression")
    around = None if photo.around is None else _read_around(photo.around, size)
    return Crop(image, landmarks, others, around, expression)


def _face(data: bytes) -> np.ndarray:
    points = unpacked_floats(data)
    if len(points) != 3 * LANDMARKS:
        raise MalformedMessage(f"{len(points)} numbers for landmarks")
    return points.reshape(LANDMARKS, 3)


def _read_around(around: Around, size: int) -> Surroundings:
    """Decode the surroundings; raise MalformedMessage unless any layer fits into them."""
    image = _decoded(around.image, "JPEG", None, MOST_AROUND * size)
    (height, width), (x, y) = image.shape[:2], around.corner
    beside, above = (size // part for part in REACH)
    inside = beside <= x <= width - size - beside and above <= y <= height - size - above
    photo = area_of(around.photo)
    if not inside or not _within(photo, Area(0, 0, width, height)):
        raise MalformedMessage("surroundings that do not fit around their photo")
    return Surroundings(image, (x, y), photo)


def packed_scene(avatar: int, scene: Scene) -> SceneMessage:
    colours, alpha = scene.person[..., :3], np.ascontiguousarray(scene.person[..., 3])
    packed = _encoded(alpha, ".png", [cv2.IMWRITE_PNG_COMPRESSION, FAST])
    return SceneMessage(
        avatar,
        _jpeg(colours),
        packed,
        _jpeg(scene.background),
        scene.corner,
        scene.head,
        scene.ends,
        rectangle(scene.photo),
    )


def unpacked_scene(message: SceneMessage, size: int) -> Scene:
    """Decode a scene. Raises MalformedMessage."""
    colours = _decoded(message.colours, "JPEG", None, MOST_AROUND * size)
    height, width = colours.shape[:2]
    alpha = _decoded(message.alpha, "PNG", (width, height))[..., :1]
    background = _decoded(message.background, "JPEG", (width, height))
    (x, y), numbers = message.corner, (*message.head, *(end or 0.0 for end in message.ends))
    if not (0 <= x <= width - size and 0 <= y <= height - size and np.abs(numbers).max() < width + height):
        raise MalformedMessage("a scene that does not fit around its photo")
    person = np.ascontiguousarray(np.dstack((colours, alpha)))
    photo = area_of(message.photo)
    if not _within(photo.moved(x, y), Area(0, 0, width, height)):
        raise MalformedMessage("a scene of which the photo is no part")
    return Scene(person, background, (x, y), size, message.head, message.ends, photo)


def layer_area(wanted: Rectangle, size: int) -> Area:
    """Return the area of a pose. Raises MalformedMessage if no layer can have it."""
    area = area_of(wanted)
    beside, above = (size // part for part in REACH)
    if not _within(area, Area(-beside, -above, size + beside, size + above)):
        raise MalformedMessage("an area outside of the avatar")
    if area.shape[0] % 2 or area.shape[1] % 2 or min(area.shape) < 2:
        raise MalformedMessage(f"an area of {area.shape[1]} x {area.shape[0]} pixels")
    return area


def rectangle(area: Area) -> Rectangle:
    return area.left, area.top, area.right, area.bottom


def area_of(edges: Rectangle) -> Area:
    return Area(*edges)


def _within(area: Area, limits: Area) -> bool:
    across = limits.left <= area.left < area.right <= limits.right
    return across and limits.top <= area.top < area.bottom <= limits.bottom


def _jpeg(picture: Image) -> bytes:
    return _encoded(np.ascontiguousarray(picture), ".jpg", [cv2.IMWRITE_JPEG_QUALITY, QUALITY])


def _encoded(picture: Image, kind: str, options: list[int]) -> bytes:
    made, data = cv2.imencode(
        kind, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture, options
    )
    if not made or len(data) > LARGEST_PHOTO:
        raise PortraitError(Text("The photo cannot be sent."), Text("Choose another one."))
    return data.tobytes()


def _decoded(data: bytes, kind: str, size: tuple[int, int] | None, longest: int = 0) -> Image:
    """Decode a file as (h, w, 3).

    Args:
        size: width and height that it must have; None: up to ``longest`` each.

    Raises:
        MalformedMessage: it is another kind, size, or damaged. Decoding that would take long is not even
            begun.
    """
    try:
        with PIL.Image.open(io.BytesIO(data), formats=[kind]) as opened:
            width, height = opened.size
            fits = (width, height) == size if size else max(width, height) <= longest
            # Each scan of a progressive JPEG is decoded whole, and a small file can have thousands.
            if not fits or opened.info.get("progressive"):
                raise MalformedMessage(f"a photo of {width} x {height} pixels")
            return np.ascontiguousarray(opened.convert("RGB"))
    except MalformedMessage:
        raise
    except Exception as problem:  # a damaged file makes Pillow raise almost anything
        raise MalformedMessage(f"the photo is damaged: {type(problem).__name__}") from None
