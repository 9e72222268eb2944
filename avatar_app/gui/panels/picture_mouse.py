"""Handle the mouse on the picture area.

Swap and move the inset, move and zoom the avatar, full screen, menu.
"""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, Qt, Signal
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from avatar_app.gui.panels.camera_view import CameraView
from avatar_app.gui.panels.output_view import OutputView
from avatar_app.gui.panels.preview import PictureView

NOTCH = 120
"""Value of one step of a wheel."""


class Views(Protocol):
    """The part of a ``PictureArea`` that is used."""

    output: OutputView
    camera: CameraView

    @property
    def large(self) -> PictureView: ...

    @property
    def inset(self) -> PictureView: ...

    def picture_place(self) -> QRect: ...

    def move_inset(self, center: QPoint) -> None: ...

    def settle_inset(self) -> None: ...


class PictureMouse(QObject):
    """Handles the mouse on both views of the picture area.

    ``panned`` carries the distance by which the avatar was dragged, in fractions of the picture as others see
    it; ``turned`` the steps of the wheel.
    """

    panned = Signal(float, float)
    turned = Signal(float)
    swap = Signal()
    full_screen = Signal()

    def __init__(self, widget: QWidget, area: Views) -> None:
        super().__init__(widget)
        self._widget, self._area = widget, area
        self._pressed: QPoint | None = None
        self._last = QPointF()
        self._dragging = False
        for view in (area.output, area.camera):
            view.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QWheelEvent) and watched is self._area.large is self._area.output:
            self.turned.emit(event.angleDelta().y() / NOTCH)
            return True
        if not isinstance(event, QMouseEvent) or event.button() not in (
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.NoButton,
        ):
            return False
        if watched is self._area.large and event.type() == QEvent.Type.MouseButtonDblClick:
            self.full_screen.emit()
            return True
        if watched is self._area.large is self._area.camera:
            return False  # a click there chooses a face
        return self._follow(watched is self._area.inset, event)

    def _follow(self, inset: bool, event: QMouseEvent) -> bool:
        place = event.globalPosition()
        if event.type() == QEvent.Type.MouseButtonPress:
            self._pressed, self._last, self._dragging = place.toPoint(), place, False
        elif event.type() == QEvent.Type.MouseMove and self._pressed is not None:
            far = (place.toPoint() - self._pressed).manhattanLength()
            self._dragging = self._dragging or far >= QApplication.startDragDistance()
            if self._dragging:
                self._drag(inset, place)
                self._last = place
        elif event.type() == QEvent.Type.MouseButtonRelease and self._pressed is not None:
            self._pressed = None
            if inset and self._dragging:
                self._area.settle_inset()
            elif inset:
                self.swap.emit()
        else:
            return False
        return True

    def _drag(self, inset: bool, place: QPointF) -> None:
        area = self._area
        if inset:
            area.move_inset(self._widget.mapFromGlobal(place.toPoint()))
            return
        moved, picture = place - self._last, area.picture_place()
        across = moved.x() / max(1, picture.width())
        self.panned.emit(-across if area.output.mirrored else across, moved.y() / max(1, picture.height()))
