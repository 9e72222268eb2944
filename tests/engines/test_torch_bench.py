"""The benchmark for graphics cards runs, and distinguishes a correct picture from a wrong one."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

from avatar_app.engines.torch_place import Processor
from avatar_app.engines.torch_weights import trial_tensors
from avatar_app.evaluation.benchmark import arithmetic as work
from avatar_app.networks.graphs import AnchoredRender
from avatar_app.types import Image
from tests.bench.gpu import Compiled, compiled, profile, rows, run, subject, traced
from tests.bench.gpu_table import TURNS, Row, measure, show, verdicts
from tests.engines.tiny_graphs import FAMILIES
from tests.engines.torch_cuda_pretended import DEVICE, install
from tests.networks.tiny import SIDE, TINY


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(work.SIDE, "cpu", 64)
    monkeypatch.setitem(work.COPIED, "cpu", 1 << 16)


def test_every_row_that_a_processor_can_have_is_measured() -> None:
    figures = run("cpu", 5, [], SIDE, TINY)
    rows = {(row["model"], row["row"]): row for row in figures["rows"]}
    assert len(rows) == len(figures["rows"]) >= 8
    assert all(row["frames"] == TURNS and row["cpu_ms"] > 0 for row in rows.values())
    # The original rounds down; the engines round to nearest.
    assert rows["vox-adv", "original"]["psnr_db"] > 45
    assert rows["vox-adv", "float16 folded, channels last"]["psnr_db"] > 40
    assert rows["lite", "float32 folded, channels last"]["psnr_db"] > 45
    assert rows["vox-adv", "original"]["times_original"] == 1
    assert rows["vox-adv", "app"]["form"] == "float16, channels innermost, not recorded"
    assert figures["torch"] == torch.__version__
    assert "lite: float32 folded" in show(figures)


def test_a_row_that_fails_leaves_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []

    def opens(name: str) -> Row:
        def start() -> object:
            order.append(name)
            if name == "broken":
                raise RuntimeError("no kernel\nand a page")
            return make

        def make(index: int) -> Image:
            if name == "dies" and len(opened[1].taken) > 3:
                raise RuntimeError("out of memory")
            return np.zeros((2, 2, 3), np.uint8)

        return Row("lite", name, start, last=name == "broken")  # type: ignore[arg-type]

    opened = [opens("broken"), opens("dies"), opens("works")]
    measure(opened, 10, work.Peak("cpu"))
    assert order == ["dies", "works", "broken"]
    assert [row.problem for row in opened] == ["RuntimeError: no kernel", "RuntimeError: out of memory", ""]
    assert [len(row.taken) for row in opened] == [0, 0, 10]


def test_targets_are_judged_by_the_row_of_the_app() -> None:
    lines: list[dict[str, Any]] = [
        {"model": "vox-adv", "row": "app", "ms_p50": 1.4, "ms_p95": 2.1, "times_original": None},
        {"model": "vox-adv", "row": "float16 torch.compile, graph", "ms_p50": 1.0},
        {"model": "vox-adv", "row": "float16 TensorRT", "problem": "none"},
        {"model": "lite", "row": "app", "problem": "failed"},
    ]
    found = {each["what"]: each["met"] for each in verdicts(lines)}
    assert found == {"ms_p50": True, "ms_p95": False, "times_original": False, "compiler_gain": True}


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_a_compiler_gets_operations_on_the_device_alone(family: str) -> None:
    graphs = FAMILIES[family]()
    tensors = trial_tensors(graphs)
    one = traced(graphs.render, tensors)
    inputs = [tensors[name] for name in one.inputs]
    assert (one.module(*inputs).int() - graphs.render.module(*inputs).int()).abs().max() <= 1
    called = [str(node.target) for node in one.module.graph.nodes]  # type: ignore[union-attr]
    assert not [name for name in called if "lift_fresh" in name]
    if isinstance(graphs.render.module, AnchoredRender):
        assert any("_tensor_constant" in name for name in called)


def test_a_profile_names_operations() -> None:
    table = profile([subject("tiny", FAMILIES["anchored"](), torch.device("cpu"))], torch.device("cpu"))
    assert "aten::grid_sampler" in table


def test_rows_of_a_card_have_names_of_their_own() -> None:
    names = [
        row.name
        for row in rows(subject("tiny", FAMILIES["fomm"](), torch.device("cpu")), torch.device("cuda", 0))
    ]
    assert len(set(names)) == len(names) == 14
    assert [name for name in names if "compile" in name or "TensorRT" in name] == [
        "float32 torch.compile",
        "float32 torch.compile, graph",
        "float16 torch.compile",
        "float16 torch.compile, graph",
        "float16 TensorRT",
    ]


def test_what_a_compiler_made_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiler that does not change operations, on a fake card."""
    cuda = install(monkeypatch)
    tiny = subject("tiny", FAMILIES["matte and detail"](), torch.device("cpu"))
    change = partial(compiled, kind=torch.float32, backend="aot_eager")
    make = tiny.opened(change, partial(Compiled, DEVICE), record=True)
    plain = tiny.opened(lambda graphs: graphs, Processor, record=False)
    assert cuda.recordings == len(cuda.graphs)
    for index in range(2):
        assert np.abs(make(index).astype(int) - plain(index)).max() <= 1
