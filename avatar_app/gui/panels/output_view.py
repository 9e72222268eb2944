"""The output's picture, as it is sent."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter
from PySide6.QtWidgets import QWidget

from avatar_app.gui.panels.preview import PictureView
from avatar_app.outputs.i420 import Outgoing


class OutputView(PictureView):
    """Shows what others see, with a red banner while that is the user's real face.

    Attributes:
        mirrored: show it as a mirror does, like one's own picture in a call. Others see it unmirrored, and
            texts stay readable here: the still card is never mirrored.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.mirrored = False
        self._shows = ""
        self._picture: Outgoing | None = None

    def show_picture(self, picture: Outgoing | None, shows: str) -> None:
        """Show this picture, if it is a new one; its pixels are copied.

        Args:
            shows: as in ``Status``.
        """
        # The status may already belong to the next picture, so the picture itself is checked.
        mirrored = self.mirrored and not (picture is not None and picture.is_card)
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
