"""The faster form of the networks gives the same pictures, and is not used if it cannot."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from torch import nn

from avatar_app.engines import torch_weights
from avatar_app.engines.torch_place import Processor
from avatar_app.engines.torch_runner import GraphRunner
from avatar_app.engines.torch_weights import fold_norms, quickened, quickest, trial_image, trial_points
from avatar_app.networks.blocks import ResidualBlock
from avatar_app.networks.graphs import MotionGraphs
from tests.engines.tiny_graphs import FAMILIES


@pytest.fixture(params=FAMILIES)
def graphs(request: pytest.FixtureRequest) -> MotionGraphs:
    return FAMILIES[request.param]()


def picture(graphs: MotionGraphs) -> np.ndarray:
    runner = GraphRunner(graphs, Processor())
    image, driving = (trial_image(graphs.size, seed).numpy()[0] for seed in (1, 2))
    points = [
        runner.detect(each) if runner.detects else [trial_points(graphs.points, 1).numpy()[0]]
        for each in (image, driving)
    ]
    return runner.render(runner.encode(image, *points[0]), *points[1]).astype(float)


def test_folded_networks_make_the_same_picture(graphs: MotionGraphs) -> None:
    quick = quickened(graphs, torch.float32)
    assert np.abs(picture(quick) - picture(graphs)).max() <= 1
    # What the copy does not touch.
    assert any(isinstance(part, nn.BatchNorm2d) for part in graphs.model.modules())


def test_every_normalisation_after_a_convolution_is_folded(graphs: MotionGraphs) -> None:
    fold_norms(graphs.model)
    left = [name for name, part in graphs.model.named_modules() if isinstance(part, nn.BatchNorm2d)]
    allowed = [
        f"{name}.norm1" for name, part in graphs.model.named_modules() if isinstance(part, ResidualBlock)
    ]
    assert left == allowed


def test_channels_lie_innermost_and_weights_are_halved() -> None:
    quick = quickened(FAMILIES["fomm"](), torch.float16)
    weights = [value for value in quick.model.parameters() if value.ndim == 4]
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    assert all(value.dtype == torch.float16 for value in quick.model.parameters())


def test_only_networks_that_keep_positions_exact_are_halved(graphs: MotionGraphs) -> None:
    kind = next(quickest(graphs).model.parameters()).dtype
    assert kind == (torch.float16 if graphs.can_halve else torch.float32)


def test_a_precision_that_cannot_be_computed_is_left(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = quickened

    def no_half(graphs: MotionGraphs, kind: torch.dtype, layout: torch.memory_format) -> MotionGraphs:
        if kind == torch.float16:
            raise RuntimeError("not implemented for 'Half'")
        return right(graphs, kind, layout)

    monkeypatch.setattr(torch_weights, "quickened", no_half)
    graphs = FAMILIES["fomm"]()
    with caplog.at_level(logging.WARNING):
        quick = quickest(graphs)
    assert next(quick.model.parameters()).dtype == torch.float32
    assert "cannot be computed in torch.float16" in caplog.text


def test_networks_stay_as_they_are_where_nothing_quicker_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_weights, "WORST_CHANGE", 0.0)
    graphs = FAMILIES["anchored"]()
    assert quickest(graphs) is graphs
