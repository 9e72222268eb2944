"""Find faces in a picture and follow one through a video.

ONNX Runtime on the CPU, whatever device the motion model uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from avatar_app.bundles.bundle import DESCRIPTION, read_bundle
from avatar_app.errors import BundleError
from avatar_app.faces.crop import (
    REGION_SCALE,
    BoxSmoother,
    Region,
    crop_face,
    crop_picture,
    cut,
    photo_box,
    region_of,
    square_box,
    to_picture,
)
from avatar_app.landmarks import face_height
from avatar_app.media.photo import turned
from avatar_app.onnx_runtime import open_session
from avatar_app.paths import model_folders
from avatar_app.text import Text
from avatar_app.types import Array, Face, Image

__all__ = [
    "BoxSmoother",
    "FaceDetector",
    "FaceTracker",
    "crop_face",
    "crop_picture",
    "photo_box",
    "square_box",
]

REPAIR = Text("Install the app again.")

FINDER, EXPRESSION = "finder.onnx", "expression.onnx"
SIDE = 192
STRIDE = 8
MAYBE = 0.25
"""Score of the finder from which the landmark network examines a candidate."""
PRESENT = 0.5
"""Score of the landmark network from which a region contains a face."""
LOST = 0.3
"""Score below which a followed face is searched for again."""
LEANING = 60.0
"""Degrees up to which a head is tilted; beyond, the picture is rotated."""
FEW = 8
"""Largest number of candidates examined in one pass over a picture."""


class Located(NamedTuple):
    """A face whose expression was not read yet.

    Attributes:
        seen: the crop and its landmarks, as batches of 1, in which it can be read; None: nowhere.
    """

    face: Face
    seen: tuple[Image, Array] | None = None


class FaceDetector:
    """The face networks. Thread-safe.

    Args:
        expression: reads expression codes; None in a bundle without it: painters then use landmarks alone.
    """

    def __init__(self, finder: Any, landmarks: Any, expression: Any = None) -> None:
        self._finder, self._landmarks, self._expression = finder, landmarks, expression

    @classmethod
    def open(cls, folder: Path | None = None, threads: int = 1) -> FaceDetector:
        """Open the bundle shipped with the app, or the one in ``folder``.

        Raises:
            BundleError: a file is missing or damaged.
        """
        folder = folder or model_folders()[0] / "faces"
        for name in (FINDER, "landmarks.onnx"):
            if not (folder / name).is_file():
                raise BundleError(
                    Text("The face networks are incomplete: no {} in {}.", name, folder), REPAIR
                )
        if (folder / DESCRIPTION).is_file():
            try:
                read_bundle(folder).verify()
            except BundleError as problem:
                raise BundleError(problem.message, REPAIR) from None
        names = (FINDER, "landmarks.onnx", EXPRESSION)
        return cls(
            *(
                open_session(folder / name, threads, seldom=name == FINDER)
                for name in names
                if (folder / name).is_file()
            )
        )

    def read(self, image: Image, regions: Sequence[Region]) -> list[Face]:
        """Run the landmark network on upright regions of a picture.

        The scores tell whether faces are there.
        """
        # Together they would take no less time, and the networks keep the memory that the most have needed.
        return [self.expressed(self.located(image, region)) for region in regions]

    def located(self, image: Image, region: Region) -> Located:
        """Run the landmark network alone on an upright region of a picture."""
        crop = cut(image, region, SIDE)[None]
        points, scores = self._landmarks.run(["points", "presence"], {"crop": crop})
        return Located(Face(to_picture(points[0], region), float(scores[0])), (crop, points))

    def expressed(self, located: Located) -> Face:
        """Read the expression of a face, in the same region."""
        if self._expression is None or located.seen is None:
            return located.face
        crop, points = located.seen
        ((code,),) = self._expression.run(["code"], {"crop": crop, "points": points})
        return replace(located.face, expression=code)

    def find(self, image: Image, levels: int = 3) -> list[Face]:
        """Return all faces of a picture (H, W, 3), largest first.

        The whole picture is searched first, then overlapping tiles of half its size, then of a quarter
        (``levels`` 3), until a face is found that is not small for the search it was found in.
        """
        found: list[Face] = []
        for level in range(levels):
            tiles = _tiles(image.shape[1], image.shape[0], level)
            if not tiles:
                break
            candidates = self._candidates(image, tiles)
            found = _distinct(found + self._settled(image, candidates))
            if found and face_height(found[0].points) > 0.14 * max(image.shape[:2]) / 2**level:
                break
        return found

    def find_upright(self, image: Image, levels: int = 3) -> tuple[int, list[Face]]:
        """Return all faces of a photo that may be rotated by quarter turns.

        Returns:
            turn: clockwise quarter turns that bring the photo upright; 0 if it is upright or shows no face.
            faces: as from `find`, in pixels of the turned photo.
        """
        upright = self.find(image, levels)
        if upright and _leans(upright[0]) <= LEANING:
            return 0, upright
        for turn in (1, 3, 2):
            faces = self.find(turned(image, turn), levels)
            if faces and _leans(faces[0]) <= LEANING:
                return turn, faces
        return 0, upright

    def _settled(self, image: Image, regions: list[Region]) -> list[Face]:
        """Refine candidates in up to three passes, each around the landmarks of the last.

        Candidates that turn out not to be faces are dropped.
        """
        found: list[Located] = []
        for _ in range(3):
            found = [self.located(image, region) for region in regions]
            found = [located for located in found if located.face.score > MAYBE]
            regions = [region_of(located.face.points) for located in found]
        return [self.expressed(located) for located in found if located.face.score > PRESENT]

    def _candidates(self, image: Image, tiles: list[tuple[int, int, int, int]]) -> list[Region]:
        """Return the finder's best candidates over all tiles, as regions of the picture."""
        inputs, back = [], []
        for left, top, width, height in tiles:
            picture, scale, right, down = _letterboxed(image[top : top + height, left : left + width])
            inputs.append(picture)
            back.append((scale, left - right / scale, top - down / scale))
        (maps,) = self._finder.run(["map"], {"picture": np.stack(inputs)})
        candidates: list[tuple[float, Region]] = []
        for found, (scale, from_left, from_top) in zip(maps, back, strict=True):
            for score, region in _peaks(found):
                x, y = (region.x + 0.5) / scale + from_left - 0.5, (region.y + 0.5) / scale + from_top - 0.5
                candidates.append((score, Region(x, y, region.side / scale, region.roll)))
        candidates.sort(key=lambda place: -place[0])
        kept: list[Region] = []
        for _, region in candidates:
            if all(
                np.hypot(region.x - other.x, region.y - other.y)
                > 0.25 * max(region.side, other.side) / REGION_SCALE
                for other in kept
            ):
                kept.append(region)
        return kept[:FEW]


class FaceTracker:
    """Follows one face through a video.

    Each frame is read around the face's position in the frame before.
    """

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self._region: Region | None = None

    def reset(self) -> None:
        """Forget the face, for instance after a cut."""
        self._region = None

    def track(self, image: Image) -> Face | None:
        """Return the face in the next frame (H, W, 3); the largest if none was followed.

        None: no face. The landmarks are of this frame alone: nothing is smoothed and nothing lags.
        """
        face = self.follow(image)
        if face is None and (found := self._detector.find(image, levels=2)):
            face = self.begin(found[0])
        return face

    def begin(self, face: Face) -> Face:
        """Follow this face of the last frame from now on."""
        self._region = region_of(face.points)
        return face

    def follow(self, image: Image) -> Face | None:
        """Return the followed face in the next frame (H, W, 3).

        None if it is lost, or none is followed. Never searches elsewhere.
        """
        followed = None if self._region is None else self._follow(image, self._region)
        self._region = None if followed is None else _steady(self._region, followed[1])
        return followed and followed[0]

    def _follow(self, image: Image, region: Region) -> tuple[Face, Region] | None:
        located = self._detector.located(image, region)
        moved = seen = region_of(located.face.points)
        if located.face.score > LOST and _apart(region, moved) > 0.12:
            located = self._detector.located(image, moved)
            seen = region_of(located.face.points)
        inside = 0 <= moved.x < image.shape[1] and 0 <= moved.y < image.shape[0]
        if located.face.score <= LOST or not inside or moved.side <= 16:
            return None
        return self._detector.expressed(located), seen


def _tiles(width: int, height: int, level: int) -> list[tuple[int, int, int, int]]:
    """Return (left, top, width, height) of overlapping squares.

    Each has 1 / 2**level of the longer side; none if they would only enlarge.
    """
    if level == 0:
        return [(0, 0, width, height)]
    side = max(width, height) // 2**level
    if side < SIDE * 2 // 3:
        return []
    return [
        (left, top, min(side, width), min(side, height))
        for top in _starts(height, side)
        for left in _starts(width, side)
    ]


def _starts(length: int, side: int) -> list[int]:
    """Return the starts of tiles that cover a length and overlap by at least a third."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * 2 / 3))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _letterboxed(image: Image) -> tuple[Image, float, int, int]:
    """Fit the picture into a black square of 192 pixels; return scale and offset too."""
    height, width = image.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    out = np.zeros((SIDE, SIDE, 3), np.uint8)
    x, y = (SIDE - size[0]) // 2, (SIDE - size[1]) // 2
    out[y : y + size[1], x : x + size[0]] = small
    return out, scale, x, y


def _peaks(found: Array) -> list[tuple[float, Region]]:
    """Find the local maxima of the score in one finder map (6, H, W).

    In pixels of the finder's input.
    """
    score = found[0]
    highest = cv2.dilate(score, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((score >= highest) & (score > MAYBE))
    out = []
    for row, column in zip(rows, columns, strict=True):
        _, x, y, size, cosine, sine = found[:, row, column]
        region = Region(
            float((column + 0.5 + x) * STRIDE - 0.5),
            float((row + 0.5 + y) * STRIDE - 0.5),
            float(2.0 ** np.clip(size, -1, 6) * STRIDE * REGION_SCALE),
            float(np.arctan2(sine, cosine)),
        )
        out.append((float(score[row, column]), region))
    return out


def _leans(face: Face) -> float:
    """Return the angle between a face and the picture's upright, 0..180 degrees."""
    return float(abs(np.degrees(region_of(face.points).roll)))


def _distinct(faces: list[Face]) -> list[Face]:
    """Return each face once, largest first."""
    kept: list[Face] = []
    for face in sorted(faces, key=lambda face: -face_height(face.points)):
        middle = face.points[:, :2].mean(0)
        if all(
            np.linalg.norm(middle - other.points[:, :2].mean(0)) > 0.35 * face_height(other.points)
            for other in kept
        ):
            kept.append(face)
    return kept


def _apart(old: Region, new: Region) -> float:
    """Measure the difference of two regions.

    The largest of shift, zoom and turn, as fractions of the side.
    """
    shift = float(np.hypot(new.x - old.x, new.y - old.y)) / max(old.side, 1e-6)
    turn = abs(np.angle(np.exp(1j * (new.roll - old.roll)))) / 2
    return max(shift, abs(float(np.log(max(new.side, 1e-6) / max(old.side, 1e-6)))) / 2, float(turn))


def _steady(old: Region | None, new: Region) -> Region:
    """Return the old region while the face stays near its middle.

    With a fixed region every frame is resampled alike.
    """
    return old if old is not None and _apart(old, new) < 0.03 else new
