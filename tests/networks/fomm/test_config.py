"""Configurations of the original family: what is accepted, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import avatar_app
from avatar_app.errors import ConfigError
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.networks.fomm.model import Fomm

CONFIGS = Path(avatar_app.__file__).parent / "training" / "configs"
ORIGINALS = ("vox", "vox-adv", "taichi", "taichi-adv", "nemo", "bair", "fashion", "mgif")


def document(name: str) -> Any:
    return yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())


@pytest.mark.parametrize("name", ORIGINALS)
def test_every_original_configuration_is_read_and_survives_json(name: str) -> None:
    config = FommConfig.from_original(document(name))
    assert config.align_corners
    assert FommConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_options_differ_where_the_originals_do() -> None:
    read = {name: FommConfig.from_original(document(name)) for name in ORIGINALS}
    assert {name for name in ORIGINALS if read[name].kp_detector_params.single_jacobian_map} == {"mgif"}
    assert {name for name in ORIGINALS if read[name].discriminator_params.use_kp} == {"vox-adv", "taichi-adv"}
    assert {name for name in ORIGINALS if read[name].discriminator_params.sn} == {
        "vox",
        "nemo",
        "bair",
        "mgif",
    }


def test_the_full_size_has_as_many_weights_as_the_published_checkpoint() -> None:
    with torch.device("meta"):
        model = Fomm(FommConfig.from_original(document("vox-adv")))
    millions = {
        name: sum(p.numel() for p in part.parameters()) / 1e6 for name, part in model.named_children()
    }
    assert millions == {
        "generator": pytest.approx(45.6, abs=0.05),
        "kp_detector": pytest.approx(14.2, abs=0.05),
    }


def test_a_wrong_key_is_named() -> None:
    wrong = document("vox")
    wrong["model_params"]["generator_params"]["dense_motion_params"]["scale_facto"] = 0.5
    with pytest.raises(ConfigError, match=r"generator_params\.dense_motion_params\.scale_facto"):
        FommConfig.from_original(wrong)


def test_a_missing_key_and_a_wrong_type_are_named() -> None:
    lacking, mistyped = document("vox"), document("vox")
    del lacking["model_params"]["kp_detector_params"]["temperature"]
    mistyped["model_params"]["common_params"]["num_kp"] = "ten"
    with pytest.raises(ConfigError, match=r"kp_detector_params\.temperature"):
        FommConfig.from_original(lacking)
    with pytest.raises(ConfigError, match=r"num_kp is 'ten', but it must be a whole number"):
        FommConfig.from_original(mistyped)


@pytest.mark.parametrize("nothing", [None, [], {}, {"model_params": 3}])
def test_something_else_is_refused(nothing: Any) -> None:
    with pytest.raises(ConfigError):
        FommConfig.from_original(nothing)
    with pytest.raises(ConfigError):
        FommConfig.from_dict(nothing)


def test_the_convention_of_warps_can_be_stated() -> None:
    stated = document("vox")
    stated["model_params"]["common_params"]["align_corners"] = False
    config = FommConfig.from_original(stated)
    assert not config.align_corners
    assert replace(config, align_corners=True) == FommConfig.from_original(document("vox"))
