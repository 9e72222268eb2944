"""The two face networks: a finder of faces, and the 88 landmarks of one face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_app import landmarks
from avatar_app.landmarks import COUNT, indices

LANDMARK_SIDE = 192
FINDER_SIDE = 192
FINDER_STRIDE = 8

EYE_RIGHT = indices(landmarks.RIGHT_EYE, landmarks.RIGHT_IRIS, landmarks.RIGHT_BROW)
EYE_LEFT = tuple(landmarks.MIRRORED[index] for index in EYE_RIGHT)
"""Points of the left eye in the order of the mirrored right eye's, so that one network reads both."""
MOUTH = indices(landmarks.LIPS)


class Normalised(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class Residual(nn.Module):
    """Two 3x3 convolutions with a skip connection.

    At these widths they are faster on a CPU than depthwise ones.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = Normalised(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width))

    def forward(self, features: Tensor) -> Tensor:
        return functional.relu(features + self.second(self.first(features)))


def _stages(widths: tuple[int, ...], blocks: tuple[int, ...], inputs: int = 3) -> nn.Sequential:
    """Return stages that halve the resolution, each followed by residual blocks."""
    layers: list[nn.Module] = []
    for width, count in zip(widths, blocks, strict=True):
        layers.append(Normalised(inputs, width, stride=2))
        layers.extend(Residual(width) for _ in range(count))
        inputs = width
    return nn.Sequential(*layers)


class Regressor(nn.Module):
    """A small network from a square picture to numbers."""

    def __init__(
        self,
        side: int,
        widths: tuple[int, ...],
        blocks: tuple[int, ...],
        squeeze: int,
        hidden: int,
        outputs: int,
    ) -> None:
        super().__init__()
        last = side // 2 ** len(widths)
        self.tower = _stages(widths, blocks)
        self.squeeze = Normalised(widths[-1], squeeze, kernel=1)
        self.hidden = nn.Linear(squeeze * last * last, hidden)
        self.last = nn.Linear(hidden, outputs)

    def forward(self, picture: Tensor) -> Tensor:
        features = self.squeeze(self.tower(picture)).flatten(1)
        out: Tensor = self.last(functional.relu(self.hidden(features)))
        return out


@dataclass(frozen=True, slots=True)
class LandmarkConfig:
    """Widths of the landmark network.

    Patches are read from the full picture, the first stage from half of it.
    """

    widths: tuple[int, ...] = (16, 32, 64, 96)
    blocks: tuple[int, ...] = (0, 2, 2, 2)
    patch_widths: tuple[int, ...] = (16, 32, 64)
    patch_blocks: tuple[int, ...] = (0, 1, 1)
    eye_side: int = 48
    mouth_side: int = 56
    hidden: int = 256


class Landmarks(NamedTuple):
    """Output of the landmark network for a batch of crops.

    Attributes:
        points: (B, 88, 3) in [-1, 1] of the crop, edges at -1 and 1 (``align_corners=False``); z in the same
            unit.
        presence: (B,) logit of "a face fills this crop".
        coarse: (B, 88, 3) before the refinement of eyes and mouth.
    """

    points: Tensor
    presence: Tensor
    coarse: Tensor


class LandmarkNet(nn.Module):
    """Square face crop -> landmarks, in two steps.

    A regressor reads the whole crop at half resolution. Lids and lips need more: patches around both eyes and
    the mouth are cut from the full crop, upright and scaled by the face, and a small regressor for each
    corrects the points there.
    """

    eye_grid: Tensor
    mouth_grid: Tensor
    mean: Tensor
    untouched: Tensor
    place: Tensor

    def __init__(self, config: LandmarkConfig | None = None) -> None:
        super().__init__()
        config = config or LandmarkConfig()
        self.config = config
        self.face = Regressor(
            LANDMARK_SIDE // 2, config.widths, config.blocks, 32, config.hidden, COUNT * 3 + 1
        )
        patch = (config.patch_widths, config.patch_blocks, 24, config.hidden // 2)
        self.eye = Regressor(config.eye_side, *patch, outputs=len(EYE_RIGHT) * 2)
        self.mouth = Regressor(config.mouth_side, *patch, outputs=len(MOUTH) * 2)
        self.register_buffer("eye_grid", _grid(config.eye_side), persistent=False)
        self.register_buffer("mouth_grid", _grid(config.mouth_side), persistent=False)
        self.register_buffer("mean", torch.zeros(COUNT, 3))
        refined = (*EYE_RIGHT, *EYE_LEFT, *MOUTH)
        untouched = [point for point in range(COUNT) if point not in refined]
        self.register_buffer("untouched", torch.tensor(untouched), persistent=False)
        self.register_buffer("place", torch.tensor([*refined, *untouched]).argsort(), persistent=False)

    def forward(self, crop: Tensor, jitter: float = 0.0) -> Landmarks:
        """Read landmarks of crops (B, 3, 192, 192) in 0..1.

        Args:
            crop: the face upright, forehead to chin about 70 % of the side.
            jitter: training only: random shift of the patches, in patch halves.
        """
        centred = crop * 2 - 1
        out = self.face(functional.avg_pool2d(centred, 2))
        coarse = self.mean + out[:, :-1].reshape(-1, COUNT, 3)
        points = self._refined(centred, coarse, jitter)
        return Landmarks(points, out[:, -1], coarse)

    def _refined(self, picture: Tensor, coarse: Tensor, jitter: float) -> Tensor:
        flat = coarse[..., :2].detach()
        right_eye, left_eye = flat[:, landmarks.RIGHT_EYE].mean(1), flat[:, landmarks.LEFT_EYE].mean(1)
        lips = flat[:, landmarks.OUTER_LIPS].mean(1)
        # Half-axes of an upright patch. The longer of "between the eyes" and "eyes to mouth" is stable when
        # the head turns.
        across = left_eye - right_eye
        down = lips - (right_eye + left_eye) / 2
        size = torch.maximum(across.norm(dim=1, keepdim=True), 0.9 * down.norm(dim=1, keepdim=True))
        axis = across / across.norm(dim=1, keepdim=True).clamp_min(1e-4) * size
        other = torch.stack([-axis[:, 1], axis[:, 0]], 1)

        right = self._patch(
            self.eye, self.eye_grid, picture, right_eye - 0.14 * other, 0.52 * axis, 0.52 * other, jitter
        )
        left = self._patch(
            self.eye, self.eye_grid, picture, left_eye - 0.14 * other, -0.52 * axis, 0.52 * other, jitter
        )
        mouth = self._patch(
            self.mouth, self.mouth_grid, picture, lips + 0.04 * other, 0.66 * axis, 0.66 * other, jitter
        )
        fine = torch.cat([right, left, mouth], 1)
        position = torch.cat([fine, coarse[:, self.untouched, :2]], 1)
        return torch.cat([position[:, self.place], coarse[..., 2:]], 2)

    def _patch(
        self,
        tower: nn.Module,
        grid: Tensor,
        picture: Tensor,
        centre: Tensor,
        axis: Tensor,
        other: Tensor,
        jitter: float,
    ) -> Tensor:
        if jitter > 0:
            push = torch.randn(len(centre), 2, 1, device=centre.device) * jitter
            scale = torch.exp(torch.randn(len(centre), 1, device=centre.device) * jitter)
            centre = centre + push[:, 0] * axis + push[:, 1] * other
            axis, other = axis * scale, other * scale
        frame = torch.stack([axis, other], 1)
        side = round(len(grid) ** 0.5)
        where = (grid @ frame + centre[:, None]).reshape(-1, side, side, 2)
        patch = functional.grid_sample(picture, where, align_corners=False, padding_mode="border")
        local = tower(patch).unflatten(1, (-1, 2))
        out: Tensor = local @ frame + centre[:, None]
        return out


def _grid(side: int) -> Tensor:
    """Return (side * side, 2) pixel centres of a square in [-1, 1], x first."""
    line = (torch.arange(side) * 2 + 1) / side - 1
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2)


class FaceFinder(nn.Module):
    """Finds faces in a whole picture: centre, size and roll for each 8x8 pixels.

    Output (B, 6, side / 8, side / 8): score logit; offset x, y in cells from the cell's centre; log2 of the
    face's size in cells; cosine and sine of its roll.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (12, 24, 48, 64)) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.fine = _stages((first, second, third), (0, 1, 2))
        self.middle = nn.Sequential(Normalised(third, fourth, stride=2), Residual(fourth), Residual(fourth))
        self.coarse = nn.Sequential(Normalised(fourth, fourth, stride=2), Residual(fourth), Residual(fourth))
        self.from_coarse = Normalised(fourth, fourth, kernel=1)
        self.from_middle = Normalised(fourth, third, kernel=1)
        self.head = nn.Sequential(Normalised(third, third), nn.Conv2d(third, 6, 1))

    def forward(self, picture: Tensor) -> Tensor:
        fine = self.fine(picture * 2 - 1)
        middle = self.middle(fine)
        coarse = self.from_coarse(self.coarse(middle))
        middle = middle + functional.interpolate(coarse, scale_factor=2.0, mode="nearest")
        fine = fine + functional.interpolate(self.from_middle(middle), scale_factor=2.0, mode="nearest")
        out: Tensor = self.head(fine)
        return out
