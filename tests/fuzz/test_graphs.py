"""Bundles with valid hashes and invalid content.

Any graph, any size, NaN: one error, never a traceback.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from avatar_app.bundles.bundle import DESCRIPTION, Bundle, read_bundle, sha256
from avatar_app.engines.open import open_engine
from avatar_app.errors import AvatarError, BundleError, EngineError
from avatar_app.onnx_runtime import open_session
from tests.support.bundles import face_crop, write_anchored, write_fomm

Change = Callable[[Path], None]


def seal(folder: Path, **facts: Any) -> None:
    """Rewrite the description: hashes of the actual files, and other values."""
    path = folder / DESCRIPTION
    content = json.loads(path.read_text()) | facts
    content["files"] = {name: {"sha256": sha256(folder / name)} for name in content["files"]}
    path.write_text(json.dumps(content))


def use(bundle: Bundle, device: str) -> None:
    """The steps that every command performs with a model."""
    engine = open_engine(bundle, device, 1)
    crop = face_crop(0)
    picture = engine.render(engine.encode(crop), engine.detect(face_crop(1)))
    assert picture.shape == (engine.size, engine.size, 3) and picture.dtype == np.uint8


def swap(one: str, other: str) -> Change:
    def change(folder: Path) -> None:
        first, second = folder / one, folder / other
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)

    return change


def edit(name: str, how: Callable[[onnx.ModelProto], None]) -> Change:
    def change(folder: Path) -> None:
        model = onnx.load(str(folder / name))
        how(model)
        (folder / name).write_bytes(model.SerializeToString())

    return change


def fill(value: float) -> Callable[[onnx.ModelProto], None]:
    """All weights are one number."""

    def how(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                shape = numpy_helper.to_array(tensor).shape
                tensor.CopyFrom(numpy_helper.from_array(np.full(shape, value, np.float32), tensor.name))

    return how


def other_outputs(model: onnx.ModelProto) -> None:
    """As many outputs of the right names, each a single number."""
    for output in model.graph.output:
        maker = next(node for node in model.graph.node if output.name in node.output)
        maker.output[list(maker.output).index(output.name)] = f"{output.name}_before"
        for node in model.graph.node:
            for index, name in enumerate(node.input):
                if name == output.name:
                    node.input[index] = f"{output.name}_before"
        value = numpy_helper.from_array(np.zeros((), np.float32), "nothing")
        model.graph.node.append(helper.make_node("Constant", [], [output.name], value=value))
        output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, []))


def other_names(model: onnx.ModelProto) -> None:
    for value in model.graph.output:
        maker = next(node for node in model.graph.node if value.name in node.output)
        model.graph.node.append(helper.make_node("Identity", [value.name], [f"other_{value.name}"]))
        del maker
        value.name = f"other_{value.name}"


def giant(model: onnx.ModelProto) -> None:
    """A constant of 4 TB that is added to the first output."""
    shape = numpy_helper.from_array(np.array([1 << 40], np.int64), "giant_shape")
    model.graph.initializer.append(shape)
    output = model.graph.output[0].name
    model.graph.node.append(helper.make_node("ConstantOfShape", ["giant_shape"], ["giant"]))
    model.graph.node.append(helper.make_node("Shape", ["giant"], ["giant_size"]))
    model.graph.output.append(helper.make_tensor_value_info("giant", TensorProto.FLOAT, None))
    assert output


def one_more_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("secret", TensorProto.FLOAT, [1]))


def cut(name: str) -> Change:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return change


def noise(name: str) -> Change:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(np.random.default_rng(0).bytes(2000))

    return change


def of_another_kind(folder: Path) -> None:
    seal(
        folder,
        kind="anchored" if json.loads((folder / DESCRIPTION).read_text())["kind"] == "fomm" else "fomm",
    )


CHANGES: dict[str, Change] = {
    "swapped": swap("encode.onnx", "render.onnx"),
    "kind": of_another_kind,
    **{f"cut {name}": cut(name) for name in ("encode.onnx", "render.onnx", "weights.safetensors")},
    **{f"noise {name}": noise(name) for name in ("encode.onnx", "render.onnx", "weights.safetensors")},
    **{f"nan {name}": edit(name, fill(float("nan"))) for name in ("encode.onnx", "render.onnx")},
    **{f"inf {name}": edit(name, fill(float("inf"))) for name in ("encode.onnx", "render.onnx")},
    **{f"huge {name}": edit(name, fill(1e38)) for name in ("encode.onnx", "render.onnx")},
    **{f"shapes {name}": edit(name, other_outputs) for name in ("encode.onnx", "render.onnx")},
    **{f"names {name}": edit(name, other_names) for name in ("encode.onnx", "render.onnx")},
    **{f"giant {name}": edit(name, giant) for name in ("encode.onnx", "render.onnx")},
    **{f"input {name}": edit(name, one_more_input) for name in ("encode.onnx", "render.onnx")},
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    return {
        "fomm": write_fomm(folder / "fomm").folder,
        "anchored": write_anchored(folder / "anchored").folder,
    }


@pytest.fixture(params=["fomm", "anchored"])
def folder(request: pytest.FixtureRequest, bundles: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of a whole bundle."""
    return Path(shutil.copytree(bundles[request.param], tmp_path / "odd"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's own, about NaN
@pytest.mark.parametrize("name", CHANGES)
def test_a_bundle_of_anything_gives_a_picture_or_one_error(name: str, folder: Path) -> None:
    CHANGES[name](folder)
    seal(folder)
    for device in ("cpu", "torch"):
        try:
            use(read_bundle(folder), device)
        except (AvatarError, MemoryError) as error:
            assert "\n" not in str(error)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("size", [1, 16, 63, 128, 2048, 4096, True, 1.5, "64", None, -64, 1 << 70])
def test_a_size_that_is_not_the_models_gives_one_error(size: object, folder: Path) -> None:
    seal(folder, size=size)
    with pytest.raises((BundleError, EngineError)):
        use(read_bundle(folder), "cpu")


def test_weights_beside_the_file_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No list of hashes contains them.

    They could be changed, or be any file of the user's.
    """
    weights = numpy_helper.from_array(np.ones(1000, np.float32), "weights")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "weights"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1000])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1000])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "model.onnx"
    onnx.save(model, str(path), save_as_external_data=True, location="beside.bin", size_threshold=0)
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime searches if a model is given as bytes
    for given in (path, path.read_bytes()):
        with pytest.raises(EngineError):
            open_session(given)


def test_what_is_loaded_is_what_was_hashed(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert bundle.read("encode.onnx") == (folder / "encode.onnx").read_bytes()
    (folder / "encode.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match="damaged"):
        bundle.read("encode.onnx")
    with pytest.raises(BundleError, match="damaged"):
        open_engine(bundle, "cpu", 1)
