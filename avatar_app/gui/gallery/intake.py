"""Add photos from files, drops and the clipboard, in the background."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from avatar_app.errors import AvatarError
from avatar_app.gui.background import Background
from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.gui.gallery.drops import Added, add_all, add_image, local_files
from avatar_app.media.photo import ENDINGS
from avatar_app.photos.library import Entry, Library
from avatar_app.photos.photo_files import photo_files
from avatar_app.text import Text


class Intake(QObject):
    """Adds photos to the library.

    ``added`` carries the new entries, and whether one of them should be used at once.
    """

    added = Signal(list, bool)
    problem = Signal(object, object)
    """Message and hint, both `Text`."""

    def __init__(self, library: Library, face_fit: FaceFit, parent: QObject) -> None:
        super().__init__(parent)
        self._library, self._face_fit = library, face_fit
        self._background = Background(self)
        self.stop = self._background.stop

    def open_files(self, window: QWidget) -> None:
        """Let the user choose files."""
        dialog = QFileDialog(window, self.tr("Add photos"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
        endings = " ".join(f"*{suffix}" for suffix in ENDINGS)
        dialog.setNameFilters([self.tr("Photos") + f" ({endings})", self.tr("All files") + " (*)"])
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.filesSelected.connect(lambda names: self.add_files([Path(name) for name in names]))
        dialog.open()

    def add_files(self, paths: Sequence[Path]) -> None:
        """Add photos, and all photos of folders."""
        files = [file for path in paths for file in (sorted(photo_files(path)) if path.is_dir() else [path])]
        if files:
            self._add([partial(self._library.add, file) for file in files])
        elif paths:
            message = Text("There are no photos in {}.", paths[0])
            self.problem.emit(message, Text("Drop photos, or a folder with some."))

    def paste(self) -> None:
        """Add the picture or the picture files in the clipboard."""
        hint = Text("Copy a picture or a picture file, then paste it here.")
        mime = QGuiApplication.clipboard().mimeData() or QMimeData()
        self._take(mime, Text("There is no picture in the clipboard."), hint)

    def take_dropped(self, mime: QMimeData) -> None:
        """Add dropped files and pictures."""
        self._take(mime, Text("That isn't a picture."), Text("Drop photos, or a folder of photos."))

    def _take(self, mime: QMimeData, problem: Text, hint: Text) -> None:
        """Add the pictures in ``mime``; report ``problem`` if it holds none."""
        files = local_files(mime)
        if files:
            self.add_files(files)
        elif mime.hasImage():
            self._add([partial(add_image, self._library, QImage(mime.imageData()), self.tr("Pasted photo"))])
        elif mime.hasUrls():
            message = Text("Only pictures on this computer can be added.")
            self.problem.emit(message, Text("Save the picture first, then drop the file here."))
        else:
            self.problem.emit(problem, hint)

    def _add(self, works: Sequence[Callable[[], Entry]]) -> None:
        self._background.run(partial(add_all, works, self._face_fit.face), self._report, self._failed)

    def _report(self, added: Added) -> None:
        entries, errors = added.entries, added.errors
        self.added.emit(entries, len(entries) == 1 and not errors)
        if len(errors) == 1:
            self._failed(errors[0])
        elif errors:
            message = Text("{} photos could not be added. The first: {}", len(errors), errors[0].message)
            self.problem.emit(message, errors[0].hint)
        elif not added.face:
            message = Text("No face was found in {}.", entries[-1].name)
            hint = Text("Use a photo that shows the face from the front, or crop this one by hand.")
            self.problem.emit(message, hint)

    def _failed(self, error: AvatarError) -> None:
        self.problem.emit(error.message, error.hint)
