"""PyTorch's exceptions about a graphics card become errors that the app can handle; no card is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from avatar_app.engines import torch_engine
from avatar_app.engines.torch_engine import card_faults, open_cpu, open_cuda
from avatar_app.engines.torch_static_graph import StaticGraph
from avatar_app.errors import DeviceError, EngineError
from avatar_app.types import Array
from tests.support.bundles import face_crop, write_fomm

CARD = torch.device("cuda", 0)
FULL = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB.\nSee the "
    "documentation."
)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError(FULL), "The memory of cuda:0 is too small or taken for the model lite."),
        (
            torch.AcceleratorError("CUDA error: unspecified launch failure\nCompile with"),
            "has failed: CUDA error: unspecified launch failure.",
        ),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
            "has failed: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED.",
        ),
    ],
)
def test_faults_of_a_card_are_one_sentence(error: Exception, words: str) -> None:
    with pytest.raises(DeviceError, match=words.replace(".", r"\.")) as caught, card_faults(CARD, "lite"):
        raise error
    assert "--device cpu" in caught.value.hint
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("device", "error"),
    [(torch.device("cpu"), RuntimeError("size mismatch")), (CARD, ValueError("odd"))],
)
def test_faults_elsewhere_are_the_models(device: torch.device, error: Exception) -> None:
    with pytest.raises(EngineError, match="lite cannot be computed") as caught, card_faults(device, "lite"):
        raise error
    assert not isinstance(caught.value, DeviceError)
    assert caught.value.__cause__ is error


def test_every_verb_of_an_engine_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_cpu(write_fomm(tmp_path / "tiny"), None)
    crop = face_crop()
    avatar = engine.encode(crop)
    points = engine.detect(crop)
    monkeypatch.setattr(engine, "_device", CARD)

    def fail(self: StaticGraph, *arrays: Array) -> None:
        raise torch.OutOfMemoryError(FULL)

    monkeypatch.setattr(StaticGraph, "__call__", fail)
    for verb in (
        lambda: engine.detect(crop),
        lambda: engine.encode(crop),
        lambda: engine.render(avatar, points),
    ):
        with pytest.raises(DeviceError, match="The memory of cuda:0"):
            verb()
    engine.close()


def test_a_card_that_fails_while_opening(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = write_fomm(tmp_path / "tiny")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable")

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(
        torch.cuda, "get_arch_list", list
    )  # otherwise a PyTorch built for cards queries the card
    monkeypatch.setattr(torch_engine, "load_graphs", fail)
    with pytest.raises(DeviceError, match="busy or unavailable"):
        open_cuda(bundle, 0)
