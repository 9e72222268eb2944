"""Choosers that are more than a list: camera, output and background."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QPushButton, QToolButton, QVBoxLayout, QWidget

from avatar_app.cameras.address import source_title
from avatar_app.gui.device_lists import DeviceLists, Found
from avatar_app.gui.language.messages import in_user_language
from avatar_app.gui.language.texts import output_name
from avatar_app.gui.live import Live
from avatar_app.gui.panels.background_menu import CHOICES, ask_colour, ask_picture, background_name
from avatar_app.gui.style.icons import icon
from avatar_app.gui.style.theme import restyle
from avatar_app.gui.style.widgets import ChoiceBox, fill, label, row, tip
from avatar_app.session.controls import OUTPUTS
from avatar_app.text import Text

ELSEWHERE = "elsewhere"
"""Value of entries that ask for a file, an address or a colour."""


def small_button(name: str, text: str) -> QToolButton:
    """Return a button that is only an icon."""
    made = QToolButton()
    made.setIcon(icon(name))
    made.setToolTip(tip(text))
    made.setAccessibleName(text)
    return made


class SourceChooser(QWidget):
    """Chooses the camera from a list, or a file or an address instead."""

    def __init__(self, live: Live, devices: DeviceLists, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._live, self._devices = live, devices
        self.choice = ChoiceBox(self.tr("Camera"))
        self.choice.setToolTip(self.tr("The camera that watches your face."))
        self.refresh = small_button("refresh", self.tr("Look for cameras again"))
        self.note = label("", "muted", wrap=True)
        fill(QVBoxLayout(self), row(self.choice, self.refresh), self.note, margins=0, spacing=5)
        self.choice.activated.connect(self._chosen)
        self.refresh.clicked.connect(self._look_again)
        devices.changed.connect(self.show_now)
        self.show_now()

    def show_now(self) -> None:
        """Fill the list with the available and the chosen cameras."""
        found, source = self._devices.found, self._live.controls.source
        self.choice.blockSignals(True)
        self.choice.clear()
        self.choice.add(self.tr("Default camera"), "")
        for name in found.cameras if found else ():
            self.choice.add(name, name)
        if source and self.choice.row_of(source) < 0:
            self.choice.add(_short(source), source)
        self.choice.insertSeparator(self.choice.count())
        self.choice.add(self.tr("Video file..."), f"{ELSEWHERE} file")
        self.choice.add(self.tr("Address (URL)..."), f"{ELSEWHERE} address")
        self.choice.blockSignals(False)
        self.choice.show_value(source)
        self.refresh.setEnabled(not self._devices.busy)
        if found is None:
            self.note.setText(self.tr("Looking for cameras..."))
        elif found.camera_problem:
            self.note.setText(plain(found.camera_problem))
        else:
            self.note.setText(self.tr("No camera was found. Connect one and look again, or use a file."))
        works = bool(source) or bool(found and found.cameras) or bool(self._live.status().camera)
        self.note.setVisible(not works)

    def _look_again(self) -> None:
        self._devices.refresh()
        self.refresh.setEnabled(False)
        self._live.retry("camera")

    def _chosen(self) -> None:
        value = self.choice.currentData()
        if value == f"{ELSEWHERE} file":
            value, _ = QFileDialog.getOpenFileName(self, self.tr("A video instead of the camera"))
        elif value == f"{ELSEWHERE} address":
            value, done = QInputDialog.getText(
                self,
                self.tr("Network camera"),
                self.tr("Address, such as http://192.168.1.20:8080/video:"),
            )
            value = value.strip() if done else ""
        elif value is None:
            value = self._live.controls.source
        if value or self.choice.currentData() == "":
            self._live.change(source=value)
        self.show_now()


class OutputChooser(QWidget):
    """Chooses the output. Unusable ones are listed with the reason.

    Attributes:
        may_fix: offer a button that leads to the setup; not on the page of the setup itself.
    """

    may_fix = True

    def __init__(self, live: Live, devices: DeviceLists, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._live, self._devices = live, devices
        self.choice = ChoiceBox(self.tr("Output"))
        self.choice.setToolTip(self.tr("How other programs get the avatar."))
        self.refresh = small_button("refresh", self.tr("Look for virtual cameras again"))
        self.device = ChoiceBox(self.tr("Virtual camera"))
        self.note = label("", "problem", wrap=True)
        self.note.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = fill(
            QVBoxLayout(self), row(self.choice, self.refresh), self.device, self.note, margins=0, spacing=5
        )
        self.fix = QPushButton(self.tr("Fix..."))
        self.fix.setToolTip(self.tr("Shows how to set up the virtual camera."))
        column.addWidget(self.fix)
        self.choice.activated.connect(self._chosen)
        self.device.activated.connect(self._device_chosen)
        self.refresh.clicked.connect(self._look_again)
        devices.changed.connect(self.show_now)
        self.show_now()

    def show_now(self) -> None:
        """Fill the lists with the available and the chosen outputs."""
        found, controls = self._devices.found or Found(), self._live.controls
        problems = {"virtual-camera": plain(found.virtual_problem), "pipewire": plain(found.pipewire_problem)}
        self.choice.clear()
        for output in OUTPUTS:
            self.choice.add(output_name(output), output, problems.get(output, ""))
        self.choice.show_value(controls.output)
        self.device.clear()
        self.device.add(self.tr("Default virtual camera"), "")
        for outlet in found.virtual_cameras:
            self.device.add(outlet.text, outlet.value, plain(outlet.problem))
        if self.device.row_of(controls.output_device) < 0:
            self.device.add(controls.output_device, controls.output_device)
        self.device.show_value(controls.output_device)
        self.device.setVisible(controls.output == "virtual-camera")
        self.refresh.setEnabled(not self._devices.busy)
        reasons = [f"{output_name(output)}: {problem}" for output, problem in problems.items() if problem]
        self.note.setText("\n\n".join(reasons))
        self.note.setVisible(bool(reasons))
        self.fix.setVisible(self.may_fix and bool(problems["virtual-camera"]))
        # Prominent only if it blocks the user's choice.
        restyle(self.note, role="problem" if problems.get(controls.output) else "muted")

    def _look_again(self) -> None:
        self._devices.refresh()
        self.refresh.setEnabled(False)
        self._live.retry("output")

    def _chosen(self) -> None:
        self._live.change(output=self.choice.currentData())
        self.show_now()

    def _device_chosen(self) -> None:
        self._live.change(output_device=self.device.currentData())


class BackgroundChooser(QWidget):
    """Chooses the background."""

    def __init__(self, live: Live, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._live = live
        self.choice = ChoiceBox(self.tr("Background"))
        self.choice.setToolTip(self.tr("What is behind the avatar."))
        fill(QVBoxLayout(self), self.choice, margins=0)
        self.choice.activated.connect(self._chosen)
        self.show_now()

    def show_now(self) -> None:
        background = self._live.controls.background
        self.choice.clear()
        for value in dict.fromkeys((*CHOICES, background)):
            self.choice.add(background_name(value), value)
        self.choice.insertSeparator(self.choice.count())
        self.choice.add(self.tr("Another colour..."), f"{ELSEWHERE} colour")
        self.choice.add(self.tr("Picture..."), f"{ELSEWHERE} picture")
        self.choice.show_value(background)

    def _chosen(self) -> None:
        value = self.choice.currentData()
        if value == f"{ELSEWHERE} colour":
            value = ask_colour(self)
        elif value == f"{ELSEWHERE} picture":
            value = ask_picture(self)
        if value:
            self._live.change(background=value)
        self.show_now()


def plain(problem: Text) -> str:
    """Join problem and remedy into one line, in the user's language."""
    return in_user_language(problem).replace("\n", " ")


def _short(source: str) -> str:
    """Return a path's last part, or an address without its password."""
    title = source_title(source)
    return Path(title).name if "://" not in title and Path(title).name else title
