"""Limit the pictures in flight to a client, and measure the network."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict, deque

import numpy as np

SPARE, MOST = 2, 8
"""Pictures in flight beyond those that fit into the round trip, and at most. More would only wait in the
network's queues.
"""

FIRST, LAST = 6, 20
"""Numbers of pictures: after which a network counts as slow if none of them was fast, and over which it is
measured. With JPEG at 3 Mbit/s, 20 take two seconds.
"""

LIMITED = 0.3
"""Fraction of them that had to wait from which the network is the limit, not the poses."""

SLOW, FAST = 12e6, 24e6
"""Bits a second below which pictures are sent as H.264, and above which as JPEG again."""


class Flow:
    """Tracks the pictures of one client. Times are in seconds, of any clock.

    Args:
        fps: largest number of pictures a second.
        paced: whether the client confirms pictures; else nothing is known, and nothing waits.
    """

    def __init__(self, fps: int, paced: bool = True) -> None:
        self._fps, self._paced = fps, paced
        self._way: OrderedDict[int, tuple[float, int]] = OrderedDict()
        self._room = asyncio.Event()
        self._room.set()
        self._waited: deque[bool] = deque(maxlen=LAST)
        self._bits: deque[float] = deque(maxlen=LAST)
        """Bits a second of each picture, from its own time in flight."""
        self._seen: deque[tuple[float, int]] = deque(maxlen=LAST)
        self.round_trip = math.inf
        """The shortest round trip; infinite while unknown."""

    @property
    def window(self) -> int:
        """Return the number of pictures that may be in flight."""
        trips = 0 if math.isinf(self.round_trip) else math.ceil(self._fps * self.round_trip)
        return min(MOST, SPARE + trips)

    async def wait(self) -> None:
        """Wait until another picture may be sent."""
        self._waited.append(not self._room.is_set())
        await self._room.wait()

    def sent(self, number: int, size: int, now: float) -> None:
        """Note that a picture of ``size`` bytes is sent."""
        if self._paced:
            self._way[number] = (now, size)
            self._open()

    def seen(self, number: int, now: float) -> None:
        """Note that the client has this picture, and all before."""
        if number not in self._way:
            return
        left, size = self._way[number]
        for old in [old for old in self._way if old <= number]:
            self._seen.append((now, self._way.pop(old)[1]))
        if not math.isinf(self.round_trip):
            self._bits.append(8 * size / max(now - left - self.round_trip, 1e-4))
        self._open()

    def echoed(self, seconds: float) -> None:
        """Note the round trip of a small message."""
        self.round_trip = min(self.round_trip, max(seconds, 0.0))
        self._open()

    @property
    def rate(self) -> float | None:
        """Return the network's rate in bits a second; None while unknown."""
        if len(self._seen) < LAST or len(self._bits) < LAST:
            fastest = max(self._bits, default=math.inf)
            return fastest if len(self._bits) >= FIRST and fastest < SLOW else None
        if np.mean(self._waited) > LIMITED:
            seconds = self._seen[-1][0] - self._seen[0][0]
            return 8 * sum(size for _, size in list(self._seen)[1:]) / max(seconds, 1e-3)
        return float(np.median(self._bits))

    def forget(self) -> None:
        """Restart the measurement: pictures have another size now."""
        for kept in (self._waited, self._bits, self._seen):
            kept.clear()

    def _open(self) -> None:
        if len(self._way) < self.window:
            self._room.set()
        else:
            self._room.clear()


class CodecChoice:
    """Chooses the codec that fits the network among those that a client knows.

    Args:
        known: in the client's order; the first is used until the network is measured.
    """

    def __init__(self, known: list[str], flow: Flow) -> None:
        self._known, self._flow = known, flow
        self.now = known[0]

    def look(self) -> str:
        """Return the codec of the next picture."""
        rate = self._flow.rate
        if rate is not None:
            wanted = "h264" if rate < SLOW else "jpeg" if rate > FAST else self.now
            if wanted != self.now and wanted in self._known:
                self.now = wanted
                self._flow.forget()
        return self.now
