"""A call in a separate process, and the pictures it received."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from tests.e2e.vm.reader import SMALL
from tests.e2e.vm.stand_ins import BLUE

ROOT = Path(__file__).resolve().parents[3]
Table = npt.NDArray[np.int64]


class Call:
    """``reader`` at a device, from entering to leaving the context.

    It may start before the camera exists.
    """

    def __init__(self, device: str, folder: Path) -> None:
        self._folder = folder
        self._command = [sys.executable, "-m", "tests.e2e.vm.reader", device, str(folder)]
        folder.mkdir()

    def __enter__(self) -> Self:
        environment = os.environ | {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2"}
        self._process = subprocess.Popen(self._command, cwd=ROOT, env=environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """May be called again."""
        self._process.kill()
        self._process.wait()

    def __repr__(self) -> str:
        """The report of a test that timed out."""
        arrivals = self.arrivals
        return (
            f"a call with {len(arrivals)} pictures, the last {arrivals[-1:].tolist()}, "
            f"{len(set(self.numbers))} of the avatar"
        )

    @property
    def arrivals(self) -> Table:
        """(N, 6): width, height, number or -1, red, green, blue."""
        path = self._folder / "arrivals"
        whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
        return np.array([line.split() for line in whole.splitlines()], np.int64).reshape(-1, 6)

    @property
    def numbers(self) -> Table:
        """Numbers of the pictures that show the avatar."""
        arrivals = self.arrivals
        blue = (np.abs(arrivals[:, 3:] - BLUE) < 16).all(1)
        numbers: Table = arrivals[blue & (arrivals[:, 2] > 0), 2]
        return numbers

    @property
    def cards(self) -> int:
        """How many of the pictures show something else."""
        return len(self.arrivals) - len(self.numbers)

    def pictures(self) -> npt.NDArray[Any]:
        """(N, 90, 160, 3), all."""
        data = np.fromfile(self._folder / "pictures", np.uint8)
        size = 3 * SMALL[0] * SMALL[1]
        return data[: len(data) // size * size].reshape(-1, SMALL[1], SMALL[0], 3)
