"""Generate tiny clips and photos."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from avatar_app.outputs.i420 import Outgoing, to_planes
from avatar_app.types import Image


def picture(width: int = 96, height: int = 64, shade: int = 0) -> Image:
    """Red grows to the right, green downwards, blue is ``shade``.

    This reveals rotated, mirrored or swapped channels.
    """
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 255, width)[None]
    image[..., 1] = np.linspace(0, 255, height)[:, None]
    image[..., 2] = shade
    return image


def outgoing(image: Image) -> Outgoing:
    """This picture, of even sides, as outgoing planes."""
    return Outgoing(to_planes(image), 0.0)


def make_clip(
    path: Path,
    count: int = 5,
    *,
    size: tuple[int, int] = (96, 64),
    fps: Fraction | int = 25,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[float] | None = None,
    turned: int = 0,
    sound: str | None = None,
    seconds: float = 0.5,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip whose frame ``i`` is ``picture(shade=8 * i)``.

    Args:
        times: seconds at which each frame is shown; None for even steps.
        turned: degrees counter-clockwise by which a player has to rotate the pictures.
        sound: codec of a tone of ``seconds``, or None.
    """
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=fps)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000) if times else 1 / Fraction(fps)
        if turned:
            stream.set_display_rotation(turned)
        tone = container.add_stream(sound, rate=48_000) if sound else None
        if isinstance(tone, av.AudioStream):
            tone.codec_context.layout = "mono"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(picture(*size, shade=8 * index % 256), format="rgb24")
            frame.pts = round(times[index] * 1000) if times else index
            frame.time_base = stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if isinstance(tone, av.AudioStream):
            _add_tone(container, tone, seconds)
    return path


def _add_tone(container: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    samples = (np.sin(np.arange(round(48_000 * seconds)) * 0.06) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    context = stream.codec_context
    resampler = av.AudioResampler(
        format=context.format, layout="mono", rate=48_000, frame_size=context.frame_size or None
    )
    for piece in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(piece))
    container.mux(stream.encode(None))


def clip_facts(path: Path) -> dict[str, object]:
    """A player's view of a clip: frame times in seconds, size, rate and sound."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stamps = [(frame.pts, frame.time_base) for frame in container.decode(stream)]
        sounds = container.streams.audio
        return {
            "times": [round(float(pts * base), 3) for pts, base in stamps if pts is not None and base],
            "size": (stream.width, stream.height),
            "fps": stream.average_rate,
            "codec": stream.codec_context.name,
            "pixels": stream.codec_context.pix_fmt,
            "sound": sounds[0].codec_context.name if sounds else None,
            "sound_seconds": round(float((sounds[0].duration or 0) * (sounds[0].time_base or 0)), 2)
            if sounds
            else 0.0,
        }
