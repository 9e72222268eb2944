"""What the actions of ``shortcuts.ACTIONS`` do."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from avatar_app.errors import AvatarError
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.live import Live
from avatar_app.gui.preferences import Preferences
from avatar_app.session.controls import Notice

ZOOM, ZOOM_FINE = 0.1, 0.02
PAN, PAN_FINE = 0.05, 0.01
GHOST = 0.1
WAYS = {"up": ("pan_y", -1), "down": ("pan_y", 1), "left": ("pan_x", -1), "right": ("pan_x", 1)}
FLAGS = {
    "landmarks": "show_landmarks",
    "ghost": "show_ghost",
    "help-box": "show_help_box",
    "statistics": "show_statistics",
    "mirror-preview": "mirror_preview",
}
"""Actions that turn a setting of this screen on or off."""


def home_of(kind: QStandardPaths.StandardLocation) -> Path:
    """The user's folder for videos or pictures; their home where there is none."""
    folder = Path(QStandardPaths.writableLocation(kind))
    return folder if folder.is_dir() else Path.home()


def new_file(folder: Path, ending: str) -> Path:
    """A name with the time in it that no file has yet."""
    name = time.strftime("Avatar %Y-%m-%d %H.%M.%S")
    path = folder / f"{name}{ending}"
    number = 2
    while path.exists():
        path = folder / f"{name} ({number}){ending}"
        number += 1
    return path


class WindowActions(QObject):
    """Do what a key, a menu line or a button asks for. It changes controls and settings; what they show follows by itself.

    Args:
        window: parent of the questions that are asked.
        others: name -> what only the window itself can do.

    ``done`` is emitted after each action, ``said`` with what was just done, ``failed`` with a ``Notice``.
    """

    done = Signal()
    said = Signal(str)
    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        live: Live,
        preferences: Preferences,
        gallery: Gallery,
        others: Mapping[str, Callable[[], object]],
    ) -> None:
        super().__init__(window)
        self._window, self._live, self._preferences, self._gallery = window, live, preferences, gallery
        self._plain: dict[str, Callable[[], object]] = {
            "calibrate": live.recalibrate,
            "find-best": lambda: live.change(seeking=not live.controls.seeking),
            "pause": lambda: live.change(paused=not live.controls.paused),
            "resume": lambda: live.change(paused=False),
            "pass-through": self._pass_through,
            "previous-avatar": gallery.previous,
            "next-avatar": gallery.next,
            "random-avatar": gallery.random,
            "reload-avatars": gallery.reload,
            "add-photo": gallery.open_files,
            "paste-photo": gallery.paste,
            "ghost-less": lambda: self._ghost(-GHOST),
            "ghost-more": lambda: self._ghost(GHOST),
            "mirror-output": lambda: live.change(mirror_output=not live.controls.mirror_output),
            "reset-view": lambda: live.change(zoom=1.0, pan_x=0.0, pan_y=0.0),
            "record": self._record,
            "snapshot": self._snapshot,
            "turn-camera": live.turn_camera,
            **others,
        }

    def do(self, name: str) -> None:
        """Do what an action, a tray line or a notice's button is named."""
        kind, _, rest = name.partition("-")
        if name in self._plain:
            self._plain[name]()
        elif name in FLAGS:
            self._preferences.change(**{FLAGS[name]: not getattr(self._preferences.now, FLAGS[name])})
        elif kind == "avatar":
            self._gallery.choose_number(int(rest))
        elif kind == "zoom":
            self._zoom(rest)
        elif kind == "pan":
            self._pan(rest)
        self.done.emit()

    def heed_notice(self, about: str, action: str) -> None:
        """A button of a banner."""
        if action == "retry":
            self._live.retry(about)
        else:
            self.do(action)

    def _zoom(self, way: str) -> None:
        step = ZOOM_FINE if way.endswith("fine") else ZOOM
        zoom = self._live.controls.zoom + (step if way.startswith("in") else -step)
        self._live.change(zoom=round(min(max(zoom, 0.5), 2.0), 2))

    def _pan(self, way: str) -> None:
        name, sign = WAYS[way.removesuffix("-fine")]
        step = PAN_FINE if way.endswith("fine") else PAN
        self._live.change(
            **{name: round(min(max(getattr(self._live.controls, name) + sign * step, -1.0), 1.0), 2)}
        )

    def _ghost(self, step: float) -> None:
        opacity = round(min(max(self._preferences.now.ghost_opacity + step, 0.0), 1.0), 2)
        self._preferences.change(ghost_opacity=opacity, show_ghost=opacity > 0)

    def _pass_through(self) -> None:
        """On only after a question; off at once."""
        if self._live.controls.pass_through:
            self._live.change(pass_through=False)
            return
        question = QMessageBox(self._window)
        question.setObjectName("pass-through")
        question.setIcon(QMessageBox.Icon.Warning)
        question.setWindowTitle(self.tr("Show my real face"))
        question.setText(self.tr("Show the call your real face?"))
        question.setInformativeText(
            self.tr(
                "The call then gets your camera's picture instead of the avatar, "
                "until you press the key again, pause, choose an avatar or end the app."
            )
        )
        yes = question.addButton(self.tr("Show my face"), QMessageBox.ButtonRole.DestructiveRole)
        no = question.addButton(QMessageBox.StandardButton.Cancel)
        question.setDefaultButton(QMessageBox.StandardButton.Cancel)
        question.setEscapeButton(no)
        question.buttonClicked.connect(lambda button: self._confirmed(button is yes))
        question.finished.connect(question.deleteLater)
        question.open()

    def _confirmed(self, yes: bool) -> None:
        if yes and self._live.controls.paused:
            self._live.change(paused=False)  # a pause would keep the face hidden
        self._live.change(pass_through=yes)
        self.done.emit()

    def _record(self) -> None:
        if self._live.controls.recording is not None:
            path = self._live.controls.recording
            self._live.change(recording=None)
            self.said.emit(self.tr("Saved {0}").format(path))
            return
        self._live.change(recording=new_file(home_of(QStandardPaths.StandardLocation.MoviesLocation), ".mp4"))

    def _snapshot(self) -> None:
        path = new_file(home_of(QStandardPaths.StandardLocation.PicturesLocation), ".png")
        try:
            self._live.snapshot(path)
        except AvatarError as error:
            self.failed.emit(Notice("snapshot", "warning", error.message, error.hint))
            return
        self.said.emit(self.tr("Saved {0}").format(path))
