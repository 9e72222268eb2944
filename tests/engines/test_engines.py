"""Both engines, on both families, with tiny bundles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from avatar_app.bundles.bundle import DESCRIPTION, Bundle, open_bundle, read_bundle, sha256
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.engines.torch_engine import TorchEngine
from avatar_app.engines.torch_weights import load_graphs, run
from avatar_app.errors import BundleError, EngineError, PortraitError
from avatar_app.onnx_runtime import open_session
from avatar_app.types import Crop, key_points
from tests.networks.tiny import SIDE, without_jacobian
from tests.support.bundles import KINDS, face_crop, write_anchored, write_fomm, write_kind

CPU = torch.device("cpu")


def rehashed(bundle: Bundle) -> Bundle:
    """The bundle after a change of its files, with matching hashes."""
    path = bundle.folder / DESCRIPTION
    content = json.loads(path.read_text())
    content["files"] = {name: {"sha256": sha256(bundle.folder / name)} for name in content["files"]}
    path.write_text(json.dumps(content))
    return read_bundle(bundle.folder)


@pytest.fixture(scope="module", params=KINDS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_kind(request.param, tmp_path_factory.mktemp("models") / "tiny")


def test_engines_make_the_same_pictures(bundle: Bundle) -> None:
    pictures, points = [], []
    for engine in (OnnxEngine(bundle, threads=1), TorchEngine(bundle, CPU)):
        avatar = engine.encode(face_crop(0))
        driving = engine.detect(face_crop(1))
        pictures.append(engine.render(avatar, driving))
        points.append(driving.parts)
        engine.close()
    assert pictures[0].shape == (SIDE, SIDE, 3)
    assert pictures[0].dtype == np.uint8
    assert pictures[0].flags.c_contiguous
    for name, part in points[0].items():
        assert np.abs(part - points[1][name]).max(initial=0) < 1e-5
    difference = np.abs(pictures[0].astype(int) - pictures[1])
    if (
        bundle.kind == "anchored"
    ):  # composed in bytes, with a sampling grid rounded to 1/32 pixel, of a photo that is all edges
        assert difference.mean() < 1
        assert np.percentile(difference, 99) <= 12
    else:
        assert difference.max() <= 1
    assert pictures[0].std() > 1


def test_pictures_agree_before_rounding(bundle: Bundle, tmp_path: Path) -> None:
    """The render graph without its last steps is within 1e-3 of PyTorch, in floats."""
    if bundle.kind == "anchored":
        pytest.skip("its pictures are composed outside the graph: tests/onnx_export/test_anchored.py")
    graphs = load_graphs(bundle, CPU)
    engine = OnnxEngine(bundle, threads=1)
    avatar, pose = engine.encode(face_crop(0)), engine.detect(face_crop(1))
    poses = {"source": avatar.key_points, "driving": pose}
    named = {
        f"{whose}_{part}": torch.from_numpy(array)[None]
        for whose, points in poses.items()
        for part, array in points.parts.items()
    }
    named |= {"image": torch.from_numpy(face_crop(0).image)[None], "points": named["source_value"]}
    with torch.inference_mode():
        named |= dict(zip(graphs.encode.outputs, run(graphs.encode, named), strict=True))
        expected = graphs.render.module.picture(*(named[name] for name in graphs.render.inputs)).numpy()  # type: ignore[operator]
    fed = {name: value.numpy() for name, value in avatar.features.items()}
    found = run_until_sigmoid(
        bundle.file("render.onnx"), tmp_path, fed | {name: value.numpy() for name, value in named.items()}
    )
    assert np.abs(found - expected).max() < 1e-3


def run_until_sigmoid(path: Path, scratch: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The input of the last Clip, which begins the conversion to bytes."""
    model = onnx.load(str(path))
    clip = [node for node in model.graph.node if node.op_type == "Clip"][-1]
    model.graph.output.append(onnx.helper.make_tensor_value_info(clip.input[0], onnx.TensorProto.FLOAT, None))
    onnx.save(model, str(scratch / "render.onnx"))
    session = open_session(scratch / "render.onnx")
    return np.asarray(session.run([clip.input[0]], {name: inputs[name] for name in session.inputs})[0])


def test_features_are_computed_once(bundle: Bundle) -> None:
    """The same avatar in other poses and back again gives the same picture."""
    engine = OnnxEngine(bundle, threads=1)
    avatar = engine.encode(face_crop(0))
    here, there = engine.detect(face_crop(1)), engine.detect(face_crop(2))
    first = engine.render(avatar, here)
    assert not np.array_equal(engine.render(avatar, there), first)
    assert np.array_equal(engine.render(avatar, here), first)


def test_several_photos_make_one_avatar(tmp_path: Path) -> None:
    """Only X2Face: the confident parts of each photo."""
    bundle = write_kind("x2face", tmp_path / "tiny")
    shown = []
    for engine in (OnnxEngine(bundle, threads=1), TorchEngine(bundle, CPU)):
        avatars = [engine.encode(face_crop(seed)) for seed in (0, 1)]
        pose = engine.detect(face_crop(2))
        pictures = [
            engine.render(avatar, pose).astype(int)
            for avatar in (*avatars, engine.join(avatars), engine.join(avatars[::-1]))
        ]
        assert np.abs(pictures[2] - pictures[3]).max() <= 1
        assert min(np.abs(pictures[2] - pictures[one]).mean() for one in (0, 1)) > 1
        shown.append(pictures[2])
    assert np.abs(shown[0] - shown[1]).max() <= 1


def test_other_models_take_one_photo(tmp_path: Path) -> None:
    bundle = write_fomm(tmp_path / "tiny")
    for engine in (OnnxEngine(bundle, threads=1), TorchEngine(bundle, CPU)):
        with pytest.raises(EngineError, match="takes one photo"):
            engine.join([engine.encode(face_crop(0))] * 2)


def test_anchored_models_need_landmarks(tmp_path: Path) -> None:
    bundle = write_anchored(tmp_path / "tiny")
    for engine in (OnnxEngine(bundle, threads=1), TorchEngine(bundle, CPU)):
        with pytest.raises(PortraitError):
            engine.encode(Crop(face_crop().image))
        points = engine.detect(face_crop())
        assert points.depth is not None
        assert points.value.shape == (88, 2)


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    bundle = write_fomm(tmp_path / "tiny", without_jacobian())
    text = (bundle.folder / "bundle.json").read_text()
    (bundle.folder / "bundle.json").write_text(text.replace('"num_kp": 4', '"num_kp": 5'))
    with pytest.raises(BundleError, match="do not fit"):
        TorchEngine(open_bundle(bundle.folder), CPU)


def test_a_file_that_is_no_network_is_refused(tmp_path: Path) -> None:
    bundle = write_fomm(tmp_path / "tiny")
    (bundle.folder / "render.onnx").write_bytes(b"not a network")
    with pytest.raises(EngineError, match=r"cannot open .*render\.onnx"):
        OnnxEngine(rehashed(bundle), threads=1)


def test_half_precision_is_used_where_pictures_stay_the_same(tmp_path: Path) -> None:
    """The path that CUDA takes, here on the processor."""
    bundle = write_fomm(tmp_path / "tiny")
    half, full = TorchEngine(bundle, CPU, quick=True), TorchEngine(bundle, CPU)
    assert "float16" in half.name
    pictures = [
        engine.render(engine.encode(face_crop(0)), engine.detect(face_crop(1))) for engine in (half, full)
    ]
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() < 1.3  # 5e-3 of the range


def test_half_precision_is_left_where_it_overflows(tmp_path: Path) -> None:
    bundle = write_fomm(tmp_path / "tiny")
    graphs = load_graphs(bundle, CPU)
    state = graphs.model.state_dict()
    # A million in one layer and a millionth in the next: harmless in float32, infinite in float16.
    state["generator.first.norm.weight"] *= 1e6
    state["generator.first.norm.bias"] *= 1e6
    state["generator.down_blocks.0.conv.weight"] *= 1e-6
    from safetensors.torch import save_file

    save_file(state, bundle.folder / "weights.safetensors")
    engine = TorchEngine(rehashed(bundle), CPU, quick=True)
    assert "float32" in engine.name
    assert engine.render(engine.encode(face_crop(0)), engine.detect(face_crop(1))).std() > 1


def test_key_points_of_any_memory_layout_are_taken(bundle: Bundle) -> None:
    engine = OnnxEngine(bundle, threads=1)
    avatar, pose = engine.encode(face_crop(0)), engine.detect(face_crop(1))
    turned = key_points(
        {name: np.asfortranarray(part.astype(np.float64)) for name, part in pose.parts.items()}
    )
    assert np.array_equal(engine.render(avatar, turned), engine.render(avatar, pose))


def test_graphs_are_fed_by_name(bundle: Bundle) -> None:
    graphs = load_graphs(bundle, CPU)
    assert run(
        graphs.encode,
        {"image": torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8), "points": torch.rand(1, 88, 2)},
    )
