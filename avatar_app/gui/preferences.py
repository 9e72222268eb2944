"""Hold the user's settings while the window is open, and save changes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from avatar_app.errors import OutputError
from avatar_app.gui.settings import Settings, save_settings
from avatar_app.text import NOTHING, Text

log = logging.getLogger(__name__)

DELAY_MS = 800
"""Delay before writing: a dragged slider should not write a file for each step."""


class Preferences(QObject):
    """Holds the current settings.

    Args:
        path: where they are saved; None keeps them in memory.
    """

    changed = Signal()
    problem = Signal(object, object)
    """The settings cannot be written: message and hint, both `Text`; both empty once that is over."""

    def __init__(
        self, settings: Settings | None = None, path: Path | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._settings = settings or Settings()
        self._path = path
        self._dirty = False
        self._reported = ""
        self._timer = QTimer(self, singleShot=True, interval=DELAY_MS)
        self._timer.timeout.connect(self.save)

    @property
    def now(self) -> Settings:
        return self._settings

    def change(self, **changes: Any) -> None:
        """Replace fields, e.g. ``change(theme="dark")``."""
        self.put(self._settings.having(**changes))

    def put(self, settings: Settings) -> None:
        """Replace the settings."""
        if settings == self._settings:
            return
        self._settings = settings
        self._dirty = True
        self._timer.start()
        self.changed.emit()

    def save(self) -> None:
        """Write changes.

        A failed write is tried again with the next change, and at the end.
        """
        self._timer.stop()
        if not self._dirty or self._path is None:
            return
        try:
            save_settings(self._settings, self._path)
        except OutputError as error:
            log.warning("%s", error)
            self._report(error.message, error.hint)
            return
        self._dirty = False
        self._report(NOTHING, NOTHING)

    def _report(self, message: Text, hint: Text) -> None:
        """Report a problem once, not with every step of a slider."""
        if message != self._reported:
            self._reported = message
            self.problem.emit(message, hint)
