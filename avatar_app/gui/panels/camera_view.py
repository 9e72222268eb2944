"""The camera's picture with detected faces, only for this screen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QImage, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from avatar_app.gui.panels import overlays
from avatar_app.gui.panels.preview import PictureView, to_screen
from avatar_app.session.controls import SeenFrame, Statistics
from avatar_app.types import Array, Image


@dataclass(slots=True)
class Shown:
    """What is drawn over the camera's picture."""

    landmarks: bool = False
    box: bool = True
    ghost: float = 0.0
    statistics: bool = False
    mirrored: bool = True


class CameraView(PictureView):
    """The camera with landmarks, the crop's square and the photo as a ghost.

    Never part of the output. ``face_asked`` carries the point of a click, in fractions of the frame's width
    and height.
    """

    face_asked = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown = Shown()
        self.statistics = Statistics()
        self.flash = 0.0
        self.countdown = 0
        self._seen: SeenFrame | None = None
        self._mirrored = True
        self._portrait: Image | None = None
        self._ghost: QImage | None = None
        self._ghost_mirrored = True

    def show_seen(self, seen: SeenFrame | None) -> None:
        """Show this frame, if it is a new one; its pixels are copied."""
        unchanged = seen is self._seen or (
            seen is not None and self._seen is not None and seen.frame is self._seen.frame
        )
        if (
            unchanged
            and self.shown.mirrored == self._mirrored
            and (seen is None or self._seen is None or seen.points is self._seen.points)
        ):
            return
        self._seen, self._mirrored = seen, self.shown.mirrored
        self.setCursor(
            Qt.CursorShape.PointingHandCursor if seen and seen.others else Qt.CursorShape.ArrowCursor
        )
        self.set_picture(seen.frame.image if seen else None, self._mirrored)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place, point = self.place(), event.position()
        if (
            self._seen is None
            or event.button() != Qt.MouseButton.LeftButton
            or not place.contains(point.toPoint())
        ):
            super().mousePressEvent(event)
            return
        x, y = (point.x() - place.x()) / place.width(), (point.y() - place.y()) / place.height()
        self.face_asked.emit(1 - x if self._mirrored else x, y)

    def show_portrait(self, portrait: Image | None) -> None:
        """Use this photo as the ghost."""
        if portrait is not self._portrait:
            self._portrait = portrait
            self._ghost = None
            self.update()

    def _ghost_for(self, side: float) -> QImage:
        """Return the photo at this size, mirrored like the camera.

        The user can then move as before a mirror.
        """
        assert self._portrait is not None
        pixels = max(1, round(side * self.devicePixelRatioF()))
        # The box changes slightly with the face; a few pixels are not worth a new ghost.
        if (
            self._ghost is None
            or abs(self._ghost.width() - pixels) > 0.03 * pixels
            or self._ghost_mirrored != self._mirrored
        ):
            self._ghost_mirrored = self._mirrored
            self._ghost = to_screen(self._portrait, pixels, pixels, self._mirrored)
        return self._ghost

    def paint_over(self, painter: QPainter, place: QRectF) -> None:
        seen, width = self._seen, self.source_size[0]
        if seen is None or not width:
            return
        scale = place.width() / width
        if seen.box is not None:
            center = width - 1 - seen.box.center_x if self._mirrored else seen.box.center_x
            side = seen.box.size * scale
            square = QRectF(
                place.x() + center * scale - side / 2,
                place.y() + seen.box.center_y * scale - side / 2,
                side,
                side,
            )
        else:
            side = place.height() * 0.9
            square = QRectF(place.center().x() - side / 2, place.center().y() - side / 2, side, side)
        if self.shown.ghost > 0 and self._portrait is not None:
            overlays.draw_ghost(painter, square, self._ghost_for(square.width()), self.shown.ghost)
        if self.shown.box:
            overlays.draw_box(painter, square, seen.box is not None)
            for points in seen.others:
                overlays.draw_other(painter, self._on_screen(points, place))
        if self.shown.landmarks and seen.points is not None:
            overlays.draw_points(painter, self._on_screen(seen.points, place))
        if self.shown.statistics:
            overlays.draw_statistics(painter, place, self.statistics)
        if self.flash > 0:
            overlays.draw_flash(painter, place, self.flash)
        if self.countdown:
            overlays.draw_number(painter, place, self.countdown)

    def _on_screen(self, points: Array, place: QRectF) -> Array:
        """Convert landmarks (N, 2) from pixels of the frame to the screen."""
        width = self.source_size[0]
        points = points.copy()
        if self._mirrored:
            points[:, 0] = width - 1 - points[:, 0]
        return np.asarray(points * (place.width() / width) + [place.x(), place.y()], np.float32)
