"""The two pictures of the window.

What the camera sees, for this screen alone, and exactly what the call gets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QTransform,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from avatar_app.gui.panels import overlays
from avatar_app.gui.style.theme import current
from avatar_app.outputs.i420 import Outgoing, Plane, split
from avatar_app.session.controls import Seen, Statistics
from avatar_app.types import Array, Image

ROUND = 8.0


def fit(width: int, height: int, place: QRect) -> QRect:
    """The largest rectangle with these proportions in the middle of ``place``."""
    scale = min(place.width() / max(width, 1), place.height() / max(height, 1))
    size = QSize(max(1, round(width * scale)), max(1, round(height * scale)))
    return QRect(
        place.x() + (place.width() - size.width()) // 2,
        place.y() + (place.height() - size.height()) // 2,
        size.width(),
        size.height(),
    )


def to_screen(picture: Image, width: int, height: int, mirrored: bool = False) -> QImage:
    """The picture in so many pixels, as an image that owns them and that Qt paints without converting it."""
    import cv2

    picture = _scaled(picture, width, height)
    if mirrored:
        picture = np.asarray(cv2.flip(picture, 1), np.uint8)
    drawn = QImage(width, height, QImage.Format.Format_RGB32)
    pixels = np.frombuffer(drawn.bits(), np.uint8).reshape(height, width, 4)
    cv2.cvtColor(picture, cv2.COLOR_RGB2BGRA, dst=pixels)
    return drawn


def sent_to_screen(picture: Outgoing, width: int, height: int, mirrored: bool = False) -> QImage:
    """The same of what is sent.

    It is scaled as planes, so that only what is seen becomes RGB.
    """
    import cv2

    wide, high = width + width % 2, height + height % 2  # planes have even sides
    small = np.empty((high * 3 // 2, wide), np.uint8)
    for plane, place in zip(split(picture.planes), split(small), strict=True):
        scaled = _scaled(plane, place.shape[1], place.shape[0])
        place[:] = scaled[:, ::-1] if mirrored else scaled
    drawn = QImage(wide, high, QImage.Format.Format_RGB32)
    cv2.cvtColor(
        small, cv2.COLOR_YUV2BGRA_I420, dst=np.frombuffer(drawn.bits(), np.uint8).reshape(high, wide, 4)
    )
    left = wide - width if mirrored else 0
    return drawn if (wide, high) == (width, height) else drawn.copy(left, 0, width, height)


def _scaled(picture: Image | Plane, width: int, height: int) -> Image | Plane:
    """Halving by averaging and one linear step look like averaging at once, and are seven times as fast."""
    import cv2

    while picture.shape[1] >= 2 * width and picture.shape[0] >= 2 * height:
        half = (picture.shape[1] // 2, picture.shape[0] // 2)
        picture = np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), np.uint8)
    if picture.shape[:2] != (height, width):
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return picture


class PictureView(QWidget):
    """Paints one picture, as large as fits, and a text where there is none.

    Subclasses draw over it.

    Attributes:
        floating: it lies over another picture: round corners let that one through, and ``caption`` names it.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(64, 36)
        self.ground = QPalette.ColorRole.Window
        self.text = self.caption = ""
        self.floating = False
        self.image: QImage | None = None
        self._source: Image | Outgoing | None = None
        self._flipped = False
        self._drawn_for = (0, 0, 0.0)

    def sizeHint(self) -> QSize:
        return QSize(420, 280)

    @property
    def source_size(self) -> tuple[int, int]:
        """Width and height of the picture itself, (0, 0) without one."""
        if isinstance(self._source, Outgoing):
            return self._source.size
        return (self._source.shape[1], self._source.shape[0]) if self._source is not None else (0, 0)

    def place(self) -> QRect:
        """Where the picture is painted."""
        return fit(*self.source_size, self.rect()) if self._source is not None else self.rect()

    def set_text(self, text: str) -> None:
        """What is said while there is no picture."""
        if text != self.text:
            self.text = text
            self.update()

    def float_over(self, floating: bool, caption: str) -> None:
        """Lie over another picture under this name, or fill the place alone."""
        self.floating, self.caption = floating, caption
        self.update()

    def set_picture(self, picture: Image | Outgoing | None, mirrored: bool = False) -> None:
        """Show this picture, (H, W, 3), or what is sent, from now on."""
        if picture is None and self._source is None:
            return
        self._source, self._flipped = picture, mirrored
        self._copy()
        self.update()

    def _copy(self) -> None:
        """Take the picture's pixels over, at the size of the screen."""
        self.image = None
        self._drawn_for = (self.width(), self.height(), self.devicePixelRatioF())
        if self._source is None:
            return
        place, ratio = self.place(), self.devicePixelRatioF()
        size = max(1, round(place.width() * ratio)), max(1, round(place.height() * ratio))
        if isinstance(self._source, Outgoing):
            self.image = sent_to_screen(self._source, *size, self._flipped)
        else:
            self.image = to_screen(self._source, *size, self._flipped)
        self.image.setDevicePixelRatio(ratio)

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._drawn_for != (self.width(), self.height(), self.devicePixelRatioF()):
            self._copy()
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        place = QRectF(self.place())
        if self.image is None:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(current(self).picture))
            painter.drawRoundedRect(place, ROUND, ROUND)
            overlays.draw_text(painter, place, self.text, QColor(current(self).muted))
        elif self.floating:
            self._paint_floating(painter, place, self.image)
        else:
            self._paint_filling(painter, place, self.image)
        if self.floating:
            overlays.draw_frame(painter, place, ROUND)
            overlays.draw_caption(painter, place, self.caption)

    def _paint_floating(self, painter: QPainter, place: QRectF, image: QImage) -> None:
        """Without clipping, whose edge is not smooth."""
        brush = QBrush(image)
        ratio = 1 / image.devicePixelRatio()
        brush.setTransform(QTransform.fromTranslate(place.x(), place.y()).scale(ratio, ratio))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(brush)
        painter.drawRoundedRect(place, ROUND, ROUND)
        self.paint_over(painter, place)

    def _paint_filling(self, painter: QPainter, place: QRectF, image: QImage) -> None:
        painter.drawImage(place.topLeft(), image)
        painter.save()
        painter.setClipRect(place)
        self.paint_over(painter, place)
        painter.restore()
        overlays.draw_corners(painter, place, ROUND, self.palette().color(self.ground))

    def paint_over(self, painter: QPainter, place: QRectF) -> None:
        """Draw on the picture."""


@dataclass(slots=True)
class Shown:
    """What is drawn over the camera's picture."""

    landmarks: bool = False
    box: bool = True
    ghost: float = 0.0
    statistics: bool = False
    mirrored: bool = True


class CameraView(PictureView):
    """The camera with landmarks, the square that is looked at, and the photo as a ghost in it. Never part of
    what is sent.

    ``face_asked`` carries the point of the picture that was clicked on, in shares of the frame's width and
    height.
    """

    face_asked = Signal(float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown = Shown()
        self.statistics = Statistics()
        self.flash = 0.0
        self.countdown = 0
        self._seen: Seen | None = None
        self._mirrored = True
        self._portrait: Image | None = None
        self._ghost: QImage | None = None
        self._ghost_mirrored = True

    def show_seen(self, seen: Seen | None) -> None:
        """Show this frame, if it is another one; its pixels are copied."""
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
        """Take this photo as the ghost."""
        if portrait is not self._portrait:
            self._portrait = portrait
            self._ghost = None
            self.update()

    def _ghost_for(self, side: float) -> QImage:
        """The photo at this size, mirrored like the camera, so that the user moves as before a mirror."""
        assert self._portrait is not None
        pixels = max(1, round(side * self.devicePixelRatioF()))
        # The box breathes with the face; a ghost that is a few pixels off is not worth making a new one.
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
        """Landmarks (N, 2) in pixels of the frame, where they are painted."""
        width = self.source_size[0]
        points = points.copy()
        if self._mirrored:
            points[:, 0] = width - 1 - points[:, 0]
        return np.asarray(points * (place.width() / width) + [place.x(), place.y()], np.float32)


class OutputView(PictureView):
    """What others see; a red banner lies over it here while that is the user's real face.

    Attributes:
        mirrored: show it as a mirror does, like one's own picture in a call. Others see it the right way
            round, and texts stay readable here: the still card is never mirrored.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mirrored = False
        self._shows = ""
        self._picture: Outgoing | None = None

    def show_picture(self, picture: Outgoing | None, shows: str) -> None:
        """Show this picture, if it is another one; its pixels are copied.

        Args:
            shows: as in ``Status``.
        """
        mirrored = self.mirrored and shows != "card"
        if shows != self._shows:
            self._shows = shows
            self.update()
        same = picture is not None and self._picture is not None and picture.planes is self._picture.planes
        if same and mirrored == self._flipped:
            return
        self._picture = picture
        self.set_picture(picture, mirrored)

    def paint_over(self, painter: QPainter, place: QRectF) -> None:
        if self._shows == "self":
            banner = QRectF(place.x(), place.y(), place.width(), max(26.0, place.height() * 0.08))
            painter.fillRect(banner, QColor(196, 32, 44, 240))
            font = QFont(self.font())
            font.setBold(True)
            painter.setFont(font)
            painter.setPen(Qt.GlobalColor.white)
            painter.drawText(banner, Qt.AlignmentFlag.AlignCenter, self.tr("Others see your real face"))
