"""Configuration of the First Order Motion Model's networks.

It is read from the original project's YAML layout (``model_params: common_params, ...``) or from the plain
dictionary in a bundle (the fields below, nested). An unknown or missing key is an error that names it: a
misspelt option must not silently become its default.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from avatar_app.configuration import COMPARE, build, flattened
from avatar_app.errors import ConfigError
from avatar_app.text import Text

MOST_BLOCKS, MOST_FEATURES = 32, 1 << 14
"""Beyond these a network could not be built, or only in hours."""


@dataclass(frozen=True, slots=True)
class KeyPointConfig:
    """Key-point detector.

    Attributes:
        single_jacobian_map: one Jacobian map shared by all points.
        pad: padding of the last convolutions, in pixels.
    """

    block_expansion: int
    num_blocks: int
    max_features: int
    temperature: float
    scale_factor: float = 1.0
    single_jacobian_map: bool = False
    pad: int = 0


@dataclass(frozen=True, slots=True)
class DenseMotionConfig:
    """Dense-motion network."""

    block_expansion: int
    num_blocks: int
    max_features: int
    scale_factor: float = 1.0
    kp_variance: float = 0.01


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Generator, with the dense-motion network inside it."""

    block_expansion: int
    max_features: int
    num_down_blocks: int
    num_bottleneck_blocks: int
    dense_motion_params: DenseMotionConfig
    estimate_occlusion_map: bool = False


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """Discriminator, for training alone.

    ``sn`` is spectral normalisation; ``use_kp`` shows it the driving key points as heat maps.
    """

    block_expansion: int = 64
    max_features: int = 512
    num_blocks: int = 4
    scales: tuple[float, ...] = (1.0,)
    sn: bool = False
    use_kp: bool = False
    kp_variance: float = 0.01


@dataclass(frozen=True, slots=True)
class FommConfig:
    """All networks of one model.

    Attributes:
        align_corners: how `grid.warp` reads positions. True is the convention under which the published
            checkpoints were trained (PyTorch before 1.3) and the one that agrees with the key points'
            coordinates, hence the default. False is what the original code shows on every PyTorch since: the
            warp is off by up to half a pixel towards the border.
    """

    num_kp: int
    num_channels: int
    kp_detector_params: KeyPointConfig
    generator_params: GeneratorConfig
    discriminator_params: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    estimate_jacobian: bool = False
    align_corners: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> FommConfig:
        """Build from plain values; raise ConfigError on an unknown, missing or wrong key."""
        return _possible(build(cls, values, "config"))

    @classmethod
    def from_original(cls, document: Any) -> FommConfig:
        """Read a configuration in the original layout.

        Only its ``model_params`` matter here.

        Args:
            document: the parsed YAML. Beyond the original, ``common_params`` may state ``align_corners``.

        Raises:
            ConfigError: unknown, missing or mistyped key.
        """
        return _possible(build(cls, flattened(document), "model_params"))


def _possible(config: FommConfig) -> FommConfig:
    """Return the configuration; raise ConfigError if its networks would be too large."""
    require_buildable(
        (
            config,
            config.kp_detector_params,
            config.generator_params,
            config.generator_params.dense_motion_params,
        )
    )
    return config


def require_buildable(parts: Iterable[Any]) -> None:
    """Raise ConfigError if a number would make a network of impossible size."""
    for part in parts:
        for item in fields(part):
            value = getattr(part, item.name)
            limit = MOST_BLOCKS if item.name.endswith("_blocks") else MOST_FEATURES
            if isinstance(value, int) and not 0 <= value <= limit:
                raise ConfigError(
                    Text(
                        "The configuration key {} is {}, but at most {} are possible.",
                        item.name,
                        value,
                        limit,
                    ),
                    COMPARE,
                )
