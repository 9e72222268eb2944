"""The learning rate's schedule, and the running average of weights."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def learning_rate(progress: float, step: int, start: float, end: float = 0.0, *, warmup: int) -> float:
    """Return the learning rate: rises over the first steps, then falls along a cosine.

    Args:
        progress: of the training, 0..1.
        step: the number of this step, from 0.
        start, end: rates at the begin and at the end.
        warmup: steps over which the rate rises from 0.
    """
    fallen = end + (start - end) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return fallen * min(1.0, (step + 1) / max(1, warmup))


@torch.no_grad()
def average_into(
    averaged: Mapping[str, Tensor], network: nn.Module, decay: float, step: int, slow: int = 10
) -> None:
    """Update an exponential moving average of weights and statistics in place.

    Args:
        averaged: the average, as ``network.state_dict()``.
        decay: weight of the average at each step; less in the first steps, which must not outweigh all later
            ones.
        slow: the larger, the longer these first steps.
    """
    keep = min(decay, (1 + step) / (slow + step))
    current = network.state_dict()
    floating = [name for name, value in current.items() if value.is_floating_point()]
    torch._foreach_lerp_(
        [averaged[name] for name in floating], [current[name] for name in floating], 1 - keep
    )
    for name in current.keys() - set(floating):
        averaged[name].copy_(current[name])
