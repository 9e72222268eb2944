"""The base class of what a motion model's training minimises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from avatar_app.training.augment import Pair


class Objective(ABC):
    """Owns networks and optimisers, knows nothing of data, time or files.

    Attributes:
        random: drawn from by the losses, if at all; it belongs to a run's state.
    """

    networks: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]
    random: torch.Generator | None = None

    @abstractmethod
    def step(self, pair: Pair, scaler: torch.amp.GradScaler) -> dict[str, Tensor]:
        """Compute the gradients of all networks; return each loss term."""

    @abstractmethod
    def sample(self, pair: Pair, networks: dict[str, nn.Module]) -> Tensor:
        """Return pictures (B, 3, S, n S) of a batch, side by side."""

    def apply(self, scaler: torch.amp.GradScaler) -> None:
        """Update the weights from the gradients of ``step``.

        Several GPUs average the gradients in between.
        """
        for optimiser in self.optimisers.values():
            scaler.step(optimiser)

    def state(self) -> dict[str, Tensor]:
        """Return the state beside networks and optimisers."""
        return {} if self.random is None else {"random": self.random.get_state()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a `state`."""
        if self.random is not None:
            self.random.set_state(state["random"])

    def _clear_gradients(self) -> None:
        for optimiser in self.optimisers.values():
            optimiser.zero_grad(set_to_none=True)


def kept_where_ignored(picture: Tensor, pair: Pair) -> Tensor:
    """Give ignored pixels the target's values: no loss can see a difference there."""
    return torch.lerp(pair.driving, picture.to(pair.driving.dtype), pair.weight)
