"""Configuration of a training run.

Strict, so that a misspelt key stops the run before it costs hours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from avatar_app.configuration import build
from avatar_app.training.augment import AugmentConfig

__all__ = ["DataConfig", "RunConfig", "TrainingStage", "build"]


@dataclass(frozen=True, slots=True)
class TrainingStage:
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
    """Which frames are held in memory, and how pairs are drawn.

    Attributes:
        size: side at which frames are kept; the largest stage's size.
        stride: one of this many frames of a clip is kept.
        stills: whether single pictures are used too.
        kind_weights: share of each kind of clip in a batch, before normalising.
        candidates: number of driving frames from which the most different expression is chosen.
        by_identity: draw a person first and then one of that person's clips; else all clips count alike.
        wide: share of pairs whose driving mouth is wide open; such frames are rare, and hardest to paint.
        in_order: the source is always the earlier frame of a pair.
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
    stages: tuple[TrainingStage, ...]
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

    def at(self, step: int) -> tuple[TrainingStage, float]:
        """Return the stage of a step and the progress within it, 0..1."""
        for stage in self.stages:
            if step < stage.steps:
                return stage, step / stage.steps
            step -= stage.steps
        return self.stages[-1], 1.0
