"""Training recipes: each method's own architecture and losses, one size and width."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avatar_app.errors import ConfigError
from avatar_app.networks.x2face.model import X2FaceConfig
from avatar_app.paths import PACKAGE
from avatar_app.text import Text
from avatar_app.training.augment import AugmentConfig
from avatar_app.training.config import DataConfig, RunConfig, TrainingStage
from avatar_app.training.config_files import read_config

METHODS = {
    "x2face": "X2Face",
    "monkeynet": "Monkey-Net",
    "fomm": "First Order Motion Model",
    "anchored": "ours (anchored)",
}
NEEDS_FEATURES = ("fomm", "anchored")
"""Methods with a perceptual loss."""

SIZES = (64, 128, 256)
RATE = 2e-4
"""Learning rate of the three published methods."""

CONFIGS = PACKAGE / "training" / "configs"
DETECTED = 64
"""Side at which Monkey-Net and the First Order Motion Model detect key points in pictures of faces."""

SMALLEST = 32
"""Least side of a picture for the feature network."""

NARROWEST = 8
ENDLESS = 10**9
"""Steps of a run that stops by the clock."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms that all methods share.

    Attributes:
        size: side of the pictures, one of ``SIZES``.
        width: factor for the published methods' channels.
        batch: pairs a step.
        minutes: of training.
        stride: one of this many frames of a clip is used.
    """

    size: int = 128
    width: float = 0.25
    batch: int = 8
    minutes: float = 45.0
    stride: int = 3
    seed: int = 0


def recipe(method: str, terms: Terms) -> RunConfig:
    """Return the run of one method. Raises ConfigError for an impossible size."""
    if terms.size not in SIZES:
        raise ConfigError(
            Text("The methods cannot all be built for pictures of {} pixels.", terms.size),
            Text("Give one of {}.", SIZES),
        )
    made = {"x2face": _x2face, "monkeynet": _monkeynet, "fomm": _fomm, "anchored": _anchored}[method](terms)
    data = DataConfig(
        size=terms.size, stride=terms.stride, stills=False, candidates=made.data.candidates, by_identity=True
    )
    stage = replace(made.stages[0], size=terms.size, batch=terms.batch, steps=ENDLESS)
    return replace(made, data=data, stages=(stage,), seed=terms.seed)


def _x2face(terms: Terms) -> RunConfig:
    full = X2FaceConfig()
    network = X2FaceConfig(
        terms.size,
        _narrowed(full.channels, terms.width),
        _narrowed(full.max_channels, terms.width),
        _narrowed(full.inner, terms.width),
        full.code,
    )
    unchanged = AugmentConfig(0, 0, 0, 0, 0, 0, False, 0)
    stage = TrainingStage(terms.size, terms.batch, ENDLESS, RATE, RATE)
    data = DataConfig(candidates=1)
    losses = {"optimiser": "adam"}
    return RunConfig("x2face", (stage,), network.to_dict(), data, unchanged, losses, warmup=0)


def _monkeynet(terms: Terms) -> RunConfig:
    config = read_config(CONFIGS / "monkeynet-vox.yaml")
    network = _scaled(config.network, terms)
    # The published sizes: 7 halvings of 256 pixels, 6 of 128, 5 of 64.
    network["generator_params"]["num_blocks"] = round(math.log2(terms.size)) - 1
    return replace(config, network=network)


def _fomm(terms: Terms) -> RunConfig:
    config = read_config(CONFIGS / "vox.yaml")
    # The pyramid of the perceptual loss ends where its network has pixels left, as it does for 256 pixels.
    scales = tuple(scale for scale in config.losses["scales"] if scale * terms.size >= SMALLEST)
    return replace(config, network=_scaled(config.network, terms), losses={**config.losses, "scales": scales})


def _anchored(terms: Terms) -> RunConfig:
    config = read_config(CONFIGS / "lite.yaml")
    # The landmark loss needs one more network, trained on other data: left out.
    losses = {**config.losses, "landmarks": 0.0}
    first, last = config.stages[0], config.stages[-1]
    stage = replace(first, learning_rate_end=last.learning_rate_end)
    return replace(config, network={**config.network, "size": terms.size}, losses=losses, stages=(stage,))


def _scaled(network: dict[str, Any], terms: Terms) -> dict[str, Any]:
    """Scale channels by the width; keep the size at which key points are detected."""
    scaled = copy.deepcopy(network)
    _scale_in_place(scaled, terms)
    return scaled


def _scale_in_place(values: dict[str, Any], terms: Terms) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            _scale_in_place(value, terms)
        elif name in ("block_expansion", "max_features"):
            values[name] = _narrowed(value, terms.width)
        elif name == "scale_factor" and value != 1:
            values[name] = min(1.0, DETECTED / terms.size)


def _narrowed(channels: int, width: float) -> int:
    return max(NARROWEST, round(channels * width / NARROWEST) * NARROWEST)


def find_features(data: Path) -> Path | None:
    """Return a feature network shipped with the data set."""
    return next(iter(sorted((data / "perceptual").glob("*.pth"))), None)
