"""One thread of the session: opens what it needs, steps, closes.

After a fault it puts a notice and starts again.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

from avatar_app.errors import AvatarError
from avatar_app.session.controls import Notice
from avatar_app.text import Text

log = logging.getLogger(__name__)


class Notices:
    """The current notices, one for each subject. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._notices: dict[str, Notice] = {}

    def put(self, notice: Notice) -> None:
        with self._lock:
            self._notices[notice.about] = notice

    def clear(self, about: str) -> None:
        with self._lock:
            self._notices.pop(about, None)

    def withdraw(self, notice: Notice | None) -> None:
        """Clear this very notice; one that has replaced it stays."""
        with self._lock:
            if notice is not None and self._notices.get(notice.about) is notice:
                del self._notices[notice.about]

    def about(self, subject: str) -> Notice | None:
        with self._lock:
            return self._notices.get(subject)

    def all(self) -> tuple[Notice, ...]:
        """Return all notices, errors first."""
        order = {"error": 0, "warning": 1, "info": 2}
        with self._lock:
            return tuple(sorted(self._notices.values(), key=lambda notice: order[notice.level]))


class Again(Exception):
    """Raised in ``step`` to close and open again at once: the controls have changed."""


class Stage(ABC):
    """A stage of the data path in a thread of its own.

    Resources are opened, used and closed in the same thread. An exception ends the opening or the step, never
    the thread: it becomes a notice, and the stage is closed and opened again after ``patience`` seconds.

    Args:
        about: the subject of its notices.
        actions: what a notice offers.
    """

    patience = 1.0

    def __init__(self, name: str, about: str, notices: Notices, actions: tuple[str, ...] = ()) -> None:
        self.name = name
        self._about = about
        self._notices = notices
        self._actions = actions
        self._logged = ""
        self._stopping = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def open(self) -> None:
        """Open resources; raise AvatarError."""

    @abstractmethod
    def step(self) -> None:
        """Do one unit of work, of bounded duration."""

    @abstractmethod
    def close(self) -> None:
        """Close everything that ``open`` reached."""

    def wake(self) -> None:  # noqa: B027  # most stages wait on a slot, which the session closes
        """End a wait inside ``step`` early, when stopping."""

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; return at once."""
        self._stopping.set()
        self._hurry.set()
        self.wake()

    def join(self, seconds: float) -> bool:
        """Wait for the thread's end; return whether it ended."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def hurry(self) -> None:
        """Retry now after a fault."""
        self._hurry.set()

    def _run(self) -> None:
        while not self.stopping:
            self._hurry.clear()
            failed = False
            try:
                self.open()
                while not self.stopping:
                    self.step()
            except Again:
                pass
            except Exception as error:
                failed = True
                if not self.stopping:  # closing ended the wait
                    self._report(error)
            finally:
                self._close()
            if failed and not self.stopping:
                self._hurry.wait(self.patience)

    def _close(self) -> None:
        try:
            self.close()
        except Exception:
            # The other end may be gone already; a fault while closing must not stop the rest.
            log.warning("closing %s failed", self.name, exc_info=True)

    def _report(self, error: Exception) -> None:
        if isinstance(error, AvatarError):
            notice = Notice(self._about, "error", error.message, error.hint, self._actions)
        elif isinstance(error, MemoryError):
            text = Text("The {} stopped: the computer's memory is full.", self.name)
            notice = Notice(
                self._about, "error", text, Text("Close other programs; it is tried again."), self._actions
            )
        else:
            said = f"{type(error).__name__}: {error}".rstrip(": .")
            if said != self._logged:  # a fault repeated every second would hide all others
                self._logged = said
                log.error("%s failed", self.name, exc_info=error)
            notice = Notice(
                self._about,
                "error",
                Text("The {} stopped: {}.", self.name, said),
                Text("It is tried again; the log has the details."),
                self._actions,
            )
        if notice != self._notices.about(self._about):
            self._notices.put(notice)
