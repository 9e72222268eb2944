r"""Train the network that separates person from background in a photo.

    python -m avatar_app.training.matte.loop --data DATA --backgrounds PICTURES --output runs/matte
    python -m avatar_app.training.matte.loop ... --output runs/matte-2 --start runs/matte/matte.pt
    python -m avatar_app.training.matte.loop --data DATA --backgrounds PICTURES --output runs/matte-3 \
        --start runs/matte-2/matte.pt --masks MASKS

Half of each batch are cleanly separated people before another background, in other colours; the other half
are unchanged pictures. The labels come from GrabCut (`labels`) or, better, from a teacher (`teacher`). The
first run uses people before a plain background. The second starts from it and uses people on whom network and
GrabCut agree, without the pixels on which they differ; with a teacher, people of whom it is certain.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from avatar_app.errors import AvatarError
from avatar_app.networks.anchored.matte import PersonMatte
from avatar_app.training.checkpoint import load_checkpoint, save_checkpoint
from avatar_app.training.data import list_clips
from avatar_app.training.loop import descend, repeat
from avatar_app.training.matte.people import label, mark_doubtful_labels, people_from_masks
from avatar_app.training.matte.scenes import Scenes, read_backgrounds
from avatar_app.training.schedule import average_into, learning_rate

MISSED = 2.0
"""Weight of a pixel of a person relative to one of the background."""

SAVE_SECONDS = 240.0
"""Seconds between checkpoints."""


def loss(logits: Tensor, persons: Tensor, weight: Tensor) -> Tensor:
    """Return cross entropy plus Dice, both weighted pixel by pixel.

    A missed person counts more than a false one.
    """
    alpha = torch.sigmoid(logits)
    entropy = F.binary_cross_entropy_with_logits(
        logits, persons, weight, pos_weight=torch.full((1,), MISSED), reduction="mean"
    )
    both, either = ((weight * x).sum((1, 2, 3)) for x in (alpha * persons, alpha + persons))
    dice = weight.mean((1, 2, 3)) * (1 - (2 * both + 1) / (either + 1))
    return entropy + 0.5 * dice.mean()


class MatteTraining:
    """Trains a network and its average for a number of steps."""

    def __init__(self, network: PersonMatte, scenes: Scenes, steps: int, batch: int, rate: float) -> None:
        self.network, self.scenes, self.steps, self.batch, self.rate = network, scenes, steps, batch, rate
        self.averaged = copy.deepcopy(network).eval()
        self.optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-4)
        self.position = 0

    @property
    def finished(self) -> bool:
        return self.position >= self.steps

    def advance(self) -> dict[str, float]:
        """Make one optimiser step; return the loss."""
        pictures, persons, points, weight = self.scenes.draw(self.batch)
        value = loss(self.network(pictures, points), persons, weight)
        rate = learning_rate(self.position / self.steps, self.position, self.rate, warmup=50)
        descend(self.network, self.optimiser, [value], rate)
        average_into(self.averaged.state_dict(), self.network, 0.998, self.position)
        self.position += 1
        return {"loss": value.item()}


def train(
    network: PersonMatte, scenes: Scenes, output: Path, steps: int, batch: int, rate: float = 2e-3
) -> PersonMatte:
    """Train, and write the averaged weights to ``output``/matte.pt every four minutes."""
    training = MatteTraining(network, scenes, steps, batch, rate)

    def report(means: dict[str, float]) -> None:
        bar.update()
        bar.set_postfix_str(f"loss {means['loss']:.3f}")

    def save() -> None:
        networks = {"matte": training.averaged.state_dict()}
        save_checkpoint(output / "matte.pt", {"step": training.position, "networks": networks})

    with tqdm(total=steps, desc="matte", mininterval=5) as bar:
        repeat(training, report, save, SAVE_SECONDS)
    return training.averaged


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.matte.loop",
        description="Train the network that finds the person.",
    )
    parser.add_argument("--data", type=Path, required=True, help="data set with landmarks")
    parser.add_argument("--backgrounds", type=Path, required=True, help="folder of pictures without people")
    parser.add_argument("--output", type=Path, default=Path("runs/matte"))
    parser.add_argument("--start", type=Path, help="weights of a first run, which also judge the labels")
    parser.add_argument("--masks", type=Path, help="folder of a teacher's masks, instead of GrabCut's")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    try:
        torch.manual_seed(options.seed)
        entries, network = list_clips(options.data, "train"), PersonMatte()
        people = people_from_masks(entries, options.masks) if options.masks else label(entries)
        if options.start:
            network.load_state_dict(load_checkpoint(options.start)["networks"]["matte"])
            people = people if options.masks else mark_doubtful_labels(people, network.eval())
        scenes = Scenes(people, read_backgrounds(options.backgrounds), options.seed)
        train(
            network.train(),
            scenes,
            options.output,
            options.steps,
            options.batch,
            1e-3 if options.start else 2e-3,
        )
    except AvatarError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
