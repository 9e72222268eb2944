"""The camera and the output beside each other, or under each other where that makes them larger."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from avatar_app.gui.preview import PictureView
from avatar_app.gui.widgets import Badge, label

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

    def follow_pictures(self) -> None:
        """Arrange again if a picture has other proportions than before."""
        proportions = (self.camera.proportion(4 / 3), self.output.proportion(16 / 9))
        if proportions != self._proportions:
            self._proportions = proportions
            self.arrange()

    def arrange(self) -> None:
        first, second = self._proportions
        width, height, over = self.width(), self.height(), self.camera.overhead()
        beside = max(1.0, min((width - GAP) / (first + second), height - over))
        under = max(1.0, min(width / max(first, second), (height - 2 * over - GAP) / 2))
        if beside >= under:
            widths = round(first * beside), round(second * beside)
            left, top, tall = (width - sum(widths) - GAP) // 2, max(0, (height - round(beside) - over) // 2), round(beside) + over
            self.camera.setGeometry(left, top, widths[0], tall)
            self.output.setGeometry(left + widths[0] + GAP, top, widths[1], tall)
            return
        tall, wide = round(under) + over, round(under * max(first, second))
        left, top = (width - wide) // 2, max(0, (height - 2 * tall - GAP) // 2)
        self.camera.setGeometry(left, top, wide, tall)
        self.output.setGeometry(left, top + tall + GAP, wide, tall)
