"""The window: gallery, camera and output, calibration, controls; it polls the session and shows how things are."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable

from PySide6.QtCore import QByteArray, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMainWindow, QMenu, QPushButton, QSplitter, QVBoxLayout, QWidget

from avatar_app.gui.actions import WindowActions
from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.front import bring_to_front
from avatar_app.gui.gallery.gallery import Gallery
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.language.texts import reason_text, short_reason
from avatar_app.gui.live import Live
from avatar_app.gui.panels.calibration import CalibrationPanel
from avatar_app.gui.panels.controls import ControlsPanel
from avatar_app.gui.panels.notices import NoticeBar
from avatar_app.gui.panels.preview import CameraView, OutputView, Shown
from avatar_app.gui.panels.previews import PreviewFrame, PreviewPair, Stage
from avatar_app.gui.panels.status_line import StatusLine
from avatar_app.gui.preferences import Preferences
from avatar_app.gui.settings import from_controls
from avatar_app.gui.shortcuts import Shortcuts, focus_by_tab_alone, key_text
from avatar_app.gui.style.icons import app_icon, icon
from avatar_app.gui.style.theme import current
from avatar_app.gui.style.widgets import card, label
from avatar_app.photos.library import Entry, Library
from avatar_app.session.controls import Notice, Status

PICTURE_MS, STATUS_MS = 16, 250
FLASH_STEP = 0.05
NARROW = 1120
"""Below this width the settings panel starts hidden: pictures matter more."""
STATE_VERSION = b"1"
MENUS = {
    "&Avatar": (
        *("add-photo", "paste-photo", "reload-avatars", ""),
        *("previous-avatar", "next-avatar", "random-avatar", "", "preferences", "quit"),
    ),
    "&Call": (
        "calibrate",
        "find-best",
        "pause",
        "",
        "mirror-output",
        "record",
        "snapshot",
        "",
        "pass-through",
    ),
    "&View": (
        "ghost",
        "landmarks",
        "help-box",
        "statistics",
        "mirror-preview",
        "",
        "reset-view",
        "",
        "show-panel",
    ),
    "&Help": ("guide", "keys", "doctor"),
}


class MainWindow(QMainWindow):
    """What people see. Everything slow happens elsewhere: ``live`` never waits, devices are listed by ``devices``.

    ``ended`` tells that the window is closed for good.
    """

    ended = Signal()
    settings_asked = Signal()
    refreshed = Signal()

    def __init__(self, live: Live, library: Library, preferences: Preferences, devices: DeviceLists) -> None:
        super().__init__()
        self.live, self.library, self.preferences, self.devices = live, library, preferences, devices
        self.status = Status()
        self._flash = 0.0
        self.setWindowTitle(self.tr("Avatar"))
        self.setWindowIcon(app_icon())
        self.setMinimumSize(720, 520)
        self.gallery = Gallery(library)
        self.notices = NoticeBar()
        self.camera, self.output = CameraView(), OutputView()
        self.panel = ControlsPanel(live, devices, preferences)
        self.calibration = CalibrationPanel()
        self.line = StatusLine()
        self.setStatusBar(self.line)
        self.buttons: dict[str, QPushButton] = {}
        self._build()
        self.actions_ = WindowActions(self, live, preferences, self.gallery, self._own_actions())
        self.shortcuts = Shortcuts(self, self.actions_.do, preferences.now.keys)
        self.menus: list[QMenu] = []
        self._build_menus()
        focus_by_tab_alone(self)
        self._connect()
        self._restore()
        self.draw_icons()
        self.apply_preferences()
        self.refresh()

    def _build(self) -> None:
        camera = PreviewFrame(
            self.camera,
            self.tr("You"),
            self.tr("Your camera, on this screen alone. Click on a face to follow it."),
        )
        output = PreviewFrame(self.output, self.tr("What the call gets"), self.tr("Exactly what is sent"))
        self.pair = PreviewPair(camera, output)
        stage = Stage(self.pair, self._button_bar(), self.calibration)
        left = card()
        left.setMinimumWidth(150)
        inside = QVBoxLayout(left)
        inside.setContentsMargins(8, 10, 8, 8)
        self.gallery_title = label(self.tr("Avatars"), "heading")
        inside.addWidget(self.gallery_title)
        inside.addWidget(self.gallery, 1)
        self.side = card()
        around = QVBoxLayout(self.side)
        around.setContentsMargins(2, 2, 2, 2)
        around.addWidget(self.panel)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        for number, piece in enumerate((left, stage, self.side)):
            self.splitter.addWidget(piece)
            self.splitter.setCollapsible(number, False)
            self.splitter.setStretchFactor(number, 1 if number == 1 else 0)
        self.splitter.setHandleWidth(12)
        self.splitter.setSizes([150, 800, 290])
        central = QWidget()
        outer = QVBoxLayout(central)
        outer.setContentsMargins(12, 8, 12, 4)
        outer.setSpacing(8)
        outer.addWidget(self.notices)
        outer.addWidget(self.splitter, 1)
        self.setCentralWidget(central)

    def _button_bar(self) -> QWidget:
        whole = QWidget()
        bar = QHBoxLayout(whole)
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(7)
        bar.addWidget(self._button("pause", self.tr("Pause"), "pause", checkable=True))
        bar.addWidget(self._button("record", self.tr("Record"), "record", checkable=True))
        bar.addWidget(self._button("snapshot", self.tr("Snapshot"), "snapshot"))
        bar.addStretch(1)
        bar.addWidget(self._button("show-panel", self.tr("Settings"), "sliders", checkable=True))
        return whole

    def _button(self, action: str, text: str, sign: str, checkable: bool = False) -> QPushButton:
        made = QPushButton(text)
        made.setCheckable(checkable)
        made.setProperty("sign", sign)
        made.clicked.connect(lambda: self.actions_.do(action))
        self.buttons[action] = made
        return made

    def _build_menus(self) -> None:
        bar = self.menuBar()
        bar.clear()
        texts = {
            "&Avatar": self.tr("&Avatar"),
            "&Call": self.tr("&Call"),
            "&View": self.tr("&View"),
            "&Help": self.tr("&Help"),
        }
        self.menus = []
        for title, names in MENUS.items():
            menu = bar.addMenu(texts[title])
            self.menus.append(menu)
            for name in names:
                if name:
                    menu.addAction(self.shortcuts.actions[name])
                else:
                    menu.addSeparator()

    def _own_actions(self) -> dict[str, Callable[[], object]]:
        return {
            "show-panel": self.toggle_panel,
            "preferences": self.open_preferences,
            "guide": self.open_guide,
            "keys": self.open_keys,
            "doctor": self.open_doctor,
            "show": self.come_forward,
            "quit": self.quit,
            "choose-camera": lambda: self.reveal("camera"),
            "choose-output": lambda: self.reveal("output"),
            "choose-model": lambda: self.reveal("model"),
            "choose-avatar": self.focus_gallery,
        }

    def _connect(self) -> None:
        self.actions_.done.connect(self.refresh)
        self.actions_.said.connect(self.line.say)
        self.actions_.failed.connect(self.notices.tell)
        self.gallery.chosen.connect(self._use)
        self.gallery.take_drops_on(self)
        self.gallery.problem.connect(
            lambda message, hint: self.notices.tell(Notice("gallery", "warning", message, hint))
        )
        self.calibration.asked.connect(self.actions_.do)
        self.camera.face_asked.connect(self.live.follow_face)
        self.notices.acted.connect(self.actions_.heed_notice)
        self.preferences.changed.connect(self.apply_preferences)
        self.preferences.problem.connect(self._tell_of_settings)
        self._pictures = QTimer(self, interval=PICTURE_MS)
        self._pictures.timeout.connect(self.poll_pictures)
        self._pictures.start()
        self._statuses = QTimer(self, interval=STATUS_MS)
        self._statuses.timeout.connect(self.refresh)
        self._statuses.start()

    # What is polled.

    def poll_pictures(self) -> None:
        """Show the newest pictures. Those that came while the window was busy are never seen."""
        if not self.isVisible() or self.isMinimized():
            return
        self.camera.show_seen(self.live.seen())
        self.output.show_picture(self.live.shown(), self.status.shows == "self")
        self.pair.follow_pictures()
        if self._flash > 0:
            self._flash = max(0.0, self._flash - FLASH_STEP)
            self.camera.flash = self._flash
            self.camera.update()

    def refresh(self) -> None:
        """Show how things are."""
        status, controls = self.live.status(), self.live.controls
        if status.found > self.status.found:
            self._flash = 1.0
        self.status = status
        self.notices.show_notices(status.notices)
        self.calibration.find_best.setChecked(controls.seeking)
        self.calibration.show_status(status)
        self.line.show_status(status)
        self.panel.show_controls()
        self.camera.statistics = status.statistics
        portrait = self.live.portrait()
        self.camera.show_portrait(portrait)
        self.calibration.show_portrait(portrait)
        self.shortcuts.check("pause", controls.paused)
        self.shortcuts.check("find-best", controls.seeking)
        self.shortcuts.check("mirror-output", controls.mirror_output)
        self.shortcuts.check("record", controls.recording is not None)
        self.shortcuts.check("show-panel", not self.side.isHidden())
        self._show_buttons(controls.paused, controls.recording is not None)
        self._describe(status)
        self.preferences.put(from_controls(self.preferences.now, controls, self.library))
        self.refreshed.emit()

    def _show_buttons(self, paused: bool, recording: bool) -> None:
        keys = self.preferences.now.keys
        texts = {
            "pause": self.tr("Go on") if paused else self.tr("Pause"),
            "record": self.tr("Stop recording") if recording else self.tr("Record"),
        }
        for name, on in (("pause", paused), ("record", recording), ("show-panel", not self.side.isHidden())):
            self.buttons[name].setChecked(on)
            if name in texts:
                key = key_text(name, keys).split(", ", maxsplit=1)[0]
                self.buttons[name].setText(f"{texts[name]}  ({key})" if key else texts[name])

    def _describe(self, status: Status) -> None:
        """Badges and lines of both pictures."""
        keys = self.preferences.now.keys
        camera, output = self.pair.camera, self.pair.output
        camera.caption.setText(status.camera or self.tr("No camera is open"))
        camera.badge.setVisible(bool(status.camera))
        camera.badge.say(
            self.tr("Face seen") if status.face else self.tr("No face"), "good" if status.face else "warning"
        )
        trouble = next((notice for notice in status.notices if notice.about == "camera"), None)
        self.camera.set_text(
            in_user_language(trouble.message) if trouble else self.tr("Waiting for the camera...")
        )
        if status.shows == "self":
            output.badge.say(self.tr("REAL FACE"), "bad")
            output.caption.setText(
                self.tr("Press {0} to hide your face again").format(key_text("pass-through", keys))
            )
        elif status.shows == "avatar":
            output.badge.say(self.tr("Live"), "good")
            output.caption.setText(
                status.output
                if status.output not in ("", "none")
                else self.tr("Preview only: choose an output to send it")
            )
        else:
            output.badge.say(short_reason(status.reason), "warning")
            output.caption.setText(
                reason_text(
                    status.reason, key_text("calibrate", keys), key_text("pause", keys).split(", ")[0]
                )
            )
        self.output.set_text(self.tr("Getting ready..."))

    # What the user chose for this screen.

    def apply_preferences(self) -> None:
        """Show what the settings say."""
        now = self.preferences.now
        self.camera.shown = Shown(
            now.show_landmarks,
            now.show_help_box,
            now.ghost_opacity if now.show_ghost else 0.0,
            now.show_statistics,
            now.mirror_preview,
        )
        self.camera.update()
        for name, on in (
            ("landmarks", now.show_landmarks),
            ("ghost", now.show_ghost),
            ("help-box", now.show_help_box),
            ("statistics", now.show_statistics),
            ("mirror-preview", now.mirror_preview),
        ):
            self.shortcuts.check(name, on)
        self.calibration.ghost.setChecked(now.show_ghost)
        self.calibration.set_keys(*(key_text(name, now.keys) for name in ("calibrate", "find-best", "ghost")))
        self.shortcuts.set_keys(now.keys)
        for name in ("snapshot", "show-panel"):
            self.buttons[name].setToolTip(key_text(name, now.keys))

    def draw_icons(self) -> None:
        """Draw them in the colours of the theme."""
        for button in self.buttons.values():
            button.setIcon(icon(button.property("sign")))
        self.buttons["record"].setIcon(icon("record", current(self).bad))
        self.panel.draw_icons()
        self.calibration.draw_icons()
        self.notices.draw_again()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "shortcuts"):
            self.draw_icons()
        super().changeEvent(event)

    def _use(self, entry: Entry) -> None:
        self.live.change(avatar=entry.path, avatar_box=entry.box)
        self.refresh()

    def _tell_of_settings(self, message: str, hint: str) -> None:
        if message:
            self.notices.tell(Notice("settings", "warning", message, hint))
        else:
            self.notices.untell("settings")

    # What actions ask of the window.

    def toggle_panel(self) -> None:
        self.side.setVisible(self.side.isHidden())

    def reveal(self, section: str) -> None:
        """Show a section of the settings panel."""
        self.side.show()
        self.panel.reveal(section)

    def focus_gallery(self) -> None:
        self.gallery.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def come_forward(self) -> None:
        """Show the window above others, with the focus."""
        bring_to_front(self)

    def open_preferences(self) -> None:
        self.settings_asked.emit()

    def open_guide(self) -> None:
        from avatar_app.gui.panels.first_run import FirstRun

        guide = FirstRun(self.live, self.library, self.preferences, self.devices, self)
        guide.chosen.connect(self.gallery.select)
        guide.open()

    def open_keys(self) -> None:
        from avatar_app.gui.dialogs.keys import KeysDialog

        KeysDialog(self.preferences.now.keys, self.preferences.now.hotkeys, self).open()

    def open_doctor(self) -> None:
        from avatar_app.gui.dialogs.doctor import DoctorDialog

        controls = self.live.controls
        DoctorDialog(self, model=controls.model, device=controls.device).open()

    def quit(self) -> None:
        self.close()

    # From one start to the next.

    def _restore(self) -> None:
        now = self.preferences.now
        self.resize(1280, 800)
        geometry, state = _unpack(now.window_geometry), _unpack(now.window_state)
        if geometry:
            self.restoreGeometry(QByteArray(geometry))
        if state[:1] == STATE_VERSION:
            self.side.setHidden(state[1:2] == b"0")
            self.splitter.restoreState(QByteArray(state[2:]))
        else:
            self.side.setHidden(self.width() < NARROW)

    def _remember(self) -> None:
        state = (
            STATE_VERSION + (b"0" if self.side.isHidden() else b"1") + bytes(self.splitter.saveState().data())
        )
        self.preferences.change(
            window_geometry=_pack(bytes(self.saveGeometry().data())), window_state=_pack(state)
        )

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.notices.set_room(event.size().height())
        super().resizeEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """The app ends with its window, with a tray too: nobody's camera stays on out of sight."""
        self._remember()
        self._pictures.stop()
        self._statuses.stop()
        self.preferences.save()
        event.accept()
        self.ended.emit()


def _pack(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unpack(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
