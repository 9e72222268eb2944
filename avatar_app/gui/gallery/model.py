"""The photos of the library as a Qt model.

Thumbnails are made in the background when first shown.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QPixmap

from avatar_app.errors import AvatarError
from avatar_app.gui.background import Background
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.pictures import to_qimage
from avatar_app.gui.style.widgets import tip
from avatar_app.photos.library import Entry, Library
from avatar_app.text import join
from avatar_app.types import Image

Index = QModelIndex | QPersistentModelIndex
ENTRY = Qt.ItemDataRole.UserRole
"""Role of a row's ``Entry``; None for the last row, the tile with the plus sign."""
CHOSEN = Qt.ItemDataRole.UserRole + 1
SIDE = 240
"""Side of the thumbnails, in pixels of the screen: sharp up to a scale of 2."""


class GalleryModel(QAbstractListModel):
    """One row for each photo that matches the search, then the tile that adds one."""

    problem = Signal(object, object)
    """Message and hint, both `Text`."""

    def __init__(self, library: Library, parent: QObject) -> None:
        super().__init__(parent)
        self._library = library
        self._background = Background(self)
        self.stop = self._background.stop
        self._search = ""
        self._entries = library.entries()
        self._chosen: Path | None = None
        self._thumbnails: dict[Entry, QPixmap | AvatarError | None] = {}

    @property
    def entries(self) -> list[Entry]:
        """Return the photos that are shown."""
        return self._entries

    def show(self, search: str | None = None) -> None:
        """Show the library's current content, or the matches of another search."""
        self._search = self._search if search is None else search
        self.beginResetModel()
        self._entries = self._library.search(self._search)
        known = set(self._library.entries())
        self._thumbnails = {entry: picture for entry, picture in self._thumbnails.items() if entry in known}
        self.endResetModel()

    def mark(self, path: Path | None) -> None:
        """Mark one photo as the one in use."""
        before, self._chosen = self._chosen, path
        if before == path:
            return
        for row, entry in enumerate(self._entries):
            if entry.path in (before, path):
                self.dataChanged.emit(self.index(row), self.index(row), [CHOSEN])

    def index_of(self, path: Path | None) -> QModelIndex:
        """Return the row of a photo; an invalid index if it is not shown."""
        rows = (row for row, entry in enumerate(self._entries) if entry.path == path)
        return self.index(next(rows, -1))

    def entry_at(self, index: Index) -> Entry | None:
        """Return the photo of a row; None for the plus tile and for no row."""
        return self._entries[index.row()] if index.isValid() and index.row() < len(self._entries) else None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._entries) + 1

    def flags(self, index: Index) -> Qt.ItemFlag:
        usual = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return usual | Qt.ItemFlag.ItemIsEditable if self.entry_at(index) else usual

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        entry = self.entry_at(index)
        if entry is None:
            return self._plus(role)
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return entry.name
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnail(entry)
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tip(entry)
        return {
            ENTRY: entry,
            CHOSEN: entry.path == self._chosen,
            Qt.ItemDataRole.AccessibleTextRole: entry.name,
        }.get(role)

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        entry = self.entry_at(index)
        if entry is None or role != Qt.ItemDataRole.EditRole or str(value).strip() in ("", entry.name):
            return False
        try:
            renamed = self._library.rename(entry, str(value))
        except AvatarError as error:
            self.problem.emit(error.message, error.hint)
            return False
        self._thumbnails[renamed] = self._thumbnails.get(entry)
        self._entries[index.row()] = renamed
        self.dataChanged.emit(index, index)
        return True

    def _plus(self, role: int) -> object:
        texts = {
            Qt.ItemDataRole.DisplayRole: self.tr("Add photo"),
            Qt.ItemDataRole.AccessibleTextRole: self.tr("Add photo"),
            Qt.ItemDataRole.ToolTipRole: self.tr("Choose photos, drop them here, or paste one"),
        }
        return texts.get(Qt.ItemDataRole(role)) if role <= Qt.ItemDataRole.AccessibleTextRole else None

    def _tip(self, entry: Entry) -> str:
        found = self._thumbnails.get(entry)
        if isinstance(found, AvatarError):
            return tip(in_user_language(join([found.message, found.hint])))
        return tip(
            self.tr("{name} (key {key})").format(name=entry.name, key=entry.key) if entry.key else entry.name
        )

    def _thumbnail(self, entry: Entry) -> QPixmap | AvatarError | None:
        """Return the small picture, or why there is none, or None while it is being made."""
        if entry not in self._thumbnails:
            self._thumbnails[entry] = None
            self._background.run(
                partial(self._library.thumbnail, entry, SIDE),
                partial(self._made, entry),
                partial(self._made, entry),
            )
        return self._thumbnails[entry]

    def _made(self, entry: Entry, picture: Image | AvatarError) -> None:
        self._thumbnails[entry] = (
            picture if isinstance(picture, AvatarError) else QPixmap.fromImage(to_qimage(picture))
        )
        index = self.index_of(entry.path)
        self.dataChanged.emit(index, index, [Qt.ItemDataRole.DecorationRole])
