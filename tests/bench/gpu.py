"""Measure a frame's time on a graphics card in every form of the networks.

python -m tests.bench.gpu [--device cuda:0] [--frames 300] [--json FILE] [--profile FILE] [--only WORD ...]

A frame is an engine's work: the detector on the driver's picture (not for the anchored family) and the
picture of the avatar in that pose. Inputs and outputs are numpy arrays, so the device has finished when the
clock is read. The rows alternate. The original, which encodes the photo for every frame, takes part with the
same weights; they are random, with the sizes of vox-adv. `floor` is the time for a frame's arithmetic or
memory traffic at the highest rate observed on this device; `cpu_ms` is the processor's time, waiting
included. The row `app` is the form that the app selects on this device and checks at its start; the others
are every form that it may select, and forms made by compilers that it does not use. On a card, the end of the
table says which targets are met.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx

from avatar_app.bundles.bundle import read_bundle
from avatar_app.engines.torch_place import CudaPlace, FixedConstants, Place, Processor
from avatar_app.engines.torch_runner import GraphRunner, open_runner
from avatar_app.engines.torch_static_graph import AnyArray
from avatar_app.engines.torch_weights import (
    load_graphs,
    quickened,
    quickest,
    trial_image,
    trial_points,
    trial_tensors,
)
from avatar_app.evaluation.benchmark.arithmetic import Peak, Work, count_graphs, synchronise
from avatar_app.evaluation.benchmark.original import Reference
from avatar_app.files import read_yaml
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.graphs import Graph, MotionGraphs, fomm_graphs
from avatar_app.paths import PACKAGE
from tests.bench.gpu_table import DRIVERS, Row, measure, report, show
from tests.networks.tiny import build

CONFIG = PACKAGE / "training" / "configs" / "vox-adv.yaml"

Change = Callable[[MotionGraphs], MotionGraphs]


class Compiled(CudaPlace):
    """Records the compiled module, whose constants are already on the card."""

    _refused: ClassVar[dict[torch.device, str]] = {}

    def __init__(self, device: torch.device) -> None:
        super().__init__(device)
        self._constants = nullcontext()  # type: ignore[assignment]
        self._refused.clear()  # a failed recording of another model does not count here


@dataclass(frozen=True)
class Subject:
    """A model to measure, and its inputs."""

    name: str
    graphs: MotionGraphs
    photo: AnyArray
    drivers: list[AnyArray]
    poses: list[AnyArray]
    work: Work

    def opened(self, change: Change, place: Callable[[], Place], record: bool) -> Callable[[int], AnyArray]:
        with torch.inference_mode():
            return self.played(GraphRunner(change(self.graphs), place(), record))

    def played(self, runner: GraphRunner) -> Callable[[int], AnyArray]:
        first = runner.detect(self.photo) if runner.detects else [trial_points(runner.points).numpy()[0]]
        features = runner.encode(self.photo, *first)

        def make(index: int) -> AnyArray:
            pose = runner.detect(self.drivers[index]) if runner.detects else [self.poses[index]]
            return runner.render(features, *pose)

        return make


def subject(name: str, graphs: MotionGraphs, device: torch.device) -> Subject:
    photo, *drivers = (trial_image(graphs.size, seed).numpy()[0] for seed in range(DRIVERS + 1))
    parts = count_graphs(graphs)  # on the processor
    graphs.model.to(device)
    work = Work(parts["detect"].flop + parts["render"].flop, parts["detect"].values + parts["render"].values)
    poses = [trial_points(graphs.points, seed).numpy()[0] for seed in range(DRIVERS)]
    return Subject(name, graphs, photo, drivers, poses, work)


def traced(graph: Graph, tensors: dict[str, Tensor]) -> Graph:
    """The operations alone, with all constants on the device.

    A compiler would copy lists of indices to the device for each frame.
    """
    inputs = [tensors[name] for name in graph.inputs]
    with FixedConstants():
        graph.module(*inputs)
        return dataclasses.replace(graph, module=make_fx(graph.module)(*inputs))


def compiled(graphs: MotionGraphs, kind: torch.dtype, **options: Any) -> MotionGraphs:
    """Compile with `torch.compile`; recording is left to the app."""
    quick = quickened(graphs, kind)
    tensors = trial_tensors(quick)

    def one(graph: Graph) -> Graph:
        module: Any = torch.compile(traced(graph, tensors).module, dynamic=False, **options)
        return dataclasses.replace(graph, module=module)

    return dataclasses.replace(  # whole pictures are measured, not layers
        quick, detect=one(quick.detect) if quick.detect else None, render=one(quick.render), layer=None
    )


def by_tensorrt(graphs: MotionGraphs, kind: torch.dtype) -> MotionGraphs:
    """Compile with NVIDIA's TensorRT."""
    importlib.import_module("torch_tensorrt")  # the import registers it with the compiler
    return compiled(graphs, kind, backend="torch_tensorrt", options={"enabled_precisions": {kind}})


def app(subject: Subject, place: Callable[[], Place]) -> Row:
    """The form that the app selects for the model here."""

    def start() -> Callable[[int], AnyArray]:
        graphs = quickest(subject.graphs)
        runner = open_runner(graphs, place)
        weights = next(
            value for value in graphs.model.parameters() if value.ndim == 4 and min(value.shape) > 1
        )
        layout = "innermost" if weights.is_contiguous(memory_format=torch.channels_last) else "outermost"
        folded = "as they are" if graphs is subject.graphs else f"channels {layout}"
        row.form = (
            f"{weights.dtype}, {folded}, {runner.place.records if runner.recorded else 'not recorded'}"
        ).removeprefix("torch.")
        return subject.played(runner)

    row = Row(subject.name, "app", start)
    return row


def rows(subject: Subject, device: torch.device) -> list[Row]:
    """Every form of a model; on a processor only those that it supports."""
    card = device.type == "cuda"
    plain: Callable[[], Place] = partial(CudaPlace, device) if card else Processor
    kinds = (torch.float32, torch.float16) if subject.graphs.can_halve else (torch.float32,)

    def row(
        name: str,
        change: Change,
        place: Callable[[], Place] = plain,
        record: bool = False,
        last: bool = False,
    ) -> Row:
        return Row(subject.name, name, lambda: subject.opened(change, place, record), last)

    found = [row("float32", lambda graphs: graphs), app(subject, plain)]
    if card:
        found.append(row("float32, graph", lambda graphs: graphs, record=True))
    for kind in kinds:
        folded, word = partial(quickened, kind=kind), str(kind).removeprefix("torch.")
        found.append(row(f"{word} folded, channels last", folded))
        if card:
            found.append(row(f"{word} folded, channels last, graph", folded, record=True))
            found.append(
                row(
                    f"{word} folded, channels first, graph",
                    partial(folded, layout=torch.contiguous_format),
                    record=True,
                )
            )
            tuned = partial(compiled, kind=kind, mode="max-autotune-no-cudagraphs")
            found.append(row(f"{word} torch.compile", tuned, last=True))
            found.append(
                row(f"{word} torch.compile, graph", tuned, partial(Compiled, device), record=True, last=True)
            )
    if card:
        trt = row(f"{word} TensorRT", partial(by_tensorrt, kind=kind), last=True)
        trt.problem = "" if importlib.util.find_spec("torch_tensorrt") else "torch_tensorrt is not installed"
        found.append(trt)
    return found


def original(config: FommConfig, subject: Subject, device: str, weights: Path) -> Row:
    def start() -> Callable[[int], AnyArray]:
        reference = Reference(config, subject.photo, device, weights)
        return lambda index: reference.step(subject.drivers[index])

    return Row(subject.name, "original", start)


def profile(subjects: list[Subject], device: torch.device) -> str:
    """Profile which operations take the time of ten frames, in the app's form, without recording."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    parts = []
    for each in subjects:
        make = each.opened(
            quickest, partial(CudaPlace, device) if device.type == "cuda" else Processor, record=False
        )
        make(0)
        with torch.profiler.profile(activities=activities) as watched:
            for index in range(10):
                make(index % DRIVERS)
        table = watched.key_averages().table(sort_by=f"self_{device.type}_time_total", row_limit=40)
        parts.append(f"{each.name}\n{table}")
    return "\n".join(parts)


def run(
    device: str,
    frames: int,
    only: list[str],
    size: int,
    config: FommConfig | None = None,
    profiled: Path | None = None,
) -> dict[str, Any]:
    """Measure all rows.

    Args:
        config: of the model with random weights; None for vox-adv.
        profiled: a file for the profile.
    """
    where = torch.device(device)
    config = config or FommConfig.from_original(read_yaml(CONFIG))
    with tempfile.TemporaryDirectory() as folder:
        model = build(config)
        save_file(model.state_dict(), weights := Path(folder) / "weights.safetensors")
        subjects = [subject("vox-adv", fomm_graphs(model, config, size), where)]
        bundles = [
            read_bundle(path.parent) for path in sorted((PACKAGE.parent / "models").glob("*/bundle.json"))
        ]
        subjects += [
            subject(each.name, load_graphs(each, torch.device("cpu")), where)
            for each in bundles
            if each.kind != "faces"
        ]
        all_rows = [
            original(config, subjects[0], device, weights),
            *(row for each in subjects for row in rows(each, where)),
        ]
        always = ("original", "float32", "app")
        chosen = [
            row
            for row in all_rows
            if row.name in always or not only or any(word in row.name for word in only)
        ]
        measure(chosen, frames, peak := Peak(device))
        synchronise(device)
        if profiled:
            profiled.write_text(profile(subjects, where))
    return report({each.name: each.work for each in subjects}, chosen, peak, where)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda:0", help="cuda:N, or cpu to try the program")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--size", type=int, default=256, help="of the vox-adv architecture's pictures")
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="WORD",
        help="rows whose name has one of these, beside original, float32 and app",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profile", type=Path, help="write to this file which operations the time goes to")
    options = parser.parse_args()
    figures = run(options.device, options.frames, options.only, options.size, profiled=options.profile)
    sys.stdout.write(show(figures))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
