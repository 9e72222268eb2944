"""Carry commands of other programs and global hotkeys into the window's thread.

Only programs of this user.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from avatar_app.control.server import AlreadyRunning, ControlServer
from avatar_app.errors import AvatarError
from avatar_app.gui.dialogs.settings import everywhere_text
from avatar_app.gui.main_window import MainWindow
from avatar_app.hotkeys.listener import DEFAULT_HOTKEYS, Hotkeys, desktop_limit
from avatar_app.photos.library import Entry
from avatar_app.photos.lookup import find_photo
from avatar_app.session.commands import Commands
from avatar_app.session.controls import Notice
from avatar_app.text import Text, join

log = logging.getLogger(__name__)

ACTIONS = {
    "recalibrate": "calibrate",
    "next": "next-avatar",
    "previous": "previous-avatar",
    "raise": "show",
    "pause": "pause",
}
"""Command or hotkey -> action of the window, if their names differ."""


class Remote(QObject):
    """Owns the control server and the hotkeys of a window.

    Args:
        path: the server's address; None: the default.
    """

    _asked = Signal(str)
    _named = Signal(object)
    _hotkeys_changed = Signal()

    def __init__(self, window: MainWindow, path: Path | None = None) -> None:
        super().__init__(window)
        self._window = window
        self._asked.connect(self._do)
        self._named.connect(self._use)
        self._hotkeys_changed.connect(self._report_hotkeys)
        # They run in the server's thread, which may use the session but not the window.
        words = ("next", "previous", "raise", "quit", "record", "snapshot")
        in_window = {word: partial(self._ask, word) for word in words}
        self.answer = Commands(window.live, window.library, {**in_window, "avatar": self._name})
        self._server = ControlServer(self.answer, path)
        self._hotkeys: Hotkeys | None = None
        self._bindings: dict[str, str] = {}
        self._limit_known = False
        self._reported: list[Text] = []
        self._starting: threading.Thread | None = None

    def start(self) -> bool:
        """Start to listen; return False if another instance does already.

        Any other failure becomes a notice, never an error.
        """
        try:
            self._server.start()
        except AlreadyRunning:
            return False
        except AvatarError as error:
            self._window.notify(Notice("control", "warning", error.message, error.hint))
        self.start_hotkeys()
        return True

    def start_hotkeys(self) -> None:
        """Listen to the keys of the settings, replacing earlier ones.

        Returns at once: a display may take seconds to answer.
        """
        before, now = self._hotkeys, self._window.preferences.now
        bindings = {**DEFAULT_HOTKEYS, **now.hotkeys} if now.global_hotkeys else {}
        self._hotkeys = hotkeys = Hotkeys(bindings, self._asked.emit, everywhere_text, self._tell)
        self._bindings = bindings
        self._reported = []
        self._limit_known = now.hotkey_limit_shown

        def work() -> None:
            if before is not None:
                before.close()
            hotkeys.start()
            self._tell()

        self._starting = threading.Thread(target=work, name="hotkeys start", daemon=True)
        self._starting.start()

    def follow_settings(self) -> None:
        """Register other keys after the user has changed them."""
        now = self._window.preferences.now
        wanted = {**DEFAULT_HOTKEYS, **now.hotkeys} if now.global_hotkeys else {}
        if self._hotkeys is not None and wanted != self._bindings:
            self.start_hotkeys()

    def close(self) -> None:
        if self._starting is not None:
            self._starting.join(0.2)
        if self._hotkeys is not None:
            self._hotkeys.close()
        self._server.close()

    def _ask(self, word: str, _: str) -> None:
        self._asked.emit(word)

    def _name(self, text: str) -> None:
        self._named.emit(find_photo(text, self._window.library))

    def _tell(self) -> None:
        with suppress(RuntimeError):  # the window has been closed meanwhile
            self._hotkeys_changed.emit()

    def _report_hotkeys(self) -> None:
        """Show what does not work now in one notice, or remove it.

        What the last report said is not shown again: the user may have closed it. What will never work on
        this desktop is shown once. The doctor and the preferences always say it.
        """
        problems = self._hotkeys.problems if self._hotkeys else []
        if (limit := desktop_limit()) in problems:
            if self._limit_known:
                problems.remove(limit)
            self._window.preferences.change(hotkey_limit_shown=True)
        log.info("hotkeys: %s", join(problems) or "all work")
        if problems and problems != self._reported:
            self._window.notify(Notice("hotkeys", "info", join(problems)))
        elif not problems:
            self._window.notices.remove("hotkeys")
        self._reported = problems

    def _use(self, entry: Entry) -> None:
        """Choose a photo of the gallery, or use one from outside it."""
        if not self._window.gallery.select(entry.path):
            self._window.live.change(
                avatar=entry.path, avatar_box=entry.box, avatar_turn=entry.turn, avatar_face=0
            )

    def _do(self, word: str) -> None:
        if word == "quit":
            self._window.quit()
        else:
            self._window.actions_.do(ACTIONS.get(word, word))
