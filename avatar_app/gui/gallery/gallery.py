"""The photos to choose from: a grid that can be searched, added to by dialog, drop and paste, and used by keyboard alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QMimeData, QModelIndex, QObject, QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDesktopServices,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import QLineEdit, QMenu, QMessageBox, QVBoxLayout, QWidget

from avatar_app.errors import AvatarError
from avatar_app.gui.background import Background
from avatar_app.gui.dialogs.crop_editor import CropEditor
from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.gui.gallery.drops import DropZone
from avatar_app.gui.gallery.intake import Intake
from avatar_app.gui.gallery.model import GalleryModel
from avatar_app.gui.gallery.tile import MARGIN, GalleryTile
from avatar_app.gui.gallery.view import GalleryView
from avatar_app.gui.language.messages import in_user_language
from avatar_app.media.photo import read_portrait
from avatar_app.photos.library import Entry, Library
from avatar_app.types import Box, Image

MANY = 12
"""The search field appears when there are more photos than this."""


class Gallery(QWidget):
    """The photos of a library.

    ``chosen`` carries the ``Entry`` whenever another photo is to be used, or the same one with another crop; ``problem`` a message
    and a hint about something that did not work.
    """

    chosen = Signal(object)
    problem = Signal(str, str)

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self._face_fit = FaceFit()
        if library.find_box is None:
            library.find_box = self._face_fit.box
        self._current: Entry | None = None
        self._background, self._reading = Background(self), Background(self)
        self._intake = Intake(library, self._face_fit, self)
        self._intake.problem.connect(self.problem)
        self._intake.added.connect(self._show_added)
        self._model = GalleryModel(library, self._background, self)
        self._model.problem.connect(self.problem)
        self._search = QLineEdit(self)
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._model.show)
        self._search.installEventFilter(self)
        self._view = GalleryView(self)
        self._view.setModel(self._model)
        self._view.setItemDelegate(GalleryTile(self._view))
        self._view.clicked.connect(self._use)
        self._view.installEventFilter(self)
        self._drops = DropZone(self, self._take_dropped)
        self.setFocusProxy(self._view)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._search)
        layout.addWidget(self._view, 1)
        tile = self._view.sizeHintForIndex(self._model.index(0))
        self._view.setMinimumSize(tile + QSize(24, MARGIN))
        self._retranslate()
        self._show_search()

    @property
    def entry(self) -> Entry | None:
        """The chosen photo."""
        return self._current

    def select(self, path: Path | str) -> bool:
        """Choose a photo by its path or, as a text, by its file name; false where the library does not have it."""
        entry = self._library.find(Path(path).name)
        return self._choose(
            entry if isinstance(path, str) or (entry is not None and entry.path == path) else None
        )

    def choose_number(self, number: int) -> bool:
        """Choose the photo with a number key; false where no photo has it."""
        return self._choose(next((entry for entry in self._library.entries() if entry.key == number), None))

    def next(self) -> bool:
        """Choose the photo after the chosen one, after the last the first."""
        return self._step(1)

    def previous(self) -> bool:
        """Choose the photo before the chosen one, before the first the last."""
        return self._step(-1)

    def random(self) -> bool:
        """Choose any other photo."""
        others = [
            entry
            for entry in self._library.entries()
            if self._current is None or entry.path != self._current.path
        ]
        return self._choose(random.choice(others) if others else None)

    def reload(self) -> None:
        """Read the folders again."""
        self._library.reload()
        self._refresh()

    def add_files(self, paths: Sequence[Path]) -> None:
        """Add photos, and all photos of folders, in the background; one that was added alone is chosen."""
        self._intake.add_files(paths)

    def paste(self) -> None:
        """Add the picture or the picture files in the clipboard."""
        hint = self.tr("Copy a picture or a picture file, then paste it here.")
        self._intake.take(
            QGuiApplication.clipboard().mimeData() or QMimeData(),
            self.tr("There is no picture in the clipboard."),
            hint,
        )

    def take_drops_on(self, widget: QWidget) -> None:
        """Photos may be dropped anywhere on ``widget``, which this is a part of."""
        self._drops.end()
        self._drops = DropZone(widget, self._take_dropped)

    def _take_dropped(self, mime: QMimeData) -> None:
        self._intake.take(
            mime, self.tr("What was dropped is no picture."), self.tr("Drop photos, or a folder with some.")
        )

    def open_files(self) -> None:
        """Let the user choose photos to add."""
        self._intake.open_files(self)

    def stop(self) -> None:
        """Wait for what is done in the background and drop the rest; before the application ends."""
        self._background.stop()
        self._reading.stop()
        self._intake.stop()

    def crop(self, entry: Entry) -> None:
        """Open the crop editor for a photo."""
        self._reading.run(
            partial(read_portrait, entry.path), lambda image: self._open_editor(entry, image), self._failed
        )

    def _open_editor(self, entry: Entry, image: Image) -> None:
        editor = CropEditor(image, entry.box, self._face_fit, self)
        editor.setWindowTitle(self.tr("Crop {name}").format(name=entry.name))
        editor.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        editor.accepted.connect(lambda: self._set_box(entry, editor.box()))
        editor.open()

    def _set_box(self, entry: Entry, box: Box) -> None:
        done = self._tried(partial(self._library.set_box, entry, box))
        self._refresh()
        if done and self._current and entry.path == self._current.path:
            self._choose(self._library.find(entry.path.name))

    def ask_remove(self, entry: Entry) -> None:
        """Remove a photo; one of the user's own only after asking, because its copy is deleted."""
        if entry.bundled:
            self.remove(entry)
            return
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle(self.tr("Remove photo"))
        box.setText(self.tr("Remove {name} from the list?").format(name=entry.name))
        box.setInformativeText(
            self.tr("The copy that was made when you added it is deleted. The photo you added it from stays.")
        )
        yes = box.addButton(self.tr("Remove"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.buttonClicked.connect(lambda button: self.remove(entry) if button is yes else None)
        box.open()

    def remove(self, entry: Entry) -> None:
        """Remove a photo at once. If it was the chosen one, its neighbour is chosen."""
        entries = self._library.entries()
        place = next((number for number, other in enumerate(entries) if other.path == entry.path), 0)
        if not self._tried(partial(self._library.remove, entry)):
            return
        left = self._library.entries()
        self._refresh()
        neighbour = left[min(place, len(left) - 1)] if left else None
        if self._current and self._current.path == entry.path:
            self._current = None
            self._choose(neighbour)
        elif neighbour:
            self._view.setCurrentIndex(self._model.index_of(neighbour.path))

    def restore_bundled(self) -> None:
        """Show the app's own photos again."""
        self._tried(self._library.restore_bundled)
        self._refresh()

    def _choose(self, entry: Entry | None) -> bool:
        if entry is None:
            return False
        self._current = entry
        if self._model.entries != self._library.search(
            self._search.text()
        ):  # another window may have added photos
            self._refresh()
        self._model.mark(entry.path)
        index = self._model.index_of(entry.path)
        self._view.setCurrentIndex(index)
        self._view.scrollTo(index)
        self.chosen.emit(entry)
        return True

    def _step(self, by: int) -> bool:
        entries = self._library.entries()
        places = [
            number
            for number, entry in enumerate(entries)
            if self._current and entry.path == self._current.path
        ]
        if not entries:
            return False
        return self._choose(
            entries[(places[0] + by) % len(entries)] if places else entries[0 if by > 0 else -1]
        )

    def _use(self, index: QModelIndex) -> None:
        entry = self._model.entry_at(index)
        if entry is not None:
            self._choose(entry)
        elif index.isValid():
            self.open_files()

    def _refresh(self) -> None:
        """Show what the library holds now, with the cursor where it was."""
        at = self._model.entry_at(self._view.currentIndex())
        self._model.show()
        self._show_search()
        self._view.fill_width()
        if at is not None:
            self._view.setCurrentIndex(self._model.index_of(at.path))

    def _show_search(self) -> None:
        shown = len(self._library.entries()) > MANY
        self._search.setVisible(shown)
        if not shown:
            self._search.clear()

    def _show_added(self, entries: list[Entry], choose: bool) -> None:
        self._search.clear()
        self._refresh()
        if choose:
            self._choose(entries[0])
        elif entries:
            self._view.scrollTo(self._model.index_of(entries[-1].path))

    def _failed(self, error: AvatarError) -> None:
        self.problem.emit(in_user_language(error.message), in_user_language(error.hint))

    def _tried(self, change: Callable[[], object]) -> bool:
        try:
            change()
        except AvatarError as error:
            self._failed(error)
            return False
        return True

    def menu(self, entry: Entry | None) -> QMenu:
        """What can be done with a photo, and with the list."""
        menu = QMenu(self)
        if entry is not None:
            menu.addAction(self.tr("Use"), lambda: self._choose(entry))
            menu.addAction(self.tr("Rename"), QKeySequence("F2"), lambda: self._edit(entry))
            menu.addAction(self.tr("Crop..."), lambda: self.crop(entry))
            menu.addAction(self.tr("Remove"), QKeySequence("Del"), lambda: self.ask_remove(entry))
            menu.addAction(
                self.tr("Show in folder"),
                lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(entry.path.parent))),
            )
            menu.addSeparator()
        menu.addAction(self.tr("Add photos..."), self.open_files)
        menu.addAction(self.tr("Paste"), QKeySequence(QKeySequence.StandardKey.Paste), self.paste)
        menu.addAction(self.tr("Reload"), self.reload)
        if self._library.hidden():
            menu.addAction(self.tr("Bring back the app's photos"), self.restore_bundled)
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_keyboard = event.reason() == QContextMenuEvent.Reason.Keyboard
        index = (
            self._view.currentIndex()
            if by_keyboard
            else self._view.indexAt(self._view.viewport().mapFromGlobal(event.globalPos()))
        )
        place = (
            self._view.viewport().mapToGlobal(self._view.visualRect(index).center())
            if by_keyboard
            else event.globalPos()
        )
        menu = self.menu(self._model.entry_at(index))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The keys of the grid; and a picture that is pasted while the search field has the focus is no text."""
        if (
            watched is self._search
            and isinstance(event, QKeyEvent)
            and event.matches(QKeySequence.StandardKey.Paste)
        ):
            return self._paste_picture(event)
        editing = (
            self._view.state() == GalleryView.State.EditingState
        )  # the end of a name reaches the view too
        if (
            watched is self._view
            and isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and not editing
        ):
            return self._key(event)
        return super().eventFilter(watched, event)

    def _paste_picture(self, event: QKeyEvent) -> bool:
        """Add what is in the clipboard if it is pictures; whether it was."""
        mime = QGuiApplication.clipboard().mimeData()
        if mime is None or not (mime.hasImage() or mime.hasUrls()):
            return False
        event.accept()
        if event.type() == QEvent.Type.KeyPress:
            self.paste()
        return True

    def _key(self, event: QKeyEvent) -> bool:
        index = self._view.currentIndex()
        entry, key = self._model.entry_at(index), event.key()
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        if event.matches(QKeySequence.StandardKey.Paste):
            self.paste()
        elif plain and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._use(index)
        elif plain and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and entry:
            self.ask_remove(entry)
        elif plain and key == Qt.Key.Key_F2 and entry:
            self._edit(entry)
        elif plain and Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            self.choose_number(key - Qt.Key.Key_0)
        else:
            return False
        return True

    def _edit(self, entry: Entry) -> None:
        self._view.setFocus()
        self._view.edit(self._model.index_of(entry.path))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.LanguageChange:
            self._retranslate()
        super().changeEvent(event)

    def _retranslate(self) -> None:
        self._search.setPlaceholderText(self.tr("Search photos"))
        self._view.setAccessibleName(self.tr("Photos"))
        self._view.viewport().update()
