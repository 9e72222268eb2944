"""What the anchored network computes of a photo, and what it renders."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from avatar_app.networks.painters import FaceRegions


class Features(NamedTuple):
    """Everything that depends on the photo alone, computed once per photo.

    Attributes:
        image: (B, 3, H, W) the photo, `detail` times as large as the networks' pictures.
        half: learned features at half the networks' side, and the photo itself.
        person: (B, 1, H, W) alpha of the person in each pixel, all 1 without a matte.
        background: (B, 3, H, W) the photo without the person.
        body: (B, 1, h, w) the alpha of the person at the size of the flow.
        skull: (B, 2) of `skull_size`.
        mouth_half to eyes_eighth: of `painters.FaceRegions`; of one number each without painters.
    """

    image: Tensor
    half: Tensor
    quarter: Tensor
    eighth: Tensor
    motion: Tensor
    points: Tensor
    person: Tensor
    background: Tensor
    body: Tensor
    skull: Tensor
    mouth_half: Tensor
    mouth_quarter: Tensor
    mouth_eighth: Tensor
    eyes_half: Tensor
    eyes_quarter: Tensor
    eyes_eighth: Tensor

    @property
    def regions(self) -> FaceRegions:
        return FaceRegions(*self[-len(FaceRegions._fields) :])


class Rendered(NamedTuple):
    """A picture and the parts it was made of.

    For losses, and ``colours`` of the person and ``grid`` for `layer.moved_layer`.
    """

    image: Tensor
    warped: Tensor
    alpha: Tensor
    flow: Tensor
    offset: Tensor
    painted: Tensor
    colours: Tensor
    grid: Tensor
