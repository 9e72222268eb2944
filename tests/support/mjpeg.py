"""A webcam for tests that sends JPEG pictures over HTTP, and marks that identify every one of them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import cv2
import numpy as np

from avatar_app.types import Image

BLOCKS = 16
HEADER = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
)


def mark(image: Image, number: int) -> Image:
    """A copy with the number's 16 lowest bits as blocks along the top edge, the highest first: white is 1,
    black is 0.
    """
    height, width = image.shape[:2]
    marked = image.copy()
    edges = np.linspace(0, width, BLOCKS + 1).round().astype(int)
    for block in range(BLOCKS):
        bit = number >> (BLOCKS - 1 - block) & 1
        marked[: max(8, height // 12), edges[block] : edges[block + 1]] = 255 * bit
    return marked


def read_mark(image: Image) -> int | None:
    """The number of a marked picture, which may have been compressed or scaled.

    None if there is no clear mark.
    """
    height, width = image.shape[:2]
    number = 0
    for block in range(BLOCKS):
        left, right = ((block + part) * width / BLOCKS for part in (0.3, 0.7))
        shade = image[: max(3, height // 24), round(left) : max(round(right), round(left) + 1)].mean()
        if 64 < shade < 192:
            return None
        number = number << 1 | int(shade > 128)
    return number


def encode(image: Image) -> bytes:
    """As JPEG."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return data.tobytes()


def part(jpeg: bytes) -> bytes:
    """One picture of the stream, from boundary to boundary."""
    return b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n" % (len(jpeg), jpeg)


class Server:
    """Answers every connection in its own thread, after reading the request.

    A context manager.

    Args:
        answer: sends any data; the connection closes when it returns. Errors of the connection end
            it silently.

    Attributes:
        request: the last request.
    """

    def __init__(self, answer: Callable[[socket.socket], None]) -> None:
        self.stopped = threading.Event()
        self.request = b""
        self._answer = answer
        self._port = 0
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/video"

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self.hang_up()

    def listen(self) -> None:
        """Accept connections, always at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def hang_up(self) -> None:
        """Drop all connections and refuse new ones."""
        with self._lock:
            connections, self._connections = [*self._connections, *filter(None, [self._listener])], set()
            self._listener = None
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _start(self, work: Callable[[socket.socket], None], connection: socket.socket) -> None:
        self._threads.append(threading.Thread(target=work, args=(connection,), daemon=True))
        self._threads[-1].start()

    def _accept(self, listener: socket.socket) -> None:
        with listener, suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with self._lock:
                    if self._listener is not listener:
                        connection.close()
                        return
                    self._connections.add(connection)
                    self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += connection.recv(4096) or b"\r\n\r\n"
            self.request = request
            self._answer(connection)
        with self._lock:
            self._connections.discard(connection)


class MjpegCamera(Server):
    """A webcam at ``url`` that shows a function's pictures at a steady pace, the same to all viewers.

    Args:
        frames: picture number n, counted from 0 without repeats, also while it is paused or unplugged.

    Attributes:
        sent: how many pictures were sent to anybody; the last one had the number ``sent_number``.
    """

    def __init__(self, frames: Callable[[int], Image], fps: float = 30) -> None:
        super().__init__(self._send_pictures)
        self.sent = 0
        self.sent_number = -1
        self._frames, self._fps = frames, fps
        self._running = threading.Event()
        self._running.set()
        self._news = threading.Condition()
        self._newest = (-1, b"")
        self._clock = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        super().__enter__()
        self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._running.set()
        self._clock.join()
        super().__exit__(kind, error, trace)

    def pause(self) -> None:
        """Stay connected and send nothing."""
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    def unplug(self) -> None:
        """Drop all connections and refuse new ones."""
        self.hang_up()

    def replug(self) -> None:
        self.listen()

    def _run(self) -> None:
        start, number = time.monotonic(), 0
        while not self.stopped.wait(max(0.0, start + number / self._fps - time.monotonic())):
            if self._running.is_set():
                data = part(encode(self._frames(number)))
                with self._news:
                    self._newest = (number, data)
                    self._news.notify_all()
            number = max(number + 1, int((time.monotonic() - start) * self._fps))

    def _send_pictures(self, connection: socket.socket) -> None:
        connection.sendall(HEADER)
        seen = self._newest[0]
        while not self.stopped.is_set() and connection.fileno() >= 0:
            with self._news:
                if self._newest[0] == seen:
                    self._news.wait(timeout=0.1)
                number, data = self._newest
            if number > seen and self._running.is_set():
                connection.sendall(data)
                seen = self.sent_number = number
                self.sent += 1
            elif not connection_alive(connection):
                return


def connection_alive(connection: socket.socket) -> bool:
    """Whether the other side, which has no more to send, is still connected."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    finally:
        connection.setblocking(True)
