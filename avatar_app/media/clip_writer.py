"""Clips out: whole ones, and recordings that stay playable however they end.

With `media.video` the only file that knows PyAV.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from avatar_app.errors import OutputError
from avatar_app.files import part_file, reason, require_writable
from avatar_app.media.video import Clip, open_file, sound_stream
from avatar_app.text import Text
from avatar_app.types import Image

SUFFIXES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Endings of the files that can be written, and FFmpeg's name of each container."""

TRANSPARENT = {
    ".webm": ("webm", "libvpx-vp9", "yuva420p", {"crf": "20", "b": "0", "cpu-used": "4", "row-mt": "1"}),
    ".mov": ("mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
    ".png": ("apng", "apng", "rgba", {}),
}
"""Endings of the files whose pictures may be transparent: container, codec, pixels and quality of each."""

COPIED_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
"""Sound that all these containers take and common players play in them as it is; any other becomes AAC."""

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
"""Samples a second that AAC can have; any other becomes 48,000."""

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
"""Errors of the disk; others come from what is written."""

KEY_EVERY = 0.7
"""Seconds of time between key pictures of a recording. A piece that can be played ends with each, however
slow the computer is."""

QUALITY = {"crf": "17", "preset": "faster"}

LIVE_QUALITY = {"crf": "20", "preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1"}
"""Nothing waits in the encoder, so that an end without warning loses only the last second."""

TICKS = 90_000
"""Time stamps a second."""


def require_clip_output(path: Path, alpha: bool = False) -> None:
    """Raise OutputError unless a clip, or one with transparent pictures, can be written to ``path``."""
    require_writable(path)
    suffix = path.suffix.lower()
    if alpha and suffix in SUFFIXES and suffix not in TRANSPARENT:
        message = Text("The output {} cannot be transparent.", path)
        raise OutputError(message, Text("Use one of {}, or another background.", " ".join(TRANSPARENT)))
    endings = TRANSPARENT if alpha else SUFFIXES
    if suffix not in endings:
        raise OutputError(
            Text("The output {} has an ending that cannot be written.", path),
            Text("Use one of {}.", " ".join(endings)),
        )


def _set_pictures(stream: av.VideoStream, size: tuple[int, int], pixels: str = "yuv420p") -> None:
    """What all pictures written here are.

    (width, height), planes that every player knows, and how colours became those planes.
    """
    stream.width, stream.height = size
    stream.pix_fmt = pixels
    context = stream.codec_context
    context.time_base = Fraction(1, TICKS)
    if pixels == "rgba":
        return
    context.colorspace, context.color_range = (
        Colorspace.ITU601,
        ColorRange.MPEG,
    )  # players would guess otherwise from the size


class ClipWriter:
    """Writes a clip, H.264 (yuv420p) unless it may be transparent, that appears at ``path`` only when it is
    complete.

    Until then it is a hidden file beside it, which is removed on any error and on Ctrl-C: the output is whole
    or absent, and a file that was there before is replaced only by a whole one. Use it as a context manager.

    Args:
        path: ends in one of ``SUFFIXES``, or of ``TRANSPARENT`` with ``alpha``.
        fps: average frames per second, which players show; the time stamps rule.
        size: (width, height) of the pictures; odd ones are padded by one row or column.
        sound_from: a clip whose sound track is copied along, or None. An animated PNG has none.
        alpha: pictures are (height, width, 4) and may be transparent.

    Raises:
        OutputError: the file cannot be written; also from every method when the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        fps: Fraction,
        size: tuple[int, int],
        sound_from: Clip | None = None,
        alpha: bool = False,
    ) -> None:
        self.path = Path(path)
        require_clip_output(self.path, alpha)
        self._pixels = "rgba" if alpha else "rgb24"
        self._even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        self._last = -1
        self._container: av.container.OutputContainer | None = None
        self._sound: _Sound | None = None
        try:  # shows at once whether the folder can be written; FFmpeg opens the file with the first picture
            self._part = part_file(self.path)
        except OSError as problem:
            raise self._failed(problem) from None
        try:
            container, self._stream = self._open(fps, alpha)
            if sound_from and sound_from.has_sound and container.format.name != "apng":
                self._sound = _Sound(sound_from, container)
        except BaseException as problem:
            self._drop()
            if isinstance(problem, av.FFmpegError | OSError):
                raise self._failed(problem) from None
            raise

    def _open(self, fps: Fraction, alpha: bool) -> tuple[av.container.OutputContainer, av.VideoStream]:
        suffix = self.path.suffix.lower()
        kind, codec, pixels, quality = (
            TRANSPARENT[suffix] if alpha else (SUFFIXES[suffix], "libx264", "yuv420p", QUALITY)
        )
        options = {"plays": "0"} if kind == "apng" else {"movflags": "faststart"}
        self._container = container = av.open(f"file:{self._part}", "w", format=kind, options=options)
        stream = container.add_stream(codec, rate=fps, options=quality)
        assert isinstance(stream, av.VideoStream)
        _set_pictures(stream, self._even, pixels)
        return container, stream

    def write(self, image: Image, time: Fraction) -> None:
        """Add a picture of the promised size, shown ``time`` seconds after the start.

        Times must grow.
        """
        rows, columns = self._even[1] - image.shape[0], self._even[0] - image.shape[1]
        if rows or columns:
            image = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), format=self._pixels)
        frame.time_base = Fraction(1, TICKS)
        frame.pts = self._last = max(round(time * TICKS), self._last + 1)
        try:
            if self._sound:
                self._sound.write_until(time)
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
        """Close what is open; nothing stays of an output that is not whole."""
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
                self._sound.write_until(None)
            self._container.close()
            self._part.replace(self.path)
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def _failed(self, problem: Exception) -> OutputError:
        of_disk = getattr(problem, "errno", None) in NO_SPACE
        sound = self._sound is not None and not of_disk
        hint = Text("Try without --audio.") if sound else Text("Free some space or name another folder.")
        return OutputError(Text("The output {} cannot be written: {}.", self.path, reason(problem)), hint)


class LiveWriter:
    """Writes an H.264 clip (yuv420p) while it happens.

    What was written up to a second ago stays playable, however it ends.

    Args:
        path: ends in one of ``SUFFIXES``; there must be no such file yet.
        fps: pictures a second, about.
        size: (width, height), even numbers.

    Raises:
        OutputError: the file is there already or cannot be written; also from ``write`` when the disk is
            full.
    """

    def __init__(self, path: str | Path, fps: int, size: tuple[int, int]) -> None:
        self.path = Path(path)
        require_clip_output(self.path)
        kind = SUFFIXES[self.path.suffix.lower()]
        # An ordinary file once it is closed; until then in pieces that stand alone.
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
        except (av.FFmpegError, OSError) as problem:
            self.path.unlink(missing_ok=True)
            raise self._failed(problem) from None
        _set_pictures(self._stream, size)
        context = self._stream.codec_context
        context.gop_size = 10 * fps  # `write` asks for key pictures, by time
        context.thread_count = 1
        self._length = TICKS // fps
        self._last = -1
        self._key = -TICKS

    def write(self, planes: Image, seconds: float) -> None:
        """Add a picture as I420 planes, (height * 3 / 2, width), shown ``seconds`` after the first; two at
        one time are spread.
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

    def close(self) -> None:
        """Finish the file.

        Raises OutputError if that fails, which leaves it playable. A clip without pictures is removed.
        """
        try:
            if self._last >= 0:
                self._container.mux(self._stream.encode(None))
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


class _Sound:
    """The sound track of a clip on its way into another.

    Copied where the container takes it, else made AAC.
    """

    def __init__(self, clip: Clip, output: av.container.OutputContainer) -> None:
        self._input = open_file(clip.path)
        self._output = output
        source = sound_stream(self._input)
        if source is None:
            raise ValueError(f"{clip.path} has no sound")
        pictures = self._input.streams.video[0]
        offset = (pictures.start_time or 0) * (pictures.time_base or Fraction(0))
        webm = output.format.name == "webm"
        self._copied = not webm and source.codec_context.codec.canonical_name in COPIED_SOUND
        if self._copied:
            self._stream = output.add_stream_from_template(source)
        else:
            rate = 48_000 if webm else source.codec_context.sample_rate
            codec = "libopus" if webm else "aac"
            made = output.add_stream(codec, rate=rate if rate in AAC_RATES else 48_000)
            assert isinstance(made, av.AudioStream)
            self._stream = made
            self._stream.codec_context.layout = (
                "mono" if source.codec_context.layout.nb_channels == 1 else "stereo"
            )
        self._packets = self._copy(source, offset) if self._copied else self._encode(source, offset)
        self._waiting: av.Packet[av.AudioStream] | None = None

    def write_until(self, time: Fraction | None) -> None:
        """Pass on the sound up to ``time`` in seconds; None passes on the rest."""
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or (time is not None and _seconds(self._waiting) > time):
                return
            self._output.mux(self._waiting)
            self._waiting = None

    def close(self) -> None:
        self._input.close()

    def _copy(self, source: av.AudioStream, offset: Fraction) -> Iterator[av.Packet[av.AudioStream]]:
        last, shift = None, 0
        for packet in self._input.demux(source):
            if packet.dts is None or packet.pts is None:
                continue
            first = round(offset / packet.time_base)
            if (
                last is not None and packet.dts - first + shift <= last
            ):  # the clock stands or goes back, as where clips were joined
                shift = last + max(packet.duration or 0, 1) - (packet.dts - first)
            packet.pts, packet.dts = packet.pts - first + shift, packet.dts - first + shift
            last = packet.dts
            packet.stream = self._stream
            yield packet

    def _encode(self, source: av.AudioStream, offset: Fraction) -> Iterator[av.Packet[av.AudioStream]]:
        context = self._stream.codec_context
        rate, kind, passed = context.sample_rate, None, None
        resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=rate)
        for frame in self._input.decode(source):
            if kind not in (
                None,
                (frame.format.name, frame.layout.name, frame.sample_rate),
            ):  # it changes in the middle
                resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=rate)
            kind = frame.format.name, frame.layout.name, frame.sample_rate
            if (
                passed is None
            ):  # from here on samples are counted: the clock of a joined clip begins anew in the middle
                begin = (
                    frame.pts * frame.time_base - offset
                    if frame.pts is not None and frame.time_base
                    else Fraction(0)
                )
                passed = round(begin * rate)
            frame.pts = None
            for piece in resampler.resample(frame):
                piece.pts, piece.time_base = passed, Fraction(1, rate)
                passed += piece.samples
                yield from self._stream.encode(piece)
        yield from self._stream.encode(None)


def _seconds(packet: av.Packet[av.AudioStream]) -> Fraction:
    return (packet.pts or 0) * (packet.time_base or Fraction(0))
