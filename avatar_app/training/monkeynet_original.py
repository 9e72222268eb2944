"""Read a training configuration of Monkey-Net in its project's layout.

As in `originals`, an epoch has ``clips`` / batch steps (1000 clips without that key of ``dataset_params``). A
pair is two random frames of a clip, in order of time. Time flips, if enabled, swap half of the pairs; half of
the others are mirrored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.networks.monkeynet.config import MonkeyNetConfig
from avatar_app.text import Text
from avatar_app.training.config import DataConfig, RunConfig
from avatar_app.training.monkeynet import MonkeyNetLosses
from avatar_app.training.originals import (
    AugmentationParams,
    LossWeights,
    TrainParams,
    augmentation_of,
    side_of,
    stages_of,
)

SECTIONS = {
    *("model_params", "train_params", "dataset_params", "reconstruction_params"),
    *("transfer_params", "prediction_params", "visualizer_params"),
}
IGNORED = {"log_params"}


@dataclass(frozen=True, slots=True)
class MonkeyNetWeights:
    """``loss_weights``.

    Attributes:
        reconstruction: of the picture, then of each block of the discriminator.
    """

    reconstruction: tuple[float, ...]
    reconstruction_deformed: float = 0.0
    generator_gan: float = 1.0
    discriminator_gan: float = 1.0


@dataclass(frozen=True, slots=True)
class MonkeyNetTrain:
    """``train_params``."""

    num_epochs: int
    batch_size: int
    loss_weights: MonkeyNetWeights
    epoch_milestones: tuple[float, ...] = ()
    lr: float = 2e-4
    detach_kp_generator: bool = False
    detach_kp_discriminator: bool = True


@dataclass(frozen=True, slots=True)
class MonkeyNetData:
    """``dataset_params``.

    ``clips``, ``stride`` and ``id_sampling`` are not in the original.
    """

    image_shape: tuple[float, ...] = (64.0, 64.0, 3.0)
    augmentation_params: AugmentationParams = field(default_factory=AugmentationParams)
    clips: int = 1000
    stride: int = 1
    id_sampling: bool = False


def read_monkeynet(document: Mapping[str, Any], where: str) -> RunConfig:
    """Return the run of a parsed file; raise ConfigError, naming the key."""
    unknown = sorted(str(key) for key in set(document) - SECTIONS)
    if unknown:
        raise ConfigError(
            Text("Unknown key in {}: {}.", where, ", ".join(unknown)),
            Text("Known keys: {}.", ", ".join(sorted(SECTIONS))),
        )
    network = MonkeyNetConfig.from_original(document)
    train = build(MonkeyNetTrain, _without(document.get("train_params"), IGNORED), "train_params")
    data = build(
        MonkeyNetData, _without(document.get("dataset_params"), {"root_dir", "pairs_list"}), "dataset_params"
    )
    size = side_of(data.image_shape, "image_shape")
    blocks = network.discriminator_params.num_blocks
    if len(train.loss_weights.reconstruction) != blocks + 1:
        given = len(train.loss_weights.reconstruction)
        raise ConfigError(
            Text("loss_weights.reconstruction has {} values.", given),
            Text("Give {}: the picture's and each block's.", blocks + 1),
        )
    schedule = TrainParams(
        train.num_epochs, 1, train.batch_size, LossWeights(), train.epoch_milestones, train.lr
    )
    losses = MonkeyNetLosses(
        **asdict(train.loss_weights),
        detach_kp_generator=train.detach_kp_generator,
        detach_kp_discriminator=train.detach_kp_discriminator,
    )
    turned_round = data.augmentation_params.flip_param.time_flip
    return RunConfig(
        objective="monkeynet",
        stages=stages_of(schedule, size, data.clips),
        network=network.to_dict(),
        data=DataConfig(
            size=size,
            stride=data.stride,
            stills=False,
            by_identity=data.id_sampling,
            in_order=not turned_round,
            candidates=1,
        ),
        augment=augmentation_of(data.augmentation_params, 0.25 if turned_round else 0.5),
        losses=asdict(losses),
        warmup=0,
    )


def _without(values: Any, names: set[str]) -> Any:
    return (
        {key: value for key, value in values.items() if key not in names}
        if isinstance(values, Mapping)
        else values
    )
