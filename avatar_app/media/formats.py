"""Output formats by file ending."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from avatar_app.errors import OutputError
from avatar_app.files import require_writable
from avatar_app.text import Text

TICKS = 90_000
"""Time stamps a second."""

SUFFIXES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Endings of recordings, and FFmpeg's name of each container."""

STILL = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Endings of single pictures, and Pillow's name of each kind."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """How FFmpeg writes one kind of clip.

    Attributes:
        container, codec, pixels: FFmpeg's names.
        quality, muxing: options of codec and container.
        sound: codec of sound that cannot be copied; empty: these files have no sound.
        ticks: time stamps a second that the file can hold.
        shortest: least time stamps from one picture to the next; those between are left out.
    """

    container: str
    codec: str
    pixels: str
    quality: Mapping[str, str] = field(default_factory=dict)
    muxing: Mapping[str, str] = field(default_factory=dict)
    sound: str = "aac"
    ticks: int = TICKS
    shortest: int = 0


QUALITY = {"crf": "17", "preset": "faster"}
_VP9 = {"crf": "20", "b": "0", "cpu-used": "4", "row-mt": "1"}
_WEBP = {"quality": "80", "compression_level": "2"}
_ENDLESS = {"loop": "0"}
_STREAMED = {"movflags": "faststart"}
"""The index comes first, so that a player can begin before it has the whole file."""

# Players slow down a GIF whose pictures last less than two hundredths of a second.
_GIF = Encoding("gif", "gif", "pal8", muxing=_ENDLESS, sound="", ticks=100, shortest=2)

OPAQUE = {
    **{
        suffix: Encoding(kind, "libx264", "yuv420p", QUALITY, {} if kind == "matroska" else _STREAMED)
        for suffix, kind in SUFFIXES.items()
    },
    ".webm": Encoding("webm", "libvpx-vp9", "yuv420p", _VP9, sound="libopus"),
    ".gif": _GIF,
    ".webp": Encoding("webp", "libwebp_anim", "yuv420p", _WEBP, _ENDLESS, "", 1000),
    ".png": Encoding("apng", "apng", "rgb24", muxing={"plays": "0"}, sound=""),
}
"""Encodings of clips, by ending."""

TRANSPARENT = {
    ".webm": Encoding("webm", "libvpx-vp9", "yuva420p", _VP9, sound="libopus"),
    ".mov": Encoding("mov", "prores_ks", "yuva444p10le", {"profile": "4444"}, _STREAMED),
    ".png": Encoding("apng", "apng", "rgba", muxing={"plays": "0"}, sound=""),
    ".webp": Encoding("webp", "libwebp_anim", "bgra", _WEBP, _ENDLESS, "", 1000),
    ".gif": _GIF,
}
"""Encodings of clips with transparency. A GIF's pixels are there or not: edges are hard."""


def require_clip_output(path: Path, alpha: bool = False) -> None:
    """Raise OutputError unless a clip can be written to ``path``.

    Args:
        alpha: the clip has transparent pictures.
    """
    _require(path, OPAQUE, TRANSPARENT, alpha)


def require_picture_output(path: Path, alpha: bool = False) -> None:
    """Do the same for a single picture."""
    if path.suffix.lower() in OPAQUE and path.suffix.lower() not in STILL:
        raise OutputError(
            Text("One driving picture gives one picture, not a clip such as {}.", path),
            Text("Use one of {}.", " ".join(STILL)),
        )
    _require(path, STILL, [suffix for suffix, kind in STILL.items() if kind != "JPEG"], alpha)


def require_recording(path: Path) -> None:
    """Do the same for a recording."""
    _require(path, SUFFIXES, (), False)


def _require(path: Path, opaque: Iterable[str], transparent: Iterable[str], alpha: bool) -> None:
    require_writable(path)
    suffix = path.suffix.lower()
    plain, clear = list(opaque), list(transparent)
    if alpha and suffix in plain and suffix not in clear:
        message = Text("The output {} cannot be transparent.", path)
        raise OutputError(message, Text("Use one of {}, or another background.", " ".join(clear)))
    endings = clear if alpha else plain
    if suffix not in endings:
        raise OutputError(
            Text("The output {} has an ending that cannot be written.", path),
            Text("Use one of {}.", " ".join(endings)),
        )
