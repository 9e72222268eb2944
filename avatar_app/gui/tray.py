"""The icon in the desktop's tray: pause and recalibrate while the window is behind others or minimised."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from avatar_app.gui.style.icons import app_icon
from avatar_app.session.controls import Status


class Tray(QObject):
    """``asked`` carries the name of an action, or ``show``."""

    asked = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.menu = QMenu()
        self.actions: dict[str, QAction] = {}
        texts = {
            "show": self.tr("Show the window"),
            "pause": self.tr("Pause"),
            "calibrate": self.tr("Recalibrate"),
            "quit": self.tr("Quit"),
        }
        for name, text in texts.items():
            if name == "quit":
                self.menu.addSeparator()
            action = self.menu.addAction(text)
            action.triggered.connect(lambda _=False, name=name: self.asked.emit(name))
            self.actions[name] = action
        self.actions["pause"].setCheckable(True)
        self.icon = QSystemTrayIcon(app_icon(), self)
        self.icon.setContextMenu(self.menu)
        self.icon.activated.connect(self._clicked)

    @staticmethod
    def is_possible() -> bool:
        """Whether this desktop has a tray."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show_status(self, status: Status, paused: bool) -> None:
        self.actions["pause"].setChecked(paused)
        words = {
            "avatar": self.tr("the call sees your avatar"),
            "self": self.tr("the call sees your real face"),
        }
        text = words.get(status.shows, self.tr("the call sees the still card"))
        self.icon.setToolTip(f"Avatar: {text}")

    def close(self) -> None:
        self.icon.hide()
        self.menu.deleteLater()

    def _clicked(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.asked.emit("show")
