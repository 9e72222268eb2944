"""Decode the pictures that a server sends, and pass each to its receiver."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from avatar_app.remote.messages import MalformedMessage, PictureMessage
from avatar_app.remote.pictures import CODECS, Decoder, open_decoder
from avatar_app.remote.traffic import Traffic
from avatar_app.types import Layer

Take = Callable[[Layer, float], None]
"""Takes a layer and the time at which the frame of its pose was captured."""


@dataclass(frozen=True, slots=True)
class ReceivedPicture:
    """A picture message and its arrival, in ``time.monotonic()`` seconds."""

    message: PictureMessage
    at: float


class PictureReceiver:
    """Numbers the poses, and decodes their pictures in another thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: tuple[int, Layer] | None = None
        self._captured: dict[int, tuple[float, Take | None]] = {}
        self._trips: deque[tuple[float, float, int]] = deque(maxlen=240)
        self._decoders: dict[str, Decoder] = {}
        self._codec = CODECS[0]
        self._number = 0
        self.last_trip = 0.0
        """Seconds from the last picture's pose to the picture; 0 before the first."""
        self.last_at = time.monotonic()

    def expect(self, captured_at: float, show: Take | None) -> int:
        """Return the number of the next pose.

        ``show`` gets its picture, in the other thread.
        """
        with self._changed:
            self._number += 1
            self._captured[self._number] = (captured_at, show)
            return self._number

    def wait_for(self, number: int, seconds: float) -> Layer | None:
        """Return the picture of a pose or a later one; None if none arrives in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None and self._newest[0] >= number, seconds)
            return self._newest[1] if self._newest and self._newest[0] >= number else None

    def take(self, arrived: ReceivedPicture, usual: str) -> bool:
        """Take a picture; return False if it cannot be decoded without a key frame.

        Args:
            usual: the codec of pictures that do not name theirs.
        """
        message = arrived.message
        codec = message.codec or usual
        if codec not in CODECS:
            return True
        decoder = self._decoders.get(codec) or self._decoders.setdefault(codec, open_decoder(codec))
        try:
            image, alpha = decoder.decode(message.data, message.alpha)
        except MalformedMessage:
            return False
        trip, size = arrived.at - message.sent / 1e6, len(message.data) + len(message.alpha)
        self.last_at, self.last_trip, self._codec = arrived.at, trip, codec
        self._trips.append((arrived.at, trip, size))
        self._hand_on(message.number, Layer(image, alpha, message.corner), arrived.at)
        return True

    def _hand_on(self, number: int, layer: Layer, at: float) -> None:
        with self._changed:
            if self._newest is not None and self._newest[0] >= number:
                return
            self._newest = (number, layer)
            captured_at, show = self._captured.get(number, (at, None))
            for old in [old for old in self._captured if old <= number]:
                del self._captured[old]
            self._changed.notify_all()
        if show is not None:
            show(layer, captured_at)

    def traffic(self, address: str, connected: bool) -> Traffic:
        """Return figures of the last second."""
        now = time.monotonic()
        last = [(trip, size) for at, trip, size in list(self._trips) if now - at < 1]
        if not last:
            return Traffic(address, connected)
        trip = float(np.median([trip for trip, _ in last])) * 1000
        bits = 8.0 * sum(size for _, size in last)
        return Traffic(address, connected, trip, len(last), bits, self._codec)

    def close(self) -> None:
        """Free the decoders and the last picture, which are megabytes."""
        with self._changed:
            self._newest = None
            self._captured.clear()
        for decoder in self._decoders.values():
            decoder.close()
        self._decoders.clear()
