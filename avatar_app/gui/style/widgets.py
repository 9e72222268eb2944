"""Small widgets of the panels."""

from __future__ import annotations

import html
from typing import TypeVar

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QMessageBox,
    QProgressBar,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from avatar_app.gui.style.theme import current, restyle

STRETCH = None
"""Empty space that takes what the other pieces leave, for `fill`."""

Piece = QWidget | QLayout
Box = TypeVar("Box", bound=QBoxLayout)


def label(text: str = "", role: str = "", wrap: bool = False) -> QLabel:
    """Return a text; ``role`` is one of the style sheet's."""
    made = QLabel(text)
    made.setWordWrap(wrap)
    made.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        made.setProperty("role", role)
    return made


def tip(text: str) -> str:
    """Return a tooltip that shows ``text`` literally.

    Qt would take a file called ``<img src=...>.jpg`` for rich text, and load it.
    """
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>") if "<" in text or "&" in text else text


def message_box(
    parent: QWidget | None, icon: QMessageBox.Icon, title: str, text: str, more: str = ""
) -> QMessageBox:
    """Return a message box with literal texts; it opens with ``open``."""
    box = QMessageBox(parent)
    box.setIcon(icon)
    box.setWindowTitle(title)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(text)
    box.setInformativeText(more)
    for piece in box.findChildren(QLabel):
        piece.setTextFormat(Qt.TextFormat.PlainText)
    return box


def panel(parent: QWidget | None = None) -> QFrame:
    """Return a panel with a border and round corners."""
    made = QFrame(parent)
    made.setProperty("role", "panel")
    return made


class Badge(QLabel):
    """A word in a coloured pill."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)

    def say(self, text: str, kind: str) -> None:
        """Show a word; ``kind`` is ``good``, ``info``, ``warning`` or ``bad``."""
        self.setText(text)
        restyle(self, badge=kind)
        font = QFont(self.font())
        font.setBold(True)
        measure = QFontMetrics(font)
        self.setFixedSize(measure.horizontalAdvance(text) + 20, measure.height() + 4)


class Meter(QProgressBar):
    """A bar from 0 to 1 that turns from amber to green at a sufficient value.

    Empty for None.
    """

    ENOUGH = 0.75

    def __init__(self, thickness: int = 8, groove: bool = True, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._has_groove = groove
        self._thickness = thickness
        self.setRange(0, 100)
        self.setTextVisible(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(thickness + 6)
        self.reset()

    def sizeHint(self) -> QSize:
        return QSize(120, self._thickness + 6)

    def minimumSizeHint(self) -> QSize:
        return QSize(40, self._thickness + 6)

    @property
    def share(self) -> float | None:
        """Return the value shown."""
        return None if self.value() < self.minimum() else self.value() / 100

    def set_share(self, share: float | None) -> None:
        """Show a value from 0 to 1."""
        if share is None:
            self.reset()
        else:
            self.setValue(round(min(max(share, 0.0), 1.0) * 100))

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, share = current(self), self.share
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        groove = QRectF(0, (self.height() - self._thickness) / 2, self.width(), self._thickness)
        painter.setBrush(QColor(theme.line))
        if self._has_groove:
            painter.drawRoundedRect(groove, self._thickness / 2, self._thickness / 2)
        if share:
            groove.setWidth(max(float(self._thickness), self.width() * share))
            painter.setBrush(QColor(theme.good if share >= self.ENOUGH else theme.warning))
            painter.drawRoundedRect(groove, self._thickness / 2, self._thickness / 2)


class ElidedLabel(QLabel):
    """A line that is elided if space is short; its tooltip is the whole text."""

    def __init__(self, role: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        if role:
            self.setProperty("role", role)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        shown = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        self.setToolTip(self.text() if shown != self.text() else "")
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(self.rect(), self.alignment(), shown)


class ChoiceBox(QComboBox):
    """A list to choose from.

    Entries have a value and, if they cannot be chosen, a reason. Ignores the wheel while the panel scrolls.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(7)

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, x, y = current(self), self.width() - 16.0, self.height() / 2
        painter.setPen(
            QPen(
                QColor(theme.muted if self.isEnabled() else theme.faint),
                1.6,
                c=Qt.PenCapStyle.RoundCap,
                j=Qt.PenJoinStyle.RoundJoin,
            )
        )
        painter.drawPolyline([QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])

    def add(self, text: str, value: object, problem: str = "") -> None:
        """Add an entry; one with a ``problem`` is shown but cannot be chosen."""
        self.addItem(text, value)
        row = self.count() - 1
        self.setItemData(row, tip(problem or text), Qt.ItemDataRole.ToolTipRole)
        self.enable(row, not problem)

    def enable(self, row: int, on: bool) -> None:
        model = self.model()
        item = model.item(row)  # type: ignore[attr-defined]
        flags = item.flags()
        item.setFlags(flags | Qt.ItemFlag.ItemIsEnabled if on else flags & ~Qt.ItemFlag.ItemIsEnabled)

    def is_enabled(self, value: object) -> bool:
        """Whether the entry with this value can be chosen."""
        row = self.row_of(value)
        return row >= 0 and bool(self.model().flags(self.model().index(row, 0)) & Qt.ItemFlag.ItemIsEnabled)

    def row_of(self, value: object) -> int:
        return next((row for row in range(self.count()) if self.itemData(row) == value), -1)

    def show_value(self, value: object) -> None:
        """Show the entry with this value as chosen, without a signal."""
        row = self.row_of(value)
        if row != self.currentIndex():
            blocked = self.blockSignals(True)
            self.setCurrentIndex(row)
            self.blockSignals(blocked)


class Switch(QCheckBox):
    """A check box that looks like a switch."""

    WIDTH, HEIGHT, GAP = 34, 18, 10

    def sizeHint(self) -> QSize:
        text = self.fontMetrics().size(Qt.TextFlag.TextShowMnemonic, self.text())
        return QSize(self.WIDTH + self.GAP + text.width() + 4, max(self.HEIGHT + 6, text.height() + 4))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def hitButton(self, position: QPoint) -> bool:
        return self.rect().contains(position)

    def paintEvent(self, event: QPaintEvent) -> None:
        theme, on = current(self), self.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(1, (self.height() - self.HEIGHT) / 2, self.WIDTH, self.HEIGHT)
        if self.hasFocus():
            painter.setPen(QPen(QColor(theme.text), 1.5))
        else:
            painter.setPen(QPen(QColor(theme.accent if on else theme.faint), 1))
        painter.setBrush(QColor(theme.accent if on else theme.field))
        painter.drawRoundedRect(track, self.HEIGHT / 2, self.HEIGHT / 2)
        side = self.HEIGHT - 7
        knob = QRectF(
            track.right() - side - 4 if on else track.left() + 4, track.center().y() - side / 2, side, side
        )
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.on_accent if on else theme.muted))
        painter.drawEllipse(knob)
        painter.setPen(QColor(theme.text if self.isEnabled() else theme.faint))
        place = QRect(self.WIDTH + self.GAP, 0, self.width() - self.WIDTH - self.GAP, self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextShowMnemonic, self.text())


class Slider(QWidget):
    """A slider for a number, with its name and value above it."""

    moved = Signal(float)

    def __init__(
        self,
        name: str,
        low: float,
        high: float,
        default: float,
        style: str = "{:.0%}",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._style = style
        self.slider = _PlainSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(low * 100), round(high * 100))
        self.slider.setPageStep(10)
        self.slider.setSingleStep(1)
        self.slider.setAccessibleName(name)
        self._value = label("", "muted")
        words = label(name)
        words.setBuddy(self.slider)
        top = fill(QHBoxLayout(), (words, 1), self._value)
        fill(QVBoxLayout(self), top, self.slider, margins=0, spacing=3)
        self.slider.valueChanged.connect(self._changed)
        self.show_value(default)

    def value(self) -> float:
        return self.slider.value() / 100

    def show_value(self, value: float) -> None:
        """Show this value without a signal."""
        if not self.slider.isSliderDown():
            blocked = self.slider.blockSignals(True)
            self.slider.setValue(round(value * 100))
            self.slider.blockSignals(blocked)
        self._say(value)

    def _say(self, value: float) -> None:
        text = self._style.format(value)
        self._value.setText(text if round(value * 100) else text.removeprefix("+"))

    def _changed(self, raw: int) -> None:
        self._say(raw / 100)
        self.moved.emit(raw / 100)


class _PlainSlider(QSlider):
    """A slider that leaves the wheel to the panel around it."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Section(QWidget):
    """A heading and its content."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(title)
        self.column = fill(QVBoxLayout(self), label(title, "heading"), margins=(0, 6, 0, 10), spacing=8)

    def add(self, *pieces: QWidget) -> None:
        fill(self.column, *pieces)


def fill(
    layout: Box,
    *pieces: Piece | tuple[Piece, int] | None,
    margins: int | tuple[int, int, int, int] | None = None,
    spacing: int | None = None,
) -> Box:
    """Add pieces to a row or a column; return it.

    Args:
        pieces: widgets and layouts in order; ``(piece, 1)`` takes the remaining space, `STRETCH` is empty
            space that does.
        margins: left, top, right and bottom, or all alike.
    """
    if margins is not None:
        layout.setContentsMargins(*((margins,) * 4 if isinstance(margins, int) else margins))
    if spacing is not None:
        layout.setSpacing(spacing)
    for piece in pieces:
        if piece is None:
            layout.addStretch(1)
            continue
        part, stretch = piece if isinstance(piece, tuple) else (piece, 0)
        if isinstance(part, QWidget):
            layout.addWidget(part, stretch)
        else:
            layout.addLayout(part, stretch)
    return layout


def row(wide: QWidget, *others: QWidget) -> QHBoxLayout:
    """Put widgets side by side; the first takes the remaining space."""
    return fill(QHBoxLayout(), (wide, 1), *others, spacing=6)
