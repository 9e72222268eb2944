"""Paint mouth and eyes at the picture's own resolution.

From the moved photo, landmarks and an expression code. Shapes: B batch, H x W the region's crop; c1, c2, c3
channels at 1/2, 1/4 and 1/8 of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.networks.blocks import Blur, conv
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.regions import (
    EYE,
    MOUTH,
    Region,
    RegionSketch,
    crop,
    frames,
    region_points,
    sample,
    to_crop,
    to_picture,
)

RIM = 0.16
"""Fraction of a crop's half side over which its border fades out."""

COARSE = 4
"""Pixels of a crop between samples of the flow, which is smooth."""

CHANNELS = {"mouth": (24, 48, 80), "eye": (20, 40, 64)}


class PhotoRegion(NamedTuple):
    """Features of a photo's own region, computed once for each photo."""

    half: Tensor
    quarter: Tensor
    eighth: Tensor


class Painted(NamedTuple):
    """A painted crop.

    Attributes:
        colours: (B, 3, H, W) in [0, 1].
        alpha: (B, 1, H, W), of the colours over the moved photo; 0 at the crop's border.
    """

    colours: Tensor
    alpha: Tensor


class Modulation(nn.Module):
    """Gain and shift of channels, (B, channels, 1, 1) each, from the code."""

    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(codes, 2 * channels)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, code: Tensor) -> tuple[Tensor, Tensor]:
        gain, shift = self.linear(code)[..., None, None].chunk(2, 1)
        return 1 + gain, shift


class RegionEncoder(nn.Module):
    """Encodes the photo's own crop of one kind of region, once for each photo."""

    def __init__(self, region: Region, channels: tuple[int, int, int]) -> None:
        super().__init__()
        half, quarter, eighth = channels
        self.region = region
        self.sketch = RegionSketch(region, region.width // 2, region.height // 2)
        self.photo_half = conv(self.seen_channels, half)
        self.photo_quarter = nn.Sequential(conv(half, quarter, 3, 2), conv(quarter, quarter))
        self.photo_eighth = nn.Sequential(conv(quarter, eighth, 3, 2), conv(eighth, eighth))
        self.to_half, self.to_quarter, self.to_eighth = (nn.Conv2d(width, width, 1) for width in channels)

    @property
    def seen_channels(self) -> int:
        """Channels of a crop at half its size, with the sketch of its landmarks."""
        return 12 + len(self.region.strokes) + 1

    def photo(self, picture: Tensor, points: Tensor) -> PhotoRegion:
        """Encode a crop (B, 3, H, W) with its landmarks (B, 88, 2)."""
        half = self.photo_half(self._seen(picture, points))
        quarter = self.photo_quarter(half)
        eighth = self.photo_eighth(quarter)
        return PhotoRegion(self.to_half(half), self.to_quarter(quarter), self.to_eighth(eighth))

    def _seen(self, picture: Tensor, points: Tensor) -> Tensor:
        return torch.cat([F.pixel_unshuffle(picture * 2 - 1, 2), self.sketch(points)], 1)


class RegionPainter(RegionEncoder):
    """Paints one kind of region: ``photo`` once a photo, ``forward`` for each frame.

    It inherits from the encoder so that weights have the same names for both.
    """

    rim: Tensor

    def __init__(self, region: Region, channels: tuple[int, int, int]) -> None:
        super().__init__(region, channels)
        half, quarter, eighth = channels
        codes = region.codes
        self.stem = nn.Conv2d(self.seen_channels, half, 3, padding=1)
        self.down_quarter = nn.Conv2d(half, quarter, 3, 2, 1)
        self.down_eighth = nn.Conv2d(quarter, eighth, 3, 2, 1)
        self.spread = nn.Linear(codes, 8 * (region.width // 8) * (region.height // 8))
        self.middle = nn.Sequential(conv(eighth + 8, eighth), conv(eighth, eighth))
        self.after = conv(eighth, eighth)
        self.narrow_quarter, self.narrow_half = nn.Conv2d(eighth, quarter, 1), nn.Conv2d(quarter, half, 1)
        self.merge_quarter, self.merge_half = conv(2 * quarter, quarter), conv(2 * half, half)
        self.refine = conv(half, half)
        self.paint = nn.Conv2d(half, 16, 3, padding=1)
        self.blur = Blur(4)
        self.by_code = nn.ModuleList(Modulation(codes, width) for width in (eighth, quarter, half))
        self.register_buffer("rim", _window(region), persistent=False)

    def forward(self, known: PhotoRegion, moved: Tensor, points: Tensor, code: Tensor) -> Painted:
        """Paint a crop.

        Args:
            moved: (B, 3, H, W) the moved photo.
            points: (B, 88, 2) landmarks of the pose in the crop.
            code: (B, codes) of the expression.
        """
        shifts = [modulation(code) for modulation in self.by_code]
        parts = torch.sigmoid(self.maps(known, self._seen(moved, points), self.spread(code), shifts))
        # The critic rewards the fine stripes that a pixel shuffle can draw; blurring removes them.
        out = self.blur(F.pixel_shuffle(parts, 2))
        return Painted(out[:, :3], out[:, 3:] * self.rim)

    def maps(
        self, known: PhotoRegion, seen: Tensor, spread: Tensor, shifts: Sequence[tuple[Tensor, Tensor]]
    ) -> Tensor:
        """Return four interleaved pictures before the sigmoid, (B, 16, H / 2, W / 2).

        Args:
            seen: (B, seen_channels, H / 2, W / 2).
            spread, shifts: what ``spread`` and ``by_code`` make of the code.
        """
        half = F.relu(self.stem(seen) + known.half)
        quarter = F.relu(self.down_quarter(half) + known.quarter)
        eighth = F.relu(self.down_eighth(quarter) + known.eighth)
        spread = spread.reshape(-1, 8, self.region.height // 8, self.region.width // 8)
        x = self.middle(torch.cat([eighth, spread], 1))
        x = x + self.after(_shifted(x, *shifts[0]))
        x = self.merge_quarter(torch.cat([_double(self.narrow_quarter(x)), quarter], 1))
        x = _shifted(x, *shifts[1])
        x = self.merge_half(torch.cat([_double(self.narrow_half(x)), half], 1))
        x = _shifted(x, *shifts[2])
        shown: Tensor = self.paint(x + self.refine(x))
        return shown


def _shifted(maps: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    return maps * gain + shift


def _double(maps: Tensor) -> Tensor:
    return F.interpolate(maps, scale_factor=2.0, mode="nearest")


def _window(region: Region) -> Tensor:
    """Return a mask (1, 1, H, W): 1 in the middle of a crop, 0 at its border."""
    across, down = (torch.linspace(-1, 1, count).abs() for count in (region.width, region.height))
    across, down = (((1 - line) / RIM).clamp(0, 1) for line in (across, down))
    smooth = (across[None] * down[:, None])[None, None]
    return smooth * smooth * (3 - 2 * smooth)


def mouth_painter() -> RegionPainter:
    return RegionPainter(MOUTH, CHANNELS["mouth"])


def eye_painter() -> RegionPainter:
    return RegionPainter(EYE, CHANNELS["eye"])


class FaceRegions(NamedTuple):
    """`PhotoRegion` of a photo's mouth (B) and eyes (2B, all right ones first)."""

    mouth_half: Tensor
    mouth_quarter: Tensor
    mouth_eighth: Tensor
    eyes_half: Tensor
    eyes_quarter: Tensor
    eyes_eighth: Tensor


class PaintedFace(NamedTuple):
    """Painted crops of a pose.

    Attributes:
        mouth: (B, 4, H, W), colours and alpha in [0, 1].
        eyes: (2B, 4, h, w), all right ones first; left ones are mirrored.
        frames: (3B, 2, 3), of mouths, right eyes and left eyes in the picture (`regions.frames`).
    """

    mouth: Tensor
    eyes: Tensor
    frames: Tensor


class FacePainter(nn.Module):
    """Paints mouth and eyes over a moved photo."""

    def __init__(self) -> None:
        super().__init__()
        self.mouth, self.eye = mouth_painter(), eye_painter()

    def photo(self, image: Tensor, points: Tensor) -> FaceRegions:
        """Encode a photo (B, 3, S, S) with landmarks (B, 88, 2)."""
        mouth = frames(MOUTH, points)
        known = self.mouth.photo(crop(image, mouth, MOUTH.width, MOUTH.height), region_points(points, mouth))
        eyes, placed = eye_frames(points)
        seen = torch.cat([crop(image, frame, EYE.width, EYE.height) for frame in eyes])
        return FaceRegions(*known, *self.eye.photo(seen, placed))

    def forward(
        self, known: FaceRegions, look: Callable[[Tensor], Tensor], flow: Tensor, points: Tensor, code: Tensor
    ) -> PaintedFace:
        """Paint mouth and eyes of a pose.

        Args:
            look: samples the photo's colours (B, 3, h, w) at positions (B, h, w, 2).
            flow: (B, 2, s, s), source positions in the photo.
            points: (B, 88, 2) landmarks of the pose.
            code: (B, 24) expression code.
        """
        mouth = frames(MOUTH, points)
        lips = self.mouth(
            PhotoRegion(*known[:3]),
            look(moved(MOUTH, flow, mouth)),
            region_points(points, mouth),
            code[:, : MOUTH.codes],
        )
        eyes, placed = eye_frames(points)
        seen = torch.cat([look(moved(EYE, flow, frame)) for frame in eyes])
        codes = torch.cat([code[:, MOUTH.codes : -EYE.codes], code[:, -EYE.codes :]])
        lids = self.eye(PhotoRegion(*known[3:]), seen, placed, codes)
        return PaintedFace(torch.cat(lips, 1), torch.cat(lids, 1), torch.cat([mouth, *eyes]))


def eye_frames(points: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return frames (B, 2, 3) of right and left eyes and the landmarks in their crops.

    The landmarks are (2B, 88, 2).
    """
    right, left = frames(EYE, points), frames(EYE, points, mirrored=True)
    placed = region_points(points, right), region_points(points, left, mirrored=True)
    return (right, left), torch.cat(placed)


def moved(region: Region, flow: Tensor, frame: Tensor) -> Tensor:
    """Return the photo's positions for the pixels of a region's crop, (B, H, W, 2)."""
    width, height = region.width // COARSE, region.height // COARSE
    grid = coordinate_grid(height, width, flow.device).reshape(-1, 2)
    places = sample(flow, to_picture(grid, frame), width, height)
    size = region.height, region.width
    return F.interpolate(places, size, mode="bilinear", align_corners=True).permute(0, 2, 3, 1)


def look_at(image: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a sampler of photos (B, 3, S, S) at positions (B, h, w, 2).

    Beyond their sides it takes the nearest pixel.
    """
    return partial(F.grid_sample, image, mode="bilinear", padding_mode="border", align_corners=True)


def paste(picture: Tensor, painted: PaintedFace) -> Tensor:
    """Paste the painted crops over pictures (B, 3, S, S)."""
    side, count = picture.shape[-1], len(picture)
    grid = coordinate_grid(side, side, picture.device).reshape(1, -1, 2)
    for index, crops in enumerate((painted.mouth, painted.eyes[:count], painted.eyes[count:])):
        frame = painted.frames[index * count : (index + 1) * count]
        places = to_crop(grid.expand(count, -1, 2), frame).reshape(count, side, side, 2)
        layer = F.grid_sample(crops, places, mode="bilinear", padding_mode="zeros", align_corners=True)
        picture = torch.lerp(picture, layer[:, :3], layer[:, 3:])
    return picture
