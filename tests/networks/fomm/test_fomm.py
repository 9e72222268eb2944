"""Required properties of the original family's networks, on tiny ones."""

from __future__ import annotations

import unittest.mock
from dataclasses import replace

import pytest
import torch

from avatar_app.networks.blocks import AntiAliasDownscale
from avatar_app.networks.fomm.dense_motion import inverse_2x2, multiply_2x2, sparse_flows
from avatar_app.networks.fomm.discriminator import Discriminator
from avatar_app.networks.fomm.keypoints import KeyPointTensors
from avatar_app.networks.grid import coordinate_grid, gaussian_heat_maps, warp
from tests.networks.tiny import SIDE, TINY, build, without_jacobian


def pictures(count: int = 1) -> torch.Tensor:
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_the_grid_has_pixel_centres_at_its_ends() -> None:
    grid = coordinate_grid(3, 5)
    assert grid[0, 0].tolist() == [-1, -1]
    assert grid[2, 4].tolist() == [1, 1]
    assert grid[1].tolist() == [[-1, 0], [-0.5, 0], [0, 0], [0.5, 0], [1, 0]]


def test_a_heat_map_peaks_at_its_point() -> None:
    heat = gaussian_heat_maps(torch.tensor([[[0.5, -1.0]]]), 9, 9, 0.01)
    assert heat.flatten().argmax().item() == 6
    assert heat.max().item() == pytest.approx(1)


def test_the_identity_warp_keeps_the_picture_only_with_aligned_corners() -> None:
    picture, grid = pictures(), coordinate_grid(SIDE, SIDE)[None]
    assert torch.allclose(warp(picture, grid, align_corners=True), picture, atol=1e-5)
    assert not torch.allclose(warp(picture, grid, align_corners=False), picture, atol=1e-2)


def test_the_closed_inverse_is_the_one_of_the_library() -> None:
    matrices = torch.eye(2) + 0.3 * torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(2))
    with unittest.mock.patch("torch.onnx.is_in_onnx_export", return_value=True):
        closed = inverse_2x2(matrices)
    assert torch.allclose(closed, inverse_2x2(matrices), atol=1e-5)
    assert torch.allclose(multiply_2x2(matrices, inverse_2x2(matrices)), torch.eye(2), atol=1e-4)


def test_sparse_flows_follow_the_equation() -> None:
    """T_k(z) = p_source + J_source J_driving^-1 (z - p_driving); the background does not move."""
    source = KeyPointTensors(torch.tensor([[[0.2, 0.1]]]), torch.tensor([[[[2.0, 0.0], [0.0, 1.0]]]]))
    driving = KeyPointTensors(torch.tensor([[[-0.5, 0.5]]]), torch.tensor([[[[0.0, -1.0], [1.0, 0.0]]]]))
    flows = sparse_flows(source, driving, 5, 5)
    assert torch.equal(flows[0, 0], coordinate_grid(5, 5))
    # The pixel at (0, 1) is (0.5, 0.5) from the driving point; rotated back by 90 degrees and stretched, (1,
    # -0.5).
    assert flows[0, 1, 4, 2].tolist() == pytest.approx([1.2, -0.4])


def test_downscaling_keeps_the_brightness_and_every_fourth_pixel_of_the_blur() -> None:
    down = AntiAliasDownscale(3, 0.25)
    small = down(torch.full((1, 3, SIDE, SIDE), 0.5))
    assert small.shape == (1, 3, SIDE // 4, SIDE // 4)
    assert torch.allclose(small[..., 4:-4, 4:-4], torch.tensor(0.5), atol=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_the_detector_finds_points_with_frames(shared: bool) -> None:
    config = replace(
        TINY, kp_detector_params=replace(TINY.kp_detector_params, single_jacobian_map=shared, pad=3)
    )
    model = build(config)
    assert model.kp_detector.jacobian is not None
    assert model.kp_detector.jacobian.out_channels == (4 if shared else 16)
    points = model.kp_detector(pictures(2))
    assert points.value.shape == (2, 4, 2)
    assert points.jacobian.shape == (2, 4, 2, 2)
    assert points.value.abs().max() <= 1


def test_a_zero_order_model_works_without_jacobians() -> None:
    model = build(without_jacobian())
    points = model.kp_detector(pictures())
    assert points.jacobian is None
    assert model.generator(pictures(), points, points).prediction.shape == (1, 3, SIDE, SIDE)


def test_encoding_once_and_decoding_is_the_whole_generator() -> None:
    model = build()
    photo, driver = pictures(2)[:1], pictures(2)[1:]
    with torch.inference_mode():
        source, pose = model.kp_detector(photo), model.kp_detector(driver)
        whole = model.generator(photo, source, pose)
        split = model.generator.decode(model.generator.encode(photo), source, pose)
    assert torch.equal(whole.prediction, split)
    assert not torch.allclose(whole.deformed, photo)


def test_without_motion_the_flow_is_the_identity() -> None:
    model = build()
    with torch.inference_mode():
        points = model.kp_detector(pictures())
        motion = model.generator(pictures(), points, points).motion
    assert torch.allclose(motion.flow, coordinate_grid(SIDE // 4, SIDE // 4), atol=1e-5)


def test_half_precision_gives_nearly_the_same_picture() -> None:
    model, half = build(), build().half()
    with torch.inference_mode():
        points = model.kp_detector(pictures())
        pose = KeyPointTensors(points.value + 0.1, points.jacobian)
        exact = model.generator.decode(model.generator.encode(pictures()), points, pose)
        rough = half.generator.decode(half.generator.encode(pictures().half()), points, pose)
        found = half.kp_detector(pictures().half())
    assert rough.dtype == torch.float16
    assert (rough.float() - exact).abs().mean() < 5e-3
    assert found.value.dtype == torch.float32
    assert torch.allclose(found.value, points.value, atol=0.02)


def test_the_discriminator_judges_every_scale() -> None:
    part = replace(TINY.discriminator_params, scales=(1.0, 0.5), sn=True, use_kp=True)
    network = Discriminator(replace(TINY, discriminator_params=part))
    judgements = network(pictures(2), torch.zeros(2, 4, 2))
    assert [len(judgement.features) for judgement in judgements] == [3, 3]
    assert judgements[0].prediction.shape[2] > judgements[1].prediction.shape[2]
    keys = network.state_dict().keys()
    assert {
        "discs.1.down_blocks.0.conv.weight_orig",
        "discs.0-5.conv.weight_orig",
        "discs.1.down_blocks.1.norm.weight",
    } <= keys
    assert not any(key.startswith("downs.") for key in keys)
    with pytest.raises(ValueError, match="key points"):
        network(pictures(2))


def test_the_discriminator_can_do_without_key_points() -> None:
    network = Discriminator(TINY)
    assert torch.equal(
        network(pictures())[0].prediction, network(pictures(), torch.zeros(1, 4, 2))[0].prediction
    )
