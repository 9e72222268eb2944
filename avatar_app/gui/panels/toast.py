"""Show a short message over the picture about what was done, with buttons."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from avatar_app.gui.shortcuts import focus_by_tab_alone
from avatar_app.gui.style.widgets import fill, label

SECONDS = 8.0


class Toast(QFrame):
    """A message that disappears by itself, but not while the pointer is on it."""

    shown = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "toast")
        self.text = label("", "")
        self.buttons: list[QPushButton] = []
        self._line = fill(QHBoxLayout(self), self.text, margins=(14, 6, 8, 6), spacing=6)
        self._timer = QTimer(self, singleShot=True, interval=round(SECONDS * 1000))
        self._timer.timeout.connect(self._end)
        self.hide()

    def say(self, text: str, actions: dict[str, Callable[[], object]] | None = None) -> None:
        """Show a text and a button for each action: label -> function.

        Each button hides the message.
        """
        for button in self.buttons:
            button.hide()
            button.deleteLater()
        self.buttons = []
        self.text.setText(text)
        for name, act in (actions or {}).items():
            button = QPushButton(name, self)
            button.setProperty("role", "link")
            button.clicked.connect(lambda _=False, act=act: self._do(act))
            self._line.addWidget(button)
            self.buttons.append(button)
        focus_by_tab_alone(self)
        self.setAccessibleName(text)
        self._line.activate()
        self.adjustSize()
        self.show()
        self.raise_()
        self._timer.start()
        self.shown.emit()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def _do(self, act: Callable[[], object]) -> None:
        self.hide()
        act()

    def _end(self) -> None:
        if self.underMouse():
            self._timer.start()
        else:
            self.hide()
