"""Graphs that ONNX Runtime has optimised are kept, and never change what is computed."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from avatar_app import graph_cache, onnx_runtime
from avatar_app.errors import EngineError
from avatar_app.onnx_runtime import OnnxSession

MODELS = Path(__file__).parents[1] / "models"
MODEL = MODELS / "faces" / "finder.onnx"
pytestmark = pytest.mark.skipif(not MODEL.is_file(), reason="the bundle models/faces is not there")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "graphs"
    monkeypatch.setattr(graph_cache, "user_graphs", lambda: folder)
    return folder


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each graph that is opened, whether it is still optimised."""
    seen: list[bool] = []

    def open_one(model: bytes, options: Any, **others: Any) -> Any:
        seen.append(options.graph_optimization_level != ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
        return original(model, options, **others)

    original = ort.InferenceSession
    monkeypatch.setattr(ort, "InferenceSession", open_one)
    return seen


def found(model: bytes) -> np.ndarray:
    """What the model computes for a fixed picture."""
    picture = np.random.default_rng(0).integers(0, 255, (1, 192, 192, 3), np.uint8)
    (maps,) = OnnxSession(model, "a model").run(["map"], {"picture": picture})
    return maps


def test_second_start_takes_the_kept_graph(folder: Path, levels: list[bool]) -> None:
    model = MODEL.read_bytes()
    first = found(model)
    assert len(list(folder.iterdir())) == 1
    assert np.array_equal(found(model), first)
    assert levels == [True, False]
    if sys.platform != "win32":
        assert folder.stat().st_mode & 0o77 == 0, "others cannot look into it"


@pytest.mark.parametrize("length", [0, 10, -1])
def test_damaged_file_is_replaced(folder: Path, levels: list[bool], length: int) -> None:
    model = MODEL.read_bytes()
    first = found(model)
    (kept,) = folder.iterdir()
    content = kept.read_bytes()
    kept.write_bytes(content[:length] if length >= 0 else content[:5000] + b"?" + content[5001:])
    assert np.array_equal(found(model), first)
    assert np.array_equal(found(model), first)
    assert levels == [True, True, False]


def test_a_program_that_ends_meanwhile_leaves_no_graph_in_use(folder: Path, levels: list[bool]) -> None:
    """Nor a hidden file that nobody would remove."""
    model = MODEL.read_bytes()
    first = found(model)
    (kept,) = folder.iterdir()
    kept.write_bytes(kept.read_bytes()[: -graph_cache.DIGEST])
    assert graph_cache.read_graph(kept) is None
    assert np.array_equal(found(model), first)
    assert list(folder.iterdir()) == [kept]
    assert graph_cache.read_graph(kept) is not None


def test_other_processors_and_versions_have_other_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = MODEL.read_bytes()
    found(model)
    monkeypatch.setattr(graph_cache, "cpu_features", lambda: "another")
    found(model)
    monkeypatch.setattr(onnx_runtime, "VERSION", "0.0")
    found(model)
    assert len(list(folder.iterdir())) == 3


def test_without_a_folder_models_open(folder: Path, levels: list[bool]) -> None:
    folder.parent.mkdir()
    folder.write_bytes(b"a file in its place")
    found(MODEL.read_bytes())
    found(MODEL.read_bytes())
    assert levels == [True, True]


def test_damaged_model_leaves_nothing(folder: Path) -> None:
    with pytest.raises(EngineError, match="cannot open"):
        OnnxSession(MODEL.read_bytes()[:1000], "a model")
    assert not list(folder.iterdir())


def test_large_models_are_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_runtime, "LARGEST_KEPT", 1000)
    found(MODEL.read_bytes())
    assert not folder.exists()


def test_oldest_files_make_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True)
    for age in range(1, 4):
        (folder / f"{age}.onnx").write_bytes(bytes(1 << 20))
        os.utime(folder / f"{age}.onnx", (1_000_000 - age, 1_000_000 - age))
    monkeypatch.setattr(graph_cache, "MOST", 9 << 19)
    found(MODEL.read_bytes())  # 2 MB
    assert {path.name for path in folder.iterdir()} >= {"1.onnx", "2.onnx"}
    assert not (folder / "3.onnx").exists()
