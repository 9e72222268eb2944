"""Draw training samples: face crops with landmarks, and scenes with several faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.faces.crop import Region, cut, region_of, to_region
from avatar_app.training.faces import augment
from avatar_app.training.faces.augment import Picture, Random, chance
from avatar_app.training.faces.data import FaceSet

Float = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CropSample:
    """A crop for the landmark network.

    Attributes:
        picture: (side, side, 3).
        points: (88, 3) in [-1, 1] of the crop, edge to edge; meaningless where ``present`` is false.
        present: whether a face fills the crop.
    """

    picture: Picture
    points: Float
    present: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture for the finder.

    Attributes:
        picture: (side, side, 3).
        faces: (N, 4): centre x, y and size in pixels of the scene (as :func:`region_of`, without its margin),
            roll in radians.
        ignored: (N, 4) the same for faces too small or too hidden to ask for.
    """

    picture: Picture
    faces: Float
    ignored: Float


def read_backgrounds(folder: Path | None, largest: int = 700) -> list[Picture]:
    """Read pictures without faces, reduced to at most ``largest`` pixels.

    None without a folder.
    """
    if folder is None:
        return []
    out = []
    for path in sorted(folder.rglob("*")):
        picture = cv2.imread(str(path)) if path.suffix in {".jpg", ".png", ".webp"} else None
        if picture is not None and min(picture.shape[:2]) >= 64:
            scale = min(1.0, largest / max(picture.shape[:2]))
            small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            out.append(np.ascontiguousarray(small[..., ::-1]).astype(np.uint8))
    return out


class Sampler:
    """Draws samples of one face set. The same seed gives the same samples.

    Args:
        backgrounds: pictures without faces.
        mistakes: square pictures of false detections, with a margin.
    """

    def __init__(
        self, faces: FaceSet, backgrounds: Sequence[Picture], seed: int, mistakes: Sequence[Picture] = ()
    ) -> None:
        self.faces = faces
        self.backgrounds = backgrounds
        self.mistakes = mistakes
        self.random = np.random.default_rng(seed)
        self._cumulative = np.cumsum(faces.probability)

    def draw(self) -> tuple[Picture, Float]:
        """Draw a frame and its landmarks (88, 3) in pixels, mirrored half of the time."""
        index = min(int(np.searchsorted(self._cumulative, self.random.random())), len(self.faces.points) - 1)
        frame, points = np.asarray(self.faces.frames[index]), self.faces.points[index]
        if chance(self.random, 0.5):
            frame = np.asarray(cv2.flip(frame, 1), np.uint8)
            points = points[self.faces.flip].copy()
            points[:, 0] = frame.shape[1] - 1 - points[:, 0]
        return frame, points

    def crop(self, side: int) -> CropSample:
        """Draw a crop for the landmark network: seven in eight with a face."""
        random = self.random
        frame, points = self.draw()
        if chance(random, 0.18 if len(self.mistakes) else 0.13):
            picture = augment.degraded(self._without_face(frame, points, side), random)
            return CropSample(picture, np.zeros((len(points), 3), np.float32), False)
        region = _disturbed(region_of(points), random)
        stretch = np.exp(random.normal(0, 0.06)) if chance(random, 0.5) else 1.0
        picture, local = _stretched(frame, points, region, float(stretch), side, self._border())
        return CropSample(self._dressed(picture, local), local, True)

    def _border(self) -> int:
        return int(self.random.choice([cv2.BORDER_REPLICATE, cv2.BORDER_REPLICATE, cv2.BORDER_CONSTANT]))

    def _dressed(self, picture: Picture, local: Float) -> Picture:
        random, side = self.random, picture.shape[0]
        pixels = (local[:, :2] + 1) * (side / 2) - 0.5
        if chance(random, 0.12):
            picture = augment.behind(picture, augment.texture(self.backgrounds, random, side), pixels, random)
        if chance(random, 0.12):
            picture = augment.with_glasses(picture, pixels, random)
        if chance(random, 0.15):
            picture = augment.occluded(picture, augment.texture(self.backgrounds, random, side), random)
        if chance(random, 0.08):
            picture = augment.cropped_by_edge(picture, random)
        return augment.degraded(picture, random)

    def _without_face(self, frame: Picture, points: Float, side: int) -> Picture:
        random = self.random
        if len(self.mistakes) and chance(random, 0.5):
            return self._mistake(side)
        kind = random.random()
        if kind < 0.4:
            return augment.texture(self.backgrounds, random, side)
        region = region_of(points)
        if kind < 0.52:
            # Rotated by a quarter or half turn: the points would be wrong, so the face is removed.
            return cut(
                frame,
                replace(_disturbed(region, random), roll=region.roll + random.uniform(1.2, 2 * np.pi - 1.2)),
                side,
                self._border(),
            )
        if kind < 0.75:
            angle, far = random.uniform(0, 2 * np.pi), random.uniform(0.45, 0.95) * region.side
            moved = Region(
                region.x + far * np.cos(angle),
                region.y + far * np.sin(angle),
                region.side * random.uniform(0.5, 1.3),
                random.normal(0, 0.5),
            )
            return cut(frame, moved, side, self._border())
        if kind < 0.87:
            point = points[int(random.integers(len(points)))]
            return cut(
                frame,
                Region(
                    float(point[0]),
                    float(point[1]),
                    region.side * random.uniform(0.12, 0.35),
                    random.normal(0, 0.5),
                ),
                side,
            )
        return cut(painted_out(frame, points, random), _disturbed(region, random), side)

    def _mistake(self, side: int) -> Picture:
        picture = self.mistakes[int(self.random.integers(len(self.mistakes)))]
        if chance(self.random, 0.5):
            picture = np.asarray(cv2.flip(picture, 1), np.uint8)
        middle, room = (picture.shape[0] - 1) / 2, picture.shape[0] / 1.5
        return cut(picture, _disturbed(Region(middle, middle, room, 0.0), self.random), side, self._border())

    def scene(self, side: int) -> Scene:
        """Draw a picture for the finder: 0 to 4 faces on a background, or a whole frame."""
        random = self.random
        canvas, places = self._backdrop(side)
        count = int(random.choice([0, 1, 1, 1, 2, 2, 3, 4]))
        if len(places):
            count = int(random.choice([0, 0, 0, 1]))
        for _ in range(count):
            self._paste(canvas, places)
        if chance(random, 0.3):
            self._paste(canvas, places, blank=True)
        if len(self.mistakes) and chance(random, 0.6):
            self._paste_mistakes(canvas, places)
        canvas = augment.degraded(canvas, random).copy()
        faces = np.array(places, np.float32).reshape(-1, 4)
        asked = np.asarray((faces[:, :2] > 0).all(1) & (faces[:, :2] < side - 1).all(1))
        if chance(random, 0.4):
            asked[~self._letterboxed(canvas, faces)] = False
        asked[(faces[:, 2] < 11) | (faces[:, 2] > side * 1.02)] = False
        return Scene(canvas, faces[asked], faces[~asked])

    def _backdrop(self, side: int) -> tuple[Picture, list[list[float]]]:
        random = self.random
        if not chance(random, 0.42):
            canvas = augment.texture(self.backgrounds, random, side)
            return (augment.blurred(canvas, random) if chance(random, 0.2) else canvas), []
        frame, points = self.draw()
        region = region_of(points)
        painted = chance(random, 0.25)
        if painted:
            frame = painted_out(frame, points, random)
        span = region.side * np.exp(random.uniform(np.log(0.72), np.log(2.6)))
        view = Region(
            region.x + random.normal(0, 0.22) * span,
            region.y + random.normal(0, 0.16) * span,
            float(span),
            float(random.normal(0, 0.3)),
        )
        canvas = cut(frame, view, side, self._border())
        return canvas, [] if painted else [_place(points, view, side)]

    def _letterboxed(self, canvas: Picture, faces: Float) -> npt.NDArray[np.bool_]:
        """Paint the black bars of a picture that is not square.

        Returns which faces (N, 4) are still visible.
        """
        random, side = self.random, canvas.shape[0]
        bar = int(side * (1 - random.choice([9 / 16, 3 / 4, 2 / 3])) / 2)
        axis = 1 if chance(random, 0.7) else 0
        turned = canvas if axis == 1 else canvas.transpose(1, 0, 2)
        turned[:bar], turned[side - bar :] = 0, 0
        inset = bar + 0.2 * faces[:, 2]
        return np.asarray((faces[:, axis] > inset) & (faces[:, axis] < side - inset))

    def _paste(self, canvas: Picture, places: list[list[float]], blank: bool = False) -> None:
        """Paste one more person, not over another face.

        ``blank``: with the face painted out.
        """
        random, side = self.random, canvas.shape[0]
        frame, points = self.draw()
        region = region_of(points)
        if blank:
            frame = painted_out(frame, points, random)
        size = float(np.exp(random.uniform(np.log(11), np.log(0.62 * side))))
        scale = size / (region.side / 1.4)
        roll = float(random.normal(0, 0.4) if chance(random, 0.5) else random.normal(0, 0.1))
        centre = random.uniform(0.02 * side, 0.98 * side, 2)
        for other in places:
            if np.hypot(centre[0] - other[0], centre[1] - other[1]) < 0.62 * (size + other[2]):
                return
        turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) * scale
        matrix = np.concatenate([turn, (centre - turn @ np.array([region.x, region.y]))[:, None]], 1)
        method = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        if scale < 0.5:
            small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=method)
            matrix[:, :2] /= scale
            frame_scale = scale
        else:
            small, frame_scale = frame, 1.0
        mask = self._person_mask(points * frame_scale, small.shape[:2])
        warped = cv2.warpAffine(small, matrix, (side, side), flags=cv2.INTER_LINEAR)
        cover = (
            cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_LINEAR).astype(np.float32)[..., None]
            / 255
        )
        canvas[:] = (warped * cover + canvas * (1 - cover)).astype(np.uint8)
        for other in list(places):
            column, row = int(np.clip(other[0], 0, side - 1)), int(np.clip(other[1], 0, side - 1))
            if cover[row, column, 0] > 0.5:
                places.remove(other)
        if not blank:
            turned = np.concatenate([points[:, :2] @ turn.T + matrix[:, 2], points[:, 2:] * scale], 1).astype(
                np.float32
            )
            if scale < 0.5:
                turned[:, :2] = (points[:, :2] * frame_scale) @ matrix[:, :2].T + matrix[:, 2]
            places.append(_place(turned, None, side))

    def _paste_mistakes(self, canvas: Picture, places: list[list[float]]) -> None:
        """Paste a few false detections where no face is."""
        random, side = self.random, canvas.shape[0]
        for _ in range(int(random.integers(1, 4))):
            span = int(np.exp(random.uniform(np.log(20), np.log(0.7 * side))))
            x, y = (int(value) for value in random.integers(0, side - span + 1, 2))
            if all(
                np.hypot(x + span / 2 - place[0], y + span / 2 - place[1]) > 0.75 * (span + place[2])
                for place in places
            ):
                picture = self.mistakes[int(random.integers(len(self.mistakes)))]
                canvas[y : y + span, x : x + span] = cv2.resize(
                    picture, (span, span), interpolation=cv2.INTER_AREA
                )

    def _person_mask(self, points: Float, shape: tuple[int, int]) -> Picture:
        """Return a mask of the whole frame, or of the head with soft edges.

        Straight edges would reveal faces.
        """
        random = self.random
        mask = np.zeros(shape, np.uint8)
        if chance(random, 0.4):
            mask[:] = 255
            return mask
        hull = cv2.convexHull(points[:, :2].astype(np.float32)).reshape(-1, 2)
        grown = hull.mean(0) + (hull - hull.mean(0)) * random.uniform(1.1, 1.8)
        cv2.fillConvexPoly(mask, grown.astype(np.int32), 255)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), random.uniform(0.4, 3)), np.uint8)


def painted_out(frame: Picture, points: Float, random: Random, whole: bool = False) -> Picture:
    """Replace the inside of a face by its own blurred colours or by a flat one.

    ``whole``: all of the face.
    """
    hull = cv2.convexHull(points[:, :2].astype(np.float32)).reshape(-1, 2)
    grown = hull.mean(0) + (hull - hull.mean(0)) * (1.3 if whole else random.uniform(1.0, 1.25))
    mask = np.zeros(frame.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, grown.astype(np.int32), 255)
    soft = cv2.GaussianBlur(mask, (0, 0), 4).astype(np.float32)[..., None] / 255
    if chance(random, 0.5):
        tiny = cv2.resize(frame, (6, 6), interpolation=cv2.INTER_AREA)
        filling = cv2.resize(tiny, frame.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    else:
        filling = np.full_like(frame, random.integers(0, 256, 3).astype(np.uint8))
    return (filling * soft + frame * (1 - soft)).astype(np.uint8)


def _disturbed(region: Region, random: Random) -> Region:
    """Shift the region as the previous step may have done.

    Slightly most of the time, strongly now and then.
    """
    wild = chance(random, 0.25)
    shift, zoom, turn = (0.11, 0.22, 0.35) if wild else (0.035, 0.08, 0.12)
    return Region(
        region.x + float(np.clip(random.normal(0, shift), -0.28, 0.28)) * region.side,
        region.y + float(np.clip(random.normal(0, shift), -0.28, 0.28)) * region.side,
        region.side * float(np.exp(np.clip(random.normal(0, zoom), -0.4, 0.45))),
        region.roll + float(np.clip(random.normal(0, turn), -0.7, 0.7)),
    )


def _stretched(
    frame: Picture, points: Float, region: Region, stretch: float, side: int, border: int
) -> tuple[Picture, Float]:
    """Return a region of a frame widened by ``stretch``, and the landmarks in it."""
    middle = region.x
    axes = region.axes()
    pixel = np.array([[2 / side, 0, 1 / side - 1], [0, 2 / side, 1 / side - 1]])
    matrix = axes.T @ pixel
    matrix[0] /= stretch
    matrix[:, 2] += (middle, region.y)
    picture = cv2.warpAffine(
        frame, matrix, (side, side), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
    )
    wider = points.copy()
    wider[:, 0] = middle + (points[:, 0] - middle) * stretch
    return np.asarray(picture, np.uint8), to_region(wider, region)


def _place(points: Float, view: Region | None, side: int) -> list[float]:
    """Return centre, size and roll of a face in the scene."""
    if view is not None:
        local = to_region(points, view)
        points = np.concatenate([(local[:, :2] + 1) * (side / 2) - 0.5, local[:, 2:]], 1)
    region = region_of(points)
    return [region.x, region.y, region.side / 1.4, region.roll]
