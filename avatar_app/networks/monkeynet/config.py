"""Configuration of Monkey-Net, from an original YAML or a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from avatar_app.configuration import build, flattened
from avatar_app.errors import ConfigError
from avatar_app.networks.fomm.config import require_buildable
from avatar_app.text import Text

HEAT_MAPS = ("gaussian", "difference")
RESIZING = ("nearest", "trilinear")


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """Movement embedding: key points drawn as maps.

    Attributes:
        heatmap_type: ``gaussian`` draws the driving key points, ``difference`` driving minus source.
        norm_const: what a heat map is divided by; 0 stands for its own sum (``sum`` in the original files).
    """

    use_heatmap: bool = True
    use_difference: bool = False
    use_deformed_source_image: bool = False
    heatmap_type: str = "gaussian"
    norm_const: float = 0.0
    scale_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class KeyPointConfig:
    """Key-point detector.

    Attributes:
        clip_variance: least singular value of a covariance; 0 leaves it as it is.
    """

    block_expansion: int
    num_blocks: int
    max_features: int
    temperature: float
    scale_factor: float = 1.0
    clip_variance: float = 0.0


@dataclass(frozen=True, slots=True)
class DenseMotionConfig:
    """Dense-motion network."""

    block_expansion: int
    num_blocks: int
    max_features: int
    mask_embedding_params: EmbeddingConfig
    num_group_blocks: int = 0
    scale_factor: float = 1.0
    use_mask: bool = True
    use_correction: bool = True


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """Generator.

    Attributes:
        interpolation_mode: of flow and embedding, to the size of each skip connection.
    """

    block_expansion: int
    max_features: int
    num_blocks: int
    num_refinement_blocks: int
    dense_motion_params: DenseMotionConfig
    kp_embedding_params: EmbeddingConfig
    interpolation_mode: str = "nearest"


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """Discriminator, for training alone."""

    block_expansion: int = 32
    max_features: int = 256
    num_blocks: int = 4
    kp_embedding_params: EmbeddingConfig = field(default_factory=EmbeddingConfig)


@dataclass(frozen=True, slots=True)
class MonkeyNetConfig:
    """All networks of one model."""

    num_kp: int
    kp_detector_params: KeyPointConfig
    generator_params: GeneratorConfig
    discriminator_params: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    num_channels: int = 3
    kp_variance: str = "matrix"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> MonkeyNetConfig:
        """Build from plain values; raise ConfigError on an unknown, missing or wrong key."""
        return _supported(build(cls, values, "config"))

    @classmethod
    def from_original(cls, document: Any) -> MonkeyNetConfig:
        """Read the ``model_params`` of an original YAML document.

        Raises:
            ConfigError: unknown, missing or mistyped key, or an option that this app does not run.
        """
        return _supported(build(cls, _with_number(flattened(document)), "model_params"))


def is_monkeynet(document: Any) -> bool:
    """Whether an original YAML document describes Monkey-Net, and not FOMM."""
    model = document.get("model_params") if isinstance(document, Mapping) else None
    generator = model.get("generator_params") if isinstance(model, Mapping) else None
    return isinstance(generator, Mapping) and (
        "num_refinement_blocks" in generator or "kp_embedding_params" in generator
    )


def _with_number(value: Any) -> Any:
    """Replace ``norm_const: sum`` by a number."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: 0.0 if key == "norm_const" and part == "sum" else _with_number(part)
        for key, part in value.items()
    }


def _supported(config: MonkeyNetConfig) -> MonkeyNetConfig:
    """Return the configuration; raise ConfigError for networks that cannot be run."""
    generator = config.generator_params
    motion = generator.dense_motion_params
    require_buildable((config, config.kp_detector_params, generator, motion, config.discriminator_params))
    embeddings = (
        motion.mask_embedding_params,
        generator.kp_embedding_params,
        config.discriminator_params.kp_embedding_params,
    )
    chosen = [
        ("kp_variance", config.kp_variance, ("matrix",)),
        ("interpolation_mode", generator.interpolation_mode, RESIZING),
    ]
    chosen += [("heatmap_type", embedding.heatmap_type, HEAT_MAPS) for embedding in embeddings]
    for name, value, known in chosen:
        if value not in known:
            raise ConfigError(
                Text("The configuration key {} is {}.", name, repr(value)),
                Text("This app runs {}.", " and ".join(known)),
            )
    scales = [
        config.kp_detector_params.scale_factor,
        motion.scale_factor,
        *(embedding.scale_factor for embedding in embeddings),
    ]
    if any(not 1 / 64 <= scale <= 1 or (1 / scale) % 1 for scale in scales):
        raise ConfigError(
            Text("A scale_factor of the configuration is {}.", min(scales)),
            Text("Give 1 divided by a whole number."),
        )
    if not motion.use_mask:
        raise ConfigError(
            Text("The configuration switches use_mask off."),
            Text("This app runs Monkey-Net with masks alone."),
        )
    return config
