"""Encode pictures: JPEG if the network is fast, else H.264.

The person's alpha is a picture of its own beside the colours.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from avatar_app.media.h264 import H264Decoder, H264Encoder
from avatar_app.remote.messages import MalformedMessage
from avatar_app.types import Image, Layer

CODECS = ("jpeg", "h264")
"""In the order of preference on a fast network."""

QUALITY, ALPHA_QUALITY = 85, 75
BITS, ALPHA_BITS = 1_900_000, 300_000
"""H.264's bits a second of colours and alpha, for 512 x 512 pixels at 30 fps."""

FEWEST = 100_000
"""Least bits a second: with fewer, even the mean colour of the smallest pictures is wrong."""

PURE = 6
"""Alphas within this distance of 0 or 255 become 0 or 255: a codec's noise there would be a haze."""

_CLEAN = np.arange(256, dtype=np.uint8)
_CLEAN[: PURE + 1], _CLEAN[-PURE - 1 :] = 0, 255

Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded layer.

    Attributes:
        alpha: empty for an opaque square.
        key: it can be decoded without earlier ones.
        corner: of the layer.
    """

    data: bytes
    alpha: bytes
    key: bool
    corner: tuple[int, int]


class Encoder(Protocol):
    """Encodes the layers of one session, in their order."""

    def encode(self, layer: Layer, key: bool) -> Encoded:
        """Encode a layer; with ``key`` so that it can be decoded without earlier ones."""

    def close(self) -> None: ...


class Decoder(Protocol):
    """Decodes the output of an ``Encoder``."""

    def decode(self, data: bytes, alpha: bytes) -> tuple[Image, Plane | None]:
        """Decode colours (h, w, 3) and alpha (h, w).

        Raises MalformedMessage if the bytes are damaged.
        """

    def close(self) -> None: ...


def open_encoder(codec: str, fps: int) -> Encoder:
    return H264Pictures(fps) if codec == "h264" else JpegPictures()


def open_decoder(codec: str) -> Decoder:
    return H264Frames() if codec == "h264" else JpegPictures()


class JpegPictures:
    """Encodes each picture on its own."""

    def encode(self, layer: Layer, key: bool) -> Encoded:
        picture = cv2.cvtColor(layer.image, cv2.COLOR_RGB2BGR)
        alpha = b"" if layer.alpha is None else _jpeg(layer.alpha, ALPHA_QUALITY)
        return Encoded(_jpeg(picture, QUALITY), alpha, True, layer.corner)

    def decode(self, data: bytes, alpha: bytes) -> tuple[Image, Plane | None]:
        picture = _read_jpeg(data, cv2.IMREAD_COLOR_RGB)
        return picture, _fitting(_read_jpeg(alpha, cv2.IMREAD_GRAYSCALE), picture) if alpha else None

    def close(self) -> None:
        pass


class H264Pictures:
    """Encodes each picture as the change since the last one.

    Key frames on request, and when the layer's shape changes.
    """

    def __init__(self, fps: int) -> None:
        self._fps = fps
        self._shape: tuple[int, ...] = ()
        self._colours: H264Encoder | None = None
        self._alpha: H264Encoder | None = None
        self._lock = threading.Lock()  # a session may close while its last picture is still being made
        self._closed = False

    def encode(self, layer: Layer, key: bool) -> Encoded:
        with self._lock:
            if self._closed:
                raise ValueError("the session has ended")
            return self._encode(layer, key)

    def _encode(self, layer: Layer, key: bool) -> Encoded:
        shape = (*layer.image.shape[:2], layer.alpha is not None)
        if self._colours is None or shape != self._shape:
            self._open(shape)
        assert self._colours is not None
        data, is_key = self._colours.encode(layer.image, key)
        if self._alpha is None or layer.alpha is None:
            return Encoded(data, b"", is_key, layer.corner)
        alpha, alpha_is_key = self._alpha.encode(layer.alpha, key)
        return Encoded(data, alpha, is_key and alpha_is_key, layer.corner)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._close()

    def _close(self) -> None:
        for encoder in (self._colours, self._alpha):
            if encoder is not None:
                encoder.close()
        self._colours = self._alpha = None

    def _open(self, shape: tuple[int, ...]) -> None:
        self._close()
        height, width, layered = shape
        part = height * width / 512**2 * self._fps / 30
        # The part above the square is mostly wall and needs no more bits.
        colours, alpha = (max(FEWEST, int(bits * min(part, self._fps / 30))) for bits in (BITS, ALPHA_BITS))
        self._colours = H264Encoder(width, height, self._fps, colours)
        self._alpha = H264Encoder(width, height, self._fps, alpha, gray=True) if layered else None
        self._shape = shape


class H264Frames:
    """The client's side of ``H264Pictures``."""

    def __init__(self) -> None:
        self._colours, self._alpha = H264Decoder(), H264Decoder(gray=True)

    def decode(self, data: bytes, alpha: bytes) -> tuple[Image, Plane | None]:
        try:
            picture = self._colours.decode(data)
            plane = self._alpha.decode(alpha) if alpha else None
        except ValueError as problem:
            raise MalformedMessage(str(problem)) from None
        return picture, None if plane is None else _fitting(plane, picture)

    def close(self) -> None:
        self._colours.close()
        self._alpha.close()


def _jpeg(picture: Any, quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def _read_jpeg(data: bytes, flags: int) -> Image:
    if data[:2] != b"\xff\xd8":
        raise MalformedMessage("the picture is not a JPEG file")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise MalformedMessage("the picture is damaged")
    return np.asarray(picture, np.uint8)


def _fitting(alpha: Plane, picture: Image) -> Plane:
    """Return the alpha without a codec's haze.

    Raises MalformedMessage unless it has the picture's size.
    """
    if alpha.shape != picture.shape[:2]:
        raise MalformedMessage("a picture whose alpha is of another size")
    return np.asarray(cv2.LUT(alpha, _CLEAN), np.uint8)
