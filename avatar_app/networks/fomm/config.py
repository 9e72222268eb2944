"""Configuration of the original First Order Motion Model's networks.

Frozen values, strictly parsed.

Two spellings of the same thing: the original project's YAML layout (``model_params: common_params, ...``),
and the plain dictionary that a bundle keeps (the fields below, nested). An unknown or missing key is an error
that names it: a misspelt option must not silently become its default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, TypeVar, get_type_hints

from avatar_app.errors import ConfigError
from avatar_app.text import Text

T = TypeVar("T")

LARGEST = 10**9
MOST_BLOCKS, MOST_FEATURES = 32, 1 << 14
"""Beyond these no network could be built, or would be in hours."""

COMPARE = Text("Compare it with the ones in avatar_app/training/configs.")


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
        """Plain values for JSON; `from_dict` reads them back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> FommConfig:
        """Raises ConfigError on an unknown, missing or mistyped key."""
        return _possible(parse(cls, values, "config"))

    @classmethod
    def from_original(cls, document: Any) -> FommConfig:
        """Read a configuration in the original layout.

        Only its ``model_params`` matter here.

        Args:
            document: the parsed YAML. Beyond the original, ``common_params`` may state ``align_corners``.

        Raises:
            ConfigError: unknown, missing or mistyped key.
        """
        model = _mapping(_mapping(document, "configuration").get("model_params"), "model_params")
        sections = {"kp_detector_params", "generator_params", "discriminator_params"}
        _refuse_unknown(model, sections | {"common_params"}, "model_params")
        common = _mapping(model.get("common_params"), "model_params.common_params")
        _refuse_unknown(
            common,
            {"num_kp", "num_channels", "estimate_jacobian", "align_corners"},
            "model_params.common_params",
        )
        return _possible(
            parse(
                cls, {**common, **{name: model[name] for name in sections if name in model}}, "model_params"
            )
        )


def parse(kind: type[T], values: Any, where: str) -> T:
    """A frozen dataclass from plain values, nested ones included.

    Args:
        where: dotted name of this part of the file, for messages.

    Raises:
        ConfigError: naming the key.
    """
    given = _mapping(values, where)
    hints = get_type_hints(kind)
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    _refuse_unknown(given, set(known), where)
    for name, item in known.items():
        if name not in given and item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(Text("The configuration lacks the key {}.{}.", where, name), COMPARE)
    return kind(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in given.items()})


def _possible(config: FommConfig) -> FommConfig:
    """The configuration itself; raises ConfigError where its networks would be giants."""
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
    """Raise ConfigError where a number of these dataclasses would make a network of impossible size."""
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


def _value(hint: Any, value: Any, where: str) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        return parse(hint, value, where)
    if hint is bool and isinstance(value, bool):
        return value
    if number and not abs(value) <= LARGEST:
        raise ConfigError(
            Text("The configuration key {} is {:.4g}, which is too large.", where, value), COMPARE
        )
    if hint is int and number and value == int(value):
        return int(value)
    if hint is float and number:
        return float(value)
    if hint is str and isinstance(value, str):
        return value
    if hint == tuple[float, ...] and isinstance(value, list | tuple):
        return tuple(_value(float, part, where) for part in value)
    wanted = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}.get(
        hint, "a list of numbers"
    )
    raise ConfigError(Text("The configuration key {} is {}, but it must be {}.", where, repr(value), wanted))


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(Text("The configuration lacks the section {}.", where), COMPARE)
    return value


def _refuse_unknown(values: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in values:
        if name not in known:
            raise ConfigError(
                Text("The configuration has an unknown key {}.{}.", where, name),
                Text("Known here: {}.", ", ".join(sorted(known))),
            )
