"""Draw one photo of the gallery.

A rounded square with its key, its name below, and a ring around the chosen one.
"""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import (
    QLocale,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QGuiApplication,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from avatar_app.errors import AvatarError
from avatar_app.gui.gallery.model import CHOSEN, ENTRY
from avatar_app.photos.library import Entry

Index = QModelIndex | QPersistentModelIndex

PHOTO = 68
ROUND = 10.0
MARGIN = 6
GAP = 4
"""Distance between a photo and its name."""


class GalleryTile(QStyledItemDelegate):
    """Draws tiles. Sizes are in the units of the view.

    Colours are the palette's, so that every theme fits.

    Attributes:
        photo: side of a photo.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.photo = PHOTO

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return tile_size(self.photo, option.fontMetrics.height())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        # The style sheet may make the view's palette transparent, from which no shades can be mixed.
        rect, palette, state = option.rect, QGuiApplication.palette(), option.state
        font = QFont(option.font)
        square = photo_square(rect, self.photo)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        entry = index.data(ENTRY)
        over = bool(state & QStyle.StateFlag.State_MouseOver)
        focused = bool(state & QStyle.StateFlag.State_HasFocus)
        chosen = bool(index.data(CHOSEN))
        if isinstance(entry, Entry):
            _photo(painter, square, index.data(Qt.ItemDataRole.DecorationRole), palette, over)
            if entry.key:
                _badge(painter, square, str(entry.key))
        else:
            _plus(painter, square, palette, over)
        if chosen:
            _ring(painter, square, palette.color(QPalette.ColorRole.Highlight), 2.5)
            _check(painter, square, palette)
        elif focused:
            _ring(painter, square, _mixed(palette, 0.75), 2.0)
        painter.setFont(font)
        text = str(index.data())
        if not isinstance(entry, Entry):
            # The sign has the same meaning, so a shorter word suffices, and a cut one says nothing.
            text = first_fitting(painter.fontMetrics(), rect.width() - 4, (text, self.tr("Add")))
        _name(painter, rect, square, text, palette, chosen, isinstance(entry, Entry))
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        editor.setMaxLength(80)
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Set the text once: each thumbnail calls this again, which must not undo typing."""
        if isinstance(editor, QLineEdit) and not editor.isModified():
            editor.setText(str(index.data()))

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        rect = option.rect
        height = editor.sizeHint().height()
        editor.setGeometry(
            rect.left(),
            min(round(photo_square(rect, self.photo).bottom()) + 2, rect.bottom() - height + 1),
            rect.width(),
            height,
        )


def tile_size(photo: int, line: int) -> QSize:
    """Return the size of a tile for a photo's side and a name's height."""
    return QSize(photo + 2 * MARGIN, photo + 2 * MARGIN + GAP + line)


def first_fitting(metrics: QFontMetrics, width: int, texts: Iterable[str]) -> str:
    """Return the first text that is not wider than ``width``; empty if all are."""
    return next((text for text in texts if metrics.horizontalAdvance(text) <= width), "")


def photo_square(rect: QRect, side: int) -> QRectF:
    """Return the photo's rectangle within a tile."""
    return QRectF(rect.center().x() + 0.5 - side / 2, rect.top() + MARGIN, side, side)


def _mixed(palette: QPalette, share: float) -> QColor:
    """Mix the colours of background (0) and text (1)."""
    text, base = palette.color(QPalette.ColorRole.WindowText), palette.color(QPalette.ColorRole.Window)
    parts = ((text.redF(), base.redF()), (text.greenF(), base.greenF()), (text.blueF(), base.blueF()))
    return QColor.fromRgbF(*(share * one + (1 - share) * other for one, other in parts))


def _outline(square: QRectF, grow: float = 0) -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(square.adjusted(-grow, -grow, grow, grow), ROUND + grow, ROUND + grow)
    return path


def _photo(painter: QPainter, square: QRectF, picture: object, palette: QPalette, over: bool) -> None:
    painter.fillPath(_outline(square), _mixed(palette, 0.08))
    if isinstance(picture, QPixmap):
        painter.save()
        painter.setClipPath(_outline(square))
        painter.drawPixmap(square, picture, QRectF(picture.rect()))
        painter.restore()
    elif isinstance(picture, AvatarError):
        painter.setPen(_mixed(palette, 0.6))
        painter.setFont(_font(painter, 30, True))
        painter.drawText(square, Qt.AlignmentFlag.AlignCenter, "!")
    if over:
        painter.fillPath(_outline(square), QColor(255, 255, 255, 34))
    painter.setPen(QPen(_mixed(palette, 0.16), 1))
    painter.drawPath(_outline(square, -0.5))


def _plus(painter: QPainter, square: QRectF, palette: QPalette, over: bool) -> None:
    colour = palette.color(QPalette.ColorRole.Highlight) if over else _mixed(palette, 0.45)
    pen = QPen(colour, 1.6, Qt.PenStyle.CustomDashLine, Qt.PenCapStyle.RoundCap)
    pen.setDashPattern([3.2, 3.6])
    painter.setPen(pen)
    painter.drawPath(_outline(square, -1.5))
    painter.setPen(QPen(colour, 2.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    middle, arm = square.center(), square.width() * 0.13
    painter.drawLine(middle - QPointF(arm, 0), middle + QPointF(arm, 0))
    painter.drawLine(middle - QPointF(0, arm), middle + QPointF(0, arm))


def _badge(painter: QPainter, square: QRectF, text: str) -> None:
    badge = QRectF(square.left() + 4, square.top() + 4, 17, 17)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawRoundedRect(badge, 5, 5)
    painter.setPen(QColor(255, 255, 255))
    painter.setFont(_font(painter, 11, True))
    painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, QLocale().toString(int(text)))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _ring(painter: QPainter, square: QRectF, colour: QColor, width: float) -> None:
    painter.setPen(QPen(colour, width))
    painter.drawPath(_outline(square, 1.5 + width / 2))


def _check(painter: QPainter, square: QRectF, palette: QPalette) -> None:
    """Draw a tick in the corner: colour alone must not show the choice."""
    middle = square.bottomRight() - QPointF(9, 9)
    painter.setPen(QPen(palette.color(QPalette.ColorRole.Window), 2))
    painter.setBrush(palette.color(QPalette.ColorRole.Highlight))
    painter.drawEllipse(middle, 8.5, 8.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(palette.color(QPalette.ColorRole.HighlightedText), 2)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.drawPolyline(
        [middle + QPointF(-3.5, 0.2), middle + QPointF(-1.0, 2.7), middle + QPointF(3.7, -2.8)]
    )


def _name(
    painter: QPainter, rect: QRect, square: QRectF, text: str, palette: QPalette, chosen: bool, is_photo: bool
) -> None:
    font = QFont(painter.font())
    font.setBold(chosen)
    painter.setFont(font)
    painter.setPen(palette.color(QPalette.ColorRole.WindowText) if is_photo else _mixed(palette, 0.6))
    line = QRectF(rect.left() + 2, square.bottom() + GAP, rect.width() - 4, painter.fontMetrics().height())
    elided = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(line.width()))
    painter.drawText(line, Qt.AlignmentFlag.AlignCenter, elided)


def _font(painter: QPainter, pixels: int, bold: bool) -> QFont:
    font = QFont(painter.font())
    font.setPixelSize(pixels)
    font.setBold(bold)
    return font
