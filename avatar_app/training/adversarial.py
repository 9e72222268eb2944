"""Adversarial losses of cut-outs of mouths and eyes.

The other losses leave teeth, lip edges and lashes blurred, since the mean of several sharp possibilities is
blurred. Critics that see only mouths and eyes learn from few faces what such edges look like, at a fraction
of the cost of judging whole pictures.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_app.landmarks import LEFT_EYE, LIPS, RIGHT_EYE, indices
from avatar_app.networks.fomm.discriminator import Judgement
from avatar_app.training.losses import cut

PLACES = {"mouth": (indices(LIPS),), "eyes": (indices(RIGHT_EYE), indices(LEFT_EYE))}
"""Landmarks whose middle is the centre of each critic's cut-outs."""

SIDE = 64
"""Side of a cut-out in pixels: a mouth, or an eye with its brow, in a picture of 256."""

WIDTHS = (32, 64, 128)


class Critic(nn.Module):
    """Judges overlapping patches of cut-outs of one kind."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for inputs, outputs in itertools.pairwise((channels, *WIDTHS)):
            norm = nn.Identity() if not self.blocks else nn.InstanceNorm2d(outputs, affine=True)
            self.blocks.append(nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1), norm, nn.LeakyReLU(0.2)))
        self.verdict = nn.Conv2d(WIDTHS[-1], 1, 3, 1, 1)

    def forward(self, picture: Tensor) -> Judgement:
        """Judge (B, 3, SIDE, SIDE) in [0, 1]; predictions above 0 mean real."""
        features = [picture]
        for block in self.blocks:
            features.append(block(features[-1]))
        return Judgement(features[1:], self.verdict(features[-1]))


class Critics(nn.Module):
    """One critic for each of `PLACES`."""

    def __init__(self) -> None:
        super().__init__()
        self.judges = nn.ModuleDict({place: Critic() for place in PLACES})

    def forward(self, picture: Tensor, points: Tensor) -> list[Judgement]:
        """Judge the cut-outs of pictures (B, 3, S, S) in [0, 1], landmarks (B, 88, 2)."""
        return [self.judges[place](cutouts(picture, points, place)) for place in PLACES]

    def persuasion(self, made: Tensor, real: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the generator's losses.

        Minus the predictions, and the distance to the real cut-outs' features.
        """
        judged = self(made, points)
        with torch.no_grad():
            wanted = self(real, points)
        doubt = torch.stack([-judgement.prediction.float().mean() for judgement in judged]).mean()
        distances = [
            (ours.float() - theirs.float()).abs().mean()
            for one, other in zip(judged, wanted, strict=True)
            for ours, theirs in zip(one.features, other.features, strict=True)
        ]
        return doubt, torch.stack(distances).mean()

    def mistakes(self, made: Tensor, real: Tensor, points: Tensor) -> Tensor:
        """Return the critics' loss: hinges, real cut-outs above 1, generated below -1.

        Least squares with spectral normalisation, as in the original, learns too slowly for a few thousand
        steps: after 150 it recognised 61 of 100 generated mouths, hinges and instance normalisation 81.
        """
        parts = [
            functional.relu(1 - truth.prediction.float()).mean()
            + functional.relu(1 + fake.prediction.float()).mean()
            for truth, fake in zip(self(real, points), self(made.detach(), points), strict=True)
        ]
        return torch.stack(parts).mean()


def cutouts(picture: Tensor, points: Tensor, place: str) -> Tensor:
    """Cut (B * n, 3, SIDE, SIDE) around the n middles of a part."""
    side = min(SIDE, picture.shape[-1])
    return torch.cat([cut(picture, points[:, list(group)].mean(1), side) for group in PLACES[place]])
