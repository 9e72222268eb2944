"""Training step of the anchored model.

Reconstructs the driving frame from the source frame and both frames' landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.landmarks import EYES, LEFT_PUPIL, LIPS, RIGHT_PUPIL, indices
from avatar_app.networks.anchored.config import AnchoredConfig
from avatar_app.networks.anchored.features import Rendered
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.text import Text
from avatar_app.training.adversarial import Critics
from avatar_app.training.augment import Pair
from avatar_app.training.config import RunConfig
from avatar_app.training.landmark_loss import LandmarkReader, landmark_distance
from avatar_app.training.losses import (
    FeatureNetwork,
    cut,
    face_weight,
    relative_distance,
    weighted_l1,
)
from avatar_app.training.objective import Objective, kept_where_ignored

CRITIC_RATE = 2.5
"""Learning rate of critics relative to the generator's."""

LIDS_AND_PUPILS = indices(EYES, RIGHT_PUPIL, LEFT_PUPIL)


@dataclass(frozen=True, slots=True)
class AnchoredLosses:
    """Weights of losses.

    Attributes:
        l1, perceptual: of the picture.
        warped: of the warped photo alone (trains the flow directly), against the same target.
        detail: perceptual loss of a cut-out at native resolution around eyes or mouth.
        offset: mean size of the free offset.
        face_gain: additional weight of pixels at eyes and lips in L1.
        painted: of the painted picture alone, mainly at eyes and mouth: the painter would learn nothing where
            the photo is kept.
        landmarks: of the expression that a frozen landmark network reads in the picture.
        adversarial: of the critics' verdict on mouths and eyes.
        matching: of the distance between the critics' features of the picture and of the target.
    """

    l1: float = 2.0
    perceptual: float = 1.0
    warped: float = 0.5
    detail: float = 1.0
    offset: float = 0.5
    face_gain: float = 5.0
    painted: float = 0.0
    landmarks: float = 0.0
    adversarial: float = 0.0
    matching: float = 0.0


class AnchoredObjective(Objective):
    """Holds networks and optimisers; ``step`` computes the gradients of one update."""

    def __init__(
        self, config: RunConfig, features: Path | None, device: torch.device, landmarks: Path | None = None
    ) -> None:
        if features is None:
            raise ConfigError(
                Text("The anchored model needs a feature network for its perceptual loss."),
                Text("Give one with --features FILE."),
            )
        self.config = config
        self.weights = build(AnchoredLosses, config.losses, "losses")
        if self.weights.landmarks and landmarks is None:
            raise ConfigError(
                Text("The landmark loss needs a landmark network."),
                Text("Give one with --landmarks FILE, or set the weight to 0."),
            )
        self.reader = LandmarkReader(landmarks).to(device) if landmarks and self.weights.landmarks else None
        self.generator = AnchoredGenerator(AnchoredConfig.from_dict(config.network)).to(device)
        self.features = FeatureNetwork(features).to(device)
        for network in (self.generator, self.features):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.networks: dict[str, nn.Module] = {"generator": self.generator}
        self.optimisers: dict[str, torch.optim.Optimizer] = {
            "generator": torch.optim.AdamW(
                self.generator.parameters(), 1e-4, betas=(0.5, 0.999), weight_decay=1e-4, fused=True
            )
        }
        self.critics: Critics | None = None
        if self.weights.adversarial or self.weights.matching:
            self.critics = Critics().to(device)
            self.networks["critics"] = self.critics
            self.optimisers["critics"] = torch.optim.Adam(
                [{"params": list(self.critics.parameters()), "share": CRITIC_RATE}], 1e-4, betas=(0.5, 0.999)
            )
        self.random = torch.Generator().manual_seed(config.seed)

    def losses(self, pair: Pair) -> tuple[dict[str, Tensor], Tensor]:
        """Return each weighted term, by name, and the picture."""
        if pair.source_points is None or pair.driving_points is None:
            raise ConfigError(
                Text("The anchored model needs landmarks for every frame."),
                Text("Use a data set with labels, or the fomm objective."),
            )
        rendered = Rendered(
            *(x.float() for x in self.generator(pair.source, pair.source_points, pair.driving_points))
        )
        target = pair.driving
        picture, warped, painted = (
            kept_where_ignored(x, pair) for x in (rendered.image, rendered.warped, rendered.painted)
        )
        weight = face_weight(pair.driving_points, target.shape[-1], self.weights.face_gain)

        small_picture, small_warped, small_target = (
            F.avg_pool2d(x, 2) if x.shape[-1] > 160 else x for x in (picture, warped, target)
        )
        with torch.no_grad():
            goals = self.features(small_target)
        w = self.weights
        terms = {
            "l1": w.l1 * weighted_l1(picture, target, weight),
            "perceptual": w.perceptual * relative_distance(self.features(small_picture), goals),
            "warped": w.warped
            * (
                weighted_l1(warped, target, weight)
                + 0.3 * relative_distance(self.features(small_warped)[:4], goals[:4])
            ),
            "offset": w.offset * rendered.offset.abs().mean(),
        }
        if w.painted:
            terms["painted"] = w.painted * weighted_l1(painted, target, weight)
        if target.shape[-1] > 160 and w.detail:
            shown = [picture, painted] if w.painted else [picture]
            terms["detail"] = w.detail * self._detail(shown, target, pair.driving_points)
        if self.reader is not None:
            with torch.no_grad():
                wanted = self.reader(target, pair.driving_points)
            terms["landmarks"] = w.landmarks * landmark_distance(
                self.reader(picture, pair.driving_points), wanted
            )
        if self.critics is not None:
            doubt, distance = self.critics.persuasion(picture, target, pair.driving_points)
            terms |= {"adversarial": w.adversarial * doubt, "matching": w.matching * distance}
        return terms, picture

    def _detail(self, pictures: list[Tensor], target: Tensor, points: Tensor) -> Tensor:
        """Return the mean perceptual distance of cut-outs around eyes or mouth."""
        at_mouth = torch.rand(len(points), generator=self.random).to(points.device) < 0.5
        center = torch.where(
            at_mouth[:, None], points[:, LIPS].mean(1), points[:, list(LIDS_AND_PUPILS)].mean(1)
        )
        side = 96
        with torch.no_grad():
            goals = self.features(cut(target, center, side))[:4]
        distances = [
            relative_distance(self.features(cut(picture, center, side))[:4], goals) for picture in pictures
        ]
        return torch.stack(distances).mean()

    def step(self, pair: Pair, scaler: torch.amp.GradScaler) -> dict[str, Tensor]:
        self._clear_gradients()
        terms, picture = self.losses(pair)
        scaler.scale(torch.stack(list(terms.values())).sum()).backward()  # type: ignore[no-untyped-call]
        if self.critics is not None:
            assert pair.driving_points is not None
            # The generator's losses left gradients in the critics, which are not the critics' own.
            self.optimisers["critics"].zero_grad(set_to_none=True)
            terms["mistakes"] = self.critics.mistakes(picture, pair.driving, pair.driving_points)
            scaler.scale(terms["mistakes"]).backward()  # type: ignore[no-untyped-call]
        return {name: term.detach() for name, term in terms.items()}

    def apply(self, scaler: torch.amp.GradScaler) -> None:
        scaler.unscale_(self.optimisers["generator"])  # the limit applies to the unscaled gradients
        nn.utils.clip_grad_norm_(self.generator.parameters(), 2.0)
        super().apply(scaler)

    def sample(self, pair: Pair, networks: dict[str, nn.Module]) -> Tensor:
        """Return (B, 3, S, 5 S): source, driving, output, warped source, painted alpha."""
        rendered = networks["generator"](pair.source, pair.source_points, pair.driving_points)
        painted = (1 - rendered.alpha).expand_as(rendered.image)
        return torch.cat([pair.source, pair.driving, rendered.image, rendered.warped, painted], 3)
