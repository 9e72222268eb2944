"""ONNX files compute what PyTorch computes, also after tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from avatar_app.onnx_export.export import OPSET
from avatar_app.onnx_export.tuning import tune
from avatar_app.onnx_runtime import open_session

SIDE = 12


class Warp(nn.Module):
    def __init__(self, padding: str, aligned: bool) -> None:
        super().__init__()
        self.padding, self.aligned = padding, aligned

    def forward(self, picture: Tensor, flow: Tensor) -> Tensor:
        return functional.grid_sample(picture, flow, padding_mode=self.padding, align_corners=self.aligned)


class Dimmed(nn.Module):
    def forward(self, picture: Tensor, flow: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        moved = functional.grid_sample(picture, flow, padding_mode="border", align_corners=True)
        share = torch.exp(-share)
        return moved * share, share + 1


class Odd(nn.Module):
    """Convolutions of 19 and 20 channels, two of them on one tensor, a grouped one, and softmax over
    channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.grouped = nn.Conv2d(19, 19, 3, groups=19)
        self.first, self.second, self.third = nn.Conv2d(19, 20, 3), nn.Conv2d(19, 5, 1), nn.Conv2d(20, 7, 3)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return torch.softmax(self.third(self.first(maps)), 1), self.second(maps), self.grouped(maps)


class Siblings(nn.Module):
    """Convolutions of the same maps.

    Two that share one block, one that fills its own, and one with a larger kernel.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.full, self.wide = (
            nn.Conv2d(20, *form) for form in ((11, 3), (2, 3), (16, 3), (3, 5))
        )

    def forward(self, maps: Tensor) -> tuple[Tensor, ...]:
        return self.first(maps), self.second(maps), self.full(maps), self.wide(maps)


class Grouped(nn.Module):
    """Siblings of 20 groups each.

    If they were concatenated, the outputs of one would be taken for those of the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(20, 20, 3, groups=20) for _ in range(2))

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        return self.first(maps), self.second(maps)


def export(module: nn.Module, inputs: dict[str, Tensor], path: Path) -> onnx.ModelProto:
    with pytest.warns(DeprecationWarning):
        torch.onnx.export(
            module.eval(),
            tuple(inputs.values()),
            str(path),
            opset_version=OPSET,
            dynamo=False,
            input_names=list(inputs),
        )
    tune(path)
    return onnx.load(str(path))


def compute(path: Path, inputs: dict[str, Tensor]) -> list[np.ndarray]:
    session = open_session(path)
    outputs: list[Any] = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    return outputs


def flow_beyond_the_edges() -> Tensor:
    """Every pixel centre, edge and corner, positions between and far outside."""
    line = torch.cat(
        [
            torch.linspace(-1, 1, SIDE),
            torch.tensor([-3.0, -1.05, -1 - 1 / SIDE, 1 + 1 / SIDE, 1.05, 1e9]),
            torch.rand(9) * 2.6 - 1.3,
        ]
    )
    down, across = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([across, down], -1)[None]


def assert_same(path: Path, module: nn.Module, inputs: dict[str, Tensor]) -> None:
    """An ONNX file gives the module's outputs."""
    with torch.inference_mode():
        for found, expected in zip(compute(path, inputs), module(*inputs.values()), strict=True):
            np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("aligned", [True, False])
def test_deformed_warps_are_warps(padding: str, aligned: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    inputs = {"picture": torch.rand(1, 16, SIDE, SIDE + 3), "flow": flow_beyond_the_edges()}
    model = export(Warp(padding, aligned), inputs, tmp_path / "warp.onnx")
    assert "GridSample" not in {node.op_type for node in model.graph.node}
    expected = Warp(padding, aligned)(*inputs.values()).numpy()
    np.testing.assert_allclose(compute(tmp_path / "warp.onnx", inputs)[0], expected, atol=1e-5)


def test_a_flow_that_is_no_number_does_not_crash(tmp_path: Path) -> None:
    inputs = {"picture": torch.rand(1, 16, SIDE, SIDE), "flow": torch.full((1, 5, 5, 2), torch.nan)}
    export(Warp("zeros", True), inputs, tmp_path / "warp.onnx")
    for flow in (torch.nan, torch.inf, -torch.inf):
        assert compute(tmp_path / "warp.onnx", inputs | {"flow": torch.full((1, 5, 5, 2), flow)})[
            0
        ].shape == (1, 16, 5, 5)


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("size", [(5, SIDE), (3, 7), (SIDE - 1, 2), (1, SIDE + 9)])
def test_patches_may_be_smaller_than_their_picture(
    padding: str, size: tuple[int, int], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    inputs = {"picture": torch.rand(1, 3, SIDE, SIDE), "flow": torch.rand(1, *size, 2) * 3 - 1.5}
    model = export(Warp(padding, True), inputs, tmp_path / "warp.onnx")
    assert "GridSample" not in {node.op_type for node in model.graph.node}
    expected = Warp(padding, True)(*inputs.values()).numpy()
    np.testing.assert_allclose(compute(tmp_path / "warp.onnx", inputs)[0], expected, atol=1e-5)


def test_a_warp_is_dimmed_in_the_same_step(tmp_path: Path) -> None:
    """Although alpha is only known after the warp, and is read elsewhere too."""
    torch.manual_seed(0)
    module = Dimmed()
    inputs = {
        "picture": torch.rand(1, 5, SIDE, SIDE),
        "flow": flow_beyond_the_edges(),
        "share": torch.rand(1, 1, 27, 27),
    }
    model = export(module, inputs, tmp_path / "dimmed.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.index("Exp") < kinds.index("DeformConv")
    assert_same(tmp_path / "dimmed.onnx", module, inputs)


def test_odd_convolutions_and_softmax_keep_their_results(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, inputs = Odd(), {"maps": torch.randn(1, 19, SIDE, SIDE)}
    model = export(module, inputs, tmp_path / "odd.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert "Softmax" not in kinds
    assert kinds.count("Pad") == 1
    assert_same(tmp_path / "odd.onnx", module, inputs)


def test_convolutions_that_share_a_block_are_computed_at_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, inputs = Siblings(), {"maps": torch.randn(1, 20, SIDE, SIDE)}
    model = export(module, inputs, tmp_path / "siblings.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Conv") == 3
    assert kinds.count("Split") == 1
    read = {name for node in model.graph.node for name in node.input}
    assert {constant.name for constant in model.graph.initializer} <= read
    assert_same(tmp_path / "siblings.onnx", module, inputs)


def test_grouped_convolutions_are_left_apart(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, inputs = Grouped(), {"maps": torch.randn(1, 20, SIDE, SIDE)}
    export(module, inputs, tmp_path / "grouped.onnx")
    assert_same(tmp_path / "grouped.onnx", module, inputs)
