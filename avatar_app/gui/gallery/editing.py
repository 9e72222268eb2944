"""Edit the library: crop, remove with undo, restore."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from avatar_app.errors import AvatarError
from avatar_app.gui.background import Background
from avatar_app.gui.dialogs.crop_editor import CropEditor
from avatar_app.gui.dialogs.face_fit import FaceFit
from avatar_app.media.photo import read_portrait, turned
from avatar_app.photos.library import Entry, Library, Removed
from avatar_app.types import Box, Image


class Undo(NamedTuple):
    """A removal that can be undone."""

    removed: Removed
    was_chosen: bool


class Editing(QObject):
    """Edits the library; emits ``changed`` after each change.

    ``recropped`` carries the entry with its new crop, ``restored`` one that came back.
    """

    changed = Signal()
    recropped = Signal(object)
    restored = Signal(object, bool)
    problem = Signal(object, object)
    """Message and hint, both `Text`."""

    def __init__(self, library: Library, face_fit: FaceFit, window: QWidget) -> None:
        super().__init__(window)
        self._library, self._face_fit, self._window = library, face_fit, window
        self._background = Background(self)
        self._last: Undo | None = None
        self.stop = self._background.stop

    def crop(self, entry: Entry) -> None:
        """Open the crop editor for a photo."""
        self._background.run(
            partial(self._upright, entry), lambda found: self._open_editor(entry, *found), self._failed
        )

    def _upright(self, entry: Entry) -> tuple[Image, int]:
        """Return the photo in its current rotation, and the quarter turns.

        Slow. Raises AvatarError.
        """
        image, turn = read_portrait(entry.path), entry.turn
        if turn is None:
            found = None if entry.box else self._face_fit.face(image)
            turn = found[0] if found else 0
        return turned(image, turn), turn

    def _open_editor(self, entry: Entry, image: Image, turn: int) -> None:
        editor = CropEditor(image, entry.box, self._face_fit, self._window, turn)
        editor.setWindowTitle(self.tr("Crop {name}").format(name=entry.name))
        editor.accepted.connect(lambda: self._set_box(entry, editor.box(), editor.turn))
        editor.finished.connect(editor.deleteLater)
        editor.open()

    def _set_box(self, entry: Entry, box: Box, turn: int) -> None:
        if self.tried(partial(self._library.set_box, entry, box, turn)):
            self.recropped.emit(self._library.find(entry.path.name))

    def remove(self, entry: Entry, was_chosen: bool) -> bool:
        """Remove a photo at once; ``undo`` brings it back.

        Returns False if that failed.
        """
        try:
            removed = self._library.remove(entry)
        except AvatarError as error:
            self._failed(error)
            return False
        self._last = Undo(removed, was_chosen)
        self.changed.emit()
        return True

    def undo(self) -> None:
        """Restore the photo that was removed last."""
        last, self._last = self._last, None
        if last is not None and self.tried(partial(self._library.restore, last.removed)):
            entry = self._library.find(last.removed.entry.path.name)
            self.restored.emit(entry, last.was_chosen)

    def restore_bundled(self) -> None:
        """Show the app's own photos again."""
        self.tried(self._library.restore_bundled)

    def tried(self, change: Callable[[], object]) -> bool:
        """Change the library; report a failure."""
        try:
            change()
        except AvatarError as error:
            self._failed(error)
            return False
        finally:
            self.changed.emit()
        return True

    def _failed(self, error: AvatarError) -> None:
        self.problem.emit(error.message, error.hint)
