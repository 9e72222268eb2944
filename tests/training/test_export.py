"""From checkpoints to a bundle that an engine opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from avatar_app.bundles.bundle import open_bundle
from avatar_app.engines.onnx_engine import OnnxEngine
from avatar_app.networks.anchored.config import AnchoredConfig
from avatar_app.networks.anchored.generator import AnchoredGenerator
from avatar_app.networks.anchored.matte import PersonMatte
from avatar_app.training.checkpoint import save_checkpoint
from avatar_app.training.export import main
from avatar_app.types import Crop
from tests.networks.tiny import SIDE
from tests.support.bundles import face_crop

NETWORK = {
    "size": SIDE,
    "channels": [4, 8, 8],
    "blocks": 1,
    "motion_channels": [4, 8, 8],
    "photo_channels": 4,
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with a checkpoint, its configuration, and a matte."""
    torch.manual_seed(0)
    generator, matte = AnchoredGenerator(AnchoredConfig.from_dict(NETWORK)), PersonMatte()
    save_checkpoint(
        tmp_path / "checkpoint.pt", {"networks": {}, "averaged": {"generator": generator.state_dict()}}
    )
    save_checkpoint(tmp_path / "matte.pt", {"networks": {"matte": matte.state_dict()}})
    stages = [{"size": SIDE, "batch": 1, "steps": 1, "learning_rate": 1e-3}]
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"objective": "anchored", "network": NETWORK, "stages": stages})
    )
    return tmp_path


def export(run: Path, *more: str) -> int:
    return main(
        [
            str(run / "checkpoint.pt"),
            "--config",
            str(run / "config.yaml"),
            "--output",
            str(run / "model"),
            *more,
        ]
    )


def test_bundle_with_a_matte_makes_pictures_of_twice_the_side(run: Path) -> None:
    assert export(run, "--matte", str(run / "matte.pt"), "--detail", "2") == 0
    bundle = open_bundle(str(run / "model"))
    engine = OnnxEngine(bundle, threads=1)
    assert engine.size == 2 * SIDE
    crop = face_crop(0)
    photo = crop.image.repeat(2, 0).repeat(2, 1)
    avatar = engine.encode(Crop(photo, crop.landmarks))
    assert engine.render(avatar, engine.detect(face_crop(1))).shape == (2 * SIDE, 2 * SIDE, 3)


def test_model_without_a_matte_has_a_person_all_over_the_photo(run: Path) -> None:
    assert export(run) == 0
    engine = OnnxEngine(open_bundle(str(run / "model")), threads=1)
    avatar = engine.encode(face_crop(0))
    assert (avatar.features["layers"].cut_out[..., 3] == 255).all()
    assert np.array_equal(avatar.features["layers"].background, face_crop(0).image)


def test_a_bundle_is_made_anew_with_its_own_weights(run: Path) -> None:
    assert export(run, "--matte", str(run / "matte.pt"), "--detail", "2") == 0
    again = [str(run / "model"), "--config", str(run / "config.yaml")]
    assert main([*again, "--output", str(run / "other")]) == 0
    old, new = (open_bundle(str(run / name)) for name in ("model", "other"))
    assert (new.size, new.config) == (old.size, old.config)
    assert main([*again, "--output", str(run / "model"), "--overwrite"]) == 0
    assert open_bundle(str(run / "model")).hashes["weights.safetensors"] == new.hashes["weights.safetensors"]


def test_a_bundle_of_another_kind_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models/faces", "--config", str(run / "config.yaml"), "--output", str(run / "model")]) == 2
    assert "no bundle that moves landmarks" in capsys.readouterr().err
    vox = Path("avatar_app/training/configs/vox.yaml").resolve()
    assert export(run) == 0
    assert main([str(run / "model"), "--config", str(vox), "--output", str(run / "other")]) == 2
    assert "the configuration is for fomm" in capsys.readouterr().err
    assert not (run / "other").exists()


def test_checkpoint_of_something_else_is_refused(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(run, "--matte", str(run / "checkpoint.pt")) == 2
    assert "does not fit" in capsys.readouterr().err
    assert not (run / "model").exists()
