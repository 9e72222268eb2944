"""The reader of expressions in the order that is fastest on processors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.networks.expression import ExpressionReader
from avatar_app.networks.regions import EYE, MOUTH, Region
from avatar_app.onnx_export.regions import EYES, Places, Stamps, affine_grid


class QuickReader(nn.Module):
    """`networks.expression.ExpressionReader`, faster.

    Bytes (1, S, S, 3) and points (1, 88, 2) -> code (1, 24).
    """

    mouth_grid: Tensor
    eye_grid: Tensor

    def __init__(self, reader: ExpressionReader) -> None:
        super().__init__()
        self.places = Places(reading=True)
        self.mouth, self.eye = reader.mouth, reader.eye
        self.mouth_sketch, self.eye_sketch = Stamps(MOUTH, *MOUTH.read, 1), Stamps(EYE, *EYE.read, EYES)
        self.register_buffer("mouth_grid", affine_grid(*MOUTH.read[::-1]), persistent=False)
        self.register_buffer("eye_grid", affine_grid(*EYE.read[::-1]), persistent=False)

    def forward(self, image: Tensor, points: Tensor) -> Tensor:
        picture = image.permute(0, 3, 1, 2).float()
        frames, lips, lids = self.places(points[0])
        mouth = crops(picture, self.mouth_grid @ frames[0], MOUTH)
        eyes = crops(picture, self.eye_grid @ frames[1:], EYE)
        codes = (
            self.mouth.code(torch.cat([mouth, self.mouth_sketch(lips)], 1)),
            self.eye.code(torch.cat([eyes, self.eye_sketch(lids)], 1)),
        )
        return torch.cat([code.reshape(1, -1) for code in codes], 1)


def crops(picture: Tensor, places: Tensor, region: Region) -> Tensor:
    """Cut crops (B, 3, h, w) in [-1, 1] out of a picture (1, 3, S, S) in [0, 255].

    Args:
        places: (B * h * w, 2) of their pixels, in [-1, 1].
    """
    width, height = region.read
    found = F.grid_sample(picture, places.reshape(1, -1, width, 2), padding_mode="border", align_corners=True)
    return (found * (2 / 255) - 1).reshape(3, -1, height, width).transpose(0, 1)
