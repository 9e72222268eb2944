"""Augment both frames of a pair alike, at random, in batches.

Geometry changes picture and landmarks alike; a smooth deformation adds face shapes that the data does not
have. Colour changes are the same for both frames: the look of a frame is not part of the motion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_app.landmarks import MIRRORED


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Strengths; 0 disables a change.

    Attributes:
        rotation: largest angle, radians.
        scale: largest relative change of size (both ways).
        aspect: largest relative change of the ratio of sides.
        shift: largest shift, in [-1, 1] units.
        deform: typical size of the smooth deformation, in [-1, 1] units.
        colour: brightness, contrast and saturation changes (1 = up to double).
        flip: mirror some of the pairs.
        hue: largest turn of the colour circle (0.5 = to the opposite colour).
        flip_share: fraction of mirrored pairs.
        point_noise: standard deviation of the noise on driving landmarks, in [-1, 1] units.
    """

    rotation: float = 0.25
    scale: float = 0.2
    aspect: float = 0.1
    shift: float = 0.12
    deform: float = 0.03
    colour: float = 0.3
    flip: bool = True
    point_noise: float = 0.004
    hue: float = 0.0
    flip_share: float = 0.5


@dataclass(slots=True)
class Pair:
    """A batch of pairs.

    Pictures (B, 3, S, S) in [0, 1], landmarks (B, P, 2) or None, weight (B, 1, S, S) of each driving pixel.
    """

    source: Tensor
    driving: Tensor
    source_points: Tensor | None
    driving_points: Tensor | None
    weight: Tensor


def uniform(shape: tuple[int, ...], limit: float, random: torch.Generator) -> Tensor:
    return (torch.rand(shape, generator=random, device=random.device) * 2 - 1) * limit


class Deformation:
    """A random affine map plus a smooth displacement field.

    From output to input coordinates.
    """

    def __init__(self, batch: int, config: AugmentConfig, random: torch.Generator) -> None:
        angle = uniform((batch,), config.rotation, random)
        scale = torch.exp(uniform((batch,), config.scale, random))
        stretch = torch.exp(uniform((batch,), config.aspect, random))
        cos, sin = angle.cos() * scale, angle.sin() * scale
        self.matrix = torch.stack(
            [torch.stack([cos * stretch, -sin], -1), torch.stack([sin * stretch, cos], -1)], 1
        )
        self.shift = uniform((batch, 2), config.shift, random)
        self.field = torch.randn((batch, 2, 4, 4), generator=random, device=random.device) * config.deform

    def displacement(self, z: Tensor) -> Tensor:
        """Return the bicubic value of the coarse field at z (B, N, 2)."""
        sampled: Tensor = F.grid_sample(
            self.field, z[:, :, None], mode="bicubic", padding_mode="border", align_corners=True
        )
        return sampled[..., 0].transpose(1, 2)

    def __call__(self, z: Tensor) -> Tensor:
        moved = z + self.displacement(z)
        placed: Tensor = moved @ self.matrix.transpose(1, 2) + self.shift[:, None]
        return placed

    def inverse(self, points: Tensor) -> Tensor:
        """Map input points (B, N, 2) to the output.

        A few fixed-point steps invert the small smooth part.
        """
        target: Tensor = (points - self.shift[:, None]) @ torch.linalg.inv(self.matrix).transpose(1, 2)
        z = target
        for _ in range(6):
            z = target - self.displacement(z)
        return z

    def warp(self, picture: Tensor, size: int) -> Tensor:
        line = torch.linspace(-1, 1, size, device=picture.device)
        y, x = torch.meshgrid(line, line, indexing="ij")
        z = torch.stack([x, y], -1).view(1, -1, 2).expand(len(picture), -1, -1)
        moved: Tensor = F.grid_sample(
            picture, self(z).view(-1, size, size, 2), padding_mode="reflection", align_corners=True
        )
        return moved


def recolour(pictures: list[Tensor], strength: float, random: torch.Generator) -> list[Tensor]:
    """Change brightness, contrast, gamma, tint and saturation alike for all pictures.

    Each is (B, 3, S, S).
    """
    batch = len(pictures[0])
    contrast = torch.exp(uniform((batch, 1, 1, 1), strength, random))
    brightness = uniform((batch, 1, 1, 1), 0.4 * strength, random)
    tint = uniform((batch, 3, 1, 1), 0.2 * strength, random)
    gamma = torch.exp(uniform((batch, 1, 1, 1), strength, random))
    saturation = 1 + uniform((batch, 1, 1, 1), 1.5 * strength, random)
    result = []
    for picture in pictures:
        changed = (picture.clamp(1e-4, 1) ** gamma - 0.5) * contrast + 0.5 + brightness + tint
        grey = changed.mean(1, keepdim=True)
        result.append((grey + (changed - grey) * saturation).clamp(0, 1))
    return result


def turn_hue(pictures: list[Tensor], limit: float, random: torch.Generator) -> list[Tensor]:
    """Turn the colours of all pictures alike about the grey axis of the colour cube."""
    angle = uniform((len(pictures[0]),), 2 * math.pi * limit, random)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    across = torch.full((3, 3), 1 / 3, device=random.device)
    turned = torch.tensor(
        [[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]], device=random.device
    ) / math.sqrt(3)
    matrix = cos * torch.eye(3, device=random.device) + (1 - cos) * across + sin * turned
    return [torch.einsum("bij,bjhw->bihw", matrix, picture).clamp(0, 1) for picture in pictures]


def mirror(pair: Pair, chosen: Tensor) -> Pair:
    """Mirror the chosen (B,) pairs left to right."""

    def picture(x: Tensor) -> Tensor:
        return torch.where(chosen[:, None, None, None], x.flip(3), x)

    def points(p: Tensor | None) -> Tensor | None:
        if p is None:
            return None
        flipped = p[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0], device=p.device)
        return torch.where(chosen[:, None, None], flipped, p)

    return Pair(
        picture(pair.source),
        picture(pair.driving),
        points(pair.source_points),
        points(pair.driving_points),
        picture(pair.weight),
    )


def augment(
    pair: Pair, size: int, config: AugmentConfig, random: torch.Generator, lone: Tensor | None = None
) -> Pair:
    """Augment a pair to the side ``size``.

    Args:
        lone: (B,) true where both frames are the same still: the driving frame then gets a deformation of its
            own, so that there is motion to learn.
    """
    batch = len(pair.source)
    common = Deformation(batch, config, random)
    own = Deformation(batch, AugmentConfig(0.15, 0.1, 0.05, 0.08, 0.04), random)

    def place(picture: Tensor, again: bool) -> Tensor:
        moved = common.warp(picture, size)
        if not again or lone is None or not bool(lone.any()):
            return moved
        return torch.where(lone[:, None, None, None], own.warp(moved, size), moved)

    def place_points(points: Tensor | None, again: bool) -> Tensor | None:
        if points is None:
            return None
        moved = common.inverse(points)
        return (
            torch.where(lone[:, None, None], own.inverse(moved), moved)
            if again and lone is not None
            else moved
        )

    driving = place(torch.cat([pair.driving, pair.weight], 1), True)
    source, target = recolour([place(pair.source, False), driving[:, :3]], config.colour, random)
    if config.hue:
        source, target = turn_hue([source, target], config.hue, random)
    changed = Pair(
        source,
        target,
        place_points(pair.source_points, False),
        place_points(pair.driving_points, True),
        driving[:, 3:],
    )
    if config.flip:
        changed = mirror(
            changed, torch.rand(batch, generator=random, device=random.device) < config.flip_share
        )
    if changed.driving_points is not None and config.point_noise:
        shape = changed.driving_points.shape
        amount = torch.rand((batch, 1, 1), generator=random, device=random.device) * config.point_noise
        changed.driving_points = (
            changed.driving_points + torch.randn(shape, generator=random, device=random.device) * amount
        )
    return changed
