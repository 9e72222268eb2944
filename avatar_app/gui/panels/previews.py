"""The camera and the output beside each other, or under each other where that makes them larger."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from avatar_app.gui.panels.calibration import CalibrationPanel
from avatar_app.gui.panels.preview import PictureView
from avatar_app.gui.style.widgets import Badge, label

GAP = 14


class PreviewFrame(QWidget):
    """A view with its title and a badge above it and a line of text under it."""

    def __init__(self, view: PictureView, title: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.view = view
        self.title = label(title, "heading")
        self.badge = Badge()
        self.caption = label("", "muted", wrap=True)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.setToolTip(tip)
        view.setAccessibleName(title)
        view.setAccessibleDescription(tip)
        top = QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.badge)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addWidget(view, 1)
        column.addWidget(self.caption)
        self._fix_heights()

    def proportion(self, default: float) -> float:
        """Width by height of the picture, ``default`` without one."""
        width, height = self.view.source_size
        return width / height if height else default

    def overhead(self) -> int:
        """Height of all but the picture."""
        return self._top + self.caption.height() + 12

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.FontChange:
            self._fix_heights()
        super().changeEvent(event)

    def _fix_heights(self) -> None:
        """Texts come and go; the picture must not move for that."""
        line = self.fontMetrics().lineSpacing()
        self._top = line + 8
        self.title.setFixedHeight(self._top)
        self.caption.setFixedHeight(line * 2)


class PreviewPair(QWidget):
    """Gives both pictures the same height where they are side by side, and whatever arrangement makes them largest."""

    reshaped = Signal()

    def __init__(self, camera: PreviewFrame, output: PreviewFrame, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.camera, self.output = camera, output
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._proportions = (4 / 3, 16 / 9)
        for frame in (camera, output):
            frame.setParent(self)

    def sizeHint(self) -> QSize:
        return QSize(760, 320)

    def minimumSizeHint(self) -> QSize:
        return QSize(380, 180)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.arrange()

    def ideal_height(self, width: int, most: int) -> int:
        """How high this would like to be at such a width, at most ``most``."""
        first, second = self._proportions
        over = self.camera.overhead()
        beside = min((width - GAP) / (first + second), most - over)
        under = min(width / max(first, second), (most - 2 * over - GAP) / 2)
        return round(beside) + over if beside >= under else most

    def follow_pictures(self) -> None:
        """Arrange again if a picture has other proportions than before."""
        proportions = (self.camera.proportion(4 / 3), self.output.proportion(16 / 9))
        if proportions != self._proportions:
            self._proportions = proportions
            self.reshaped.emit()
            self.arrange()

    def arrange(self) -> None:
        first, second = self._proportions
        width, height, over = self.width(), self.height(), self.camera.overhead()
        beside = max(1.0, min((width - GAP) / (first + second), height - over))
        under = max(1.0, min(width / max(first, second), (height - 2 * over - GAP) / 2))
        if beside >= under:
            widths = round(first * beside), round(second * beside)
            left, top, tall = (
                (width - sum(widths) - GAP) // 2,
                max(0, (height - round(beside) - over) // 2),
                round(beside) + over,
            )
            self.camera.setGeometry(left, top, widths[0], tall)
            self.output.setGeometry(left + widths[0] + GAP, top, widths[1], tall)
            return
        tall, wide = round(under) + over, round(under * max(first, second))
        left, top = (width - wide) // 2, max(0, (height - 2 * tall - GAP) // 2)
        self.camera.setGeometry(left, top, wide, tall)
        self.output.setGeometry(left, top + tall + GAP, wide, tall)


class Stage(QWidget):
    """The middle of the window: pictures as large as the width allows, the buttons under them, and the rest for the calibration."""

    SPACE = 10

    def __init__(
        self, pair: PreviewPair, bar: QWidget, calibration: CalibrationPanel, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._pair, self._bar, self._calibration = pair, bar, calibration
        for piece in (pair, bar, calibration):
            piece.setParent(self)
        pair.reshaped.connect(self.arrange)

    def sizeHint(self) -> QSize:
        return QSize(760, 640)

    def minimumSizeHint(self) -> QSize:
        wide = max(
            self._pair.minimumSizeHint().width(),
            self._bar.minimumSizeHint().width(),
            self._calibration.least_width(),
        )
        return QSize(
            wide,
            self._pair.minimumSizeHint().height()
            + self._bar.sizeHint().height()
            + self._calibration.least()
            + 2 * self.SPACE,
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.arrange()

    def arrange(self) -> None:
        width, bar = self.width(), self._bar.sizeHint().height()
        room = self.height() - bar - 2 * self.SPACE
        pictures = self._pair.ideal_height(width, room - self._calibration.least())
        below = min(room - pictures, self._calibration.MOST)
        pictures = room - below
        self._pair.setGeometry(0, 0, width, pictures)
        self._bar.setGeometry(0, pictures + self.SPACE, width, bar)
        self._calibration.set_room(width, below)
        self._calibration.setGeometry(0, pictures + bar + 2 * self.SPACE, width, below)
