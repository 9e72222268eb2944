"""Remember the window's position and size, within the screen."""

from __future__ import annotations

import base64
import binascii

from PySide6.QtCore import QByteArray, QObject, QRect, QSize
from PySide6.QtWidgets import QApplication, QMainWindow

from avatar_app.gui.arrangement import BESIDE
from avatar_app.gui.preferences import Preferences

STATE_VERSION = b"2"
FIRST_SIZE = QSize(1280, 800)
FRAME = QSize(2, 40)
"""Approximate size of the desktop's frame around a window, with the title bar."""


class WindowPlace(QObject):
    """Restores and remembers size and position."""

    def __init__(self, window: QMainWindow, preferences: Preferences) -> None:
        super().__init__(window)
        self._window, self._preferences = window, preferences

    def restore(self) -> bool:
        """Restore them; return whether the drawer is open."""
        now = self._preferences.now
        self._window.resize(FIRST_SIZE)
        geometry, state = _unpack(now.window_geometry), _unpack(now.window_state)
        if geometry:
            self._window.restoreGeometry(QByteArray(geometry))
        self.fit_screen()
        return state[:2] == STATE_VERSION + b"1" and self._window.width() >= BESIDE

    def fit_screen(self) -> None:
        """Make the window fit the available area of the screen."""
        screen = self._window.screen() or QApplication.primaryScreen()
        if screen is None or self._window.isMaximized() or self._window.isFullScreen():
            return
        room = screen.availableGeometry()
        size = self._window.size().boundedTo(room.size() - FRAME)
        self._window.resize(size)
        if not room.contains(QRect(self._window.pos(), size)) and self._window.pos().manhattanLength():
            x = min(max(self._window.x(), room.left()), room.right() - size.width())
            y = min(max(self._window.y(), room.top()), room.bottom() - size.height())
            self._window.move(x, y)

    def remember(self, is_open: bool) -> None:
        """Remember size, position and panels of the window.

        Args:
            is_open: whether the drawer is open.
        """
        self._preferences.change(
            window_geometry=_pack(bytes(self._window.saveGeometry().data())),
            window_state=_pack(STATE_VERSION + (b"1" if is_open else b"0")),
        )


def _pack(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unpack(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
