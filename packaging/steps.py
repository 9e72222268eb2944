"""Helpers for every bundle: running programs, and errors in one sentence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class Failure(Exception):
    """A step that failed; says in one sentence why, and what to do."""


@dataclass(frozen=True, slots=True)
class System:
    """The system that a bundle is for.

    Attributes:
        platform: the oldest system whose wheels fit, in uv's notation.
        python: version of the interpreter inside.
    """

    name: str
    platform: str
    python: str


def program(name: str, package: str) -> str:
    """Full path of a program; the Failure names the Debian package that contains it."""
    path = shutil.which(name)
    if path is None:
        raise Failure(f"The program {name} is missing: install {package}.")
    return path


def uv() -> str:
    """The program that selects and unpacks wheels for another system."""
    return program("uv", "it with `python -m pip install uv`")


def run(*words: str | Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
    """Run a program and return its output; the Failure has the last line of its error message."""
    command = [str(word) for word in words]
    try:
        done = subprocess.run(
            command, cwd=cwd, env=variables, capture_output=True, text=True, check=False, errors="replace"
        )
    except OSError as problem:
        raise Failure(f"{Path(command[0]).name} cannot be started: {problem.strerror}.") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        reason = said[-1].strip() if said else f"exit code {done.returncode}"
        raise Failure(f"{Path(command[0]).name} has failed: {reason}")
    return done.stdout


def fresh(folder: Path) -> Path:
    """An empty folder; previous content is deleted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def size(folder: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def version() -> str:
    """The app's version, from its package."""
    for line in (ROOT / "avatar_app" / "__init__.py").read_text(encoding="utf-8").splitlines():
        if line.startswith("__version__"):
            return line.split('"')[1]
    raise Failure("avatar_app/__init__.py names no version.")
