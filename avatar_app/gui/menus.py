"""The menus of the window: main menu, the picture's, and the backgrounds."""

from __future__ import annotations

import sys

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication
from PySide6.QtWidgets import QMainWindow, QMenu

from avatar_app.gui.panels.background_menu import BackgroundMenu
from avatar_app.gui.shortcuts import Shortcuts

EXPRESSIONS = ("express-smile", "express-wink", "express-surprise", "express-look", "", "hold")
MENUS = {
    QT_TRANSLATE_NOOP("Menus", "&Avatar"): (
        *("add-photo", "paste-photo", "reload-avatars", "find-photo", ""),
        *("previous-avatar", "next-avatar", "random-avatar"),
    ),
    QT_TRANSLATE_NOOP("Menus", "&Expression"): EXPRESSIONS,
    QT_TRANSLATE_NOOP("Menus", "&Call"): (
        *("join", "", "calibrate", "find-best", "pause", "", "mirror-output", "record", "snapshot", ""),
        "pass-through",
    ),
    QT_TRANSLATE_NOOP("Menus", "&View"): (
        *("full-screen", "swap-views", "show-panel", ""),
        *("ghost", "landmarks", "help-box", "statistics", "mirror-preview", "", "reset-view"),
    ),
    QT_TRANSLATE_NOOP("Menus", "&Help"): ("guide", "keys", "doctor", "", "about"),
}
PICTURE = (
    *("pause", "record", "snapshot", "", "mirror-output", "reset-view", ""),
    *("swap-views", "full-screen", "show-panel"),
)


class Menus:
    """All menus of one window; they show its actions."""

    def __init__(self, window: QMainWindow, shortcuts: Shortcuts, background: BackgroundMenu) -> None:
        self._shortcuts = shortcuts
        self.background = background
        self.main = QMenu(window)
        self.picture = QMenu(window)
        self.expressions = QMenu(window)
        self._fill_main(window)
        self._add(self.picture, PICTURE)
        self._add(self.expressions, EXPRESSIONS)
        self.picture.insertMenu(shortcuts.actions["mirror-output"], background)

    def _fill_main(self, window: QMainWindow) -> None:
        bar = window.menuBar()
        bar.clear()
        bar.setVisible(sys.platform == "darwin")
        for title, names in MENUS.items():
            text = QCoreApplication.translate("Menus", str(title))
            self._add(self.main.addMenu(text), names)
            if sys.platform == "darwin":  # where every app has a menu bar, outside of its window
                self._add(bar.addMenu(text), names)
        self.main.addSeparator()
        self._add(self.main, ("preferences", "quit"))

    def _add(self, menu: QMenu, names: tuple[str, ...]) -> None:
        for name in names:
            if name:
                menu.addAction(self._shortcuts.actions[name])
            else:
                menu.addSeparator()
