"""Monkey-Net and X2Face from configuration to figures: trained, exported, animated, evaluated; all tiny."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from avatar_app.cli import main
from avatar_app.errors import ConfigError
from avatar_app.media.video import read_clip
from avatar_app.training import export
from avatar_app.training.config_files import read_config
from avatar_app.training.data import load_store
from avatar_app.training.train import Run, open_objective
from avatar_app.training.train import main as train
from tests.networks.baselines import TINY_MONKEYNET, TINY_X2FACE
from tests.support.media import make_clip
from tests.support.training import write_moving_discs

SIDE = 64
FAMILIES = ("monkeynet", "x2face")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of frames: a disc that moves, a colour for each clip."""
    return write_moving_discs(tmp_path_factory.mktemp("clips"), SIDE, frames=6, train=2, test=1)


def monkeynet_document() -> dict[str, Any]:
    values = json.loads(json.dumps(TINY_MONKEYNET.to_dict()))
    sections = {
        name: values[name] for name in ("kp_detector_params", "generator_params", "discriminator_params")
    }
    weights = {
        "reconstruction": [10, 10, 10, 1],
        "reconstruction_deformed": 10,
        "generator_gan": 1,
        "discriminator_gan": 1,
    }
    return {
        "dataset_params": {
            "image_shape": [SIDE, SIDE, 3],
            "clips": 2,
            "augmentation_params": {"flip_param": {"horizontal_flip": True, "time_flip": True}},
        },
        "model_params": {
            "common_params": {"num_kp": 4, "num_channels": 3, "kp_variance": "matrix"},
            **sections,
        },
        "train_params": {
            "num_epochs": 4,
            "batch_size": 2,
            "lr": 1e-3,
            "epoch_milestones": [2],
            "loss_weights": weights,
        },
    }


def x2face_document() -> dict[str, Any]:
    still = dict.fromkeys(("rotation", "scale", "aspect", "shift", "deform", "colour", "point_noise"), 0)
    return {
        "objective": "x2face",
        "network": TINY_X2FACE.to_dict(),
        "data": {"size": SIDE, "stride": 1, "stills": False, "candidates": 1},
        "augment": {**still, "flip": False},
        "stages": [{"size": SIDE, "batch": 2, "steps": 4, "learning_rate": 1e-3, "learning_rate_end": 1e-3}],
        "warmup": 0,
    }


def fomm_document() -> dict[str, Any]:
    """Without a perceptual loss, which would need a feature network."""
    part = {"block_expansion": 8, "max_features": 16}
    weights = {"feature_matching": [10, 10], "equivariance_value": 10, "equivariance_jacobian": 10}
    return {
        "dataset_params": {"frame_shape": [SIDE, SIDE, 3], "clips": 2},
        "model_params": {
            "common_params": {"num_kp": 3, "num_channels": 3, "estimate_jacobian": True},
            "kp_detector_params": {**part, "temperature": 0.1, "scale_factor": 0.5, "num_blocks": 2},
            "generator_params": {
                **part,
                "num_down_blocks": 2,
                "num_bottleneck_blocks": 1,
                "dense_motion_params": {**part, "num_blocks": 2, "scale_factor": 0.25},
            },
            "discriminator_params": {**part, "scales": [1], "num_blocks": 2},
        },
        "train_params": {"num_epochs": 2, "num_repeats": 2, "batch_size": 2, "loss_weights": weights},
    }


DOCUMENTS = {"monkeynet": monkeynet_document, "x2face": x2face_document, "fomm": fomm_document}


def write(folder: Path, document: dict[str, Any]) -> Path:
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


def open_run(path: Path, data: Path) -> Run:
    config = read_config(path)
    torch.manual_seed(0)
    store = load_store(data, "train", config.data.size, config.data.stride, None, config.data.stills)
    return Run(config, open_objective(config, None, torch.device("cpu")), store, torch.device("cpu"))


@pytest.mark.parametrize("family", DOCUMENTS)
def test_from_training_to_figures(family: str, data: Path, tmp_path: Path) -> None:
    run, bundle = tmp_path / "run", tmp_path / "models" / "mine"
    configuration = write(tmp_path, DOCUMENTS[family]())
    words = [
        str(configuration),
        "--data",
        str(data),
        "--output",
        str(run),
        "--device",
        "cpu",
        "--sample-steps",
        "2",
    ]
    assert train(words) == 0
    assert (run / "samples" / "0000002.png").is_file()
    words = [str(run / "checkpoint.pt"), "--config", str(run / "config.yaml"), "--output", str(bundle)]
    assert export.main(words) == 0

    photo, clip, video = tmp_path / "photo.png", make_clip(tmp_path / "clip.mp4", 3), tmp_path / "out.mp4"
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    words = ["animate", "--avatar", str(photo), "--driving", str(clip), "--output", str(video)]
    more = {"x2face": ["--more-photos", str(photo)], "monkeynet": ["--adapt-variance"]}.get(family, [])
    assert (
        main([*words, "--model", str(bundle), "--device", "cpu", "--threads", "1", "--crop", "none", *more])
        == 0
    )
    assert len(list(read_clip(video).frames())) == 3

    report = tmp_path / "report.json"
    words = ["evaluate", str(bundle), "--data", str(data), "--json", str(report), "--device", "torch"]
    assert main(words) == 0
    figures = json.loads(report.read_text())["mean"]
    assert 0 < figures["l1"]["model"] < 1


@pytest.mark.parametrize("family", FAMILIES)
def test_resuming_gives_the_numbers_of_not_stopping(family: str, data: Path, tmp_path: Path) -> None:
    path = write(tmp_path, DOCUMENTS[family]())
    whole = open_run(path, data)
    whole.advance()
    torch.save(whole.state(), tmp_path / "half.pt")
    expected = [whole.advance() for _ in range(2)]
    resumed = open_run(path, data)
    resumed.advance()  # any other state
    resumed.load_state(torch.load(tmp_path / "half.pt", weights_only=True))
    assert [resumed.advance() for _ in range(2)] == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_the_losses_fall(family: str, data: Path, tmp_path: Path) -> None:
    run = open_run(write(tmp_path, DOCUMENTS[family]()), data)
    pair = run.next_pair(SIDE, 4)
    history = []
    for _ in range(40):
        for optimiser in run.objective.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = 2e-3
        history.append({name: float(term) for name, term in run.objective.step(pair, run.scaler).items()})
        run.objective.apply(run.scaler)
    name = "l1" if family == "x2face" else "reconstruction"
    assert history[-1][name] < 0.7 * history[0][name]


def test_key_points_learn_from_the_generators_losses_alone(data: Path, tmp_path: Path) -> None:
    """The discriminator's own loss receives them detached."""
    document = monkeynet_document()
    document["train_params"]["loss_weights"] |= {"generator_gan": 0, "discriminator_gan": 1e6}
    found = []
    for own in (1.0, 1e6):
        document["train_params"]["loss_weights"]["discriminator_gan"] = own
        run = open_run(write(tmp_path, document), data)
        run.objective.step(run.next_pair(SIDE, 2), run.scaler)
        gradients = [
            value.grad
            for value in run.objective.networks["kp_detector"].parameters()
            if value.grad is not None
        ]
        found.append(torch.cat([gradient.flatten() for gradient in gradients]))
    assert torch.equal(*found)
    assert found[0].abs().max() > 0


@pytest.mark.parametrize(
    ("family", "section", "change", "says"),
    [
        ("monkeynet", "train_params", {"lrr": 1}, "lrr"),
        ("monkeynet", "train_params", {"batch_size": 0}, "batch_size"),
        ("monkeynet", "dataset_params", {"image_shape": [64, 32, 3]}, "image_shape"),
        ("x2face", "stages", [{"size": SIDE, "batch": 1, "steps": 4, "learning_rate": 1e-3}], "batch of 1"),
        ("x2face", "stages", [{"size": 128, "batch": 2, "steps": 4, "learning_rate": 1e-3}], "128 pixels"),
        ("x2face", "losses", {"optimiser": "other"}, "other"),
    ],
)
def test_wrong_values_are_named(
    family: str, section: str, change: Any, says: str, data: Path, tmp_path: Path
) -> None:
    document = DOCUMENTS[family]()
    document[section] = {**document.get(section, {}), **change} if isinstance(change, dict) else change
    with pytest.raises(ConfigError, match=says):
        open_run(write(tmp_path, document), data)
