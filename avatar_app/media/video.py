"""Read clips and streams.

Every frame keeps its time stamp from the clip that is read to the one that is written, so a clip with a
variable frame rate stays in sync with its sound, and the number of frames never changes.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame

from avatar_app.errors import ClipError, PortraitError
from avatar_app.files import reason, require_readable
from avatar_app.media.photo import animated_kind, read_frame
from avatar_app.text import Text
from avatar_app.types import Image

READ = (
    "mov matroska avi mpegts mpeg mpegvideo m4v h264 hevc av1 obu ivf vvc gif apng flv live_flv asf ogg "
    "mjpeg nut mxf wtv dv rm swf yuv4mpegpipe h261 h263 vc1 cavsvideo dirac gxf nsv smk bink roq flic"
)
"""FFmpeg's names of containers that may be clips. It knows 350 more, among them lists of other files and
addresses (concat, hls, vobsub), which it opens before they can be refused, and would wait for a named pipe
for ever.
"""

SOUND_ONLY = "aac ac3 eac3 aiff amr au caf flac mp3 wav w64 wv"
"""Sound formats, opened to report that they hold no pictures."""

STANDS = 3
"""Number of consecutive frames without a later time that count as a stopped clock; a few at one time are
shown in quick succession.
"""

HINT = Text("It must be a video such as .mp4, .mov, .webm or .gif; copy or convert it again.")

TRANSPORT = {"rtsp_transport": "tcp", "overrun_nonfatal": "1"}  # UDP too fast for us loses packets, no more
NETWORK = "tcp,udp,rtp,srtp,tls,http,https,httpproxy,crypto,data,rtmp,rtmps,rtmpt,rtmpts,srt"
"""Protocols of streams: a server's list must not name files of this computer."""

LARGEST = 8192 * 8192
"""Limit of pixels in a frame; a few bytes can declare gigabytes of them."""

LONG_WAY = 5
"""Seconds into a clip from which seeking is used."""

LONGEST_GAP = 24 * 3600
"""Longest time between two frames in seconds; a clock with a longer step is broken."""


class PictureGiven(ClipError):
    """A picture was given instead of a clip."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A source of sound.

    Attributes:
        path: a clip or a sound file.
        start: position, in seconds after the source's first picture or its beginning, of the sound that
            belongs to the first picture written.
        whole: it is all of the sound of all the pictures: the part after the last one stays too.
    """

    path: Path
    start: Fraction = Fraction(0)
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """An opened video file.

    Attributes:
        width, height: of the pictures as shown: turned upright, pixels square.
        fps: frames per second on average.
        frame_count: as the file declares it, for progress bars; ``frames`` may give another number.
        has_sound: whether there is a sound track.
        start, end: seconds after the first frame; the clip is only this part of the file.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frame_count: int
    has_sound: bool
    start: Fraction = Fraction(0)
    end: Fraction | None = None

    @property
    def sound(self) -> Sound | None:
        """The clip's sound, from ``start`` on."""
        return Sound(self.path, self.start, whole=self.end is None) if self.has_sound else None

    def part(self, start: Fraction, end: Fraction | None) -> Clip:
        """Return the clip from ``start`` up to ``end``, seconds of this one."""
        seconds = Fraction(self.frame_count) / self.fps
        rest = max(Fraction(0), (seconds if end is None else min(end, seconds)) - start)
        count = max(1, round(rest * self.fps)) if self.frame_count else 0
        return replace(self, start=self.start + start, end=end, frame_count=count)

    def frames(self) -> Iterator[Image]:
        """Yield the pictures in the order shown, (height, width, 3).

        Raises ClipError if the file is damaged.
        """
        return (image for image, _ in self.timed_frames())

    def timed_frames(self) -> Iterator[tuple[Image, Fraction]]:
        """Yield each picture and its time in seconds after the first.

        Times always grow.
        """
        count, clock, first = 0, _Clock(1 / self.fps), None
        try:
            with open_file(self.path) as container:
                for frame in _from(_picture_stream(container, self.path), self.start):
                    count += 1
                    time = None if frame.pts is None or not frame.time_base else frame.pts * frame.time_base
                    moment = clock.read(time)
                    if moment < self.start:
                        continue
                    if self.end is not None and moment >= self.end:
                        break
                    first = moment if first is None else first
                    yield _upright(frame, self.width, self.height), moment - first
        except av.FFmpegError as problem:
            message = Text("The clip {} is damaged after frame {}: {}.", self.path, count, reason(problem))
            raise ClipError(message, Text("Copy it again, or cut it there.")) from None
        if count == 0:
            raise ClipError(
                Text("The clip {} has no frame that can be decoded.", self.path),
                Text("Copy or convert it again."),
            )
        if first is None:
            seconds = float(self.start), float(self.end if self.end is not None else math.inf)
            start, end = (f"{value:g}" for value in seconds)
            raise ClipError(
                Text("The clip {} is over before second {}.", self.path, start)
                if self.end is None
                else Text("The clip {} has no frame from second {} to {}.", self.path, start, end),
                Text("Choose another part with --start and --end."),
            )


def _from(stream: av.VideoStream, start: Fraction) -> Iterator[VideoFrame]:
    """Yield all frames, or the first and those from the key frame before ``start``.

    Clips without an index are decoded from their beginning: seeking in them may miss.
    """
    container = stream.container
    assert isinstance(container, av.container.InputContainer)
    frames = container.decode(stream)
    if start < LONG_WAY or not len(stream.index_entries):
        yield from frames
        return
    first = next(frames, None)
    if first is None:
        return
    yield first
    if first.pts is not None and stream.time_base:
        container.seek(first.pts + math.floor(start / stream.time_base), stream=stream)
        frames = (frame for frame in container.decode(stream) if frame.pts is None or frame.pts > first.pts)
    yield from frames


def read_clip(path: str | Path) -> Clip:
    """Open a clip: any moving picture that FFmpeg reads.

    Raises ClipError if it is missing, cut short or no video.
    """
    path = Path(path)
    require_readable(path, Text("clip"), ClipError)
    try:
        with open_file(path) as container:
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
                sound_stream(container) is not None,
            )
    except av.FFmpegError as problem:
        raise _no_clip(path, problem) from None


def _no_clip(path: Path, problem: av.FFmpegError) -> ClipError:
    with suppress(PortraitError):
        read_frame(path)
        if kind := animated_kind(path):
            message = Text("{} is an animated {} picture, which cannot be read as a clip.", path, kind)
            return ClipError(message, Text("Convert it to MP4 or GIF."))
        return PictureGiven(
            Text("{} is a picture, not a clip.", path), Text("Are the photo and the clip swapped?")
        )
    why = "it is of no kind that is known" if problem.errno == errno.EINVAL else reason(problem)
    return ClipError(Text("The clip {} cannot be read as a video: {}.", path, why), HINT)


def open_file(path: Path) -> av.container.InputContainer:
    """Open this file and nothing else, whatever its name or content refers to."""
    return av.open(
        f"file:{path}",
        options={
            "protocol_whitelist": "file",
            "format_whitelist": ",".join(f"{READ} {SOUND_ONLY}".split()),
            "max_pixels": str(LARGEST),
        },
        metadata_errors="replace",
    )


def _picture_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise ClipError(
            Text("The clip {} has no video in it, only {}.", path, _contents(container)),
            Text("Choose a file with moving pictures."),
        )
    stream = streams[0]
    if stream.codec_context is None:
        raise ClipError(Text("The clip {} has pictures of a kind that cannot be decoded.", path), HINT)
    _require_modest(path, stream.codec_context.width, stream.codec_context.height)
    stream.thread_type = "AUTO"
    _bound(stream)
    return stream


def _require_modest(path: str | Path, width: int, height: int) -> None:
    """Raise ClipError for pictures of more than ``LARGEST`` pixels."""
    if width * height > LARGEST:
        raise ClipError(
            Text("The clip {} has pictures of {} x {} pixels, which is too large.", path, width, height),
            Text("Convert it to 1920 x 1080 or less."),
        )


def _bound(stream: av.VideoStream) -> None:
    """Make the decoder refuse pictures of more than ``LARGEST`` pixels.

    Before it allocates memory for them.
    """
    stream.codec_context.options = {"max_pixels": str(LARGEST)}


class _Clock:
    """Times of frames that always grow, whatever the clip's own clock does.

    Args:
        step: seconds that a frame is shown if the clock does not say.
    """

    def __init__(self, step: Fraction) -> None:
        self._step = step
        self._start: Fraction | None = None
        self._before: Fraction | None = None
        """``_start`` of the previous clock, for one frame after a change."""
        self._last = Fraction(0)
        self._standing = 0

    def read(self, time: Fraction | None) -> Fraction:
        """Return seconds since the first frame, for a frame with the clip's time stamp.

        ``time`` is None if it has no time stamp.
        """
        if self._start is None:
            self._start = time or Fraction(0)
            return self._last
        time = self._start + self._last + self._step if time is None else time
        passed = time - self._start - self._last
        if self._before is not None:  # a single frame had a wrong time
            as_before = time - self._before - self._last
            if 0 < as_before < passed:
                self._start, passed = self._before, as_before
            self._before = None
        self._standing = 0 if passed > 0 else self._standing + 1
        if passed > LONGEST_GAP or passed < -2 * self._step or self._standing >= STANDS:
            # Another clock from here on, as in joined clips.
            self._before, self._start, passed = self._start, time - self._last - self._step, self._step
        self._last += max(passed, Fraction(1, 100_000))
        return self._last


def sound_stream(container: av.container.InputContainer) -> av.AudioStream | None:
    """Return the first sound track that can be decoded."""
    for stream in container.streams.audio:
        with suppress(
            AttributeError, ValueError, av.FFmpegError
        ):  # PyAV has no context for a codec that FFmpeg does not know
            if (
                stream.codec_context is not None
                and stream.codec_context.codec.name
                and stream.codec_context.sample_rate > 0
            ):
                return stream
    return None


def _contents(container: av.container.InputContainer) -> str:
    return (
        " and ".join(sorted({"sound" if s.type == "audio" else s.type for s in container.streams}))
        or "nothing"
    )


def _require_whole(stream: av.VideoStream, path: Path) -> None:
    """Raise ClipError if a container ends before the last byte that its index names."""
    needed = max((entry.pos + entry.size for entry in stream.index_entries), default=0)
    present = path.stat().st_size
    if needed > present:
        raise ClipError(
            Text("The clip {} is cut short: {} of at least {} bytes are there.", path, present, needed),
            Text("Copy or download it again."),
        )


def _shown_size(stream: av.VideoStream, first: VideoFrame | None) -> tuple[int, int]:
    """Return width and height once turned upright and with square pixels."""
    if first is None:
        raise ClipError(
            Text("The clip {} has no frame that can be decoded.", stream.container.name),
            Text("Copy or convert it again."),
        )
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width, height = max(1, round(first.width * aspect)), first.height
    _require_modest(stream.container.name, width, height)
    return (height, width) if first.rotation % 180 else (width, height)


def _upright(frame: VideoFrame, width: int, height: int) -> Image:
    """Convert to upright RGB of the clip's size, whatever this frame's own size is."""
    turns = round(frame.rotation / 90) % 4
    if turns % 2:
        width, height = height, width
    image = frame.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(image, turns))


Picture = VideoFrame
"""A frame as decoded."""


class NetworkStream:
    """Pictures that FFmpeg reads from an address, such as RTSP. Belongs to one thread.

    Args:
        opening, silence: seconds to wait for the first answer, and for each further one.

    Raises:
        OSError: no answer, or no video stream; also from ``read`` when there will be no more.
    """

    def __init__(self, url: str, opening: float, silence: float) -> None:
        options = {"max_pixels": str(LARGEST), "protocol_whitelist": NETWORK} | TRANSPORT
        patience = opening, silence
        try:
            self._container = av.open(url, options=options, timeout=patience, metadata_errors="replace")
        except av.FFmpegError as problem:
            raise OSError(reason(problem)) from None
        try:
            stream = self._container.streams.video[0]
            stream.thread_type = "SLICE"  # frame threads would delay pictures
            _bound(stream)
        except (IndexError, AttributeError):
            self._container.close()
            raise OSError("there is no video in it") from None
        self._frames = self._container.decode(stream)

    def read(self) -> Picture:
        """Wait for the next frame, as decoded."""
        try:
            return next(self._frames)
        except (StopIteration, av.FFmpegError):
            raise OSError("the stream has ended") from None

    def close(self) -> None:
        """Close the connection."""
        self._container.close()


def rgb(frame: Picture) -> Image:
    """Convert a decoded frame to (H, W, 3)."""
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
