"""The gallery of photos, a strip or a column.

It can be searched, reordered, extended, and used by keyboard alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QBoxLayout, QMenu, QWidget

from avatar_app.bundles.bundle import DESCRIPTION
from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.gui.gallery.drops import DropZone
from avatar_app.gui.gallery.editing import Editing
from avatar_app.gui.gallery.gallery_keys import GalleryKeys
from avatar_app.gui.gallery.gallery_menu import gallery_menu
from avatar_app.gui.gallery.intake import Intake
from avatar_app.gui.gallery.model import GalleryModel
from avatar_app.gui.gallery.search_field import SearchField
from avatar_app.gui.gallery.view import GalleryView
from avatar_app.paths import model_folders, user_found_faces
from avatar_app.photos.found_faces import FoundFaces
from avatar_app.photos.library import Entry, Library

SEARCH_WIDTH = 150


class Gallery(QWidget):
    """The photos of a library.

    ``chosen`` carries the ``Entry`` whenever another photo is to be used, or the same one with another crop;
    ``problem`` a message and a hint about a failure; ``said`` what was done, with actions.
    """

    chosen = Signal(object)
    problem = Signal(object, object)
    """Message and hint, both `Text`."""
    said = Signal(str, object)

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.library = library
        face_fit = FaceFit()
        if library.find_face is None:
            known = FoundFaces(user_found_faces(), model_folders()[0] / "faces" / DESCRIPTION)
            library.find_face = partial(known.of, find=face_fit.face)
        self._current: Entry | None = None
        self._intake = Intake(library, face_fit, self)
        self.editing = Editing(library, face_fit, self)
        self._model = GalleryModel(library, self)
        self._search = SearchField(self.tr("Search photos"), self)
        self._view = GalleryView(self)
        self._view.setModel(self._model)
        self._drops = DropZone(self, self._intake.take_dropped)
        self.setFocusProxy(self._view)
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.addWidget(self._search)
        self._layout.addWidget(self._view, 1)
        self._connect()
        self._view.setAccessibleName(self.tr("Photos"))
        self.fit(False, False)
        self._search.show_for(len(self.library.entries()))

    def _connect(self) -> None:
        for part in (self._intake, self.editing, self._model):
            part.problem.connect(self.problem)
        self._intake.added.connect(self._show_added)
        self.editing.changed.connect(self.refresh)
        self.editing.recropped.connect(self._use_again)
        self.editing.restored.connect(self._show_restored)
        self._search.textChanged.connect(self._find)
        self._view.clicked.connect(self.use)
        self._view.moved.connect(self._move)
        self._keys = GalleryKeys(self, self, self._view, self._search, self._model)

    # Position.

    def strip_height(self, low: bool) -> int:
        """Return the height of the strip, in pixels; less in a ``low`` window."""
        return self._view.strip_height(low)

    def fit(self, side: bool, low: bool) -> None:
        """Become a column beside the pictures, or a strip under it."""
        directions = QBoxLayout.Direction
        self._layout.setDirection(directions.TopToBottom if side else directions.LeftToRight)
        self._search.setMaximumWidth(16777215 if side else SEARCH_WIDTH)
        self._view.fit(side, low)

    # Choosing.

    @property
    def entry(self) -> Entry | None:
        """Return the chosen photo."""
        return self._current

    def mark(self, entry: Entry | None) -> None:
        """Show a photo as the chosen one without a signal.

        The tick comes with ``show_used``.
        """
        self._current = entry
        index = self._model.index_of(entry.path if entry else None)
        self._view.setCurrentIndex(index)
        self._view.scrollTo(index)

    def show_used(self, path: Path | None) -> None:
        """Put the tick on the animated photo; one without a face never gets it."""
        self._model.mark(path)

    def select(self, path: Path | str) -> bool:
        """Choose a photo by its path or, as a text, by its file name.

        Returns False if the library does not have it.
        """
        entry = self.library.find(Path(path).name)
        is_it = isinstance(path, str) or (entry is not None and entry.path == path)
        return self.choose(entry if is_it else None)

    def choose_number(self, number: int) -> bool:
        """Choose the photo with a number key; return False if no photo has it."""
        return self.choose(next((entry for entry in self.library.entries() if entry.key == number), None))

    def next(self) -> bool:
        """Choose the photo after the chosen one, after the last the first."""
        return self.choose(_entry_beside(self._current, self.library.entries(), 1))

    def previous(self) -> bool:
        """Choose the photo before the chosen one, before the first the last."""
        return self.choose(_entry_beside(self._current, self.library.entries(), -1))

    def random(self) -> bool:
        """Choose another photo at random."""
        now = self._current.path if self._current else None
        others = [entry for entry in self.library.entries() if entry.path != now]
        return self.choose(random.choice(others) if others else None)

    def choose(self, entry: Entry | None) -> bool:
        """Use a photo; return False for None."""
        if entry is None:
            return False
        if self._model.entries != self.library.search(self._search.text()):
            self.refresh()  # another window may have added photos
        self.mark(entry)
        self.chosen.emit(entry)
        return True

    def use(self, index: QModelIndex) -> None:
        """Use the photo of a row, or let the user add one."""
        entry = self._model.entry_at(index)
        if entry is not None:
            self.choose(entry)
        elif index.isValid():
            self.open_files()

    # The list.

    def reload(self) -> None:
        """Read the folders again."""
        self.library.reload()
        self.refresh()

    def refresh(self) -> None:
        """Show the library's current content, keeping the cursor."""
        at = self._model.entry_at(self._view.currentIndex())
        self._model.show()
        self._search.show_for(len(self.library.entries()))
        self._view.fill_width()
        if at is not None:
            self._view.setCurrentIndex(self._model.index_of(at.path))

    def open_search(self) -> None:
        """Focus the search field."""
        self._search.open()

    def _find(self, text: str) -> None:
        self._model.show(text)
        empty = bool(text.strip()) and not self._model.entries
        self._view.say(self.tr("No photo is called “{text}”").format(text=text.strip()) if empty else "")

    def end_search(self) -> None:
        """Show all photos again."""
        self._search.end(len(self.library.entries()))
        self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _move(self, entry: Entry, place: int) -> None:
        """Move a photo before the one at a position of the shown list."""
        shown = self._model.entries
        before = shown[place] if place < len(shown) else None
        self.editing.tried(lambda: self.library.move(entry, before))

    # Adding and removing.

    def add_files(self, paths: Sequence[Path]) -> None:
        """Add photos, and all photos of folders, in the background.

        One that was added alone is chosen.
        """
        self._intake.add_files(paths)

    def open_files(self) -> None:
        """Let the user choose photos to add."""
        self._intake.open_files(self)

    def paste(self) -> None:
        """Add the picture or the picture files in the clipboard."""
        self._intake.paste()

    def take_drops_on(self, widget: QWidget) -> None:
        """Accept photos dropped anywhere on ``widget``, which contains this one."""
        self._drops.end()
        self._drops = DropZone(widget, self._intake.take_dropped)

    def _show_added(self, entries: list[Entry], choose: bool) -> None:
        self._search.clear()
        self.refresh()
        if choose:
            self.choose(entries[0])
        elif entries:
            self._view.scrollTo(self._model.index_of(entries[-1].path))

    def remove(self, entry: Entry) -> None:
        """Remove a photo at once, with undo.

        If it was the chosen one, its neighbour is chosen.
        """
        paths = [other.path for other in self.library.entries()]
        place = paths.index(entry.path) if entry.path in paths else 0
        was_chosen = self._current is not None and self._current.path == entry.path
        if not self.editing.remove(entry, was_chosen):
            return
        left = self.library.entries()
        neighbour = left[min(place, len(left) - 1)] if left else None
        if was_chosen:
            self._current = None
            self.choose(neighbour)
        elif neighbour:
            self._view.setCurrentIndex(self._model.index_of(neighbour.path))
        text = self.tr("Removed {name}").format(name=entry.name)
        self.said.emit(text, {self.tr("Undo"): self.undo})

    def undo(self) -> None:
        """Restore the photo that was removed last."""
        self.editing.undo()

    def _show_restored(self, entry: Entry | None, was_chosen: bool) -> None:
        if entry is not None and was_chosen:
            self.choose(entry)

    def _use_again(self, entry: Entry | None) -> None:
        if entry is not None and self._current is not None and entry.path == self._current.path:
            self.choose(entry)

    def stop(self) -> None:
        """Wait for running background work and drop the rest.

        Called before the application ends.
        """
        for part in (self._model, self.editing, self._intake):
            part.stop()

    # Menu.

    def edit_name(self, entry: Entry) -> None:
        """Let the user rename a photo."""
        self._view.setFocus()
        self._view.edit(self._model.index_of(entry.path))

    def menu(self, entry: Entry | None) -> QMenu:
        """Return the menu of a photo, and of the list."""
        return gallery_menu(self, self, entry)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        index, place = self._view.menu_place(event)
        menu = self.menu(self._model.entry_at(index))
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)


def _entry_beside(current: Entry | None, entries: Sequence[Entry], by: int) -> Entry | None:
    """Return the photo ``by`` positions after the current one, cyclically."""
    if not entries:
        return None
    paths = [entry.path for entry in entries]
    if current is None or current.path not in paths:
        return entries[0 if by > 0 else -1]
    return entries[(paths.index(current.path) + by) % len(entries)]
