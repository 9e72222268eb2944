"""Models with a matte, with detail and with both.

Both engines compose their pictures alike.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_app.bundles.bundle import open_bundle, write_bundle
from avatar_app.engines import Engine
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.engines.torch_engine import TorchEngine
from avatar_app.networks.graphs import anchored_graphs
from avatar_app.onnx_export.export import write_motion_files
from avatar_app.paths import PACKAGE
from avatar_app.types import Crop
from tests.engines.tiny_graphs import anchored_model
from tests.networks.tiny import SIDE
from tests.support.bundles import face_crop

CPU = torch.device("cpu")
SIZE = 2 * SIDE
"""Side of the pictures; the smallest that a matte can be exported for."""


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((one.astype(float) - other) ** 2), 1e-9)))


def enlarged(crop: Crop, size: int = SIZE) -> Crop:
    times = size // SIDE
    return Crop(crop.image.repeat(times, 0).repeat(times, 1), crop.landmarks)


@pytest.mark.parametrize(("matte", "detail"), [(False, 1), (True, 1), (False, 2), (True, 2)])
def test_engines_agree(tmp_path: Path, matte: bool, detail: int) -> None:
    model = anchored_model(matte, detail, SIZE // detail)
    graphs = anchored_graphs(model, SIZE)
    bundle = write_bundle(
        tmp_path / "tiny",
        kind="anchored",
        size=SIZE,
        config=asdict(model.config),
        licence="MIT",
        fill=lambda new: write_motion_files(graphs, new, False),
    )
    engines: list[Engine] = [
        OnnxEngine(bundle, threads=1),
        TorchEngine(bundle, CPU),
        TorchEngine(bundle, CPU, quick=True),
    ]
    avatars = [engine.encode(enlarged(face_crop(0))) for engine in engines]
    for seed in (1, 2):
        pose = engines[0].detect(enlarged(face_crop(seed)))
        onnx, plain, folded = (
            engine.render(avatar, pose) for engine, avatar in zip(engines, avatars, strict=True)
        )
        assert plain.shape == (SIZE, SIZE, 3)
        assert plain.std() > 1
        assert psnr(onnx, plain) > 38  # bytes at each step, of a photo that is all edges
        assert psnr(folded, plain) > 60


def test_the_model_that_comes_with_the_app() -> None:
    bundle = open_bundle(PACKAGE.parent / "models" / "lite")
    engines: list[Engine] = [OnnxEngine(bundle, threads=1), TorchEngine(bundle, CPU, quick=True)]
    crops = [enlarged(face_crop(seed), bundle.size) for seed in (0, 1)]
    pictures = [engine.render(engine.encode(crops[0]), engine.detect(crops[1])) for engine in engines]
    assert pictures[0].shape == (bundle.size, bundle.size, 3)
    assert psnr(*pictures) > 42
