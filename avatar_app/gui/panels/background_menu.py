"""Choose the background: for the settings panel and the button under the picture."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication
from PySide6.QtGui import QActionGroup, QColor
from PySide6.QtWidgets import QColorDialog, QFileDialog, QMenu, QWidget

from avatar_app.gui.live import Live

CHOICES: dict[str, object] = {
    "photo": QT_TRANSLATE_NOOP("Background", "As in the photo"),
    "blur": QT_TRANSLATE_NOOP("Background", "Blurred"),
    "#202830": QT_TRANSLATE_NOOP("Background", "Dark grey"),
    "#d8dce2": QT_TRANSLATE_NOOP("Background", "Light grey"),
    "#00b140": QT_TRANSLATE_NOOP("Background", "Green screen"),
}
"""Names by ``Controls.background``."""


def background_name(background: str) -> str:
    """Return the name of a value of ``Controls.background``."""
    if background in CHOICES:
        return QCoreApplication.translate("Background", str(CHOICES[background]))
    return background if background.startswith("#") else Path(background).name


def ask_colour(parent: QWidget) -> str:
    """Ask the user for a colour; empty: none."""
    title = QCoreApplication.translate("Background", "Background")
    colour = QColorDialog.getColor(QColor("#203040"), parent, title)
    return colour.name() if colour.isValid() else ""


def ask_picture(parent: QWidget) -> str:
    """Ask the user for a picture file; empty: none."""
    title = QCoreApplication.translate("Background", "Picture for the background")
    kinds = QCoreApplication.translate("Background", "Pictures (*.jpg *.jpeg *.png *.webp *.bmp)")
    return QFileDialog.getOpenFileName(parent, title, "", kinds)[0]


class BackgroundMenu(QMenu):
    """A menu of the choices; the chosen one is ticked."""

    def __init__(self, live: Live, parent: QWidget) -> None:
        super().__init__(self.tr("Background"), parent)
        self._live = live
        self._group = QActionGroup(self)
        self.aboutToShow.connect(self._fill)
        self._fill()

    def _fill(self) -> None:
        now = self._live.controls.background
        self.clear()
        for value in dict.fromkeys((*CHOICES, now)):
            action = self.addAction(background_name(value))
            action.setCheckable(True)
            action.setChecked(value == now)
            action.triggered.connect(lambda _=False, value=value: self._live.change(background=value))
            self._group.addAction(action)
        self.addSeparator()
        self.addAction(self.tr("Another colour..."), lambda: self._take(ask_colour(self._window())))
        self.addAction(self.tr("Picture..."), lambda: self._take(ask_picture(self._window())))

    def _window(self) -> QWidget:
        parent = self.parentWidget()
        assert parent is not None
        return parent

    def _take(self, value: str) -> None:
        if value:
            self._live.change(background=value)
