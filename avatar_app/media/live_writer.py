"""Write a clip in real time that stays playable however it ends."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType, VideoFrame

from avatar_app.errors import OutputError
from avatar_app.files import reason
from avatar_app.media.clip_writer import set_pictures
from avatar_app.media.formats import SUFFIXES, TICKS, require_recording
from avatar_app.text import Text
from avatar_app.types import Image

KEY_EVERY = 0.7
"""Seconds between key frames of a recording. Each ends a playable piece, however slow the computer is."""

LIVE_QUALITY = {"crf": "20", "preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"}
"""Nothing waits in the encoder, so a crash loses only the last second."""

SOUND_RATE = 48_000
"""Samples a second."""

SOUND_BITS = 128_000


class LiveWriter:
    """Writes an H.264 clip (yuv420p) in real time.

    Everything up to a second ago stays playable, however it ends.

    Args:
        path: ends in one of ``SUFFIXES``; the file must not exist yet.
        fps: approximate pictures a second.
        size: (width, height), even numbers.
        sound: the clip has mono sound.

    Raises:
        OutputError: the file exists or cannot be written; also from ``write`` when the disk is full.
    """

    def __init__(self, path: str | Path, fps: int, size: tuple[int, int], sound: bool = False) -> None:
        self.path = Path(path)
        require_recording(self.path)
        kind = SUFFIXES[self.path.suffix.lower()]
        # An ordinary file once closed; until then in pieces that can be played alone.
        pieces = (
            {"cluster_time_limit": "1000"}
            if kind == "matroska"
            else {"movflags": "hybrid_fragmented+frag_keyframe"}
        )
        try:
            self.path.touch(exist_ok=False)
        except FileExistsError:
            raise OutputError(
                Text("There is a file {} already.", self.path),
                Text("Name another one; nothing is overwritten."),
            ) from None
        except OSError as problem:
            raise self._failed(problem) from None
        try:
            self._container = av.open(
                f"file:{self.path}", "w", format=kind, options={"flush_packets": "1", **pieces}
            )
            self._stream = self._container.add_stream("libx264", rate=fps, options=LIVE_QUALITY)
            self._sound = self._container.add_stream("aac", rate=SOUND_RATE) if sound else None
        except (av.FFmpegError, OSError) as problem:
            self.path.unlink(missing_ok=True)
            raise self._failed(problem) from None
        set_pictures(self._stream, size)
        context = self._stream.codec_context
        context.gop_size = 10 * fps  # `write` requests key frames, by time
        context.thread_count = 1
        if self._sound:
            self._sound.codec_context.layout = "mono"
            self._sound.codec_context.bit_rate = SOUND_BITS
        self._samples = 0
        self._length = TICKS // fps
        self._last = -1
        self._key = -TICKS

    def write(self, planes: Image, seconds: float) -> None:
        """Add a picture, ``seconds`` after the first.

        As I420 planes (height * 3 / 2, width). Two pictures at one time are spread.
        """
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.time_base = Fraction(1, TICKS)
        frame.pts = self._last = max(round(seconds * TICKS), self._last + 1)
        frame.duration = self._length
        if frame.pts - self._key >= KEY_EVERY * TICKS:
            self._key, frame.pict_type = frame.pts, PictureType.I
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def write_sound(self, samples: npt.NDArray[np.float32]) -> None:
        """Append sound, ``SOUND_RATE`` samples a second from the clip's beginning."""
        if self._sound is None:
            raise ValueError("the clip has no sound")
        if not len(samples):
            return
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
        frame.pts = self._samples
        self._samples += len(samples)
        try:
            self._container.mux(self._sound.encode(frame))
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def close(self) -> None:
        """Finish the file.

        Raises OutputError if that fails, which leaves it playable. A clip without pictures is removed.
        """
        try:
            if self._last >= 0:
                self._container.mux(self._stream.encode(None))
                if self._sound and self._samples:
                    self._container.mux(self._sound.encode(None))
            self._container.close()
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None
        finally:
            if self._last < 0:
                self.path.unlink(missing_ok=True)

    def _failed(self, problem: Exception) -> OutputError:
        return OutputError(
            Text("The recording {} cannot be written: {}.", self.path, reason(problem)),
            Text("Free some space or name another folder."),
        )
