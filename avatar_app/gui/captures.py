"""Record and take photos of what others see, and report where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, QUrl
from PySide6.QtGui import QDesktopServices

from avatar_app.errors import AvatarError
from avatar_app.files import new_file
from avatar_app.gui.live import Live
from avatar_app.gui.preferences import Preferences
from avatar_app.session.controls import Notice


def home_of(kind: QStandardPaths.StandardLocation) -> Path:
    """Return the user's folder for videos or pictures; their home if there is none."""
    folder = Path(QStandardPaths.writableLocation(kind))
    return folder if folder.is_dir() else Path.home()


class Captures(QObject):
    """Starts and ends recordings, takes photos.

    Args:
        say: called with what was done, and actions for it: label -> function.
        notify: called with a failure.
    """

    def __init__(
        self,
        parent: QObject,
        live: Live,
        preferences: Preferences,
        say: Callable[[str, dict[str, Callable[[], object]]], object],
        notify: Callable[[Notice], object],
    ) -> None:
        super().__init__(parent)
        self._live, self._preferences, self._say, self._notify = live, preferences, say, notify

    def toggle_recording(self) -> None:
        """Start a recording, or end the running one."""
        path = self._live.controls.recording
        if path is None:
            self._live.change(recording=new_file(self._folder(VIDEOS), ".mp4"))
            return
        self._live.change(recording=None)
        self._say_saved(self._live.status().recording or path)

    def take_photo(self) -> None:
        path = new_file(self._folder(PICTURES), ".png")
        try:
            self._live.snapshot(path)
        except AvatarError as error:
            self._notify(Notice("snapshot", "warning", error.message, error.hint))
            return
        self._say_saved(path)

    def _folder(self, kind: QStandardPaths.StandardLocation) -> Path:
        chosen = self._preferences.now.save_folder
        return Path(chosen) if chosen and Path(chosen).is_dir() else home_of(kind)

    def _say_saved(self, path: Path) -> None:
        self._say(
            self.tr("Saved {0}").format(path.name),
            {
                self.tr("Open"): lambda: show_file(path),
                self.tr("Show in folder"): lambda: show_file(path.parent),
            },
        )


VIDEOS = QStandardPaths.StandardLocation.MoviesLocation
PICTURES = QStandardPaths.StandardLocation.PicturesLocation


def show_file(path: Path) -> None:
    """Open a file or folder with the desktop's program for it."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
