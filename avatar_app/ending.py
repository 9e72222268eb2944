"""End the program: signals, threads that still run, and the exit itself.

Python's own exit stops daemon threads in the middle of native code and then runs the destructors of native
libraries; either can abort the process. The program therefore exits without it.
"""

from __future__ import annotations

import _thread
import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

SIGNALS = tuple(
    signal.Signals(getattr(signal, name))
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
)
"""All end the program alike: open resources are closed, nothing partial stays, and the exit code is 128 + the
number.
"""

LEAVING = 1.0
"""Seconds that the exit waits for threads; those in a camera's driver or loading a model may take longer and
are abandoned.
"""

TWIN = 1.0
"""Seconds within which a second signal counts as a duplicate: closing a terminal sends two."""

TIDYING = 5.0
"""Seconds for closing after a duplicate signal. Any later signal ends the program at once."""

IMPORTING = 5.0
"""Seconds that a signal waits for an import, because an exception there would reach native code."""

WATCHER = "signals"


class Ended(KeyboardInterrupt):
    """A signal ends the program.

    Raised in the main thread, between any two steps of Python.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = exit_code(number)


class Ending:
    """Signal handling of this process. ``ENDING`` is the only instance."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._instead: Callable[[], object] | None = None
        self._raised = False
        self._waiting = False
        self._over = False
        self._own = 0

    @property
    def code(self) -> int | None:
        """The exit code of the first signal; None without one."""
        return None if self.received is None else exit_code(self.received)

    def listen(self) -> None:
        """Install the signal handlers; call it in the main thread.

        Signals that the parent ignores stay ignored.
        """
        heard, self._bell = socket.socketpair()
        self._bell.setblocking(False)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=(heard,), name=WATCHER, daemon=True).start()
        sys.unraisablehook = self._unraisable
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN or number == signal.SIGTERM:
                signal.signal(number, self._handle)

    def call_instead(self, function: Callable[[], object]) -> None:
        """Call ``function`` in the main thread instead of raising ``Ended``.

        For an event loop, which exceptions do not pass.
        """
        self._instead = function
        if self.received is not None:
            function()

    def end_now(self) -> NoReturn:
        """End the process with the signal's exit code.

        For times when nothing is open that must be closed.
        """
        end_process(self.code or 1)

    def begin(self) -> None:
        """Raise nothing any more: the exit has begun."""
        self._over = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal, in the main thread, at the next step of Python."""
        self.received = self.received or number
        if self._raised or self._over:
            return
        if self._instead is not None:
            self._raised = True
            self._instead()
        elif _importing(frame):
            self._waiting = True  # the watcher asks again
        else:
            self._raised, self._waiting = True, False
            raise Ended(self.received)

    def _watch(self, heard: socket.socket) -> None:
        """Count signals, even while the main thread is stuck in native code."""
        first: float | None = None
        latest = math.inf
        while True:
            settled = first is None or self._raised or self._over
            heard.settimeout(None if settled and latest == math.inf else 0.05)
            try:
                number = heard.recv(1)[0]
            except TimeoutError:
                self._look_again(first or 0.0, latest)
                continue
            if number not in SIGNALS:
                continue
            if self._own:
                self._own -= 1
            elif first is None:
                first = time.monotonic()
                self.received = self.received or number
            elif time.monotonic() < first + TWIN:
                latest = first + TIDYING
            else:
                self.end_now()

    def _look_again(self, first: float, latest: float) -> None:
        now = time.monotonic()
        if now > latest or (self._waiting and now > first + IMPORTING):
            self.end_now()
        if self._waiting:
            self._ask_again()

    def _ask_again(self) -> None:
        if self.received is not None:
            self._own += 1
            _thread.interrupt_main(signal.Signals(self.received))

    def _unraisable(self, problem: Any) -> None:
        """Keep a request to end: Python drops exceptions in destructors."""
        if isinstance(problem.exc_value, Ended):
            self._raised, self._waiting = False, True
            self._bell.send(b"\0")  # the watcher asks again, a moment after this
        else:
            sys.__unraisablehook__(problem)


ENDING = Ending()


def exit_code(number: int) -> int:
    """Return a shell's exit code: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP."""
    return 128 + number


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def background_threads() -> list[threading.Thread]:
    """Return the threads beside the main one, whoever started them.

    Without the calling one and the watcher of signals.
    """
    others = (threading.current_thread(), threading.main_thread())
    return [
        thread
        for thread in threading.enumerate()
        if thread not in others and thread.name != WATCHER and not isinstance(thread, threading._DummyThread)
    ]


def wait_for_threads(seconds: float = LEAVING) -> list[str]:
    """Wait up to ``seconds`` for the background threads.

    Returns the names of those that did not end.
    """
    until = time.monotonic() + seconds
    for thread in background_threads():
        thread.join(max(0.0, until - time.monotonic()))
    return [thread.name for thread in background_threads()]


def end_with_parent() -> None:
    """End this child process when the app has ended, in whatever way.

    For a thread of its own.
    """
    app = multiprocessing.parent_process()
    if app is not None:
        app.join()
        os._exit(1)


def leave(code: int) -> NoReturn:
    """End the program without Python's own exit and without native destructors.

    Background threads have ``LEAVING`` seconds; buffered output is written.
    """
    ENDING.begin()
    wait_for_threads()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # full, closed, or there is none
            stream.flush()
    logging.shutdown()
    end_process(code)


def end_process(code: int) -> NoReturn:
    """End at once, without waiting for threads or libraries."""
    if sys.platform == "win32":
        import ctypes

        # ``os._exit`` would unload every library after the threads that hold their locks have gone.
        kernel = ctypes.windll.kernel32
        kernel.TerminateProcess(kernel.GetCurrentProcess(), code)
    os._exit(code)
