"""The messages of the protocol ``avatar-remote.1``.

A message is one binary WebSocket message: a byte for its kind, then its fields in MessagePack. Readers ignore
unknown fields and kinds, so later versions can add both. There is no message for camera frames.

client: hello -> photo -> pose, pose, seen, pose ...  server: welcome -> scene, ready -> picture, dropped ...
both: ping, pong, error, going away
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

PROTOCOL = "avatar-remote.1"
LARGEST_MESSAGE, LARGEST_PHOTO = 1 << 20, 8 << 20
"""Limits in bytes: of any message, of one with a photo or a scene."""

POLICY, TOO_MANY = 1008, 1013
"""WebSocket close codes: protocol violation; try again later."""

Rectangle = tuple[int, int, int, int]
"""Left, top, right and bottom, as an ``Area``."""


class MalformedMessage(Exception):
    """The other side sent something that the protocol does not allow."""


class Hello(msgspec.Struct, frozen=True):
    """The client's request: model, picture formats, pictures a second.

    Attributes:
        digest: identifies the model's files; empty for whatever the server has under that name.
        layers: the client takes the person alone, and the scene once.
        sees: the client confirms each picture.
    """

    version: str
    model: str
    digest: str = ""
    codecs: list[str] = []
    fps: int = 30
    layers: bool = False
    sees: bool = False


class Welcome(msgspec.Struct, frozen=True):
    """The server's answer.

    Attributes:
        milliseconds: its measured time for a picture.
        heartbeat: in seconds.
        paces: it sends no more pictures than the client confirms, so every pose may be sent.
    """

    engine: str
    size: int
    reads_pictures: bool
    codec: str
    milliseconds: float
    heartbeat: float
    paces: bool = False


class Around(msgspec.Struct, frozen=True):
    """The photo around its square, a JPEG file; see ``Surroundings``."""

    image: bytes
    corner: tuple[int, int]
    photo: Rectangle


class Photo(msgspec.Struct, frozen=True):
    """The avatar's photo: a PNG of the model's size.

    With its landmarks (88, 3) and expression (24,) as float32, if it has any.

    Attributes:
        others: landmarks of each other person in the photo, who stays in the background.
    """

    avatar: int
    png: bytes
    landmarks: bytes | None = None
    others: list[bytes] = []
    expression: bytes | None = None
    around: Around | None = None


class Ready(msgspec.Struct, frozen=True):
    """The photo is encoded; with its own key points."""

    avatar: int
    points: Mapping[str, bytes]


class Pose(msgspec.Struct, frozen=True):
    """Key points to render.

    Attributes:
        number: goes up by one.
        sent: the client's clock in microseconds.
        area: wanted part of the scene; without one the whole square, before its background.
    """

    number: int
    sent: int
    avatar: int
    points: Mapping[str, bytes]
    area: Rectangle | None = None


class PictureMessage(msgspec.Struct, frozen=True):
    """A rendered pose.

    Attributes:
        queued, rendered: the server's milliseconds.
        key: true for a key frame.
        codec: empty for the welcome's.
        alpha, corner: of a layer; see ``Layer``.
    """

    number: int
    sent: int
    queued: float
    rendered: float
    key: bool
    data: bytes
    codec: str = ""
    alpha: bytes = b""
    corner: tuple[int, int] = (0, 0)


class Dropped(msgspec.Struct, frozen=True):
    """Poses that were replaced by a newer one before they were rendered."""

    first: int
    last: int


class KeyFrame(msgspec.Struct, frozen=True):
    """The client lost a picture and cannot decode before the next key frame."""


class Ping(msgspec.Struct, frozen=True):
    """Sent once a heartbeat; after three missed ones the connection counts as dead.

    ``moment`` comes back in a `Pong`.
    """

    moment: int = 0


class Problem(msgspec.Struct, frozen=True):
    """An error in English, and what to do.

    ``avatar`` is set if it is about that photo only.
    """

    code: str
    text: str
    hint: str = ""
    avatar: int | None = None


class GoingAway(msgspec.Struct, frozen=True):
    """The server ends in this many seconds: connect to another."""

    seconds: float


class SceneMessage(msgspec.Struct, frozen=True):
    """An avatar's scene, before its `Ready`; see ``Scene``.

    Two JPEG files, and the person's alpha as a PNG.
    """

    avatar: int
    colours: bytes
    alpha: bytes
    background: bytes
    corner: tuple[int, int]
    head: tuple[float, float]
    ends: tuple[float | None, float | None]
    photo: Rectangle


class PictureSeen(msgspec.Struct, frozen=True):
    """Confirms the picture of this number at once."""

    number: int


class Pong(msgspec.Struct, frozen=True):
    """The immediate answer to a `Ping`."""

    moment: int


Message = (
    Hello
    | Welcome
    | Photo
    | Ready
    | Pose
    | PictureMessage
    | Dropped
    | KeyFrame
    | Ping
    | Problem
    | GoingAway
    | SceneMessage
    | PictureSeen
    | Pong
)
"""New kinds go to the end: the position is the kind's number."""

_KINDS: tuple[Any, ...] = get_args(Message)
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS, 1)}
_LARGE = _NUMBERS[Photo], _NUMBERS[SceneMessage]
_DECODERS = {number: msgspec.msgpack.Decoder(kind) for number, kind in enumerate(_KINDS, 1)}
_ENCODER = msgspec.msgpack.Encoder()


def pack(message: Message) -> bytes:
    """Return the message as bytes."""
    return bytes([_NUMBERS[type(message)]]) + _ENCODER.encode(message)


def unpack(data: bytes | str) -> Message | None:
    """Read a message; None for an unknown kind.

    Raises:
        MalformedMessage: it is text, empty, too large, or a field is missing or of a wrong type.
    """
    if isinstance(data, str) or not data:
        raise MalformedMessage("not a binary message")
    if len(data) > (LARGEST_PHOTO if data[0] in _LARGE else LARGEST_MESSAGE):
        raise MalformedMessage(f"a message of {len(data)} bytes")
    decoder = _DECODERS.get(data[0])
    if decoder is None:
        return None
    try:
        message: Message = decoder.decode(memoryview(data)[1:])
    except (msgspec.DecodeError, RecursionError) as problem:
        raise MalformedMessage(str(problem)) from None
    return message
