"""A graphics card's streams, recordings and memory, on a fake card.

What is kept, what is freed, and what a failure leaves.
"""

from __future__ import annotations

import gc
import logging
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from avatar_app.engines.torch_place import CudaPlace, Processor, reason
from avatar_app.engines.torch_runner import GraphRunner, open_runner
from avatar_app.engines.torch_static_graph import StaticGraph
from avatar_app.engines.torch_weights import trial_image, trial_points
from avatar_app.networks.graphs import Graph, MotionGraphs
from tests.engines.tiny_graphs import FAMILIES
from tests.engines.torch_cuda_pretended import DEVICE, PretendedCuda, install

DEAD = "CUDA error: an illegal memory access was encountered"


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> PretendedCuda:
    return install(monkeypatch)


def open_card() -> CudaPlace:
    return CudaPlace(DEVICE)


@pytest.fixture(params=["fomm", "matte and detail"])
def graphs(request: pytest.FixtureRequest) -> MotionGraphs:
    return FAMILIES[request.param]()


class Twice(torch.nn.Module):
    def forward(self, value: Tensor) -> Tensor:
        return value * 2


TWICE = Graph(Twice(), ("value",), ("doubled",))


def step(card: CudaPlace) -> StaticGraph:
    with torch.inference_mode():
        return StaticGraph(TWICE, card, {"value": torch.zeros(1, 3)}, {}, record=True)


def test_a_card_plays_what_the_networks_do(cuda: PretendedCuda, graphs: MotionGraphs) -> None:
    runner, plain = open_runner(graphs, open_card), GraphRunner(graphs, Processor())
    assert runner.recorded
    images = [trial_image(graphs.size, seed).numpy()[0] for seed in (3, 4)]
    poses = [
        plain.detect(image) if plain.detects else [trial_points(graphs.points, seed).numpy()[0]]
        for seed, image in enumerate(images)
    ]
    photos = [plain.encode(image, *pose) for image, pose in zip(images, poses, strict=True)]
    for photo, pose in ((0, 1), (1, 1), (1, 0), (0, 0)):
        played, right = (each.render(photos[photo], *poses[pose]).astype(int) for each in (runner, plain))
        assert abs(played - right).max() <= 1  # the memory layout determines the order of sums
    runner.close()
    assert all(graph.reset_done for graph in cuda.graphs)


def test_live_cards_share_no_stream_and_closed_ones_give_theirs_back(cuda: PretendedCuda) -> None:
    old = open_card()
    for _ in range(40):  # more than PyTorch allows
        new = open_card()
        assert new._stream is not old._stream
        old.close()
        old = new
    assert len(cuda.streams) == 2
    old.close()
    old.close()  # repeating it is harmless
    assert open_card()._stream is not open_card()._stream


def test_a_failed_recording_is_tried_once(cuda: PretendedCuda, caplog: pytest.LogCaptureFixture) -> None:
    cuda.unrecordable = "operation not permitted when stream is capturing\nand a page"
    with caplog.at_level(logging.WARNING):
        runners = [open_runner(FAMILIES["anchored"](), open_card) for _ in range(3)]
    assert not any(runner.recorded for runner in runners)
    assert cuda.recordings == 1
    # The cause, not the error of ending the recording.
    assert caplog.text.count("operation not permitted") == 3
    assert "previous error" not in caplog.text
    failed = [stream for stream in cuda.streams if stream not in [runner.place._stream for runner in runners]]  # type: ignore[attr-defined]
    cuda.unrecordable = ""
    assert open_card()._stream not in failed[:1]


def test_numbers_that_come_while_it_records_are_refused(cuda: PretendedCuda) -> None:
    class Reads(torch.nn.Module):
        def forward(self, value: Tensor) -> Tensor:
            return value * float(value.sum())

    card = open_card()
    with torch.inference_mode(), pytest.raises(RuntimeError) as caught:
        StaticGraph(Graph(Reads(), ("value",), ("out",)), card, {"value": torch.ones(1, 3)}, {}, record=True)
    assert reason(caught.value) == "operation not permitted when stream is capturing"


def test_what_a_dead_card_would_have_to_free_is_kept(cuda: PretendedCuda) -> None:
    card = open_card()
    made = step(card)
    watched = [weakref.ref(thing) for thing in (*card._pinned, *card._graphs)]
    assert len(watched) == 3
    del made
    cuda.graphs.clear()
    cuda.broken = DEAD
    card.close()
    del card
    gc.collect()
    assert all(watch() is not None for watch in watched)
    cuda.broken = ""
    assert open_card()._stream is cuda.streams[1]  # that of the failed one is not used again


def test_a_sound_card_frees_all(cuda: PretendedCuda) -> None:
    card = open_card()
    made = step(card)
    with torch.inference_mode():
        assert made(np.ones(3, np.float32))[0].tolist() == [2, 2, 2]
    watched = [weakref.ref(thing) for thing in (*card._pinned, *card._graphs)]
    del made
    cuda.graphs.clear()
    card.close()
    gc.collect()
    assert [watch() for watch in watched] == [None] * 3
    assert cuda.emptied == 1


def test_a_card_that_dies_while_an_engine_opens_is_left_alone(
    cuda: PretendedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[CudaPlace] = []
    right = CudaPlace.close

    def watched(self: CudaPlace) -> None:
        closed.append(self)
        right(self)

    monkeypatch.setattr(CudaPlace, "close", watched)

    def die(self: CudaPlace, compute: object) -> None:
        cuda.broken = DEAD
        raise torch.AcceleratorError(DEAD)

    monkeypatch.setattr(CudaPlace, "record", die)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        open_runner(FAMILIES["anchored"](), open_card)
    assert len(set(closed)) == 2
    assert cuda.emptied == 0


def test_memory_is_emptied_after_everything_is_dropped(
    cuda: PretendedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = GraphRunner(FAMILIES["anchored"](), open_card(), record=True)
    watched = [weakref.ref(value) for value in runner._features.values()] + [
        weakref.ref(runner._render._graph.module)
    ]
    alive: list[int] = []
    monkeypatch.setattr(
        torch.cuda, "empty_cache", lambda: alive.append(sum(watch() is not None for watch in watched))
    )
    runner.close()
    assert alive == [0]


def test_memory_is_not_emptied_while_another_records(cuda: PretendedCuda) -> None:
    card = open_card()
    with CudaPlace._one_at_a_time:
        card.close()
    assert cuda.emptied == 0


def test_a_first_frame_overwrites_nothing_that_is_on_its_way(
    cuda: PretendedCuda, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that is not recorded waits for the work queued by its setup."""
    order: list[str] = []
    card = open_card()
    monkeypatch.setattr(card, "wait", lambda: order.append("wait"))
    fill = StaticGraph._fill

    def watched(self: StaticGraph, arrays: Any) -> Any:
        order.append("fill")
        return fill(self, arrays)

    monkeypatch.setattr(StaticGraph, "_fill", watched)
    with torch.inference_mode():
        made = StaticGraph(TWICE, card, {"value": torch.zeros(1, 3)}, {}, record=False)
        made(np.ones(3, np.float32))
    assert order == ["fill", "wait", "fill", "wait"]


def test_points_of_any_type_are_taken(graphs: MotionGraphs) -> None:
    runner = GraphRunner(graphs, Processor())
    image = trial_image(graphs.size, 1).numpy()[0]
    pose = runner.detect(image) if runner.detects else [trial_points(graphs.points, 1).numpy()[0]]
    wide = [np.asfortranarray(part.astype(np.float64)) for part in pose]
    assert np.array_equal(
        runner.render(runner.encode(image, *wide), *wide), runner.render(runner.encode(image, *pose), *pose)
    )
