"""A view of a photo with a square that can be moved and resized."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QPixmap,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from avatar_app.faces.crop import photo_box, square_box
from avatar_app.gui.dialogs.crop_check import nearest
from avatar_app.gui.pictures import to_qimage
from avatar_app.types import Box, Face, Image

LEAST = 48.0
"""Smallest side of the square, pixels of the photo."""
GRIP = 14.0
"""Distance from a corner within which a press grabs it, pixels of the screen."""
AROUND = 0.04
"""Margin around the photo and the square, as a fraction of the photo's longer side."""


class CropView(QWidget):
    """Shows the photo and the square.

    ``moved`` carries the square after every change by the user.
    """

    moved = Signal(object)

    def __init__(self, image: Image, box: Box, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image = image
        self._size = (image.shape[1], image.shape[0])
        self._pixmap = QPixmap.fromImage(to_qimage(image))
        self._box = box
        self._faces: list[Face] = []
        self._grip: tuple[int, int] | None = None
        self._held: QPointF | None = None
        self._seen = self._all()
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(260, 260)

    def sizeHint(self) -> QSize:
        return QSize(460, 460)

    @property
    def box(self) -> Box:
        return self._box

    def set_box(self, box: Box) -> None:
        """Move the square; its size stays sensible, and its middle within the photo."""
        width, height = self._size
        size = float(np.clip(box.size, LEAST, 2 * max(width, height)))
        x, y = float(np.clip(box.center_x, 0, width - 1)), float(np.clip(box.center_y, 0, height - 1))
        self._box = Box(x, y, size)
        if self._held is None:
            self._seen = self._all()
        self.update()
        self.moved.emit(self._box)

    def set_image(self, image: Image, box: Box) -> None:
        """Show another photo, such as the same one turned."""
        self._image, self._size = image, (image.shape[1], image.shape[0])
        self._pixmap = QPixmap.fromImage(to_qimage(image))
        self._faces = []
        self.set_box(box)

    def set_faces(self, faces: list[Face]) -> None:
        """Set the faces to outline; a click on one puts the square around it."""
        self._faces = faces
        self.update()

    def _all(self) -> QRectF:
        """Return the visible area: the photo and the square, in pixels of the photo.

        It is fixed while the mouse drags.
        """
        width, height = self._size
        box = self._box
        square = QRectF(
            box.center_x + 0.5 - box.size / 2, box.center_y + 0.5 - box.size / 2, box.size, box.size
        )
        margin = AROUND * max(width, height)
        return QRectF(0, 0, width, height).united(square).adjusted(-margin, -margin, margin, margin)

    def _scale(self) -> tuple[float, QPointF]:
        """Return screen pixels for one pixel of the photo, and the position of its first."""
        scale = min(self.width() / self._seen.width(), self.height() / self._seen.height())
        return scale, QPointF(self.width() / 2, self.height() / 2) - self._seen.center() * scale

    def square(self) -> QRectF:
        """Return the square on the screen."""
        return self._on_screen(self._box)

    def _on_screen(self, box: Box) -> QRectF:
        scale, origin = self._scale()
        left, top = (box.center_x + 0.5 - box.size / 2) * scale, (box.center_y + 0.5 - box.size / 2) * scale
        return QRectF(left + origin.x(), top + origin.y(), box.size * scale, box.size * scale)

    def _corner(self, place: QPointF) -> tuple[int, int] | None:
        """Return the corner near a position, as (-1 or 1, -1 or 1)."""
        square = self.square()
        for across in (-1, 1):
            for down in (-1, 1):
                corner = square.center() + QPointF(across * square.width() / 2, down * square.height() / 2)
                if max(abs(place.x() - corner.x()), abs(place.y() - corner.y())) < GRIP:
                    return across, down
        return None

    def _face_at(self, place: QPointF) -> Face | None:
        return next((face for face in self._faces if self._on_screen(_tight(face)).contains(place)), None)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        place = event.position()
        self._grip = self._corner(place)
        if self._grip is None and not self.square().contains(place):
            face = self._face_at(place)
            if face is not None:
                self.set_box(photo_box(face, self._image))
            return
        self._held = place

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        place = event.position()
        if self._held is None:
            self._show_cursor(place)
            return
        scale, _ = self._scale()
        shift = (place - self._held) / scale
        self._held = place
        if self._grip is None:
            self.set_box(
                replace(
                    self._box,
                    center_x=self._box.center_x + shift.x(),
                    center_y=self._box.center_y + shift.y(),
                )
            )
        else:
            self._resize(place)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._held = self._grip = None
        self._seen = self._all()
        self.update()
        self._show_cursor(event.position())

    def _resize(self, place: QPointF) -> None:
        """Move the held corner to the mouse; the opposite one stays."""
        assert self._grip is not None
        across, down = self._grip
        square = self.square()
        fixed = square.center() - QPointF(across * square.width() / 2, down * square.height() / 2)
        reach = max((place.x() - fixed.x()) * across, (place.y() - fixed.y()) * down)
        scale, origin = self._scale()
        size = max(LEAST, reach / scale)
        x, y = (fixed.x() - origin.x()) / scale - 0.5, (fixed.y() - origin.y()) / scale - 0.5
        self.set_box(Box(x + across * size / 2, y + down * size / 2, size))

    def _show_cursor(self, place: QPointF) -> None:
        corner = self._corner(place)
        if corner is not None:
            same = corner[0] == corner[1]
            self.setCursor(Qt.CursorShape.SizeFDiagCursor if same else Qt.CursorShape.SizeBDiagCursor)
        elif self.square().contains(place):
            self.setCursor(Qt.CursorShape.SizeAllCursor)
        else:
            self.setCursor(
                Qt.CursorShape.PointingHandCursor if self._face_at(place) else Qt.CursorShape.ArrowCursor
            )

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.set_box(replace(self._box, size=self._box.size * 0.999 ** event.angleDelta().y()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = (
            1.0 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else max(1.0, self._box.size * 0.03)
        )
        box, key = self._box, event.key()
        shifts = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }
        if key in shifts:
            across, down = shifts[Qt.Key(key)]
            self.set_box(
                replace(box, center_x=box.center_x + across * step, center_y=box.center_y + down * step)
            )
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.set_box(replace(box, size=box.size + 2 * step))
        elif key == Qt.Key.Key_Minus:
            self.set_box(replace(box, size=box.size - 2 * step))
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        scale, origin = self._scale()
        width, height = self._size
        photo = QRectF(origin.x(), origin.y(), width * scale, height * scale)
        painter.drawPixmap(photo, self._pixmap, QRectF(self._pixmap.rect()))
        square = self.square()
        shade = QPainterPath()
        shade.addRect(QRectF(self.rect()) & photo.united(square))
        hole = QPainterPath()
        hole.addRect(square)
        painter.fillPath(shade.subtracted(hole), QColor(0, 0, 0, 135))
        self._paint_faces(painter)
        _paint_square(painter, square, self.palette().color(QPalette.ColorRole.Highlight), self.hasFocus())

    def _paint_faces(self, painter: QPainter) -> None:
        """Outline the other faces that the square could go to."""
        if len(self._faces) < 2:
            return
        used = nearest(self._faces, self._box)
        painter.setPen(QPen(QColor(255, 255, 255, 190), 1.5, Qt.PenStyle.DashLine))
        for face in self._faces:
            if face is not used:
                painter.drawRoundedRect(self._on_screen(_tight(face)), 8, 8)

    def event(self, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.FocusIn, QEvent.Type.FocusOut):
            self.update()
        return super().event(event)


def _tight(face: Face) -> Box:
    box = square_box(face)
    return replace(box, size=box.size * 0.6)


def _paint_square(painter: QPainter, square: QRectF, accent: QColor, focused: bool) -> None:
    """Draw the square with its corners, and an oval where the face belongs."""
    painter.setPen(QPen(QColor(0, 0, 0, 120), 4))
    painter.drawRect(square)
    painter.setPen(QPen(accent if focused else QColor(255, 255, 255), 2))
    painter.drawRect(square)
    oval = QRectF(0, 0, square.width() * 0.4, square.height() * 0.5)
    oval.moveCenter(square.center() + QPointF(0, 0.015 * square.height()))
    painter.setPen(QPen(QColor(255, 255, 255, 130), 1.2, Qt.PenStyle.DashLine))
    painter.drawEllipse(oval)
    painter.setPen(QPen(QColor(0, 0, 0, 110), 1))
    painter.setBrush(QColor(255, 255, 255))
    for corner in (square.topLeft(), square.topRight(), square.bottomLeft(), square.bottomRight()):
        painter.drawEllipse(corner, 6, 6)
    painter.setBrush(Qt.BrushStyle.NoBrush)
