"""Find the NVIDIA graphics card and the PyTorch that fits it."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from avatar_app.cuda.fetch import WINDOWLESS
from avatar_app.files import find_program
from avatar_app.text import Text, join

DRIVER_FOR_13, DRIVER_FOR_12 = 580, 525
"""First drivers that run programs built with CUDA 13 and CUDA 12."""

PCI = Path("/sys/bus/pci/devices")
NVIDIA, DISPLAY_CONTROLLER = "0x10de", "0x03"


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card with a driver.

    Attributes:
        driver: its version, such as 580.65.
        capability: CUDA compute capability, such as 8.6; 0 if the driver does not say.
    """

    name: str
    driver: str
    capability: float

    @property
    def title(self) -> Text:
        """Its name for people."""
        return Text("{} (driver {})", self.name, self.driver)

    def __str__(self) -> str:
        return self.title


def find_card() -> Card | None:
    """Return the first NVIDIA card that its driver reports, None without one."""
    program = find_program("nvidia-smi")
    if program is None:
        return None
    command = [program, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True, creationflags=WINDOWLESS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return read_card(done.stdout)


def read_card(answer: str) -> Card | None:
    """Read ``NVIDIA GeForce RTX 3060, 580.65.06, 8.6``, an answer of nvidia-smi."""
    parts = [part.strip() for part in answer.strip().partition("\n")[0].split(",")]
    if len(parts) != 3 or not parts[1][:1].isdigit():
        return None
    capability = 0.0
    with suppress(ValueError):
        capability = float(parts[2])
    return Card(parts[0], parts[1], capability)


def lacks_driver(devices: Path = PCI) -> bool:
    """Return whether there is an NVIDIA card, without its driver. Linux."""
    for device in devices.glob("*") if devices.is_dir() else ():
        with suppress(OSError):
            vendor, kind = ((device / name).read_text().strip() for name in ("vendor", "class"))
            if vendor == NVIDIA and kind.startswith(DISPLAY_CONTROLLER):
                return True
    return False


def misfit(card: Card, installed: str) -> Text | None:
    """Return why this build of PyTorch cannot compute on a card that it finds.

    None if it can.
    """
    twelve = "+cu12" in installed
    if 0 < card.capability < 7.5 and not twelve:
        return Text("PyTorch {} is built for newer cards", installed)
    if card.capability >= 10 and twelve:
        return Text("PyTorch {} is built for older cards", installed)
    return None


def backend(card: Card | None) -> str:
    """Return the build of PyTorch to fetch, by `uv`'s name.

    Its `auto` follows the driver, not the age of the card.
    """
    return "cu126" if card is not None and 0 < card.capability < 7.5 else "auto"


def advice(card: Card, installed: str) -> Text:
    """Return what to do about a card that PyTorch cannot use.

    Args:
        installed: version of PyTorch with its build, such as 2.13.0+cpu; empty: none.
    """
    driver = int(card.driver.partition(".")[0])
    if 0 < card.capability < 5:
        return Text("PyTorch no longer supports this card; the processor is used.")
    if 0 < card.capability < 7.5:  # CUDA 13 no longer supports these
        needed, build = DRIVER_FOR_12, "cu126"
    elif driver >= DRIVER_FOR_13 or card.capability >= 10:  # CUDA 12.6 does not support these yet
        needed, build = DRIVER_FOR_13, "cu130"
    else:
        needed, build = DRIVER_FOR_12, "cu126"
    fetch = Text("Run `cuda install`, or press “Use my NVIDIA card” in the window's settings.")
    if driver < needed:
        return join([Text("Update the NVIDIA driver to version {} or newer.", needed), fetch])
    if installed.partition("+")[2] == build:
        return Text("Restart the computer; if that does not help, install the NVIDIA driver again.")
    return fetch
