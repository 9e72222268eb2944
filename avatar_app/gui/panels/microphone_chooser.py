"""Choose the microphone of recordings, and whether calls hear it too."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from avatar_app.gui.device_lists import DeviceLists, Found
from avatar_app.gui.live import Live
from avatar_app.gui.panels.choosers import plain, small_button
from avatar_app.gui.style.widgets import ChoiceBox, Switch, fill, label, row, tip
from avatar_app.sound.opening import SYSTEM


class MicrophoneChooser(QWidget):
    """A list of microphones, and a switch for the app's own one.

    Unusable entries have a reason.
    """

    def __init__(self, live: Live, devices: DeviceLists, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._live, self._devices = live, devices
        self.choice = ChoiceBox(self.tr("Microphone"))
        self.choice.setToolTip(self.tr("Its sound goes into your recordings, in time with the avatar."))
        self.refresh = small_button("refresh", self.tr("Look for microphones again"))
        self.calls = Switch(self.tr("Pass the sound to calls"))
        self.note = label("", "muted", wrap=True)
        fill(QVBoxLayout(self), row(self.choice, self.refresh), self.calls, self.note, margins=0, spacing=5)
        self.choice.activated.connect(self._chosen)
        self.calls.clicked.connect(self._switched)
        self.refresh.clicked.connect(self._look_again)
        devices.changed.connect(self.show_now)
        self.show_now()

    def show_now(self) -> None:
        """Fill the list with the available and the chosen microphones."""
        found, controls = self._devices.found or Found(), self._live.controls
        self.choice.clear()
        self.choice.add(self.tr("No sound"), "")
        self.choice.add(self.tr("Default microphone"), SYSTEM)
        for name in found.microphones:
            self.choice.add(name, name)
        if self.choice.row_of(controls.microphone) < 0:
            self.choice.add(controls.microphone, controls.microphone)
        self.choice.show_value(controls.microphone)
        self.refresh.setEnabled(not self._devices.busy)
        problem = plain(found.virtual_microphone_problem)
        possible = bool(controls.microphone) and not problem
        self.calls.setChecked(controls.pass_sound)
        self.calls.setEnabled(possible or controls.pass_sound)  # an active switch can be turned off
        self.calls.setToolTip(tip(problem or self._how()))
        self._say(plain(found.microphone_problem), problem, controls.pass_sound)

    def _say(self, problem: str, virtual_problem: str, passed_on: bool) -> None:
        if not problem and passed_on:
            problem = virtual_problem or self._how()
        self.note.setText(problem)
        self.note.setVisible(bool(problem))

    def _how(self) -> str:
        return self.tr(
            "Choose “Avatar Microphone” in the call. Others then hear you as late as they see the avatar."
        )

    def _look_again(self) -> None:
        self._devices.refresh()
        self.refresh.setEnabled(False)
        self._live.retry("sound")

    def _chosen(self) -> None:
        name = self.choice.currentData()
        self._live.change(microphone=name, pass_sound=self._live.controls.pass_sound and bool(name))
        self.show_now()

    def _switched(self, on: bool) -> None:
        self._live.change(pass_sound=on)
        self.show_now()
