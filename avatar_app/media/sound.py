"""Copy or encode sound from one file into another."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from avatar_app.errors import ClipError
from avatar_app.files import reason, require_readable
from avatar_app.media.video import Sound, open_file, sound_stream
from avatar_app.text import Text

COPIED = ("aac", "mp3", "ac3", "eac3", "alac")
"""Codecs that mp4, mov and mkv take and common players play there; any other becomes AAC."""

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
"""Sample rates that AAC supports; any other becomes 48,000."""

OPUS_RATE = 48_000


def read_sound(path: Path) -> Sound:
    """Return the sound of a file for other pictures. Raises ClipError if it has none."""
    require_readable(path, Text("sound file"), ClipError)
    try:
        with open_file(path) as container:
            stream = sound_stream(container)
            found = stream is not None and next(container.decode(stream), None) is not None
    except av.FFmpegError as problem:
        raise ClipError(
            Text("The sound file {} cannot be read: {}.", path, reason(problem)),
            Text("Use WAV, MP3, FLAC, M4A or a clip."),
        ) from None
    if not found:
        raise ClipError(Text("There is no sound in {}.", path), Text("Name a file that can be heard."))
    return Sound(path)


class SoundTrack:
    """The sound of a file on its way into another.

    Copied if the container takes it, else encoded.

    Args:
        codec: used if it cannot be copied.
    """

    def __init__(self, sound: Sound, output: av.container.OutputContainer, codec: str) -> None:
        self._input = open_file(sound.path)
        self._output, self._sound = output, sound
        source = sound_stream(self._input)
        if source is None:
            raise ValueError(f"{sound.path} has no sound")
        offset = self._begin() + sound.start
        copied = codec == "aac" and source.codec_context.codec.canonical_name in COPIED
        if copied:
            self._stream = output.add_stream_from_template(source)
        else:
            rate = OPUS_RATE if codec == "libopus" else source.codec_context.sample_rate
            made = output.add_stream(codec, rate=rate if rate in AAC_RATES else 48_000)
            assert isinstance(made, av.AudioStream)
            self._stream = made
            self._stream.codec_context.layout = (
                "mono" if source.codec_context.layout.nb_channels == 1 else "stereo"
            )
        self._packets = self._copy(source, offset) if copied else self._encode(source, offset)
        self._waiting: av.Packet[av.AudioStream] | None = None

    def write_until(self, time: Fraction) -> None:
        """Write the sound up to ``time`` in seconds."""
        self._write(time)

    def finish(self, time: Fraction) -> None:
        """Write the rest: up to the end of the pictures, or all of it.

        All if the sound belongs to the pictures.
        """
        self._write(None if self._sound.whole else time)

    def close(self) -> None:
        self._input.close()

    def _write(self, time: Fraction | None) -> None:
        while True:
            if self._waiting is None:
                self._waiting = next(self._packets, None)
            if self._waiting is None or (time is not None and _seconds(self._waiting) >= time):
                return
            self._output.mux(self._waiting)
            self._waiting = None

    def _begin(self) -> Fraction:
        """Return the time of the first picture, or the sound's beginning without pictures."""
        pictures = self._input.streams.video
        moving = [s for s in pictures if not s.disposition & av.stream.Disposition.attached_pic]
        if not moving:
            return Fraction(self._input.start_time or 0, av.time_base)
        return (moving[0].start_time or 0) * (moving[0].time_base or Fraction(0))

    def _copy(self, source: av.AudioStream, offset: Fraction) -> Iterator[av.Packet[av.AudioStream]]:
        last, shift = None, 0
        for packet in self._input.demux(source):
            if packet.dts is None or packet.pts is None:
                continue
            first = round(offset / packet.time_base)
            if (
                last is not None and packet.dts - first + shift <= last
            ):  # the clock stops or goes back, as in joined clips
                shift = last + max(packet.duration or 0, 1) - (packet.dts - first)
            packet.pts, packet.dts = packet.pts - first + shift, packet.dts - first + shift
            last = packet.dts
            if packet.pts < 0 and self._sound.start:
                continue
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
            ):  # its format changes
                resampler = av.AudioResampler(format="fltp", layout=context.layout, rate=rate)
            kind = frame.format.name, frame.layout.name, frame.sample_rate
            if (
                passed is None
            ):  # samples are counted from here on: the clock of a joined clip restarts in the middle
                begin = (
                    frame.pts * frame.time_base - offset
                    if frame.pts is not None and frame.time_base
                    else Fraction(0)
                )
                passed = round(begin * rate)
            frame.pts = None
            for piece in resampler.resample(frame):
                early = -passed if self._sound.start else 0
                passed += piece.samples
                if early < piece.samples:
                    kept = later(piece, early) if early > 0 else piece
                    kept.pts, kept.time_base = passed - kept.samples, Fraction(1, rate)
                    yield from self._stream.encode(kept)
        yield from self._stream.encode(None)


def later(piece: av.AudioFrame, samples: int) -> av.AudioFrame:
    """Return a piece without its first ``samples``; planes of floats."""
    rest = np.ascontiguousarray(piece.to_ndarray()[:, samples:], np.float32)
    frame = av.AudioFrame.from_ndarray(rest, format=piece.format.name, layout=piece.layout.name)
    frame.sample_rate = piece.sample_rate
    return frame


def _seconds(packet: av.Packet[av.AudioStream]) -> Fraction:
    return (packet.pts or 0) * (packet.time_base or Fraction(0))
