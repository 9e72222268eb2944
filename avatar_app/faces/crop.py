"""Regions and crops around a face. numpy and OpenCV only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.landmarks import LEFT_EYE_OUTER, RIGHT_EYE_OUTER, face_height
from avatar_app.types import Array, Box, Crop, Face, Image

REGION_SCALE = 1.4
"""Ratio of the region's side to the face's height (top of forehead to chin)."""


@dataclass(frozen=True, slots=True)
class Region:
    """A rotated square of a picture.

    Attributes:
        x, y: its centre in pixels; the centre of the first pixel is 0.
        side: in pixels.
        roll: angle of its x axis in the picture, radians, clockwise as seen.
    """

    x: float
    y: float
    side: float
    roll: float

    def axes(self) -> npt.NDArray[np.float64]:
        """Return x axis and y axis as half sides in pixels, (2, 2)."""
        cosine, sine = np.cos(self.roll), np.sin(self.roll)
        return np.array([[cosine, sine], [-sine, cosine]]) * (self.side / 2)


def region_of(points: Array) -> Region:
    """Return the upright square around 88 landmarks (88, 2 or 3) in pixels."""
    flat = points[:, :2].astype(np.float64)
    across = flat[LEFT_EYE_OUTER] - flat[RIGHT_EYE_OUTER]
    roll = float(np.arctan2(across[1], across[0]))
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    upright = flat @ turn.T
    low, high = upright.min(0), upright.max(0)
    x, y = (low + high) / 2 @ turn
    return Region(float(x), float(y), float(max(high - low) * REGION_SCALE), roll)


def to_picture(local: Array, region: Region) -> Array:
    """Convert landmarks (..., 3) from [-1, 1] of a region to pixels of the picture.

    -1 and 1 are the region's edges; z keeps its direction.
    """
    position = local[..., :2] @ region.axes() + np.array([region.x, region.y])
    return np.concatenate([position, local[..., 2:] * (region.side / 2)], -1).astype(np.float32)


def to_region(points: Array, region: Region) -> Array:
    """Invert :func:`to_picture`."""
    position = (points[..., :2] - np.array([region.x, region.y])) @ np.linalg.inv(region.axes())
    return np.concatenate([position, points[..., 2:] / (region.side / 2)], -1).astype(np.float32)


def cut(image: Image, region: Region, side: int, border: int = cv2.BORDER_REPLICATE) -> Image:
    """Cut the region as an upright square picture of ``side`` pixels.

    Large regions are reduced first to avoid aliasing.
    """
    factor = int(region.side / side)
    image, region = _shrunk(image, region, factor) if factor >= 2 else _part(image, region)
    pixel = np.array([[2 / side, 0, 1 / side - 1], [0, 2 / side, 1 / side - 1]])
    matrix = region.axes().T @ pixel
    matrix[:, 2] += (region.x, region.y)
    # OpenCV needs half the time for four channels that it needs for three.
    wide = cv2.cvtColor(image, cv2.COLOR_RGB2RGBA)
    out = cv2.warpAffine(
        wide, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    return np.asarray(cv2.cvtColor(out, cv2.COLOR_RGBA2RGB), np.uint8)


def _bounds(image: Image, region: Region) -> tuple[slice, slice]:
    """Return the rows and columns of the picture that contain the region."""
    reach = region.side * 0.75
    height, width = image.shape[:2]
    left, top = max(0, int(region.x - reach)), max(0, int(region.y - reach))
    return slice(top, min(height, int(region.y + reach) + 2)), slice(
        left, min(width, int(region.x + reach) + 2)
    )


def _part(image: Image, region: Region) -> tuple[Image, Region]:
    """Return the part of a picture that the region needs; all of it if it is small."""
    rows, columns = _bounds(image, region)
    if rows.stop - rows.start < 2 or columns.stop - columns.start < 2:
        return image, region
    return image[rows, columns], Region(
        region.x - columns.start, region.y - rows.start, region.side, region.roll
    )


def _shrunk(image: Image, region: Region, factor: int) -> tuple[Image, Region]:
    """Return the part of a picture that the region needs, reduced by ``factor``.

    OpenCV averages whole pixels in a tenth of the time.
    """
    rows, columns = _bounds(image, region)
    left, top = columns.start, rows.start
    size = ((columns.stop - left) // factor, (rows.stop - top) // factor)
    if size[0] < 1 or size[1] < 1:
        return image, region
    part = image[top : top + size[1] * factor, left : left + size[0] * factor]
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
    moved = Region(
        (region.x - left + 0.5) / factor - 0.5,
        (region.y - top + 0.5) / factor - 0.5,
        region.side / factor,
        region.roll,
    )
    return np.asarray(small, np.uint8), moved


FACE_SHARE = 0.5
"""Ratio of the face's height (top of forehead to chin) to the side of a square crop, as in the
training data.
"""
FACE_MIDDLE = 0.515
"""Middle of the landmarks' upright box in that crop, from its top edge."""


def square_box(face: Face) -> Box:
    """Return the square crop around a face, framed as in the training data."""
    low, high = face.points[:, :2].min(0), face.points[:, :2].max(0)
    height = face_height(face.points)
    # A face that looks down is shorter than its outline is wide; its width (0.83 of the height when frontal)
    # keeps the box from shrinking.
    size = max(height, float(high[0] - low[0]) / 0.95) / FACE_SHARE
    middle = (low + high) / 2
    return Box(float(middle[0]), float(middle[1] - (FACE_MIDDLE - 0.5) * size), size)


LARGEST_SHIFT, CLOSEST = 0.2, 0.85
"""To stay within the photo, a crop moves by at most this fraction of its side, and shrinks to this
fraction.
"""


def photo_box(face: Face, photo: Image) -> Box:
    """Return `square_box`, moved and reduced slightly if the photo (H, W, 3) cuts it.

    Otherwise the missing part would have to be invented, and hair that the photo cuts would end flat below a
    strip of wall.
    """
    box, (height, width) = square_box(face), photo.shape[:2]
    size = max(min(box.size, width, height), CLOSEST * box.size)
    return Box(_inside(box.center_x, size, width), _inside(box.center_y, size, height), size)


def _inside(middle: float, size: float, length: int) -> float:
    """Move the middle of a square's side so that the whole side is in the picture.

    The picture extends from -0.5 to length - 0.5.
    """
    wanted = min(max(middle, (size - 1) / 2), length - (size + 1) / 2) if size < length else (length - 1) / 2
    return middle + min(max(wanted - middle, -LARGEST_SHIFT * size), LARGEST_SHIFT * size)


class BoxSmoother:
    """Moves a crop box over a clip slowly, like a camera operator who follows a face.

    Small movements of the head remain movements within the crop. Only motion beyond a dead zone moves the
    box, smoothly.

    Args:
        shift: half width of the dead zone as a fraction of the box.
        zoom: change of the face's size before the box follows, as a logarithm.
        pace: time constant of the box in seconds.
    """

    def __init__(self, shift: float = 0.18, zoom: float = 0.15, pace: float = 0.5) -> None:
        self._shift, self._zoom, self._pace = shift, zoom, pace
        self._box: Box | None = None

    def reset(self) -> None:
        """Forget the box, for instance after a cut."""
        self._box = None

    def follow(self, box: Box, seconds: float) -> Box:
        """Return the smoothed box for a frame whose own box is ``box``.

        Args:
            seconds: since the frame before.
        """
        old = self._box
        if old is None or np.hypot(box.center_x - old.center_x, box.center_y - old.center_y) > 0.6 * old.size:
            self._box = box
            return box
        share = 1 - float(np.exp(-seconds / self._pace))
        zoom = _beyond(float(np.log(box.size / old.size)), self._zoom)
        size = old.size * float(np.exp(share * zoom))
        x = old.center_x + share * old.size * _beyond((box.center_x - old.center_x) / old.size, self._shift)
        y = old.center_y + share * old.size * _beyond((box.center_y - old.center_y) / old.size, self._shift)
        self._box = Box(x, y, size)
        return self._box


def _beyond(value: float, zone: float) -> float:
    """Return the part of a value outside of a dead zone."""
    return float(np.sign(value) * max(0.0, abs(value) - zone))


def crop_picture(image: Image, box: Box, size: int) -> Image:
    """Crop the box of a picture as (size, size, 3).

    Beyond the picture's edges its last pixels are repeated, blurred.
    """
    region = Region(box.center_x, box.center_y, box.size, 0.0)
    crop = cut(image, region, size)
    half = box.size / 2
    height, width = image.shape[:2]
    if (
        box.center_x - half >= -0.5
        and box.center_y - half >= -0.5
        and box.center_x + half <= width - 0.5
        and box.center_y + half <= height - 0.5
    ):
        return crop
    place = (np.arange(size) + 0.5) * (box.size / size) - half
    inside_x = _depth(place + box.center_x, width) * (size / box.size)
    inside_y = _depth(place + box.center_y, height) * (size / box.size)
    outside = np.clip(-np.minimum(inside_x[None], inside_y[:, None]) / (0.03 * size), 0, 1).astype(np.float32)
    quarter = (max(1, size // 4), max(1, size // 4))
    soft = cv2.GaussianBlur(
        cv2.resize(crop, quarter, interpolation=cv2.INTER_AREA), (0, 0), max(0.5, 0.01 * size)
    )
    soft = cv2.resize(soft, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.blendLinear(crop, soft, 1 - outside, outside), np.uint8)


def _depth(position: npt.NDArray[np.floating], length: int) -> npt.NDArray[np.float64]:
    """Return how far inside 0..length - 1 positions are, in pixels; negative outside."""
    return np.asarray(np.minimum(position, length - 1 - position), np.float64)


def crop_face(image: Image, face: Face, box: Box, size: int) -> Crop:
    """Crop a box of a picture and convert the face's landmarks.

    Landmarks are in [-1, 1] of the crop, with -1 and 1 at the corner pixels' centres.
    """
    return Crop(crop_picture(image, box, size), crop_landmarks(face, box, size), expression=face.expression)


def crop_landmarks(face: Face, box: Box, size: int) -> Array:
    """Convert the face's landmarks (88, 3) to [-1, 1] of the box's crop of that size.

    -1 and 1 are the corner pixels' centres.
    """
    scale = size / box.size
    column = (face.points[:, :2] - np.array([box.center_x, box.center_y])) * scale + size / 2 - 0.5
    landmarks = np.concatenate(
        [2 * column / (size - 1) - 1, face.points[:, 2:] * (2 * scale / (size - 1))], 1
    )
    return landmarks.astype(np.float32)
