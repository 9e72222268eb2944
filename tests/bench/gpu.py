"""How long a frame takes on a graphics card, from bytes to bytes, in every form of the networks and beside the original.

python -m tests.bench.gpu [--device cuda:0] [--frames 300] [--json FILE] [--only WORD ...]

A frame is what an engine does: the detector on the driver's picture, which the anchored family does without, and the picture of the
avatar in that pose; numpy arrays in and out, so the device has finished when the clock is read. Rows take turns. The original, which
encodes the photo anew, runs in the same turns with the same weights; they are random, in the sizes of vox-adv. `floor` is the time that
the arithmetic or the traffic of a frame takes at the most that this device was seen to do.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from avatar_app.bundle import open_bundle
from avatar_app.engines.torch_place import Card, Place, Processor
from avatar_app.engines.torch_player import Player
from avatar_app.engines.torch_step import AnyArray
from avatar_app.engines.torch_weights import load_graphs, quickened, trial_image, trial_points
from avatar_app.networks.checkpoint import read_yaml
from avatar_app.networks.config import FommConfig
from avatar_app.networks.graphs import Graph, MotionGraphs, fomm_graphs
from avatar_app.networks.reference import Reference
from avatar_app.networks.work import Peak, Work, count_graphs, synchronise
from avatar_app.paths import PACKAGE
from tests.networks.tiny import build

CONFIG = PACKAGE / "training" / "configs" / "vox-adv.yaml"
TURNS = 5
WARM_UP = 10
"""Frames of a row at the start of its first turn that do not count."""
DRIVERS = 8
"""Different pictures that take turns, so that nothing is found in a cache."""


class Compiled(Card):
    """Records what the compiler made, which has its constants on the card already."""

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._constants = nullcontext()  # type: ignore[assignment]


@dataclass
class Row:
    """One way to make a frame.

    Attributes:
        open: makes it; returns what turns a driver's picture into the avatar's.
        problem: why it could not be measured.
        taken: milliseconds of each frame that counts.
    """

    model: str
    name: str
    open: Callable[[], Callable[[int], AnyArray]]
    make: Callable[[int], AnyArray] | None = None
    opening: float = 0.0
    problem: str = ""
    taken: list[float] = field(default_factory=list)
    pictures: list[AnyArray] = field(default_factory=list)


@dataclass(frozen=True)
class Subject:
    """A model to be measured, and its material."""

    name: str
    graphs: MotionGraphs
    photo: AnyArray
    drivers: list[AnyArray]
    poses: list[AnyArray]
    work: Work

    def opened(self, change: Callable[[MotionGraphs], MotionGraphs], place: Callable[[], Place], record: bool) -> Callable[[int], AnyArray]:
        with torch.inference_mode():
            player = Player(change(self.graphs), place(), record)
        first = player.detect(self.photo) if player.detects else [trial_points(player.points).numpy()[0]]
        features = player.encode(self.photo, *first)

        def make(index: int) -> AnyArray:
            pose = player.detect(self.drivers[index]) if player.detects else [self.poses[index]]
            return player.render(features, *pose)

        return make


def subject(name: str, graphs: MotionGraphs, device: torch.device) -> Subject:
    photo, *drivers = (trial_image(graphs.size, seed).numpy()[0] for seed in range(DRIVERS + 1))
    parts = count_graphs(graphs)  # on the processor
    graphs.model.to(device)
    work = Work(parts["detect"].flop + parts["render"].flop, parts["detect"].values + parts["render"].values)
    poses = [trial_points(graphs.points, seed).numpy()[0] for seed in range(DRIVERS)]
    return Subject(name, graphs, photo, drivers, poses, work)


def compiled(graphs: MotionGraphs, kind: torch.dtype, **options: Any) -> MotionGraphs:
    """By `torch.compile`; recording is left to us."""
    quick = quickened(graphs, kind)

    def one(graph: Graph) -> Graph:
        module: Any = torch.compile(graph.module, dynamic=False, **options)
        return dataclasses.replace(graph, module=module)

    return dataclasses.replace(quick, detect=one(quick.detect) if quick.detect else None, render=one(quick.render))


def by_tensorrt(graphs: MotionGraphs, kind: torch.dtype) -> MotionGraphs:
    """By NVIDIA's TensorRT."""
    importlib.import_module("torch_tensorrt")  # which makes itself known to the compiler
    return compiled(graphs, kind, backend="torch_tensorrt", options={"enabled_precisions": {kind}})


def rows(subject: Subject, device: torch.device) -> list[Row]:
    """Every form of a model; on a processor those alone that it can have."""
    card = device.type == "cuda"
    plain: Callable[[], Place] = partial(Card, device) if card else Processor
    kinds = (torch.float32, torch.float16) if subject.graphs.can_halve else (torch.float32,)

    def row(name: str, change: Callable[[MotionGraphs], MotionGraphs], place: Callable[[], Place] = plain, record: bool = False) -> Row:
        return Row(subject.name, name, lambda: subject.opened(change, place, record))

    found = [row("float32", lambda graphs: graphs)]
    if card:
        found.append(row("float32, graph", lambda graphs: graphs, record=True))
    for kind in kinds:
        folded, word = partial(quickened, kind=kind), str(kind).removeprefix("torch.")
        found.append(row(f"{word} folded, channels last", folded))
        if card:
            found.append(row(f"{word} folded, channels last, graph", folded, record=True))
            tuned = partial(compiled, kind=kind, mode="max-autotune-no-cudagraphs")
            found.append(row(f"{word} torch.compile, graph", tuned, partial(Compiled, device), record=True))
    if card:
        trt = row(f"{word} TensorRT", partial(by_tensorrt, kind=kind))
        trt.problem = "" if importlib.util.find_spec("torch_tensorrt") else "torch_tensorrt is not installed"
        found.append(trt)
    return found


def original(config: FommConfig, subject: Subject, device: str, weights: Path) -> Row:
    def start() -> Callable[[int], AnyArray]:
        reference = Reference(config, subject.photo, device, weights)
        return lambda index: reference.step(subject.drivers[index])

    return Row(subject.name, "original", start)


def measure(all_rows: list[Row], frames: int, peak: Peak) -> None:
    """Fill in the rows: open each, then let them take turns."""
    for row in all_rows:
        began = time.perf_counter()
        try:
            row.make = row.make or (None if row.problem else row.open())
        except Exception as error:
            row.problem = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        row.opening = time.perf_counter() - began
    for turn in range(TURNS):
        peak.measure()
        for row in all_rows:
            if row.make is None:
                continue
            for index in range(WARM_UP if turn == 0 and frames > WARM_UP else 1):
                row.make(index % DRIVERS)
            for index in range(-(-frames // TURNS)):
                began = time.perf_counter()
                picture = row.make(index % DRIVERS)
                row.taken.append(1000 * (time.perf_counter() - began))
                if turn == 0 and index < DRIVERS:
                    row.pictures.append(picture)


def psnr(row: Row, first: Row) -> float:
    """Against the same model in float32, dB."""
    pairs = list(zip(row.pictures, first.pictures, strict=False))
    error = float(np.mean([np.mean((a.astype(np.float64) - b) ** 2) for a, b in pairs]))
    return round(10 * float(np.log10(255**2 / max(error, 1e-4))), 1)


def report(subjects: list[Subject], all_rows: list[Row], peak: Peak, device: torch.device) -> dict[str, Any]:
    yardstick = next((float(np.median(row.taken)) for row in all_rows if row.name == "original"), float("nan"))
    works = {subject.name: subject.work for subject in subjects}
    lines = []
    for row in all_rows:
        line: dict[str, Any] = {"model": row.model, "row": row.name}
        if not row.taken:
            lines.append(line | {"problem": row.problem})
            continue
        middle, slow = (float(np.percentile(row.taken, share)) for share in (50, 95))
        first = next(other for other in all_rows if other.model == row.model and other.name == "float32")
        lines.append(
            line
            | {"ms_p50": round(middle, 3), "ms_p95": round(slow, 3), "frames": len(row.taken), "opening_s": round(row.opening, 2)}
            | {"times_original": round(yardstick / middle, 2), "times_floor": round(middle / peak.floor(works[row.model]), 1)}
            | {"psnr_db": psnr(row, first)}
        )
    card = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if card else platform.processor() or platform.machine(),
        "capability": list(torch.cuda.get_device_capability(device)) if card else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if card else None,  # type: ignore[no-untyped-call]
        "threads": torch.get_num_threads(),
        "peak": {"precision": peak.precision, "tflops": round(peak.flops / 1e12, 2), "gb_s": round(peak.bytes / 1e9, 1)},
        "work": {name: {"gflop": round(work.flop / 1e9, 2), "mvalues": round(work.values / 1e6, 2)} for name, work in works.items()},
        "rows": lines,
    }


def show(figures: dict[str, Any]) -> str:
    lines = [f"{figures['device']}, PyTorch {figures['torch']}, {figures['peak']['tflops']} Tflop/s, {figures['peak']['gb_s']} GB/s"]
    heads = ("ms_p50", "ms_p95", "times_original", "times_floor", "psnr_db", "opening_s")
    lines.append(f"{'':52}" + "".join(f"{head:>16}" for head in heads))
    for row in figures["rows"]:
        cells = "".join(f"{row[head]:16.3f}" for head in heads) if "ms_p50" in row else f"   {row['problem']}"
        lines.append(f"{row['model'] + ': ' + row['row']:52}{cells}")
    return "\n".join(lines) + "\n"


def run(device: str, frames: int, only: list[str], size: int, config: FommConfig | None = None) -> dict[str, Any]:
    """Args: config: of the model with random weights, in place of vox-adv."""
    where = torch.device(device)
    config = config or FommConfig.from_original(read_yaml(CONFIG))
    with tempfile.TemporaryDirectory() as folder:
        model = build(config)
        save_file(model.state_dict(), weights := Path(folder) / "weights.safetensors")
        lite = open_bundle(PACKAGE.parent / "models" / "lite")
        subjects = [
            subject("vox-adv", fomm_graphs(model, config, size), where),
            subject("lite", load_graphs(lite, torch.device("cpu")), where),
        ]
        all_rows = [original(config, subjects[0], device, weights), *rows(subjects[0], where), *rows(subjects[1], where)]
        chosen = [row for row in all_rows if row.name in ("original", "float32") or not only or any(word in row.name for word in only)]
        measure(chosen, frames, peak := Peak(device))
        synchronise(device)
    return report(subjects, chosen, peak, where)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or cpu to try the program")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=256, help="of the vox-adv architecture's pictures")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="WORD", help="rows whose name has one of these, beside original and float32"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = run(options.device, options.frames, options.only, options.size)
    sys.stdout.write(show(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
