"""Choose the device to compute on after the wanted one has failed."""

from __future__ import annotations

import time

from avatar_app.errors import DeviceError
from avatar_app.remote.pairing import is_remote
from avatar_app.session.controls import Notice
from avatar_app.session.stage import Notices
from avatar_app.text import Text

RETURN = 15.0
"""Seconds until another computer that failed is tried again."""

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
        self._again_at = 0.0

    def fail(self, error: DeviceError, device: str) -> bool:
        """Note that the wanted device failed; return whether the processor takes over."""
        if not has_fallback(device):
            return False
        self._again_at = time.monotonic() + RETURN
        hint = MEANWHILE if is_remote(device) else SLOWER
        self._fault = Notice("engine", "warning", error.message, hint, ACTIONS)
        self._notices.put(self._fault)
        return True

    def device(self, wanted: str) -> str:
        """Return the device to open now."""
        if self._fault is not None and not has_fallback(wanted):
            self.forget()
        if self._fault is None or self.tries_again(wanted):
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
            self._notices.clear("engine")

    def decline(self, error: DeviceError) -> None:
        """Say that a better device failed; the engine in use goes on."""
        self._declined = Notice("engine", "warning", error.message, AS_BEFORE, ACTIONS)
        self._notices.put(self._declined)

    def wait(self) -> None:
        """Postpone the next try, since opening failed again."""
        self._again_at = time.monotonic() + RETURN

    def forget(self) -> None:
        """Try the wanted device again."""
        for notice in (self._fault, self._declined):
            self._notices.withdraw(notice)
        self._fault = None


def has_fallback(device: str) -> bool:
    return device == "auto" or is_remote(device)
