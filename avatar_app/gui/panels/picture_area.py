"""The middle of the window: the large picture, and over it the inset and messages."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget

from avatar_app.gui.panels.calibration import CalibrationPanel
from avatar_app.gui.panels.camera_view import CameraView
from avatar_app.gui.panels.notices import NoticeBar
from avatar_app.gui.panels.output_view import OutputView
from avatar_app.gui.panels.picture_mouse import PictureMouse
from avatar_app.gui.panels.preview import PictureView, fit
from avatar_app.gui.panels.toast import Toast
from avatar_app.gui.shortcuts import focus_by_tab_alone
from avatar_app.gui.style.theme import restyle
from avatar_app.session.controls import Status

EDGE = 12
INSET = 0.24
"""Width of the inset divided by that of the picture."""
INSET_LEAST, INSET_MOST = 132, 320
LEAST = QSize(600, 250)
COMPACT = 380
"""Height of the picture area below which the calibration shows only the overall match."""
NOTICES = 680
"""Largest width of the banners; longer lines are hard to read."""


class PictureArea(QWidget):
    """The large picture with its overlays; ``asked`` carries the name of an action.

    Attributes:
        swapped: the user wants the camera large and the output small.
    """

    asked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.output, self.camera = OutputView(self), CameraView(self)
        self.calibration = CalibrationPanel(self)
        self.chip = QPushButton(self)
        self.chip.setProperty("role", "chip")
        self.chip.clicked.connect(self.calibration.countdown.begin)
        self.notices = NoticeBar(self)
        self.toast = Toast(self)
        self.mouse = PictureMouse(self, self)
        self.swapped = False
        self._camera_first = False
        self._face = True
        self._corner = QPointF(1, 1)
        self.output.setAccessibleName(self.tr("What others see"))
        self.camera.setAccessibleName(self.tr("Your camera"))
        self.calibration.asked.connect(self.asked)
        self.calibration.countdown.changed.connect(self._count)
        self.toast.shown.connect(self.arrange)
        self.notices.changed.connect(self.arrange)
        focus_by_tab_alone(self)
        self.name_views()

    @property
    def large(self) -> PictureView:
        """Return the view that fills the picture area."""
        return self.camera if self._camera_first != self.swapped else self.output

    @property
    def inset(self) -> PictureView:
        """Return the view that lies over it."""
        return self.output if self.large is self.camera else self.camera

    def sizeHint(self) -> QSize:
        return QSize(960, 540)

    def minimumSizeHint(self) -> QSize:
        least = self.calibration.minimumSizeHint()
        return LEAST.expandedTo(QSize(least.width() + INSET_LEAST + 3 * EDGE, least.height() + 2 * EDGE))

    def swap(self) -> None:
        """Exchange the large picture and the small one."""
        self.swapped = not self.swapped
        self.name_views()
        self.arrange()

    def name_views(self) -> None:
        """Show the name of the small view."""
        you = self.tr("You") if self._face else self.tr("You · no face seen")
        names = {self.output: self.tr("Others see"), self.camera: you}
        for view, name in names.items():
            view.float_over(view is self.inset, name)
        for piece in (self.inset, self.calibration, self.chip, self.notices, self.toast):
            piece.raise_()
        self.camera.setToolTip(self.tr("Your camera, only on this screen"))
        self.output.setToolTip("")
        self.inset.setToolTip(self.tr("Click to swap the pictures, drag to move this one"))

    def show_status(self, status: Status) -> None:
        """Show what helps in this state.

        The camera is large while there is no avatar yet.
        """
        first = status.shows == "card" and status.reason in ("no-avatar", "uncalibrated")
        face = status.face or not status.camera
        if first != self._camera_first:
            self.swapped = False
        if (first, face) != (self._camera_first, self._face):
            self._camera_first, self._face = first, face
            self.name_views()
        self.calibration.show_status(status)
        needed = self.calibration.is_needed(status)
        self.calibration.setVisible(needed)
        self.chip.setVisible(not needed and status.calibrated and status.shows != "self")
        borrowed = status.calibrated and status.borrowed
        self.chip.setText(
            self.tr("●  Calibrated with another photo · Refine")
            if borrowed
            else self.tr("●  Calibrated · Redo")
        )
        self.chip.setToolTip(self.tr("Look like the photo when the countdown ends"))
        restyle(self.chip, badge="warning" if borrowed else "good")
        self.camera.statistics = status.statistics
        self.arrange()

    def _count(self, left: int) -> None:
        self.camera.countdown = left
        self.camera.update()

    # Positions.

    def picture_place(self) -> QRect:
        """Return the rectangle of the large picture in this widget."""
        width, height = self.large.source_size
        return fit(width or 16, height or 9, self.rect())

    def move_inset(self, center: QPoint) -> None:
        """Move the inset with the pointer; it stays over the picture."""
        room, size = self._overlay_place(), self.inset.size()
        left = (center.x() - size.width() / 2 - room.x()) / max(1, room.width() - size.width())
        top = (center.y() - size.height() / 2 - room.y()) / max(1, room.height() - size.height())
        self._corner = QPointF(min(max(left, 0), 1), min(max(top, 0), 1))
        self.arrange()

    def settle_inset(self) -> None:
        """Move the inset to the nearest corner, so that it does not cover the face."""
        self._corner = QPointF(round(self._corner.x()), round(self._corner.y()))
        self.arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.notices.set_room(event.size().height())
        self.arrange()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.arrange()

    def _overlay_place(self) -> QRect:
        """Return the area for overlays: the picture, and beside it if that is narrow."""
        place = self.picture_place()
        wanted = self.width() if self.large is self.camera else LEAST.width()  # shows the whole face
        spare = max(0, min(self.width(), wanted) - place.width())
        return place.adjusted(-(spare // 2), 0, spare - spare // 2, 0).adjusted(EDGE, EDGE, -EDGE, -EDGE)

    def arrange(self) -> None:
        self.large.setGeometry(self.rect())
        place = self._overlay_place()
        self.calibration.set_compact(self.height() < COMPACT)
        self.inset.setGeometry(self._inset_place(place))
        left_side = self._corner.x() < 0.5 and self._corner.y() > 0.5
        for piece in (self.calibration, self.chip):
            size = piece.sizeHint().boundedTo(place.size())
            left = place.right() + 1 - size.width() if left_side else place.left()
            piece.setGeometry(left, place.bottom() + 1 - size.height(), size.width(), size.height())
        if self.notices.isVisibleTo(self):
            width = min(place.width(), NOTICES)
            height = self.notices.height_for(width)
            self.notices.setGeometry(place.center().x() - width // 2, place.top(), width, height)
        size = self.toast.sizeHint().boundedTo(place.size())
        self.toast.setGeometry(
            place.center().x() - size.width() // 2, place.top(), size.width(), size.height()
        )
        if self.notices.isVisibleTo(self):
            self.toast.move(self.toast.x(), self.notices.geometry().bottom() + 7)

    def _inset_place(self, place: QRect) -> QRect:
        """Return the inset's area, beside the calibration panel if that is shown."""
        width, height = self.inset.source_size
        ratio = height / width if width else 9 / 16
        most = place.width() - (self.calibration.width() + EDGE if self.calibration.isVisibleTo(self) else 0)
        wide = round(min(max(place.width() * INSET, INSET_LEAST), INSET_MOST, max(most, INSET_LEAST)))
        high = round(wide * ratio)
        if high > place.height() * 0.45:
            high = round(place.height() * 0.45)
            wide = round(high / ratio)
        x = place.x() + (place.width() - wide) * self._corner.x()
        y = place.y() + (place.height() - high) * self._corner.y()
        return QRect(round(x), round(y), wide, high)
