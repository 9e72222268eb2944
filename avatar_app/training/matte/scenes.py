"""Batches of pictures, alpha and landmarks for training the matte network."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.errors import ConfigError
from avatar_app.landmarks import CHIN, MIRRORED
from avatar_app.networks.anchored.matte import SIDE
from avatar_app.text import Text
from avatar_app.training.augment import AugmentConfig, Deformation, recolour
from avatar_app.training.data import IMAGE_SUFFIXES
from avatar_app.training.matte.people import People

CHANGES = AugmentConfig(rotation=0.25, scale=0.3, aspect=0.1, shift=0.2, deform=0.03)


class Scenes:
    """Draws batches."""

    def __init__(self, people: People, backgrounds: list[npt.NDArray[np.uint8]], seed: int) -> None:
        self.people, self.backgrounds = people, backgrounds
        self.random = np.random.default_rng(seed)
        self.torch_random = torch.Generator().manual_seed(seed)

    def draw(self, batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw pictures, alpha of the person, landmarks, and weights of the labels.

        (B, 3, SIDE, SIDE), (B, 1, SIDE, SIDE), (B, 88, 2), (B, 1, SIDE, SIDE).
        """
        cut = batch // 2 + 1 if self.people.clean.any() else 0
        chosen = torch.from_numpy(
            np.concatenate([self._choose(cut, self.people.clean), self._choose(batch - cut)])
        )
        placed = Deformation(batch, CHANGES, self.torch_random)
        both = torch.cat(
            [
                self.people.pictures[chosen].float() / 255,
                self.people.persons[chosen],
                self.people.trust[chosen],
            ],
            1,
        )
        warped = placed.warp(both, SIDE)
        pictures, persons, weight = (
            warped[:, :3],
            warped[:, 3:4].contiguous(),
            self.people.as_is * warped[:, 4:],
        )
        weight[:cut] = 1  # a separated person looks as labelled, right or wrong
        points = placed.inverse(self.people.points[chosen])
        parts = [
            recolour([part], strength, self.torch_random)[0]
            for part, strength in ((pictures[:cut], 0.45), (pictures[cut:], 0.3))
            if len(part)
        ]
        pictures = torch.cat(parts)
        for row in range(cut):
            dressed = (
                self._dressed(pictures[row], float(points[row, CHIN, 1]))
                if self.random.random() < 0.6
                else pictures[row]
            )
            # Shrunk by a pixel: the outline contains the old background.
            persons[row] = F.avg_pool2d(
                1 - F.max_pool2d(1 - persons[row : row + 1], 3, 1, 1), 3, 1, 1, count_include_pad=False
            )[0]
            pictures[row] = torch.lerp(self._background(), dressed, persons[row])
        noise = torch.randn(pictures.shape, generator=self.torch_random) * self.random.uniform(0, 0.03)
        return self._mirrored((pictures + noise).clamp(0, 1), persons, points, weight)

    def _choose(self, count: int, among: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
        share = self.people.share if among is None else self.people.share * among
        if not count:
            return np.zeros(0, np.int64)
        return self.random.choice(len(share), count, p=share / share.sum())

    def _dressed(self, picture: Tensor, chin: float) -> Tensor:
        """Recolour the clothes: a colour, stripes or a pattern below the chin."""
        line = torch.linspace(-1, 1, SIDE)
        below = torch.sigmoid((line[:, None] - chin - self.random.uniform(0.08, 0.3)) * 30)[None]
        colour = torch.tensor(self.random.uniform(0.05, 1, 3), dtype=torch.float32)[:, None, None]
        kind = self.random.random()
        if kind < 0.4:
            angle = self.random.uniform(0, math.pi)
            across = line[None] * math.cos(angle) + line[:, None] * math.sin(angle)
            colour = colour * (0.7 + 0.3 * torch.sin(self.random.uniform(5, 40) * across))[None]
        elif kind < 0.65:
            colour = colour * self._background() * 1.6
        return torch.lerp(picture, (picture.mean(0, keepdim=True) * 1.1 * colour).clamp(0, 1), below)

    def _background(self) -> Tensor:
        picture = self.backgrounds[self.random.integers(len(self.backgrounds))]
        height, width = picture.shape[:2]
        side = int(self.random.uniform(0.25, 1) * min(height, width))
        top, left = self.random.integers(height - side + 1), self.random.integers(width - side + 1)
        part = (
            cv2.resize(
                picture[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA
            ).astype(np.float32)
            / 255
        )
        if self.random.random() < 0.4:
            part = cv2.GaussianBlur(part, (0, 0), self.random.uniform(0.5, 4)).astype(np.float32)
        return torch.from_numpy(
            np.ascontiguousarray(part[:, ::-1] if self.random.random() < 0.5 else part)
        ).permute(2, 0, 1)

    def _mirrored(
        self, pictures: Tensor, persons: Tensor, points: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        chosen = torch.rand(len(pictures), generator=self.torch_random) < 0.5
        flipped = points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0])
        here = chosen[:, None, None, None]
        points = torch.where(chosen[:, None, None], flipped, points)
        pictures, persons, weight = (torch.where(here, x.flip(3), x) for x in (pictures, persons, weight))
        return pictures, persons, points, weight


def read_backgrounds(folder: Path) -> list[npt.NDArray[np.uint8]]:
    """Read the RGB pictures of a folder; raise ConfigError if there is none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    pictures = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in files]
    found = [
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)
        for picture in pictures
        if picture is not None
    ]
    if not found:
        raise ConfigError(
            Text("There is no picture in {}.", folder),
            Text("Give a folder of landscapes, rooms and patterns without people."),
        )
    return found
