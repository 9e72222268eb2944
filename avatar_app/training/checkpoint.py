"""Save and load everything a run needs to continue, in one file or in parts."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from avatar_app.errors import ConfigError
from avatar_app.text import Text


def save_checkpoint(path: Path, state: dict[str, Any], part_mib: int = 0) -> None:
    """Write a checkpoint to ``path``, or in parts to ``path.000``, ``path.001`` ...

    Parts have at most ``part_mib`` MiB. Never leaves a half-written file.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    data = buffer.getvalue()
    step = part_mib * 2**20 if part_mib else len(data)
    parts = [data[start : start + step] for start in range(0, len(data), step)]
    names = [path] if not part_mib else [path.with_name(f"{path.name}.{i:03d}") for i in range(len(parts))]
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, part in zip(names, parts, strict=True):
        temporary = name.with_name(name.name + ".tmp")
        temporary.write_bytes(part)
        temporary.replace(name)
    for stale in path.parent.glob(f"{path.name}.[0-9][0-9][0-9]"):
        if stale not in names:
            stale.unlink()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a whole file or its parts.

    Raises ConfigError if it is not a checkpoint of this program.
    """
    parts = [path] if path.exists() else sorted(path.parent.glob(f"{path.name}.[0-9][0-9][0-9]"))
    if not parts:
        raise ConfigError(
            Text("There is no checkpoint at {}.", path),
            Text("Check the path; parts are named PATH.000, PATH.001 and so on."),
        )
    try:
        state = torch.load(
            io.BytesIO(b"".join(part.read_bytes() for part in parts)), map_location="cpu", weights_only=True
        )
    except Exception as error:
        raise ConfigError(
            Text("{} is not a complete checkpoint ({}).", path, type(error).__name__),
            Text("Copy it again, with all its parts."),
        ) from error
    if not isinstance(state, dict) or "networks" not in state:
        raise ConfigError(
            Text("{} is not a checkpoint of this program.", path),
            Text("Original .pth.tar files are read with `models import`."),
        )
    return state
