"""Configuration of the anchored network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from avatar_app import landmarks
from avatar_app.configuration import build

LANDMARKS = landmarks.COUNT

DEFAULT_ANCHORS = landmarks.ANCHORS

SKETCH_GROUPS = landmarks.CURVES


@dataclass(frozen=True, slots=True)
class AnchoredConfig:
    """Sizes of the anchored network.

    Attributes:
        size: side of the pictures at run time, pixels.
        anchors: the landmarks that serve as key points.
        channels: encoder widths at 1/2, 1/4 and 1/8 of the side.
        blocks: residual blocks at 1/8.
        motion_channels: widths of the dense-motion U-Net at 1/8, 1/16 and 1/32.
        photo_channels: photo features given to the dense-motion network.
        matte: whether the model separates person and background, which then stands still (`matte`).
        detail: factor by which photo and result are larger than ``size``: parts that are only moved keep the
            photo's own sharpness.
        regions: whether the model has painters of mouth and eyes (`networks.painters`), which take expression
            codes.
    """

    size: int = 256
    anchors: tuple[int, ...] = DEFAULT_ANCHORS
    channels: tuple[int, int, int] = (24, 48, 96)
    blocks: int = 3
    motion_channels: tuple[int, int, int] = (48, 96, 128)
    photo_channels: int = 16
    matte: bool = False
    detail: int = 1
    regions: bool = False

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> AnchoredConfig:
        """Build from plain values; raise ConfigError on an unknown or mistyped key."""
        return build(cls, values, "network")
