"""Configuration of the anchored network: its anchors, sketches and sizes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from avatar_app import landmarks
from avatar_app.errors import ConfigError
from avatar_app.text import Text

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
        photo_channels: photo features shown to the dense-motion network.
        matte: whether the model knows person from background, which then stands still (`matte`).
        detail: photo and result have so many times the side: what is only moved keeps the photo's own
            sharpness.
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
        """Strict: raises ConfigError on an unknown key."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            message = Text("Unknown key in the network configuration: {}.", ", ".join(unknown))
            raise ConfigError(message, Text("Known keys: {}.", ", ".join(sorted(known))))
        checked: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**checked)
