"""A webcam for tests that speaks RTSP.

JPEG pictures in RTP packets (RFC 2435) within the one TCP connection.
"""

from __future__ import annotations

import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable

import cv2

from avatar_app.types import Image
from tests.support.mjpeg import Server

QUALITY = 80
"""Identifies both OpenCV's compression and the receiver's tables."""

PACKET = 1400

DESCRIPTION = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=camera\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 "
    b"RTP/AVP 26\r\na=control:track\r\n"
)


class RtspCamera(Server):
    """Sends a function's pictures at a steady pace from the camera's start; sides are multiples of 16.

    Attributes:
        sent_number: of the last picture sent.
        silent: while it is set, the connection stays and nothing is sent.
    """

    def __init__(self, frames: Callable[[int], Image], fps: float = 30) -> None:
        super().__init__(self._talk)
        self.sent_number = -1
        self.silent = threading.Event()
        self._frames, self._fps = frames, fps
        self._begin = time.monotonic()

    @property
    def url(self) -> str:
        return super().url.replace("http", "rtsp")

    def _talk(self, connection: socket.socket) -> None:
        request, playing, sequence = self.request, False, 0
        while True:
            if request:
                playing = self._reply(connection, request) or playing
                request = b""
            if select.select([connection], [], [], 1 / self._fps if playing else None)[0]:
                request = connection.recv(4096)
                if not request:
                    return
            if playing and not self.silent.is_set():
                number = int((time.monotonic() - self._begin) * self._fps)
                self.sent_number = number
                sequence = send_picture(
                    connection, self._frames(number), sequence, round(number * 90_000 / self._fps)
                )

    def _reply(self, connection: socket.socket, request: bytes) -> bool:
        """Answer one request; returns whether it was PLAY."""
        verb = request.split(b" ", 1)[0]
        found = re.search(rb"CSeq: *(\d+)", request, re.IGNORECASE)
        more = {
            b"DESCRIBE": b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s"
            % (len(DESCRIPTION), DESCRIPTION),
            b"SETUP": b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n",
            b"OPTIONS": b"Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n",
        }.get(verb, b"Session: 1\r\n\r\n")
        connection.sendall(b"RTSP/1.0 200 OK\r\nCSeq: %s\r\n%s" % (found[1] if found else b"0", more))
        return verb == b"PLAY"


def send_picture(connection: socket.socket, image: Image, sequence: int, stamp: int) -> int:
    """Send one picture in as many packets as necessary; returns the next packet's number."""
    height, width = image.shape[:2]
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    assert done
    jpeg = data.tobytes()
    start = jpeg.index(b"\xff\xda")
    scan = jpeg[start + 2 + int.from_bytes(jpeg[start + 2 : start + 4]) : -2]
    for offset in range(0, len(scan), PACKET):
        last = offset + PACKET >= len(scan)
        header = struct.pack(">BBHII", 0x80, 26 | last << 7, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 1)
        kind = struct.pack(">IBBBB", offset, 1, QUALITY, width // 8, height // 8)
        packet = header + kind + scan[offset : offset + PACKET]
        connection.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
        sequence += 1
    return sequence
