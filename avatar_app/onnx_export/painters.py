"""Painters of mouth and eyes in the order that is fastest on processors.

The same as `networks.painters`. All that depends on the code alone is one matrix product. The photo is looked
up for all regions at once, in the order that the networks read. The last layers work on four interleaved
pictures, which one convolution blurs, and weave them as bytes.

Shapes: without batch unless it says (B, ...).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.networks.painters import (
    COARSE,
    FacePainter,
    FaceRegions,
    Modulation,
    PhotoRegion,
    RegionPainter,
)
from avatar_app.networks.regions import EYE, MOUTH, Region
from avatar_app.onnx_export.layers import weave_bytes
from avatar_app.onnx_export.photo import look_up
from avatar_app.onnx_export.regions import EYES, Places, Stamps, affine_grid


class QuickFace(nn.Module):
    """`painters.FacePainter`, faster.

    Mouth (1, h, w, 4) and eyes (2, h, w, 4) as bytes, and frames (3, 2, 3): `painters.PaintedFace`.
    """

    mouth_grid: Tensor
    eye_grid: Tensor

    def __init__(self, face: FacePainter) -> None:
        super().__init__()
        self.places = Places()
        self.mouth, self.eye = QuickPainter(face.mouth), QuickPainter(face.eye)
        self.mouth_sketch = Stamps(MOUTH, MOUTH.width // 2, MOUTH.height // 2, 1)
        self.eye_sketch = Stamps(EYE, EYE.width // 2, EYE.height // 2, EYES)
        self.mouth_larger, self.eye_larger = PhaseEnlarging(MOUTH), PhaseEnlarging(EYE)
        self.register_buffer("mouth_grid", affine_grid(*self.mouth_larger.few), persistent=False)
        self.register_buffer("eye_grid", affine_grid(*self.eye_larger.few), persistent=False)

    def forward(
        self, known: FaceRegions, pixels: Tensor, flow: Tensor, points: Tensor, code: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Paint mouth and eyes of a pose.

        Args:
            pixels: the photo, from `photo.neighbours`.
            flow, points, code: as for `painters.FacePainter`, batches of 1.
        """
        frames, lips, lids = self.places(points[0])
        where = torch.cat([self.mouth_grid @ frames[0], (self.eye_grid @ frames[1:]).reshape(-1, 2)])
        moved = F.grid_sample(flow, where[None, None], padding_mode="border", align_corners=True)
        lip_places, lid_places = torch.split(
            moved[0, :, 0], [len(self.mouth_grid), EYES * len(self.eye_grid)], 1
        )
        lip_places, lid_places = self.mouth_larger(lip_places), self.eye_larger(lid_places)
        colours = look_up(pixels, torch.cat([lip_places, lid_places], 1)) * (2 / 255) - 1
        lip_colours, lid_colours = torch.split(colours, [lip_places.shape[1], lid_places.shape[1]], 1)
        mouth = self.mouth(
            PhotoRegion(*known[:3]),
            torch.cat([self.mouth_larger.maps(lip_colours), self.mouth_sketch(lips)], 1),
            code[:, : MOUTH.codes],
        )
        eyes = self.eye(
            PhotoRegion(*known[3:]),
            torch.cat([self.eye_larger.maps(lid_colours), self.eye_sketch(lids)], 1),
            code[:, MOUTH.codes :].reshape(EYES, EYE.codes),
        )
        return mouth, eyes, frames.transpose(1, 2)


class QuickPainter(nn.Module):
    """`painters.RegionPainter`, faster.

    What it sees and codes (B, codes) -> bytes (B, H, W, 4).
    """

    weight: Tensor
    bias: Tensor
    levels: Tensor

    def __init__(self, painter: RegionPainter) -> None:
        super().__init__()
        self.painter = painter
        shifts = [module.linear for module in painter.by_code if isinstance(module, Modulation)]
        linears = [painter.spread, *shifts]
        bias = torch.cat([linear.bias.detach() for linear in linears])
        self.counts = [len(painter.spread.bias)]
        for linear in shifts:
            channels, before = linear.out_features // 2, sum(self.counts)
            bias[before : before + channels] += 1
            self.counts += [channels, channels]
        weight = torch.cat([linear.weight.detach() for linear in linears])
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.blur = phase_blur(painter.blur.weight[0, 0])
        height, width = painter.region.height // 2, painter.region.width // 2
        levels = torch.full((2, 2, 4, height, width), 255.0)
        levels[:, :, 3] *= painter.rim.reshape(height, 2, width, 2).permute(1, 3, 0, 2)
        # Beyond the border are zeros, not the picture mirrored: they must not darken it.
        levels = levels.reshape(1, 16, height, width) / self.blur(torch.ones(1, 16, height, width))
        self.register_buffer("levels", levels, persistent=False)

    def forward(self, known: PhotoRegion, seen: Tensor, code: Tensor) -> Tensor:
        values = F.linear(code, self.weight, self.bias)[..., None, None]
        spread, *parts = torch.split(values, self.counts, 1)
        x = self.painter.maps(known, seen, spread, list(zip(parts[::2], parts[1::2], strict=True)))
        return weave_bytes(self.blur(torch.sigmoid(x)) * self.levels)


def phase_blur(weight: Tensor) -> nn.Conv2d:
    """Return a blur of shuffled pixels as a convolution before the shuffle.

    Of 4 channels, with the same kernel (3, 3). They are by channel, odd row and odd column before it, by odd
    row, odd column and channel after it.
    """
    points = F.pixel_shuffle(F.pad(torch.eye(4)[:, :, None, None], (1, 1, 1, 1)), 2)
    phases = F.pixel_unshuffle(F.conv2d(points, weight[None, None], padding=1), 2).flip(2, 3)
    blur = nn.Conv2d(16, 16, 3, padding=1, bias=False)
    blur.weight.data = torch.einsum("iohw,ck->ockihw", phases, torch.eye(4)).reshape(16, 16, 3, 3)
    return blur.requires_grad_(False)


class PhaseEnlarging(nn.Module):
    """Enlarge coarse positions (2, B * h * w) of a region to those of its pixels.

    (2, B * H * W), those of each crop in the order odd row, odd column, row, column.
    """

    down: Tensor
    across: Tensor

    def __init__(self, region: Region) -> None:
        super().__init__()
        self.size = region.height // 2, region.width // 2
        self.few = region.height // COARSE, region.width // COARSE
        down, across = (
            between_pixels(few, 2 * many).reshape(many, 2, few).transpose(0, 1)
            for few, many in zip(self.few, self.size, strict=True)
        )
        self.register_buffer("down", down[:, None], persistent=False)
        self.register_buffer("across", across.transpose(1, 2)[None], persistent=False)

    def forward(self, places: Tensor) -> Tensor:
        few = places.reshape(2, -1, 1, 1, *self.few)
        return (self.down @ few @ self.across).reshape(2, -1)

    def maps(self, colours: Tensor) -> Tensor:
        """Return colours (3, B * H * W) in that order as maps (B, 12, H / 2, W / 2)."""
        return colours.reshape(3, -1, 4, *self.size).transpose(0, 1).reshape(-1, 12, *self.size)


def between_pixels(few: int, many: int) -> Tensor:
    """Return (many, few), which times values of ``few`` pixels are those of ``many``.

    Corners are aligned.
    """
    position = torch.arange(many, dtype=torch.float64) * (few - 1) / (many - 1)
    return (1 - (position[:, None] - torch.arange(few)).abs()).clamp_min(0).float()
