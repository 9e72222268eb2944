"""Measure a running session."""

from __future__ import annotations

import threading
import time
from collections import deque

import numpy as np

from avatar_app.session.controls import Statistics

WINDOW = 5.0
"""Seconds over which rates and latencies are measured."""

RECENT = 2.0
"""Seconds over which the pictures' delay, which sound follows, is measured."""


class Meter:
    """Collects events of all stages. Thread-safe; each call costs microseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[str, deque[tuple[float, float]]] = {
            name: deque() for name in ("frame", "animated", "sent", "fresh")
        }
        self._started = time.monotonic()
        self._dropped = self._repeated = self._sent = 0

    def frame(self, replaced: bool) -> None:
        """Count a frame; ``replaced``: the one before was never animated."""
        with self._lock:
            self._add("frame", 0.0)
            self._dropped += replaced

    def animated(self, seconds: float) -> None:
        """Count a rendered picture and the seconds that it took."""
        with self._lock:
            self._add("animated", seconds)

    def sent(self, latency: float | None) -> None:
        """Count a sent picture.

        Args:
            latency: seconds since its frame was captured, None for a repeated one or a card.
        """
        with self._lock:
            self._add("sent", 0.0)
            self._sent += 1
            if latency is None:
                self._repeated += 1
            else:
                self._add("fresh", latency)

    def making(self) -> float:
        """Return the median seconds for a picture of the last few seconds; 0 without one."""
        since = time.monotonic() - WINDOW
        with self._lock:
            recent = [value for moment, value in self._events["animated"] if moment >= since]
        return float(np.median(recent)) if recent else 0.0

    def latency(self) -> float:
        """Return the recent median seconds from capture to sending; 0 without pictures."""
        since = time.monotonic() - RECENT
        with self._lock:
            recent = [value for moment, value in self._events["fresh"] if moment >= since]
        return float(np.median(recent)) if recent else 0.0

    def statistics(self) -> Statistics:
        with self._lock:
            now = time.monotonic()
            for events in self._events.values():
                while events and events[0][0] < now - WINDOW:
                    events.popleft()
            span = min(WINDOW, max(now - self._started, 1e-3))
            latencies = np.array([value for _, value in self._events["fresh"]]) * 1000
            work = np.array([value for _, value in self._events["animated"]]) * 1000
            p50, p95 = np.percentile(latencies, [50, 95]) if len(latencies) else (0.0, 0.0)
            return Statistics(
                camera_fps=round(len(self._events["frame"]) / span, 2),
                avatar_fps=round(len(latencies) / span, 2),
                output_fps=round(len(self._events["sent"]) / span, 2),
                latency_p50=round(float(p50), 2),
                latency_p95=round(float(p95), 2),
                animate_ms=round(float(np.median(work)), 2) if len(work) else 0.0,
                dropped=self._dropped,
                repeated=self._repeated,
                sent=self._sent,
            )

    def _add(self, name: str, value: float) -> None:
        events = self._events[name]
        now = time.monotonic()
        events.append((now, value))
        # Limited even if nobody reads the figures.
        while events[0][0] < now - WINDOW:
            events.popleft()
