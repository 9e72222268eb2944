"""Eight-bit convolutions give nearly the same picture, keep bytes between them, and are refused otherwise."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from avatar_app.compositing.compositor import PhotoLayers, compose
from avatar_app.errors import ConfigError
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.graphs import anchored_graphs
from avatar_app.onnx_export import quantise as quantising
from avatar_app.onnx_export.export import for_processors, write_onnx
from avatar_app.onnx_export.photo import PHOTO_LAYERS
from avatar_app.onnx_export.quantise import EXACT, Sample, quantise
from avatar_app.training.export import picture_quality
from tests.networks.tiny import SIDE
from tests.support.bundles import ANCHORED, face_crop


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Sample]]:
    """A render graph, and inputs with the network's pictures for them."""
    torch.manual_seed(0)
    graphs = anchored_graphs(AnchoredGenerator(ANCHORED), SIDE)
    folder = tmp_path_factory.mktemp("exact")
    write_onnx(graphs, folder)
    encode, render = for_processors(graphs).encode, for_processors(graphs).render
    samples = []
    for seed in range(6):
        crop, other = face_crop(seed), face_crop(seed + 10)
        assert crop.landmarks is not None
        assert other.landmarks is not None
        pose = torch.from_numpy(other.landmarks[None, :, :2])
        with torch.inference_mode():
            features = encode.module(
                torch.from_numpy(crop.image)[None], torch.from_numpy(crop.landmarks[None, :, :2])
            )
            painted, alpha, places = (
                layer.numpy() for layer in render.module(*features[: -len(PHOTO_LAYERS)], pose)
            )
        feed = {name: value.numpy() for name, value in zip(encode.outputs, features, strict=True)}
        layers = PhotoLayers.of(crop.image, crop.landmarks[:, :2], feed)
        picture = compose(layers, painted[0], alpha[0, ..., 0], places)
        quality = partial(picture_quality, layers, picture)
        samples.append(Sample(feed | {"driving_value": pose.numpy()}, quality))
    return folder / "render.onnx", samples


def test_pictures_stay_and_bytes_flow_between_convolutions(
    exact: tuple[Path, list[Sample]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantising, "LOSS", np.inf)
    path = tmp_path / "render.onnx"
    path.write_bytes(exact[0].read_bytes())
    before, after = quantise(path, exact[1])
    assert before > 45
    assert after > 35
    graph = onnx.load(str(path)).graph
    float_convolutions = [node.name for node in graph.node if node.op_type == "Conv"]
    assert all(any(part in name for part in EXACT) for name in float_convolutions)
    makers = {name: node for node in graph.node for name in node.output}
    moved = [
        makers[node.input[0]]
        for node in graph.node
        if node.op_type == "QLinearConv" and makers[node.input[0]].op_type == "Concat"
    ]
    assert len(moved) == 6  # stem, two merges of the motion, bottleneck, two merges of the picture
    assert path.stat().st_size < exact[0].stat().st_size


def test_where_too_much_is_lost_the_file_stays(
    exact: tuple[Path, list[Sample]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantising, "LARGEST_WEIGHT", 1)
    path = tmp_path / "render.onnx"
    path.write_bytes(exact[0].read_bytes())
    with pytest.raises(ConfigError, match="Eight bits cost"):
        quantise(path, exact[1])
    assert path.read_bytes() == exact[0].read_bytes()
