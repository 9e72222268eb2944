"""Parity with arrays recorded from the original implementation, where they are available."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_app.evaluation.network_parity import MODES, network_differences
from avatar_app.evaluation.parity import poses_of_modes
from avatar_app.files import read_yaml
from avatar_app.networks.fomm.keypoints import KeyPointTensors
from avatar_app.networks.fomm.original import Original, build_fomm, original_of, read_weights
from avatar_app.types import KeyPoints

FOLDER = Path(__file__).parents[3] / "shared" / "parity"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded arrays are not here")


@pytest.fixture(scope="module")
def original() -> Original:
    checkpoint = FOLDER / "tiny-vox-adv.pth.tar"
    return original_of(read_weights(checkpoint), read_yaml(FOLDER / "tiny-vox-adv.yaml"), checkpoint)


def arrays(align_corners: bool) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"tiny-vox-adv_align_{str(align_corners).lower()}.npz") as stored:
        return dict(stored)


def differences_of(
    original: Original, recorded: dict[str, np.ndarray], align_corners: bool
) -> dict[str, float]:
    model = build_fomm(replace(original.config, align_corners=align_corners), original)
    return network_differences(model, recorded)[0]


@pytest.mark.parametrize("align_corners", [True, False])
def test_every_recorded_output_is_reproduced(original: Original, align_corners: bool) -> None:
    recorded = arrays(align_corners)
    differences = differences_of(original, recorded, align_corners)
    outputs = {name for name in recorded if not name.startswith(MODES) or "_kp_" not in name} - {
        "source",
        "initial",
        "driving",
    }
    assert differences.keys() == outputs
    assert max(differences.values()) < 1e-5


def test_the_other_convention_is_told_apart(original: Original) -> None:
    assert differences_of(original, arrays(True), align_corners=False)["relative_prediction"] > 1e-4


def test_the_whole_chain_from_pictures_alone(original: Original) -> None:
    """Only the three pictures are taken from the arrays.

    The split into encode and decode is that of the engines.
    """
    recorded = arrays(True)
    model = build_fomm(original.config, original)
    with torch.inference_mode():
        points = {
            name: model.kp_detector(torch.from_numpy(recorded[name]))
            for name in ("source", "initial", "driving")
        }
        portrait, neutral, driving = (
            KeyPoints(p.value[0].numpy(), p.jacobian[0].numpy()) for p in points.values()
        )
        features = model.generator.encode(torch.from_numpy(recorded["source"]))
        for mode, pose in poses_of_modes(portrait, neutral, driving).items():
            assert pose.jacobian is not None
            tensors = KeyPointTensors(
                torch.from_numpy(pose.value)[None], torch.from_numpy(pose.jacobian)[None]
            )
            picture = model.generator.decode(features, points["source"], tensors).numpy()
            assert np.abs(pose.value - recorded[f"{mode}_kp_value"]).max() < 1e-5
            assert np.abs(pose.jacobian - recorded[f"{mode}_kp_jacobian"]).max() < 1e-5
            assert np.abs(picture - recorded[f"{mode}_prediction"]).max() < 1e-5
