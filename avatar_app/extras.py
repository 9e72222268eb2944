"""Find packages that only some commands need, and the command that installs them."""

from __future__ import annotations

import re
import sys
from configparser import ConfigParser
from importlib import metadata
from pathlib import Path

from avatar_app.errors import EngineError
from avatar_app.paths import PACKAGE
from avatar_app.text import Text

NAME = "avatar-app"
"""Name of the distribution for `pip`."""

INSTALLERS = ("pip", "uv")
"""Programs that can add packages to an installation. The app's own installers write another name there."""

NAMED = re.compile(r"[\w.-]+")
CONTAINED = re.compile(rf"{NAME}\[(.*)\]")


def require(extra: str, what: Text) -> None:
    """Raise EngineError if a package is missing.

    Args:
        extra: as in setup.cfg, such as ``train``.
        what: the part that needs it, the beginning of a sentence.
    """
    lacking = missing(extra)
    if lacking:
        names = ", ".join(_name(requirement) for requirement in lacking)
        raise EngineError(
            Text("{} needs packages that are not installed: {}.", what, names), install(lacking)
        )


def missing(extra: str) -> list[str]:
    """List the requirements of an extra that are not installed, with their versions."""
    return [requirement for requirement in requirements(extra) if not _installed(_name(requirement))]


def requirements(extra: str, root: Path = PACKAGE.parent) -> list[str]:
    """Return the requirements of an extra, such as ``torch==2.13.0``.

    From setup.cfg in a checkout, else from the installation's metadata. An extra that contains another one
    has its requirements too.
    """
    config = ConfigParser()
    if config.read(root / "setup.cfg", encoding="utf-8"):
        lines = config["options.extras_require"].get(extra, "").split("\n")
    else:
        wanted = re.compile(rf"""extra == ['"]{extra}['"]""")
        lines = [line for line in _required() if wanted.search(line)]
    found = []
    for line in (line.partition(";")[0].strip() for line in lines if line.strip()):
        inner = CONTAINED.fullmatch(line)
        found += (
            [each for name in inner[1].split(",") for each in requirements(name.strip(), root)]
            if inner
            else [line]
        )
    return list(dict.fromkeys(found))


def install(packages: list[str]) -> Text:
    """Return the sentence that says how to install packages here."""
    if not extensible():
        return Text("This installation cannot be extended: install the app with pip, as its README says.")
    words = " ".join(f'"{package}"' if re.search(r"[\[<>]", package) else package for package in packages)
    return Text("Run `{} -m pip install {}`.", python(), words)


def extensible() -> bool:
    """Return whether packages can be added.

    They can to a checkout and to what pip installed, not to the app's own bundles.
    """
    try:
        installer = metadata.distribution(NAME).read_text("INSTALLER")
    except metadata.PackageNotFoundError:
        return True
    return (installer or "pip").strip() in INSTALLERS


def python() -> str:
    """Return how to start this Python from here."""
    path = Path(sys.executable)
    if path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    return f'"{path}"' if " " in str(path) else str(path)


def _required() -> list[str]:
    try:
        return metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:
        return []


def _name(requirement: str) -> str:
    found = NAMED.match(requirement)
    return found[0] if found else requirement


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
