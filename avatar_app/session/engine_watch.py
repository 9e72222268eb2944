"""Warn the user about limits of the model in use: slow, or no relative motion."""

from __future__ import annotations

import time

from avatar_app.session.controls import Notice
from avatar_app.session.stage import Notices
from avatar_app.session.statistics import Meter
from avatar_app.text import Text
from avatar_app.types import KeyPoints

SLOW, QUICK = 0.5, 0.4
"""Median seconds for a picture above which a notice says that the model is too slow here, and below which the
notice ends.
"""

TIMED = 0.5
"""Seconds between measurements of the time for a picture."""


class EngineWatch:
    """Puts and withdraws notices about the model. Belongs to one thread."""

    def __init__(self, meter: Meter, notices: Notices) -> None:
        self._meter, self._notices = meter, notices
        self._timed_at = 0.0
        self._slow: Notice | None = None

    def begin(self, like: KeyPoints) -> None:
        """Prepare for a new avatar or engine with key points like these."""
        self._notices.clear("motion")
        if like.code is not None:
            message = Text("X2Face has no relative motion.")
            hint = Text("Your pose is shown as it is: sit as in the photo.")
            self._notices.put(Notice("motion", "info", message, hint, ("choose-model",)))

    def add(self) -> None:
        """Count a rendered picture."""
        if time.monotonic() - self._timed_at < TIMED:
            return
        self._timed_at = time.monotonic()
        seconds = self._meter.making()
        if seconds > SLOW and self._notices.about("engine") is None:
            message = Text("The model takes {:.0f} ms per frame on this computer.", 1000 * seconds)
            hint = Text(
                "Close other programs, or choose a quicker model, or a graphics card if there is one."
            )
            self._slow = Notice("engine", "warning", message, hint, ("choose-model", "doctor"))
            self._notices.put(self._slow)
        elif seconds < QUICK:
            self._notices.withdraw(self._slow)
