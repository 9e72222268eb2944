"""A grid of tiles in columns that fill its width."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QListView, QStyle, QWidget


class GalleryView(QListView):
    """Letters are left to the window's keys."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setMouseTracking(True)

    def keyboardSearch(self, search: str) -> None:
        """Typing does not move the cursor."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.fill_width()
        super().resizeEvent(event)

    def fill_width(self) -> None:
        """Spread as many columns as there is room for beside a scroll bar, whether it is there or not, so that nothing flickers."""
        tile = self.sizeHintForIndex(self.model().index(0, 0)) if self.model() else QSize()
        if tile.isValid():
            room = self.width() - self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent) - 1
            columns = max(1, room // tile.width())
            self.setGridSize(QSize(max(tile.width(), room // columns), tile.height()))
