"""Read network webcams that send JPEG pictures over HTTP (MJPEG).

These are most phone apps and many IP cameras. FFmpeg is not used because it can neither report the camera's
answer nor skip the decoding of pictures that nobody sees.
"""

from __future__ import annotations

import http.client
import re
import socket
from contextlib import suppress
from urllib.parse import SplitResult, quote, urlsplit

import cv2
import numpy as np

from avatar_app.cameras.address import address_title
from avatar_app.cameras.device import prepare_opencv, unreachable
from avatar_app.cameras.live import SILENCE, silent
from avatar_app.cameras.login import login_header
from avatar_app.errors import CameraError
from avatar_app.text import Text
from avatar_app.types import Image

LARGEST_BYTES = 16 << 20
"""Size at which an unfinished picture is dropped."""

LARGEST_PIXELS = 50_000_000
"""Limit of pixels, more than any camera has: a few bytes can declare gigabytes of pixels."""

MOST_PASSES = 16
"""Limit of passes: progressive pictures have about ten over all pixels, and each may take only a few
bytes.
"""

CHUNK = 1 << 16

PATH_HINT = Text("Use the address of its video stream, often ending in /video, /stream or /mjpg/video.mjpg.")

ANSWERS = {
    401: (
        Text("asks for a user name and a password"),
        Text("Write them into the address, as in http://user:password@host/video."),
    ),
    403: (Text("refuses the access"), Text("Check the user name and the password in the address.")),
    404: (Text("has nothing at this path"), PATH_HINT),
    503: (Text("is busy"), Text("Close other programs that watch it, or try again later.")),
}


class MjpegFeed:
    """A webcam at an http:// or https:// address."""

    def __init__(self, url: str) -> None:
        self.title = address_title(url)
        self._url = url
        self._pictures = JpegCutter()
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._socket: socket.socket | None = None

    def open(self) -> None:
        prepare_opencv()
        try:
            parts = urlsplit(self._url)
            if not parts.hostname:
                raise ValueError("the address has no host")
            response = self._ask(parts)
            if response.status == 401:
                challenges = response.headers.get_all("WWW-Authenticate", [])
                login = login_header(parts, _target(parts), challenges)
                if login is not None:
                    response.close()
                    response = self._ask(parts, login)
            self._response = response
        except (OSError, ValueError) as problem:
            raise unreachable(self.title, problem) from None
        except http.client.HTTPException:
            raise CameraError(Text("What answers at {} is not a webcam.", self.title), PATH_HINT) from None
        self._require_stream(self._response)

    def grab(self) -> bytes:
        """Return the newest whole picture received, still compressed."""
        assert self._response is not None
        while True:
            try:
                piece = self._response.read1(CHUNK)
            except TimeoutError:
                raise silent(self.title, SILENCE) from None
            except (OSError, ValueError, http.client.HTTPException):
                piece = b""
            if not piece:
                raise CameraError(
                    Text("The camera {} has ended the connection.", self.title),
                    Text("Check that it is on and in reach."),
                )
            newest = self._pictures.add(piece)
            if newest is not None:
                return newest

    def decode(self, raw: bytes) -> Image | None:
        if raw.count(b"\xff\xda") > MOST_PASSES:
            return None
        with suppress(cv2.error):
            image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR_RGB)
            if image is not None:
                return np.asarray(image, np.uint8)
        return None

    def interrupt(self) -> None:
        if self._socket:
            with suppress(OSError):  # it may be closed already
                self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        for part in (self._response, self._connection):
            if part:
                part.close()

    def _ask(self, parts: SplitResult, login: str | None = None) -> http.client.HTTPResponse:
        """Connect and request the stream.

        The password is sent only to a camera that asks for it.
        """
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        if self._connection is not None:
            self._connection.close()
        self._connection = kind(parts.hostname or "", parts.port, timeout=SILENCE)
        self._connection.connect()
        self._socket = self._connection.sock
        headers = {"Accept": "multipart/x-mixed-replace, */*", "Connection": "close"}
        self._connection.request(
            "GET", _target(parts), headers=headers | ({"Authorization": login} if login else {})
        )
        try:
            return self._connection.getresponse()
        except TimeoutError:
            raise silent(self.title, SILENCE) from None

    def _require_stream(self, response: http.client.HTTPResponse) -> None:
        kind = response.headers.get_content_type()
        if response.status == 401 and urlsplit(self._url).username is not None:
            said = Text("does not accept the user name or the password")
            hint = Text("Check both in the address.")
        elif response.status in ANSWERS:
            said, hint = ANSWERS[response.status]
        elif 300 <= response.status < 400:
            elsewhere = address_title(response.headers.get("Location", "?"))[:200]
            said, hint = Text("sends us to {}", elsewhere), Text("Use that address.")
        elif response.status != 200:
            said, hint = Text("answers with status {}", response.status), PATH_HINT
        elif kind.startswith(("text/", "image/")) and "Content-Type" in response.headers:
            said, hint = Text("sends {} instead of a video stream", kind), PATH_HINT
        else:
            return
        raise CameraError(Text("The camera {} {}.", self.title, said), hint)


class JpegCutter:
    """Cuts whole JPEG pictures out of a stream, whatever is between them.

    The end of a JPEG can be recognised. The lengths and boundaries that servers write are often wrong and not
    needed, and a picture is complete with its last byte instead of with the beginning of the next.
    """

    _END = re.compile(rb"\xff(?:\xd9|\xd8\xff)")
    """In compressed data 0xff is always followed by 0 or a restart marker; this is the end, or the start of a
    picture after one that was cut off.
    """

    _KIND = re.compile(rb"[^\xff]")
    """Any number of 0xff may precede the kind of a segment."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        """How far the picture at the start of ``_data`` was scanned; 0 while none has begun."""
        self._compressed = False
        """Whether the headers were passed."""

    def add(self, piece: bytes) -> bytes | None:
        """Add data; return the newest picture that is now complete, if any."""
        self._data += piece
        newest = None
        while (picture := self._cut()) is not None:
            newest = picture
        if len(self._data) > LARGEST_BYTES:
            self._restart(len(self._data))
        return newest

    def _cut(self) -> bytes | None:
        while True:
            if self._at == 0:
                start = self._data.find(b"\xff\xd8\xff")
                self._restart(start if start >= 0 else max(0, len(self._data) - 2))
                if start < 0:
                    return None
                self._at = 2
            if not self._compressed and not self._pass_headers():
                if self._at:
                    return None
                continue
            end = self._END.search(self._data, self._at)
            if end is None:
                self._at = max(self._at, len(self._data) - 2)
                return None
            if end.group() == b"\xff\xd9":
                picture = bytes(
                    memoryview(self._data)[: end.end()]
                )  # a slice of the array itself would be another copy
                self._restart(end.end())
                return picture
            self._restart(end.start())

    def _pass_headers(self) -> bool:
        """Go from segment to segment up to the compressed data.

        Thumbnails in the headers have ends of their own. Returns whether the compressed data was reached; if
        not, more bytes are needed, or this is not a picture and ``_at`` is 0.
        """
        while not self._compressed:
            if len(self._data) < self._at + 9:
                return False
            mark, kind = self._data[self._at], self._data[self._at + 1]
            if mark == kind == 0xFF:
                found = self._KIND.search(self._data, self._at)
                self._at = (found.start() if found else len(self._data)) - 1
                continue
            if mark != 0xFF or kind < 0xC0 or 0xD0 <= kind <= 0xD9 or self._too_large(kind):
                self._restart(2)
                return False
            self._at += 2 + int.from_bytes(self._data[self._at + 2 : self._at + 4])
            self._compressed = kind == 0xDA
        return True

    def _too_large(self, kind: int) -> bool:
        """Whether the segment at ``_at`` describes a picture that no camera sends."""
        if not 0xC0 <= kind <= 0xCF or kind in (0xC4, 0xC8, 0xCC):
            return False
        height, width = (
            int.from_bytes(self._data[self._at + place : self._at + place + 2]) for place in (5, 7)
        )
        return height * width > LARGEST_PIXELS

    def _restart(self, count: int) -> None:
        """Drop ``count`` bytes and search the rest for a picture."""
        del self._data[:count]
        self._at, self._compressed = 0, False


def _target(parts: SplitResult) -> str:
    return quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe="/?%:@!$&'()*+,;=~[]")
