"""The messages of the protocol ``avatar-remote.1``.

A message is one binary WebSocket message: a byte that says its kind, then its fields in MessagePack. Fields
that a reader does not know are ignored, and so are kinds, so later versions can add both. Camera frames have
no message.

client: hello -> photo -> pose, pose, pose ...        server: welcome -> ready -> picture, dropped ...
both: ping, error, going away
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, get_args

import msgspec
import numpy as np

from avatar_app.types import KeyPoints, key_points, shape_of_part

PROTOCOL = "avatar-remote.1"
LARGEST_MESSAGE, LARGEST_PHOTO = 1 << 20, 8 << 20
"""Bytes: of any message, of one with a photo."""

MOST_POINTS, FARTHEST = 512, 10.0
"""Key points a pose may have, and the largest coordinate."""

LARGEST_CODE = 1e6
"""Largest number of a code, which has no unit."""


class MalformedMessage(Exception):
    """The other side sent something that the protocol does not allow."""


class Hello(msgspec.Struct, frozen=True):
    """Which model the client wants, which picture formats it can decode, and how many pictures a second it
    needs.

    ``digest`` identifies the model's files; empty for whatever the server has under that name.
    """

    version: str
    model: str
    digest: str = ""
    codecs: list[str] = []
    fps: int = 30


class Welcome(msgspec.Struct, frozen=True):
    """What the server runs.

    ``milliseconds`` is its measured time for a picture; ``heartbeat`` is in seconds.
    """

    engine: str
    size: int
    reads_pictures: bool
    codec: str
    milliseconds: float
    heartbeat: float


class Photo(msgspec.Struct, frozen=True):
    """The avatar's photo.

    PNG of the model's size, and its landmarks (88, 3) as float32, if it has any.

    ``others`` holds those of each other person in the photo, who stay whole.
    """

    avatar: int
    png: bytes
    landmarks: bytes | None = None
    others: list[bytes] = []


class Ready(msgspec.Struct, frozen=True):
    """The photo is encoded; its own key points."""

    avatar: int
    points: Mapping[str, bytes]


class Pose(msgspec.Struct, frozen=True):
    """Key points to render.

    ``number`` goes up by one; ``sent`` is the client's clock in microseconds.
    """

    number: int
    sent: int
    avatar: int
    points: Mapping[str, bytes]


class PictureMessage(msgspec.Struct, frozen=True):
    """A rendered pose.

    ``queued`` and ``rendered`` are the server's milliseconds; ``key`` is true for a key frame.
    """

    number: int
    sent: int
    queued: float
    rendered: float
    key: bool
    data: bytes


class Dropped(msgspec.Struct, frozen=True):
    """Poses that were replaced by a newer one before their turn came."""

    first: int
    last: int


class KeyFrame(msgspec.Struct, frozen=True):
    """The client lost a picture and cannot decode before the next key frame."""


class Ping(msgspec.Struct, frozen=True):
    """Sent once a heartbeat. Three of them missed: the connection is dead."""


class Problem(msgspec.Struct, frozen=True):
    """What went wrong, in English, and what to do.

    ``avatar`` is set if it is about that photo only.
    """

    code: str
    text: str
    hint: str = ""
    avatar: int | None = None


class GoingAway(msgspec.Struct, frozen=True):
    """The server ends in so many seconds: connect elsewhere."""

    seconds: float


Message = (
    Hello | Welcome | Photo | Ready | Pose | PictureMessage | Dropped | KeyFrame | Ping | Problem | GoingAway
)

_KINDS: tuple[Any, ...] = get_args(Message)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS, 1)}
_DECODERS = {number: msgspec.msgpack.Decoder(kind) for number, kind in enumerate(_KINDS, 1)}
_ENCODER = msgspec.msgpack.Encoder()


def pack(message: Message) -> bytes:
    """The message as bytes."""
    return bytes([_NUMBERS[type(message)]]) + _ENCODER.encode(message)


def unpack(data: bytes | str) -> Message | None:
    """Read a message; None for a kind that this version does not know.

    Raises:
        MalformedMessage: it is text, empty, too large, or a field is missing or of a wrong type.
    """
    if isinstance(data, str) or not data:
        raise MalformedMessage("not a binary message")
    if len(data) > LARGEST_MESSAGE and data[0] != _NUMBERS[Photo]:
        raise MalformedMessage(f"a message of {len(data)} bytes")
    decoder = _DECODERS.get(data[0])
    if decoder is None:
        return None
    try:
        message: Message = decoder.decode(memoryview(data)[1:])
    except (msgspec.DecodeError, RecursionError) as problem:
        raise MalformedMessage(str(problem)) from None
    return message


def packed_points(points: KeyPoints) -> dict[str, bytes]:
    """The arrays of key points as float32, little endian, each with its name."""
    arrays = {item.name: getattr(points, item.name) for item in fields(KeyPoints)}
    return {
        name: np.ascontiguousarray(array, "<f4").tobytes()
        for name, array in arrays.items()
        if array is not None
    }


def unpacked_points(data: Mapping[str, bytes]) -> KeyPoints:
    """The inverse of ``packed_points``.

    Raises MalformedMessage for what cannot be a pose.
    """
    known = {item.name for item in fields(KeyPoints)}
    limits = {"code": LARGEST_CODE}
    arrays = {
        name: unpacked_floats(part, limits.get(name, FARTHEST))
        for name, part in data.items()
        if name in known
    }
    count, code = len(arrays.get("value", ())) // 2, len(arrays.get("code", ()))
    if not 0 < count + code <= MOST_POINTS:
        raise MalformedMessage("not a list of key points")
    shaped = {}
    for name, array in arrays.items():
        shape = shape_of_part(name, count, len(array))
        if len(array) != math.prod(shape):
            raise MalformedMessage(f"{name} of {len(array)} numbers for {count} key points")
        shaped[name] = array.reshape(shape)
    return key_points(shaped)


def unpacked_floats(data: bytes, largest: float = FARTHEST) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Bytes as float32.

    Raises MalformedMessage unless all of them are finite and small.
    """
    if len(data) % 4 or len(data) > 64 * MOST_POINTS:
        raise MalformedMessage(f"{len(data)} bytes are not a list of numbers")
    floats = np.frombuffer(data, "<f4").astype(np.float32)
    if not (np.isfinite(floats).all() and np.abs(floats).max(initial=0) < largest):
        raise MalformedMessage("a number that no face has")
    return floats


@dataclass(frozen=True, slots=True)
class PngHeader:
    """What a PNG file says about itself in its first bytes."""

    width: int
    height: int


def png_header(data: bytes) -> PngHeader:
    """Read a PNG's size without decoding it. Raises MalformedMessage if it is no PNG."""
    if len(data) < 24 or data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        raise MalformedMessage("the photo is not a PNG file")
    return PngHeader(*struct.unpack(">II", data[16:24]))
