"""Read the YAML file of a training run, in our layout or an original one."""

from __future__ import annotations

from pathlib import Path

from avatar_app.configuration import build
from avatar_app.errors import ConfigError
from avatar_app.files import parse_yaml, read_small
from avatar_app.networks.monkeynet.config import is_monkeynet
from avatar_app.text import Text
from avatar_app.training.config import RunConfig
from avatar_app.training.monkeynet_original import read_monkeynet
from avatar_app.training.originals import read_original


def read_config(path: Path) -> RunConfig:
    """Read this project's layout or the original one (which has ``model_params``).

    Raises ConfigError, naming the file and the key.
    """
    try:
        values = parse_yaml(read_small(path))
    except (OSError, ValueError) as error:
        raise ConfigError(
            Text("{} cannot be read: {}.", path, error),
            Text("Give one of avatar_app/training/configs/*.yaml or a copy of one."),
        ) from error
    if isinstance(values, dict) and "model_params" in values:
        return (read_monkeynet if is_monkeynet(values) else read_original)(values, path.name)
    if not isinstance(values, dict) or not isinstance(values.get("stages"), list) or not values["stages"]:
        raise ConfigError(
            Text("{} has no stages.", path), Text("Look at the files in avatar_app/training/configs.")
        )
    return build(RunConfig, values, path.name)
