"""Files as the original project writes them: a checkpoint and its YAML, of a tiny model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
import yaml

from avatar_app.networks.fomm.config import FommConfig
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
