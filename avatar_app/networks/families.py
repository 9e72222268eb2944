"""Recognise checkpoints of original projects; prepare their networks for export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avatar_app.errors import BundleError, ConfigError
from avatar_app.files import read_yaml
from avatar_app.networks.fomm.original import (
    build_fomm,
    load_weights,
    original_of,
    picture_size,
    read_weights,
    require_fit,
    state_dict_of,
)
from avatar_app.networks.graphs import MotionGraphs, fomm_graphs, monkeynet_graphs, x2face_graphs
from avatar_app.networks.monkeynet.config import MonkeyNetConfig, is_monkeynet
from avatar_app.networks.monkeynet.model import MonkeyNet, without_time
from avatar_app.networks.x2face.model import ORIGINAL, X2Face, X2FaceConfig, config_of, from_original
from avatar_app.text import Text

NAMES = {"fomm": "First Order Motion Model", "monkeynet": "Monkey-Net", "x2face": "X2Face"}

FOREIGN = {
    "MRAA (motion representations for articulated animation)": ("region_predictor",),
    "TPSMM (thin-plate spline motion model)": ("inpainting_network",),
    "face-vid2vid": ("he_estimator",),
    "LivePortrait": (
        "retarget_",
        "fc_kp.",
        "G_middle_0.",
        "resblocks_3d.",
        "dense_motion_network.",
        "detector.",
    ),
}
"""Models that this app does not run, and the prefixes of names in their files."""

UNNAMED, LARGEST = 64, 2048
"""Sides of Monkey-Net's pictures: the default, and the maximum."""

RUNS = Text("This app runs checkpoints of the First Order Motion Model, Monkey-Net and X2Face.")


@dataclass(frozen=True, slots=True)
class Opened:
    """An original checkpoint, read; ``kind`` and ``config`` become the bundle's."""

    kind: str
    config: Mapping[str, Any]
    graphs: MotionGraphs


def open_original(checkpoint: Path, configuration: Path | None, align_corners: bool | None = None) -> Opened:
    """Read a checkpoint of any family that this app runs.

    Args:
        configuration: the YAML it was trained with; X2Face has none.
        align_corners: how FOMM's warps read positions; None: as the YAML says, else True.

    Raises:
        BundleError: not a checkpoint, damaged, unsafe, of another family, or not fitting the configuration.
        ConfigError: the configuration is wrong or missing.
    """
    return open_content(read_weights(checkpoint), checkpoint, configuration, align_corners)


def open_content(
    content: Mapping[str, Any],
    checkpoint: Path,
    configuration: Path | None,
    align_corners: bool | None = None,
) -> Opened:
    """Do the same with content that was read before."""
    family = family_of(content, checkpoint)
    if family != "fomm" and align_corners is False:
        raise ConfigError(
            Text("{} reads positions as pixel centres alone.", NAMES[family]),
            Text("Leave --align-corners out."),
        )
    if family == "x2face":
        return _x2face(content, checkpoint)
    if configuration is None:
        raise ConfigError(
            Text("A checkpoint of {} needs its configuration.", NAMES[family]),
            Text("Give it with --config YAML."),
        )
    document = read_yaml(configuration)
    described = "monkeynet" if is_monkeynet(document) else "fomm"
    if described != family:
        message = Text(
            "{} describes a {}, but {} is a checkpoint of {}.",
            configuration,
            NAMES[described],
            checkpoint,
            NAMES[family],
        )
        raise ConfigError(message, Text("Give the configuration that this checkpoint was trained with."))
    if family == "monkeynet":
        return _monkeynet(content, document, checkpoint)
    original = original_of(content, document, checkpoint)
    config = (
        original.config if align_corners is None else replace(original.config, align_corners=align_corners)
    )
    return Opened("fomm", config.to_dict(), fomm_graphs(build_fomm(config, original), config, original.size))


def family_of(content: Mapping[str, Any], path: Path) -> str:
    """Return the family, a key of ``NAMES``.

    Raises BundleError for any other content, with its name where that is known.
    """
    weights = content.get("state_dict")
    if isinstance(weights, Mapping) and any(str(name).startswith(tuple(ORIGINAL)) for name in weights):
        return "x2face"
    for name, signs in FOREIGN.items():
        if any(str(key).startswith(signs) for key in content):
            raise BundleError(
                Text("{} is a checkpoint of {}; this app does not run it yet.", path, name), RUNS
            )
    generator = content.get("generator")
    if isinstance(generator, Mapping) and any("dense_motion_module." in str(name) for name in generator):
        return "monkeynet"
    if isinstance(generator, Mapping) and "kp_detector" in content:
        return "fomm"
    raise BundleError(
        Text("{} is a PyTorch file, but not a checkpoint of a model that this app knows.", path), RUNS
    )


def _monkeynet(content: Mapping[str, Any], document: Any, path: Path) -> Opened:
    config = MonkeyNetConfig.from_original(document)
    size = picture_size(document, UNNAMED)
    halvings = config.generator_params.num_blocks
    if size % 2**halvings or size > LARGEST:
        raise ConfigError(
            Text("The pictures of the configuration have {} pixels.", size),
            Text("Give a multiple of {} up to {}.", 2**halvings, LARGEST),
        )
    with torch.device("meta"):  # sizes without memory: checks the fit before allocating any
        plan = MonkeyNet(config)
    weights = {
        name: without_time(dict(state_dict_of(content, name, path))) for name in ("generator", "kp_detector")
    }
    for name, part in weights.items():
        require_fit(plan.get_submodule(name), part, name)
    model = MonkeyNet(config)
    for name, part in weights.items():
        load_weights(model.get_submodule(name), part, name)
    return Opened("monkeynet", config.to_dict(), monkeynet_graphs(model, config, size))


def _x2face(content: Mapping[str, Any], path: Path) -> Opened:
    weights: dict[str, Tensor] = from_original(state_dict_of(content, "state_dict", path))
    try:
        config = X2FaceConfig.from_dict(config_of(weights).to_dict())
        with torch.device("meta"):
            require_fit(X2Face(config), weights, "networks")
    except (KeyError, ValueError, IndexError, OverflowError, ConfigError) as error:
        hint = Text("It must hold the embedding and the driving network, each of one size throughout.")
        raise BundleError(Text("The weights of {} do not make up an X2Face.", path), hint) from error
    model = X2Face(config)
    load_weights(model, weights, "networks")
    return Opened("x2face", config.to_dict(), x2face_graphs(model, config))
