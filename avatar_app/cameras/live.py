"""Read sources that send pictures by themselves: cameras and streams.

Only the newest picture counts. Each source is opened, read and closed in a thread of its own: a slow reader
gets the newest picture instead of a buffered one, and a device that hangs in its driver blocks neither the
reader nor closing.
"""

from __future__ import annotations

import threading
import time
from typing import Generic, Protocol, TypeVar

from avatar_app.errors import CameraError
from avatar_app.text import Text
from avatar_app.types import Image

SILENCE = 2.0
"""Seconds without a picture after which a source counts as gone."""

CLOSING = 0.25
"""Seconds that closing waits for the thread; one that is stuck in a driver ends later by itself."""

Raw = TypeVar("Raw")


class Feed(Protocol[Raw]):
    """A device or a connection.

    ``open``, ``grab`` and ``release`` are called in the source's thread alone.

    Attributes:
        title: for people, such as the camera's name.
    """

    title: str

    def open(self) -> None:
        """Open the device; raise CameraError."""

    def grab(self) -> Raw | None:
        """Wait for the next raw picture; None if nothing usable came.

        Raises CameraError when there will be no more.
        """

    def decode(self, raw: Raw) -> Image | None:
        """Decode a raw picture; None if it is damaged.

        Called by the reader, only for pictures that it takes.
        """

    def interrupt(self) -> None:
        """Make a waiting ``grab`` return, if possible.

        Called by the closing thread.
        """

    def release(self) -> None:
        """Close the device."""


class LiveSource(Generic[Raw]):
    """A source that is read in a thread of its own.

    Args:
        patience: seconds that opening may take, the first picture included.

    Raises:
        CameraError: it cannot be opened, or sends no picture.
    """

    live = True

    def __init__(self, feed: Feed[Raw], patience: float) -> None:
        self._feed = feed
        self._news = threading.Condition()
        self._newest: Raw | None = None
        self._newest_at = self.arrived = time.monotonic()
        self._fault: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"camera {feed.title}", daemon=True)
        self._thread.start()
        try:
            self._first: Image | None = self._next(patience)
        except BaseException:
            self.close()
            raise
        height, width = self._first.shape[:2]
        self.name = f"{feed.title}, {width} x {height}"

    def read(self) -> Image:
        """Return the newest unread picture, (H, W, 3).

        Raises:
            CameraError: gone, or no whole picture for ``SILENCE`` seconds; it may come back after the latter.
        """
        first, self._first = self._first, None
        if first is not None and self._newest is None and not self._closed:
            return first
        return self._next(SILENCE)

    def close(self) -> None:
        """Close within ``CLOSING`` seconds; any thread may call it, repeatedly."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._feed.interrupt()
        self._thread.join(CLOSING)

    def _next(self, patience: float) -> Image:
        deadline = time.monotonic() + patience
        damaged = 0
        while True:
            with self._news:
                self._news.wait_for(
                    lambda: self._newest is not None or self._fault or self._closed,
                    deadline - time.monotonic(),
                )
                raw, self._newest = self._newest, None
                self.arrived = self._newest_at
                if self._closed:
                    raise CameraError(Text("The camera {} was closed.", self._feed.title))
                if raw is None and self._fault:
                    raise self._fault
            if raw is not None:
                image = self._feed.decode(raw)
                if image is not None:
                    return image
                damaged += 1
            if damaged and time.monotonic() >= deadline:
                raise CameraError(
                    Text("The camera {} sends damaged pictures.", self._feed.title),
                    Text("Check its cable or its network."),
                )
            if raw is None:
                raise silent(self._feed.title, patience)

    def _run(self) -> None:
        try:
            self._feed.open()
            while not self._closed:
                raw = self._feed.grab()
                if raw is not None:
                    with self._news:
                        self._newest, self._newest_at = raw, time.monotonic()
                        self._news.notify_all()
        except Exception as problem:  # raised again in the reader's thread, where it is seen
            with self._news:
                self._fault = problem
                self._news.notify_all()
        finally:
            self._feed.release()


def silent(title: str, seconds: float) -> CameraError:
    """Return the error for a source that is there but sends nothing."""
    return CameraError(
        Text("The camera {} has sent no picture for {:g} seconds.", title, seconds),
        Text("Check that it is on, or connect it again."),
    )
