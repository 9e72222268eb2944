"""Labelled pictures of people: from GrabCut or from the masks of a teacher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from avatar_app.errors import ConfigError
from avatar_app.landmarks import CHIN, FOREHEAD, LEFT_EAR, MIRRORED, RIGHT_EAR
from avatar_app.networks.anchored.matte import SIDE, PersonMatte
from avatar_app.text import Text
from avatar_app.training.data import UNREADABLE, ClipEntry, read_arrays, read_frames, read_labels, to_grid
from avatar_app.training.matte.labels import person

STORED = 160
"""Side of the pictures in memory; crops of them have `SIDE` pixels."""

LABELLED = 192
"""Side at which labels are made."""

FRAMES = 3
"""Frames taken of each clip."""

NARROWEST = 0.6
"""Ratio of a face's width to its height below which it looks aside, and the rest of the head is uncertain."""

PLAIN = 0.06
"""Standard deviation of a background's colours, in [0, 1], below which it is plain."""

AGREED = 0.95
"""Intersection over union of network and GrabCut from which a person is cleanly separated."""

AS_IS = 0.6
"""Weight of unchanged pictures, whose labels have errors, relative to people before another background."""

UNSURE = 0.05
"""Fraction of a picture with alphas between 0.1 and 0.9 up to which a teacher is certain."""


@dataclass(slots=True)
class People:
    """Labelled pictures.

    Attributes:
        pictures: (N, 3, STORED, STORED) uint8.
        persons: (N, 1, STORED, STORED) in [0, 1].
        trust: (N, 1, STORED, STORED), 0 where the label of a pixel is doubtful, else 1.
        points: (N, 88, 2) landmarks in [-1, 1].
        clean: (N,) whether the person is separated well enough for another background.
        as_is: weight of unchanged pictures.
        share: (N,) relative frequency of each in batches.
    """

    pictures: Tensor
    persons: Tensor
    trust: Tensor
    points: Tensor
    clean: npt.NDArray[np.bool_]
    share: npt.NDArray[np.float64]
    as_is: float = AS_IS


def label(entries: list[ClipEntry]) -> People:
    """Separate the people in some frames of every clip by GrabCut."""
    pictures, persons, points, plain, groups = [], [], [], [], []
    for entry in tqdm(entries, desc="labels"):
        for frame, place in _frames(entry):
            mask = person(np.ascontiguousarray(frame[..., ::-1]), place * LABELLED - 0.5)
            outside = frame[cv2.dilate(mask, np.ones((7, 7), np.uint8)) == 0]
            plain.append(len(outside) > 500 and float(outside.std(0).max()) / 255 < PLAIN)
            pictures.append(cv2.resize(frame, (STORED, STORED), interpolation=cv2.INTER_AREA))
            persons.append(
                cv2.resize(mask.astype(np.float32), (STORED, STORED), interpolation=cv2.INTER_AREA)
            )
            points.append(to_grid(place.astype(np.float32), LABELLED))
            groups.append(entry.identity)
    return _people(pictures, persons, points, plain, groups)


def people_from_masks(entries: list[ClipEntry], folder: Path) -> People:
    """Label people by the masks of `training.matte.teacher` in ``folder``."""
    pictures, persons, points, sure, groups = [], [], [], [], []
    for entry in tqdm(entries, desc="masks"):
        try:
            numbers, masks = read_arrays(folder / f"{entry.path.stem}.npz", "frames", "masks")
        except UNREADABLE as problem:
            raise ConfigError(
                Text("There is no mask of {}: {}.", entry.path.stem, problem),
                Text("Run avatar_app.training.matte.teacher on this data set."),
            ) from None
        stride = int(numbers[1]) if len(numbers) > 1 else 1
        for frame, usable, place, mask in zip(*_every(entry, stride), masks, strict=False):
            if not usable:
                continue
            sure.append(float(((mask > 25) & (mask < 230)).mean()) < UNSURE)
            alpha = mask.astype(np.float32) / 255
            persons.append(cv2.resize(alpha, (STORED, STORED), interpolation=cv2.INTER_AREA))
            pictures.append(cv2.resize(frame, (STORED, STORED), interpolation=cv2.INTER_AREA))
            points.append(to_grid(place, LABELLED))
            groups.append(entry.identity)
    return replace(_people(pictures, persons, points, sure, groups), as_is=1.0)


def _people(
    pictures: list[Any], persons: list[Any], points: list[Any], clean: list[bool], groups: list[str]
) -> People:
    if not pictures:
        raise ConfigError(
            Text("No frame shows a face from the front."),
            Text("Use a data set with labels of people who look at the camera."),
        )
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    share = (1 / np.sqrt(size[group])).astype(np.float64)
    stacked, masks = (
        torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
        torch.from_numpy(np.stack(persons))[:, None],
    )
    return People(
        stacked, masks, torch.ones_like(masks), torch.from_numpy(np.stack(points)), np.array(clean), share
    )


@torch.no_grad()
def mark_doubtful_labels(people: People, network: PersonMatte) -> People:
    """Lower the trust in labels where a trained network disagrees with them."""
    trust, clean = torch.ones_like(people.trust), []
    for index in range(len(people.pictures)):
        picture = F.interpolate(people.pictures[index : index + 1].float() / 255, SIDE, mode="area")
        points = people.points[index : index + 1]
        mirrored = points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0])
        seen = torch.sigmoid(network(picture, points)) + torch.sigmoid(
            network(picture.flip(3), mirrored)
        ).flip(3)
        found = F.interpolate(seen, STORED, mode="bilinear") > 1
        labelled = people.persons[index : index + 1] > 0.5
        clean.append(bool((found & labelled).sum() > AGREED * (found | labelled).sum()))
        # Differences between two outlines that nearly meet are not doubt, only their thickness.
        doubt = -F.max_pool2d(-(found != labelled).float(), 5, 1, 2)
        trust[index] = 1 - F.max_pool2d(doubt, 9, 1, 4)[0]
    return replace(people, trust=trust, clean=np.array(clean))


def _frames(entry: ClipEntry) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]]:
    """Yield some frames with their landmarks as fractions of the side."""
    stride = max(1, len(read_labels(entry)[1]) // FRAMES)
    for frame, usable, place in zip(*_every(entry, stride), strict=False):
        width, height = (
            float(np.linalg.norm(place[a] - place[b])) for a, b in ((RIGHT_EAR, LEFT_EAR), (FOREHEAD, CHIN))
        )
        if usable and width > NARROWEST * height:
            yield frame, place.astype(np.float64)


def _every(
    entry: ClipEntry, stride: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Return every ``stride``-th frame, whether it is usable, and landmarks (0..1)."""
    points, good = read_labels(entry)
    return read_frames(entry.path, LABELLED, stride), good[::stride], points[::stride]
