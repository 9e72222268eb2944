"""Train one of the two networks for a given time."""

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
from avatar_app.training.schedule import average_into, learning_rate

Batch = tuple[Tensor, ...]
Losses = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Others:
    """Pictures without faces: backgrounds, and what was taken for a face before."""

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
    """Pictures (B, 192, 192, 3) uint8, points (B, 88, 3), present (B,)."""
    samples = [sampler.crop(LANDMARK_SIDE) for _ in range(count)]
    return (
        torch.from_numpy(np.stack([sample.picture for sample in samples])),
        torch.from_numpy(np.stack([sample.points for sample in samples])),
        torch.tensor([float(sample.present) for sample in samples]),
    )


def finder_batch(sampler: Sampler, count: int) -> Batch:
    """Draw pictures (B, 192, 192, 3) uint8, target maps (B, 6, 24, 24) and weights.

    The weights are (B, 24, 24).
    """
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
    """(88, 3) the average landmarks in their own region.

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
    """Forward and losses of one batch."""
    pictures = as_input(batch[0])
    if part == "finder":
        return finder_loss(network(pictures), batch[1], batch[2])
    return landmark_loss(network(pictures, jitter=0.06), batch[1], batch[2])


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
        report: gets a progress line every few seconds.
    """
    settings: PartConfig = getattr(config, part)
    seconds = 60 * (settings.minutes if minutes is None else minutes)
    torch.manual_seed(config.seed)
    network = new_network(part, faces).train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.rate, betas=(0.9, 0.99), weight_decay=settings.decay
    )
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    path, step, used = output / f"{part}.pt", 0, 0.0
    if resume and path.is_file():
        saved = torch.load(path, weights_only=True)
        network.load_state_dict(saved["network"])
        optimiser.load_state_dict(saved["optimiser"])
        average, step, used = saved["average"], saved["step"], saved["seconds"]
    stream = Batches(part, faces, others, settings.batch, config.seed + step)
    loader = DataLoader(
        stream, batch_size=None, num_workers=config.workers, prefetch_factor=4 if config.workers else None
    )
    output.mkdir(parents=True, exist_ok=True)

    def save() -> None:
        state = {
            "network": network.state_dict(),
            "average": average,
            "optimiser": optimiser.state_dict(),
        }
        torch.save(
            {**state, "step": step, "seconds": used, "part": part, "config": asdict(config)},
            path.with_suffix(".part"),
        )
        path.with_suffix(".part").replace(path)

    start = time.monotonic() - used
    told = saved_at = time.monotonic()
    shown: dict[str, float] = {}
    for batch in loader:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(
                used / max(seconds, 1e-9), step, settings.rate, warmup=settings.warmup
            )
        losses = step_losses(part, network, batch)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        step += 1
        average_into(average, network, settings.average, step, slow=20)
        for name, value in losses.items():
            shown[name] = 0.98 * shown.get(name, float(value.detach())) + 0.02 * float(value.detach())
        now = time.monotonic()
        used = now - start
        if now - told > 10:
            told = now
            terms = "  ".join(f"{name} {value:.5f}" for name, value in shown.items())
            report(
                f"{part} {used / 60:5.1f}/{seconds / 60:.1f} min  step {step}  "
                f"{step * settings.batch / used:.0f}/s  {terms}"
            )
        if now - saved_at > config.save_every:
            saved_at = now
            save()
        if used >= seconds:
            break
    save()
    return path
