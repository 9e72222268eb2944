"""Batches of crops, and the random changes that they go through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.landmarks import MIRRORED
from avatar_app.networks.regions import MOUTH, Region, sketch_of

FEW, SHARP, TEETH = 12, 4.0, 10.0
"""Clips of so few pairs are stills: sharper than videos, and drawn so many times as often, those with open
mouths most: gaps between teeth are visible in stills alone.
"""
APART = 0.05
"""Gap of the lips, in distances of the eyes' corners, from which a still's mouth is open."""

OTHER_SKIN, DARKEST = 0.6, 1.2
"""Fraction of pairs whose skin changes, and what is added to its gamma at most."""
WARMTH, SKIN_SATURATION = (-0.5, 2.0), (0.2, 1.3)
"""Ranges of `WARM_TINT`'s power and of the factor on the skin's saturation."""
WARM_TINT = (1.0, 0.85, 0.75)
"""Factors on red, green and blue."""
GREYED, SATURATION = 0.5, (-0.15, 1.4)
"""Fraction of pairs whose whole pictures get another saturation, and its range; at 0 and below it is grey."""
PALE = 0.25, 0.45
"""Saturation: a pixel below the first is teeth or the white of an eye; one above the second is skin."""
OPEN_GAP = 0.04, 0.1
"""Gap between lips or lids in half crops. Below the first they are closed, above the second fully open."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops (B, 3, h, w) in [0, 1] and their landmarks (B, 88, 2).

    Attributes:
        photo, photo_points: the photo's own region.
        moved, points: what motion brings into it, and the pose.
        truth, seen_points: the driver's region and landmarks in it; what is wanted, unless the pair is
            crossed.
    """

    photo: Tensor
    photo_points: Tensor
    moved: Tensor
    points: Tensor
    truth: Tensor
    seen_points: Tensor


class CropStore:
    """Pairs that `pairs` wrote, for one kind of region; both eyes are one kind."""

    def __init__(self, folder: Path, name: str) -> None:
        self.places = [name, f"{name}-left"] if (folder / f"{name}-left.moved.npy").exists() else [name]
        fields = ("photo", "photo_points", "moved", "points", "truth", "seen_points")
        self.arrays = {
            place: {field: np.load(folder / f"{place}.{field}.npy", mmap_mode="r") for field in fields}
            for place in self.places
        }
        self.source = np.load(folder / "source.npy")
        self.crossed = np.load(folder / "crossed.npy")
        self.blinks, self.lips, self.clip = (
            np.load(folder / f"{field}.npy") for field in ("blinks", "lips", "clip")
        )
        self.own, self.other = np.nonzero(~self.crossed)[0], np.nonzero(self.crossed)[0]
        _, number, counts = np.unique(self.clip[self.own], return_inverse=True, return_counts=True)
        sharp = TEETH if name == "mouth" else SHARP
        worth = np.where(self.lips[self.own] > APART, sharp, SHARP)
        worth = np.where(counts[number] <= FEW, worth, 1.0)
        self.chance = worth / worth.sum()

    def take(self, rows: np.ndarray, place: str) -> Batch:
        """The pairs with these numbers, at one place."""
        found, rows = self.arrays[place], np.asarray(rows)
        photos = self.source[rows]
        return Batch(
            _picture(found["photo"][photos]),
            _points(found["photo_points"][photos]),
            _picture(found["moved"][rows]),
            _points(found["points"][rows]),
            _picture(found["truth"][rows]),
            _points(found["seen_points"][rows]),
        )

    def draw(self, count: int, crossed: bool, random: np.random.Generator) -> Batch:
        rows = random.choice(self.other, count) if crossed else random.choice(self.own, count, p=self.chance)
        return self.take(rows, self.places[random.integers(len(self.places))])


def _picture(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).permute(0, 3, 1, 2).float() / 255


def _points(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def changed(batch: Batch, region: Region) -> Batch:
    """The same colour change for all pictures of a pair; mouths also mirrored.

    An eye has a side of the nose.
    """
    batch, count = with_other_skin(batch, region), len(batch.photo)
    gain = torch.exp(0.12 * torch.randn(count, 3, 1, 1))
    contrast, shift = torch.exp(0.15 * torch.randn(count, 1, 1, 1)), 0.06 * torch.randn(count, 1, 1, 1)
    gamma = torch.exp(0.22 * torch.randn(count, 1, 1, 1))
    colour = torch.where(torch.rand(count, 1, 1, 1) < GREYED, _between(SATURATION, count).clamp_min(0), 1.0)
    flipped = (torch.rand(count) < 0.5) & (region is MOUTH)

    def picture(x: Tensor) -> Tensor:
        x = torch.where(flipped[:, None, None, None], x.flip(-1), x)
        x = (((x - 0.5) * contrast + 0.5 + shift) * gain).clamp(0.001, 1) ** gamma
        return torch.lerp(x.mean(1, keepdim=True), x, colour).clamp(0, 1)

    def points(p: Tensor) -> Tensor:
        return torch.where(flipped[:, None, None], p[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0]), p)

    changes = zip(Batch.__slots__, (picture, points) * 3, strict=True)
    return Batch(*(change(getattr(batch, name)) for name, change in changes))


def with_other_skin(batch: Batch, region: Region) -> Batch:
    """Change the skin of some pairs, but not eyes and what is inside the mouth.

    Darker, warmer or cooler, greyer or redder.

    The data has few dark faces, and skin and light are red in nearly all of it. A painter that has not seen
    both apart takes dark or grey skin for a light, and paints teeth dark or green.
    """
    count = len(batch.photo)
    chosen = (torch.rand(count, 1, 1, 1) < OTHER_SKIN).float()
    darker = DARKEST * torch.rand(count, 1, 1, 1)
    tint = torch.tensor(WARM_TINT)[:, None, None] ** _between(WARMTH, count)
    colour = _between(SKIN_SATURATION, count)

    def skin(picture: Tensor, opening: Tensor) -> Tensor:
        light = picture.mean(1, keepdim=True).clamp_min(1e-3)
        other = (torch.lerp(light, picture, colour) * light**darker * tint).clamp(0, 1)
        kept = opening * _pale(picture)
        kept = torch.maximum(kept, _deep(opening)) if region is MOUTH else kept
        return torch.lerp(picture, other, chosen * (1 - kept))

    of_photo = _open_share(region, batch.photo_points)
    return replace(
        batch,
        photo=skin(batch.photo, of_photo * _opening(region, batch.photo_points)),
        moved=skin(batch.moved, of_photo * _opening(region, batch.points)),
        truth=skin(batch.truth, _opening(region, batch.seen_points)),
    )


def _between(limits: tuple[float, float], count: int) -> Tensor:
    least, most = limits
    return least + (most - least) * torch.rand(count, 1, 1, 1)


def _open_share(region: Region, points: Tensor) -> Tensor:
    """Return whether lips or lids part, 0 to 1, (B, 1, 1, 1)."""
    upper, lower = (points[:, edge[len(edge) // 2]] for edge in region.gap)
    gap = (upper - lower).norm(dim=1)
    least, enough = OPEN_GAP
    share: Tensor = (gap - least) / (enough - least)
    return share.clamp(0, 1)[:, None, None, None]


def _deep(opening: Tensor) -> Tensor:
    """Return the opening (B, 1, h, w) without its rim.

    The rim may be lip, since landmarks are not exact.
    """
    inner: Tensor = -F.max_pool2d(-opening, 7, 1, 3)
    return F.avg_pool2d(inner, 3, 1, 1)


def _pale(pictures: Tensor) -> Tensor:
    """Return where pictures have little colour, as teeth and eyes, (B, 1, h, w)."""
    most, least = pictures.amax(1, keepdim=True), pictures.amin(1, keepdim=True)
    saturation = (most - least) / most.clamp_min(1e-3)
    low, high = PALE
    return ((high - saturation) / (high - low)).clamp(0, 1)


def _opening(region: Region, points: Tensor) -> Tensor:
    found: Tensor = sketch_of(region, region.width, region.height).opening(points)
    return found


def near_opening(region: Region, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return where lips or lids part, and that with its surroundings.

    (B, 1, h, w) each.

    The second is there for shut eyes and closed lips too.
    """
    drawn = sketch_of(region, region.width // 2, region.height // 2)(points)
    inside, edges = drawn[:, -1:], drawn[:, _edges(region)].amax(1, keepdim=True)
    reach = 2 * (region.width // 16) + 1
    around = F.max_pool2d(torch.maximum(inside, edges), reach, 1, reach // 2)
    around = F.avg_pool2d(around, 5, 1, 2)
    size = (region.height, region.width)
    return F.interpolate(inside, size, mode="bilinear"), F.interpolate(around, size, mode="bilinear")


def _edges(region: Region) -> list[int]:
    """The strokes that bound what opens."""
    bounds = {landmark for edge in region.gap for landmark in edge}
    return [index for index, stroke in enumerate(region.strokes) if bounds.issuperset(stroke)]


def as_seen(batch: Batch, region: Region) -> tuple[Tensor, Tensor]:
    """Return crops and landmarks that codes are read from, changed at random.

    Other colours, light, blur, noise and geometry than the target has, and often other skin around.

    Nothing of these can be carried by the code, since the painter is asked for something else.
    """
    x, count = batch.truth, len(batch.truth)
    _, around = near_opening(region, batch.seen_points)
    foreign = torch.rand(count, 1, 1, 1) < 0.4
    x = relit(torch.where(foreign, around * x + (1 - around) * x.roll(1, 0), x))
    soft = F.avg_pool2d(F.avg_pool2d(x, 3, 1, 1), 3, 1, 1)
    x = torch.lerp(x, soft, torch.rand(count, 1, 1, 1))
    x = x + 0.02 * torch.rand(count, 1, 1, 1) * torch.randn_like(x)
    axes = torch.eye(2) * (region.read_reach / region.reach) * torch.exp(0.05 * torch.randn(count, 1, 1))
    axes = axes + 0.06 * torch.randn(count, 2, 2) * torch.tensor([1.0, 0.6])
    return _read(x, batch.seen_points, torch.cat([axes, 0.05 * torch.randn(count, 2, 1)], 2), region)


def relit(pictures: Tensor) -> Tensor:
    """Change colours, contrast, brightness and gamma, and light from a side.

    Some get glare.
    """
    count = len(pictures)
    mix = torch.eye(3) + 0.12 * torch.randn(count, 3, 3)
    x = torch.einsum("bij,bjhw->bihw", mix, pictures)
    gain = torch.exp(0.3 * torch.randn(count, 3, 1, 1))
    contrast, shift = torch.exp(0.3 * torch.randn(count, 1, 1, 1)), 0.12 * torch.randn(count, 1, 1, 1)
    gamma = torch.exp(0.25 * torch.randn(count, 1, 1, 1))
    x = (((x - 0.5) * contrast + 0.5 + shift) * gain).clamp(0.002, 1) ** gamma
    slope = 0.15 * torch.randn(count, 1, 1, 1) * torch.linspace(-1, 1, x.shape[-1])
    return glared((x * (1 + slope)).clamp(0, 1))


def glared(pictures: Tensor) -> Tensor:
    """Put a soft spot of some colour on a fifth of the pictures.

    As glasses reflect and hands hide.
    """
    count, _, height, width = pictures.shape
    across, down = torch.linspace(-1, 1, width), torch.linspace(-1, 1, height)[:, None]
    x, y = (1.6 * torch.rand(count, 1, 1, 1) - 0.8 for _ in range(2))
    reach, tall = (0.1 + 0.3 * torch.rand(count, 1, 1, 1) for _ in range(2))
    far = ((across - x) / reach) ** 2 + ((down - y) / tall) ** 2
    strength = torch.rand(count, 1, 1, 1) * (torch.rand(count, 1, 1, 1) < 1 / 5)
    return torch.lerp(pictures, torch.rand(count, 3, 1, 1), strength * torch.exp(-far))


def to_read(picture: Tensor, points: Tensor, region: Region) -> tuple[Tensor, Tensor]:
    """Cut out the part of a painted crop that a code is read from, with landmarks."""
    ratio = region.read_reach / region.reach
    affine = torch.tensor([[ratio, 0.0, 0.0], [0.0, ratio, 0.0]]).expand(len(picture), 2, 3)
    return _read(picture, points, affine, region)


def _read(picture: Tensor, points: Tensor, affine: Tensor, region: Region) -> tuple[Tensor, Tensor]:
    grid = F.affine_grid(affine, [len(picture), 3, region.read[1], region.read[0]], align_corners=True)
    seen = F.grid_sample(picture, grid, padding_mode="border", align_corners=True)
    back = torch.linalg.inv(affine[:, :, :2]).transpose(1, 2)
    return seen, (points - affine[:, None, :, 2]) @ back
