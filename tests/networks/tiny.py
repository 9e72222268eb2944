"""A First Order Motion Model small enough for a test."""

from __future__ import annotations

from dataclasses import replace

import torch

from avatar_app.networks.fomm.config import (
    DenseMotionConfig,
    DiscriminatorConfig,
    FommConfig,
    GeneratorConfig,
    KeyPointConfig,
)
from avatar_app.networks.fomm.model import Fomm

TINY = FommConfig(
    num_kp=4,
    num_channels=3,
    estimate_jacobian=True,
    kp_detector_params=KeyPointConfig(
        block_expansion=4, num_blocks=2, max_features=16, temperature=0.1, scale_factor=0.25
    ),
    generator_params=GeneratorConfig(
        block_expansion=4,
        max_features=16,
        num_down_blocks=2,
        num_bottleneck_blocks=1,
        estimate_occlusion_map=True,
        dense_motion_params=DenseMotionConfig(
            block_expansion=4, num_blocks=2, max_features=16, scale_factor=0.25
        ),
    ),
    discriminator_params=DiscriminatorConfig(block_expansion=4, max_features=16, num_blocks=3),
)
SIDE = 64


def without_jacobian() -> FommConfig:
    return replace(TINY, estimate_jacobian=False)


def build(config: FommConfig = TINY, seed: int = 0) -> Fomm:
    """Random weights, including the Jacobian's, and normalisation that is not the identity."""
    torch.manual_seed(seed)
    model = Fomm(config).eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if "running_var" in name:
                value.uniform_(0.5, 1.5)
            elif "running_mean" in name or ("norm" in name and "bias" in name):
                value.uniform_(-0.2, 0.2)
            elif name == "kp_detector.jacobian.weight":
                value.normal_(std=0.02)
            elif name == "generator.final.weight":
                value.mul_(8)  # otherwise every picture is grey
    return model
