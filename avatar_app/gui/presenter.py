"""Poll the session and show its state in the window."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QMainWindow

from avatar_app.gui.headline import headline
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.live import Live
from avatar_app.gui.panels.camera_view import Shown
from avatar_app.gui.panels.picture_area import PictureArea
from avatar_app.gui.panels.preview import PictureView
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.settings import from_controls
from avatar_app.gui.shortcuts import SWITCHES, Shortcuts, key_text
from avatar_app.gui.window_view import WindowView
from avatar_app.photos.library import Library
from avatar_app.session.controls import Controls, Status

PICTURE_MS, STATUS_MS = 16, 250
FLASH_STEP = 0.05
KEYED = ("pause", "record", "snapshot", "full-screen")
"""Buttons of the tool bar that have a key."""
INSET_EVERY, INSET_LATEST = 2, 6
"""The inset is drawn with every second large picture, because the picture below is drawn again too; or after
this many ticks.
"""


class Presenter(QObject):
    """Reads the session and the preferences, updates the current view.

    Attributes:
        status: the status that was shown last.
    """

    refreshed = Signal()

    def __init__(
        self,
        window: QMainWindow,
        live: Live,
        library: Library,
        preferences: Preferences,
        shortcuts: Shortcuts,
        view: Callable[[], WindowView],
    ) -> None:
        super().__init__(window)
        self._window, self._live, self._library = window, live, library
        self._preferences, self._shortcuts, self._view = preferences, shortcuts, view
        self.status = Status()
        self._flash = 0.0
        self._ticks = self._drawn = 0
        self._pictures = QTimer(self, interval=PICTURE_MS)
        self._pictures.timeout.connect(self.poll_pictures)
        self._statuses = QTimer(self, interval=STATUS_MS)
        self._statuses.timeout.connect(self.refresh)

    def start(self) -> None:
        self._pictures.start()
        self._statuses.start()

    def stop(self) -> None:
        self._pictures.stop()
        self._statuses.stop()

    def poll_pictures(self) -> None:
        """Show the newest pictures.

        Those that arrived while the window was busy are skipped.
        """
        if self._is_out_of_sight():
            return
        view = self._view()
        area, before = view.area, view.area.large.source_size
        shown = area.large.image
        self._draw(area, area.large)
        self._ticks += 1
        self._drawn += area.large.image is not shown
        if self._drawn >= INSET_EVERY or self._ticks >= INSET_LATEST or area.inset.image is None:
            self._drawn = self._ticks = 0
            self._draw(area, area.inset)
        if area.large.source_size != before:
            view.arrange()
        if self._flash > 0:
            self._flash = max(0.0, self._flash - FLASH_STEP)
            area.camera.flash = self._flash
            area.camera.update()

    def _draw(self, area: PictureArea, view: PictureView) -> None:
        if view is area.camera:
            area.camera.show_seen(self._live.seen())
        else:
            area.output.show_picture(self._live.shown(), self.status.shows)

    def _is_out_of_sight(self) -> bool:
        return not self._window.isVisible() or self._window.isMinimized()

    def refresh(self) -> None:
        """Show the current status."""
        away = self._is_out_of_sight()
        self._pictures.setInterval(STATUS_MS if away else PICTURE_MS)
        begun = self._statuses.isActive()  # the window has not been shown before
        may_rest = away and begun and self._preferences.now.rest
        if may_rest != self._live.controls.may_rest:
            self._live.change(may_rest=may_rest)
        status, controls, view = self._live.status(), self._live.controls, self._view()
        if away and status.resting and self.status.resting:
            return  # nothing changes, and nobody looks
        if status.found > self.status.found:
            self._flash = 1.0
        self.status = status
        view.area.notices.show_notices(status.notices)
        view.area.calibration.find_best.setChecked(controls.seeking)
        view.area.show_status(status)
        view.header.show_status(status)
        view.gallery.show_used(status.avatar)
        view.panel.show_controls()
        view.panel.model.show_other(status.other)
        portrait = self._live.portrait()
        view.area.camera.show_portrait(portrait)
        view.area.calibration.show_portrait(portrait)
        view.tools.show_state(controls.paused, controls.recording is not None)
        view.header.settings.setChecked(view.drawer_open)
        self._check(controls)
        self._say(status, controls)
        self.show_overlays()
        self._preferences.put(from_controls(self._preferences.now, controls, self._library))
        self.refreshed.emit()

    def _check(self, controls: Controls) -> None:
        now, view = self._preferences.now, self._view()
        states = {
            "pause": controls.paused,
            "find-best": controls.seeking,
            "mirror-output": controls.mirror_output,
            "record": controls.recording is not None,
            "hold": controls.hold,
            "show-panel": view.drawer_open,
            "full-screen": view.full_screen,
            "landmarks": now.show_landmarks,
            "ghost": now.show_ghost,
            "help-box": now.show_help_box,
            "statistics": now.show_statistics,
            "mirror-preview": now.mirror_preview,
        }
        assert states.keys() == SWITCHES, "each switch shows a state"
        for name, on in states.items():
            self._shortcuts.check(name, on)

    def _say(self, status: Status, controls: Controls) -> None:
        """Show the headline, and the text without a picture."""
        view = self._view()
        area, now = view.area, headline(status, controls)
        view.header.show_headline(now)
        self._window.setWindowTitle(f"{now.text} — Avatar")
        trouble = next((notice for notice in status.notices if notice.about == "camera"), None)
        area.camera.set_text(
            in_user_language(trouble.message) if trouble else self.tr("Waiting for the camera...")
        )
        area.output.set_text(self.tr("Getting ready..."))

    def show_overlays(self) -> None:
        """Update the drawings over both pictures.

        The photo's ghost only while it helps.
        """
        now, status, area = self._preferences.now, self.status, self._view().area
        helps = area.calibration.is_needed(status)
        shown = Shown(
            landmarks=now.show_landmarks,
            box=now.show_help_box and helps,
            ghost=now.ghost_opacity if now.show_ghost and helps else 0.0,
            statistics=now.show_statistics,
            mirrored=now.mirror_preview,
        )
        if shown != area.camera.shown:
            area.camera.shown = shown
            area.camera.update()
        area.output.mirrored = now.mirror_preview
        area.calibration.ghost.setChecked(now.show_ghost)

    def show_keys(self) -> None:
        """Show the keys that the user has chosen."""
        view, chosen = self._view(), self._preferences.now.keys
        names = ("calibrate", "find-best", "ghost")
        view.area.calibration.set_keys(*(key_text(name, chosen) for name in names))
        self._shortcuts.set_keys(chosen)
        view.tools.show_keys({name: key_text(name, chosen).split(", ", maxsplit=1)[0] for name in KEYED})
