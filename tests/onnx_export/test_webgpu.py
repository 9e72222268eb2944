"""The two graphs for graphics cards, computed on the processor, give PyTorch's pictures."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from avatar_app.bundles.bundle import Bundle, write_bundle
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.engines.onnx_render import POSE_FILE, RENDER_FILE, WebGpuRender
from avatar_app.engines.torch_weights import load_graphs
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.graphs import anchored_graphs
from avatar_app.networks.regions import CODES
from avatar_app.onnx_export.anchored import LAYERS, REGIONS, PhotoRenderer
from avatar_app.onnx_export.export import write_motion_files
from avatar_app.onnx_export.layers import PhaseConvolution
from avatar_app.onnx_export.photo import PHOTO_LAYERS, PhotoEncoder
from avatar_app.onnx_export.webgpu import ShuffledPhases
from avatar_app.types import Crop
from tests.networks.tiny import SIDE
from tests.onnx_export.test_anchored import generator
from tests.support.bundles import KINDS, face_crop, write_kind


def write_whole(folder: Path) -> Bundle:
    """A tiny anchored model with all parts: matte, painters, twice the side."""
    model = generator()
    size = 2 * SIDE
    return write_bundle(
        folder,
        kind="anchored",
        size=size,
        config=asdict(model.config),
        licence="MIT",
        fill=lambda new: write_motion_files(anchored_graphs(model, size), new, half=True),
    )


def large_crop(seed: int) -> Crop:
    crop = face_crop(seed)
    expression = np.linspace(-1, 1, CODES, dtype=np.float32)
    return replace(crop, image=crop.image.repeat(2, 0).repeat(2, 1), expression=expression)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_whole(tmp_path_factory.mktemp("models") / "whole")


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_the_processor(kind: str, tmp_path: Path) -> None:
    bundle = write_kind(kind, tmp_path / "tiny")
    pictures = []
    for engine in (OnnxEngine(bundle, 1), OnnxEngine(bundle, 1, WebGpuRender(bundle, 1, None))):
        avatar = engine.encode(face_crop(0))
        pictures += [engine.render(avatar, engine.detect(face_crop(seed))).astype(int) for seed in (0, 1)]
        engine.close()
    assert np.abs(pictures[0] - pictures[2]).max() <= (12 if kind == "anchored" else 1)
    assert np.abs(pictures[1] - pictures[3]).mean() < 0.5
    assert pictures[3].std() > 1


@torch.inference_mode()
def test_layers_are_those_of_pytorch(whole: Bundle) -> None:
    graphs = load_graphs(whole, torch.device("cpu"))
    assert isinstance(graphs.model, AnchoredGenerator)
    encoder, renderer = PhotoEncoder(graphs.model), PhotoRenderer(graphs.model)
    engine = OnnxEngine(whole, 1, WebGpuRender(whole, 1, None))
    crop = large_crop(0)
    avatar = engine.encode(crop)
    photo = encoder(torch.from_numpy(crop.image)[None], torch.from_numpy(avatar.key_points.value)[None])
    for seed in (0, 1, 2):
        pose = engine.detect(large_crop(seed))
        assert pose.expression is not None
        told = torch.from_numpy(pose.value)[None], torch.from_numpy(pose.expression)[None]
        expected = renderer(*photo[: -len(PHOTO_LAYERS)], *told)
        made = engine.outputs(avatar, pose)
        for name, wanted in zip((*LAYERS, *REGIONS), expected, strict=True):
            tolerance = 2 if wanted.dtype == torch.uint8 else 0.1 if name == "places" else 1e-5
            difference = np.abs(made[name].astype(float) - wanted.numpy())
            if name in ("mouth", "eyes"):  # transparent at their very border, where colours may be any
                difference = difference[:, 1:-1, 1:-1]
            assert difference.max() <= tolerance, name
        assert made["painted"].std() > 1
    engine.close()


def test_what_a_card_cannot_do_is_not_in_its_file(whole: Bundle) -> None:
    model = onnx.load(str(whole.folder / RENDER_FILE))
    kinds = {node.op_type for node in model.graph.node}
    assert not kinds & {"DeformConv", "QLinearConv", "ConvInteger", "Round", "IsNaN", "ScatterND", "Shape"}
    assert model.opset_import[0].version <= 19
    shapes = {constant.name: constant.dims for constant in model.graph.initializer}
    halves = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}
    inputs = [
        shapes[halves.get(node.input[1], node.input[1])][1]
        for node in model.graph.node
        if node.op_type == "Conv"
    ]
    assert inputs
    assert all(count % 4 == 0 or count <= 3 for count in inputs)
    assert all(size.dim_value > 0 for value in model.graph.input for size in value.type.tensor_type.shape.dim)


def test_key_points_are_left_to_the_processor(whole: Bundle) -> None:
    pose, render = (onnx.load(str(whole.folder / name)) for name in (POSE_FILE, RENDER_FILE))
    assert {"driving_value", "driving_expression"} <= {value.name for value in pose.graph.input}
    assert not any(value.name.startswith("driving_") for value in render.graph.input)
    assert not any(node.op_type == "Conv" for node in pose.graph.node)
    assert len(render.graph.node) < 400


@torch.inference_mode()
def test_phases_may_be_put_in_order_at_once() -> None:
    block = nn.Sequential(nn.Conv2d(5, 7, 3, padding=1, bias=False), nn.BatchNorm2d(7), nn.ReLU()).eval()
    nn.init.normal_(block[1].weight)  # type: ignore[arg-type]
    maps = torch.randn(1, 5, 6, 4)
    assert torch.allclose(ShuffledPhases(block)(maps), PhaseConvolution(block)(maps), atol=1e-6)
