"""Carry out the actions of ``shortcuts.ACTIONS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from avatar_app.gui.captures import Captures
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.live import Live
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.real_face import RealFace
from avatar_app.session.controls import CENTRED, ZOOM_STEP, expressed, zoomed

ZOOM_FINE = 0.02
PAN, PAN_FINE, PAN_MOST = 0.05, 0.01, 1.0
GHOST = 0.1
WAYS = {"up": ("pan_y", -1), "down": ("pan_y", 1), "left": ("pan_x", -1), "right": ("pan_x", 1)}
FLAGS = {
    "landmarks": "show_landmarks",
    "ghost": "show_ghost",
    "help-box": "show_help_box",
    "statistics": "show_statistics",
    "mirror-preview": "mirror_preview",
}
"""Actions that toggle a setting of this screen."""
OF_GALLERY = {
    "previous-avatar": "previous",
    "next-avatar": "next",
    "random-avatar": "random",
    "reload-avatars": "reload",
    "add-photo": "open_files",
    "paste-photo": "paste",
    "find-photo": "open_search",
    "undo": "undo",
}
"""Action -> method of ``Gallery``."""


class WindowActions(QObject):
    """Carries out the actions of keys, menu lines and buttons.

    It changes controls and settings; their display follows by itself.

    Args:
        window: parent of dialogs.
        gallery: returns the current one: it is replaced when the language changes.
        others: name -> action that only the window itself can do.

    ``done`` is emitted after each action, ``said`` with what was done and what can be done about it,
    ``failed`` with a ``Notice``.
    """

    done = Signal()
    said = Signal(str, object)
    failed = Signal(object)

    def __init__(
        self,
        window: QWidget,
        live: Live,
        preferences: Preferences,
        gallery: Callable[[], Gallery],
        others: Mapping[str, Callable[[], object]],
    ) -> None:
        super().__init__(window)
        self._live, self._preferences, self._gallery = live, preferences, gallery
        captures = Captures(self, live, preferences, self.said.emit, self.failed.emit)
        real_face = RealFace(window, live, self.done.emit)
        of_gallery = {action: partial(self._call_gallery, name) for action, name in OF_GALLERY.items()}
        self._plain: dict[str, Callable[[], object]] = {
            "calibrate": live.recalibrate,
            "find-best": lambda: live.change(seeking=not live.controls.seeking),
            "pause": lambda: live.change(paused=not live.controls.paused),
            "resume": lambda: live.change(paused=False),
            "pass-through": real_face.toggle,
            "ghost-less": lambda: self._ghost(-GHOST),
            "ghost-more": lambda: self._ghost(GHOST),
            "mirror-output": lambda: live.change(mirror_output=not live.controls.mirror_output),
            "reset-view": lambda: live.change(**CENTRED),
            "hold": lambda: live.change(hold=not live.controls.hold, preset=""),
            "record": captures.toggle_recording,
            "snapshot": captures.take_photo,
            "turn-camera": live.turn_camera,
            **of_gallery,
            **others,
        }

    def _call_gallery(self, name: str) -> None:
        getattr(self._gallery(), name)()

    def do(self, name: str) -> None:
        """Carry out the action of a key, a tray line or a notice's button."""
        kind, _, rest = name.partition("-")
        if name in self._plain:
            self._plain[name]()
        elif name in FLAGS:
            self._preferences.change(**{FLAGS[name]: not getattr(self._preferences.now, FLAGS[name])})
        elif kind == "avatar":
            self._gallery().choose_number(int(rest))
        elif kind == "express":
            self._live.change(**expressed(self._live.controls, rest, self._live.controls.hold))
        elif kind == "zoom":
            self.zoom(
                (ZOOM_FINE if rest.endswith("fine") else ZOOM_STEP) * (1 if rest.startswith("in") else -1)
            )
        elif kind == "pan":
            self._pan(rest)
        self.done.emit()

    def handle_notice(self, about: str, action: str) -> None:
        """Carry out the button of a banner."""
        if action == "retry":
            self._live.retry(about)
        else:
            self.do(action)

    def zoom(self, step: float) -> None:
        """Make the avatar larger (+) or smaller."""
        self._live.change(zoom=zoomed(self._live.controls, step))

    def pan(self, across: float, down: float) -> None:
        """Move the avatar by fractions of the picture's width and height."""
        now = self._live.controls
        moved = {"pan_x": now.pan_x + across, "pan_y": now.pan_y + down}
        self._live.change(
            **{name: round(min(max(value, -PAN_MOST), PAN_MOST), 4) for name, value in moved.items()}
        )

    def _pan(self, way: str) -> None:
        name, sign = WAYS[way.removesuffix("-fine")]
        step = sign * (PAN_FINE if way.endswith("fine") else PAN)
        self.pan(step if name == "pan_x" else 0.0, step if name == "pan_y" else 0.0)

    def _ghost(self, step: float) -> None:
        opacity = round(min(max(self._preferences.now.ghost_opacity + step, 0.0), 1.0), 2)
        self._preferences.change(ghost_opacity=opacity, show_ghost=opacity > 0)
