"""Choose the device to compute on after the wanted one has failed."""

from __future__ import annotations

import math
import time

from avatar_app.errors import DeviceError
from avatar_app.remote.pairing import is_remote
from avatar_app.session.controls import Notice
from avatar_app.session.stage import Notices
from avatar_app.text import Text

AGAIN = 3.0, 30.0
"""Seconds until another computer that failed is tried again, and the maximum. They double with each failure
soon after it was back.
"""

STEADY = 60.0
"""Seconds that it must last for the pauses to start over."""

ACTIONS = ("retry", "choose-model", "doctor")
SLOWER = Text("The processor is used, which is slower.")
AS_BEFORE = Text("The avatar is rendered as before.")
MEANWHILE = Text("This computer renders the avatar until the other one is back.")


class Fallback:
    """Falls back to the processor when a card chosen by ``auto``, or a server, fails."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._fault: Notice | None = None
        self._declined: Notice | None = None
        self._pause, self._again_at = AGAIN[0], 0.0
        self._back_at: float | None = None

    def fail(self, error: DeviceError, device: str) -> bool:
        """Note that the wanted device failed; return whether the processor takes over."""
        if not has_fallback(device):
            return False
        lasted = math.inf if self._back_at is None else time.monotonic() - self._back_at
        self._pause = AGAIN[0] if lasted > STEADY else min(2 * self._pause, AGAIN[1])
        self.wait()
        hint = MEANWHILE if is_remote(device) else SLOWER
        self._fault = Notice("engine", "warning", error.message, hint, ACTIONS)
        self._notices.put(self._fault)
        return True

    def device(self, wanted: str, opening: str = "") -> str:
        """Return the device to open now.

        Args:
            opening: the device that is being opened; a slow processor is waited for.
        """
        if self._fault is not None and not has_fallback(wanted):
            self.forget()
        if self._fault is None or (self.tries_again(wanted) and opening != "cpu"):
            return wanted
        return "cpu"

    def tries_again(self, device: str) -> bool:
        """Whether to try another computer again that failed."""
        return self._fault is not None and is_remote(device) and time.monotonic() >= self._again_at

    def opened(self, device: str) -> None:
        """Clear notices about the engine in use, unless it is only a fallback."""
        if self._fault is not None and device == "cpu":
            self._notices.put(self._fault)
        else:
            self._fault = None
            self._back_at = time.monotonic()
            self._notices.clear("engine")

    def decline(self, error: DeviceError) -> None:
        """Say that a better device failed; the engine in use goes on."""
        self._declined = Notice("engine", "warning", error.message, AS_BEFORE, ACTIONS)
        self._notices.put(self._declined)

    def wait(self) -> None:
        """Postpone the next try, since opening failed again."""
        self._again_at = time.monotonic() + self._pause

    def forget(self) -> None:
        """Try the wanted device again."""
        for notice in (self._fault, self._declined):
            self._notices.withdraw(notice)
        self._fault = self._back_at = None


def has_fallback(device: str) -> bool:
    return device == "auto" or is_remote(device)
