"""Tests on a graphics card.

Recordings replay the networks for every photo and from every thread. Skipped without a card.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines.torch_engine import TorchEngine, open_cpu, open_cuda
from avatar_app.engines.torch_place import CudaPlace, Processor
from avatar_app.engines.torch_runner import GraphRunner, difference, open_runner
from avatar_app.engines.torch_weights import (
    all_have_tensor_cores,
    load_graphs,
    quickened,
    quickest,
    trial_image,
    trial_points,
)
from avatar_app.types import Image
from tests.engines.tiny_graphs import FAMILIES
from tests.support.bundles import KINDS, face_crop, write_fomm, write_kind

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
CARD = torch.device("cuda", 0)


@pytest.fixture(scope="module", params=KINDS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_kind(request.param, tmp_path_factory.mktemp("models") / "tiny")


def pictures(engine: TorchEngine) -> list[Image]:
    """Two avatars alternating, in three poses."""
    avatars = [engine.encode(face_crop(seed)) for seed in (0, 1)]
    poses = [engine.detect(face_crop(seed)) for seed in (2, 3, 4)]
    return [
        engine.render(avatars[avatar], poses[pose])
        for avatar, pose in ((0, 0), (1, 0), (1, 1), (0, 2), (0, 0))
    ]


def test_each_bundle_is_recorded(bundle: Bundle) -> None:
    engine = open_cuda(bundle, 0)
    assert ", CUDA graph, " in engine.name
    if all_have_tensor_cores(torch.cuda.get_device_capability(CARD)):
        assert ("float32" in engine.name) == (bundle.kind == "anchored")
    engine.close()


def test_pictures_are_those_of_the_processor(bundle: Bundle) -> None:
    card, processor = open_cuda(bundle, 0), open_cpu(bundle, None)
    for found, expected in zip(pictures(card), pictures(processor), strict=True):
        assert np.abs(found.astype(int) - expected).mean() < 2
    card.close()


def test_recorded_and_plain_agree(bundle: Bundle) -> None:
    with torch.inference_mode():
        graphs = quickest(load_graphs(bundle, CARD))
    plain, recorded = GraphRunner(graphs, CudaPlace(CARD)), GraphRunner(graphs, CudaPlace(CARD), record=True)
    assert recorded.recorded and not plain.recorded
    assert difference(recorded, plain) == ""
    plain.close()
    assert difference(recorded, recorded) == ""
    recorded.close()


def test_an_engine_opened_beside_one_that_renders(bundle: Bundle) -> None:
    """As when the model is changed during a call.

    The old one continues while the new one is recorded.
    """
    old = open_cuda(bundle, 0)
    expected = pictures(old)
    opened: list[TorchEngine] = []
    loader = threading.Thread(target=lambda: opened.append(open_cuda(bundle, 0)))
    loader.start()
    while loader.is_alive():
        for found, picture in zip(pictures(old), expected, strict=True):
            assert np.abs(found.astype(int) - picture).max() <= 1
    loader.join()
    old.close()
    (new,) = opened
    assert ", CUDA graph, " in new.name
    for found, picture in zip(pictures(new), expected, strict=True):
        assert np.abs(found.astype(int) - picture).mean() < 1
    new.close()


def test_memory_is_given_back(tmp_path: Path) -> None:
    bundle = write_fomm(tmp_path / "tiny")
    used = []
    for _ in range(4):
        engine = open_cuda(bundle, 0)
        pictures(engine)
        engine.close()
        del engine
        used.append(torch.cuda.memory_allocated(CARD))
    assert used[-1] <= used[1]


def graph_pictures(runner: GraphRunner) -> list[Image]:
    images = [trial_image(runner.size, seed).numpy()[0] for seed in (1, 2)]
    poses = [[trial_points(runner.points, seed).numpy()[0]] for seed in (1, 2)]
    if runner.detects:
        poses = [runner.detect(image) for image in images]
    photos = [runner.encode(image, *pose) for image, pose in zip(images, poses, strict=True)]
    return [runner.render(photos[photo], *poses[pose]) for photo, pose in ((0, 1), (1, 1), (1, 0), (0, 0))]


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("family", FAMILIES)
def test_every_form_is_recorded(family: str, layout: torch.memory_format) -> None:
    graphs, plain = FAMILIES[family](), GraphRunner(FAMILIES[family](), Processor())
    graphs.model.to(CARD)
    for kind in (torch.float32, torch.float16) if graphs.can_halve else (torch.float32,):
        runner = open_runner(quickened(graphs, kind, layout), lambda: CudaPlace(CARD))
        assert runner.recorded, f"{family} {kind}"
        for found, expected in zip(graph_pictures(runner), graph_pictures(plain), strict=True):
            assert np.abs(found.astype(int) - expected).mean() < 2
        runner.close()


def test_an_engine_outlives_the_thread_that_made_it(bundle: Bundle) -> None:
    """A recording holds memory of libraries that belonged to that thread."""
    opened: list[TorchEngine] = []
    for _ in range(3):
        loader = threading.Thread(target=lambda: opened.append(open_cuda(bundle, 0)))
        loader.start()
        loader.join()
    expected = [pictures(engine) for engine in opened]
    opened.pop(1).close()
    filler = [torch.full((1 << 22,), float("nan"), device=CARD) for _ in range(16)]
    for engine, own in zip(opened, (expected[0], expected[2]), strict=True):
        for found, picture in zip(pictures(engine), own, strict=True):
            assert np.abs(found.astype(int) - picture).max() <= 1
        engine.close()
    del filler


def test_changing_avatars_a_hundred_times_takes_no_memory(bundle: Bundle) -> None:
    engine = open_cuda(bundle, 0)
    pose = engine.detect(face_crop(2))
    used, avatar = [], None
    for seed in range(100):
        avatar = engine.encode(face_crop(seed % 5))
        engine.render(avatar, pose)
        used.append(torch.cuda.memory_reserved(CARD))
    del avatar
    assert used[-1] == used[10]
    engine.close()


def test_opening_many_times_takes_no_more_memory_and_no_more_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CudaPlace, "_idle", {})
    bundle = write_kind("anchored", tmp_path / "tiny")
    reserved = []
    for _ in range(20):
        engine = open_cuda(bundle, 0)
        pictures(engine)
        engine.close()
        del engine
        reserved.append(torch.cuda.memory_reserved(CARD))
    assert reserved[-1] <= reserved[2]
    assert len(CudaPlace._idle[CARD]) == 2


def test_a_recording_that_fails_leaves_the_card_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CudaPlace, "_refused", {})
    graphs = FAMILIES["anchored"]()
    graphs.model.to(CARD)
    waits: Any = graphs.render.module
    forward = waits.forward
    monkeypatch.setattr(
        waits, "forward", lambda *tensors: forward(*tensors) * int(tensors[-1].isfinite().all().item())
    )
    runner = open_runner(graphs, lambda: CudaPlace(CARD))
    assert not runner.recorded
    assert CARD in CudaPlace._refused
    assert graph_pictures(runner)[0].std() > 0
    runner.close()
