"""Writes what the output shows to a video file while it happens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from avatar_app.errors import OutputError
from avatar_app.media.live_writer import LiveWriter
from avatar_app.outputs.i420 import Outgoing


class Recorder:
    """A video file of what is sent. One thread.

    Whatever ends it, a full disk or the end of the program without warning, what was recorded up to a second
    before can be played.

    Args:
        path: .mp4, .m4v, .mov or .mkv; there must be no such file yet.
        size: (width, height) of the pictures, even numbers.
        fps: pictures a second, about; the times that ``write`` is given rule.
        sound: there will be sound too.

    Raises:
        OutputError: no such folder, the file is there already, or it cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: int, sound: bool = False) -> None:
        self.path = path
        self._size = size
        self._writer: LiveWriter | None = LiveWriter(path, fps, size, sound)

    def write(self, picture: Outgoing, seconds: float) -> None:
        """Add a picture of the promised size, ``seconds`` after the first.

        Raises:
            OutputError: the disk is full or the folder is gone. The recording has ended then and its file is
                closed.
        """
        if picture.size != self._size:
            raise ValueError(f"the recording is of {self._size}, not for a picture of {picture.size}")
        if not self._writer:
            raise ValueError("the recording has ended")
        try:
            self._writer.write(picture.planes, seconds)
        except OutputError as problem:
            self._end_after(problem)
            raise

    def write_sound(self, samples: npt.NDArray[np.float32]) -> None:
        """Add sound behind what there is of it; raises as ``write`` does."""
        if not self._writer:
            raise ValueError("the recording has ended")
        try:
            self._writer.write_sound(samples)
        except OutputError as problem:
            self._end_after(problem)
            raise

    def close(self) -> None:
        """Finish the file; may be called twice. Raises OutputError if that fails."""
        writer, self._writer = self._writer, None
        if writer:
            writer.close()

    def _end_after(self, problem: OutputError) -> None:
        try:
            self.close()
        except OutputError as again:
            problem.add_note(again.message)
