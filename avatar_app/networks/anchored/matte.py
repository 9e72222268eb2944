"""Find the person in a photo and fill in the background behind.

Both happen once for each photo. The background then stands still while the person moves in front of it; only
what the person uncovers has to be guessed.

Shapes: B batch, S the picture's side, grids in [-1, 1] with ``align_corners=True``.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app import landmarks
from avatar_app.networks.blocks import conv
from avatar_app.networks.grid import coordinate_grid

SIDE = 128
"""Side of the network's picture; the guided filter brings the outline back to the photo's own edges."""

WIDTHS = (16, 32, 48, 64, 96)

SURE = 0.55, 0.25
"""Middle and half width of the range to which alpha is stretched: the values that agree best with a teacher
on people outside of the training data.
"""


ALONG_ROWS, ALONG_COLUMNS = ((3, 2), (1, 2), (1, 0)), ((2, 1), (2, 1), (0, 0))
"""Kernel, stride and padding that halve a picture. Rows are mixed slightly with their neighbours, otherwise
each would become a streak.
"""


class PersonMatte(nn.Module):
    """A U-Net that separates person from background, given photo and landmarks."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        self.stem = conv(6, widths[0])
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(
            [nn.Sequential(conv(fine, coarse, stride=2), conv(coarse, coarse)) for fine, coarse in pairs]
        )
        self.mid = nn.Sequential(conv(widths[-1], widths[-1]), conv(widths[-1], widths[-1]))
        self.up = nn.ModuleList([conv(coarse + fine, fine) for fine, coarse in reversed(pairs)])
        self.coarse = nn.Conv2d(widths[0], 1, 3, padding=1)

    def forward(self, picture: Tensor, points: Tensor) -> Tensor:
        """Return logits (B, 1, SIDE, SIDE) for pictures (B, 3, SIDE, SIDE) in [0, 1].

        Landmarks are (B, 88, 2).
        """
        seen = [self.stem(torch.cat([picture, face_frame(points, picture.shape[-1])], 1))]
        for down in self.down:
            seen.append(down(seen[-1]))
        x = self.mid(seen.pop())
        for up in self.up:
            x = up(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), seen.pop()], 1))
        logits: Tensor = self.coarse(x)
        return logits


def head_offsets(points: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Measure each pixel's offset from the head's middle line and from the chin.

    In face heights, upwards for the chin: (B, 1, side, side) each.

    Args:
        points: (B, 88, 2).
    """
    chin, top = points[:, landmarks.CHIN], points[:, landmarks.FOREHEAD]
    height = (top - chin).norm(dim=1, keepdim=True).clamp_min(1e-3)
    up = (top - chin) / height
    right = torch.stack([-up[:, 1], up[:, 0]], 1)
    from_chin = coordinate_grid(side, side, points.device).permute(2, 0, 1)[None] - chin[:, :, None, None]
    beside, above = (
        (from_chin * axis[:, :, None, None]).sum(1, keepdim=True) / height[:, :, None, None]
        for axis in (right, up)
    )
    return beside.abs(), above


def face_frame(points: Tensor, side: int) -> Tensor:
    """Return (B, 3, side, side): limited `head_offsets`, and a bell over the face."""
    beside, above = head_offsets(points, side)
    bell = torch.exp(-0.5 * (beside**2 + (above - 0.5) ** 2) / 0.3**2)
    return torch.cat([beside.clamp_max(3), above.clamp(-3, 3), bell], 1)


def matte(network: PersonMatte, image: Tensor, points: Tensor) -> Tensor:
    """Return the person's alpha (B, 1, S, S) in photos (B, 3, S, S).

    Args:
        points: landmarks, (B, 88, 2).
    """
    small = F.adaptive_avg_pool2d(image, SIDE)
    alpha = torch.sigmoid(network(small, points))
    alpha = guided(small, alpha, image, radius=4, slack=1e-3)
    middle, reach = SURE
    return ((alpha - middle) / (2 * reach) + 0.5).clamp(0, 1)


def guided(small: Tensor, alpha: Tensor, image: Tensor, radius: int, slack: float) -> Tensor:
    """Enlarge an alpha (B, 1, s, s) by the guided filter (He et al. 2013).

    The result is, locally, a linear function of the grey picture.
    """

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2 * radius + 1, 1, radius, count_include_pad=False)

    grey = small.mean(1, keepdim=True)
    grey_mean, alpha_mean = mean(grey), mean(alpha)
    slope = (mean(grey * alpha) - grey_mean * alpha_mean) / (mean(grey * grey) - grey_mean**2 + slack)
    offset = alpha_mean - slope * grey_mean
    slope, offset = (
        F.interpolate(mean(x), size=image.shape[-2:], mode="bilinear", align_corners=False)
        for x in (slope, offset)
    )
    return (slope * image.mean(1, keepdim=True) + offset).clamp(0, 1)


def background(image: Tensor, person: Tensor) -> Tensor:
    """Fill the person in a photo (B, 3, S, S) from the surroundings.

    Push-pull (Gortler et al. 1996, section 3.4), along rows first: horizons and sofa backs continue sideways,
    and a head hides more height than width. Rows that are covered completely are filled from above.
    """
    margin = image.shape[-1] // 64
    covered = F.max_pool2d((person > 0.1).to(image.dtype), 2 * margin + 1, 1, margin)
    known = (1 - F.avg_pool2d(covered, margin // 2 * 2 + 1, 1, margin // 2, count_include_pad=False)) * (
        1 - covered
    )
    sums, weights = [image * known], [known]
    while sums[-1].shape[-2] > 4:
        kernel, stride, padding = ALONG_ROWS if sums[-1].shape[-1] > 1 else ALONG_COLUMNS
        for pyramid in (sums, weights):
            pyramid.append(F.avg_pool2d(pyramid[-1], kernel, stride, padding, count_include_pad=False))
    filled = sums[-1].sum((2, 3), keepdim=True) / weights[-1].sum((2, 3), keepdim=True).clamp_min(1e-4)
    for total, weight in zip(reversed(sums), reversed(weights), strict=True):
        filled = F.interpolate(filled, size=total.shape[-2:], mode="bilinear", align_corners=False)
        trust = (weight * 4).clamp_max(1)
        filled = trust * total / weight.clamp_min(1e-4) + (1 - trust) * filled
    return filled
