"""Record the output to a video file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from avatar_app.errors import OutputError
from avatar_app.outputs.i420 import Outgoing

if TYPE_CHECKING:
    from avatar_app.media.live_writer import LiveWriter


class Recorder:
    """A video file of what is sent. One thread.

    Whatever ends it, such as a full disk or a crash, everything up to a second before can be played.

    Args:
        path: .mp4, .m4v, .mov or .mkv; the file must not exist yet.
        size: (width, height) of the pictures, even numbers.
        fps: approximate pictures a second; the times passed to ``write`` are exact.
        sound: whether there will be sound.

    Raises:
        OutputError: no such folder, the file exists, or it cannot be written.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: int, sound: bool = False) -> None:
        from avatar_app.media.live_writer import LiveWriter

        self.path = path
        self._size = size
        self._writer: LiveWriter | None = LiveWriter(path, fps, size, sound)

    def write(self, picture: Outgoing, seconds: float) -> None:
        """Add a picture of the agreed size, ``seconds`` after the first.

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
        """Append sound; raises as ``write`` does."""
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
