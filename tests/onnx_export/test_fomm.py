"""The original's networks give the same pictures when exported for processors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from avatar_app.networks.blocks import ResidualBlock, UpBlock
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.graphs import FommRender, MotionGraphs, fomm_graphs
from avatar_app.onnx_export.export import example_points, for_processors
from avatar_app.onnx_export.layers import QuadConvolution
from avatar_app.onnx_export.winograd import TiledDecoder, fits, minimal_filter
from tests.networks.tiny import TINY, build

FINER = replace(TINY, generator_params=replace(TINY.generator_params, num_down_blocks=3))


def kinds(model: nn.Module) -> set[type]:
    return {type(layer) for layer in model.modules()}


@pytest.mark.parametrize(("outputs", "taps"), [(4, 3), (4, 2), (2, 3), (1, 3), (4, 1)])
def test_a_minimal_filter_filters(outputs: int, taps: int) -> None:
    rng = np.random.default_rng(0)
    signal, kernel = rng.normal(size=outputs + taps - 1), rng.normal(size=taps)
    of_kernel, of_window, of_products = minimal_filter(outputs, taps)
    found = of_products @ ((of_kernel @ kernel) * (of_window @ signal))
    np.testing.assert_allclose(found, np.correlate(signal, kernel, "valid"), atol=1e-12)


@torch.inference_mode()
@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 12)])
def test_a_decoder_in_tiles_gives_the_same_maps(height: int, width: int) -> None:
    """Edges and corners included; with normalisation that changes the sign of channels."""
    torch.manual_seed(0)
    residual = nn.Sequential(ResidualBlock(12), ResidualBlock(12)).eval()
    up = nn.Sequential(UpBlock(12, 6), UpBlock(6, 5)).eval()
    for layer in (*residual.modules(), *up.modules()):
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            for values in (layer.weight, layer.bias, layer.running_mean):
                nn.init.normal_(values)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    maps = torch.randn(1, 12, height, width)
    expected = up(residual(maps))
    found = TiledDecoder(residual, up)(maps)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 2e-5 * expected.abs().max()


def test_maps_of_whole_tiles_fit() -> None:
    assert fits(4, 64)
    assert not fits(6, 8)
    assert not fits(8, 6)


@torch.inference_mode()
@pytest.mark.parametrize("side", [1, 7])
def test_four_pixels_at_once_are_the_same_pixels(side: int) -> None:
    torch.manual_seed(0)
    convolution, maps = nn.Conv2d(5, 3, side, padding=side // 2), torch.randn(1, 5, 6, 10)
    assert torch.allclose(QuadConvolution(convolution)(maps), convolution(maps), atol=1e-5)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("config", "size", "tiled"), [(TINY, 64, True), (TINY, 96, True), (FINER, 48, False)]
)
def test_exported_networks_make_the_same_pictures(config: FommConfig, size: int, tiled: bool) -> None:
    """Also if the features are not a whole number of tiles."""
    graphs = fomm_graphs(build(config), config, size)
    quick = for_processors(graphs)
    assert (TiledDecoder in kinds(quick.model)) == tiled
    assert {UpBlock, QuadConvolution} & kinds(quick.model) == {QuadConvolution}
    assert {UpBlock, QuadConvolution} & kinds(graphs.model) == {UpBlock}, (
        "the networks themselves must stay as they are"
    )
    expected, found = picture(graphs), picture(quick)
    assert expected.std() > 0.02, "a grey picture would show nothing"
    assert (found - expected).abs().max() < 1e-4


def picture(graphs: MotionGraphs) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    image = torch.randint(0, 256, (1, graphs.size, graphs.size, 3), generator=generator, dtype=torch.uint8)
    value, jacobian = example_points(graphs.points)
    features = graphs.encode.module(image)
    assert isinstance(graphs.render.module, FommRender)
    return graphs.render.module.picture(*features, value, jacobian, 0.9 * value, jacobian)
