"""Commands from other processes of this user and global hotkeys, carried into the window's thread."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from avatar_app.control import ControlServer
from avatar_app.errors import AvatarError
from avatar_app.gui.main_window import MainWindow
from avatar_app.hotkeys import DEFAULT_HOTKEYS, Hotkeys
from avatar_app.pipeline.state import Notice

log = logging.getLogger(__name__)

ACTIONS = {
    "recalibrate": "calibrate",
    "next": "next-avatar",
    "previous": "previous-avatar",
    "raise": "show",
    "quit": "quit",
    "pause": "pause",
}
"""Command or hotkey -> action of the window."""


class Remote(QObject):
    """Owns the control server and the hotkeys of a window.

    Args:
        path: where commands arrive; None: the usual place.
    """

    _asked = Signal(str)
    _named = Signal(str)

    def __init__(self, window: MainWindow, path: Path | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._asked.connect(self._do)
        self._named.connect(window.gallery.select)
        self._server = ControlServer(self.answer, path)
        self._hotkeys: Hotkeys | None = None

    def start(self) -> None:
        """Begin to listen; what does not work becomes a notice, never an error."""
        try:
            self._server.start()
        except AvatarError as error:
            self._window.notices.tell(Notice("control", "warning", error.message, error.hint))
        self.start_hotkeys()

    def start_hotkeys(self) -> None:
        """Listen to the keys of the settings, in place of those before."""
        self.stop_hotkeys()
        now = self._window.preferences.now
        if now.global_hotkeys:
            self._hotkeys = Hotkeys({**DEFAULT_HOTKEYS, **now.hotkeys}, self._asked.emit)
            for problem in self._hotkeys.start():
                log.info("hotkeys: %s", problem)

    def stop_hotkeys(self) -> None:
        if self._hotkeys is not None:
            self._hotkeys.close()
            self._hotkeys = None

    def close(self) -> None:
        self.stop_hotkeys()
        self._server.close()

    def answer(self, command: str) -> dict[str, object]:
        """Runs in the server's thread: the session may be used from there, the window may not."""
        word, _, rest = command.partition(" ")
        live = self._window.live
        if word in ("pause", "resume"):
            live.change(paused=word == "pause")
        elif word == "recalibrate":
            live.recalibrate()
        elif word == "avatar":
            entries = self._window.library.entries()
            found = next((entry for entry in entries if entry.name.casefold() == rest.casefold()), None)
            if found is None:
                raise AvatarError(
                    f"There is no photo {rest} in the gallery.", "It has: " + ", ".join(entry.name for entry in entries) + "."
                )
            self._named.emit(found.path.name)
        elif word == "status":
            return self._status()
        else:
            self._asked.emit(word)
        return {"message": word}

    def _status(self) -> dict[str, object]:
        status = self._window.live.status()
        return {
            "message": f"shows {status.shows} {status.reason}".strip(),
            "shows": status.shows,
            "reason": status.reason,
            "calibrated": status.calibrated,
            "camera": status.camera,
            "output": status.output,
            "statistics": dataclasses.asdict(status.statistics),
            "notices": [notice.message for notice in status.notices],
        }

    def _do(self, word: str) -> None:
        self._window.actions_.do(ACTIONS[word])
