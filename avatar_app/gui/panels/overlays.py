"""Drawings over the camera's picture on this screen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PySide6.QtCore import QCoreApplication, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPainterPath, QPen, QPolygonF

from avatar_app import landmarks
from avatar_app.session.controls import Statistics

OPEN_LINES = (
    landmarks.JAW,
    landmarks.RIGHT_BROW,
    landmarks.LEFT_BROW,
    landmarks.NOSE_BRIDGE,
    landmarks.NOSTRILS,
)
CLOSED_LINES = (landmarks.RIGHT_EYE, landmarks.LEFT_EYE, landmarks.OUTER_LIPS, landmarks.INNER_LIPS)


def draw_text(painter: QPainter, place: QRectF, text: str, colour: QColor) -> None:
    """Draw a sentence in the middle."""
    painter.setPen(colour)
    painter.drawText(
        place.adjusted(16, 8, -16, -8), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text
    )


def draw_box(painter: QPainter, square: QRectF, found: bool) -> None:
    """Draw the corners of the crop's square.

    Before the first face, a dashed oval in which one would fit.
    """
    if not found:
        painter.setPen(QPen(QColor(255, 255, 255, 190), 2, Qt.PenStyle.DashLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        side = square.width()
        painter.drawEllipse(square.center(), side * 0.22, side * 0.29)
        return
    reach = square.width() * 0.12
    corners = QPainterPath()
    for corner, x, y in (
        (square.topLeft(), 1, 1),
        (square.topRight(), -1, 1),
        (square.bottomRight(), -1, -1),
        (square.bottomLeft(), 1, -1),
    ):
        corners.moveTo(corner + QPointF(0, y * reach))
        corners.lineTo(corner)
        corners.lineTo(corner + QPointF(x * reach, 0))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width in ((QColor(0, 0, 0, 110), 4.0), (QColor(255, 255, 255, 230), 2.0)):
        painter.setPen(
            QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)
        )
        painter.drawPath(corners)


def draw_other(painter: QPainter, points: npt.NDArray[np.floating]) -> None:
    """Draw a dotted oval around a face that is not followed.

    Landmarks (N, 2) in the painter's unit.
    """
    (left, top), (right, bottom) = points.min(0), points.max(0)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(255, 255, 255, 170), 1.5, Qt.PenStyle.DotLine))
    painter.drawEllipse(QRectF(float(left), float(top), float(right - left), float(bottom - top)))


def draw_points(painter: QPainter, points: npt.NDArray[np.floating]) -> None:
    """Draw landmarks, (88, 2) in the painter's unit, with the lines of the face."""
    spots = [QPointF(float(x), float(y)) for x, y in points]
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(90, 220, 255, 170), 1.2))
    for line in OPEN_LINES:
        painter.drawPolyline(QPolygonF(spots[line]))
    for line in CLOSED_LINES:
        painter.drawPolygon(QPolygonF(spots[line]))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(140, 240, 255, 230))
    for spot in spots:
        painter.drawEllipse(spot, 1.6, 1.6)


def draw_ghost(painter: QPainter, square: QRectF, ghost: QImage, opacity: float) -> None:
    """Draw the photo in its square."""
    painter.save()
    painter.setOpacity(opacity)
    if abs(ghost.width() - square.width() * painter.device().devicePixelRatio()) < 1:
        painter.drawImage(QPoint(round(square.x()), round(square.y())), ghost)
    else:
        painter.drawImage(square, ghost)
    painter.restore()


def draw_corners(painter: QPainter, place: QRectF, radius: float, colour: QColor) -> None:
    """Round the corners of a picture by painting what is outside of them.

    Much faster than clipping the whole picture.
    """
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    for corner, x, y in (
        (place.topLeft(), 1, 1),
        (place.topRight(), -1, 1),
        (place.bottomRight(), -1, -1),
        (place.bottomLeft(), 1, -1),
    ):
        square = QRectF(corner, corner + QPointF(x * radius, y * radius)).normalized()
        outside, disc = QPainterPath(), QPainterPath()
        outside.addRect(square)
        disc.addEllipse(corner + QPointF(x * radius, y * radius), radius, radius)
        painter.drawPath(outside.subtracted(disc))


def draw_frame(painter: QPainter, place: QRectF, radius: float) -> None:
    """Draw a frame around a picture over another one.

    Visible on dark and on bright pictures.
    """
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, width, inside in ((QColor(0, 0, 0, 90), 1.0, 0.5), (QColor(255, 255, 255, 210), 1.5, 1.5)):
        painter.setPen(QPen(colour, width))
        painter.drawRoundedRect(
            place.adjusted(inside, inside, -inside, -inside), radius - inside, radius - inside
        )


def draw_caption(painter: QPainter, place: QRectF, text: str) -> None:
    """Draw a picture's name into its upper left corner."""
    if not text:
        return
    measure = painter.fontMetrics()
    width = min(measure.horizontalAdvance(text) + 16.0, place.width() - 16)
    ground = QRectF(place.x() + 8, place.y() + 8, width, measure.height() + 4)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawRoundedRect(ground, 6, 6)
    painter.setPen(QColor(255, 255, 255))
    shown = measure.elidedText(text, Qt.TextElideMode.ElideRight, round(width - 12))
    painter.drawText(ground, Qt.AlignmentFlag.AlignCenter, shown)


def draw_number(painter: QPainter, place: QRectF, number: int) -> None:
    """Draw a large number in the middle, the countdown."""
    side = min(place.width(), place.height()) * 0.42
    disc = QRectF(place.center().x() - side / 2, place.center().y() - side / 2, side, side)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 120))
    painter.drawEllipse(disc)
    font = QFont(painter.font())
    font.setPixelSize(max(12, round(side * 0.6)))
    font.setBold(True)
    painter.setFont(font)
    painter.setPen(QColor(255, 255, 255))
    painter.drawText(disc, Qt.AlignmentFlag.AlignCenter, str(number))


def draw_statistics(painter: QPainter, place: QRectF, statistics: Statistics) -> None:
    """Draw rates and latency into the upper left corner."""
    lines = [
        QCoreApplication.translate("Statistics", "camera {0:.0f} fps").format(statistics.camera_fps),
        QCoreApplication.translate("Statistics", "avatar {0:.0f} fps, {1:.0f} ms each").format(
            statistics.avatar_fps, statistics.animate_ms
        ),
        QCoreApplication.translate("Statistics", "sent {0:.0f} fps").format(statistics.output_fps),
        QCoreApplication.translate("Statistics", "latency {0:.0f} ms, 95 %: {1:.0f} ms").format(
            statistics.latency_p50, statistics.latency_p95
        ),
        QCoreApplication.translate("Statistics", "dropped {0}, repeated {1}").format(
            statistics.dropped, statistics.repeated
        ),
    ]
    font = QFont(painter.font())
    font.setPointSizeF(max(7.0, font.pointSizeF() * 0.88))
    painter.setFont(font)
    measure = painter.fontMetrics()
    width = max(measure.horizontalAdvance(line) for line in lines) + 20
    ground = QRectF(place.x() + 8, place.y() + 8, width, len(lines) * measure.lineSpacing() + 12)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 165))
    painter.drawRoundedRect(ground, 6, 6)
    painter.setPen(QColor(240, 244, 250))
    painter.drawText(
        ground.adjusted(10, 6, -6, -6),
        Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop,
        "\n".join(lines),
    )


def draw_flash(painter: QPainter, place: QRectF, strength: float) -> None:
    """Draw a green glow at the edges for a better moment found; ``strength`` 0..1."""
    painter.fillRect(place, QColor(60, 220, 130, round(60 * strength)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(60, 230, 140, round(255 * strength)), 8))
    painter.drawRoundedRect(place.adjusted(3, 3, -3, -3), 6, 6)
