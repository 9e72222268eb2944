"""Run slow work in a thread; its result comes back in the window's thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from avatar_app.errors import AvatarError

T = TypeVar("T")

MOMENT = 0.3
"""Seconds that stopping waits for running work."""


class _Outbox(QObject):
    """Transfers results between threads.

    It belongs to the tasks, so that it outlives a window that is closed while they run.
    """

    finished = Signal(object)


class Background(QObject):
    """One thread for one widget.

    Results that arrive after the widget is gone are dropped.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._outbox = _Outbox()
        self._outbox.finished.connect(self._deliver)
        self._threads = ThreadPoolExecutor(1, "photos")
        self._running: set[Future[None]] = set()
        self.destroyed.connect(partial(self._threads.shutdown, wait=False, cancel_futures=True))

    def run(
        self, work: Callable[[], T], done: Callable[[T], object], failed: Callable[[AvatarError], object]
    ) -> None:
        """Call ``work`` in the thread, then ``done`` with its result.

        Or ``failed`` with the error, if it is one that the user can act on.
        """
        self._running = {task for task in self._running if not task.done()}
        self._running.add(self._threads.submit(_task, self._outbox, work, done, failed))

    def stop(self) -> None:
        """Drop waiting work, and wait a moment for running work; nothing runs afterwards.

        A large photo must not delay closing the window.
        """
        self._threads.shutdown(wait=False, cancel_futures=True)
        wait(self._running, MOMENT)

    @Slot(object)
    def _deliver(self, outcome: Callable[[], object]) -> None:
        outcome()


def _task(
    outbox: _Outbox,
    work: Callable[[], T],
    done: Callable[[T], object],
    failed: Callable[[AvatarError], object],
) -> None:
    try:
        outcome: Callable[[], object] = partial(done, work())
    except AvatarError as error:
        outcome = partial(failed, error)
    except Exception as error:  # a bug: raised where all bugs of the window are handled
        outcome = partial(_raise, error)
    outbox.finished.emit(outcome)


def _raise(error: Exception) -> None:
    raise error
