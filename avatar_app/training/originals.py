"""Read a training configuration in the original project's layout.

It has ``model_params``, ``train_params`` and ``dataset_params``. The number of steps in an epoch depends on
the data, which is not read here: it is num_repeats * clips / batch_size, where ``clips`` is an optional key
of ``dataset_params`` (people, not clips, if sampling is by identity), by default 1000. The learning rate
falls to a tenth at each milestone, so each stretch between milestones becomes a stage. Time flips have no
effect: either frame of a pair may come first. Sections of other programs of the original (``animate_params``
and so on) are ignored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.networks.fomm.config import FommConfig
from avatar_app.text import Text
from avatar_app.training.augment import AugmentConfig
from avatar_app.training.config import DataConfig, RunConfig, TrainingStage

SECTIONS = {
    *("model_params", "train_params", "dataset_params"),
    *("reconstruction_params", "animate_params", "visualizer_params"),
}


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the losses.

    ``feature_matching`` has one for each block of the discriminator, ``perceptual`` for each tap of the
    feature network.
    """

    generator_gan: float = 0.0
    discriminator_gan: float = 1.0
    feature_matching: tuple[float, ...] = ()
    perceptual: tuple[float, ...] = ()
    equivariance_value: float = 0.0
    equivariance_jacobian: float = 0.0


@dataclass(frozen=True, slots=True)
class TransformParams:
    """Deformation of the equivariance losses, in the unit of the key points."""

    sigma_affine: float = 0.05
    sigma_tps: float = 0.005
    points_tps: int = 5


@dataclass(frozen=True, slots=True)
class FommLosses:
    """The fomm objective's part of a run's ``losses``.

    Attributes:
        scales: of the perceptual loss's pyramid.
        rates: learning rate of a network, by its name, divided by that of the stage.
    """

    loss_weights: LossWeights = field(default_factory=LossWeights)
    transform_params: TransformParams = field(default_factory=TransformParams)
    scales: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)
    rate_kp_detector: float = 1.0
    rate_discriminator: float = 1.0


@dataclass(frozen=True, slots=True)
class TrainParams:
    """``train_params``.

    ``checkpoint_freq`` is read, but checkpoints are written by time here.
    """

    num_epochs: int
    num_repeats: int
    batch_size: int
    loss_weights: LossWeights
    epoch_milestones: tuple[float, ...] = ()
    lr_generator: float = 2e-4
    lr_discriminator: float = 2e-4
    lr_kp_detector: float = 2e-4
    checkpoint_freq: int = 0
    scales: tuple[float, ...] = (1.0, 0.5, 0.25, 0.125)
    transform_params: TransformParams = field(default_factory=TransformParams)


@dataclass(frozen=True, slots=True)
class FlipParam:
    horizontal_flip: bool = False
    time_flip: bool = False


@dataclass(frozen=True, slots=True)
class JitterParam:
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


@dataclass(frozen=True, slots=True)
class ResizeParam:
    ratio: tuple[float, ...] = (1.0, 1.0)


@dataclass(frozen=True, slots=True)
class RotationParam:
    degrees: tuple[float, ...] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class CropParam:
    """Cropping, whose size is that of the pictures in every original file.

    A crop only undoes a resize.
    """

    size: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class AugmentationParams:
    flip_param: FlipParam = field(default_factory=FlipParam)
    jitter_param: JitterParam = field(default_factory=JitterParam)
    resize_param: ResizeParam = field(default_factory=ResizeParam)
    rotation_param: RotationParam = field(default_factory=RotationParam)
    crop_param: CropParam = field(default_factory=CropParam)


@dataclass(frozen=True, slots=True)
class DatasetParams:
    """``dataset_params``.

    ``clips`` and ``stride`` (one of this many frames is kept) are not in the original.
    """

    frame_shape: tuple[float, ...] = (256.0, 256.0, 3.0)
    id_sampling: bool = False
    augmentation_params: AugmentationParams = field(default_factory=AugmentationParams)
    clips: int = 1000
    stride: int = 1


def read_original(document: Mapping[str, Any], where: str) -> RunConfig:
    """Return the run of a parsed file of the original layout.

    Raises ConfigError, naming the key.
    """
    unknown = sorted(str(key) for key in set(document) - SECTIONS)
    if unknown:
        raise ConfigError(
            Text("Unknown key in {}: {}.", where, ", ".join(unknown)),
            Text("Known keys: {}.", ", ".join(sorted(SECTIONS))),
        )
    FommConfig.from_original(document)  # only to check it
    train = build(TrainParams, document.get("train_params"), "train_params")
    given = document.get("dataset_params")
    if isinstance(given, Mapping):
        # Paths come from the command line here.
        given = {key: value for key, value in given.items() if key not in ("root_dir", "pairs_list")}
    data = build(DatasetParams, given, "dataset_params")
    size = side_of(data.frame_shape, "frame_shape")
    return RunConfig(
        objective="fomm",
        stages=stages_of(train, size, data.clips),
        network=dict(document["model_params"]),
        data=DataConfig(size=size, stride=data.stride, stills=False, by_identity=data.id_sampling),
        augment=augmentation_of(data.augmentation_params),
        losses=asdict(
            FommLosses(
                loss_weights=train.loss_weights,
                transform_params=train.transform_params,
                scales=train.scales,
                rate_kp_detector=train.lr_kp_detector / train.lr_generator,
                rate_discriminator=train.lr_discriminator / train.lr_generator,
            )
        ),
        warmup=0,
    )


def side_of(shape: tuple[float, ...], name: str) -> int:
    """Return the side of square pictures in pixels. Raises ConfigError."""
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] % 32:
        raise ConfigError(
            Text("dataset_params.{} is {}.", name, list(shape)), Text("Give a square, such as [256, 256, 3].")
        )
    return int(shape[0])


def stages_of(train: TrainParams, size: int, clips: int) -> tuple[TrainingStage, ...]:
    """Return one stage for each stretch between milestones. Raises ConfigError."""
    for name in ("num_epochs", "num_repeats", "batch_size", "lr_generator"):
        if getattr(train, name) <= 0:
            raise ConfigError(
                Text("train_params.{} is {}.", name, getattr(train, name)), Text("Give a number above 0.")
            )
    if clips <= 0:
        raise ConfigError(Text("dataset_params.clips is {}.", clips), Text("Give a number above 0."))
    edges = [
        0.0,
        *sorted(min(edge, train.num_epochs) for edge in train.epoch_milestones),
        float(train.num_epochs),
    ]
    steps_an_epoch = train.num_repeats * clips / train.batch_size
    stages = []
    for index, (start, end) in enumerate(pairwise(edges)):
        steps = math.ceil(end * steps_an_epoch) - math.ceil(start * steps_an_epoch)
        rate = train.lr_generator * 0.1**index
        if steps:
            stages.append(TrainingStage(size, train.batch_size, steps, rate, rate))
    return tuple(stages)


def augmentation_of(given: AugmentationParams, flip_share: float = 0.5) -> AugmentConfig:
    """Return the same changes as our configuration, without time flips."""
    jitter = given.jitter_param
    ratio = max([*given.resize_param.ratio, 1.0])
    degrees = max((abs(angle) for angle in given.rotation_param.degrees), default=0.0)
    return AugmentConfig(
        rotation=math.radians(degrees),
        scale=math.log(ratio),
        aspect=0.0,
        shift=ratio - 1,  # the original crops a random part of the enlarged picture
        deform=0.0,
        colour=max(jitter.brightness, jitter.contrast, jitter.saturation),
        flip=given.flip_param.horizontal_flip,
        point_noise=0.0,
        hue=jitter.hue,
        flip_share=flip_share,
    )
