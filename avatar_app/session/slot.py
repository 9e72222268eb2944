"""Hand the newest value from one thread to another.

There is no queue: a value that was not taken in time is replaced.
"""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """Holds one value. Any thread may put; one thread takes, others may watch.

    Attributes:
        put_at: when the value that was taken last was put, by ``time.monotonic``.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: T | None = None
        self._fresh = False
        self._closed = False
        self._newest_at = self.put_at = 0.0

    def put(self, value: T) -> bool:
        """Store the newest value; return whether it replaced one that nobody took."""
        with self._changed:
            replaced = self._fresh
            self._value, self._fresh, self._newest_at = value, True, time.monotonic()
            self._changed.notify_all()
        return replaced

    def take(self, seconds: float) -> T | None:
        """Take the newest value, waiting for it up to ``seconds``.

        None: nothing came, or the slot is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._fresh or self._closed, max(0.0, seconds))
            if not self._fresh or self._closed:
                return None
            self._fresh, self.put_at = False, self._newest_at
            return self._value

    def watch(self, known: T | None, seconds: float) -> T | None:
        """Return the newest value once it differs from ``known``, without taking it.

        For a thread that watches while another one takes; None as for `take`.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: (self._value is not None and self._value is not known) or self._closed,
                max(0.0, seconds),
            )
            return None if self._closed or self._value is known else self._value

    def peek(self) -> T | None:
        """Return the newest value, taken or not."""
        with self._changed:
            return self._value

    def clear(self) -> None:
        """Forget the value."""
        with self._changed:
            self._value, self._fresh = None, False

    def close(self) -> None:
        """Wake all waiting threads; nothing can be taken from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
