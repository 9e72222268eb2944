r"""Make a bundle of a training run's averaged weights.

    python -m avatar_app.training.export RUN/checkpoint.pt --config RUN/config.yaml \
        --output models/lite --card CARD.md --matte MATTE/matte.pt --detail 2 --calibrate DATA

Given a bundle in place of the checkpoint, it exports that one's weights, matte and detail again, for graphs
that are computed in another way:

    python -m avatar_app.training.export models/lite \
        --config avatar_app/training/configs/lite-mouths.yaml --output models/lite \
        --overwrite --card models/lite/CARD.md --calibrate DATA
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from avatar_app.bundles.bundle import Bundle, open_bundle, write_bundle
from avatar_app.compositing.compositor import FaceCrops, PhotoLayers, compose
from avatar_app.errors import AvatarError, ConfigError
from avatar_app.faces.crop import region_of
from avatar_app.faces.detector import FaceDetector
from avatar_app.networks.anchored.config import AnchoredConfig
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.model import Fomm
from avatar_app.networks.graphs import (
    MotionGraphs,
    anchored_graphs,
    fomm_graphs,
    monkeynet_graphs,
    to_bytes,
    x2face_graphs,
)
from avatar_app.networks.monkeynet.config import MonkeyNetConfig
from avatar_app.networks.monkeynet.model import MonkeyNet
from avatar_app.networks.x2face.model import X2Face, X2FaceConfig
from avatar_app.onnx_export.export import WEIGHTS, for_processors, write_motion_files
from avatar_app.onnx_export.photo import PHOTO_LAYERS
from avatar_app.onnx_export.quantise import Sample, quantise
from avatar_app.text import Text
from avatar_app.training.checkpoint import load_checkpoint
from avatar_app.training.config import RunConfig
from avatar_app.training.config_files import read_config
from avatar_app.training.data import FrameStore, PairSampler, load_store
from avatar_app.training.expression.export import load_painter
from avatar_app.training.metrics import psnr
from avatar_app.training.train import gather
from avatar_app.types import NO_EXPRESSION, Image

CALIBRATION = 64
"""Pairs of frames that set and judge the scales of eight-bit convolutions."""


@dataclass(frozen=True, slots=True)
class Extras:
    """Additional parts of an anchored model.

    Attributes:
        matte: weights from ``training.matte``, for a model that separates person and background.
        detail: factor by which photo and result are larger than the training size.
        regions: checkpoints of ``training.expression`` for mouth and eyes: their painters.
        faces: the face bundle that reads expressions for calibration; None is the app's own.
    """

    matte: Path | None = None
    detail: int = 1
    regions: tuple[Path, Path] | None = None
    faces: Path | None = None


def export(
    checkpoint: Path,
    config_file: Path,
    output: Path,
    card: Path | None,
    licence: str,
    overwrite: bool = False,
    calibration: FrameStore | None = None,
    extras: Extras | None = None,
) -> Bundle:
    """Write the bundle ``output``.

    Args:
        checkpoint: a training run's, or the folder of an anchored bundle, whose own description then counts.
        calibration: frames of the training split, for eight-bit convolutions in the render graph of an
            anchored model; None keeps it exact.
        extras: of an anchored model.

    Raises:
        ConfigError: the checkpoint does not fit the configuration.
        BundleError: the bundle exists, or cannot be written.
    """
    config, extras = read_config(config_file), extras or Extras()
    try:
        networks = _weights(checkpoint, config)
        if config.objective == "anchored" and not checkpoint.is_dir():
            config.network["detail"] = extras.detail
        if extras.matte is not None:
            config.network["matte"] = True
            networks["generator"] |= {
                f"matte.{name}": value
                for name, value in load_checkpoint(extras.matte)["networks"]["matte"].items()
            }
        if extras.regions is not None:
            config.network["regions"] = True
            painters = load_painter(*extras.regions).state_dict()
            networks["generator"] |= {f"regions.{name}": value for name, value in painters.items()}
        graphs, size, described = _graphs(config, networks)
    except (KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(
            Text("{} does not fit {}: {}", checkpoint, config_file, reason),
            Text("Use the config.yaml beside the checkpoint."),
        ) from error

    def fill(folder: Path) -> None:
        write_motion_files(graphs, folder, half=config.objective == "anchored")
        if calibration is not None:
            exact, small = quantise(
                folder / "render.onnx",
                calibration_samples(
                    for_processors(graphs), calibration, config, FaceDetector.open(extras.faces)
                ),
            )
            sys.stdout.write(
                f"render.onnx in eight bits: {small:.2f} dB against the truth, {exact:.2f} dB before\n"
            )
        if card is not None:
            (folder / "CARD.md").write_text(card.read_text(encoding="utf-8"), encoding="utf-8")

    return write_bundle(
        output,
        kind=config.objective,
        size=size,
        config=described,
        licence=licence,
        fill=fill,
        overwrite=overwrite,
    )


def calibration_samples(
    graphs: MotionGraphs, store: FrameStore, config: RunConfig, detector: FaceDetector
) -> list[Sample]:
    """Return inputs of an anchored model's render graph, and the true pictures.

    For pairs of frames.
    """
    source, driving, clip = PairSampler(store, 0, config.data).draw(CALIBRATION)
    pair = gather(store, source, driving, clip, graphs.size)
    if pair.source_points is None or pair.driving_points is None:
        raise ConfigError(
            Text("The pictures for calibration have no landmarks."), Text("Give a data set with labels.")
        )
    photos, truths = (
        to_bytes(F.interpolate(x, size=(graphs.size, graphs.size), mode="bilinear"))
        for x in (pair.source, pair.driving)
    )
    samples = []
    for index, (photo, truth) in enumerate(zip(photos, truths, strict=True)):
        with torch.inference_mode():
            features = graphs.encode.module(photo[None], pair.source_points[index][None])
        feed = {name: value.numpy() for name, value in zip(graphs.encode.outputs, features, strict=True)}
        feed["driving_value"] = pair.driving_points[index][None].numpy()
        pixels = (feed["driving_value"][0] + 1) * ((graphs.size - 1) / 2)
        expression = detector.read(truth.numpy(), [region_of(pixels)])[0].expression
        feed["driving_expression"] = (NO_EXPRESSION if expression is None else expression)[None]
        layers = PhotoLayers.of(
            photo.numpy(), pair.source_points[index].numpy(), {name: feed.pop(name) for name in PHOTO_LAYERS}
        )
        samples.append(Sample(feed, partial(picture_quality, layers, truth.numpy())))
    return samples


def picture_quality(layers: PhotoLayers, truth: Image, outputs: Sequence[Any]) -> float:
    """Return the PSNR in dB of the picture composed of a render graph's outputs."""
    painted, alpha, grid, *face = outputs
    crops = FaceCrops.of(*face) if face else None
    return psnr(compose(layers, painted[0], alpha[0, ..., 0], grid, crops), truth)


def _weights(checkpoint: Path, config: RunConfig) -> dict[str, dict[str, object]]:
    """Return each network's weights; a bundle's settings go into ``config``."""
    if not checkpoint.is_dir():
        averaged: dict[str, dict[str, object]] = load_checkpoint(checkpoint)["averaged"]
        return averaged
    bundle = open_bundle(str(checkpoint))
    if bundle.kind != "anchored":
        raise ConfigError(
            Text("{} is no bundle that moves landmarks.", checkpoint),
            Text("Give a checkpoint, or a bundle like models/lite."),
        )
    if config.objective != "anchored":
        message = Text("{} moves landmarks, and the configuration is for {}.", checkpoint, config.objective)
        raise ConfigError(
            message,
            Text("Give the configuration that the bundle was trained with, such as lite-mouths.yaml."),
        )
    config.network.clear()
    config.network.update(bundle.config)
    return {"generator": dict(load_file(bundle.file(WEIGHTS)))}


def _graphs(
    config: RunConfig, networks: dict[str, dict[str, object]]
) -> tuple[MotionGraphs, int, dict[str, object]]:
    if config.objective == "anchored":
        sizes = AnchoredConfig.from_dict(config.network)
        generator = AnchoredGenerator(sizes)
        generator.load_state_dict(networks["generator"])
        size = sizes.size * sizes.detail
        return anchored_graphs(generator, size), size, asdict(sizes)
    size = config.stages[-1].size
    if config.objective == "monkeynet":
        monkeynet = MonkeyNetConfig.from_dict(config.network)
        monkey = MonkeyNet(monkeynet)
        monkey.generator.load_state_dict(networks["generator"])
        monkey.kp_detector.load_state_dict(networks["kp_detector"])
        return monkeynet_graphs(monkey, monkeynet, size), size, monkeynet.to_dict()
    if config.objective == "x2face":
        x2face = X2FaceConfig.from_dict(config.network)
        model = X2Face(x2face)
        model.load_state_dict(networks["x2face"])
        return x2face_graphs(model, x2face), size, x2face.to_dict()
    return _fomm_graphs(config, networks)


def _fomm_graphs(
    config: RunConfig, networks: dict[str, dict[str, object]]
) -> tuple[MotionGraphs, int, dict[str, object]]:
    original = FommConfig.from_original({"model_params": config.network})
    model = Fomm(original)
    model.generator.load_state_dict(networks["generator"])
    model.kp_detector.load_state_dict(networks["kp_detector"])
    size = config.stages[-1].size
    return fomm_graphs(model, original, size), size, original.to_dict()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m avatar_app.training.export", description="Create a bundle from a checkpoint."
    )
    parser.add_argument(
        "checkpoint", type=Path, help="a run's checkpoint, or a bundle's folder, to export it again"
    )
    parser.add_argument("--config", type=Path, required=True, help="the run's config.yaml")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder of the new bundle; its name is the model's"
    )
    parser.add_argument(
        "--card", type=Path, help="text that becomes CARD.md: training data and quality of the weights"
    )
    parser.add_argument("--licence", default="MIT")
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="DATA",
        help="eight-bit convolutions, scaled by this data set's training split",
    )
    parser.add_argument(
        "--matte", type=Path, help="matte.pt of a training.matte run: the background then stays still"
    )
    parser.add_argument(
        "--detail",
        type=int,
        choices=(1, 2, 3, 4),
        default=1,
        help="multiple of the training size at which the photo stays sharp",
    )
    parser.add_argument(
        "--regions",
        type=Path,
        nargs=2,
        metavar=("MOUTH", "EYE"),
        help="checkpoint.pt of training.expression runs: painters of mouth and eyes",
    )
    parser.add_argument("--faces", type=Path, help="the face bundle that reads expressions; the app's own")
    parser.add_argument("--cache", type=Path, help="decoded frames of an earlier run, as in training")
    options = parser.parse_args(arguments)
    try:
        store = None
        if options.calibrate:
            data = read_config(options.config).data
            store = load_store(options.calibrate, "train", data.size, data.stride, options.cache, data.stills)
        wanted = (
            options.checkpoint,
            options.config,
            options.output,
            options.card,
            options.licence,
            options.overwrite,
        )
        regions = tuple(options.regions) if options.regions else None
        extras = Extras(options.matte, options.detail, regions, options.faces)
        bundle = export(*wanted, calibration=store, extras=extras)
    except AvatarError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{bundle.folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
