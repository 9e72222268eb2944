"""What faulty drivers of graphics cards do to the process that tests them."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
from pathlib import Path


def ends(folder: Path, card: str, threads: int, busy: bool, parent: Connection) -> None:
    """End the process."""
    os.abort()


def hangs(folder: Path, card: str, threads: int, busy: bool, parent: Connection) -> None:
    """Never return."""
    time.sleep(600)
