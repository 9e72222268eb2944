r"""Measures what a smile does to the light on a face: makes the map of `avatar_app.compositing.creases`.

    python -m avatar_app.training.creases --data DATA --output avatar_app/compositing/creases.npz

Frames of the same clip, and stills of the same person, are laid over one mean face by their landmarks. What is left of the differences
between their pictures is light, and a linear regression tells which part of it goes with smiles. Mouths, open lids, brows and turns of the
head have columns of their own there, so that what they do is not taken for what smiles do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial import Delaunay
from tqdm import tqdm

from avatar_app.compositing.creases import NONE, STEP, smile_of
from avatar_app.compositing.teeth import STABLE, TO_CAMERA
from avatar_app.errors import AvatarError, ConfigError
from avatar_app.landmarks import MIRRORED
from avatar_app.training.data import IMAGE_SUFFIXES, ClipEntry, list_clips, read_frames, read_labels
from avatar_app.training.piecewise import barycentric

Floats = npt.NDArray[np.float32]

SIDE = 128
"""Of the map."""

PHOTO = 320
"""Side at which pictures are read."""

STRIDE = 4
"""Every so many frames of a clip are looked at."""

STILL = 20
"""A still counts as much as so many frames: hardly anybody smiles in clips as they do for a photo."""

FEWEST = 20
"""Clips with fewer usable frames tell no more than noise."""

DARKEST = 8
"""Of 255: below, noise would count as light."""

AHEAD = 0.15
"""Sine of the angle to which a face that is turned to the side still looks ahead."""

COLUMNS = 7
"""Of `expression`."""

IRISES = range(68, 78)

JAW, EYES, LIPS, NOSE = [*range(17), 26, 17], (range(36, 42), range(42, 48)), range(48, 60), range(29, 36)


class MeanFace:
    """Landmarks (88, 2) of the mean face in pixels of the map, and what lies between them."""

    def __init__(self, points: Floats) -> None:
        self.points = points
        corners = np.array([index for index in range(len(points)) if index not in IRISES])
        triangles = Delaunay(points[corners])
        _, inside, found, weights = barycentric(triangles, SIDE)
        self.inside = inside.reshape(SIDE, SIDE)
        self._weights = np.zeros((SIDE * SIDE, len(points)), np.float32)
        np.put_along_axis(self._weights, corners[found], weights.astype(np.float32), 1)

    def laid_over(self, picture: npt.NDArray[np.uint8], points: Floats) -> Floats:
        """Logarithms of the light (SIDE, SIDE) of a picture (S, S, 3), the mean over the face taken off; points (88, 2) in its pixels."""
        places = (self._weights @ points).reshape(SIDE, SIDE, 2)
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
        light = np.log(np.maximum(cv2.remap(grey, places[..., 0], places[..., 1], cv2.INTER_LINEAR), DARKEST))
        return np.asarray(light - light[self.inside].mean(), np.float32)

    def cheeks(self) -> Floats:
        """(SIDE, SIDE) where light counts, softly: below the eyes and within the jaw, but neither mouth nor nose, which are not skin that
        folds; their edges in pictures are where landmarks are not exact."""
        mask = _grown(self.points[JAW], -4)
        for part in (*EYES, LIPS, NOSE):
            mask = np.minimum(mask, 1 - _grown(cv2.convexHull(self.points[list(part)]), 2))
        mask[: int(self.points[36:48, 1].mean())] = 0
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), 2.0), np.float32)


def _grown(outline: Any, by: int) -> Floats:
    mask = cv2.fillPoly(np.zeros((SIDE, SIDE), np.float32), [np.round(outline).astype(np.int32)], [1.0])
    kernel = np.ones((2 * abs(by) + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(mask, kernel) if by > 0 else cv2.erode(mask, kernel), np.float32)


def mean_face(faces: list[Floats]) -> MeanFace:
    """Of landmarks (88, 2) of faces that look ahead."""
    centred = [face - face.mean(0) for face in faces]
    total = np.mean([face / np.sqrt((face**2).sum(1).mean()) for face in centred], 0)
    total = (total + total[list(MIRRORED)] * [-1, 1]) / 2
    low, high = total.min(0), total.max(0)
    size = float((high - low).max()) * 1.06
    return MeanFace((((total - (low + high) / 2) / size + 0.5) * (SIDE - 1)).astype(np.float32))


def expression(points: Floats) -> list[float]:
    """Of landmarks (88, 2): the smile; gaps of lips and lids, height of the brows, how the head is turned."""
    camera = points[STABLE].T @ TO_CAMERA
    size = float(np.sqrt((camera[:, :2] ** 2).sum() / 2))

    def gap(a: int, b: int) -> float:
        return float(np.linalg.norm(points[a] - points[b])) / size

    turned = (camera[:, 2] / size).tolist()
    return [
        smile_of(points),
        gap(62, 66),
        gap(37, 41) + gap(44, 46),
        gap(19, 37) + gap(24, 44),
        *turned,
        camera[1, 0] / size,
    ]


def is_still(entry: ClipEntry) -> bool:
    return entry.path.suffix.lower() in IMAGE_SUFFIXES


def groups(folder: Path) -> Iterator[list[ClipEntry]]:
    """Clips one by one, and all stills of one person together."""
    entries = list_clips(folder, "train")
    yield from ([entry] for entry in entries if not is_still(entry))
    stills = sorted(filter(is_still, entries), key=lambda entry: entry.identity)
    yield from (list(same) for _, same in groupby(stills, key=lambda entry: entry.identity))


def usable(entry: ClipEntry) -> tuple[npt.NDArray[np.uint8], Floats]:
    """Pictures (T, S, S, 3) and landmarks (T, 88, 2) in their pixels."""
    frames = read_frames(entry.path, PHOTO, STRIDE)
    points, good = (part[::STRIDE][: len(frames)] for part in read_labels(entry))
    return frames[: len(good)][good], points[good] * PHOTO - 0.5


def measured(folder: Path, face: MeanFace) -> Floats:
    """(SIDE, SIDE) what a whole smile adds to the logarithm of light."""
    own, joint = np.zeros((COLUMNS, COLUMNS)), np.zeros((COLUMNS, SIDE * SIDE))
    for group in tqdm(list(groups(folder)), desc="light"):
        found = [pair for entry in group for pair in zip(*usable(entry), strict=True)]
        moving = not is_still(group[0])
        if len(found) < (FEWEST if moving else 2):
            continue
        light = np.stack([face.laid_over(picture, points).ravel() for picture, points in found])
        does = np.array([expression(points) for _, points in found])
        light, does = light - light.mean(0), does - does.mean(0)
        weight = 1.0 if moving else STILL
        own, joint = own + weight * does.T @ does, joint + weight * does.T @ light
    if not own.any():
        raise ConfigError(
            "Nobody is in two stills or in a clip.",
            "Use a data set with clips, or with more stills of a person.",
        )
    effects = np.linalg.solve(own + 1e-6 * np.trace(own) * np.eye(COLUMNS), joint)
    return np.asarray(effects[0].reshape(SIDE, SIDE), np.float32)


def make(folder: Path, output: Path) -> None:
    ahead = []
    for entry in filter(is_still, list_clips(folder, "train")):
        points, good = read_labels(entry)
        ahead += [face for face in points[good] * PHOTO - 0.5 if abs(expression(face)[4]) < AHEAD]
    if not ahead:
        raise ConfigError("No still shows a face from the front.", "Use a data set with labelled stills.")
    face = mean_face(ahead)
    light = cv2.GaussianBlur(measured(folder, face), (0, 0), 0.7) * face.cheeks()
    light = (light + light[:, ::-1]) / 2
    stored = (light / STEP + NONE).round().clip(0, 255).astype(np.uint8)
    np.savez_compressed(output, light=stored, points=(face.points * (2 / (SIDE - 1)) - 1).astype(np.float32))
    print(f"{output}: light from {light.min():+.3f} to {light.max():+.3f}, {len(ahead)} faces from the front")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with manifest.csv, video/, stills/ and labels/"
    )
    parser.add_argument("--output", type=Path, required=True, help="the .npz file to write")
    options = parser.parse_args(arguments)
    try:
        if not options.output.parent.is_dir():  # said now, and not after minutes of reading
            raise ConfigError(
                f"There is no folder {options.output.parent}.", "Make it first, or give another --output."
            )
        make(options.data, options.output)
    except AvatarError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
