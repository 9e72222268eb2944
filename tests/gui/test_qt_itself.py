"""Assumptions of the window about PySide6; one release (6.12.0) violated them on Python 3.11."""

from __future__ import annotations

import sys

from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QImage, QPainter
from pytestqt.qtbot import QtBot


def test_painting_takes_no_reference_of_none_away(qtbot: QtBot) -> None:
    """A call that loses a reference to None each time ends the app within minutes at 60 paints a second."""
    image, ground = QImage(8, 8, QImage.Format.Format_RGB888), QImage(8, 8, QImage.Format.Format_RGB888)
    painter = QPainter(ground)
    before = sys.getrefcount(None)
    for _ in range(1000):
        painter.drawImage(QRectF(0, 0, 8, 8), image)
        painter.setPen(QColor(1, 2, 3))
        painter.drawLine(QPointF(0, 0), QPointF(1, 1))
        painter.drawText(QRectF(0, 0, 8, 8), 0, "a")
    after = sys.getrefcount(None)
    painter.end()
    assert after - before > -100, "3000 calls lost references"
