"""Bundles of tiny models with random weights, complete with ONNX files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from avatar_app.bundles.bundle import Bundle, write_bundle
from avatar_app.networks.anchored.config import AnchoredConfig
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.graphs import (
    MotionGraphs,
    anchored_graphs,
    fomm_graphs,
    monkeynet_graphs,
    x2face_graphs,
)
from avatar_app.onnx_export.export import write_motion_files
from avatar_app.types import Crop
from tests.networks.baselines import TINY_MONKEYNET, TINY_X2FACE, build_monkeynet, build_x2face
from tests.networks.tiny import SIDE, TINY, build, without_jacobian
from tests.support.heads import make_head

ANCHORED = AnchoredConfig(
    size=SIDE, channels=(4, 8, 8), blocks=1, motion_channels=(4, 8, 8), photo_channels=4
)


def write_fomm(folder: Path, config: FommConfig = TINY) -> Bundle:
    """A model of the original family."""
    graphs = fomm_graphs(build(config), config, SIDE)
    return write_bundle(
        folder,
        kind="fomm",
        size=SIDE,
        config=config.to_dict(),
        licence="MIT",
        fill=lambda new: write_motion_files(graphs, new),
    )


def write_anchored(folder: Path, half: bool = True) -> Bundle:
    """A landmark-anchored model."""
    torch.manual_seed(0)
    graphs = anchored_graphs(AnchoredGenerator(ANCHORED), SIDE)
    config = asdict(ANCHORED)
    return write_bundle(
        folder,
        kind="anchored",
        size=SIDE,
        config=config,
        licence="MIT",
        fill=lambda new: write_motion_files(graphs, new, half),
    )


def write_graphs(folder: Path, kind: str, graphs: MotionGraphs, config: dict[str, Any]) -> Bundle:
    """A bundle of any motion model."""
    return write_bundle(
        folder,
        kind=kind,
        size=SIDE,
        config=config,
        licence="MIT",
        fill=lambda new: write_motion_files(graphs, new),
    )


def face_crop(seed: int = 0) -> Crop:
    """Coarse noise with the landmarks of a head at a random position."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (SIDE // 8, SIDE // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    landmarks = make_head() * 0.8 + [*random.uniform(-0.1, 0.1, 2), 0]
    return Crop(image, landmarks.astype(np.float32))


KINDS = ("fomm", "zero order", "anchored", "monkeynet", "x2face")
"""The kinds that `write_kind` supports."""


def write_kind(kind: str, folder: Path) -> Bundle:
    """A tiny bundle of one of the ``KINDS``."""
    if kind == "anchored":
        return write_anchored(folder)
    if kind == "monkeynet":
        graphs, config = monkeynet_graphs(build_monkeynet(), TINY_MONKEYNET, SIDE), TINY_MONKEYNET.to_dict()
        return write_graphs(folder, kind, graphs, config)
    if kind == "x2face":
        return write_graphs(folder, kind, x2face_graphs(build_x2face(), TINY_X2FACE), TINY_X2FACE.to_dict())
    return write_fomm(folder, without_jacobian()) if kind == "zero order" else write_fomm(folder)
