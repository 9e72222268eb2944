"""Train a motion model.

    python -m avatar_app.training.train avatar_app/training/configs/lite.yaml --data DIR --features VGG
        --output DIR
    torchrun --nproc-per-node 4 -m avatar_app.training.train ...      (several GPUs)

The run stops after --minutes with a checkpoint; --resume continues it as if it had never stopped.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from avatar_app.errors import AvatarError, ConfigError
from avatar_app.text import Text
from avatar_app.training.augment import Pair, augment
from avatar_app.training.checkpoint import load_checkpoint, save_checkpoint
from avatar_app.training.config import RunConfig, TrainingStage
from avatar_app.training.config_files import read_config
from avatar_app.training.data import FrameStore, PairSampler, load_store
from avatar_app.training.loop import repeat, set_rate
from avatar_app.training.objective import Objective
from avatar_app.training.schedule import average_into, learning_rate


def open_objective(
    config: RunConfig, features: Path | None, device: torch.device, landmarks: Path | None = None
) -> Objective:
    if config.objective == "anchored":
        from avatar_app.training.anchored import AnchoredObjective

        return AnchoredObjective(config, features, device, landmarks)
    if config.objective == "fomm":
        from avatar_app.training.fomm import FommObjective

        return FommObjective(config, features, device)
    if config.objective == "monkeynet":
        from avatar_app.training.monkeynet import MonkeyNetObjective

        return MonkeyNetObjective(config, device)
    if config.objective == "x2face":
        from avatar_app.training.x2face import X2FaceObjective

        return X2FaceObjective(config, device)
    raise ConfigError(
        Text("Unknown objective {}.", repr(config.objective)),
        Text("Use anchored, fomm, monkeynet or x2face."),
    )


def gather(store: FrameStore, source: Tensor, driving: Tensor, clip: Tensor, size: int) -> Pair:
    """Return a float batch of the stored frames, at least ``size`` large."""

    def picture(index: Tensor) -> Tensor:
        x = store.frames[index.to(store.frames.device)].permute(0, 3, 1, 2).float() / 255
        return F.avg_pool2d(x, 2) if x.shape[-1] >= 2 * size else x

    device = store.frames.device
    source_picture, driving_picture = picture(source), picture(driving)
    side = driving_picture.shape[-1]
    weight = torch.ones(len(source), 1, side, side, device=device)
    for row, (x0, y0, x1, y1) in enumerate(store.hidden[clip.to(device)].tolist()):
        weight[row, :, int(y0 * side) : math.ceil(y1 * side), int(x0 * side) : math.ceil(x1 * side)] = 0
    points = (
        (None, None)
        if store.points is None
        else (store.points[source.to(device)], store.points[driving.to(device)])
    )
    return Pair(source_picture, driving_picture, points[0], points[1], weight)


class Run:
    """The state of a training run, from the first step to the last."""

    def __init__(
        self,
        config: RunConfig,
        objective: Objective,
        store: FrameStore,
        device: torch.device,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.config, self.objective, self.store, self.device = config, objective, store, device
        self.rank, self.world = rank, world
        self.sampler = PairSampler(store, config.seed + 1000 * rank, config.data)
        self.random = torch.Generator(device=device).manual_seed(config.seed + 1000 * rank)
        self.averaged = {name: copy.deepcopy(network).eval() for name, network in objective.networks.items()}
        # In float16 small gradients would become 0: losses are multiplied, gradients divided, and steps with
        # infinite gradients skipped.
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision == "float16")
        self.position = 0
        self.deadline = math.inf
        """When the run stops though steps remain, by `time.monotonic`."""

    @property
    def total(self) -> int | None:
        """Total number of steps, if known."""
        return self.config.steps

    @property
    def finished(self) -> bool:
        """Whether the configuration's steps are done, or the time is over."""
        return self.position >= self.config.steps or time.monotonic() >= self.deadline

    def at(self) -> tuple[TrainingStage, float]:
        """Return the stage of the next step and the progress within it, 0..1."""
        return self.config.at(self.position)

    def advance(self) -> dict[str, float]:
        """Make one optimiser step; return each loss term."""
        stage, share = self.at()
        pair = self.next_pair(stage.size, stage.batch)
        rate = learning_rate(
            share,
            self.position,
            stage.learning_rate,
            stage.learning_rate_end,
            warmup=self.config.warmup,
        )
        for optimiser in self.objective.optimisers.values():
            set_rate(optimiser, rate)
        kind = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(self.config.precision)
        with torch.autocast(self.device.type, kind, enabled=kind is not None):
            terms = self.objective.step(pair, self.scaler)
        if self.world > 1:
            self._share_gradients()
        self.objective.apply(self.scaler)
        self.scaler.update()
        for name, network in self.objective.networks.items():
            average_into(self.averaged[name].state_dict(), network, self.config.ema, self.position)
        self.position += 1
        return {name: float(value) for name, value in terms.items()}

    def next_pair(self, size: int, batch: int) -> Pair:
        source, driving, clip = self.sampler.draw(batch)
        pair = gather(self.store, source, driving, clip, size)
        lone = (source == driving).to(self.device)
        return augment(pair, size, self.config.augment, self.random, lone)

    def _share_gradients(self) -> None:
        for network in self.objective.networks.values():
            for parameter in network.parameters():
                if parameter.grad is not None:
                    torch.distributed.all_reduce(parameter.grad)
                    parameter.grad /= self.world

    def state(self) -> dict[str, Any]:
        return {
            "step": self.position,
            "networks": {name: network.state_dict() for name, network in self.objective.networks.items()},
            "averaged": {name: network.state_dict() for name, network in self.averaged.items()},
            "optimisers": {
                name: optimiser.state_dict() for name, optimiser in self.objective.optimisers.items()
            },
            "objective": self.objective.state(),
            "scaler": self.scaler.state_dict(),
            "sampler": self.sampler.state(),
            "random": self.random.get_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.position = state["step"]
        for name, network in self.objective.networks.items():
            network.load_state_dict(state["networks"][name])
            self.averaged[name].load_state_dict(state["averaged"][name])
        for name, optimiser in self.objective.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
        self.objective.load_state(state["objective"])
        if state.get("scaler"):  # older checkpoints have none, those of float32 an empty one
            self.scaler.load_state_dict(state["scaler"])
        self.sampler.load_state(state["sampler"])
        self.random.set_state(state["random"])

    def start_from(self, state: dict[str, Any]) -> None:
        """Take the averaged weights of the networks that another run shares with this one.

        Nothing else is taken. Raises ConfigError if there are none, or if theirs have other sizes.
        """
        known = state["averaged"].keys() & self.objective.networks.keys()
        try:
            for name in known:
                for network in (self.objective.networks[name], self.averaged[name]):
                    network.load_state_dict(state["averaged"][name])
        except RuntimeError:
            known = set()
        if not known:
            raise ConfigError(
                Text("The weights to start from are of another network."),
                Text("Give a checkpoint with the same network section."),
            )

    @torch.no_grad()
    def write_sample(self, path: Path, pair: Pair) -> None:
        """Write a PNG grid of the averaged networks' pictures of a batch."""
        rows = self.objective.sample(pair, self.averaged)
        grid = torch.cat(list(rows), 1).clamp(0, 1).float().permute(1, 2, 0).cpu().numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.ascontiguousarray((grid[..., ::-1] * 255).astype(np.uint8)))


def train(
    run: Run, output: Path, minutes: float | None, save_minutes: float, sample_steps: int, part_mib: int
) -> None:
    """Train to the end of the configuration, or for ``minutes``."""
    started = time.monotonic()
    run.deadline = math.inf if minutes is None else started + minutes * 60
    first = run.rank == 0
    bar = tqdm(
        total=run.total,
        initial=run.position,
        unit="step",
        disable=not first,
        mininterval=5,
        dynamic_ncols=True,
    )
    watched = None

    def report(means: dict[str, float]) -> None:
        nonlocal watched
        bar.update()
        if not first:
            return
        if run.position % 100 == 0:
            bar.set_postfix_str(" ".join(f"{name} {value:.4f}" for name, value in means.items()))
            terms = ",".join(f"{value:.5f}" for value in means.values())
            with (output / "log.csv").open("a") as log:
                log.write(f"{run.position},{time.monotonic() - started:.0f},{terms}\n")
        if run.position % sample_steps == 0:
            # The same pairs each time, so that the grids can be compared; the run's own random state is not
            # used.
            watched = watched or _watched_pair(run)
            run.write_sample(output / "samples" / f"{run.position:07d}.png", watched)

    def save() -> None:
        if first:
            save_checkpoint(output / "checkpoint.pt", run.state(), part_mib)

    with bar:
        repeat(run, report, save, save_minutes * 60)


def _watched_pair(run: Run) -> Pair:
    sampler = PairSampler(run.store, 7, replace(run.config.data, candidates=8, wide=0.0))
    source, driving, clip = sampler.draw(8)
    random = torch.Generator(device=run.device).manual_seed(7)
    size = run.config.stages[-1].size
    return augment(
        gather(run.store, source, driving, clip, size),
        size,
        run.config.augment,
        random,
        (source == driving).to(run.device),
    )


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.train", description="Train a motion model."
    )
    parser.add_argument("config", type=Path, help="a YAML file such as avatar_app/training/configs/lite.yaml")
    parser.add_argument("--data", type=Path, required=True, help="the data set's folder")
    parser.add_argument(
        "--output", type=Path, default=Path("runs/latest"), help="folder for checkpoints, samples and the log"
    )
    parser.add_argument(
        "--features",
        type=Path,
        help="feature network of the perceptual loss (VGG-19 of torchvision, or a distilled one)",
    )
    parser.add_argument(
        "--landmarks",
        type=Path,
        help="landmark network of the landmark loss (landmarks.pt of a training.faces run)",
    )
    parser.add_argument("--cache", type=Path, help="keep decoded frames in this folder for the next run")
    parser.add_argument("--resume", type=Path, help="continue from this checkpoint")
    parser.add_argument("--start", type=Path, help="start a new run with the weights of this checkpoint")
    parser.add_argument("--minutes", type=float, help="stop after this many minutes and save a checkpoint")
    parser.add_argument("--save-minutes", type=float, default=5.0)
    parser.add_argument("--sample-steps", type=int, default=1000)
    parser.add_argument(
        "--part-mib", type=int, default=0, help="write checkpoints in parts of at most this many MiB"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


def main(arguments: list[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        config = read_config(options.config)
        device = torch.device(
            f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if options.device == "cuda" else options.device
        )
        if world > 1:
            torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        torch.manual_seed(config.seed)
        store = load_store(
            options.data, "train", config.data.size, config.data.stride, options.cache, config.data.stills
        ).to(device)
        run = Run(
            config,
            open_objective(config, options.features, device, options.landmarks),
            store,
            device,
            rank,
            world,
        )
        options.output.mkdir(parents=True, exist_ok=True)
        if options.start:
            run.start_from(load_checkpoint(options.start))
        if options.resume:
            run.load_state(load_checkpoint(options.resume))
        if rank == 0:
            shutil.copy(options.config, options.output / "config.yaml")
        train(
            run, options.output, options.minutes, options.save_minutes, options.sample_steps, options.part_mib
        )
    except AvatarError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        if world > 1 and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
