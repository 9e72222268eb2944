"""The tray icon: what others see, the avatars, pause and calibrate."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QSystemTrayIcon

from avatar_app.gui.headline import Headline
from avatar_app.gui.style.icons import app_icon
from avatar_app.gui.style.widgets import tip
from avatar_app.photos.library import Entry

MOST = 20
"""Limit of avatars in the menu; a longer one does not fit on screens."""


class Tray(QObject):
    """The tray icon with its menu.

    ``asked`` carries the name of an action, or ``show``; ``chosen`` the entry of an avatar.
    """

    asked = Signal(str)
    chosen = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.menu = QMenu()
        self.avatars = QMenu()
        self.actions: dict[str, QAction] = {}
        self._group = QActionGroup(self)
        self._listed: tuple[list[Entry], Entry | None] | None = None
        self._kind = ""
        self.state = self.menu.addAction("")
        self.state.setEnabled(False)
        self.menu.addSeparator()
        self._add("show")
        self.menu.addMenu(self.avatars)
        for name in ("next-avatar", "pause", "calibrate"):
            self._add(name)
        self.menu.addSeparator()
        self._add("quit")
        self.icon = QSystemTrayIcon(app_icon(), self)
        self.icon.setContextMenu(self.menu)
        self.icon.activated.connect(self._clicked)
        self.rename(False)

    def _add(self, name: str) -> None:
        action = self.menu.addAction("")
        action.triggered.connect(lambda: self.asked.emit(name))
        self.actions[name] = action

    def rename(self, paused: bool) -> None:
        """Set the texts, after the language or the pause has changed."""
        texts = {
            "show": self.tr("Show the window"),
            "next-avatar": self.tr("Next avatar"),
            "pause": self.tr("Resume") if paused else self.tr("Pause"),
            "calibrate": self.tr("Recalibrate"),
            "quit": self.tr("Quit"),
        }
        for name, text in texts.items():
            self.actions[name].setText(text)
        self.avatars.setTitle(self.tr("Avatar"))

    @staticmethod
    def is_possible() -> bool:
        """Whether this desktop has a tray."""
        return QSystemTrayIcon.isSystemTrayAvailable()

    def show_status(self, headline: Headline, paused: bool) -> None:
        """Show what others see, in the tooltip, the menu and the icon's dot."""
        self.rename(paused)
        self.state.setText(headline.text)
        self.icon.setToolTip(tip(f"Avatar: {headline.text}"))
        if headline.kind != self._kind:
            self._kind = headline.kind
            self.icon.setIcon(app_icon(headline.kind))

    def list_avatars(self, entries: list[Entry], chosen: Entry | None) -> None:
        """List these photos in the menu."""
        if (entries, chosen) == self._listed:
            return
        self._listed = (entries, chosen)
        self.avatars.clear()
        for entry in entries[:MOST]:
            action = self.avatars.addAction(entry.name)
            action.setCheckable(True)
            action.setChecked(chosen is not None and entry.path == chosen.path)
            action.triggered.connect(lambda _=False, entry=entry: self.chosen.emit(entry))
            self._group.addAction(action)

    def close(self) -> None:
        self.icon.hide()
        self.menu.deleteLater()
        self.avatars.deleteLater()

    def _clicked(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.asked.emit("show")
