"""Tiny models of each family as graphs, with normalisation that is not the identity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.graphs import (
    MotionGraphs,
    anchored_graphs,
    fomm_graphs,
    monkeynet_graphs,
    x2face_graphs,
)
from tests.networks.baselines import TINY_MONKEYNET, TINY_X2FACE, build_monkeynet, build_x2face
from tests.networks.tiny import SIDE, TINY, build, without_jacobian
from tests.support.bundles import ANCHORED


def anchored_model(
    matte: bool = False, detail: int = 1, size: int = SIDE, regions: bool = False
) -> AnchoredGenerator:
    """Args: size: of the networks' pictures.

    Those of the model are ``detail`` times as large.
    """
    torch.manual_seed(0)
    model = AnchoredGenerator(replace(ANCHORED, size=size, matte=matte, detail=detail, regions=regions))
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if "running_var" in name:
                value.uniform_(0.5, 1.5)
            elif "running_mean" in name:
                value.uniform_(-0.2, 0.2)
            elif ".mask." in name or ".fine." in name:
                value.normal_(std=0.1)
    return model


FAMILIES: dict[str, Callable[[], MotionGraphs]] = {
    "fomm": lambda: fomm_graphs(build(TINY), TINY, SIDE),
    "zero order": lambda: fomm_graphs(build(without_jacobian()), without_jacobian(), SIDE),
    "anchored": lambda: anchored_graphs(anchored_model(), SIDE),
    "monkeynet": lambda: monkeynet_graphs(build_monkeynet(), TINY_MONKEYNET, SIDE),
    "x2face": lambda: x2face_graphs(build_x2face(), TINY_X2FACE),
    "matte and detail": lambda: anchored_graphs(anchored_model(matte=True, detail=2), 2 * SIDE),
    "painters": lambda: anchored_graphs(anchored_model(matte=True, detail=2, regions=True), 2 * SIDE),
}
