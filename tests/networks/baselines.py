"""Monkey-Net and X2Face small enough for a test, with weights derived from their names alone.

The original implementations used the same rule as `filled` for their weights when their
outputs were recorded.
"""

from __future__ import annotations

import math
import zlib
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from avatar_app.networks.monkeynet.config import (
    DenseMotionConfig,
    DiscriminatorConfig,
    EmbeddingConfig,
    GeneratorConfig,
    KeyPointConfig,
    MonkeyNetConfig,
)
from avatar_app.networks.monkeynet.model import MonkeyNet
from avatar_app.networks.x2face.model import X2Face, X2FaceConfig

SMALL: dict[str, Any] = {"block_expansion": 4, "num_blocks": 2, "max_features": 16}
TINY_MONKEYNET = MonkeyNetConfig(
    num_kp=4,
    kp_detector_params=KeyPointConfig(**SMALL, temperature=0.1, scale_factor=0.25, clip_variance=0.001),
    generator_params=GeneratorConfig(
        block_expansion=4,
        max_features=16,
        num_blocks=3,
        num_refinement_blocks=1,
        interpolation_mode="trilinear",
        dense_motion_params=DenseMotionConfig(
            **SMALL,
            num_group_blocks=1,
            scale_factor=0.25,
            mask_embedding_params=EmbeddingConfig(
                use_deformed_source_image=True, heatmap_type="difference", norm_const=100.0
            ),
        ),
        kp_embedding_params=EmbeddingConfig(heatmap_type="difference", norm_const=100.0, scale_factor=0.25),
    ),
    discriminator_params=DiscriminatorConfig(4, 16, 3, EmbeddingConfig(norm_const=100.0)),
)
TINY_X2FACE = X2FaceConfig(size=64, channels=4, max_channels=16, inner=16, code=12)

Array = npt.NDArray[np.float64]
Network = TypeVar("Network", bound=nn.Module)


def build_monkeynet(config: MonkeyNetConfig = TINY_MONKEYNET) -> MonkeyNet:
    return filled(MonkeyNet(config))


def build_x2face(config: X2FaceConfig = TINY_X2FACE) -> X2Face:
    return filled(X2Face(config))


def filled(network: Network, prefix: str = "") -> Network:
    """The network with every weight derived from its name."""
    weights = {
        name: torch.from_numpy(value_of(prefix + name, tuple(old.shape)))
        for name, old in network.state_dict().items()
    }
    network.load_state_dict(weights)
    return network.eval()


def value_of(name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """A state-dict entry: uniform numbers that depend on the name alone, scaled by the entry's role."""
    last = name.rsplit(".", 1)[-1]
    if last == "num_batches_tracked":
        return np.zeros(shape, np.float32)
    u = uniform(name, shape)
    if last in ("running_mean", "bias"):
        value = 0.2 * (u - 0.5)
    elif last == "running_var":
        value = 0.5 + u
    elif len(shape) == 1:
        value = 0.7 + 0.6 * u
    else:
        value = (u - 0.5) * 2 * math.sqrt(6 / math.prod(shape[1:]))
    return value.astype(np.float32)


def uniform(name: str, shape: tuple[int, ...]) -> Array:
    raw = np.random.PCG64(zlib.crc32(name.encode())).random_raw(math.prod(shape))
    return ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(shape)


def smooth_picture(name: str, side: int = 256) -> torch.Tensor:
    """A smooth colourful picture (1, 3, side, side) in [0, 1]."""
    p = uniform(f"picture.{name}", (3, 6))[..., None, None]
    y, x = np.mgrid[0:side, 0:side] / side
    slow = np.sin(2 * np.pi * (p[:, 0] + (1 + 2 * p[:, 1]) * x + (1 + 2 * p[:, 2]) * y))
    fast = np.sin(2 * np.pi * (p[:, 3] + (3 + 4 * p[:, 4]) * x - (2 + 5 * p[:, 5]) * y))
    return torch.from_numpy(np.clip(0.5 + 0.2 * slow + 0.25 * fast, 0, 1).astype(np.float32))[None]
