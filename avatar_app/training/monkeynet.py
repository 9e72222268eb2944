"""Training step of Monkey-Net: reconstruction in a discriminator's features.

See section 3.5 of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.networks.monkeynet.config import MonkeyNetConfig
from avatar_app.networks.monkeynet.generator import Generated, Generator
from avatar_app.networks.monkeynet.keypoints import KeyPointDetector, PointTensors
from avatar_app.networks.monkeynet.model import Discriminator
from avatar_app.text import Text
from avatar_app.training.augment import Pair
from avatar_app.training.config import RunConfig
from avatar_app.training.objective import Objective, kept_where_ignored


@dataclass(frozen=True, slots=True)
class MonkeyNetLosses:
    """Weights of losses.

    Attributes:
        reconstruction: of L1 of the picture, then of the maps of each block of the discriminator.
        reconstruction_deformed: of L1 of the warped source alone.
        detach_kp_generator: the generator's losses do not train key points through the discriminator.
        detach_kp_discriminator: the discriminator's own losses do not either.
    """

    reconstruction: tuple[float, ...] = (10.0, 10.0, 10.0, 10.0, 1.0)
    reconstruction_deformed: float = 0.0
    generator_gan: float = 1.0
    discriminator_gan: float = 1.0
    detach_kp_generator: bool = False
    detach_kp_discriminator: bool = True


class MonkeyNetObjective(Objective):
    """Generator, key-point detector and discriminator, each with its own Adam."""

    def __init__(self, config: RunConfig, device: torch.device) -> None:
        self.network = MonkeyNetConfig.from_dict(config.network)
        self.weights = build(MonkeyNetLosses, config.losses, "losses")
        if not any(self.weights.reconstruction):
            raise ConfigError(
                Text("Every weight of losses.reconstruction is 0."),
                Text("Look at avatar_app/training/configs."),
            )
        self.generator = Generator(self.network).to(device)
        self.detector = KeyPointDetector(self.network).to(device)
        self.discriminator = Discriminator(self.network).to(device)
        self.networks: dict[str, nn.Module] = {
            "generator": self.generator,
            "kp_detector": self.detector,
            "discriminator": self.discriminator,
        }
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            name: torch.optim.Adam(network.parameters(), 2e-4, betas=(0.5, 0.999))
            for name, network in self.networks.items()
        }

    def step(self, pair: Pair, scaler: torch.amp.GradScaler) -> dict[str, Tensor]:
        """Compute the gradients of all networks in one forward pass of the generator."""
        self._clear_gradients()
        source, driving = self.detector(pair.source), self.detector(pair.driving)
        generated: Generated = self.generator(pair.source, source, driving)
        picture, deformed = (kept_where_ignored(made, pair) for made in generated[:2])
        terms = self._generator_terms(picture, deformed, pair.driving, (driving, source))
        torch.autograd.backward(scaler.scale(torch.stack(list(terms.values())).sum()))
        # The generator's losses left gradients in the discriminator, which are not its own.
        self.optimisers["discriminator"].zero_grad(set_to_none=True)
        shown = _shown((driving, source), self.weights.detach_kp_discriminator)
        terms["discriminator_gan"] = self._discriminator_loss(picture.detach(), pair.driving, shown)
        torch.autograd.backward(scaler.scale(terms["discriminator_gan"]))
        return {name: term.detach() for name, term in terms.items()}

    def _generator_terms(
        self, picture: Tensor, deformed: Tensor, target: Tensor, points: tuple[PointTensors, PointTensors]
    ) -> dict[str, Tensor]:
        shown = _shown(points, self.weights.detach_kp_generator)
        made: list[Tensor] = self.discriminator(picture, *shown)
        real: list[Tensor] = self.discriminator(target, *shown)
        parts = [
            weight * (ours.float() - theirs.float()).abs().mean()
            for weight, ours, theirs in zip(self.weights.reconstruction, made[:-1], real[:-1], strict=True)
        ]
        terms = {"reconstruction": torch.stack(parts).sum()}
        if self.weights.reconstruction_deformed:
            terms["deformed"] = self.weights.reconstruction_deformed * (deformed - target).abs().mean()
        if self.weights.generator_gan:
            terms["generator_gan"] = self.weights.generator_gan * (1 - made[-1].float()).square().mean()
        return terms

    def _discriminator_loss(
        self, made: Tensor, real: Tensor, shown: tuple[PointTensors, PointTensors]
    ) -> Tensor:
        """Return the least-squares loss: real patches to 1, generated ones to 0."""
        truth, fake = (self.discriminator(picture, *shown)[-1].float() for picture in (real, made))
        loss: Tensor = (1 - truth).square().mean() + fake.square().mean()
        return self.weights.discriminator_gan * loss

    def sample(self, pair: Pair, networks: dict[str, nn.Module]) -> Tensor:
        """Return (B, 3, S, 4 S): source, driving, output, warped source."""
        detector = networks["kp_detector"]
        made: Generated = networks["generator"](pair.source, detector(pair.source), detector(pair.driving))
        return torch.cat([pair.source, pair.driving, made.prediction.float(), made.deformed.float()], 3)


def _shown(points: tuple[PointTensors, PointTensors], detached: bool) -> tuple[PointTensors, PointTensors]:
    if not detached:
        return points
    first, second = (PointTensors(*(part.detach() for part in each)) for each in points)
    return first, second
