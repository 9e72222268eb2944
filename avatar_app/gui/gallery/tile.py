"""How one photo of the gallery is drawn: a rounded square with its key, its name below, and a ring around the chosen one."""

from __future__ import annotations

from PySide6.QtCore import QLocale, QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QGuiApplication, QPainter, QPainterPath, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from avatar_app.errors import AvatarError
from avatar_app.gui.gallery.model import CHOSEN, ENTRY
from avatar_app.photos.library import Entry

Index = QModelIndex | QPersistentModelIndex

PHOTO = 96
ROUND = 14.0
MARGIN = 8
GAP = 6
"""Between a photo and its name."""


class GalleryTile(QStyledItemDelegate):
    """Sizes are in the units of the view; colours are the palette's, so that every theme fits."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(PHOTO + 2 * MARGIN, PHOTO + MARGIN + GAP + option.fontMetrics.height() + MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        # The view's own palette may have a transparent background by the style sheet, of which no shades can be made.
        rect, palette, state = option.rect, QGuiApplication.palette(), option.state
        font = QFont(option.font)
        square = photo_square(rect)
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
            _ring(painter, square, palette.color(QPalette.ColorRole.Highlight), 3.5)
            _check(painter, square, palette)
        elif focused:
            _ring(painter, square, _mixed(palette, 0.75), 2.0)
        painter.setFont(font)
        _name(painter, rect, square, str(index.data()), palette, chosen, isinstance(entry, Entry))
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = QLineEdit(parent)
        editor.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        editor.setMaxLength(80)
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Called again whenever a thumbnail arrives, which must not undo what was typed."""
        if isinstance(editor, QLineEdit) and not editor.isModified():
            editor.setText(str(index.data()))

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        rect = option.rect
        height = editor.sizeHint().height()
        editor.setGeometry(
            rect.left(),
            min(round(photo_square(rect).bottom()) + 2, rect.bottom() - height + 1),
            rect.width(),
            height,
        )


def photo_square(rect: QRect) -> QRectF:
    """Where the photo is within a tile."""
    return QRectF(rect.center().x() + 0.5 - PHOTO / 2, rect.top() + MARGIN, PHOTO, PHOTO)


def _mixed(palette: QPalette, share: float) -> QColor:
    """A colour between the background (0) and the text (1)."""
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
    middle, arm = square.center(), 11
    painter.drawLine(middle - QPointF(arm, 0), middle + QPointF(arm, 0))
    painter.drawLine(middle - QPointF(0, arm), middle + QPointF(0, arm))


def _badge(painter: QPainter, square: QRectF, text: str) -> None:
    badge = QRectF(square.left() + 6, square.top() + 6, 20, 20)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 150))
    painter.drawRoundedRect(badge, 6, 6)
    painter.setPen(QColor(255, 255, 255))
    painter.setFont(_font(painter, 12, True))
    painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, QLocale().toString(int(text)))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _ring(painter: QPainter, square: QRectF, colour: QColor, width: float) -> None:
    painter.setPen(QPen(colour, width))
    painter.drawPath(_outline(square, 1.5 + width / 2))


def _check(painter: QPainter, square: QRectF, palette: QPalette) -> None:
    """A tick in the corner: the choice must not be told by colour alone."""
    middle = square.bottomRight() - QPointF(13, 13)
    painter.setPen(QPen(palette.color(QPalette.ColorRole.Window), 2))
    painter.setBrush(palette.color(QPalette.ColorRole.Highlight))
    painter.drawEllipse(middle, 11, 11)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    pen = QPen(palette.color(QPalette.ColorRole.HighlightedText), 2.4)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.drawPolyline(
        [middle + QPointF(-4.5, 0.3), middle + QPointF(-1.3, 3.6), middle + QPointF(4.8, -3.6)]
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
