"""Train one of the two face networks for a given time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from avatar_app.faces.crop import region_of, to_region
from avatar_app.networks.faces import FINDER_SIDE, FINDER_STRIDE, LANDMARK_SIDE, FaceFinder, LandmarkNet
from avatar_app.training.faces.augment import Picture
from avatar_app.training.faces.config import FacesConfig, PartConfig
from avatar_app.training.faces.data import FaceSet
from avatar_app.training.faces.losses import finder_loss, finder_targets, landmark_loss
from avatar_app.training.faces.samples import Sampler
from avatar_app.training.loop import descend, repeat
from avatar_app.training.schedule import average_into, learning_rate

Batch = tuple[Tensor, ...]
Losses = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Others:
    """Pictures without faces: backgrounds, and earlier false detections."""

    backgrounds: Sequence[Picture] = ()
    mistakes: Sequence[Picture] = ()


class Batches(IterableDataset[Batch]):
    """An endless stream of batches of one network's samples."""

    def __init__(self, part: str, faces: FaceSet, others: Others, batch: int, seed: int) -> None:
        self.part, self.faces, self.others, self.batch, self.seed = part, faces, others, batch, seed

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        seed = self.seed * 1000 + (worker.id if worker else 0)
        sampler = Sampler(self.faces, self.others.backgrounds, seed, self.others.mistakes)
        make = landmark_batch if self.part == "landmarks" else finder_batch
        while True:
            yield make(sampler, self.batch)


def landmark_batch(sampler: Sampler, count: int) -> Batch:
    """Draw pictures (B, 192, 192, 3) uint8, points (B, 88, 3), present (B,)."""
    samples = [sampler.crop(LANDMARK_SIDE) for _ in range(count)]
    return (
        torch.from_numpy(np.stack([sample.picture for sample in samples])),
        torch.from_numpy(np.stack([sample.points for sample in samples])),
        torch.tensor([float(sample.present) for sample in samples]),
    )


def finder_batch(sampler: Sampler, count: int) -> Batch:
    """Draw pictures (B, 192, 192, 3), targets (B, 6, 24, 24), weights (B, 24, 24)."""
    scenes = [sampler.scene(FINDER_SIDE) for _ in range(count)]
    cells = FINDER_SIDE // FINDER_STRIDE
    targets = [
        finder_targets(torch.from_numpy(scene.faces), torch.from_numpy(scene.ignored), cells)
        for scene in scenes
    ]
    return (
        torch.from_numpy(np.stack([scene.picture for scene in scenes])),
        torch.stack([target for target, _ in targets]),
        torch.stack([weight for _, weight in targets]),
    )


def as_input(pictures: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) in 0..1, stored channels last."""
    return pictures.permute(0, 3, 1, 2).float().div_(255)


def mean_face(faces: FaceSet) -> Tensor:
    """Return the average landmarks (88, 3) in their own region.

    The network learns the difference.
    """
    some = faces.points[:: max(1, len(faces.points) // 2000)]
    return torch.from_numpy(np.mean([to_region(points, region_of(points)) for points in some], 0))


def new_network(part: str, faces: FaceSet) -> nn.Module:
    if part == "finder":
        return FaceFinder()
    network = LandmarkNet()
    network.mean.copy_(mean_face(faces))
    return network


def step_losses(part: str, network: nn.Module, batch: Batch) -> Losses:
    """Compute the losses of one batch."""
    pictures = as_input(batch[0])
    if part == "finder":
        return finder_loss(network(pictures), batch[1], batch[2])
    return landmark_loss(network(pictures, jitter=0.06), batch[1], batch[2])


class PartTraining:
    """One network, the average of its weights and its optimiser for a stretch of time.

    Args:
        seconds: of training, those before a resume included.
        output: where ``<part>.pt`` lies.
    """

    def __init__(self, part: str, config: FacesConfig, faces: FaceSet, seconds: float, output: Path) -> None:
        self.part, self.config, self.seconds = part, config, seconds
        self.settings: PartConfig = getattr(config, part)
        self.path = output / f"{part}.pt"
        torch.manual_seed(config.seed)
        self.network = new_network(part, faces).train()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), self.settings.rate, betas=(0.9, 0.99), weight_decay=self.settings.decay
        )
        self.average = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.position, self.used, self.finished = 0, 0.0, False

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one."""
        if not self.path.is_file():
            return
        saved = torch.load(self.path, weights_only=True)
        self.network.load_state_dict(saved["network"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.average, self.position, self.used = saved["average"], saved["step"], saved["seconds"]

    def start(self, faces: FaceSet, others: Others) -> None:
        """Start the clock and the processes that make samples."""
        workers = self.config.workers
        stream = Batches(self.part, faces, others, self.settings.batch, self.config.seed + self.position)
        self.batches = iter(
            DataLoader(stream, batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None)
        )
        self.started = time.monotonic() - self.used

    def advance(self) -> dict[str, float]:
        """Make one optimiser step; return each loss term."""
        settings = self.settings
        batch = next(self.batches)
        progress = self.used / max(self.seconds, 1e-9)
        rate = learning_rate(progress, self.position, settings.rate, warmup=settings.warmup)
        losses = step_losses(self.part, self.network, batch)
        descend(self.network, self.optimiser, losses.values(), rate)
        self.position += 1
        average_into(self.average, self.network, settings.average, self.position, slow=20)
        self.used = time.monotonic() - self.started
        self.finished = self.used >= self.seconds
        return {name: float(value.detach()) for name, value in losses.items()}

    def save(self) -> None:
        """Write the checkpoint; never leaves a half-written one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.position,
            "seconds": self.used,
            "part": self.part,
            "config": asdict(self.config),
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.path.with_suffix(".part"))
        self.path.with_suffix(".part").replace(self.path)

    def progress(self, means: dict[str, float]) -> str:
        """Return a line with the time used, the speed and the running means of the losses."""
        terms = "  ".join(f"{name} {value:.5f}" for name, value in means.items())
        return (
            f"{self.part} {self.used / 60:5.1f}/{self.seconds / 60:.1f} min  step {self.position}  "
            f"{self.position * self.settings.batch / self.used:.0f}/s  {terms}"
        )


def train_part(
    part: str,
    config: FacesConfig,
    faces: FaceSet,
    others: Others,
    output: Path,
    minutes: float | None = None,
    resume: bool = False,
    report: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train ``part`` ("landmarks" or "finder") and return its checkpoint.

    That is ``output/<part>.pt``.

    Args:
        minutes: instead of the configuration's.
        resume: go on from the checkpoint, with the time it had used counted.
        report: gets a progress line every ten seconds.
    """
    settings: PartConfig = getattr(config, part)
    seconds = 60 * (settings.minutes if minutes is None else minutes)
    training = PartTraining(part, config, faces, seconds, output)
    if resume:
        training.resume()
    training.start(faces, others)
    reported = time.monotonic()

    def after(means: dict[str, float]) -> None:
        nonlocal reported
        if time.monotonic() - reported > 10:
            reported = time.monotonic()
            report(training.progress(means))

    repeat(training, after, training.save, config.save_every)
    return training.path
