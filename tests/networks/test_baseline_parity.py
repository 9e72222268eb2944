"""Monkey-Net and X2Face compute what the original implementations computed.

Compared at every n-th pixel, with the same weights.

Each stage receives the recorded output of the previous stage: otherwise a last-bit difference of the flow
would be multiplied by the contrast of the picture, most of all where the flow crosses the picture's edge.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from avatar_app.networks.monkeynet.config import MonkeyNetConfig
from avatar_app.networks.monkeynet.keypoints import PointTensors
from avatar_app.networks.monkeynet.model import Discriminator, MonkeyNet
from avatar_app.networks.x2face.model import ORIGINAL, Embedded, X2Face, X2FaceConfig
from avatar_app.training import config as training
from tests.networks.baselines import filled, smooth_picture, value_of

RECORDED = Path(__file__).parent / "recorded"
CONFIGURATIONS = Path(training.__file__).parent / "configs"
SIDES = {"vox": 256, "mgif": 128, "bair": 64}
EXACT, WHOLE, X2FACE = 1e-5, 1e-4, 1e-4
"""Tolerances of one stage; of a picture through all stages; of X2Face, whose exponentials and single pixel
amplify rounding errors."""


def narrow(values: Any) -> Any:
    """A configuration of the original with 8 to 64 channels everywhere, as recorded."""
    if not isinstance(values, dict):
        return values
    sizes = {"block_expansion": 8, "max_features": 64}
    return {name: sizes.get(name, narrow(value)) for name, value in values.items()}


class Recorded:
    """One configuration: our networks, the pictures, and the original's outputs."""

    def __init__(self, name: str) -> None:
        self.config = MonkeyNetConfig.from_original(
            narrow(yaml.safe_load((CONFIGURATIONS / f"monkeynet-{name}.yaml").read_text()))
        )
        model = MonkeyNet(self.config)
        self.generator, self.detector = filled(model.generator), filled(model.kp_detector)
        self.pictures = {who: smooth_picture(who, SIDES[name]) for who in ("source", "initial", "driving")}
        with np.load(RECORDED / f"monkeynet-{name}.npz") as stored:
            self.arrays = {key: torch.from_numpy(stored[key]) for key in stored.files}

    def points(self, who: str) -> PointTensors:
        return PointTensors(self.arrays[f"kp_{who}_value"], self.arrays[f"kp_{who}_variance"])

    @property
    def relative(self) -> PointTensors:
        source, initial, driving = (self.points(who) for who in ("source", "initial", "driving"))
        return PointTensors(driving.value - initial.value + source.value, driving.variance)


@pytest.fixture(scope="module", params=list(SIDES))
def recorded(request: pytest.FixtureRequest) -> Recorded:
    return Recorded(request.param)


def apart(ours: Tensor, theirs: Tensor) -> float:
    """Largest difference at the recorded pixels."""
    step = ours.shape[-1] // theirs.shape[-1]
    return float((ours[..., ::step, ::step] - theirs).abs().max())


@torch.inference_mode()
def test_key_points(recorded: Recorded) -> None:
    for who, picture in recorded.pictures.items():
        found, wanted = recorded.detector(picture), recorded.points(who)
        assert (found.value - wanted.value).abs().max() < EXACT
        assert (found.variance - wanted.variance).abs().max() < EXACT


@torch.inference_mode()
def test_pictures_stage_by_stage(recorded: Recorded) -> None:
    generator, photo = recorded.generator, recorded.pictures["source"]
    source, pose, arrays = recorded.points("source"), recorded.relative, recorded.arrays
    flow = arrays["relative_flow"]
    made = generator(photo, source, pose)
    assert (made.flow - flow).abs().max() < EXACT
    assert apart(generator.warped(photo, flow), arrays["relative_deformed"]) < EXACT
    assert (
        apart(generator.paint(generator.encode(photo), flow, source, pose), arrays["relative_prediction"])
        < EXACT
    )
    assert apart(made.prediction, arrays["relative_prediction"]) < WHOLE
    assert (
        apart(generator(photo, source, recorded.points("driving")).prediction, arrays["absolute_prediction"])
        < WHOLE
    )


@torch.inference_mode()
def test_discriminator(recorded: Recorded) -> None:
    network = filled(Discriminator(recorded.config))
    score = network(recorded.pictures["driving"], recorded.points("driving"), recorded.points("source"))[-1]
    assert apart(score, recorded.arrays["discriminator_score"]) < EXACT


@torch.inference_mode()
def test_x2face() -> None:
    model = X2Face(X2FaceConfig())
    prefixes = {ours: original for original, ours in ORIGINAL.items()}
    for part in ("embedding", "driving"):
        filled(model.get_submodule(part), prefixes[f"{part}."])
    with np.load(RECORDED / "x2face.npz") as stored:
        arrays = {name: torch.from_numpy(stored[name]) for name in stored.files}
    model = model.eval().double()  # in float32, processors without AVX-512 differ by up to 1.3e-4
    one, two = (model.embed(smooth_picture(name).double()) for name in ("source", "source2"))
    code = model.read(smooth_picture("driving").double())
    both = Embedded(one.weighted + two.weighted, one.confidence + two.confidence)
    assert apart(one.face, arrays["embedded_one"]) < X2FACE
    assert apart(model.show(one, code), arrays["result_one"]) < X2FACE
    assert apart(model.show(both, code), arrays["result_two"]) < X2FACE
    assert (
        apart(
            torch.tanh(model.driving.climb(code[..., None, None])), arrays["driving_flow_before_second_tanh"]
        )
        < X2FACE
    )


def test_published_sizes() -> None:
    """Number of parameters, as specified."""
    with torch.device("meta"):
        x2face = X2Face(X2FaceConfig())
        documents = {
            name: yaml.safe_load((CONFIGURATIONS / f"monkeynet-{name}.yaml").read_text())
            for name in (*SIDES, "taichi", "nemo")
        }
        models = {
            name: MonkeyNet(MonkeyNetConfig.from_original(document)) for name, document in documents.items()
        }
        judge = Discriminator(MonkeyNetConfig.from_original(documents["vox"]))
    assert [count(x2face.embedding), count(x2face.driving)] == [39_157_760, 25_614_080]
    assert {name: count(model.generator) for name, model in models.items()} == {
        **{"vox": 80_629_691, "mgif": 52_235_653, "taichi": 28_528_571},
        **{"nemo": 19_088_315, "bair": 19_088_315},
    }
    assert count(models["vox"].kp_detector) == 14_132_728
    assert count(judge) == 1_719_489


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@torch.inference_mode()
def test_the_covariance_counts(recorded: Recorded) -> None:
    """The pose's covariance affects the picture."""
    generator, photo, source, pose = (
        recorded.generator,
        recorded.pictures["source"],
        recorded.points("source"),
        recorded.relative,
    )
    wide = pose._replace(variance=pose.variance * 4)
    assert (
        generator(photo, source, wide).prediction - generator(photo, source, pose).prediction
    ).abs().max() > 10 * WHOLE


@pytest.mark.parametrize(
    ("name", "shape"), [("a.weight", (4, 3, 3, 3)), ("b.running_var", (5,)), ("c.bias", (2,))]
)
def test_the_rule_of_the_weights(name: str, shape: tuple[int, ...]) -> None:
    assert value_of(name, shape).shape == shape
    assert np.array_equal(value_of(name, shape), value_of(name, shape))
    assert not np.array_equal(value_of(name, shape), value_of(f"other.{name}", shape))


def test_options_that_this_app_does_not_run_are_refused() -> None:
    from avatar_app.errors import ConfigError

    config = Recorded("bair").config.to_dict()
    for change, says in (
        ({"kp_variance": "single"}, "kp_variance"),
        ({"num_kp": 10**6}, "num_kp"),
        ({"other": 1}, "other"),
    ):
        with pytest.raises(ConfigError, match=says):
            MonkeyNetConfig.from_dict({**config, **change})
    with pytest.raises(ConfigError, match="size"):
        X2FaceConfig.from_dict(replace(X2FaceConfig(), size=100).to_dict())
