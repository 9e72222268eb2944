"""Write whole clips: they appear when they are complete."""

from __future__ import annotations

import errno
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.filter
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from avatar_app.errors import OutputError
from avatar_app.files import part_file, reason
from avatar_app.media.formats import OPAQUE, TICKS, TRANSPARENT, Encoding, require_clip_output
from avatar_app.media.sound import SoundTrack
from avatar_app.media.video import Sound
from avatar_app.text import Text
from avatar_app.types import Image

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of the disk; others come from the data."""

PALETTE = "new=1:dither=bayer:bayer_scale=3"
"""Every picture has its own colours; the dither pattern is fixed, so still parts do not flicker."""


def set_pictures(
    stream: av.VideoStream, size: tuple[int, int], pixels: str = "yuv420p", ticks: int = TICKS
) -> None:
    """Set the properties of all pictures written here.

    (width, height), planes that every player knows, and the colour conversion.
    """
    stream.width, stream.height = size
    stream.pix_fmt = pixels
    context = stream.codec_context
    context.time_base = Fraction(1, ticks)
    if pixels.startswith("yuv"):
        context.colorspace, context.color_range = (
            Colorspace.ITU601,
            ColorRange.MPEG,
        )  # otherwise players would guess from the size


class ClipWriter:
    """Writes a clip that appears at ``path`` only when it is complete.

    Until then it is a hidden file beside it, which is removed on any error and on Ctrl-C: the output is whole
    or absent, and an existing file is replaced only by a whole one. Use it as a context manager.

    Args:
        path: ends in one of ``formats.OPAQUE``, or of ``formats.TRANSPARENT`` with ``alpha``.
        fps: average frames per second, which players show; the time stamps are exact.
        size: (width, height) of the pictures; odd ones are padded by one row or column.
        sound: the clip's sound, or None. Left out where such files have none.
        alpha: pictures are (height, width, 4) and may be transparent.

    Raises:
        OutputError: the file cannot be written; also from every method when the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction,
        size: tuple[int, int],
        sound: Sound | None = None,
        alpha: bool = False,
    ) -> None:
        self.path = Path(path)
        require_clip_output(self.path, alpha)
        self._encoding = encoding = (TRANSPARENT if alpha else OPAQUE)[self.path.suffix.lower()]
        self._pixels = "rgba" if alpha else "rgb24"
        self._even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self._last, self._step = -1, round(encoding.ticks / fps)
        self._container: av.container.OutputContainer | None = None
        self._sound: SoundTrack | None = None
        try:  # check at once whether the folder is writable; FFmpeg opens the file with the first picture
            self._part = part_file(self.path)
        except OSError as problem:
            raise self._failed(problem) from None
        try:
            container, self._stream = self._open(fps, encoding)
            self._palette = palette(self._even, self._pixels) if encoding.pixels == "pal8" else None
            if sound and encoding.sound:
                self._sound = SoundTrack(sound, container, encoding.sound)
        except BaseException as problem:
            self._drop()
            if isinstance(problem, av.FFmpegError | OSError):
                raise self._failed(problem) from None
            raise

    def _open(self, fps: Fraction, encoding: Encoding) -> tuple[av.container.OutputContainer, av.VideoStream]:
        self._container = container = av.open(
            f"file:{self._part}", "w", format=encoding.container, options=dict(encoding.muxing)
        )
        stream = container.add_stream(encoding.codec, rate=fps, options=dict(encoding.quality))
        assert isinstance(stream, av.VideoStream)
        set_pictures(stream, self._even, encoding.pixels, encoding.ticks)
        return container, stream

    def write(self, image: Image, time: Fraction) -> None:
        """Add a picture of the agreed size, shown ``time`` seconds after the start.

        Times must grow.
        """
        ticks = self._encoding.ticks
        moment = round(time * ticks)
        if self._last >= 0 and moment < self._last + self._encoding.shortest:
            return
        rows, columns = self._even[1] - image.shape[0], self._even[0] - image.shape[1]
        if rows or columns:
            image = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format=self._pixels)
        frame.time_base = Fraction(1, ticks)
        frame.pts = self._last = max(moment, self._last + 1)
        try:
            if self._sound:
                self._sound.write_until(time)
            if self._palette is not None:
                self._palette.push(frame)
                frame = self._palette.vpull()
            assert self._container is not None
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._drop()

    def _drop(self) -> None:
        """Close open files; remove an incomplete output."""
        if self._sound:
            self._sound.close()
        with suppress(av.FFmpegError, OSError):
            if self._container is not None:
                self._container.close()
        with suppress(OSError):
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            assert self._container is not None
            self._container.mux(self._stream.encode(None))
            if self._sound:
                self._sound.finish(Fraction(self._last + self._step, self._encoding.ticks))
            self._container.close()
            self._part.replace(self.path)
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def _failed(self, problem: Exception) -> OutputError:
        of_disk = getattr(problem, "errno", None) in NO_SPACE
        sound = self._sound is not None and not of_disk
        hint = Text("Try without sound.") if sound else Text("Free some space or name another folder.")
        return OutputError(Text("The output {} cannot be written: {}.", self.path, reason(problem)), hint)


def palette(size: tuple[int, int], pixels: str) -> av.filter.Graph:
    """Return the filter that reduces each picture to 256 colours of its own."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=size[0], height=size[1], format=av.VideoFormat(pixels), time_base=Fraction(1, 100)
    )
    fork, sink = graph.add("split"), graph.add("buffersink")
    colours = graph.add("palettegen", f"stats_mode=single:reserve_transparent={int(pixels == 'rgba')}")
    draw = graph.add("paletteuse", PALETTE)
    source.link_to(fork)
    fork.link_to(colours, 0, 0)
    fork.link_to(draw, 1, 0)
    colours.link_to(draw, 0, 1)
    draw.link_to(sink)
    graph.configure()
    return graph
