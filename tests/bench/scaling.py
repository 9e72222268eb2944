"""Measure how an engine's time per frame grows with key points, picture size and threads.

python -m tests.bench.scaling [--frames 40] [--device cpu] [--only points|size|threads] [--threads 1,2,4]
[--output docs/benchmarks]

The arithmetic is plotted beside the time. Two architectures with random weights, which take as long as
trained ones: the original's vox-adv and the anchored one of ``lite``, both in float32 as exported. Variants
alternate. Writes ``scaling.json`` and a chart for each question. ``--write FOLDER`` writes the bundle
``vox-adv-10-256`` there instead, for ``run.py bench --model FOLDER/vox-adv-10-256``.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avatar_app.bundles.bundle import Bundle, write_bundle
from avatar_app.engines import Engine
from avatar_app.engines.open import open_engine
from avatar_app.evaluation.benchmark.arithmetic import card, count_graphs, synchronise
from avatar_app.evaluation.benchmark.runs import REFERENCE_CONFIG, reference_config, torch_device, use_threads
from avatar_app.networks.anchored.config import DEFAULT_ANCHORS, LANDMARKS, AnchoredConfig
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.fomm.model import Fomm
from avatar_app.networks.graphs import MotionGraphs, anchored_graphs, fomm_graphs
from avatar_app.onnx_export.export import write_motion_files
from avatar_app.processor import cores, cpu_name
from avatar_app.session.stopwatch import Stopwatch
from avatar_app.types import Crop, KeyPoints
from tests.bench.plot import Line, write_chart
from tests.support.heads import make_head

SIZES = (256, 384, 512)
POINTS = {"vox-adv": (5, 10, 20, 40), "anchored": (20, 40, len(DEFAULT_ANCHORS), LANDMARKS)}
USUAL = {"vox-adv": 10, "anchored": len(DEFAULT_ANCHORS)}
TURN, WARM_UP = 10, 3
NAMES = {"vox-adv": "vox-adv architecture", "anchored": "anchored architecture"}


@dataclass
class Variant:
    """One model at one setting; ``x`` is what the question varies."""

    model: str
    x: int
    threads: int
    bundle: Bundle
    gflop: float
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


class Models:
    """Bundles with random weights, each written once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[str, int, int], tuple[Bundle, float]] = {}

    def get(self, model: str, points: int, size: int) -> tuple[Bundle, float]:
        """The bundle, and its arithmetic per frame in 10^9 operations."""
        key = (model, points, size)
        if key not in self._made:
            torch.manual_seed(0)
            graphs, config = _original(points, size) if model == "vox-adv" else _anchored(points, size)
            folder = self._folder / f"{model}-{points}-{size}"
            kind = "fomm" if model == "vox-adv" else "anchored"
            bundle = write_bundle(
                folder, kind=kind, size=size, config=config, licence="MIT", fill=_filler(graphs)
            )
            work = count_graphs(graphs)
            self._made[key] = bundle, (work["detect"].flop + work["render"].flop) / 1e9
        return self._made[key]


def _filler(graphs: MotionGraphs) -> Callable[[Path], None]:
    return lambda folder: write_motion_files(graphs, folder)


def _original(points: int, size: int) -> tuple[MotionGraphs, dict[str, Any]]:
    config = replace(reference_config(REFERENCE_CONFIG), num_kp=points)
    return fomm_graphs(Fomm(config), config, size), config.to_dict()


def _anchored(points: int, size: int) -> tuple[MotionGraphs, dict[str, Any]]:
    every = DEFAULT_ANCHORS if points <= len(DEFAULT_ANCHORS) else tuple(range(LANDMARKS))
    config = AnchoredConfig(
        size=size, anchors=tuple(every[len(every) * place // points] for place in range(points))
    )
    return anchored_graphs(AnchoredGenerator(config), size), asdict(config)


def _variants(question: str, names: list[str], models: Models, threads: list[int]) -> Iterator[Variant]:
    for name in names:
        if question == "points":
            yield from (
                Variant(name, count, cores(), *models.get(name, count, 256)) for count in POINTS[name]
            )
        elif question == "size":
            yield from (Variant(name, size, cores(), *models.get(name, USUAL[name], size)) for size in SIZES)
        else:
            yield from (Variant(name, count, count, *models.get(name, USUAL[name], 256)) for count in threads)


def measure(variants: list[Variant], frames: int, device: str) -> None:
    """Alternate the variants.

    One engine at a time is open; several would compete for the processor's cache and memory.
    """
    turns = -(-frames // TURN)
    for turn in range(turns):
        for variant in variants if turn % 2 == 0 else reversed(variants):
            use_threads(variant.threads)
            engine = open_engine(variant.bundle, device, variant.threads)
            try:
                _frames(engine, min(TURN, frames), variant.stopwatch, torch_device(device))
            finally:
                engine.close()
        sys.stderr.write(f"turn {turn + 1} of {turns}\n")


def _frames(engine: Engine, count: int, stopwatch: Stopwatch, device: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (engine.size // 8, engine.size // 8, 3), np.uint8)
    crop = Crop(noise.repeat(8, 0).repeat(8, 1), (make_head() * 0.8).astype(np.float32))
    avatar = engine.encode(crop)
    for index in range(WARM_UP + count):
        with (stopwatch if index >= WARM_UP else Stopwatch()).time("step"):
            points = engine.detect(crop)
            engine.render(avatar, KeyPoints(points.value + 0.02, points.jacobian, points.depth))
            synchronise(device)


def facts(variants: list[Variant]) -> list[dict[str, Any]]:
    return [
        {
            "model": v.model,
            "x": v.x,
            "threads": v.threads,
            "gflop": round(v.gflop, 3),
            **v.stopwatch.summary()["step"],
        }
        for v in variants
    ]


def chart(question: str, rows: list[dict[str, Any]], path: Path) -> None:
    """Time relative to each model's first variant, labelled in milliseconds; arithmetic dashed."""
    label = {"points": "key points", "size": "side of the picture, pixels", "threads": "threads"}[question]
    lines = []
    for colour, model in enumerate(NAMES):
        own = [row for row in rows if row["model"] == model]
        if not own:
            continue
        x = [row["x"] for row in own]
        notes = tuple(f"{row['p50']:.{1 if row['p50'] < 100 else 0}f} ms" for row in own)
        lines.append(Line(NAMES[model], x, [row["p50"] / own[0]["p50"] for row in own], colour, notes))
        if question != "threads":
            lines.append(
                Line(
                    "its arithmetic", x, [row["gflop"] / own[0]["gflop"] for row in own], colour, dashed=True
                )
            )
    write_chart(
        path, f"Time of a frame against {label.partition(',')[0]}", label, "relative to the first", lines
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=40, help="of each variant")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--only", choices=["points", "size", "threads"])
    parser.add_argument("--models", default="vox-adv,anchored")
    parser.add_argument("--threads", default="1,2,4")
    parser.add_argument("--output", type=Path, default=Path("docs/benchmarks"))
    parser.add_argument("--write", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.write:
        Models(options.write).get("vox-adv", USUAL["vox-adv"], 256)
        return 0
    options.output.mkdir(parents=True, exist_ok=True)  # fail now, not after minutes of measuring
    where = torch_device(options.device)
    names = options.models.split(",")
    report: dict[str, Any] = {
        "hardware": {"cpu": cpu_name(), "cores": cores(), "card": card(where)},
        "frames": options.frames,
    }
    with tempfile.TemporaryDirectory(prefix="scaling-") as folder:
        models = Models(Path(folder))
        for question in ("points", "size", "threads") if options.only is None else (options.only,):
            variants = list(
                _variants(question, names, models, [int(count) for count in options.threads.split(",")])
            )
            measure(variants, options.frames, options.device)
            report[question] = facts(variants)
            chart(question, report[question], options.output / f"scaling-{question}.svg")
    (options.output / "scaling.json").write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
