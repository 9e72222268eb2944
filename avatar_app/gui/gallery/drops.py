"""Add dropped or pasted files and pictures to the library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QEvent, QIODevice, QMimeData, QObject, QRectF, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
)
from PySide6.QtWidgets import QWidget

from avatar_app.errors import AvatarError, PortraitError
from avatar_app.files import is_there
from avatar_app.media.photo import read_portrait
from avatar_app.photos.library import Entry, Library
from avatar_app.text import Text
from avatar_app.types import Image


@dataclass(frozen=True, slots=True)
class Added:
    """Result of adding photos.

    Attributes:
        face: a face was found in the last one.
    """

    entries: list[Entry]
    errors: list[AvatarError]
    face: bool


def local_files(mime: QMimeData) -> list[Path]:
    """Return the local files in a drop or in the clipboard.

    Also if a path was copied as text.
    """
    files = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    if files or mime.hasUrls() or mime.hasImage() or not mime.hasText():
        return files
    lines = [line.strip().strip("\"'") for line in mime.text().splitlines()[:100] if line.strip()]
    paths = [Path(QUrl(line).toLocalFile() if line.startswith("file:") else line) for line in lines]
    return (
        paths
        if paths and all(len(str(path)) < 1000 and path.is_absolute() and is_there(path) for path in paths)
        else []
    )


def add_all(works: Sequence[Callable[[], Entry]], find_face: Callable[[Image], object | None]) -> Added:
    """Add photos one after the other; a failed one does not stop the others.

    Slow.
    """
    entries: list[Entry] = []
    errors: list[AvatarError] = []
    for work in works:
        try:
            entries.append(work())
        except AvatarError as error:
            errors.append(error)
    face = True
    if entries and entries[-1].box is None and not errors:
        face = find_face(read_portrait(entries[-1].path)) is not None
    return Added(entries, errors, face)


def add_image(library: Library, image: QImage, name: str) -> Entry:
    """Add a picture from the clipboard. Slow. Raises PortraitError."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    if image.isNull() or not image.save(buffer, "PNG", 80):  # type: ignore[call-overload]
        raise PortraitError(
            Text("The picture in the clipboard cannot be read."),
            Text("Save it as a file, then add the file."),
        )
    return library.add_bytes(bytes(data.data()), name)


class DropZone(QObject):
    """Lets photos be dropped anywhere on a widget.

    ``take`` gets every drop, so that it can report unusable ones.
    """

    def __init__(self, widget: QWidget, take: Callable[[QMimeData], None]) -> None:
        super().__init__(widget)
        self._widget, self._take = widget, take
        self._cover = DropCover(widget)
        widget.setAcceptDrops(True)
        widget.installEventFilter(self)

    def end(self) -> None:
        """Accept no more drops."""
        self._widget.setAcceptDrops(False)
        self._widget.removeEventFilter(self)
        self._cover.deleteLater()
        self.deleteLater()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.DragLeave:
            self._cover.hide()
        elif event.type() == QEvent.Type.DragEnter and isinstance(event, QDragEnterEvent):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._cover.cover()
            return True
        elif event.type() == QEvent.Type.Drop and isinstance(event, QDropEvent):
            self._cover.hide()
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._take(event.mimeData())
            return True
        return False


class DropCover(QWidget):
    """Covers a widget while photos are dragged across it, with an instruction."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def cover(self) -> None:
        """Show it over the whole parent."""
        self.setGeometry(self._parent.rect())
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        palette = QGuiApplication.palette()
        ground, accent = (
            QColor(palette.color(QPalette.ColorRole.Window)),
            palette.color(QPalette.ColorRole.Highlight),
        )
        ground.setAlpha(228)
        painter.fillRect(self.rect(), ground)
        frame = QRectF(self.rect()).adjusted(6, 6, -6, -6)
        painter.setPen(QPen(accent, 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(frame, 14, 14)
        font = self.font()
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.WindowText))
        painter.drawText(
            frame, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self.tr("Drop photos to add them")
        )
