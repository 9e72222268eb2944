"""Which engine is chosen, and the message if none can be."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines import open as opening
from avatar_app.engines.open import open_engine
from avatar_app.errors import BundleError, EngineError
from avatar_app.text import Text
from tests.support.bundles import write_fomm


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_fomm(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("device", ["cpu", "onnx", "torch"])
def test_the_processor_always_works(bundle: Bundle, device: str) -> None:
    engine = open_engine(bundle, device, threads=1)
    assert ("PyTorch" in engine.name) == (device == "torch")
    assert engine.size == bundle.size
    engine.close()


def test_auto_is_onnx_without_a_graphics_card(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "cuda_problem", lambda: "there is none")
    assert "ONNX Runtime" in open_engine(bundle).name


def test_auto_falls_back_where_the_graphics_card_fails(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(bundle: Bundle, number: int) -> None:
        raise EngineError(Text("full"))

    monkeypatch.setattr(opening, "cuda_problem", lambda: None)
    monkeypatch.setattr(opening, "_open_cuda", fail)
    assert "ONNX Runtime" in open_engine(bundle).name


@pytest.mark.parametrize(
    ("version", "driver", "words"),
    [("2.13.0+cpu", True, "built only for the processor"), ("2.13.0", False, "no NVIDIA driver")],
)
def test_cuda_asked_for_but_absent_says_why(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, version: str, driver: bool, words: str
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    monkeypatch.setattr(opening, "has_driver", lambda: driver)
    with pytest.raises(EngineError, match=words) as caught:
        open_engine(bundle, "cuda")
    assert "--device cpu" in caught.value.hint


def test_broken_pytorch_leaves_the_processor(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.13.0")
    monkeypatch.setattr(opening, "has_driver", lambda: True)
    monkeypatch.delattr("avatar_app.engines.torch_engine", raising=False)
    monkeypatch.setitem(sys.modules, "avatar_app.engines.torch_engine", None)  # so that importing it fails
    assert "ONNX Runtime" in open_engine(bundle).name
    with pytest.raises(EngineError, match="PyTorch cannot be loaded"):
        open_engine(bundle, "cuda")


def test_nonsense_is_refused(bundle: Bundle) -> None:
    with pytest.raises(EngineError, match="no device 'gpu'"):
        open_engine(bundle, "gpu")
    with pytest.raises(EngineError, match="no device 'cuda:first'"):
        open_engine(bundle, "cuda:first")
    with pytest.raises(EngineError, match="0 threads"):
        open_engine(bundle, "cpu", threads=0)
    with pytest.raises(BundleError, match="finds faces"):
        open_engine(replace(bundle, kind="faces"))


def test_onnx_runs_without_loading_torch(bundle: Bundle) -> None:
    program = (
        "import sys; from pathlib import Path; from avatar_app.bundles.bundle import open_bundle; "
        "from avatar_app.engines.open import open_engine; "
        "open_engine(open_bundle(Path(sys.argv[1])), 'cpu'); sys.exit('torch' in sys.modules)"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(bundle.folder)], check=True, cwd=Path(__file__).parents[2]
    )
