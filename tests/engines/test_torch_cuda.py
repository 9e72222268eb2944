"""On a graphics card: recordings play what the networks do, for every photo and from every thread. Skipped without one."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_app.bundle import Bundle
from avatar_app.engines.torch_engine import TorchEngine, open_cpu, open_cuda
from avatar_app.engines.torch_place import Card
from avatar_app.engines.torch_player import Player, difference
from avatar_app.engines.torch_weights import load_graphs, quickest
from avatar_app.types import Image
from tests.bundles import KINDS, face_crop, write_fomm, write_kind

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
CARD = torch.device("cuda", 0)


@pytest.fixture(scope="module", params=KINDS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_kind(request.param, tmp_path_factory.mktemp("models") / "tiny")


def pictures(engine: TorchEngine) -> list[Image]:
    """Two avatars in turn, in three poses."""
    avatars = [engine.encode(face_crop(seed)) for seed in (0, 1)]
    poses = [engine.detect(face_crop(seed)) for seed in (2, 3, 4)]
    return [engine.render(avatars[avatar], poses[pose]) for avatar, pose in ((0, 0), (1, 0), (1, 1), (0, 2), (0, 0))]


def test_each_bundle_is_recorded(bundle: Bundle) -> None:
    engine = open_cuda(bundle, 0)
    assert ", CUDA graph, " in engine.name
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
    plain, recorded = Player(graphs, Card(CARD)), Player(graphs, Card(CARD), record=True)
    assert recorded.recorded and not plain.recorded
    assert difference(recorded, plain) == ""
    plain.close()
    assert difference(recorded, recorded) == ""
    recorded.close()


def test_an_engine_opened_beside_one_that_renders(bundle: Bundle) -> None:
    """As when the model is changed during a call: the old one goes on while the new one is recorded."""
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
