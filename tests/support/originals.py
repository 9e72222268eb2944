"""Write files as the original projects do: a checkpoint and its YAML, of a tiny model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.x2face.model import ORIGINAL
from tests.networks.baselines import TINY_MONKEYNET, build_monkeynet, build_x2face
from tests.networks.tiny import SIDE, TINY, build


def write_original(folder: Path, config: FommConfig = TINY) -> tuple[Path, Path]:
    """Returns the checkpoint and the configuration."""
    model = build(config)
    checkpoint, configuration = folder / "tiny.pth.tar", folder / "tiny.yaml"
    parts = {name: part.state_dict() for name, part in model.named_children()}
    torch.save(
        {**parts, "discriminator": {}, "optimizer_generator": {"state": {}, "param_groups": []}, "epoch": 3},
        checkpoint,
    )
    values = asdict(config)
    sections = {
        name: values[name] for name in ("kp_detector_params", "generator_params", "discriminator_params")
    }
    sections["discriminator_params"]["scales"] = [1]
    common = {name: values[name] for name in ("num_kp", "num_channels", "estimate_jacobian")}
    document = {
        "dataset_params": {"frame_shape": [SIDE, SIDE, 3]},
        "model_params": {"common_params": common, **sections},
    }
    configuration.write_text(yaml.safe_dump(document))
    return checkpoint, configuration


def write_original_monkeynet(folder: Path) -> tuple[Path, Path]:
    """Returns the checkpoint, whose convolutions have a time axis of one, and the configuration."""
    model = build_monkeynet()
    checkpoint, configuration = folder / "monkey.pth.tar", folder / "monkey.yaml"
    parts: dict[str, Any] = {}
    for name, part in model.named_children():
        state = {
            key: value[:, :, None] if value.ndim == 4 else value for key, value in part.state_dict().items()
        }
        parts[name] = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(
        {**parts, "discriminator": {}, "optimizer_generator": {"state": {}}, "epoch": 3, "it": 9}, checkpoint
    )
    values = TINY_MONKEYNET.to_dict()
    values["generator_params"]["kp_embedding_params"]["norm_const"] = 100
    sections = {
        name: values[name] for name in ("kp_detector_params", "generator_params", "discriminator_params")
    }
    common = {name: values[name] for name in ("num_kp", "num_channels", "kp_variance")}
    document = {
        "dataset_params": {"image_shape": [SIDE, SIDE, 3]},
        "model_params": {"common_params": common, **sections},
    }
    configuration.write_text(yaml.safe_dump(document))
    return checkpoint, configuration


def write_original_x2face(folder: Path) -> Path:
    """Returns the checkpoint; it has no configuration."""
    prefixes = {ours: original for original, ours in ORIGINAL.items()}
    state = {}
    for name, value in build_x2face().state_dict().items():
        prefix = next(prefix for prefix in prefixes if name.startswith(prefix))
        state[prefixes[prefix] + name.removeprefix(prefix)] = value
    checkpoint = folder / "x2face_model.pth"
    torch.save({"epoch": 1, "state_dict": state, "optimizer": {"state": {}, "param_groups": []}}, checkpoint)
    return checkpoint
