"""Training step of the original First Order Motion Model (section 3.3).

Without labels: key points are learned.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.dense_motion import inverse_2x2
from avatar_app.networks.fomm.discriminator import Discriminator, Judgement
from avatar_app.networks.fomm.generator import Generated, Generator
from avatar_app.networks.fomm.keypoints import KeyPointDetector, KeyPointTensors
from avatar_app.text import Text
from avatar_app.training.augment import Pair
from avatar_app.training.config import RunConfig
from avatar_app.training.equivariance import Deformation
from avatar_app.training.losses import FeatureNetwork, pyramid_perceptual
from avatar_app.training.objective import Objective, kept_where_ignored
from avatar_app.training.originals import FommLosses


class FommObjective(Objective):
    """Generator, key-point detector and, if a loss needs one, discriminator.

    Without ``generator_gan`` the discriminator serves feature matching alone.
    """

    def __init__(self, config: RunConfig, features: Path | None, device: torch.device) -> None:
        self.network = FommConfig.from_original({"model_params": config.network})
        self.settings = build(FommLosses, config.losses, "losses")
        self.weights = self.settings.loss_weights
        self._check(features)
        self.generator = Generator(self.network).to(device)
        self.detector = KeyPointDetector(self.network).to(device)
        self.networks: dict[str, nn.Module] = {"generator": self.generator, "kp_detector": self.detector}
        self.discriminator: Discriminator | None = None
        if self.weights.generator_gan or any(self.weights.feature_matching):
            self.discriminator = Discriminator(self.network).to(device)
            self.networks["discriminator"] = self.discriminator
        self.features = (
            FeatureNetwork(features).to(device)
            if features is not None and any(self.weights.perceptual)
            else None
        )
        shares = {
            "kp_detector": self.settings.rate_kp_detector,
            "discriminator": self.settings.rate_discriminator,
        }
        self.optimisers = {
            name: _adam(network, shares.get(name, 1.0)) for name, network in self.networks.items()
        }
        self.random: torch.Generator = torch.Generator().manual_seed(config.seed)

    def _check(self, features: Path | None) -> None:
        if features is None and any(self.weights.perceptual):
            raise ConfigError(
                Text("The perceptual loss needs a feature network."), Text("Give one with --features FILE.")
            )
        if any(self.weights.perceptual) and len(self.weights.perceptual) != 5:
            raise ConfigError(
                Text("loss_weights.perceptual has {} values.", len(self.weights.perceptual)),
                Text("Give five."),
            )
        blocks = self.network.discriminator_params.num_blocks
        if any(self.weights.feature_matching) and len(self.weights.feature_matching) != blocks:
            raise ConfigError(
                Text("loss_weights.feature_matching has {} values.", len(self.weights.feature_matching)),
                Text("Give {}, one for each block of the discriminator.", blocks),
            )

    def step(self, pair: Pair, scaler: torch.amp.GradScaler) -> dict[str, Tensor]:
        """Compute the gradients of all networks in one forward pass of the generator."""
        self._clear_gradients()
        source, driving = self.detector(pair.source), self.detector(pair.driving)
        generated: Generated = self.generator(pair.source, source, driving)
        picture = kept_where_ignored(generated.prediction, pair)
        terms = {
            **self._picture_terms(picture, pair.driving, driving),
            **self._equivariance(pair.driving, driving),
        }
        if not terms:
            raise ConfigError(
                Text("Every loss weight is 0."), Text("Look at the files in avatar_app/training/configs.")
            )
        torch.autograd.backward(scaler.scale(torch.stack(list(terms.values())).sum()))
        if self.discriminator is not None:
            # The generator's losses left gradients in the discriminator, which are not its own.
            self.optimisers["discriminator"].zero_grad(set_to_none=True)
            terms["discriminator_gan"] = self._discriminator_loss(
                picture.detach(), pair.driving, driving.value.detach()
            )
            torch.autograd.backward(scaler.scale(terms["discriminator_gan"]))
        return {name: term.detach() for name, term in terms.items()}

    def _picture_terms(self, picture: Tensor, target: Tensor, points: KeyPointTensors) -> dict[str, Tensor]:
        terms = {}
        if self.features is not None:
            weights = list(self.weights.perceptual)
            terms["perceptual"] = pyramid_perceptual(
                self.features, picture, target, list(self.settings.scales), weights
            )
        if self.discriminator is None:
            return terms
        # Key points are inputs of the discriminator, but are not trained through it.
        shown = points.value.detach()
        judged: list[Judgement] = self.discriminator(picture, shown)
        if self.weights.generator_gan:
            parts = [(1 - judgement.prediction.float()).square().mean() for judgement in judged]
            terms["generator_gan"] = self.weights.generator_gan * torch.stack(parts).sum()
        if any(self.weights.feature_matching):
            with torch.no_grad():
                wanted: list[Judgement] = self.discriminator(target, shown)
            terms["feature_matching"] = self._feature_matching(judged, wanted)
        return terms

    def _feature_matching(self, judged: list[Judgement], wanted: list[Judgement]) -> Tensor:
        parts = [
            weight * (made.float() - real.float()).abs().mean()
            for ours, theirs in zip(judged, wanted, strict=True)
            for weight, made, real in zip(
                self.weights.feature_matching, ours.features, theirs.features, strict=True
            )
        ]
        return torch.stack(parts).sum()

    def _equivariance(self, picture: Tensor, points: KeyPointTensors) -> dict[str, Tensor]:
        """Compare key points of a deformed picture, mapped back, with the original ones.

        The same for their local frames.
        """
        if not (self.weights.equivariance_value or self.weights.equivariance_jacobian):
            return {}
        params = self.settings.transform_params
        deformation = Deformation(
            len(picture), params.sigma_affine, params.sigma_tps, params.points_tps, self.random
        ).to(picture.device)
        with torch.autocast(picture.device.type, enabled=False):
            deformed = deformation.warp(picture, self.network.align_corners)
        moved: KeyPointTensors = self.detector(deformed)
        terms = {}
        # Positions and 2 x 2 matrices need float32: half precision would round the differences away.
        with torch.autocast(picture.device.type, enabled=False):
            if self.weights.equivariance_value:
                terms["equivariance_value"] = (
                    self.weights.equivariance_value * (points.value - deformation(moved.value)).abs().mean()
                )
            if (
                self.weights.equivariance_jacobian
                and points.jacobian is not None
                and moved.jacobian is not None
            ):
                carried = deformation.jacobian(moved.value) @ moved.jacobian
                difference = torch.eye(2, device=picture.device) - inverse_2x2(points.jacobian) @ carried
                terms["equivariance_jacobian"] = self.weights.equivariance_jacobian * difference.abs().mean()
        return terms

    def _discriminator_loss(self, made: Tensor, real: Tensor, points: Tensor) -> Tensor:
        """Return the least-squares loss: real patches to 1, generated ones to 0."""
        assert self.discriminator is not None
        parts = [
            (1 - truth.prediction.float()).square().mean() + fake.prediction.float().square().mean()
            for truth, fake in zip(
                self.discriminator(real, points), self.discriminator(made, points), strict=True
            )
        ]
        return self.weights.discriminator_gan * torch.stack(parts).sum()

    def sample(self, pair: Pair, networks: dict[str, nn.Module]) -> Tensor:
        """Return (B, 3, S, 4 S): source, driving, output, warped source."""
        detector = networks["kp_detector"]
        generated: Generated = networks["generator"](
            pair.source, detector(pair.source), detector(pair.driving)
        )
        return torch.cat(
            [pair.source, pair.driving, generated.prediction.float(), generated.deformed.float()], 3
        )


def _adam(network: nn.Module, share: float) -> torch.optim.Optimizer:
    """Return Adam for a network; the learning rate is the stage's times ``share``."""
    group = {"params": list(network.parameters()), "share": share}
    return torch.optim.Adam([group], 2e-4, betas=(0.5, 0.999))
