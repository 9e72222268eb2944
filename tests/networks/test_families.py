"""Checkpoints of Monkey-Net and X2Face become bundles.

Checkpoints of unsupported models are named.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avatar_app.bundles.bundle import Bundle
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.errors import AvatarError, BundleError, ConfigError
from avatar_app.evaluation.parity import compare
from avatar_app.networks.families import open_original
from avatar_app.onnx_export import import_checkpoint as importing
from avatar_app.onnx_export.import_checkpoint import import_checkpoint
from tests.networks.baselines import build_monkeynet, build_x2face, smooth_picture
from tests.networks.tiny import SIDE
from tests.support.bundles import face_crop
from tests.support.originals import write_original, write_original_monkeynet, write_original_x2face


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(importing, "user_models", lambda: tmp_path / "own")
    return tmp_path / "own"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("family", ["monkeynet", "x2face"])
def test_a_checkpoint_becomes_a_bundle_that_animates(family: str, tmp_path: Path) -> None:
    imported = import_family(family, tmp_path)
    assert (imported.kind, imported.size) == (family, SIDE)
    engine = OnnxEngine(imported, threads=1)
    avatar, poses = engine.encode(face_crop(0)), [engine.detect(face_crop(seed)) for seed in (1, 2)]
    pictures = [engine.render(avatar, pose) for pose in poses]
    assert pictures[0].std() > 1
    assert not np.array_equal(pictures[0], pictures[1])


def import_family(family: str, folder: Path) -> Bundle:
    if family == "x2face":
        return import_checkpoint(write_original_x2face(folder), None, "mine")
    return import_checkpoint(*write_original_monkeynet(folder), "mine")


SIGNS: dict[str, Any] = {
    "MRAA": {"generator": {}, "bg_predictor": {}, "region_predictor": {}, "avd_network": {}},
    "TPSMM": {"kp_detector": {}, "dense_motion_network": {}, "inpainting_network": {}, "bg_predictor": {}},
    "face-vid2vid": {"generator": {}, "kp_detector": {}, "he_estimator": {}, "discriminator": {}},
    "LivePortrait": {
        "detector.downsample_layers.0.0.weight": torch.zeros(1),
        "detector.fc_kp.weight": torch.zeros(1),
    },
}


@pytest.mark.parametrize("name", SIGNS)
def test_models_that_this_app_does_not_run_are_named(name: str, tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save(SIGNS[name], path)
    with pytest.raises(BundleError, match=f"checkpoint of {name}.*does not run it yet"):
        open_original(path, None)


def test_a_configuration_of_the_other_family_is_told(tmp_path: Path) -> None:
    monkey, monkey_yaml = write_original_monkeynet(tmp_path)
    fomm, fomm_yaml = write_original(tmp_path)
    with pytest.raises(ConfigError, match=r"describes a First Order Motion Model, but .* Monkey-Net"):
        open_original(monkey, fomm_yaml)
    with pytest.raises(ConfigError, match=r"describes a Monkey-Net, but .* First Order Motion Model"):
        open_original(fomm, monkey_yaml)
    with pytest.raises(ConfigError, match="needs its configuration"):
        open_original(monkey, None)
    with pytest.raises(ConfigError, match="pixel centres alone"):
        open_original(monkey, monkey_yaml, align_corners=False)


@pytest.mark.parametrize("change", ["gone", "shape", "more", "sparse"])
@pytest.mark.parametrize("family", ["monkeynet", "x2face"])
def test_weights_that_do_not_fit_are_told(family: str, change: str, tmp_path: Path) -> None:
    checkpoint, configuration = (
        (write_original_x2face(tmp_path), None) if family == "x2face" else write_original_monkeynet(tmp_path)
    )
    content = torch.load(checkpoint, weights_only=True)
    weights = content["state_dict" if family == "x2face" else "generator"]
    name = next(key for key, value in weights.items() if value.ndim >= 4)
    if change == "gone":
        del weights[name]
    elif change == "more":
        weights[f"{name}.more"] = torch.zeros(1)
    else:
        weights[name] = torch.zeros(2) if change == "shape" else weights[name].to_sparse()
    torch.save(content, checkpoint)
    with pytest.raises(AvatarError) as caught:
        open_original(checkpoint, configuration)
    assert str(caught.value).count("\n") == 0


@torch.inference_mode()
def test_parity_of_both_families(tmp_path: Path) -> None:
    """Arrays recorded from the networks match them, and a changed array does not."""
    monkey, x2face = build_monkeynet(), build_x2face()
    pictures = {name: smooth_picture(name, SIDE) for name in ("source", "source2", "initial", "driving")}
    points = {name: monkey.kp_detector(pictures[name]) for name in ("source", "initial", "driving")}
    arrays = {name: picture[0].numpy() for name, picture in pictures.items()}
    for name, found in points.items():
        arrays |= {f"kp_{name}_mean": found.value[0].numpy(), f"kp_{name}_var": found.variance[0].numpy()}
    made = monkey.generator(pictures["source"], points["source"], points["driving"])
    arrays["absolute_prediction"] = made.prediction[0].numpy()
    arrays["result_one"] = x2face(pictures["source"], pictures["driving"])[0].numpy()
    np.savez(tmp_path / "arrays.npz", **arrays)  # type: ignore[arg-type]
    arrays["absolute_prediction"] = arrays["absolute_prediction"] + 2e-4
    arrays["result_one"] = arrays["result_one"] + 2e-4
    np.savez(tmp_path / "changed.npz", **arrays)  # type: ignore[arg-type]
    for checkpoint, configuration in (
        (write_original_x2face(tmp_path), None),
        write_original_monkeynet(tmp_path),
    ):
        assert compare(checkpoint, configuration, tmp_path / "arrays.npz", None).agrees
        assert not compare(checkpoint, configuration, tmp_path / "changed.npz", None).agrees
