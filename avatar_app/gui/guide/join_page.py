"""The last page of the guide: bring the avatar into a call."""

from __future__ import annotations

import shutil
import subprocess
import sys

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton

from avatar_app.errors import AvatarError, OutputError
from avatar_app.gui.background import Background
from avatar_app.gui.device_lists import DeviceLists
from avatar_app.gui.guide.pages import Page
from avatar_app.gui.headline import is_sent, output_title
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.live import Live
from avatar_app.gui.panels.choosers import OutputChooser
from avatar_app.gui.style.icons import pixmap
from avatar_app.gui.style.theme import current
from avatar_app.gui.style.widgets import STRETCH, fill, label
from avatar_app.text import Text

OBS = "https://obsproject.com/download"
DONE, REFUSED = 0, (126, 127)
"""Exit codes of pkexec: done; the user has refused."""


class JoinPage(Page):
    """Shows whether other programs can use the avatar, and helps if not."""

    def __init__(self, live: Live, devices: DeviceLists) -> None:
        super().__init__(
            self.tr("Join the call"),
            self.tr("Your call needs only one change: there, choose the avatar's camera instead of yours."),
        )
        self._live, self._devices = live, devices
        self._background = Background(self)
        self._script = ""
        self._by_itself = False
        self._sign: tuple[str, str] | None = None
        self.mark = label()
        self.state = label("", "heading", wrap=True)
        self.hint = label("", "muted", wrap=True)
        self.set_up = QPushButton(self.tr("Set up the virtual camera"))
        self.set_up.setProperty("role", "primary")
        self.copy = QPushButton(self.tr("Copy the command"))
        self.output = OutputChooser(live, devices)
        self.output.may_fix = False
        self.output.fix.hide()
        self.output.note.setMaximumHeight(0)
        self._build()
        self.set_up.clicked.connect(self._set_up)
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._script))
        devices.changed.connect(self._take_devices)
        self._take_devices()

    def _build(self) -> None:
        box = QFrame()
        box.setProperty("role", "panel")
        grid = QGridLayout(box)
        grid.setContentsMargins(14, 12, 14, 12)
        grid.setHorizontalSpacing(12)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.mark, 0, 0)
        grid.addWidget(self.state, 0, 1)
        grid.addWidget(self.hint, 1, 1)
        buttons = fill(QHBoxLayout(), self.set_up, self.copy, STRETCH)
        grid.addLayout(buttons, 2, 1)
        grid.addWidget(self.output, 3, 1)
        self.column.addWidget(box)
        self.column.addWidget(label(self.tr("Where to choose it"), "heading"))
        places = QFrame()
        places.setProperty("role", "panel")
        rows = QGridLayout(places)
        rows.setContentsMargins(14, 10, 14, 10)
        rows.setVerticalSpacing(7)
        rows.setHorizontalSpacing(18)
        rows.setColumnStretch(1, 1)
        for number, (name, place) in enumerate(self._places().items()):
            rows.addWidget(label(name, "heading"), number, 0)
            rows.addWidget(label(place, "", wrap=True), number, 1)
        self.column.addWidget(places)
        self.column.addStretch(1)

    def _places(self) -> dict[str, str]:
        return {
            "Zoom": self.tr("The arrow beside “Stop Video”, then the camera"),
            "Teams": self.tr("Before the call: the gear beside the camera. In it: More, Settings, Video"),
            "Google Meet": self.tr("The three dots, Settings, Video, Camera"),
            "Discord": self.tr("User Settings, Voice & Video, Camera"),
            "OBS Studio": self.tr("Sources, +, Video Capture Device, Device"),
        }

    def _take_devices(self) -> None:
        """Show what has to be set up, once the devices are listed."""
        from avatar_app.outputs.virtual_cameras import setup_script

        self._script = setup_script()
        self._by_itself = bool(self._script) and shutil.which("pkexec") is not None
        self.show_now()

    def show_now(self) -> None:
        status, controls, found = self._live.status(), self._live.controls, self._devices.found
        ready = is_sent(status, controls)
        self._show_mark(ready)
        trouble = next((notice for notice in status.notices if notice.about == "output"), None)
        if ready:
            name = output_title(status.output)
            text, hint = self.tr("Ready: choose “{0}” as the camera in your call.").format(name), ""
        elif trouble is not None:
            text, hint = in_user_language(trouble.message), in_user_language(trouble.hint)
        elif found is None:
            text, hint = self.tr("Looking for virtual cameras..."), ""
        elif found.virtual_problem and found.pipewire_problem:
            text, _, hint = in_user_language(found.virtual_problem).partition("\n")
        else:
            text, hint = self.tr("Preview only: choose where the picture goes."), ""
        self.state.setText(text)
        self.hint.setText(hint)
        self.hint.setVisible(bool(hint))
        self._show_help(ready)

    def _show_mark(self, ready: bool) -> None:
        theme = current(self)
        sign = ("good", theme.good) if ready else ("warning", theme.warning)
        if sign != self._sign:  # a new pixmap lays the page out again
            self._sign = sign
            self.mark.setPixmap(pixmap(*sign, 44, 2))

    def _show_help(self, ready: bool) -> None:
        elsewhere = not sys.platform.startswith("linux")
        lacking = bool(self._devices.found and self._devices.found.virtual_problem)
        self.set_up.setVisible(not ready and lacking and (self._by_itself or elsewhere))
        self.copy.setVisible(not ready and lacking and bool(self._script) and not elsewhere)
        if self.output.choice.currentData() != self._live.controls.output:
            self.output.show_now()

    def _set_up(self) -> None:
        """Set up a virtual camera: with the administrator's consent on Linux.

        On other systems OBS Studio brings it.
        """
        if not self._script:
            QDesktopServices.openUrl(QUrl(OBS))
            return
        self.set_up.setEnabled(False)
        self._background.run(lambda: run_as_root(self._script), self._is_set_up, self._failed)

    def _is_set_up(self, _: object) -> None:
        self.set_up.setEnabled(True)
        self._live.change(output="virtual-camera")
        self._live.retry("output")
        self._devices.refresh()

    def _failed(self, error: AvatarError) -> None:
        self.set_up.setEnabled(True)
        self.state.setText(in_user_language(error.message))
        self.hint.setText(in_user_language(error.hint))


def run_as_root(script: str) -> None:
    """Run shell commands after the desktop has asked for the administrator's password.

    Raises OutputError.
    """
    done = subprocess.run(["pkexec", "sh", "-c", script], check=False, capture_output=True, text=True)
    if done.returncode == DONE:
        return
    if done.returncode in REFUSED:
        raise OutputError(
            Text("The setup was not allowed."), Text("Try again, or copy the command and run it yourself.")
        )
    last = (done.stderr.strip().splitlines() or [Text("no reason was given")])[-1]
    raise OutputError(
        Text("The virtual camera could not be set up: {}.", last),
        Text("Copy the command and run it in a terminal."),
    )
