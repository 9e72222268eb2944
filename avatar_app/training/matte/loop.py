r"""Train the network that separates person from background in a photo.

    python -m avatar_app.training.matte.loop --data DATA --backgrounds PICTURES --output runs/matte
    python -m avatar_app.training.matte.loop ... --output runs/matte-2 --start runs/matte/matte.pt
    python -m avatar_app.training.matte.loop --data DATA --backgrounds PICTURES --output runs/matte-3 \
        --start runs/matte-2/matte.pt --masks MASKS

Half of each batch are people who were cut out well and put before another background, in other colours; the
other half are pictures as they are. GrabCut makes the labels (`labels`), or, better, a teacher (`teacher`).
The first run uses people before a plain background. The second starts from it and uses people on whom
network and GrabCut agree, without the pixels on which they differ; with a teacher, people of whom it is sure.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from avatar_app.errors import AvatarError, ConfigError
from avatar_app.landmarks import CHIN, FOREHEAD, LEFT_EAR, MIRRORED, RIGHT_EAR
from avatar_app.networks.anchored.matte import SIDE, PersonMatte
from avatar_app.text import Text
from avatar_app.training.augment import AugmentConfig, Deformation, recolour
from avatar_app.training.checkpoint import load_checkpoint, save_checkpoint
from avatar_app.training.data import (
    IMAGE_SUFFIXES,
    UNREADABLE,
    ClipEntry,
    list_clips,
    read_arrays,
    read_frames,
    read_labels,
    to_grid,
)
from avatar_app.training.loop import descend, repeat
from avatar_app.training.matte.labels import person
from avatar_app.training.schedule import average_into, learning_rate

STORED = 160
"""Side of the pictures in memory; what is cut of them has `SIDE` pixels."""

LABELLED = 192
"""Side at which labels are made."""

FRAMES = 3
"""Frames taken of each clip."""

NARROWEST = 0.6
"""Faces narrower than this share of their height look aside: where the rest of the head is cannot be known
from them."""

PLAIN = 0.06
"""A background counts as plain if the spread of its colours, in [0, 1], stays below this."""

AGREED = 0.95
"""Someone of whom network and GrabCut find the same pixels, intersection over union, is cut out well."""

AS_IS = 0.6
"""Weight of pictures as they are, whose labels have errors, beside that of people put before another
background."""

UNSURE = 0.05
"""A teacher that gives no more of a picture shares between a tenth and nine tenths is sure."""

MISSED = 2.0
"""How much more a pixel of a person counts than one of the background."""

SAVE_SECONDS = 240.0
"""Between two checkpoints."""

CHANGES = AugmentConfig(rotation=0.25, scale=0.3, aspect=0.1, shift=0.2, deform=0.03)


@dataclass(slots=True)
class People:
    """Labelled pictures.

    Attributes:
        pictures: (N, 3, STORED, STORED) uint8.
        persons: (N, 1, STORED, STORED) in [0, 1].
        trust: (N, 1, STORED, STORED), 0 where the label of a pixel is doubtful, else 1.
        points: (N, 88, 2) landmarks in [-1, 1].
        clean: (N,) who is cut out well enough to be put before another background.
        as_is: the weight of pictures as they are.
        share: (N,) how often each is drawn.
    """

    pictures: Tensor
    persons: Tensor
    trust: Tensor
    points: Tensor
    clean: npt.NDArray[np.bool_]
    share: npt.NDArray[np.float64]
    as_is: float = AS_IS


def label(entries: list[ClipEntry]) -> People:
    """Cut the people out of some frames of every clip."""
    pictures, persons, points, plain, groups = [], [], [], [], []
    for entry in tqdm(entries, desc="labels"):
        for frame, place in _frames(entry):
            mask = person(np.ascontiguousarray(frame[..., ::-1]), place * LABELLED - 0.5)
            outside = frame[cv2.dilate(mask, np.ones((7, 7), np.uint8)) == 0]
            plain.append(len(outside) > 500 and float(outside.std(0).max()) / 255 < PLAIN)
            pictures.append(cv2.resize(frame, (STORED, STORED), interpolation=cv2.INTER_AREA))
            persons.append(
                cv2.resize(mask.astype(np.float32), (STORED, STORED), interpolation=cv2.INTER_AREA)
            )
            points.append(to_grid(place.astype(np.float32), LABELLED))
            groups.append(entry.identity)
    return _people(pictures, persons, points, plain, groups)


def people_from_masks(entries: list[ClipEntry], folder: Path) -> People:
    """Label people by the masks of `training.matte.teacher` in ``folder``."""
    pictures, persons, points, sure, groups = [], [], [], [], []
    for entry in tqdm(entries, desc="masks"):
        try:
            numbers, masks = read_arrays(folder / f"{entry.path.stem}.npz", "frames", "masks")
        except UNREADABLE as problem:
            raise ConfigError(
                Text("There is no mask of {}: {}.", entry.path.stem, problem),
                Text("Run avatar_app.training.matte.teacher on this data set."),
            ) from None
        stride = int(numbers[1]) if len(numbers) > 1 else 1
        for frame, usable, place, mask in zip(*_every(entry, stride), masks, strict=False):
            if not usable:
                continue
            sure.append(float(((mask > 25) & (mask < 230)).mean()) < UNSURE)
            share = mask.astype(np.float32) / 255
            persons.append(cv2.resize(share, (STORED, STORED), interpolation=cv2.INTER_AREA))
            pictures.append(cv2.resize(frame, (STORED, STORED), interpolation=cv2.INTER_AREA))
            points.append(to_grid(place, LABELLED))
            groups.append(entry.identity)
    return replace(_people(pictures, persons, points, sure, groups), as_is=1.0)


def _people(
    pictures: list[Any], persons: list[Any], points: list[Any], clean: list[bool], groups: list[str]
) -> People:
    if not pictures:
        raise ConfigError(
            Text("No frame shows a face from the front."),
            Text("Use a data set with labels of people who look at the camera."),
        )
    _, group, size = np.unique(groups, return_inverse=True, return_counts=True)
    share = (1 / np.sqrt(size[group])).astype(np.float64)
    stacked, masks = (
        torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2),
        torch.from_numpy(np.stack(persons))[:, None],
    )
    return People(
        stacked, masks, torch.ones_like(masks), torch.from_numpy(np.stack(points)), np.array(clean), share
    )


@torch.no_grad()
def mark_doubtful_labels(people: People, network: PersonMatte) -> People:
    """Lower the trust in labels where a trained network disagrees with them."""
    trust, clean = torch.ones_like(people.trust), []
    for index in range(len(people.pictures)):
        picture = F.interpolate(people.pictures[index : index + 1].float() / 255, SIDE, mode="area")
        points = people.points[index : index + 1]
        mirrored = points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0])
        seen = torch.sigmoid(network(picture, points)) + torch.sigmoid(
            network(picture.flip(3), mirrored)
        ).flip(3)
        found = F.interpolate(seen, STORED, mode="bilinear") > 1
        labelled = people.persons[index : index + 1] > 0.5
        clean.append(bool((found & labelled).sum() > AGREED * (found | labelled).sum()))
        # What lies between two outlines that nearly meet is not doubt, only their thickness.
        doubt = -F.max_pool2d(-(found != labelled).float(), 5, 1, 2)
        trust[index] = 1 - F.max_pool2d(doubt, 9, 1, 4)[0]
    return replace(people, trust=trust, clean=np.array(clean))


def _frames(entry: ClipEntry) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]]:
    """Some frames with their landmarks as fractions of the side."""
    stride = max(1, len(read_labels(entry)[1]) // FRAMES)
    for frame, usable, place in zip(*_every(entry, stride), strict=False):
        width, height = (
            float(np.linalg.norm(place[a] - place[b])) for a, b in ((RIGHT_EAR, LEFT_EAR), (FOREHEAD, CHIN))
        )
        if usable and width > NARROWEST * height:
            yield frame, place.astype(np.float64)


def _every(
    entry: ClipEntry, stride: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_], npt.NDArray[np.float32]]:
    """Return every so many frames, whether each is usable, and landmarks (0..1)."""
    points, good = read_labels(entry)
    return read_frames(entry.path, LABELLED, stride), good[::stride], points[::stride]


class Scenes:
    """Draws batches."""

    def __init__(self, people: People, backgrounds: list[npt.NDArray[np.uint8]], seed: int) -> None:
        self.people, self.backgrounds = people, backgrounds
        self.random = np.random.default_rng(seed)
        self.torch_random = torch.Generator().manual_seed(seed)

    def draw(self, batch: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Draw pictures, alpha of the person, landmarks, and weights of the labels.

        (B, 3, SIDE, SIDE), (B, 1, SIDE, SIDE), (B, 88, 2), (B, 1, SIDE, SIDE).
        """
        cut = batch // 2 + 1 if self.people.clean.any() else 0
        chosen = torch.from_numpy(
            np.concatenate([self._choose(cut, self.people.clean), self._choose(batch - cut)])
        )
        placed = Deformation(batch, CHANGES, self.torch_random)
        both = torch.cat(
            [
                self.people.pictures[chosen].float() / 255,
                self.people.persons[chosen],
                self.people.trust[chosen],
            ],
            1,
        )
        warped = placed.warp(both, SIDE)
        pictures, persons, weight = (
            warped[:, :3],
            warped[:, 3:4].contiguous(),
            self.people.as_is * warped[:, 4:],
        )
        weight[:cut] = 1  # what is seen of someone cut out is what the label says, right or wrong
        points = placed.inverse(self.people.points[chosen])
        parts = [
            recolour([part], strength, self.torch_random)[0]
            for part, strength in ((pictures[:cut], 0.45), (pictures[cut:], 0.3))
            if len(part)
        ]
        pictures = torch.cat(parts)
        for row in range(cut):
            dressed = (
                self._dressed(pictures[row], float(points[row, CHIN, 1]))
                if self.random.random() < 0.6
                else pictures[row]
            )
            # A pixel less than was found: its outline has the old background in it.
            persons[row] = F.avg_pool2d(
                1 - F.max_pool2d(1 - persons[row : row + 1], 3, 1, 1), 3, 1, 1, count_include_pad=False
            )[0]
            pictures[row] = torch.lerp(self._background(), dressed, persons[row])
        noise = torch.randn(pictures.shape, generator=self.torch_random) * self.random.uniform(0, 0.03)
        return self._mirrored((pictures + noise).clamp(0, 1), persons, points, weight)

    def _choose(self, count: int, among: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
        share = self.people.share if among is None else self.people.share * among
        if not count:
            return np.zeros(0, np.int64)
        return self.random.choice(len(share), count, p=share / share.sum())

    def _dressed(self, picture: Tensor, chin: float) -> Tensor:
        """Change the clothes: what is below the chin gets a colour, stripes or a pattern."""
        line = torch.linspace(-1, 1, SIDE)
        below = torch.sigmoid((line[:, None] - chin - self.random.uniform(0.08, 0.3)) * 30)[None]
        colour = torch.tensor(self.random.uniform(0.05, 1, 3), dtype=torch.float32)[:, None, None]
        kind = self.random.random()
        if kind < 0.4:
            angle = self.random.uniform(0, math.pi)
            across = line[None] * math.cos(angle) + line[:, None] * math.sin(angle)
            colour = colour * (0.7 + 0.3 * torch.sin(self.random.uniform(5, 40) * across))[None]
        elif kind < 0.65:
            colour = colour * self._background() * 1.6
        return torch.lerp(picture, (picture.mean(0, keepdim=True) * 1.1 * colour).clamp(0, 1), below)

    def _background(self) -> Tensor:
        picture = self.backgrounds[self.random.integers(len(self.backgrounds))]
        height, width = picture.shape[:2]
        side = int(self.random.uniform(0.25, 1) * min(height, width))
        top, left = self.random.integers(height - side + 1), self.random.integers(width - side + 1)
        part = (
            cv2.resize(
                picture[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA
            ).astype(np.float32)
            / 255
        )
        if self.random.random() < 0.4:
            part = cv2.GaussianBlur(part, (0, 0), self.random.uniform(0.5, 4)).astype(np.float32)
        return torch.from_numpy(
            np.ascontiguousarray(part[:, ::-1] if self.random.random() < 0.5 else part)
        ).permute(2, 0, 1)

    def _mirrored(
        self, pictures: Tensor, persons: Tensor, points: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        chosen = torch.rand(len(pictures), generator=self.torch_random) < 0.5
        flipped = points[:, list(MIRRORED)] * torch.tensor([-1.0, 1.0])
        here = chosen[:, None, None, None]
        points = torch.where(chosen[:, None, None], flipped, points)
        pictures, persons, weight = (torch.where(here, x.flip(3), x) for x in (pictures, persons, weight))
        return pictures, persons, points, weight


def loss(logits: Tensor, persons: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy and Dice, both weighted pixel by pixel.

    A person overlooked counts more than one imagined.
    """
    share = torch.sigmoid(logits)
    entropy = F.binary_cross_entropy_with_logits(
        logits, persons, weight, pos_weight=torch.full((1,), MISSED), reduction="mean"
    )
    both, either = ((weight * x).sum((1, 2, 3)) for x in (share * persons, share + persons))
    dice = weight.mean((1, 2, 3)) * (1 - (2 * both + 1) / (either + 1))
    return entropy + 0.5 * dice.mean()


class MatteTraining:
    """A network, its average and its optimiser for a number of steps."""

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


def read_backgrounds(folder: Path) -> list[npt.NDArray[np.uint8]]:
    """RGB pictures of a folder; raises ConfigError if there is none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    pictures = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in files]
    found = [
        cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)
        for picture in pictures
        if picture is not None
    ]
    if not found:
        raise ConfigError(
            Text("There is no picture in {}.", folder),
            Text("Give a folder of landscapes, rooms and patterns without people."),
        )
    return found


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
