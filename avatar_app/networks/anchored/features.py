"""Inputs and outputs of the anchored network's decoder."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from avatar_app.networks.painters import FaceRegions


class Features(NamedTuple):
    """Everything that depends on the photo alone, computed once for each photo.

    Attributes:
        image: (B, 3, H, W) the photo, `detail` times as large as the networks' pictures.
        half: learned features at half the networks' side, and the photo itself.
        person: (B, 1, H, W) alpha of the person, all 1 without a matte.
        background: (B, 3, H, W) the photo without the person.
        body: (B, 1, h, w) alpha of the person at the size of the flow.
        skull: (B, 2) from `skull_size`.
        mouth_half to eyes_eighth: from `painters.FaceRegions`; one number each without painters.
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
    """A picture and its parts.

    Losses read the parts; `layer.moved_layer` reads ``colours`` of the person and ``grid``.
    """

    image: Tensor
    warped: Tensor
    alpha: Tensor
    flow: Tensor
    offset: Tensor
    painted: Tensor
    colours: Tensor
    grid: Tensor
