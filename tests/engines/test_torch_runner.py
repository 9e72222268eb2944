"""A frame's work is recorded and checked, and the recording is dropped if it is wrong. No card is needed."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines.torch_engine import TorchEngine
from avatar_app.engines.torch_place import Computation, FixedConstants, Processor, tried_convolutions
from avatar_app.engines.torch_runner import GraphRunner, open_runner
from avatar_app.engines.torch_static_graph import AnyArray, FlatTensors, StaticGraph
from avatar_app.engines.torch_weights import run, trial_image, trial_points
from avatar_app.networks.graphs import Graph, MotionGraphs
from avatar_app.types import NO_EXPRESSION
from tests.engines.tape import EmptyTape, NoTape, OnePhotoTape, Tape, WrongPointsTape
from tests.engines.tiny_graphs import FAMILIES
from tests.support.bundles import face_crop, write_fomm

CPU = torch.device("cpu")


@pytest.fixture(params=FAMILIES)
def graphs(request: pytest.FixtureRequest) -> MotionGraphs:
    return FAMILIES[request.param]()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_fomm(tmp_path_factory.mktemp("models") / "tiny")


def material(runner: GraphRunner, seed: int) -> tuple[AnyArray, list[AnyArray]]:
    """A photo and its key points."""
    image = trial_image(runner.size, seed).numpy()[0]
    known = [trial_points(runner.points, seed).numpy()[0], NO_EXPRESSION + seed / 10]
    return image, runner.detect(image) if runner.detects else known[: len(runner.parts)]


def test_a_pack_moves_its_parts_at_once() -> None:
    here, there = (
        FlatTensors([torch.zeros(1, 3, 2), torch.zeros(1, 4)], Processor().shared) for _ in range(2)
    )
    here.parts[0].copy_(torch.arange(6.0).view(1, 3, 2))
    here.parts[1].fill_(7)
    there.whole.copy_(here.whole)
    assert there.parts[0].flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert there.parts[1].tolist() == [[7, 7, 7, 7]]


class Scale(torch.nn.Module):
    def forward(self, value: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        return value * factor, value.sum(1)


@pytest.mark.parametrize("place", [Processor, Tape])
def test_a_step_reads_what_is_in_its_places(place: type[Processor]) -> None:
    factor = torch.tensor([[2.0]])
    graph = Graph(Scale(), ("value", "factor"), ("scaled", "sum"))
    step = StaticGraph(graph, place(), {"value": torch.zeros(1, 3)}, {"factor": factor}, record=True)
    first = step(np.array([1.0, 2.0, 3.0], np.float64))
    assert [part.tolist() for part in first] == [[2, 4, 6], 6]
    factor.fill_(5)
    assert step(np.ones(3, np.float32))[0].tolist() == [5, 5, 5]
    assert first[0].tolist() == [2, 4, 6]


def test_a_recording_plays_what_the_networks_do(graphs: MotionGraphs) -> None:
    tapes: list[Tape] = []

    def open_tape() -> Tape:
        tapes.append(Tape())
        return tapes[-1]

    runner, plain = open_runner(graphs, open_tape), GraphRunner(graphs, Processor())
    assert runner.recorded
    assert tapes[0].closed and not tapes[1].closed
    before = tapes[1].replays
    photos = [
        (plain.encode(image, *pose), pose) for image, pose in (material(plain, seed) for seed in (3, 4))
    ]
    for photo, pose in ((0, 1), (1, 1), (1, 0), (0, 0)):
        features, points = photos[photo][0], photos[pose][1]
        # The tape's operations are smaller, so rounding may differ.
        assert (
            np.abs(runner.render(features, *points).astype(int) - plain.render(features, *points)).max() <= 1
        )
    assert tapes[1].replays == before + 4
    runner.close()
    assert tapes[1].closed


def test_features_are_copied_once_for_each_change_of_the_avatar(graphs: MotionGraphs) -> None:
    runner = GraphRunner(graphs, Processor())
    photos = [runner.encode(image, *pose) for image, pose in (material(runner, seed) for seed in (3, 4))]
    pose = material(runner, 5)[1]
    first = runner.render(photos[0], *pose)
    with torch.inference_mode():
        for kept in runner._features.values():
            kept.fill_(0)  # an existing recording is used as long as the avatar stays
    assert not np.array_equal(runner.render(photos[0], *pose), first)
    runner.render(photos[1], *pose)
    assert np.array_equal(runner.render(photos[0], *pose), first)


@pytest.mark.parametrize(
    ("tape", "words"),
    [
        (NoTape, "not permitted when stream is capturing"),
        (EmptyTape, "are others"),
        (OnePhotoTape, "its pictures are others"),
        (WrongPointsTape, "its key points are others"),
    ],
)
def test_a_wrong_recording_is_left(
    bundle: Bundle, caplog: pytest.LogCaptureFixture, tape: type[Tape], words: str
) -> None:
    tapes: list[Tape] = []

    def open_tape() -> Tape:
        tapes.append(tape())
        return tapes[-1]

    with caplog.at_level(logging.WARNING):
        engine = TorchEngine(bundle, CPU, quick=True, open_place=open_tape)
    assert engine.name == "tiny, PyTorch float16, without tape, CPU"
    assert words in caplog.text
    assert "explanations" not in caplog.text
    assert [tape.closed for tape in tapes] == [False, True]
    plain = TorchEngine(bundle, CPU, quick=True)
    first, second = (
        each.render(each.encode(face_crop(0)), each.detect(face_crop(1))) for each in (engine, plain)
    )
    assert np.array_equal(first, second)
    engine.close()
    assert tapes[0].closed


def test_a_card_that_the_recording_has_broken_is_not_used(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(NoTape):
        def record(self, compute: Computation) -> Computation:
            monkeypatch.setattr(StaticGraph, "__call__", self.fail)
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

        def fail(self, *arrays: AnyArray) -> None:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal memory access"):
        TorchEngine(bundle, CPU, quick=True, open_place=Broken)


def test_names_say_what_is_used(
    bundle: Bundle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert TorchEngine(bundle, CPU).name == "tiny, PyTorch float32, CPU"
    assert TorchEngine(bundle, CPU, quick=True, open_place=Tape).name == "tiny, PyTorch float16, tape, CPU"
    monkeypatch.setattr("avatar_app.engines.torch_weights.WORST_CHANGE", 1e-12)
    engine = TorchEngine(bundle, CPU, quick=True, open_place=NoTape)
    assert engine.name == "tiny, PyTorch float32, without tape, CPU"
    assert "torch.float16 change the picture" in caplog.text


class NothingCrosses(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raises if a tensor of the processor meets one of the device, torch's fake one."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        tensors = [
            item for item in torch.utils._pytree.tree_leaves((args, kwargs)) if isinstance(item, Tensor)
        ]
        crossing = [tensor for tensor in tensors if tensor.device.type == "cpu" and tensor.ndim > 0]
        if crossing:
            raise AssertionError(f"{func} reads {crossing[0].shape} from the processor")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["detect", "render"])
def test_a_frame_takes_nothing_from_the_processor(graphs: MotionGraphs, name: str) -> None:
    """Otherwise it could not be recorded.

    Only shapes are computed, on the code path of graphics cards.
    """
    device = torch.device("meta")
    graph: Graph | None = getattr(graphs, name)
    if graph is None:
        pytest.skip("has no detector")
    runner = GraphRunner(graphs, Processor())
    image, pose = material(runner, 1)
    tensors = {"image": torch.from_numpy(image)[None]} | runner.encode(image, *pose)
    tensors |= {
        f"driving_{part}": torch.from_numpy(array)[None]
        for part, array in zip(runner.parts, pose, strict=True)
    }
    tensors = {name: tensor.to(device) for name, tensor in tensors.items()}
    graphs.model.to(device)
    with torch.inference_mode(), FixedConstants():
        run(graph, tensors)
        with NothingCrosses():  # type: ignore[no-untyped-call]
            run(graph, tensors)


def test_constants_change_no_result(graphs: MotionGraphs) -> None:
    runner = GraphRunner(graphs, Processor())
    image, pose = material(runner, 1)
    features = runner.encode(image, *pose)
    expected = runner.render(features, *pose)
    with FixedConstants():
        for _ in range(2):
            assert np.array_equal(runner.render(features, *pose), expected)


def test_settings_of_the_process_are_put_back() -> None:
    before = torch.backends.cudnn.benchmark
    with pytest.raises(RuntimeError, match="stop"), tried_convolutions():
        assert torch.backends.cudnn.benchmark
        raise RuntimeError("stop")
    assert torch.backends.cudnn.benchmark == before


def test_memory_is_given_back(tmp_path: Path, bundle: Bundle) -> None:
    import gc
    import weakref

    engine = TorchEngine(bundle, CPU, quick=True, open_place=Tape)
    runner = weakref.ref(next(iter(engine._runner._features.values())))
    engine.close()
    gc.collect()
    assert runner() is None
