"""Keys of the list of photos and of its search field."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QEvent, QModelIndex, QObject, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit

from avatar_app.gui.gallery.model import GalleryModel
from avatar_app.gui.gallery.view import GalleryView
from avatar_app.photos.library import Entry


class Keyed(Protocol):
    """The part of a ``Gallery`` that keys use."""

    def choose(self, entry: Entry | None) -> bool: ...

    def choose_number(self, number: int) -> bool: ...

    def use(self, index: QModelIndex) -> None: ...

    def remove(self, entry: Entry) -> None: ...

    def edit_name(self, entry: Entry) -> None: ...

    def paste(self) -> None: ...

    def end_search(self) -> None: ...


class GalleryKeys(QObject):
    """Handles keys of both widgets; unknown ones are left to them."""

    def __init__(
        self, parent: QObject, gallery: Keyed, view: GalleryView, search: QLineEdit, model: GalleryModel
    ) -> None:
        super().__init__(parent)
        self._gallery, self._view, self._search, self._model = gallery, view, search, model
        for widget in (view, search):
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent):
            return False
        if watched is self._search and event.matches(QKeySequence.StandardKey.Paste):
            return self._paste_picture(event)
        if event.type() != QEvent.Type.KeyPress:
            return False
        if watched is self._search:
            return self._search_key(event)
        editing = self._view.state() == GalleryView.State.EditingState
        return False if editing else self._key(event)  # the end of editing a name reaches the view too

    def _paste_picture(self, event: QKeyEvent) -> bool:
        """Add a picture pasted while the search field has the focus.

        Returns whether the clipboard has pictures.
        """
        mime = QGuiApplication.clipboard().mimeData()
        if mime is None or not (mime.hasImage() or mime.hasUrls()):
            return False
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            self._gallery.paste()
        return True

    def _search_key(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Escape:
            self._gallery.end_search()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._model.entries:
            self._gallery.choose(self._model.entries[0])
        elif event.key() == Qt.Key.Key_Down:
            self._view.setFocus(Qt.FocusReason.TabFocusReason)
        else:
            return False
        return True

    def _key(self, event: QKeyEvent) -> bool:
        index = self._view.currentIndex()
        entry, key = self._model.entry_at(index), event.key()
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.matches(QKeySequence.StandardKey.Paste):
            self._gallery.paste()
        elif plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._gallery.use(index)
        elif plain and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and entry:
            self._gallery.remove(entry)
        elif plain and key == Qt.Key.Key_F2 and entry:
            self._gallery.edit_name(entry)
        elif plain and key == Qt.Key.Key_Escape and self._search.text():
            self._gallery.end_search()
        elif plain and Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            self._gallery.choose_number(key - Qt.Key.Key_0)
        else:
            return False
        return True
