"""Fetch the PyTorch that fits the graphics card's driver, by `uv`.

The packages go to a temporary folder, are tried on the card, and only then replace earlier ones. After a
broken connection the next try uses what has arrived.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from avatar_app.cuda.folder import PACKAGES, bytes_in, describe, partial, replaced, wanted
from avatar_app.errors import EngineError
from avatar_app.extras import install
from avatar_app.files import find_program, reason, swap
from avatar_app.paths import PACKAGE, user_pytorch
from avatar_app.text import Text

POLL = 0.5
"""Seconds between updates of the progress."""

TRYING = 300.0
"""Seconds that the first import may take: a virus scanner reads all files."""

SIZED = re.compile(r"Downloading (\S+) \(([\d.]+)(KiB|MiB|GiB)\)")
ARRIVED = re.compile(r"Downloaded (\S+)")
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

TRY = """
import sys
sys.path.insert(0, sys.argv[1])
import torch
assert float(torch.ones(8, device="cuda").sum()) == 8
print(torch.__version__)
"""
"""Run in a process of its own, which a driver may crash."""

WINDOWLESS = getattr(subprocess, "CREATE_NO_WINDOW", 0)


@dataclass
class Progress:
    """Progress of a download.

    Attributes:
        sizes: bytes of the downloaded packages, by name.
        arrived: complete packages.
        written: bytes on the disk, unpacked.
        trying: everything has arrived, and is tried on the card.
    """

    sizes: dict[str, float] = field(default_factory=dict)
    arrived: set[str] = field(default_factory=set)
    written: int = 0
    trying: bool = False

    @property
    def share(self) -> float:
        """Return the fraction of the bytes in complete packages, 0..1."""
        total = sum(self.sizes.values())
        return sum(self.sizes.get(name, 0.0) for name in self.arrived) / total if total else 0.0

    def read(self, line: str) -> None:
        """Parse a line of `uv`'s output."""
        if found := SIZED.search(line):
            self.sizes[found[1]] = float(found[2]) * UNITS[found[3]]
        elif found := ARRIVED.search(line):
            self.arrived.add(found[1])


def has_driver() -> bool:
    """Whether NVIDIA's driver is installed."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    # The second path is the driver under WSL.
    return any(Path(path).exists() for path in ("/dev/nvidiactl", "/dev/dxg"))


def fetch(
    backend: str = "auto",
    wheels: Path | None = None,
    show: Callable[[Progress], object] = lambda progress: None,
    stop: threading.Event | None = None,
) -> str:
    """Fetch PyTorch and try it on the card.

    Returns its version, empty if stopped. An earlier one stays until the new one works.

    Args:
        backend: as for ``uv pip install --torch-backend``; ``auto`` follows the driver.
        wheels: a folder with all packages; None: from pytorch.org.
        show: called twice a second.

    Raises:
        EngineError: there is no driver or no `uv`, the packages do not arrive, or they do not compute.
    """
    if not has_driver():
        raise EngineError(
            Text("No NVIDIA driver was found."),
            Text("Install NVIDIA's driver, restart the computer and try again."),
        )
    uv, folder, progress = find_uv(), partial(), Progress()
    try:
        shutil.rmtree(folder / PACKAGES, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        if not _download([uv, *_words(folder, backend, wheels)], folder, progress, show, stop):
            remove_partial()
            return ""
        progress.trying = True
        show(progress)
        version = _tried(folder / PACKAGES)
        if stop is not None and stop.is_set():
            remove_partial()
            return ""
        describe(folder, version)
        _replace(folder)
    except OSError as problem:
        raise EngineError(
            Text("PyTorch could not be kept in {}: {}.", user_pytorch(), reason(problem)),
            Text("Free some space, close other windows of the app, then try again."),
        ) from None
    return version


def _replace(folder: Path) -> None:
    """Put new packages in the place of old ones.

    Raises OSError, and both stay, while a program on Windows uses the old ones.
    """
    kept, old = user_pytorch(), replaced()
    shutil.rmtree(old, ignore_errors=True)
    swap(folder, kept, old)
    for useless in (kept / "cache", old):
        shutil.rmtree(useless, ignore_errors=True)


def find_uv() -> str:
    """Return the path of `uv`: the app's own, this Python's, or the system's.

    Raises EngineError if there is none.
    """
    name = "uv.exe" if sys.platform == "win32" else "uv"
    for folder in (PACKAGE.parent / "bin", Path(sys.executable).parent):
        if (folder / name).is_file():
            return str(folder / name)
    found = find_program("uv")
    if found is None:
        raise EngineError(Text("The program {} is missing, which fetches PyTorch.", "uv"), install(["uv"]))
    return found


def _words(folder: Path, backend: str, wheels: Path | None) -> list[str]:
    where = ["--no-index", "--find-links", str(wheels)] if wheels else ["--torch-backend", backend]
    target = ["--target", str(folder / PACKAGES), "--cache-dir", str(folder / "cache")]
    return [
        "pip",
        "install",
        "--python",
        str(_python()),
        *target,
        "--link-mode",
        "hardlink",
        *where,
        wanted(),
    ]


def _download(
    command: list[str],
    folder: Path,
    progress: Progress,
    show: Callable[[Progress], object],
    stop: threading.Event | None,
) -> bool:
    """Run `uv`; return False if stopped. Raises EngineError, OSError."""
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        creationflags=WINDOWLESS,
    ) as process:
        reader = threading.Thread(target=_read, args=(process.stderr, said, progress), daemon=True)
        reader.start()
        try:
            while reader.is_alive():
                if stop is not None and stop.is_set():
                    return False
                reader.join(POLL)
                progress.written = bytes_in(folder / "cache")
                show(progress)
            code = process.wait()
        finally:
            process.kill()
            reader.join()
    if code:
        raise EngineError(
            Text("PyTorch could not be fetched: {}.", _complaint(said)),
            Text("Check the network and the free space; the next try goes on where this one ended."),
        )
    return True


def _read(pipe: IO[str], said: list[str], progress: Progress) -> None:
    for line in pipe:
        said.append(line.rstrip())
        progress.read(line)


def _complaint(said: list[str]) -> str:
    """Return the line with the error: the last cause, or the last line."""
    causes = [line.partition("cause:")[2] for line in said if "cause:" in line]
    errors = [line.partition("error:")[2] for line in said if line.startswith("error:")]
    last = (causes or errors or [line for line in said if line] or ["it ended without a word"])[-1]
    return last.strip().rstrip(".")


def _tried(packages: Path) -> str:
    """Return the version of the fetched PyTorch.

    Raises EngineError if it does not compute on the card.
    """
    command = [str(_python()), "-I", "-X", "utf8", "-c", TRY, str(packages)]
    try:
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=TRYING,
            creationflags=WINDOWLESS,
        )
    except subprocess.CalledProcessError as problem:
        said = (problem.stderr.strip().splitlines() or [f"exit code {problem.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        said = "it did not answer"
    else:
        return done.stdout.strip().rpartition("\n")[2]
    remove_partial()
    raise EngineError(
        Text("PyTorch was fetched, but does not compute on the graphics card: {}.", said.rstrip(".")),
        Text("Update the NVIDIA driver, restart the computer and try again."),
    )


def remove_partial() -> None:
    """Remove an incomplete download."""
    shutil.rmtree(partial(), ignore_errors=True)


def _python() -> Path:
    """Return this Python's console form, which `uv` can query."""
    program = Path(sys.executable)
    with_console = program.with_name("python.exe")
    return with_console if program.name.lower() == "pythonw.exe" and with_console.is_file() else program
