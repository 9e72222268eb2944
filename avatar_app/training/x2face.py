"""Training step of X2Face: a frame, driven by another of its clip, must equal it.

This is stage 1 of the paper, and all that the released script does. That script descends by SGD with
momentum, which is slow; Adam can be chosen instead. Stage 2 needs a face-recognition network and is not
implemented.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.networks.x2face.model import X2Face, X2FaceConfig
from avatar_app.text import Text
from avatar_app.training.augment import Pair
from avatar_app.training.config import RunConfig
from avatar_app.training.objective import Objective, kept_where_ignored


@dataclass(frozen=True, slots=True)
class X2FaceLosses:
    """How X2Face is trained.

    Attributes:
        optimiser: ``adam``, or ``sgd`` with a momentum of 0.9 as in the released script.
    """

    optimiser: str = "adam"


class X2FaceObjective(Objective):
    """Both networks and one optimiser."""

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        sizes = X2FaceConfig.from_dict(config.network)
        settings = build(X2FaceLosses, config.losses, "losses")
        self._check(config, sizes, settings)
        self.model = X2Face(sizes).to(device)
        self.model.apply(_begin)
        self.networks: dict[str, nn.Module] = {"x2face": self.model}
        weights = self.model.parameters()
        adam = settings.optimiser == "adam"
        optimiser = torch.optim.Adam(weights, 2e-4) if adam else torch.optim.SGD(weights, 1e-3, momentum=0.9)
        self.optimisers: dict[str, torch.optim.Optimizer] = {"x2face": optimiser}

    def _check(self, config: RunConfig, sizes: X2FaceConfig, settings: X2FaceLosses) -> None:
        if settings.optimiser not in ("adam", "sgd"):
            raise ConfigError(
                Text("losses.optimiser is {}.", repr(settings.optimiser)), Text("Give adam or sgd.")
            )
        for stage in config.stages:
            if stage.size != sizes.size:
                hint = Text("X2Face halves a picture down to one pixel, so it has one size.")
                raise ConfigError(
                    Text("A stage has pictures of {} pixels, and the network {}.", stage.size, sizes.size),
                    hint,
                )
            if stage.batch < 2:
                raise ConfigError(
                    Text("A stage of X2Face has a batch of 1."),
                    Text("Give 2 or more: its normalisation compares pictures."),
                )

    def step(self, pair: Pair, scaler: torch.amp.GradScaler) -> dict[str, Tensor]:
        """Compute the gradients in one forward pass."""
        self._clear_gradients()
        picture = kept_where_ignored(self.model(pair.source, pair.driving), pair)
        loss = (picture - pair.driving).abs().mean()
        torch.autograd.backward(scaler.scale(loss))
        return {"l1": loss.detach()}

    def sample(self, pair: Pair, networks: dict[str, nn.Module]) -> Tensor:
        """Return (B, 3, S, 4 S): source, driving, output, embedded face."""
        model = networks["x2face"]
        assert isinstance(model, X2Face)
        embedded = model.embed(pair.source)
        made = model.show(embedded, model.read(pair.driving))
        return torch.cat([pair.source, pair.driving, made.float(), embedded.face.float()], 3)


def _begin(layer: nn.Module) -> None:
    """Set the released initial weights.

    Xavier for convolutions, scales of 0.02 to 1 for normalisation.
    """
    if isinstance(layer, nn.Conv2d):
        nn.init.xavier_normal_(layer.weight)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.uniform_(layer.weight, 0.02, 1.0)
