"""The photos as a strip, or as columns that fill the width, movable by dragging."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, QSize, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QListView, QStyle, QWidget

from avatar_app.gui.gallery.model import ENTRY
from avatar_app.gui.gallery.tile import GalleryTile, tile_size

STRIP, STRIP_LOW, COLUMN = 68, 48, 84
"""Side of a photo in the strip, in the strip of a low window, and in a column; pixels."""
BAR = 10
"""Height of the scroll bar in the style sheet."""


class GalleryView(QListView):
    """A view that leaves letters to the window's keys.

    ``moved`` carries an entry and the row before which it was dropped.
    """

    moved = Signal(object, int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.tile = GalleryTile(self)
        self._side: bool | None = None  # until ``fit`` is called
        self.text = ""
        self._pressed: tuple[QPoint, QModelIndex] | None = None
        self._target: int | None = None
        self.setItemDelegate(self.tile)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setMouseTracking(True)

    def strip_height(self, low: bool) -> int:
        """Return the height of a strip with its scroll bar, in pixels."""
        return tile_size(STRIP_LOW if low else STRIP, self.fontMetrics().height()).height() + BAR

    def fit(self, side: bool, low: bool) -> None:
        """Become columns, or a strip with photos of a given size."""
        photo = COLUMN if side else STRIP_LOW if low else STRIP
        if (side, photo) == (self._side, self.tile.photo):
            return
        self._side, self.tile.photo = side, photo
        off, needed = Qt.ScrollBarPolicy.ScrollBarAlwaysOff, Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self.setHorizontalScrollBarPolicy(off if side else needed)
        self.setVerticalScrollBarPolicy(needed if side else off)
        self.setWrapping(side)
        tile = self._tile_size()
        self.setMinimumSize(tile.width() + 24, tile.height())
        self.fill_width()
        self.scheduleDelayedItemsLayout()

    def say(self, text: str) -> None:
        """Show a text beside the photos."""
        self.text = text
        self.viewport().update()

    def keyboardSearch(self, search: str) -> None:
        """Do nothing: typing does not move the cursor."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.fill_width()
        super().resizeEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll a strip sideways with any wheel."""
        if self._side:
            super().wheelEvent(event)
            return
        turned = event.angleDelta()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - (turned.y() or turned.x()))
        event.accept()

    def _tile_size(self) -> QSize:
        return tile_size(self.tile.photo, self.fontMetrics().height())

    def fill_width(self) -> None:
        """Use as many columns as fit beside a scroll bar.

        Whether there is a bar or not, so that nothing flickers.
        """
        tile = self._tile_size()
        if self._side:
            room = self.width() - self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent) - 1
            columns = max(1, room // tile.width())
            tile.setWidth(max(tile.width(), room // columns))
        self.setGridSize(tile)

    # Dragging a photo to another place.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        if event.button() == Qt.MouseButton.LeftButton and index.data(ENTRY) is not None:
            self._pressed = (event.position().toPoint(), index)
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        if self._pressed is None:
            super().mouseMoveEvent(event)
            return
        far = (place - self._pressed[0]).manhattanLength() >= QApplication.startDragDistance()
        if far or self._target is not None:
            self._target = self._gap_at(place)
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.viewport().update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        pressed, target = self._pressed, self._target
        self._pressed = self._target = None
        if pressed is None or target is None:
            super().mouseReleaseEvent(event)
            return
        self.unsetCursor()
        self.viewport().update()
        row = pressed[1].row()
        if target not in (row, row + 1):
            self.moved.emit(pressed[1].data(ENTRY), target)

    def menu_place(self, event: QContextMenuEvent) -> tuple[QModelIndex, QPoint]:
        """Return the row of a context menu, and its position on the screen."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            index = self.currentIndex()
            return index, self.viewport().mapToGlobal(self.visualRect(index).center())
        return self.indexAt(self.viewport().mapFromGlobal(event.globalPos())), event.globalPos()

    def _gap_at(self, place: QPoint) -> int:
        """Return the row before which a photo dropped here would go."""
        rows = self.model().rowCount() - 1  # the last one adds photos
        for row in range(rows):
            tile = self.visualRect(self.model().index(row, 0))
            beside = not self._side or place.y() <= tile.bottom()
            if beside and place.x() < tile.center().x():
                return row
            if self._side and place.y() < tile.top():
                return row
        return rows

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = QApplication.palette()
        if self.text:
            tile = self.visualRect(self.model().index(0, 0))
            room = self.viewport().rect().adjusted(8, 0, -8, 0)
            if self._side:
                room.setTop(tile.bottom() + 8)
            else:
                room.setLeft(tile.right() + 12)
            painter.setPen(palette.color(QPalette.ColorRole.WindowText))
            align = Qt.AlignmentFlag.AlignTop if self._side else Qt.AlignmentFlag.AlignVCenter
            painter.drawText(room, align | Qt.AlignmentFlag.AlignLeft | Qt.TextFlag.TextWordWrap, self.text)
        if self._target is not None:
            tile = self.visualRect(self.model().index(self._target, 0))
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Highlight), 3))
            painter.drawLine(tile.left(), tile.top() + 4, tile.left(), tile.bottom() - 4)
