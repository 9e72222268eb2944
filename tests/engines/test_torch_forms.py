"""Which form of the networks each generation of graphics cards gets; no card is needed."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from avatar_app.engines import torch_engine, torch_weights
from avatar_app.engines.torch_engine import card_faults, computes, open_cuda
from avatar_app.engines.torch_place import Processor
from avatar_app.engines.torch_runner import GraphRunner
from avatar_app.engines.torch_weights import (
    TensorFormat,
    formats,
    quickened,
    quickest,
    trial_image,
    trial_points,
)
from avatar_app.errors import DeviceError, EngineError
from avatar_app.networks.graphs import MotionGraphs
from tests.engines.tiny_graphs import FAMILIES
from tests.support.bundles import write_fomm

HALF, SINGLE = torch.float16, torch.float32
INNERMOST, OUTERMOST = torch.channels_last, torch.contiguous_format


@pytest.mark.parametrize(
    ("card", "can_halve", "first", "count"),
    [
        ((9, 0), True, TensorFormat(HALF, INNERMOST), 2),  # H100
        ((8, 6), False, TensorFormat(SINGLE, INNERMOST), 1),  # RTX 3060, a model that cannot be halved
        ((7, 5), True, TensorFormat(HALF, INNERMOST), 3),  # RTX 2060, and GTX 1660 without tensor cores
        ((7, 5), False, TensorFormat(SINGLE, OUTERMOST), 1),
        ((6, 1), True, TensorFormat(SINGLE, OUTERMOST), 1),  # GTX 1060
        (None, True, TensorFormat(HALF, INNERMOST), 2),
    ],
)
def test_forms_of_each_generation(
    card: tuple[int, int] | None, can_halve: bool, first: TensorFormat, count: int
) -> None:
    found = formats(card, can_halve)
    assert found[0] == first
    assert len(found) == count


@pytest.mark.parametrize(
    ("seconds", "kind", "layout"),
    [
        ((1.0, 0.9, 3.0), HALF, INNERMOST),
        ((10.0, 1.0, 2.0), HALF, OUTERMOST),
        ((10.0, 3.0, 2.0), SINGLE, OUTERMOST),
    ],
)
def test_where_tensor_cores_are_uncertain_a_trial_decides(
    monkeypatch: pytest.MonkeyPatch,
    seconds: tuple[float, ...],
    kind: torch.dtype,
    layout: torch.memory_format,
) -> None:
    turns = iter(seconds)
    monkeypatch.setattr(torch_weights, "capability", lambda graphs: (7, 5))
    monkeypatch.setattr(torch_weights, "trial_seconds", lambda graphs: next(turns))
    weights = [
        value
        for value in quickest(FAMILIES["fomm"]()).model.parameters()
        if value.ndim == 4 and min(value.shape) > 1
    ]
    assert weights[0].dtype == kind
    assert all(weight.is_contiguous(memory_format=layout) for weight in weights)


def test_a_form_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.inference_mode():
        assert torch_weights.trial_seconds(FAMILIES["anchored"]()) > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_channels_stay_outermost_through_all_convolutions(family: str) -> None:
    """Pictures arrive channels-last, and one convolution would pass that layout on to the next."""
    layouts: list[bool] = []
    plain = FAMILIES[family]()
    quick = quickened(plain, SINGLE, OUTERMOST)
    for part in quick.model.modules():
        if isinstance(part, nn.Conv2d):
            part.register_forward_hook(lambda module, inputs, output: layouts.append(output.is_contiguous()))
    expected, found = picture(plain), picture(quick)
    assert layouts
    assert all(layouts)
    assert np.abs(found - expected).max() <= 1


def picture(graphs: MotionGraphs) -> np.ndarray:
    runner = GraphRunner(graphs, Processor())
    image, driving = (trial_image(graphs.size, seed).numpy()[0] for seed in (1, 2))
    points = [
        runner.detect(each) if runner.detects else [trial_points(graphs.points, 1).numpy()[0]]
        for each in (image, driving)
    ]
    return runner.render(runner.encode(image, *points[0]), *points[1]).astype(float)


CUDA_126 = ["sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90"]
CUDA_130 = ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120"]


@pytest.mark.parametrize(
    ("card", "built_for", "works"),
    [
        ((6, 1), CUDA_126, True),  # GTX 1060: by the code for 6.0
        ((6, 1), CUDA_130, False),
        ((8, 9), CUDA_130, True),
        ((9, 0), ["sm_90a"], True),
        ((12, 0), CUDA_126, False),
        ((13, 0), CUDA_130, True),  # compiled when it is first needed
        ((7, 0), ["sm_75"], False),
    ],
)
def test_builds_of_pytorch_fit_cards(card: tuple[int, int], built_for: list[str], works: bool) -> None:
    assert computes(card, built_for) == works


def test_a_card_of_another_generation_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: CUDA_130)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (6, 1))
    with pytest.raises(EngineError, match=r"built for other cards than cuda:0, of generation 6\.1") as caught:
        open_cuda(write_fomm(tmp_path / "tiny"), 0)
    assert not isinstance(caught.value, DeviceError)
    assert "--device cpu" in caught.value.hint


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: out of memory\nCUDA kernel errors",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_memory_that_libraries_miss_is_memory(said: str) -> None:
    with (
        pytest.raises(DeviceError, match="The memory of cuda:1 is too small"),
        card_faults(torch.device("cuda", 1), "lite"),
    ):
        raise RuntimeError(said)


def test_a_model_that_does_not_fit_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even while the error is still referenced, for example by a notice."""
    brought: list[weakref.ref[Tensor]] = []
    emptied: list[int] = []

    def fill(graphs: MotionGraphs) -> MotionGraphs:
        brought.extend(weakref.ref(value) for value in graphs.model.parameters())
        try:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        except RuntimeError as error:
            raise RuntimeError("capture has failed") from error

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(
        torch.cuda, "get_arch_list", list
    )  # otherwise a PyTorch built for cards queries the card
    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: emptied.append(sum(value() is not None for value in brought))
    )
    monkeypatch.setattr(torch_engine, "load_graphs", lambda bundle, device: FAMILIES["fomm"]())
    monkeypatch.setattr(torch_engine, "quickest", fill)
    with pytest.raises(DeviceError) as caught:
        open_cuda(write_fomm(tmp_path / "tiny"), 0)
    gc.collect()
    assert brought
    assert emptied == [0]
    assert caught.value.__cause__ is not None
