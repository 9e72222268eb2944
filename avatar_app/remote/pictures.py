"""Pictures on the wire: JPEG where the network is fast, H.264 where it is not."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np

from avatar_app.media.h264 import H264Decoder, H264Encoder
from avatar_app.remote.messages import MalformedMessage
from avatar_app.types import Image

CODECS = ("jpeg", "h264")
"""In the order of preference on a fast network."""

QUALITY = 85
BITS = 2_000_000
"""H.264's bits a second at 512 pixels and 30 fps."""


class Encoder(Protocol):
    """Turns the pictures of one session into bytes, in their order."""

    def encode(self, picture: Image, key: bool) -> tuple[bytes, bool]:
        """The bytes, and whether they can be decoded without those before.

        ``key`` asks for that.
        """

    def close(self) -> None: ...


class Decoder(Protocol):
    """The inverse of ``Encoder``."""

    def decode(self, data: bytes) -> Image:
        """Raises MalformedMessage if the bytes are damaged."""

    def close(self) -> None: ...


def open_encoder(codec: str, size: int, fps: int) -> Encoder:
    return H264Pictures(size, fps) if codec == "h264" else JpegPictures()


def open_decoder(codec: str) -> Decoder:
    return H264Frames() if codec == "h264" else JpegPictures()


class JpegPictures:
    """Each picture for itself."""

    def encode(self, picture: Image, key: bool) -> tuple[bytes, bool]:
        _, data = cv2.imencode(
            ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
        )
        return data.tobytes(), True

    def decode(self, data: bytes) -> Image:
        if data[:2] != b"\xff\xd8":
            raise MalformedMessage("the picture is not a JPEG file")
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise MalformedMessage("the picture is damaged")
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)

    def close(self) -> None:
        pass


class H264Pictures:
    """Each picture as the change since the last one.

    A key frame where one is asked for.
    """

    def __init__(self, size: int, fps: int) -> None:
        self._encoder = H264Encoder(size, size, fps, int(BITS * (size / 512) ** 2 * fps / 30))

    def encode(self, picture: Image, key: bool) -> tuple[bytes, bool]:
        return self._encoder.encode(picture, key)

    def close(self) -> None:
        self._encoder.close()


class H264Frames:
    """The client's side of ``H264Pictures``."""

    def __init__(self) -> None:
        self._decoder = H264Decoder()

    def decode(self, data: bytes) -> Image:
        try:
            return self._decoder.decode(data)
        except ValueError as problem:
            raise MalformedMessage(str(problem)) from None

    def close(self) -> None:
        self._decoder.close()
