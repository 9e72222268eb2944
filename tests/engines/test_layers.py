"""Both engines give the same warped person, in the square and around it."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines import render_layer
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.engines.torch_engine import TorchEngine
from avatar_app.faces.detector import FaceDetector
from avatar_app.faces.portrait import find_portrait
from avatar_app.media.photo import read_portrait
from avatar_app.outputs.placement import moving_area
from avatar_app.paths import PACKAGE, shipped_avatars
from avatar_app.types import KeyPoints, Scene
from tests.support.bundles import face_crop, write_anchored


@pytest.fixture(scope="module")
def crop_and_engines():  # type: ignore[no-untyped-def]
    bundle = open_bundle(PACKAGE.parent / "models" / "lite")
    photo = read_portrait(shipped_avatars() / "jonas.jpg")
    engines = [OnnxEngine(bundle, 1), TorchEngine(bundle, torch.device("cpu"))]
    return find_portrait(photo, FaceDetector.open()).crop(bundle.size), engines


def test_layers_agree(crop_and_engines) -> None:  # type: ignore[no-untyped-def]
    crop, engines = crop_and_engines
    avatars = [engine.encode(crop) for engine in engines]
    scenes: list[Scene] = [avatar.scene for avatar in avatars]
    assert np.abs(scenes[0].person.astype(int) - scenes[1].person).mean() < 2
    assert np.abs(scenes[0].background.astype(int) - scenes[1].background).mean() < 2
    assert np.allclose(scenes[0].head, scenes[1].head, atol=2)
    still = avatars[0].key_points
    moved = still.value + np.array([0.06, -0.05], np.float32)
    for size in ((1280, 720), (720, 1280)):
        for value in (still.value, moved):
            pose = KeyPoints(value, depth=still.depth)
            first, second = (
                render_layer(engine, avatar, pose, partial(moving_area, size=size))
                for engine, avatar in zip(engines, avatars, strict=True)
            )
            assert first.corner == second.corner
            assert first.alpha is not None
            assert second.alpha is not None
            assert np.abs(first.alpha.astype(int) - second.alpha).mean() < 3
            sure = (first.alpha > 250) & (second.alpha > 250)
            assert np.abs(first.image[sure].astype(int) - second.image[sure]).mean() < 4


def test_model_without_a_matte_gives_a_square(tmp_path) -> None:  # type: ignore[no-untyped-def]
    engine = OnnxEngine(write_anchored(tmp_path / "tiny"), 1)
    avatar = engine.encode(face_crop())
    assert avatar.scene is None
    layer = render_layer(engine, avatar, avatar.key_points, partial(moving_area, size=(640, 480)))
    assert layer.alpha is None
    assert layer.image.shape == (engine.size, engine.size, 3)
    engine.close()
