"""Build slow objects in the background: engines, photos with their face found.

They are delivered complete, or not at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Loaded(Generic[T]):
    """Result of a build: a value, or the reason why there is none."""

    key: object
    value: T | None = None
    error: Exception | None = None


class Loader(Generic[T]):
    """Runs one build at a time in a thread of its own.

    All methods belong to the thread that will use the value.

    Args:
        give_back: called with a finished value that is no longer wanted.
    """

    def __init__(self, name: str, give_back: Callable[[T], None] | None = None) -> None:
        self._name = name
        self._give_back = give_back
        self._thread: threading.Thread | None = None
        self._done: Loaded[T] | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self.key: object = None

    @property
    def busy(self) -> bool:
        return self._thread is not None

    def begin(self, key: object, build: Callable[[], T]) -> None:
        """Start a build, if none runs; the caller chooses the ``key``."""
        if self._thread is not None:
            return

        def work() -> None:
            try:
                done = Loaded(key, build())
            except Exception as error:
                done = Loaded(key, None, error)
            with self._lock:
                if not closed.is_set():
                    self._done = done
                    return
            self._drop(done)  # no longer wanted

        closed = self._closed
        self.key = key
        self._thread = threading.Thread(target=work, name=self._name, daemon=True)
        self._thread.start()

    def poll(self, wanted: object) -> Loaded[T] | None:
        """Return the finished build, once.

        One whose key is not ``wanted`` is given back and dropped.
        """
        if self._thread is None or self._thread.is_alive():
            return None
        done, self._thread, self._done = self._done, None, None
        assert done is not None
        if done.key != wanted:
            self._drop(done)
            return None
        return done

    def close(self, seconds: float) -> None:
        """Wait up to ``seconds`` for a running build and give its value back.

        A slower one gives its value back itself.
        """
        if self._thread is not None:
            self._thread.join(seconds)
            with self._lock:
                self._closed.set()
                done, self._done = self._done, None
            self._closed, self._thread = threading.Event(), None
            if done is not None:
                self._drop(done)

    def _drop(self, done: Loaded[T]) -> None:
        if done.value is not None and self._give_back is not None:
            self._give_back(done.value)
