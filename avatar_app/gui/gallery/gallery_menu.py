"""The menu of a photo and of the list of photos."""

from __future__ import annotations

from typing import Protocol

from PySide6.QtCore import QCoreApplication, QUrl
from PySide6.QtGui import QDesktopServices, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from avatar_app.gui.gallery.editing import Editing
from avatar_app.photos.library import Entry, Library


class Photos(Protocol):
    """The part of a ``Gallery`` that the menu uses."""

    library: Library
    editing: Editing

    def choose(self, entry: Entry | None) -> bool: ...

    def edit_name(self, entry: Entry) -> None: ...

    def remove(self, entry: Entry) -> None: ...

    def open_files(self) -> None: ...

    def paste(self) -> None: ...

    def open_search(self) -> None: ...

    def reload(self) -> None: ...


def gallery_menu(parent: QWidget, gallery: Photos, entry: Entry | None) -> QMenu:
    """Return the menu for a photo (None: for the list alone)."""
    translate, menu = QCoreApplication.translate, QMenu(parent)
    if entry is not None:
        _add_photo_lines(menu, gallery, entry)
        menu.addSeparator()
    menu.addAction(translate("Gallery", "Add photos..."), gallery.open_files)
    menu.addAction(translate("Gallery", "Paste"), QKeySequence(QKeySequence.StandardKey.Paste), gallery.paste)
    menu.addAction(translate("Gallery", "Find"), QKeySequence("Ctrl+F"), gallery.open_search)
    menu.addAction(translate("Gallery", "Reload"), gallery.reload)
    if gallery.library.hidden():
        menu.addAction(translate("Gallery", "Restore built-in photos"), gallery.editing.restore_bundled)
    return menu


def _add_photo_lines(menu: QMenu, gallery: Photos, entry: Entry) -> None:
    translate, library, editing = QCoreApplication.translate, gallery.library, gallery.editing
    menu.addAction(translate("Gallery", "Use"), lambda: gallery.choose(entry))
    menu.addAction(translate("Gallery", "Rename"), QKeySequence("F2"), lambda: gallery.edit_name(entry))
    menu.addAction(translate("Gallery", "Crop..."), lambda: editing.crop(entry))
    menu.addAction(translate("Gallery", "Remove"), QKeySequence("Del"), lambda: gallery.remove(entry))
    first = next(iter(library.entries()), None)
    if first is not None and first.path != entry.path:
        menu.addAction(
            translate("Gallery", "Move to the front"),
            lambda: editing.tried(lambda: library.move(entry, first)),
        )
    folder = QUrl.fromLocalFile(str(entry.path.parent))
    menu.addAction(translate("Gallery", "Show in folder"), lambda: QDesktopServices.openUrl(folder))
