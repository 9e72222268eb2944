"""The measurements of ``evaluate``: rebuilt clips, and animated pairs of clips."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from avatar_app.engines import Engine
from avatar_app.errors import ConfigError, EngineError, PortraitError
from avatar_app.evaluation.expression import EXPRESSION, ClipExpression, eyes_shut, inside
from avatar_app.evaluation.following import FOLLOWING, following, rounded
from avatar_app.evaluation.outside_judge import OutsideJudge
from avatar_app.faces.crop import cut, region_of
from avatar_app.faces.detector import FaceDetector, FaceTracker, crop_face, crop_picture
from avatar_app.files import reason, require_readable
from avatar_app.landmarks import (
    BROWS,
    EYES,
    LIPS,
    indices,
)
from avatar_app.motion.transfer import motion_transfer
from avatar_app.onnx_runtime import open_session
from avatar_app.session.clip import fixed_box
from avatar_app.text import Text
from avatar_app.training.data import ClipEntry, read_frames
from avatar_app.training.metrics import embedding_distance, l1, landmark_distance, psnr, ssim
from avatar_app.training.piecewise import piecewise_affine
from avatar_app.types import Array, Avatar, Crop, Face, Image, KeyPoints

FIGURES = {
    "l1": "mean absolute difference, pictures in [0, 1]",
    "psnr": "dB, at most 100",
    "ssim": "1 is equal",
    "akd": "mean distance of the judge's landmarks, in pixels of a 256-pixel picture, where both pictures "
    "show a face",
    "mkr": "share of frames in which only one of the two pictures shows a face",
    "mouth_l1": "l1 in a square around the truth's mouth",
    "eyes_l1": "l1 in a box around the truth's eyes and brows",
    "inside_l1": "l1 between the truth's lips, where they part",
    "shut_l1": "eyes_l1 where the truth's eyes are shut",
    "aed": "distance of identity vectors of length 1",
}

WAYS = ("model", "warp", "still")
"""Every figure is given for the model, for the photo warped piecewise with the landmarks, and for the still
photo.
"""

MOUTH, EYES_AND_BROWS = indices(LIPS), indices(BROWS, EYES)


class Embedding:
    """A network from a face to a vector that identifies a person.

    Takes (N, 3, H, W) float32 RGB in [-1, 1] or (N, H, W, 3) uint8 RGB; H and W as in the file, 112 if it
    leaves them open.
    """

    def __init__(self, path: Path) -> None:
        """Open the network; raise EngineError if it is unreadable or has other inputs."""
        require_readable(path, "embedding network", EngineError)
        try:
            self._session = open_session(path)
        except EngineError:
            raise EngineError(
                Text("The embedding network {} cannot be opened.", path), Text("Give the ONNX file of one.")
            ) from None
        inputs = self._session.inputs
        self._name, port = next(iter(inputs.items()))
        shape, self._bytes = port.shape, port.kind == "tensor(uint8)"
        if len(inputs) != 1 or len(shape) != 4 or shape[3 if self._bytes else 1] != 3:
            raise EngineError(
                Text("The network {} does not take one RGB picture.", path),
                Text("It must take (N, 3, H, W) float32 or (N, H, W, 3) uint8."),
            )
        side = shape[1 if self._bytes else 2]
        self._side = side or 112

    def vector(self, image: Image, face: Face) -> Array:
        picture = cut(image, region_of(face.points), self._side)
        values = (
            picture[None]
            if self._bytes
            else np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32) / 127.5 - 1
        )
        return np.asarray(self._session.run(None, {self._name: values})[0], np.float32).ravel()


JUDGED = 256
"""Side at which pictures are compared, so that figures of models of different sizes are comparable."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture, the face in it found by our network, and the judge's landmarks.

    The landmarks are in pixels, (K, 2 or more); None without a face.
    """

    image: Image
    face: Face | None
    landmarks: Array | None


class Evaluator:
    """Judges one model's pictures.

    Args:
        limit: number of evenly spread frames of each clip; None takes all.
        judge: landmarks for ``akd`` and ``mkr``; None: our own network's 88.
    """

    def __init__(
        self,
        engine: Engine,
        detector: FaceDetector,
        embedding: Embedding | None = None,
        limit: int | None = None,
        judge: OutsideJudge | None = None,
    ) -> None:
        self.size = min(engine.size, JUDGED)
        self._engine = engine
        self._detector = detector
        self._embedding = embedding
        self._limit = limit
        self._judge = judge

    def reconstruct(self, entry: ClipEntry) -> dict[str, Any]:
        """Rebuild a clip from its first usable frame.

        Every figure for each of ``WAYS``, None if it cannot be measured.
        """
        frames = self._read(entry)
        faces, poses = self._look(frames)
        facts: dict[str, Any] = {"clip": entry.path.stem, "identity": entry.identity, "kind": entry.kind}
        start = first_usable(faces, poses)
        if start is None or start + 1 >= len(frames):
            empty = {name: dict.fromkeys(WAYS) for name in FIGURES} | dict.fromkeys(EXPRESSION)
            return facts | {"frames": 0, "figures": empty, "note": "no two frames with a face"}
        photo, photo_face, pose = frames[start], faces[start], poses[start]
        avatar = self._engine.encode(self._crop(photo, photo_face))
        tracker, warp_tracker = FaceTracker(self._detector), FaceTracker(self._detector)
        rows: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        still, expression = self._judged(photo, photo_face), ClipExpression()
        for frame, face, seen in zip(
            frames[start + 1 :], faces[start + 1 :], poses[start + 1 :], strict=True
        ):
            pose = seen or pose  # without a face the last pose is held, as when animating
            assert pose is not None
            picture, truth = self._render(avatar, pose), self._judged(frame, face)
            made = self._judged(picture, tracker.track(picture))
            expression.add(made.image, made.face, frame, face)
            rows["model"].append(self._compare(made, truth))
            rows["still"].append(self._compare(still, truth))
            if photo_face and face:
                moved = piecewise_affine(photo, photo_face.points, face.points)
                rows["warp"].append(self._compare(self._judged(moved, warp_tracker.track(moved)), truth))
        figures = {name: {way: _mean([row[name] for row in rows[way]]) for way in WAYS} for name in FIGURES}
        facts |= {"frames": len(rows["model"]), "source_frame": start}
        return facts | {"figures": figures | expression.figures()}

    def animate(self, source: ClipEntry, driving: ClipEntry) -> dict[str, Any]:
        """Give the source's first usable frame the relative motion of another clip.

        Without ground truth the figures are: how the output's head and mouth follow the driver's, the share
        of frames in which there is a face, and the likeness to the photo.
        """
        photos, drivers = self._read(source), self._read(driving)
        (photo_faces, photo_poses), (faces, poses) = self._look(photos), self._look(drivers)
        at, start = first_usable(photo_faces, photo_poses), first_usable(faces, poses)
        facts = {
            "clip": f"{source.path.stem} <- {driving.path.stem}",
            "source": source.path.stem,
            "driving": driving.path.stem,
        }
        if at is None or start is None:
            return facts | {
                "frames": 0,
                "figures": dict.fromkeys([*FOLLOWING, "found", "aed"]),
                "note": "no face",
            }
        photo, photo_face, last = photos[at], photo_faces[at], poses[start]
        avatar = self._engine.encode(self._crop(photo, photo_face))
        assert last is not None
        transfer = motion_transfer(avatar.key_points, last)
        tracker, shown, likeness = FaceTracker(self._detector), list[Face | None](), list[float]()
        for seen in poses[start:]:
            last = seen or last
            picture = self._render(avatar, transfer(last))
            face = tracker.track(picture)
            shown.append(face)
            likeness.append(self._identity(picture, face, photo, photo_face))
        figures = following(faces[start:], shown)
        figures |= {"found": _mean([float(face is not None) for face in shown]), "aed": _mean(likeness)}
        return facts | {"frames": len(shown), "source_frame": at, "figures": figures}

    def _read(self, entry: ClipEntry) -> list[Image]:
        frames = read_frames(entry.path, self.size)
        count = min(len(frames), self._limit or len(frames))
        return [frames[index] for index in np.linspace(0, len(frames) - 1, count).round().astype(int)]

    def _look(self, frames: list[Image]) -> tuple[list[Face | None], list[KeyPoints | None]]:
        """Return the face and the key points of every frame; None where there are none."""
        tracker = FaceTracker(self._detector)
        faces = [tracker.track(frame) for frame in frames]
        poses: list[KeyPoints | None] = []
        for frame, face in zip(frames, faces, strict=True):
            try:
                poses.append(self._engine.detect(self._crop(frame, face)))
            except PortraitError:  # only models that are moved by landmarks need a face
                poses.append(None)
        return faces, poses

    def _crop(self, frame: Image, face: Face | None) -> Crop:
        """Return the whole frame: clips of a data set are cropped already."""
        box = fixed_box(frame, "none")
        if face is None:
            return Crop(crop_picture(frame, box, self._engine.size))
        return crop_face(frame, face, box, self._engine.size)

    def _render(self, avatar: Avatar, pose: KeyPoints) -> Image:
        picture = self._engine.render(avatar, pose)
        shape = (self.size, self.size)
        return (
            picture
            if picture.shape[:2] == shape
            else cv2.resize(picture, shape, interpolation=cv2.INTER_AREA).astype(np.uint8)
        )

    def _judged(self, image: Image, face: Face | None) -> Shown:
        if self._judge is not None:
            return Shown(image, face, self._judge.landmarks(image))
        return Shown(image, face, face.points if face else None)

    def _compare(self, picture: Shown, truth: Shown) -> dict[str, float]:
        """Return all figures of one frame; NaN where nothing can be compared."""
        apart, only_one = float("nan"), float("nan")
        if picture.landmarks is not None and truth.landmarks is not None:
            apart, only_one = landmark_distance(picture.landmarks, truth.landmarks) * 256 / self.size, 0.0
        elif picture.landmarks is not None or truth.landmarks is not None:
            only_one = 1.0
        eyes = _part_l1(picture.image, truth.image, truth.face, EYES_AND_BROWS)
        return {
            "l1": l1(picture.image, truth.image),
            "psnr": psnr(picture.image, truth.image),
            "ssim": ssim(picture.image, truth.image),
            "akd": apart,
            "mkr": only_one,
            "mouth_l1": _part_l1(picture.image, truth.image, truth.face, MOUTH),
            "eyes_l1": eyes,
            "inside_l1": _inside_l1(picture.image, truth.image, truth.face),
            "shut_l1": eyes if eyes_shut(truth.face) else float("nan"),
            "aed": self._identity(picture.image, picture.face, truth.image, truth.face),
        }

    def _identity(self, picture: Image, face: Face | None, truth: Image, truth_face: Face | None) -> float:
        if not (self._embedding and face and truth_face):
            return float("nan")
        return embedding_distance(
            self._embedding.vector(picture, face), self._embedding.vector(truth, truth_face)
        )


def _part_l1(picture: Image, truth: Image, face: Face | None, part: tuple[int, ...]) -> float:
    """Return the L1 in the box around some landmarks of the truth, a quarter larger.

    NaN without a face.
    """
    if face is None:
        return float("nan")
    points = face.points[list(part), :2]
    low, high = points.min(0), points.max(0)
    margin = 0.25 * (high - low).max()
    left, top = np.maximum(low - margin, 0).astype(int)
    right, bottom = np.ceil(high + margin).astype(int)
    shown, wanted = picture[top:bottom, left:right], truth[top:bottom, left:right]
    return l1(shown, wanted) if wanted.size else float("nan")


def _inside_l1(picture: Image, truth: Image, face: Face | None) -> float:
    """L1 between the truth's lips; NaN where they are closed."""
    where = inside(face, truth)
    return float("nan") if where is None else l1(picture[where], truth[where])


def first_usable(faces: Sequence[Face | None], poses: Sequence[KeyPoints | None]) -> int | None:
    """Return the first frame with a face.

    For models of other things, where no frame has one, the first with key points.
    """
    with_face = (index for index, (face, pose) in enumerate(zip(faces, poses, strict=True)) if face and pose)
    with_pose = (index for index, pose in enumerate(poses) if pose)
    return next(with_face, next(with_pose, None))


def read_pairs(path: Path, entries: Sequence[ClipEntry]) -> list[tuple[ClipEntry, ClipEntry]]:
    """Read rows of a table with the columns ``source`` and ``driving``.

    Raises ConfigError for an unknown clip or another table.
    """
    known = {name: entry for entry in entries for name in (entry.path.stem, entry.path.name)}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return [(known[row["source"]], known[row["driving"]]) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise ConfigError(
            Text("The pairs {} cannot be read: {}.", path, reason(problem)), Text("Give a CSV file.")
        ) from None
    except KeyError as problem:
        hint = Text("It needs the columns source and driving, with names of clips of the split.")
        raise ConfigError(Text("The pairs {} name no {} that is known.", path, problem), hint) from None


def means(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return every figure's mean over clips, each clip counting alike.

    None if no clip has it.
    """
    if not rows:
        return {}
    out: dict[str, Any] = {}
    for name, value in rows[0]["figures"].items():
        values = [row["figures"][name] for row in rows]
        out[name] = (
            {key: _mean([v[key] for v in values]) for key in value}
            if isinstance(value, dict)
            else _mean(values)
        )
    return out


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    return rounded(float(np.mean(known))) if known else None
