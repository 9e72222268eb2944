"""Clips in, clips out. The only file that knows PyAV (FFmpeg).

Every frame keeps its own time stamp from the clip that is read to the one that is written, so a clip with a variable frame
rate stays in step with its sound, and the number of frames never changes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from avatar_app.errors import ClipError, OutputError
from avatar_app.files import reason, require_readable, require_writable
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

NO_CLIPS = ("image2", "tty", "hls", "dash", "concat")
"""What FFmpeg would also play: pictures, text files, and lists of other files and addresses."""

HINT = "It must be a video such as .mp4, .mov, .webm or .gif; copy or convert it again."

QUALITY = {"crf": "17", "preset": "faster"}

LIVE_QUALITY = {"crf": "20", "preset": "ultrafast", "tune": "zerolatency"}
"""Nothing waits in the encoder, so that an end without warning loses only the last second."""

LARGEST = 8192 * 8192
"""Pixels in a frame; a few bytes can declare gigabytes of them."""

LONGEST_GAP = 24 * 3600
"""Seconds between two frames; a clock that jumps further is broken."""

TICKS = 90_000
"""Time stamps a second."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A video file that was opened once and can be read.

    Attributes:
        width, height: of the pictures as they are shown: turned upright, pixels square.
        fps: frames per second on average.
        frame_count: as the file declares it, for progress bars; the frames that ``frames`` gives are what counts.
        has_sound: whether there is a sound track.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    has_sound: bool

    def frames(self) -> Iterator[Image]:
        """The pictures in the order shown, (height, width, 3). Raises ClipError where the file is damaged."""
        return (image for image, _ in self.timed_frames())

    def timed_frames(self) -> Iterator[tuple[Image, Fraction]]:
        """Each picture and when it is shown, in seconds after the first. Times always grow."""
        start, last, count = None, Fraction(-1), 0
        try:
            with _open(self.path) as container:
                stream = _picture_stream(container, self.path)
                for frame in container.decode(stream):
                    time = (
                        frame.pts * frame.time_base
                        if frame.pts is not None and frame.time_base
                        else last + 1 / self.fps
                    )
                    start = time if start is None else start
                    if time - start > last + LONGEST_GAP:
                        start = time - last - 1 / self.fps
                    # Broken clocks go backwards or stand still; a writer cannot.
                    last = max(time - start, last + Fraction(1, 100_000)) if count else Fraction(0)
                    count += 1
                    yield _upright(frame, self.width, self.height), last
        except av.FFmpegError as problem:
            message = f"The clip {self.path} is damaged after frame {count}: {reason(problem)}."
            raise ClipError(message, "Copy it again, or cut it there.") from None
        if count == 0:
            raise ClipError(
                f"The clip {self.path} has no frame that can be decoded.", "Copy or convert it again."
            )


def read_clip(path: str | Path) -> Clip:
    """Open a clip: anything FFmpeg reads that moves. Raises ClipError if it is missing, cut short or no video."""
    path = Path(path)
    require_readable(path, "clip", ClipError)
    try:
        with _open(path) as container:
            stream = _picture_stream(container, path)
            _require_whole(stream, path)
            width, height = _shown_size(stream, next(container.decode(stream), None))
            fps = stream.average_rate or stream.guessed_rate or Fraction(25)
            seconds = (container.duration or 0) / av.time_base
            return Clip(
                path,
                width,
                height,
                Fraction(fps),
                stream.frames or round(seconds * fps),
                bool(container.streams.audio),
            )
    except av.FFmpegError as problem:
        raise ClipError(f"The clip {path} cannot be read as a video: {reason(problem)}.", HINT) from None


def _open(path: Path) -> av.container.InputContainer:
    """Reads this file and nothing else, whatever its name or its contents refer to."""
    return av.open(
        f"file:{path}",
        options={"protocol_whitelist": "file", "max_pixels": str(LARGEST)},
        metadata_errors="replace",
    )


def _picture_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    kind = container.format.name
    if kind == "image2" or kind.endswith("_pipe"):
        if _shows_picture(container):
            raise ClipError(f"{path} is a picture, not a clip.", "Are the photo and the clip swapped?")
        if _is_animated_webp(path):
            raise ClipError(
                f"{path} is an animated WebP picture, which cannot be read as a clip.",
                "Convert it to MP4 or GIF.",
            )
        raise ClipError(
            f"The clip {path} cannot be read as a video: it has the ending of a picture, but is none.", HINT
        )
    if set(kind.split(",")) & set(NO_CLIPS):
        raise ClipError(f"The clip {path} cannot be read as a video: it is text.", HINT)
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise ClipError(
            f"The clip {path} has no video in it, only {_contents(container)}.",
            "Choose a file with moving pictures.",
        )
    stream = streams[0]
    stream.thread_type = "AUTO"
    return stream


def _shows_picture(container: av.container.InputContainer) -> bool:
    """Whether something is drawn: a file's ending alone may have made it a picture."""
    with suppress(av.FFmpegError):
        return any(True for _ in container.decode(video=0))
    return False


def _is_animated_webp(path: Path) -> bool:
    """By the flag in the header of the extended format; FFmpeg reads only WebP pictures that stand still."""
    with suppress(OSError), path.open("rb") as file:
        head = file.read(21)
        return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20:21] and head[20] & 2)
    return False


def _contents(container: av.container.InputContainer) -> str:
    return (
        " and ".join(sorted({"sound" if s.type == "audio" else s.type for s in container.streams}))
        or "nothing"
    )


def _require_whole(stream: av.VideoStream, path: Path) -> None:
    """Containers with an index say where their last byte should be."""
    needed = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    present = path.stat().st_size
    if needed > present:
        raise ClipError(
            f"The clip {path} is cut short: {present} of at least {needed} bytes are there.",
            "Copy or download it again.",
        )


def _shown_size(stream: av.VideoStream, first: av.VideoFrame | None) -> tuple[int, int]:
    """Width and height once turned upright and with square pixels."""
    if first is None:
        raise ClipError(
            f"The clip {stream.container.name} has no frame that can be decoded.", "Copy or convert it again."
        )
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = max(1, round(first.width * aspect)), first.height
    if width * height > LARGEST:
        message = (
            f"The clip {stream.container.name} has pictures of {width} x {height} pixels, which is too large."
        )
        raise ClipError(message, "Convert it to 1920 x 1080 or less.")
    return (height, width) if first.rotation % 180 else (width, height)


def _upright(frame: av.VideoFrame, width: int, height: int) -> Image:
    """RGB of the size the clip has, whatever this frame's own size is."""
    turns = round(frame.rotation / 90) % 4
    if turns % 2:
        width, height = height, width
    image = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(image, turns))


def require_clip_output(path: Path, alpha: bool = False) -> None:
    """Raise OutputError unless a clip, or one with transparent pictures, can be written to ``path``."""
    require_writable(path)
    suffix = path.suffix.lower()
    if alpha and suffix in SUFFIXES and suffix not in TRANSPARENT:
        message = f"The output {path} cannot be transparent."
        raise OutputError(message, f"Use one of {' '.join(TRANSPARENT)}, or another background.")
    endings = TRANSPARENT if alpha else SUFFIXES
    if suffix not in endings:
        raise OutputError(
            f"The output {path} has an ending that cannot be written.", f"Use one of {' '.join(endings)}."
        )


def _set_pictures(stream: av.VideoStream, size: tuple[int, int], pixels: str = "yuv420p") -> None:
    """What all pictures written here are: (width, height), planes that every player knows, and how colours became those planes."""
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
    """Writes a clip, H.264 (yuv420p) unless it may be transparent, that appears at ``path`` only when it is complete.

    Until then it is a hidden file beside it, which is removed on any error and on Ctrl-C: the output is whole or absent, and a
    file that was there before is replaced only by a whole one. Use it as a context manager.

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
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._even = (size[0] + size[0] % 2, size[1] + size[1] % 2)
        try:
            self._part.touch()  # shows at once whether the folder can be written; FFmpeg opens the file with the first picture
            suffix = self.path.suffix.lower()
            kind, codec, pixels, quality = (
                TRANSPARENT[suffix] if alpha else (SUFFIXES[suffix], "libx264", "yuv420p", QUALITY)
            )
            options = {"plays": "0"} if kind == "apng" else {"movflags": "faststart"}
            self._container = av.open(f"file:{self._part}", "w", format=kind, options=options)
            stream = self._container.add_stream(codec, rate=fps, options=quality)
            assert isinstance(stream, av.VideoStream)
            self._stream = stream
            _set_pictures(self._stream, self._even, pixels)
            if kind == "apng":
                sound_from = None
            self._sound = _Sound(sound_from, self._container) if sound_from and sound_from.has_sound else None
        except (av.FFmpegError, OSError) as problem:
            with suppress(OSError):
                self._part.unlink()
            raise self._failed(problem) from None

    def write(self, image: Image, time: Fraction) -> None:
        """Add a picture of the promised size, shown ``time`` seconds after the start; times must grow."""
        rows, columns = self._even[1] - image.shape[0], self._even[0] - image.shape[1]
        if rows or columns:
            image = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format=self._pixels)
        frame.time_base = Fraction(1, TICKS)
        frame.pts = round(time * TICKS)
        try:
            if self._sound:
                self._sound.write_until(time)
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
            if self._sound:
                self._sound.close()
            with suppress(av.FFmpegError, OSError):
                self._container.close()
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            self._container.mux(self._stream.encode(None))
            if self._sound:
                self._sound.write_until(None)
            self._container.close()
            self._part.replace(self.path)
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def _failed(self, problem: Exception) -> OutputError:
        return OutputError(
            f"The output {self.path} cannot be written: {reason(problem)}.",
            "Free some space or name another folder.",
        )


class LiveWriter:
    """Writes an H.264 clip (yuv420p) while it happens: what was written up to a second ago stays playable, however it ends.

    Args:
        path: ends in one of ``SUFFIXES``; there must be no such file yet.
        fps: pictures a second, about.
        size: (width, height), even numbers.

    Raises:
        OutputError: the file is there already or cannot be written; also from ``write`` when the disk is full.
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
                f"There is a file {self.path} already.", "Name another one; nothing is overwritten."
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
        context.gop_size = fps
        context.thread_count = 1
        self._length = TICKS // fps
        self._last = -1

    def write(self, planes: Image, seconds: float) -> None:
        """Add a picture as I420 planes, (height * 3 / 2, width), shown ``seconds`` after the first; two at one time are spread."""
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.time_base = Fraction(1, TICKS)
        frame.pts = self._last = max(round(seconds * TICKS), self._last + 1)
        frame.duration = self._length
        try:
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, OSError) as problem:
            raise self._failed(problem) from None

    def close(self) -> None:
        """Finish the file. Raises OutputError if that fails, which leaves it playable. A clip without pictures is removed."""
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
            f"The recording {self.path} cannot be written: {reason(problem)}.",
            "Free some space or name another folder.",
        )


class _Sound:
    """The sound track of a clip on its way into another: copied where the container takes it, else made AAC."""

    def __init__(self, clip: Clip, output: av.container.OutputContainer) -> None:
        self._input = _open(clip.path)
        self._output = output
        source = self._input.streams.audio[0]
        pictures = self._input.streams.video[0]
        offset = (pictures.start_time or 0) * (pictures.time_base or Fraction(0))
        webm = output.format.name == "webm"
        self._copied = not webm and source.codec_context.codec.canonical_name in COPIED_SOUND
        if self._copied:
            self._stream = output.add_stream_from_template(source)
        else:
            rate = 48_000 if webm else source.codec_context.sample_rate
            self._stream = output.add_stream("libopus" if webm else "aac", rate=rate)
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
        for packet in self._input.demux(source):
            if packet.dts is None or packet.pts is None:
                continue
            shift = round(offset / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._stream
            yield packet

    def _encode(self, source: av.AudioStream, offset: Fraction) -> Iterator[av.Packet[av.AudioStream]]:
        context = self._stream.codec_context
        resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=context.sample_rate)
        for frame in self._input.decode(source):
            if frame.pts is not None and frame.time_base:
                frame.pts -= round(offset / frame.time_base)
            for piece in resampler.resample(frame):
                yield from self._stream.encode(piece)
        for piece in resampler.resample(None):
            yield from self._stream.encode(piece)
        yield from self._stream.encode(None)


def _seconds(packet: av.Packet[av.AudioStream]) -> Fraction:
    return (packet.pts or 0) * (packet.time_base or Fraction(0))
