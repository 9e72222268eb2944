"""X2Face's two U-Nets (section 3 of the paper).

Photos -> one embedded face; driving picture -> code -> flow. The flow depends on the driver alone: the photo
has no key points, so there is no relative motion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.networks.grid import coordinate_grid, warp
from avatar_app.text import Text

CONFIDENCE_FLOOR = 0.1
"""Added to every photo's confidence, so that no weight is zero."""


@dataclass(frozen=True, slots=True)
class X2FaceConfig:
    """Sizes of both networks; the defaults are the published ones.

    Attributes:
        size: side of the pictures, a power of two: each network halves it down to one pixel.
        channels: of the outermost level; doubled at each halving, up to ``max_channels``.
        inner: channels of the embedding network's single pixel.
        code: length of the code of a driving picture.
    """

    size: int = 256
    channels: int = 64
    max_channels: int = 512
    inner: int = 512
    code: int = 128

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> X2FaceConfig:
        """Build from plain values; raise ConfigError on an unknown or impossible value."""
        config = build(cls, values, "config")
        if config.size not in (32, 64, 128, 256, 512):
            raise ConfigError(
                Text("The configuration key size is {}.", config.size), Text("Give 32, 64, 128, 256 or 512.")
            )
        for item in fields(cls):
            if not 1 <= getattr(config, item.name) <= 4096:
                raise ConfigError(
                    Text("The configuration key {} is {}.", item.name, getattr(config, item.name)),
                    Text("Give 1 to 4096."),
                )
        return config

    @property
    def levels(self) -> list[int]:
        """Return the channels after each halving but the last."""
        halvings = round(math.log2(self.size))
        return [min(self.max_channels, self.channels * 2**level) for level in range(halvings - 1)]


class Level(nn.Module):
    """One level of a U-Net with all smaller ones inside it.

    No convolution has a bias.

    Args:
        channels: after this halving and each smaller one.
        skips: whether the input is concatenated to the output.
        outputs: channels of the result, without a skip.
    """

    def __init__(
        self, inputs: int, channels: list[int], outputs: int, skips: bool, outermost: bool = False
    ) -> None:
        super().__init__()
        width, smaller = channels[0], channels[1:]
        down = nn.Conv2d(inputs, width, 4, 2, 1, bias=False)
        before = [] if outermost else [nn.LeakyReLU(0.2)]
        after = [nn.BatchNorm2d(width)] if smaller and not outermost else []
        self.down = nn.Sequential(*before, down, *after)
        self.submodule = Level(width, smaller, width, skips) if smaller else None
        doubled = 2 if skips and smaller else 1
        up = nn.Conv2d(doubled * width, outputs, 3, padding=1, bias=False)
        norm = [] if outermost else [nn.BatchNorm2d(outputs)]
        self.up = nn.Sequential(nn.ReLU(), nn.UpsamplingBilinear2d(scale_factor=2), up, *norm)
        self.skips = skips and not outermost

    def code(self, maps: Tensor) -> Tensor:
        """Return the single pixel at the bottom, (B, C, 1, 1)."""
        maps = self.down(maps)
        return maps if self.submodule is None else self.submodule.code(maps)

    def climb(self, code: Tensor) -> Tensor:
        """Decode from the single pixel; only for levels without skips."""
        maps: Tensor = self.up(code if self.submodule is None else self.submodule.climb(code))
        return maps

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.down(maps)
        if self.submodule is not None:
            inner = self.submodule(inner)
        result: Tensor = self.up(inner)
        return torch.cat([result, maps], dim=1) if self.skips else result


class Embedded(NamedTuple):
    """The sum of embedded photos.

    Attributes:
        weighted: (B, 3, S, S), the face times its confidence.
        confidence: (B, 1, S, S).
    """

    weighted: Tensor
    confidence: Tensor

    @property
    def face(self) -> Tensor:
        """Return the mean of all photos weighted by confidence, (B, 3, S, S)."""
        return self.weighted / self.confidence


class X2Face(nn.Module):
    """The networks ``embedding`` and ``driving``.

    `from_original` renames the weights of checkpoints.
    """

    def __init__(self, config: X2FaceConfig) -> None:
        super().__init__()
        self.embedding = Level(3, [*config.levels, config.inner], 3, skips=True, outermost=True)
        self.driving = Level(3, [*config.levels, config.code], 2, skips=False, outermost=True)

    def embed(self, photo: Tensor) -> Embedded:
        """Embed a photo (B, 3, S, S) in [0, 1]; results of several photos can be added."""
        found = self.embedding(photo).float()
        face = shifted(photo, torch.tanh(found[:, :2]))
        confidence = torch.exp(found[:, 2:3]) + CONFIDENCE_FLOOR
        return Embedded(face * confidence, confidence)

    def read(self, driver: Tensor) -> Tensor:
        """Return the code (B, code) of a driving picture (B, 3, S, S)."""
        return self.driving.code(driver).flatten(1)

    def flow(self, code: Tensor) -> Tensor:
        """Return the offset of each pixel, (B, 2, S, S) in [-0.76, 0.76].

        The original takes tanh twice.
        """
        return torch.tanh(torch.tanh(self.driving.climb(code[..., None, None]).float()))

    def show(self, embedded: Embedded, code: Tensor) -> Tensor:
        """Render the embedded face under a code, (B, 3, S, S).

        Black where the flow points beyond the face.
        """
        return shifted(embedded.face, self.flow(code))

    def forward(self, photo: Tensor, driver: Tensor) -> Tensor:
        return self.show(self.embed(photo), self.read(driver))


def shifted(picture: Tensor, offset: Tensor) -> Tensor:
    """Read a picture (B, C, S, S) at offsets (B, 2, S, S), x first, from each pixel."""
    place = coordinate_grid(picture.shape[2], picture.shape[3], picture.device)
    return warp(picture, place + offset.permute(0, 2, 3, 1), align_corners=True)


ORIGINAL = {"pix2pixUnwrapped.netG.model.": "embedding.", "pix2pixSampler.netG.model.": "driving."}
"""Prefixes of weight names: the original's, and ours."""


def from_original(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename an original ``state_dict``; other names stay."""
    renamed = {}
    for name, value in weights.items():
        prefix = next((prefix for prefix in ORIGINAL if name.startswith(prefix)), None)
        renamed[name if prefix is None else ORIGINAL[prefix] + name.removeprefix(prefix)] = value
    return renamed


def config_of(weights: Mapping[str, Tensor]) -> X2FaceConfig:
    """Read the sizes from weights under our names.

    Raises:
        KeyError, ValueError, IndexError: the weights are not of these networks.
    """
    depth = 1 + max(name.count("submodule.") for name in weights if name.startswith("driving."))
    bottom = "submodule." * (depth - 1) + "down.1.weight"
    return X2FaceConfig(
        size=2**depth,
        channels=weights["embedding.down.0.weight"].shape[0],
        max_channels=max(
            value.shape[0]
            for name, value in weights.items()
            if name.endswith("down.1.weight") and bottom not in name
        ),
        inner=weights[f"embedding.{bottom}"].shape[0],
        code=weights[f"driving.{bottom}"].shape[0],
    )
