"""The loop of every training, and the step of those with one optimiser."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor, nn

from avatar_app.errors import ConfigError
from avatar_app.text import Text


class Training(Protocol):
    """Networks and data that can be trained step by step."""

    @property
    def position(self) -> int:
        """Optimiser steps so far, those before a resume included."""

    @property
    def finished(self) -> bool: ...

    def advance(self) -> dict[str, float]:
        """Make one optimiser step; return each loss term."""
        ...


def repeat(
    training: Training,
    report: Callable[[dict[str, float]], None],
    save: Callable[[], None],
    save_seconds: float,
) -> None:
    """Train until finished; save every ``save_seconds`` and at the end.

    Args:
        report: called after each step with the running mean of each loss term.

    Raises:
        ConfigError: a loss term is infinite or not a number.
    """
    saved = time.monotonic()
    means: dict[str, float] = {}
    while not training.finished:
        for name, value in training.advance().items():
            if not math.isfinite(value):
                raise ConfigError(
                    Text("The loss term {} is {} at step {}.", name, value, training.position),
                    Text("Lower the learning rate or use float32."),
                )
            means[name] = value if name not in means else 0.98 * means[name] + 0.02 * value
        report(means)
        if time.monotonic() - saved > save_seconds:
            save()
            saved = time.monotonic()
    save()


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate; a group may have a ``share`` that scales it."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("share", 1.0)


def descend(
    network: nn.Module, optimiser: torch.optim.Optimizer, losses: Iterable[Tensor], rate: float
) -> None:
    """Minimise the sum of ``losses`` by one step; clip gradients to a norm of 1."""
    set_rate(optimiser, rate)
    optimiser.zero_grad(set_to_none=True)
    torch.stack(list(losses)).sum().backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
