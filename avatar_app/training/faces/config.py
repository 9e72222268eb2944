"""The training configuration of the face networks: one YAML file, every key known."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.files import parse_yaml, read_small
from avatar_app.text import Text


@dataclass(frozen=True, slots=True)
class PartConfig:
    """How one of the two networks is trained.

    Attributes:
        minutes: wall time; the learning rate falls to zero (cosine) at its end.
        batch: samples a step.
        rate: largest learning rate.
        warmup: steps until it is reached.
        decay: weight decay.
        average: decay of the running average of the weights, which is exported.
    """

    minutes: float = 60.0
    batch: int = 48
    rate: float = 2e-3
    warmup: int = 200
    decay: float = 0.01
    average: float = 0.9995


@dataclass(frozen=True, slots=True)
class FacesConfig:
    """Both networks and their data.

    Attributes:
        seed: of the weights and of the samples.
        stride: one of this many video frames is used (of rarer expressions and angles every second).
        skip_licences: words; a clip or still whose licence has one of them is left out.
        backgrounds: folder of pictures without faces, relative to the configuration's own folder or absolute;
            none if empty.
        workers: processes that make samples; 0 makes them in the training process.
        save_every: seconds between checkpoints.
    """

    seed: int = 1
    stride: int = 6
    skip_licences: tuple[str, ...] = ()
    backgrounds: str = ""
    workers: int = 1
    save_every: float = 60.0
    landmarks: PartConfig = PartConfig()
    finder: PartConfig = PartConfig(minutes=20.0, batch=32)


def read_config(path: Path) -> FacesConfig:
    """Read and check a YAML file.

    Raises:
        ConfigError: missing file, unknown key or a value of the wrong kind.
    """
    if not path.is_file():
        raise ConfigError(
            Text("No configuration at {}.", path), Text("See avatar_app/training/configs/faces.yaml.")
        )
    try:
        return build(FacesConfig, parse_yaml(read_small(path)) or {}, path.name)
    except (OSError, ValueError) as error:
        raise ConfigError(
            Text("{} cannot be understood: {}.", path, error),
            Text("See avatar_app/training/configs/faces.yaml."),
        ) from error
