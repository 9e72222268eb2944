"""Mouth and eyes in the order for processors are those of the trained painters and readers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from avatar_app.networks.expression import ExpressionReader
from avatar_app.networks.graphs import to_bytes
from avatar_app.networks.grid import coordinate_grid
from avatar_app.networks.painters import FacePainter, FaceRegions, look_at
from avatar_app.networks.regions import CODES, EYE, MOUTH, RegionSketch, frames, region_points
from avatar_app.onnx_export.expression import QuickReader
from avatar_app.onnx_export.painters import QuickFace
from avatar_app.onnx_export.photo import neighbours
from avatar_app.onnx_export.regions import Places, Stamps
from tests.support.heads import make_head

SIDE = 64


def poses() -> list[Tensor]:
    """Still, turned and squeezed, larger than the picture, and far outside."""
    points = torch.from_numpy(make_head()[None, :, :2] * 0.6).float()
    turn = torch.tensor([[0.9, 0.3], [-0.3, 1.1]])
    return [points, points @ turn + 0.1, points * 3, points + 5]


def random_weights(network: nn.Module) -> None:
    """Give every layer an effect, also those that training initialises to zero."""
    torch.manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            nn.init.normal_(layer.weight, std=0.8 / layer.weight[0].numel() ** 0.5)
            if layer.bias is not None:
                nn.init.normal_(layer.bias, std=0.3)


@pytest.mark.parametrize("points", poses())
@torch.inference_mode()
def test_frames_and_sketches_are_those_of_the_networks(points: Tensor) -> None:
    found, lips, lids = Places()(points[0])
    for index, (region, mirrored) in enumerate(((MOUTH, False), (EYE, False), (EYE, True))):
        frame = frames(region, points, mirrored)
        assert torch.allclose(found[index].t(), frame[0], atol=1e-5)
        size = region.width // 2, region.height // 2
        drawn = Stamps(region, *size, 1 if region is MOUTH else 2)(lips if region is MOUTH else lids)
        expected = RegionSketch(region, *size)(region_points(points, frame, mirrored))
        difference = (drawn[max(0, index - 1)] - expected[0]).abs()
        assert difference[:-1].max() < 1e-3
        # The opening ends between two columns; by rounding one may lie on either side.
        assert (difference[-1] > 1e-3).float().mean() < 0.01
        assert expected.std() > 0.01


@pytest.mark.parametrize("points", poses())
@torch.inference_mode()
def test_painted_crops_are_those_of_the_painters(points: Tensor) -> None:
    painter, image = FacePainter().eval(), torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8)
    random_weights(painter)
    picture = image.permute(0, 3, 1, 2) / 255
    known, code = painter.photo(picture, poses()[0]), torch.linspace(-1, 1, CODES)[None]
    flow = coordinate_grid(16, 16).permute(2, 0, 1)[None] * 0.8 + 0.05
    expected = painter(known, look_at(picture), flow, points, code)
    mouth, eyes, places = QuickFace(painter)(FaceRegions(*known), neighbours(image), flow, points, code)
    assert torch.allclose(places, expected.frames, atol=1e-5)
    for found, wanted in ((mouth, expected.mouth), (eyes, expected.eyes)):
        # At the very border, where nothing is painted, the blur does not mirror the picture.
        difference = (found.int() - to_bytes(wanted).int())[:, 1:-1, 1:-1].abs()
        assert (difference > 1).float().mean() < 0.01
        assert not found[:, [0, -1], :, 3].any()
        assert wanted.std() > 0.05


@torch.inference_mode()
def test_no_face_is_painted_for_points_that_are_no_numbers() -> None:
    painter, image = FacePainter().eval(), torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
    known, code = painter.photo(image.permute(0, 3, 1, 2) / 255, poses()[0]), torch.zeros(1, CODES)
    flow = coordinate_grid(16, 16).permute(2, 0, 1)[None]
    for nothing in (torch.nan, torch.inf):
        points = torch.full_like(poses()[0], nothing)
        mouth, eyes, _ = QuickFace(painter)(known, neighbours(image), flow, points, code)
        assert mouth.shape == (1, MOUTH.height, MOUTH.width, 4)
        assert eyes.shape == (2, EYE.height, EYE.width, 4)


@pytest.mark.parametrize("points", poses()[:2])
@torch.inference_mode()
def test_codes_are_those_of_the_reader(points: Tensor) -> None:
    reader, image = ExpressionReader().eval(), torch.randint(0, 256, (1, 192, 192, 3), dtype=torch.uint8)
    random_weights(reader)
    expected = reader(image.permute(0, 3, 1, 2) / 255, points)
    assert torch.allclose(QuickReader(reader)(image, points), expected, atol=1e-4)
    assert expected.std() > 0.1
