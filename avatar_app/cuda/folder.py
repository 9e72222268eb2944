"""The folder with the fetched PyTorch, and whether it fits Python and the app."""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from avatar_app.extras import requirements
from avatar_app.files import parse_json, read_small, write_json
from avatar_app.paths import user_pytorch

PACKAGES = "packages"
"""Its subfolder on Python's path."""

DESCRIPTION = "build.json"
"""The file that is written last: without it nothing counts as fetched."""

State = Literal["absent", "unfit", "ready"]


@dataclass(frozen=True, slots=True)
class Build:
    """The target of a fetched PyTorch.

    Attributes:
        torch: the version with its build, such as 2.13.0+cu130.
        python, platform: of the Python that can load it.
    """

    torch: str
    python: str
    platform: str


def here(torch: str) -> Build:
    """Return a build for this Python."""
    return Build(torch, f"{sys.version_info[0]}.{sys.version_info[1]}", sysconfig.get_platform())


def wanted() -> str:
    """Return the PyTorch that the app was tested with, such as ``torch==2.13.0``."""
    return requirements("cuda")[0]


def look() -> tuple[State, str]:
    """Return whether there is a fetched PyTorch that fits, and its version."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        described = parse_json(read_small(user_pytorch() / DESCRIPTION))
        build = Build(str(described["torch"]), str(described["python"]), str(described["platform"]))
        plain = build.torch.partition("+")[0]
        fits = build == here(build.torch) and f"torch=={plain}" == wanted()
        return ("ready" if fits else "unfit"), build.torch
    return "absent", ""


def describe(folder: Path, torch: str) -> None:
    """Write the description of a complete folder. Raises OutputError."""
    write_json(folder / DESCRIPTION, asdict(here(torch)))


def join_path() -> bool:
    """Put a fetched PyTorch that fits on Python's path.

    Returns whether it will be imported: not if another one is in use already.
    """
    packages = str(user_pytorch() / PACKAGES)
    if look()[0] != "ready":
        return False
    if packages not in sys.path:
        # Before a PyTorch for the processor; else behind what came with the app.
        place = 0 if importlib.util.find_spec("torch") else len(sys.path)
        sys.path.insert(place, packages)
        importlib.invalidate_caches()
    loaded = getattr(sys.modules.get("torch"), "__file__", None)
    return loaded is None or Path(loaded).is_relative_to(packages)


def partial() -> Path:
    """Return the folder of incomplete downloads."""
    return user_pytorch().with_name(user_pytorch().name + ".part")


def replaced() -> Path:
    """Return the folder of packages that newer ones are about to replace."""
    return user_pytorch().with_name(user_pytorch().name + ".old")


def remove() -> bool:
    """Remove fetched packages, incomplete and replaced ones too.

    Returns whether nothing is left: Windows keeps files that a program has loaded until that ends. They count
    as absent all the same.
    """
    with suppress(OSError):
        (user_pytorch() / DESCRIPTION).unlink(missing_ok=True)
    folders = user_pytorch(), partial(), replaced()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return not any(folder.exists() for folder in folders)


def bytes_in(folder: Path) -> int:
    """Return the bytes of all files in a folder, which may change meanwhile."""
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    yield from _sizes(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False).st_size
