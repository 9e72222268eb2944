"""The order of sums for processors gives the pictures of the trained network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_app.compositing.compositor import FaceCrops, PhotoLayers, compose
from avatar_app.engines.torch_engine import with_layers
from avatar_app.networks.anchored.config import SKETCH_GROUPS
from avatar_app.networks.anchored.dense_motion import draw_sketch
from avatar_app.networks.anchored.features import Features
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.blocks import conv
from avatar_app.networks.graphs import AnchoredEncode, AnchoredRender
from avatar_app.networks.regions import CODES
from avatar_app.onnx_export.anchored import PhotoRenderer
from avatar_app.onnx_export.layers import PhaseConvolution, highest_rows, interleave_bytes
from avatar_app.onnx_export.photo import PHOTO_LAYERS, PhotoEncoder, PhotoFeatures, Sketch
from tests.networks.tiny import SIDE
from tests.support.bundles import ANCHORED, face_crop


def generator() -> AnchoredGenerator:
    """Random weights everywhere, also in layers that training initialises to zero, and normalisation with an
    effect.
    """
    torch.manual_seed(3)
    model = AnchoredGenerator(replace(ANCHORED, size=SIDE, matte=True, detail=2, regions=True)).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.1)
            assert layer.running_mean is not None
            nn.init.normal_(layer.running_mean, std=0.1)
    for layer in (model.dense_motion.mask, model.dense_motion.fine):
        nn.init.normal_(layer.weight, std=0.3)
        assert layer.bias is not None
        nn.init.normal_(layer.bias, std=0.3)
    return model


def photo() -> tuple[Tensor, Tensor]:
    crop = face_crop(0)
    assert crop.landmarks is not None
    image = torch.from_numpy(crop.image)[None].repeat_interleave(2, 1).repeat_interleave(2, 2)
    return image, torch.from_numpy(crop.landmarks[:, :2])[None]


def poses(points: Tensor) -> list[Tensor]:
    """Still, rotated and squeezed, larger than the picture, and far outside."""
    turn = torch.tensor([[0.9, 0.3], [-0.3, 1.1]])
    return [points, points @ turn + 0.1, points * 3, points + 5]


@torch.inference_mode()
def test_pictures_are_those_of_the_trained_network() -> None:
    model, (image, points) = generator(), photo()
    named = {
        f"features_{name}": feature
        for name, feature in AnchoredEncode(model)(image, points)._asdict().items()
    }
    features = with_layers(named, image[0].numpy(), points[0].numpy()).values()
    photo_features = PhotoEncoder(model)(image, points)
    made = {
        name: layer.numpy()
        for name, layer in zip(PHOTO_LAYERS, photo_features[-len(PHOTO_LAYERS) :], strict=True)
    }
    photo_features = photo_features[: -len(PHOTO_LAYERS)]
    layers = PhotoLayers.of(image[0].numpy(), points[0].numpy(), made)
    whole, fast, code = AnchoredRender(model), PhotoRenderer(model), torch.linspace(-1, 1, CODES)[None]
    for pose in poses(points):
        expected = model.decode(Features(*features), pose, code)
        painted, alpha, flow = fast.layers(PhotoFeatures(*photo_features), pose)
        assert (flow - expected.flow).abs().max() < 1e-3
        painted, alpha, places, *face = (layer.numpy() for layer in fast(*photo_features, pose, code))
        found = compose(layers, painted[0], alpha[0, ..., 0], places, FaceCrops.of(*face))
        # Bytes instead of floats at every step, and a sampling grid rounded to 1/32 pixel.
        difference = np.abs(found.astype(int) - whole(*features, pose, code)[0].numpy())
        assert difference.mean() < 1
        assert np.percentile(difference, 99) <= 12
    assert expected.image.std() > 0.01


@torch.inference_mode()
def test_points_that_are_no_numbers_give_some_picture() -> None:
    model, (image, points) = generator(), photo()
    features, fast = PhotoEncoder(model)(image, points), PhotoRenderer(model)
    for nothing in (torch.nan, torch.inf):
        pose, code = torch.full_like(points, nothing), torch.zeros(1, CODES)
        painted, _, places, *_ = fast(*features[: -len(PHOTO_LAYERS)], pose, code)
        assert painted.shape == (1, SIDE, SIDE, 3)
        assert places.shape == (2, 2 * SIDE, 2 * SIDE)


def test_sketches_are_stamped_as_they_are_drawn() -> None:
    _, points = photo()
    for pose in poses(points):
        assert torch.allclose(Sketch(64)(pose[0]), draw_sketch(pose, 64), atol=1e-6)
    assert Sketch(64)(points[0]).shape == (1, len(SKETCH_GROUPS), 64, 64)


@torch.inference_mode()
def test_a_doubling_convolution_needs_no_doubling() -> None:
    torch.manual_seed(0)
    block, maps = conv(5, 7).eval(), torch.randn(1, 5, 6, 4)
    for parameter in block.parameters():
        nn.init.normal_(parameter)
    expected = block(functional.interpolate(maps, scale_factor=2.0, mode="nearest"))
    assert torch.allclose(PhaseConvolution(block)(maps), expected, atol=1e-5)


def test_where_rows_meet_the_highest_value_counts() -> None:
    rows = torch.tensor([[1.0, 5.0], [2.0, 3.0], [4.0, 4.0]])
    assert highest_rows(torch.tensor([[2], [2], [0]]), rows, 3).tolist() == [[4, 4], [0, 0], [2, 5]]


@pytest.mark.parametrize("value", [0.0, 0.499 / 255, 0.501 / 255, 1.0])
def test_bytes_are_rounded(value: float) -> None:
    assert interleave_bytes(torch.full((3, 2, 2, 1, 1), value)).tolist() == [
        [[[round(value * 255)] * 3] * 2] * 2
    ]


def test_pictures_are_woven() -> None:
    picture = torch.randint(0, 256, (1, 4, 6, 3), dtype=torch.uint8)
    parts = (picture[0].float() / 255).permute(2, 0, 1).reshape(3, 2, 2, 3, 2).permute(0, 2, 4, 1, 3)
    assert torch.equal(interleave_bytes(parts), picture)
