"""What a training run is made of.

Strict, so that a misspelt key stops the run before it costs hours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

from avatar_app.errors import ConfigError
from avatar_app.networks.fomm.config import LARGEST
from avatar_app.text import Text
from avatar_app.training.augment import AugmentConfig

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of training at one picture size.

    Attributes:
        size: side of the pictures, pixels.
        batch: pairs a step (on each GPU).
        steps: optimiser steps.
        learning_rate: at the start of the stage; falls to ``learning_rate_end`` along a cosine.
    """

    size: int
    batch: int
    steps: int
    learning_rate: float
    learning_rate_end: float = 0.0


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Which frames are held in memory.

    Attributes:
        size: side at which frames are kept; the largest stage's size.
        stride: every how many frames of a clip one is kept.
        stills: whether single pictures are used too.
        kind_weights: share of each kind of clip in a batch, before normalising.
        candidates: driving frames to choose the most different expression from.
        by_identity: whether a person is drawn first and then one of that person's clips; else every clip
            counts the same.
        wide: share of pairs whose driving mouth is wide open; such frames are rare, and painting them is
            hardest.
        in_order: whether the source is always the earlier frame of a pair.
    """

    size: int = 256
    stride: int = 3
    stills: bool = True
    kind_weights: dict[str, float] = field(default_factory=dict)
    candidates: int = 4
    by_identity: bool = True
    wide: float = 0.0
    in_order: bool = False


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A whole run.

    Attributes:
        objective: ``anchored``, ``fomm``, ``monkeynet`` or ``x2face``.
        network: configuration of the network, as in a bundle.
        losses: weight of each loss term of the objective.
        precision: ``float32``, ``bfloat16`` or ``float16`` (autocast).
        ema: decay of the averaged weights that are exported.
        warmup: steps over which the learning rate rises from 0.
    """

    objective: str
    stages: tuple[Stage, ...]
    network: dict[str, Any] = field(default_factory=dict)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    losses: dict[str, Any] = field(default_factory=dict)
    precision: str = "float32"
    seed: int = 0
    ema: float = 0.999
    warmup: int = 100

    @property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, float]:
        """The stage of a step and how far into it that is, 0..1."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step / stage.steps
            step -= stage.steps
        return self.stages[-1], 1.0


def build(kind: type[T], values: Any, where: str) -> T:
    """A dataclass from a mapping; raises ConfigError on an unknown or missing key."""
    if not isinstance(values, dict):
        raise ConfigError(
            Text("{} must be a mapping, not {}.", where, repr(values)),
            Text("Look at the files in avatar_app/training/configs."),
        )
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(str(key) for key in set(values) - known)
    if unknown:
        raise ConfigError(
            Text("Unknown key in {}: {}.", where, ", ".join(unknown)),
            Text("Known keys: {}.", ", ".join(sorted(known))),
        )
    converted = {
        key: build(hints[key], value, f"{where}.{key}")
        if is_dataclass(hints[key]) and isinstance(hints[key], type)
        else _checked(hints[key], value, f"{where}.{key}")
        for key, value in values.items()
    }
    try:
        return kind(**converted)
    except TypeError as error:
        raise ConfigError(
            Text("{} is incomplete: {}.", where, error),
            Text("Look at the files in avatar_app/training/configs."),
        ) from error


def _checked(hint: Any, value: Any, where: str) -> Any:
    """The value, if it is what the hint of a plain field says.

    Other fields are looked at where they are used.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}.get(hint)
    right = {
        int: number and isinstance(value, int),
        float: number,
        bool: isinstance(value, bool),
        str: isinstance(value, str),
    }
    if wanted and not right[hint]:
        raise ConfigError(
            Text("{} is {}, but must be {}.", where, repr(value), wanted),
            Text("Look at the files in avatar_app/training/configs."),
        )
    return value
