"""The window's content: header, picture area, buttons, gallery, settings drawer."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from avatar_app.gui.arrangement import BESIDE, EDGE, GAP, Arrangement, Heights, arrange
from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.live import Live
from avatar_app.gui.menus import Menus
from avatar_app.gui.panels.controls import ControlsPanel
from avatar_app.gui.panels.header import Header
from avatar_app.gui.panels.picture_area import PictureArea
from avatar_app.gui.panels.tool_bar import ToolBar
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.shortcuts import focus_by_tab_alone
from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.widgets import fill, label, panel
from avatar_app.photos.library import Library


class Drawer(QFrame):
    """The settings panel with a title; emits ``closed`` when the user closes it."""

    closed = Signal()

    def __init__(self, panel: ControlsPanel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.close_button = QToolButton()
        self.close_button.setProperty("role", "plain")
        self.close_button.setIconSize(QSize(12, 12))
        self.close_button.setAccessibleName(self.tr("Close settings"))
        self.close_button.setToolTip(self.tr("Close settings"))
        self.close_button.clicked.connect(self.closed)
        top = fill(
            QHBoxLayout(),
            (label(self.tr("Settings"), "heading"), 1),
            self.close_button,
            margins=(12, 4, 4, 0),
        )
        fill(QVBoxLayout(self), top, (panel, 1), margins=2, spacing=2)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def draw_icons(self) -> None:
        self.close_button.setIcon(icon("close"))


class WindowView(QWidget):
    """Places its parts by ``arrangement.arrange``.

    It is rebuilt when the language changes.
    """

    def __init__(
        self, live: Live, library: Library, preferences: Preferences, devices: DeviceLists, menus: Menus
    ) -> None:
        super().__init__()
        self.header = Header(menus.main)
        self.area = PictureArea()
        self.tools = ToolBar(menus.background, menus.expressions)
        self.gallery = Gallery(library)
        self.panel = ControlsPanel(live, devices, preferences)
        self.drawer = Drawer(self.panel)
        self.gallery_panel = panel()
        fill(QVBoxLayout(self.gallery_panel), self.gallery, margins=(6, 4, 6, 2))
        for piece in (self.header, self.area, self.tools, self.gallery_panel, self.drawer):
            piece.setParent(self)
        self.full_screen = self._drawer_open = False
        self.drawer.closed.connect(lambda: self.open_drawer(False))
        focus_by_tab_alone(self)
        self.draw_icons()

    def open_drawer(self, is_open: bool) -> None:
        self._drawer_open = is_open
        self.drawer.setVisible(is_open and not self.full_screen)
        self.arrange()

    @property
    def drawer_open(self) -> bool:
        """Whether it is open, or will be when full screen ends."""
        return self._drawer_open

    def set_full_screen(self, on: bool) -> None:
        """Show only the picture, or everything."""
        self.full_screen = on
        for piece in (self.header, self.tools, self.gallery_panel):
            piece.setHidden(on)
        self.drawer.setVisible(self._drawer_open and not on)
        self.arrange()

    def minimumSizeHint(self) -> QSize:
        parts = (self.header, self.area, self.tools)
        width = max(piece.minimumSizeHint().width() for piece in parts) + 2 * EDGE
        heights = self._heights(True)
        area = self.area.minimumSizeHint().height()
        return QSize(width, heights.header + area + heights.tools + heights.strip + 5 * GAP)

    def sizeHint(self) -> QSize:
        return QSize(1280, 800)

    def _heights(self, low: bool) -> Heights:
        return Heights(
            max(self.header.sizeHint().height(), 34),
            self.tools.sizeHint().height(),
            self.gallery.strip_height(low) + 8,
        )

    def arrange(self) -> None:
        if self.full_screen:
            self.area.setGeometry(self.rect())
            return
        low = self.height() < 700
        width, height = self.area.large.source_size
        proportion = width / height if height else 16 / 9
        found = arrange(self.size(), self._heights(low), not self.drawer.isHidden(), proportion)
        self.gallery.fit(found.side, low)
        self._place(found)

    def _place(self, found: Arrangement) -> None:
        for piece, place in (
            (self.header, found.header),
            (self.area, found.area),
            (self.tools, found.tools),
            (self.gallery_panel, found.gallery),
            (self.drawer, found.drawer),
        ):
            piece.setGeometry(place)
        self.drawer.raise_()

    def is_narrow(self) -> bool:
        """Whether the drawer would cover a part of the pictures."""
        return self.width() < BESIDE

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self.arrange()

    def draw_icons(self) -> None:
        """Draw the icons in the theme's colours."""
        for piece in (self.header, self.tools, self.drawer, self.panel):
            piece.draw_icons()
        self.area.notices.draw_again()
