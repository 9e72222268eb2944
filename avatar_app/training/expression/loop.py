"""Train the code reader and the painter of one region together.

The painter needs the code, and so teaches the reader what to read.

First L1 and perceptual loss on pairs of one person; then a critic joins, and crossed pairs, whose truth
nobody knows. They must look photographed, the code must be readable from them, and skin away from the opening
must stay as the photo has it.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_app.files import parse_yaml, read_small
from avatar_app.networks.expression import CodeReader
from avatar_app.networks.painters import Painted, RegionPainter, eye_painter, mouth_painter
from avatar_app.networks.regions import EYE, MOUTH, sketch_of
from avatar_app.training.adversarial import Critic
from avatar_app.training.checkpoint import load_checkpoint, save_checkpoint
from avatar_app.training.config import build
from avatar_app.training.expression.crops import Batch, CropStore, as_seen, changed, near_opening, to_read
from avatar_app.training.expression.gaze import with_other_looks
from avatar_app.training.loop import repeat
from avatar_app.training.losses import FeatureNetwork, weighted_l1
from avatar_app.training.schedule import average_into, learning_rate

REGIONS = {"mouth": (MOUTH, mouth_painter), "eye": (EYE, eye_painter)}
SAVE_SECONDS = 240.0

WARM = 200
"""Steps over which the learning rate rises."""

HALF = slice(None, None, 2)
"""Of a batch, what critic and feature network see: each costs as much as the painter."""

FAST_BF16 = torch.backends.cpu.get_cpu_capability() == "AVX512"
"""Processors with AVX2 alone emulate bfloat16: a step then takes ten times as long as in float32."""

halved = partial(torch.autocast, "cpu", torch.bfloat16, enabled=FAST_BF16)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Settings of a run.

    Attributes:
        minutes: of the whole run; learning rates fall along a cosine to its end.
        finish: fraction of the run after which critic and crossed pairs join.
        crossed: crossed pairs a step.
        odd: fraction of them with a code that does not belong to their landmarks: drivers unlike all of the
            data.
        l1, perceptual, adversarial, matching, read_back: weights of losses.
        aside: weight of the L1 between crossed pairs and the moved photo, away from lips and lids.
        code_noise: standard deviation of noise on the code.
        unknown: fraction of codes that are left out.
    """

    minutes: float
    batch: int
    learning_rate: float
    finish: float
    crossed: int
    odd: float
    l1: float
    perceptual: float
    adversarial: float
    matching: float
    read_back: float
    aside: float
    code_noise: float
    unknown: float
    ema: float


class Trainer:
    """Networks, optimisers and one step."""

    def __init__(self, name: str, recipe: Recipe, store: CropStore, features: Path, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.recipe, self.store = recipe, store
        self.region, make = REGIONS[name]
        self.random = np.random.default_rng(seed)
        self.painter = make()
        self.networks: dict[str, nn.Module] = {"reader": CodeReader(self.region), "painter": self.painter}
        self.critic = Critic(3 + len(self.region.strokes) + 1)
        self.features = FeatureNetwork(features)
        for network in (*self.networks.values(), self.critic, self.features):
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = {key: copy.deepcopy(network).eval() for key, network in self.networks.items()}
        parameters = [parameter for network in self.networks.values() for parameter in network.parameters()]
        self.optimiser = torch.optim.AdamW(
            parameters, recipe.learning_rate, betas=(0.8, 0.99), weight_decay=1e-4
        )
        self.judge = torch.optim.Adam(self.critic.parameters(), 4e-4, betas=(0.5, 0.99))
        self.steps, self.elapsed = 0, 0.0

    def drawn(self, count: int, crossed: bool) -> Batch:
        """Draw pairs and change them at random."""
        batch = self.store.draw(count, crossed, self.random)
        return changed(with_other_looks(batch) if self.region is EYE else batch, self.region)

    def painted(self, batch: Batch, code: Tensor) -> tuple[Painted, Tensor]:
        """What the painter makes of a batch, and the crop with it."""
        painter = self.painter
        with halved():
            out = painter(painter.photo(batch.photo, batch.photo_points), batch.moved, batch.points, code)
        colours, alpha = out.colours.float(), out.alpha.float()
        return Painted(colours, alpha), torch.lerp(batch.moved, colours, alpha)

    def code(self, batch: Batch) -> Tensor:
        with halved():
            code: Tensor = self.networks["reader"](*as_seen(batch, self.region)).float()
            return code

    @property
    def finished(self) -> bool:
        return self.elapsed >= 60 * self.recipe.minutes

    @property
    def position(self) -> int:
        return self.steps

    def advance(self) -> dict[str, float]:
        began = time.monotonic()
        terms = self.step()
        self.elapsed += time.monotonic() - began
        return terms

    def step(self) -> dict[str, float]:
        """One update; returns the loss terms."""
        recipe, share = self.recipe, self.elapsed / (60 * self.recipe.minutes)
        rate = recipe.learning_rate
        rate = learning_rate(share, self.steps, rate, 0.02 * rate, warmup=WARM)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        batch = self.drawn(recipe.batch, False)
        code = self.code(batch)
        code = code + recipe.code_noise * torch.randn_like(code)
        code = code * (torch.rand(len(code), 1) >= recipe.unknown)
        _, picture = self.painted(batch, code)
        inside, around = near_opening(self.region, batch.points)
        weight = 1 + 2 * around + 6 * inside
        terms = {"l1": recipe.l1 * weighted_l1(picture, batch.truth, weight)}
        seen = (x[HALF] for x in (picture, batch.truth, weight))
        terms["perceptual"] = recipe.perceptual * self._perceptual(*seen)
        if share > recipe.finish:
            terms |= self._finish(batch, picture, min(1.0, (share - recipe.finish) / 0.03))
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_([p for group in self.optimiser.param_groups for p in group["params"]], 1.0)
        self.optimiser.step()
        for name, network in self.networks.items():
            average_into(self.averaged[name].state_dict(), network, recipe.ema, self.steps)
        self.steps += 1
        return {name: float(term.detach()) for name, term in terms.items()}

    def _perceptual(self, picture: Tensor, truth: Tensor, weight: Tensor) -> Tensor:
        with halved():
            with torch.no_grad():
                wanted = self.features(truth)
            found = self.features(picture)
        terms = []
        for ours, theirs in zip(found, wanted, strict=True):
            here = F.adaptive_avg_pool2d(weight, ours.shape[-2:])
            apart, size = (
                (x.abs().mean(1, keepdim=True).float() * here).mean() for x in (ours - theirs, theirs)
            )
            terms.append(apart / (size + 1e-3))
        return torch.stack(terms).mean()

    def _finish(self, batch: Batch, picture: Tensor, ramp: float) -> dict[str, Tensor]:
        """What critic and crossed pairs add; updates the critic."""
        recipe = self.recipe
        crossed = self.drawn(recipe.crossed, True)
        code, odd = self._crossed_code(crossed)
        _, foreign = self.painted(crossed, code)
        own = self._judged(picture[HALF], batch.points[HALF])
        made = torch.cat([own, self._judged(foreign, crossed.points)])
        real = self._judged(batch.truth[HALF], batch.points[HALF])
        with halved():
            truth, fake = self.critic(real), self.critic(made.detach())
            where = self._painted_part(batch.points[HALF])
            everywhere = torch.cat([where, self._painted_part(crossed.points)])
            mistakes = _mean(F.relu(1 - truth.prediction.float()), where) + _mean(
                F.relu(1 + fake.prediction.float()), everywhere
            )
        self.judge.zero_grad(set_to_none=True)
        mistakes.backward()  # type: ignore[no-untyped-call]
        self.judge.step()
        with halved():
            judged = self.critic(made)
            again = self.averaged["reader"](*to_read(foreign, crossed.points, self.region)).float()
        distance = [
            (ours[: len(own)].float() - theirs.detach().float()).abs().mean()
            for ours, theirs in zip(judged.features, truth.features, strict=True)
        ]
        return {
            "adversarial": -ramp * recipe.adversarial * _mean(judged.prediction.float(), everywhere),
            "matching": ramp * recipe.matching * torch.stack(distance).mean(),
            "read_back": recipe.read_back * ((again - code).square() * ~odd).mean(),
            "aside": recipe.aside
            * weighted_l1(foreign, crossed.moved, 1 - near_opening(self.region, crossed.points)[1]),
        }

    def _crossed_code(self, crossed: Batch) -> tuple[Tensor, Tensor]:
        """Return codes (B, codes) for crossed pairs, and which of them (B, 1) are odd."""
        code = self.code(crossed).detach()
        odd = torch.rand(len(code), 1) < self.recipe.odd
        return torch.where(odd, (1.5 * code.roll(1, 0)).clamp(-1, 1), code), odd

    def _painted_part(self, points: Tensor) -> Tensor:
        """What the critic's verdicts count for.

        Patches between lips or lids, the others next to nothing.

        The painter leaves most of a crop as it is. Averaged over all patches, the critic would hardly be
        heard.
        """
        return near_opening(self.region, points)[1] + 0.02

    def _judged(self, picture: Tensor, points: Tensor) -> Tensor:
        region = self.region
        drawn = sketch_of(region, region.width // 2, region.height // 2)(points)
        return torch.cat([picture * 2 - 1, F.interpolate(drawn, picture.shape[-2:], mode="nearest")], 1)

    def state(self) -> dict[str, Any]:
        return {
            "networks": {name: network.state_dict() for name, network in self.networks.items()},
            "averaged": {name: network.state_dict() for name, network in self.averaged.items()},
            "critic": self.critic.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "judge": self.judge.state_dict(),
            "steps": self.steps,
            "elapsed": self.elapsed,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
            self.averaged[name].load_state_dict(state["averaged"][name])
        self.critic.load_state_dict(state["critic"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.judge.load_state_dict(state["judge"])
        self.steps, self.elapsed = state["steps"], state["elapsed"]


def _mean(verdicts: Tensor, part: Tensor) -> Tensor:
    """Mean of verdicts (B, 1, h, w), weighted by a part (B, 1, H, W) of the crop."""
    weight = F.interpolate(part, verdicts.shape[-2:], mode="area")
    return (verdicts * weight).sum() / weight.sum()


@torch.no_grad()
def paint(networks: dict[str, nn.Module], batch: Batch, code: Tensor) -> tuple[Tensor, Tensor]:
    """The painter's crop over the moved photo, and its alpha."""
    painter = networks["painter"]
    assert isinstance(painter, RegionPainter)
    out: Painted = painter(painter.photo(batch.photo, batch.photo_points), batch.moved, batch.points, code)
    return torch.lerp(batch.moved, out.colours, out.alpha), out.alpha


def write_sheet(path: Path, columns: Iterable[Tensor]) -> None:
    """Pictures (B, 1 or 3, h, w) of each column, one row a sample."""
    rows = torch.cat([column.expand(-1, 3, -1, -1) for column in columns], 3)
    grid = torch.cat(list(rows), 1).clamp(0, 1).permute(1, 2, 0).numpy()
    cv2.imwrite(str(path), np.ascontiguousarray((grid[..., ::-1] * 255).astype(np.uint8)))


def train(trainer: Trainer, output: Path, watched: CropStore | None) -> None:
    """Train until the recipe's time is over.

    Writes checkpoint and sheet every few minutes, the log every 50 steps.
    """
    output.mkdir(parents=True, exist_ok=True)

    def report(means: dict[str, float]) -> None:
        if trainer.steps % 50 == 0:
            terms = ",".join(f"{key}={value:.4f}" for key, value in means.items())
            with (output / "log.csv").open("a") as log:
                log.write(f"{trainer.steps},{trainer.elapsed:.0f},{terms}\n")

    repeat(trainer, report, lambda: _keep(trainer, output, watched), SAVE_SECONDS)


def _keep(trainer: Trainer, output: Path, watched: CropStore | None) -> None:
    save_checkpoint(output / "checkpoint.pt", trainer.state(), 0)
    if watched is None:
        return
    own = watched.own[np.linspace(0, len(watched.own) - 1, 10).astype(int)]
    crossed = watched.other[np.linspace(0, len(watched.other) - 1, 6).astype(int)]
    batch = watched.take(np.concatenate([own, crossed]), watched.places[-1])
    with torch.no_grad():
        code = trainer.averaged["reader"](*to_read(batch.truth, batch.seen_points, trainer.region))
    picture, alpha = paint(trainer.averaged, batch, code)
    write_sheet(output / "sheet.png", (batch.photo, batch.moved, picture, batch.truth, alpha))


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.expression.loop", description=__doc__
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("region", choices=sorted(REGIONS))
    parser.add_argument("pairs", type=Path, help="folder that pairs.py wrote")
    parser.add_argument("--features", type=Path, required=True, help="feature network of the perceptual loss")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--watch", type=Path, help="pairs of other people for the sheet")
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--minutes", type=float, help="instead of the recipe's")
    parser.add_argument(
        "--threads", type=int, default=0, help="of PyTorch; two runs on two cores want one each"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    options = build_parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    values = parse_yaml(read_small(options.config))
    if options.minutes:
        values["minutes"] = options.minutes
    recipe = build(Recipe, values, options.config.name)
    trainer = Trainer(options.region, recipe, CropStore(options.pairs, options.region), options.features)
    if options.resume:
        trainer.load_state(load_checkpoint(options.resume))
    watched = CropStore(options.watch, options.region) if options.watch else None
    train(trainer, options.output, watched)


if __name__ == "__main__":
    main()
